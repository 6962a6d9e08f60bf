"""Helpers that read the files of a sample.

The `read` method of a data set runs from top to bottom: it reads the available files, checks that
their sizes agree, reads the cameras, converts depths or disparities to inverse depth, and computes
where the motion is known. A missing map is None throughout: the functions here accept and return
None.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from sf3d_jax.data._files import FormatError, SizeError
from sf3d_jax.data.maps.kinds import FlowMap, ScalarMap
from sf3d_jax.data.sets._caching import read_shared
from sf3d_jax.data.sets._dataset import Entry

Map = np.ndarray | tuple[np.ndarray, np.ndarray]
M = TypeVar("M", bound=Map)
T = TypeVar("T")


class Files:
    """The files of one sample, read kind by kind.

    Attributes:
      paths: paths of the files by kind, as in `Entry.files`.
    """

    def __init__(self, entry: Entry) -> None:
        """Reads nothing yet.

        Args:
          entry: entry of the sample.
        """
        self.paths = entry.files
        self._maps: dict[str, Map] = {}

    def read(
        self, kind: str, reader: Callable[[Path], M], *, of_frame: str | None = None
    ) -> M | None:
        """Reads a map, and remembers it for the check of sizes.

        Args:
          kind: kind of the file.
          reader: function that returns an array, or values and where they are valid.
          of_frame: kind under which another pair has the same file; `kind` if None.

        Returns:
          The result of the reader; None if the data set has no such file.

        Raises:
          FormatError: the file is malformed.
          OSError: the file is missing.
        """
        if kind not in self.paths:
            return None
        found = read_shared(of_frame or kind, self.paths[kind], reader)
        self._maps[kind] = found
        return found

    def both(self, kind: str, reader: Callable[[Path], M]) -> tuple[M | None, M | None]:
        """Reads a map of this frame and of the next one, each None if there is no file."""
        return self.read(kind, reader), self.read(f"next_{kind}", reader, of_frame=kind)

    def size(self) -> tuple[int, int]:
        """Returns the size (H, W) of the maps that were read.

        Raises:
          SizeError: a map differs in size from most others.
          ValueError: the entry has no map.
        """
        return find_common_size(self.paths, self._maps)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of maps that were read, in order."""
        return tuple(self._maps)


def find_common_size(files: Mapping[str, Path], maps: Mapping[str, Map]) -> tuple[int, int]:
    """Returns the size (H, W) that the maps of one sample have in common.

    Raises:
      SizeError: a map differs in size from most others.
      ValueError: there is no map.
    """
    if not maps:
        found = ", ".join(files) or "none"
        raise ValueError(f"entry: expected the file of an image or a map, got {found}")
    check_sizes(files, maps)
    return _get_size(next(iter(maps.values())))


def check_sizes(files: Mapping[str, Path], maps: Mapping[str, Map]) -> None:
    """Refuses maps of different sizes, and names their files.

    Args:
      files: paths of the files by kind.
      maps: maps by kind: arrays [H, W, ...], or pairs of such values and where they are valid.

    Raises:
      SizeError: a map differs in size from most others.
    """
    sizes = {name: _get_size(x) for name, x in maps.items()}
    if not sizes:
        return
    usual, _ = Counter(sizes.values()).most_common(1)[0]
    like = next(name for name, size in sizes.items() if size == usual)
    for name, size in sizes.items():
        if size != usual:
            pixels = f"{usual[1]} x {usual[0]} pixels, as in {files[like]}"
            raise SizeError(files[name], pixels, f"{size[1]} x {size[0]}")


def _get_size(values: Map) -> tuple[int, int]:
    height, width = np.shape(values[0] if isinstance(values, tuple) else values)[:2]
    return height, width


def get_both_frames(
    entry: Entry, by_frame: Mapping[int, T], refuse: Callable[[int], FormatError]
) -> tuple[T, T]:
    """Looks up the two frames of a sample in a table, such as a file of cameras.

    Args:
      entry: entry of the sample.
      by_frame: contents of the file by frame number.
      refuse: function that makes the error for a frame that the file lacks.

    Returns:
      The values of the first and the next frame.

    Raises:
      FormatError: the file lacks one of the frames.
    """
    numbers = int(entry.frame), int(entry.next_frame)
    for number in numbers:
        if number not in by_frame:
            raise refuse(number)
    return by_frame[numbers[0]], by_frame[numbers[1]]


def invert_depth(depth: ScalarMap | None) -> np.ndarray | None:
    """Computes 1/z: 0 (no surface) where the depth is not positive, NaN where it is unknown.

    Args:
      depth: depth in metres.

    Returns:
      float32 [H, W].
    """
    if depth is None:
        return None
    positive = depth.values > 0
    with np.errstate(over="ignore"):  # a depth close to 0 overflows
        inverse = np.divide(1, depth.values, out=np.zeros_like(depth.values), where=positive)
    return np.where(depth.valid, inverse, np.float32(np.nan))


def subtract(end: np.ndarray | None, start: np.ndarray | None) -> np.ndarray | None:
    """Computes end - start; None if either is missing."""
    return None if end is None or start is None else end - start


def to_float32(values: np.ndarray | None) -> np.ndarray | None:
    """Converts a map to float32; overflow becomes infinite, which a sample treats as invalid."""
    if values is None:
        return None
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def get_flow_vectors(flow: FlowMap | None) -> np.ndarray | None:
    """Returns the vectors of a flow, [H, W, 2]."""
    return None if flow is None else flow.flow


def combine_valid(*maps: FlowMap | ScalarMap | np.ndarray | None) -> np.ndarray | None:
    """Combines the validity of maps and masks by `and`, skipping None; None if all are None."""
    masks = [x if isinstance(x, np.ndarray) else x.valid for x in maps if x is not None]
    return np.logical_and.reduce(masks) if masks else None
