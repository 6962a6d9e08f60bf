"""The base class of the data sets: samples by index, from files that were listed once.

A data set lists its files when it is created, and reads a sample only when it is indexed. It is a
plain random-access source: it has a length, takes integer indices, can be pickled, and can be read
by several threads at once. `torch.utils.data.DataLoader` and grain accept it as it is.

With `frames` above 2, a sample is a `Sequence` of that many frames, joined from pairs that each
begin where the one before ends. `entries` and `read` still work with pairs.

`read` returns the contents of the files: poses in the data set's own world, in float64, and maps
with NaN where `valid` claims a value that the file does not have. `d[i]` is derived from it: the
world is at the first camera, arrays are float32, and NaNs are replaced by invalid zeros.
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
from sf3d_jax.data.sets._missing import IncompleteError
from sf3d_jax.samples import Sample, Sequence

_MOTION = ("flow", "inv_depth_change", "scene_flow")
# Options that a data set may have and that its repr shows.
_TOLD = ("split", "focal", "render", "side", "camera", "difficulty", "direction")


class Entry(NamedTuple):
    """One sample before it is read.

    Attributes:
      sequence: name of the sequence, such as a subject or a scene.
      frame: first frame, as named in its files.
      next_frame: next frame, as named in its files; earlier in time for backward motion.
      files: expected files, by kind.
    """

    sequence: str
    frame: str
    next_frame: str
    files: Mapping[str, Path]

    @property
    def name(self) -> str:
        """The name of the sample: the sequence and the first frame."""
        return f"{self.sequence}/{self.frame}"


class Dataset:
    """Samples by index.

    A subclass lists its entries and implements `read` for one of them.

    Attributes:
      root: folder of the data set.
      entries: all pairs of frames, in order.
      frames: number of frames per sample.
      left_out: files that belong to no pair, by kind, where that is known.
      incomplete: pairs of frames that are in no sample, because something is missing for them,
        where that is known.
    """

    def __init__(
        self,
        root: PathLike,
        entries: abc.Sequence[Entry],
        *,
        frames: int = 2,
        left_out: Mapping[str, abc.Sequence[Path]] | None = None,
        incomplete: abc.Sequence[Entry] = (),
    ) -> None:
        """Stores the entries.

        Args:
          root: folder of the data set.
          entries: pairs of frames, in the order of the samples.
          frames: number of frames per sample.
          left_out: files that belong to no pair, by kind.
          incomplete: pairs of which something is missing.

        Raises:
          FileNotFoundError: there is nothing to read.
          TypeError: frames is not an integer.
          ValueError: frames is below 2.
        """
        self.frames = check_frames(frames)
        self.root = Path(root)
        self.entries = tuple(entries)
        self.left_out = {kind: tuple(paths) for kind, paths in (left_out or {}).items()}
        self.incomplete = tuple(incomplete)
        if not self.entries:
            error = IncompleteError if self.incomplete else FileNotFoundError
            raise error(self._describe_failure())
        pairs = [(entry.sequence, entry.frame, entry.next_frame) for entry in self.entries]
        self._runs = find_runs(pairs, self.frames)
        if not self._runs:
            longest = next(n for n in itertools.count(2) if not find_runs(pairs, n + 1))
            missing = f"there are no {frames} consecutive frames; the longest run has {longest}"
            raise FileNotFoundError(f"{self.root}: {missing}")

    def _describe_failure(self) -> str:
        """Explains why there is nothing to read."""
        if self.root.is_dir():
            return f"{self.root}: {self._describe_missing()}"
        is_file = f"{self.root} is a file; name a folder"
        wrong = is_file if self.root.exists() else f"no such folder: {self.root}"
        return f"{type(self).__name__}: {wrong}"

    def _describe_missing(self) -> str:
        """Names the files that were not found in an existing folder."""
        return f"found no samples of {type(self).__name__}"

    def __len__(self) -> int:
        """The number of samples."""
        return len(self._runs)

    def __getitem__(self, index: SupportsIndex) -> Sample | Sequence:
        """Reads one sample.

        Args:
          index: number of the sample, counted from 0, or from the end if negative.

        Returns:
          A `Sample`, or a `Sequence` if `frames` is above 2, of float32 and bool NumPy arrays
          without a batch axis; images are in [0, 1].

        Raises:
          IndexError: the index is out of range.
          FormatError: a file is malformed.
          OSError: a file is missing.
          ValueError: the frames of a sequence differ in size, fields or lens.
        """
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            count = "1 sample" if len(self) == 1 else f"{len(self)} samples"
            raise IndexError(f"index {number}: the data set has {count}")
        run = self._runs[number]
        if self.frames == 2:
            return self._read_pair(self.entries[run[0]])
        with share_reads():
            return join([self._read_pair(self.entries[place]) for place in run])

    def _read_pair(self, entry: Entry) -> Sample:
        """Reads one pair in the form that training needs."""
        return finish(self.read(entry))

    def __iter__(self) -> Iterator[Sample | Sequence]:
        """Iterates over the samples, reading one at a time."""
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        """The class, folder, options and number of samples.

        Also counts the pairs outside every sequence, the files left out and the incomplete pairs,
        if there are any.
        """
        options = {name: getattr(self, name, None) for name in _TOLD}
        told = [f"{name}={x!r}" for name, x in options.items() if isinstance(x, str | int)]
        count = "1 sample" if len(self) == 1 else f"{len(self)} samples"
        if self.frames > 2:
            count += f" of {self.frames} frames"
        if alone := len(self.entries) - len({*itertools.chain(*self._runs)}):
            count += f", {alone} of {len(self.entries)} pairs in no sample"
        if self.left_out:
            counts = " and ".join(f"{len(paths)} {kind}" for kind, paths in self.left_out.items())
            count += f", left out {counts}"
        if missing := len(self.incomplete):
            count += f", left out {missing} incomplete {'pair' if missing == 1 else 'pairs'}"
        return f"{type(self).__name__}({', '.join([repr(str(self.root)), *told, count])})"

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored in its files.

        Args:
          entry: one of `entries`.

        Returns:
          The sample, with poses in the world of the data set, and NaN where `valid` claims a value
          that is missing.

        Raises:
          FormatError: a file is malformed.
          OSError: a file is missing.
        """
        raise NotImplementedError

    def other_direction(self) -> "Dataset | None":
        """Returns the same data set with the motion in the other direction of time.

        Returns:
          The data set, or None if it has no such motion.
        """
        return None


def check_frames(frames: int) -> int:
    """Checks the number of frames per sample.

    Args:
      frames: number to check.

    Returns:
      The number as an int.

    Raises:
      TypeError: frames is not an integer.
      ValueError: frames is below 2.
    """
    try:
        count = operator.index(frames)
    except TypeError:
        raise TypeError(f"frames: expected an integer, got {frames!r}") from None
    if count < 2:
        raise ValueError(f"frames: expected at least 2, got {frames}")
    return count


def finish(sample: Sample) -> Sample:
    """Prepares a sample for training: the world at the first camera, float32, and no NaN.

    Args:
      sample: sample as stored in its files.

    Returns:
      The sample. Pixels where a motion or the first inverse depth is NaN are not valid; invalid
      pixels are 0.
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
    cameras = _move_world_to_first_camera(sample.camera, sample.next_camera)
    return dataclasses.replace(sample, **maps, **cameras)


def _find_known(sample: Sample) -> np.ndarray:
    """Returns where the sample claims a motion and has one."""
    first = next(x for x in (sample.flow, sample.inv_depth, sample.image) if x is not None)
    known = np.ones(first.shape[:2], bool) if sample.valid is None else sample.valid
    for name in (*_MOTION, "inv_depth"):
        if (x := getattr(sample, name)) is not None:
            known = known & finite(x)
    return known


def _clean(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, hence invalid
        values = values.astype(np.float32, copy=False)
    return zero_unless(known & finite(values), values)


def _move_world_to_first_camera(
    camera: Camera | None, next_camera: Camera | None
) -> dict[str, Tree]:
    """Moves the world to the first camera, which keeps only the relative pose of the two."""
    if camera is None:
        return {}
    # `edit` skips the check of poses: the readers did it, and the error of a relative pose may be
    # twice that of either pose.
    moved = {"camera": _to_single_precision(edit(camera, world_to_camera=np.eye(3, 4)))}
    if next_camera is not None:
        both = camera.world_to_camera, next_camera.world_to_camera
        # A camera that does not move gets the exact identity, without rounding errors.
        moves = not np.array_equal(*both)
        pose = poses.compose(both[1], poses.invert(both[0])) if moves else np.eye(3, 4)
        moved["next_camera"] = _to_single_precision(edit(next_camera, world_to_camera=pose))
    return moved


def _to_single_precision(camera: Camera) -> Camera:
    """Converts the arrays of a camera to float32."""
    names = ("focal", "principal_point", "world_to_camera", "distortion")
    arrays = {name: getattr(camera, name) for name in names}
    single: dict[str, Leaf] = {
        name: np.asarray(x, np.float32) for name, x in arrays.items() if x is not None
    }
    return edit(camera, **single)
