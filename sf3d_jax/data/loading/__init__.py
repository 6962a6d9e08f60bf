"""Batches of a data set, shuffled, augmented and read ahead by threads, using grain.

The order of the samples depends only on the seed and the epoch; what a transform draws depends only
on the seed, the epoch and the index of the sample in the data set. So the number of threads and of
processes does not change a sample, and global batch number b holds the same samples however many
processes share it.

The last batch of every epoch is filled up with samples that are not valid anywhere, so all
processes take the same number of steps.
"""

import dataclasses
import functools
import operator
import os
import weakref
from collections import abc
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from sf3d_jax.camera import check_size
from sf3d_jax.data.loading.stacking import add_valid, stack
from sf3d_jax.samples import S, Sample, Sequence, map_cameras, map_pixels

# Maps (key, sample) to a sample, and (key, sequence) to a sequence.
Transform = Callable[[jax.Array, Any], Any]

# In effect infinite: 10 million years at a thousand samples per second.
_POSITIONS = 2**58


class Source(Protocol):
    """Samples or sequences by index."""

    def __len__(self) -> int:
        """The number of samples."""

    def __getitem__(self, index: int, /) -> Sample | Sequence:
        """One sample or sequence of NumPy arrays without a batch axis."""


class _Place(NamedTuple):
    """The sample to read for one place of a batch."""

    epoch: int
    number: int
    padding: bool


_Read = Callable[[_Place], Sample | Sequence]


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
) -> "Loader":
    """Loads batches of samples for training: shuffled, augmented and read ahead by threads.

    Iterate over the result. Its iterator has `get_state()` and `set_state(state)`: a run that
    restores the state saved after a batch continues exactly with the next one, on any number of
    processes.

        batches = iter(data.loader(dataset, batch_size=8, seed=0, transform=augmentation))
        batch = next(batches)
        saved = json.dumps(batches.get_state())

    Args:
      dataset: samples or sequences by index, such as a data set of `sf3d_jax.data`.
      batch_size: number of samples over all processes of `jax.distributed`; each gets its part.
      seed: seed of the order and of the transform, from 0 to 2^32 - 1.
      epochs: number of passes over the data set; None for no end.
      shuffle: whether each epoch has a new order; otherwise that of the data set.
      transform: function (key, sample) -> sample, such as those of `augment`. It runs on the CPU in
        the reading threads, with one key per sample and epoch. It is compiled with the first
        batch; set `jax_compilation_cache_dir` to keep the compiled program for the next run.
      size: (H, W) to pad smaller samples to, at the bottom and on the right, with invalid pixels.
        Needed if samples differ in size after the transform.
      threads: number of reading threads; None for the number of CPU cores.

    Returns:
      Batches: samples or sequences of NumPy arrays with a leading batch axis of
      batch_size / processes. `valid` is always present; `name` is a tuple. Samples that fill up the
      last batch of an epoch are not valid anywhere and have the name "". `len` is the number of
      batches per epoch.

    Raises:
      TypeError: dataset is a path, or transform is not a function. While iterating: an item of the
        data set, or a result of the transform, is not a sample.
      ValueError: an argument is out of range, or the data set is empty. While iterating: the
        samples of a batch differ in size, in fields, or in lens model.
      ImportError: grain is not installed.
    """
    size = None if size is None else check_size(size)
    _check_source(dataset, transform)
    _check(dataset, batch_size, seed, epochs, threads)
    _import_grain()
    plan = _Plan(len(dataset), batch_size, seed, epochs, shuffle)
    read = functools.partial(_read, dataset, seed, transform, size)
    return Loader(plan, read, threads or os.cpu_count() or 1)


class Loader:
    """The result of `loader`. Each iteration over it starts with the first batch."""

    def __init__(self, plan: "_Plan", read: "_Read", threads: int) -> None:
        """Keeps the plan and how to read it."""
        self._plan, self._read, self._threads = plan, read, threads

    def __iter__(self) -> "Batches":
        """Starts reading."""
        return Batches(self)

    def __len__(self) -> int:
        """The number of batches per epoch, including the last one, which may be filled up."""
        return self._plan.per_epoch // self._plan.batch_size

    def __repr__(self) -> str:
        """The plan."""
        return f"Loader({self._plan})"

    def start(self, batch: int) -> Any:
        """Starts reading at a batch.

        Args:
          batch: number of the batch, counted over all epochs.

        Returns:
          grain's iterator over this process's part of the batches from there on.
        """
        grain, plan = _import_grain(), self._plan
        processes, process = jax.process_count(), jax.process_index()
        own = plan.batch_size // processes
        options = grain.ReadOptions(
            num_threads=self._threads, prefetch_buffer_size=self._threads + own
        )
        places = grain.MapDataset.source(plan)[batch * plan.batch_size + process :: processes]
        samples = places.map(self._read).to_iter_dataset(options)
        batches = samples.batch(own, drop_remainder=True, batch_fn=stack)
        # Prefetch, so that the accelerator need not wait while a batch is put together.
        return iter(grain.experimental.ThreadPrefetchIterDataset(batches, prefetch_buffer_size=1))


class Batches(Iterator[Sample | Sequence]):
    """Iterator over batches, with a state that can be saved."""

    def __init__(self, source: Loader) -> None:
        """Starts at the first batch."""
        self._source = source
        self._next = 0
        # At most one iterator of grain. It must be closed, with its threads, before the interpreter
        # exits.
        self._running: list[Any] = []
        weakref.finalize(self, _close, self._running)
        self._failed = False

    def __next__(self) -> Sample | Sequence:
        """Reads the next batch.

        Returns:
          This process's part of the batch.

        Raises:
          FormatError: a file cannot be read.
          RuntimeError: a batch has failed before, and `set_state` was not called since.
        """
        if self._failed:
            raise RuntimeError(f"batch {self._next} failed; call set_state to continue")
        if not self._running:
            self._running.append(self._source.start(self._next))
        try:
            batch: Sample | Sequence = next(self._running[0])
        except StopIteration:
            raise
        except BaseException:
            self._failed = True
            _close(self._running)
            raise
        self._next += 1
        return batch

    def get_state(self) -> dict[str, int]:
        """Gets the position of the next batch.

        Returns:
          Integers by name, which JSON can hold; the same in all processes.
        """
        return {"batch": self._next, **self._source._plan.identity}

    def set_state(self, state: Mapping[str, int]) -> None:
        """Continues with the batch that was next when the state was taken.

        Args:
          state: result of `get_state`.

        Raises:
          ValueError: the state belongs to another data set, seed, order or batch size.
        """
        identity = self._source._plan.identity
        other = {name: state.get(name) for name, x in identity.items() if state.get(name) != x}
        if other:
            expected = {name: identity[name] for name in other}
            raise ValueError(f"state: expected one with {expected}, got {other}")
        self._next = operator.index(state["batch"])
        self._failed = False
        _close(self._running)


def _close(running: list[Any]) -> None:
    while running:
        running.pop().close()


@dataclasses.dataclass(frozen=True)
class _Plan(abc.Sequence[_Place]):
    """The places of all batches of all epochs, in order."""

    samples: int
    batch_size: int
    seed: int
    epochs: int | None
    shuffle: bool

    @property
    def identity(self) -> dict[str, int]:
        """The arguments that determine the batches, except the samples themselves."""
        names = ("samples", "batch_size", "seed", "shuffle")
        return {name: int(getattr(self, name)) for name in names}

    @property
    def per_epoch(self) -> int:
        """The number of places per epoch, a multiple of the batch size."""
        return -(-self.samples // self.batch_size) * self.batch_size

    def __len__(self) -> int:
        epochs = _POSITIONS // self.per_epoch if self.epochs is None else self.epochs
        return epochs * self.per_epoch

    def __getitem__(self, position: Any) -> Any:
        epoch, place = divmod(operator.index(position), self.per_epoch)
        padding = place >= self.samples
        place %= self.samples
        if self.shuffle:
            place = int(_make_order(self.seed, epoch, self.samples)[place])
        return _Place(epoch, place, padding)


@functools.lru_cache(maxsize=4)
def _make_order(seed: int, epoch: int, count: int) -> np.ndarray:
    # NumPy guarantees the numbers of this legacy generator; those of the new one may change.
    return np.random.RandomState([seed, epoch]).permutation(count)


def _read(
    dataset: Source,
    seed: int,
    transform: Transform | None,
    size: tuple[int, int] | None,
    place: _Place,
) -> Sample | Sequence:
    """Reads one sample and prepares it for a batch."""
    sample = dataset[place.number]
    if not isinstance(sample, Sample | Sequence):
        got = type(sample).__name__
        raise TypeError(f"dataset: expected a Sample or a Sequence at {place.number}, got {got}")
    name = sample.name or str(place.number)
    if transform is not None:
        sample = _transform(transform, seed, place, sample, name)
    sample = dataclasses.replace(add_valid(sample), name=name)
    if size is not None:
        sample = _pad(sample, size)
    if place.padding:
        sample = dataclasses.replace(sample, valid=np.zeros_like(sample.valid), name="")
    return sample


def _transform(
    transform: Transform, seed: int, place: _Place, sample: Sample | Sequence, name: Any
) -> Sample | Sequence:
    """Transforms a sample; an error of the transform gets a note that names the sample."""
    with jax.default_device(_find_cpu()):
        key = jax.random.fold_in(jax.random.key(seed), place.epoch)
        try:
            changed = transform(jax.random.fold_in(key, place.number), sample)
            if not isinstance(changed, Sample | Sequence):
                got = type(changed).__name__
                raise TypeError(f"transform: expected it to return a sample, got {got}")
            found: Sample | Sequence = jax.tree.map(np.asarray, changed)
        except Exception as error:
            error.add_note(
                f"raised by the transform for sample {place.number}, {name}, epoch {place.epoch}"
            )
            raise
        return found


@functools.cache
def _find_cpu() -> jax.Device | None:
    """Finds the CPU, as the accelerator is busy with training; None if JAX may not use the CPU."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return None


def _pad(sample: S, size: tuple[int, int]) -> S:
    shape = sample.valid.shape[-2:]
    below, right = (wanted - n for wanted, n in zip(size, shape, strict=True))
    if below < 0 or right < 0:
        raise ValueError(
            f"size: sample {sample.name} is {shape} (H, W), larger than {size}; crop it in the "
            "transform"
        )

    def pad(x: np.ndarray, rows: int) -> np.ndarray:
        widths = [(0, 0)] * x.ndim
        widths[rows], widths[rows + 1] = (0, below), (0, right)
        return np.pad(x, widths)

    padded = map_pixels(pad, sample)
    return map_cameras(lambda camera: camera.pad(0, 0, size), padded)


def _check_source(dataset: Source, transform: Transform | None) -> None:
    """Refuses a path in place of a data set, and a transform that is not callable."""
    if isinstance(dataset, str | os.PathLike):
        path = os.fspath(dataset)
        opened = f"data.FolderPairs({path!r}, image='frames/*.png')"
        raise TypeError(f"dataset: expected a data set, got the path {path!r}; open it: {opened}")
    if transform is not None and not callable(transform):
        got = type(transform).__name__
        raise TypeError(f"transform: expected a function (key, sample) -> sample, got {got}")


def _check(
    dataset: Source,
    batch_size: int,
    seed: int,
    epochs: int | None,
    threads: int | None,
) -> None:
    processes = jax.process_count()
    for name, number in (("batch_size", batch_size), ("seed", seed)):
        if not isinstance(number, int | np.integer):
            raise TypeError(f"{name}: expected an integer, got {number!r}")
    if len(dataset) < 1:
        raise ValueError("dataset: expected at least one sample, got none")
    if batch_size < 1 or batch_size % processes:
        multiple = f"a positive multiple of {processes}, the number of processes"
        expected = "at least 1" if processes == 1 else multiple
        raise ValueError(f"batch_size: expected {expected}, got {batch_size}")
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed: expected a number from 0 to 2^32 - 1, got {seed}")
    for name, count in (("epochs", epochs), ("threads", threads)):
        if count is not None and count < 1:
            raise ValueError(f"{name}: expected at least 1, got {count}")


def _import_grain() -> ModuleType:
    try:
        import grain
    except ImportError as error:
        raise ImportError("the loader needs grain: pip install 'sf3d_jax[data]'") from error
    return grain
