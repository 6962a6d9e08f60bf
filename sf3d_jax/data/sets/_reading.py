"""Reading a sample: its maps, which have one size, and what a file has for both of its frames.

The `read` of a data set goes from top to bottom: it reads what is there, asks for the size, reads
the cameras, turns depths or disparities into inverse depth, and says where the motion is known.
What is missing is None all the way, so that the functions here take None and return it.
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
      paths: by what the files hold, as in `Entry.files`.
    """

    def __init__(self, entry: Entry) -> None:
        """Reads nothing yet.

        Args:
          entry: of the sample.
        """
        self.paths = entry.files
        self._maps: dict[str, Map] = {}

    def read(
        self, kind: str, reader: Callable[[Path], M], *, of_frame: str | None = None
    ) -> M | None:
        """Reads a map, and keeps its size in mind.

        Args:
          kind: what the file holds.
          reader: of the file; it returns an array, or values and where they are valid.
          of_frame: the kind as which another pair has the same file, if not as this one.

        Returns:
          What the reader returns; None if the data set has no such file.

        Raises:
          FormatError: the file is not what it should be.
          OSError: it is missing.
        """
        if kind not in self.paths:
            return None
        found = read_shared(of_frame or kind, self.paths[kind], reader)
        self._maps[kind] = found
        return found

    def both(self, kind: str, reader: Callable[[Path], M]) -> tuple[M | None, M | None]:
        """Reads a kind of map of this frame and of the next one; see `read`."""
        return self.read(kind, reader), self.read(f"next_{kind}", reader, of_frame=kind)

    def size(self) -> tuple[int, int]:
        """The size (H, W) of the maps that were read.

        Raises:
          SizeError: one has another size than most.
          ValueError: there is none, as the entry has no file of a map.
        """
        return common_size(self.paths, self._maps)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What was read, in order."""
        return tuple(self._maps)


def common_size(files: Mapping[str, Path], maps: Mapping[str, Map]) -> tuple[int, int]:
    """The size (H, W) of the maps of one sample; see `check_sizes`.

    Raises:
      SizeError: one has another size than most.
      ValueError: there is none, as the entry has no file of a map.
    """
    if not maps:
        found = ", ".join(files) or "none"
        raise ValueError(f"entry: expected the file of an image or a map, got {found}")
    check_sizes(files, maps)
    return _size(next(iter(maps.values())))


def check_sizes(files: Mapping[str, Path], maps: Mapping[str, Map]) -> None:
    """Refuses maps of different sizes, by the names of their files.

    Args:
      files: by what they hold.
      maps: [H, W, ...], or such values and where they are valid, by what they are, read from the
        files of the same names.

    Raises:
      SizeError: one has another size than most.
    """
    sizes = {name: _size(x) for name, x in maps.items()}
    if not sizes:
        return
    usual, _ = Counter(sizes.values()).most_common(1)[0]
    like = next(name for name, size in sizes.items() if size == usual)
    for name, size in sizes.items():
        if size != usual:
            pixels = f"{usual[1]} x {usual[0]} pixels, as in {files[like]}"
            raise SizeError(files[name], pixels, f"{size[1]} x {size[0]}")


def _size(values: Map) -> tuple[int, int]:
    height, width = np.shape(values[0] if isinstance(values, tuple) else values)[:2]
    return height, width


def of_both_frames(
    entry: Entry, by_frame: Mapping[int, T], refuse: Callable[[int], FormatError]
) -> tuple[T, T]:
    """What a file, such as one of cameras, has for the two frames of a sample.

    Args:
      entry: of the sample.
      by_frame: what the file has, by the number of the frame.
      refuse: makes the error that names the file and a frame that it lacks.

    Returns:
      That of the first frame and that of the next one.

    Raises:
      FormatError: the file lacks one of them.
    """
    numbers = int(entry.frame), int(entry.next_frame)
    for number in numbers:
        if number not in by_frame:
            raise refuse(number)
    return by_frame[numbers[0]], by_frame[numbers[1]]


def inverse_depth(depth: ScalarMap | None) -> np.ndarray | None:
    """1/z: 0 where a depth is not positive, as no surface is there, and NaN where it is not known.

    Args:
      depth: in metres.

    Returns:
      float32 [H, W].
    """
    if depth is None:
        return None
    positive = depth.values > 0
    with np.errstate(over="ignore"):  # of a depth that is nearly 0
        inverse = np.divide(1, depth.values, out=np.zeros_like(depth.values), where=positive)
    return np.where(depth.valid, inverse, np.float32(np.nan))


def difference(end: np.ndarray | None, start: np.ndarray | None) -> np.ndarray | None:
    """The first minus the second; None if one of them is missing."""
    return None if end is None or start is None else end - start


def as_float32(values: np.ndarray | None) -> np.ndarray | None:
    """A map in float32; what is too large becomes infinite, which a sample takes for no number."""
    if values is None:
        return None
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def flow_vectors(flow: FlowMap | None) -> np.ndarray | None:
    """The vectors of a flow, [H, W, 2]."""
    return None if flow is None else flow.flow


def all_valid(*maps: FlowMap | ScalarMap | np.ndarray | None) -> np.ndarray | None:
    """Where all maps are valid, and masks True, that are not None; None if there is none."""
    masks = [x if isinstance(x, np.ndarray) else x.valid for x in maps if x is not None]
    return np.logical_and.reduce(masks) if masks else None
