"""Batches of a data set, shuffled, augmented and read ahead by threads, on grain.

The samples of an epoch are put in an order that depends on the seed and the epoch alone; what a
transform draws depends on the seed, the epoch and the sample's index in the data set alone. So
neither the number of threads nor that of processes changes a sample, and global batch number b
holds the same samples however many processes share it.

Every epoch ends with whole batches: the last one is filled up with samples that are not valid
anywhere, so that all processes take the same number of steps.
"""

import dataclasses
import functools
import operator
import os
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import jax
import numpy as np

from sf3d_jax.camera import Camera, check_size
from sf3d_jax.samples import Sample, check_sample, given, map_cameras, map_pixels

if TYPE_CHECKING:
    import grain

Transform = Callable[[jax.Array, Sample], Sample]

# Enough to never end: a run of a thousand steps a second takes 10 million years.
_POSITIONS = 2**58


class Source(Protocol):
    """Samples by index."""

    def __len__(self) -> int:
        """The number of samples."""

    def __getitem__(self, index: int, /) -> Sample:
        """One sample, of NumPy arrays without a batch axis."""


class _Place(NamedTuple):
    """What is read for one place of a batch."""

    epoch: int
    number: int
    padding: bool


def loader(
    dataset: Source,
    batch_size: int,
    seed: int,
    *,
    epochs: int | None = None,
    shuffle: bool = True,
    transform: Transform | None = None,
    size: tuple[int, int] | None = None,
    threads: int | None = None,
) -> "grain.IterDataset[Sample]":
    """Batches of samples for training.

    Iterate over the result. Its iterator has `get_state()` and `set_state(state)`: a run that is
    given the state saved after a batch goes on with the next one, exactly.

        batches = iter(data.loader(dataset, batch_size=8, seed=0, transform=augmentation))
        batch = next(batches)
        saved = json.dumps(batches.get_state())

    Args:
      dataset: samples by index, such as those of this package.
      batch_size: of all processes of `jax.distributed` together; each gets its part.
      seed: of the order and of the transform, not negative.
      epochs: how often every sample comes; for ever if None.
      shuffle: another order in each epoch; that of the data set if False.
      transform: (key, sample) -> sample, such as functions of `augment`; it runs on the CPU, in
        the threads that read. One key belongs to one sample of one epoch.
      size: (H, W) that smaller samples are padded to, below and on the right; what is added is
        not valid. Needed where samples differ in size after the transform.
      threads: that read; as many as there are CPU cores if None.

    Returns:
      Batches as samples of NumPy arrays with a batch axis (batch_size / processes) first. `valid`
      is always there; `name` is a tuple, with "" for what fills up the last batch of an epoch,
      which is not valid anywhere.

    Raises:
      ValueError: an argument is out of its range, or the data set is empty. While iterating: the
        samples of a batch differ in size, in their fields or in their lens.
      ImportError: grain is missing.
    """
    processes, process = jax.process_count(), jax.process_index()
    size = None if size is None else check_size(size)
    _check(dataset, batch_size, seed, epochs, threads, processes)
    grain = _import_grain()
    plan = _Plan(len(dataset), batch_size, seed, epochs, shuffle)
    read = functools.partial(_read, dataset, seed, transform, size)
    own = batch_size // processes
    threads = threads or os.cpu_count() or 1
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads + own)
    places = grain.MapDataset.source(plan)[process::processes]
    samples = places.map(read).to_iter_dataset(options)
    return samples.batch(own, drop_remainder=True, batch_fn=stack)


@dataclasses.dataclass(frozen=True)
class _Plan(Sequence[_Place]):
    """The places of all batches of all epochs, one after the other."""

    samples: int
    batch_size: int
    seed: int
    epochs: int | None
    shuffle: bool

    @property
    def per_epoch(self) -> int:
        """Places in an epoch: those of whole batches."""
        return -(-self.samples // self.batch_size) * self.batch_size

    def __len__(self) -> int:
        epochs = _POSITIONS // self.per_epoch if self.epochs is None else self.epochs
        return epochs * self.per_epoch

    def __getitem__(self, position: Any) -> Any:
        epoch, place = divmod(operator.index(position), self.per_epoch)
        padding = place >= self.samples
        place %= self.samples
        if self.shuffle:
            place = int(_order(self.seed, epoch, self.samples)[place])
        return _Place(epoch, place, padding)


@functools.lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    # NumPy keeps the numbers of this older generator for ever; those of the newer may change.
    return np.random.RandomState([seed, epoch]).permutation(count)


def _read(
    dataset: Source,
    seed: int,
    transform: Transform | None,
    size: tuple[int, int] | None,
    place: _Place,
) -> Sample:
    """One sample as it goes into a batch."""
    sample = dataset[place.number]
    name = sample.name or str(place.number)
    if transform is not None:
        sample = _transformed(transform, seed, place, sample)
    sample = dataclasses.replace(_with_valid(sample), name=name)
    if size is not None:
        sample = _padded(sample, size)
    if place.padding:
        sample = dataclasses.replace(sample, valid=np.zeros_like(sample.valid), name="")
    return sample


def _with_valid(sample: Sample) -> Sample:
    shape = check_sample(sample)
    if sample.valid is not None:
        return sample
    return dataclasses.replace(sample, valid=np.ones(shape, bool))


def _transformed(transform: Transform, seed: int, place: _Place, sample: Sample) -> Sample:
    # The accelerator is busy with training, and a sample is small.
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        key = jax.random.fold_in(jax.random.key(seed), place.epoch)
        sample = transform(jax.random.fold_in(key, place.number), sample)
        return jax.tree.map(np.asarray, sample)


def _padded(sample: Sample, size: tuple[int, int]) -> Sample:
    shape = sample.valid.shape
    below, right = (wanted - n for wanted, n in zip(size, shape, strict=True))
    if below < 0 or right < 0:
        raise ValueError(
            f"size: sample {sample.name} of {shape} (H, W) does not fit into {size}; crop it in a "
            "transform"
        )

    def pad(x: np.ndarray, rows: int) -> np.ndarray:
        widths = [(0, 0)] * x.ndim
        widths[rows], widths[rows + 1] = (0, below), (0, right)
        return np.pad(x, widths)

    padded = map_pixels(pad, sample)
    return map_cameras(lambda camera: camera.pad(0, 0, size), padded)


def stack(samples: Sequence[Sample]) -> Sample:
    """A batch of samples; the `collate_fn` of PyTorch's DataLoader, for one.

    A next camera that only some have is that of the first frame for the others, and a next inverse
    depth is 0, no surface: neither claims anything.

    Args:
      samples: of NumPy arrays, without a batch axis, of one size and with the same fields.

    Returns:
      A sample with a batch axis first; `valid` is always there, and `name` is a tuple.

    Raises:
      ValueError: there is none, or they differ in size, in their fields or in their lens.
    """
    if not samples:
        raise ValueError("samples: expected at least one, got none")
    samples = [_with_valid(sample) for sample in samples]
    samples = [_filled(sample, samples) for sample in samples]
    first = samples[0]
    for sample in samples[1:]:
        _check_alike(first, sample)
    names = tuple(str(sample.name) for sample in samples)
    batch = jax.tree.map(lambda *x: np.stack(x), *samples)
    return dataclasses.replace(batch, name=names)


def _filled(sample: Sample, others: Sequence[Sample]) -> Sample:
    """The sample with a next camera, and with no surface in the next frame, if others have one."""
    fields: dict[str, Any] = {}
    if sample.next_camera is None and any(other.next_camera for other in others):
        fields["next_camera"] = sample.camera
    depths = [other.next_inv_depth for other in others if other.next_inv_depth is not None]
    if sample.next_inv_depth is None and depths:
        fields["next_inv_depth"] = np.zeros(sample.valid.shape, depths[0].dtype)
    return dataclasses.replace(sample, **fields)


def _check_alike(first: Sample, sample: Sample) -> None:
    names = [field.name for field in dataclasses.fields(Sample) if field.name != "name"]
    ours, theirs = given(first, *names), given(sample, *names)
    pair = f"samples {first.name} and {sample.name}"
    if ours.keys() != theirs.keys():
        some = ", ".join(sorted(ours.keys() ^ theirs.keys()))
        raise ValueError(f"dataset: of the {pair} only one has {some}; drop it in a transform")
    if first.valid.shape != sample.valid.shape:
        sizes = f"{first.valid.shape} and {sample.valid.shape}"
        raise ValueError(f"size: {pair} have {sizes} (H, W); give size=, or crop in a transform")
    for name, ours_shape, theirs_shape in _camera_shapes(first, sample):
        if ours_shape != theirs_shape:
            raise ValueError(f"dataset: {name} of the {pair}: {ours_shape} and {theirs_shape}")
    for name, x in ours.items():
        if not isinstance(x, Camera) and np.shape(x) != np.shape(theirs[name]):
            shapes = f"{np.shape(x)} and {np.shape(theirs[name])}"
            raise ValueError(f"dataset: {name} of the {pair} has the shapes {shapes}")


def _camera_shapes(first: Sample, sample: Sample) -> list[tuple[str, str, str]]:
    """(name, lens, lens) of the cameras of two samples."""

    def lens(camera: Camera) -> str:
        count = 0 if camera.distortion is None else np.shape(camera.distortion)[-1]
        return f"{camera.model} with {count} coefficients"

    pairs = ((n, getattr(first, n), getattr(sample, n)) for n in ("camera", "next_camera"))
    return [(n, lens(a), lens(b)) for n, a, b in pairs if a is not None]


def _check(
    dataset: Source,
    batch_size: int,
    seed: int,
    epochs: int | None,
    threads: int | None,
    processes: int,
) -> None:
    if len(dataset) < 1:
        raise ValueError("dataset: it is empty")
    if batch_size < 1 or batch_size % processes:
        raise ValueError(
            f"batch_size: expected a positive multiple of the {processes} processes, "
            f"got {batch_size}"
        )
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed: expected a number from 0 to 2^32 - 1, got {seed}")
    for name, number in (("epochs", epochs), ("threads", threads)):
        if number is not None and number < 1:
            raise ValueError(f"{name}: expected at least 1, got {number}")


def _import_grain() -> ModuleType:
    try:
        import grain
    except ImportError as error:
        raise ImportError("the loader needs grain: pip install 'sf3d_jax[data]'") from error
    return grain
