"""What the data sets share: samples by index, of files that were listed once.

A data set lists its files when it is made and reads nothing; a sample is read when it is asked
for. It is a plain random-access source: it has a length, it is indexed by integers, it survives
pickling, and it may be read by several threads at once. `torch.utils.data.DataLoader` and grain
take it as it is.

With `frames` above 2 a sample is a `Sequence` of so many frames: pairs of which each begins with
the frame that the one before ends with. `entries` and `read` stay those of the pairs.

`read` gives what the files say: poses in the data set's own world, in float64, and maps with NaN
where a file holds no number although `valid` says that the data set claims one. `d[i]` is made of
it: the world at the first camera, float32, no NaN anywhere, and invalid what had none.
"""

import dataclasses
import itertools
import operator
from collections import abc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, SupportsIndex

import numpy as np

from sf3d_jax._numerics import Leaf, Tree
from sf3d_jax.camera import Camera
from sf3d_jax.camera._fields import edit
from sf3d_jax.data._files import PathLike
from sf3d_jax.data.arrays import finite, zero_unless
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.sets._caching import share_reads
from sf3d_jax.data.sets._joining import find_runs, join
from sf3d_jax.samples import Sample, Sequence

_MOTION = ("flow", "inv_depth_change", "scene_flow")
# Options that a data set may have, and that its name is told with.
_TOLD = ("split", "focal", "render", "side", "camera", "difficulty", "direction")


class Entry(NamedTuple):
    """One sample before it is read.

    Attributes:
      sequence: of frames, such as a subject or a scene.
      frame: the first one, as its files name it.
      next_frame: the next one, as its files name it; earlier in time for backward motion.
      files: the files that are expected, by what they hold.
    """

    sequence: str
    frame: str
    next_frame: str
    files: Mapping[str, Path]

    @property
    def name(self) -> str:
        """The name of the sample: of the sequence and of the first frame."""
        return f"{self.sequence}/{self.frame}"


class Dataset:
    """Samples by index.

    A subclass lists its entries and says how one of them is read.

    Attributes:
      root: the folder of the data set.
      entries: the pairs of frames that there are, in order.
      frames: of a sample.
      left_out: by kind, files that were found and belong to no pair, where that is known.
    """

    def __init__(
        self,
        root: PathLike,
        entries: abc.Sequence[Entry],
        *,
        frames: int = 2,
        left_out: Mapping[str, abc.Sequence[Path]] | None = None,
    ) -> None:
        """Keeps the list.

        Args:
          root: the folder of the data set.
          entries: the pairs, in the order of the samples.
          frames: of a sample.
          left_out: by kind, files that belong to none of them.

        Raises:
          FileNotFoundError: there is nothing to read.
          TypeError: frames is no whole number.
          ValueError: frames is below 2.
        """
        self.frames = check_frames(frames)
        self.root = Path(root)
        self.entries = tuple(entries)
        self.left_out = {kind: tuple(paths) for kind, paths in (left_out or {}).items()}
        if not self.entries:
            raise FileNotFoundError(f"{self.root}: {self._reason()}")
        pairs = [(entry.sequence, entry.frame, entry.next_frame) for entry in self.entries]
        self._runs = find_runs(pairs, self.frames)
        if not self._runs:
            longest = next(n for n in itertools.count(2) if not find_runs(pairs, n + 1))
            missing = f"there are no {frames} frames in a row, but {longest} at most"
            raise FileNotFoundError(f"{self.root}: {missing}")

    def _reason(self) -> str:
        """Why there is nothing to read."""
        if self.root.is_dir():
            return self._missing()
        there = "is a file; name a folder" if self.root.exists() else "there is no such folder"
        return f"{there}; {type(self).__name__} was expected"

    def _missing(self) -> str:
        """What was looked for in vain in a folder that is there."""
        return f"no sample here; {type(self).__name__} was expected"

    def __len__(self) -> int:
        """The number of samples."""
        return len(self._runs)

    def __getitem__(self, index: SupportsIndex) -> Sample | Sequence:
        """Reads one sample.

        Args:
          index: from 0, or from the end if negative.

        Returns:
          A `Sample`, or a `Sequence` if `frames` is above 2, of NumPy arrays, float32 and bool,
          without a batch axis; images in [0, 1].

        Raises:
          IndexError: there are not so many.
          FormatError: a file is not what it should be.
          OSError: a file is missing.
          ValueError: the frames of a sequence differ in size, in what is known or in their lens.
        """
        run = self._runs[operator.index(index)]
        if self.frames == 2:
            return self._read_pair(self.entries[run[0]])
        with share_reads():
            return join([self._read_pair(self.entries[place]) for place in run])

    def _read_pair(self, entry: Entry) -> Sample:
        """Reads one pair for training."""
        return finish(self.read(entry))

    def __iter__(self) -> Iterator[Sample | Sequence]:
        """Reads one sample after the other."""
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        """The class, the folder, what tells data sets of one folder apart, how many samples.

        Where pairs are in no sequence, or files are left out, how many, of each kind.
        """
        options = {name: getattr(self, name, None) for name in _TOLD}
        told = [f"{name}={x!r}" for name, x in options.items() if isinstance(x, str | int)]
        count = "1 sample" if len(self) == 1 else f"{len(self)} samples"
        if self.frames > 2:
            count += f" of {self.frames} frames"
        if alone := len(self.entries) - len({*itertools.chain(*self._runs)}):
            count += f", {alone} of {len(self.entries)} pairs in none of them"
        if self.left_out:
            counts = " and ".join(f"{len(paths)} {kind}" for kind, paths in self.left_out.items())
            count += f", left out {counts}"
        return f"{type(self).__name__}({', '.join([repr(str(self.root)), *told, count])})"

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as its files have it.

        Args:
          entry: one of `entries`.

        Returns:
          Poses in the world of the data set; NaN where a value is claimed and none is there.

        Raises:
          FormatError: a file is not what it should be.
          OSError: a file is missing.
        """
        raise NotImplementedError

    def other_direction(self) -> "Dataset | None":
        """The same data set with the motion of the other direction of time.

        Returns:
          The data set, or None if it has no such motion.
        """
        return None


def check_frames(frames: int) -> int:
    """Refuses a number of frames of a sample.

    Args:
      frames: that was given.

    Returns:
      It, as an int.

    Raises:
      TypeError: it is no whole number.
      ValueError: it is below 2.
    """
    try:
        count = operator.index(frames)
    except TypeError:
        raise TypeError(f"frames: expected a whole number, got {frames!r}") from None
    if count < 2:
        raise ValueError(f"frames: expected at least 2, got {frames}")
    return count


def finish(sample: Sample) -> Sample:
    """A sample for training: the world at the first camera, float32, and no NaN.

    Args:
      sample: as its files have it.

    Returns:
      The sample; a pixel of which a motion or the first inverse depth is NaN is not valid. What
      is not valid is 0.
    """
    known = _find_known(sample)
    if sample.valid is not None or not known.all():
        sample = dataclasses.replace(sample, valid=known)
    maps: dict[str, Leaf] = {
        name: _clean(getattr(sample, name), known)
        for name in _MOTION
        if getattr(sample, name) is not None
    }
    for name in ("inv_depth", "next_inv_depth"):
        if (depth := getattr(sample, name)) is not None:
            maps[name] = _clean(depth, depth > 0)  # False for NaN, too
    cameras = _world_at_first_camera(sample.camera, sample.next_camera)
    return dataclasses.replace(sample, **maps, **cameras)


def _find_known(sample: Sample) -> np.ndarray:
    """Where the sample claims a motion, and has one."""
    first = next(x for x in (sample.flow, sample.inv_depth, sample.image) if x is not None)
    known = np.ones(first.shape[:2], bool) if sample.valid is None else sample.valid
    for name in (*_MOTION, "inv_depth"):
        if (x := getattr(sample, name)) is not None:
            known = known & finite(x)
    return known


def _clean(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # a float64 beyond float32 is infinite: no value
        values = values.astype(np.float32, copy=False)
    return zero_unless(known & finite(values), values)


def _world_at_first_camera(camera: Camera | None, next_camera: Camera | None) -> dict[str, Tree]:
    """The two cameras with the world at the first one; only their difference counts here."""
    if camera is None:
        return {}
    # The readers checked the poses; that of one camera from the other may be off by twice as much.
    moved = {"camera": _to_single_precision(edit(camera, world_to_camera=np.eye(3, 4)))}
    if next_camera is not None:
        both = camera.world_to_camera, next_camera.world_to_camera
        # Of a camera that stays, not even rounding is left.
        moves = not np.array_equal(*both)
        pose = poses.compose(both[1], poses.invert(both[0])) if moves else np.eye(3, 4)
        moved["next_camera"] = _to_single_precision(edit(next_camera, world_to_camera=pose))
    return moved


def _to_single_precision(camera: Camera) -> Camera:
    """The camera in float32."""
    names = ("focal", "principal_point", "world_to_camera", "distortion")
    arrays = {name: getattr(camera, name) for name in names}
    single: dict[str, Leaf] = {
        name: np.asarray(x, np.float32) for name, x in arrays.items() if x is not None
    }
    return edit(camera, **single)
