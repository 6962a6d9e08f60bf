"""The values of a transforms.json under one key, for all frames at once.

A file may have 100,000 frames, so each key costs one look-up per frame, and numbers are checked as
arrays. Single frames are only examined to report an error.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import LARGEST, FormatError, PathLike, check_header_size
from sf3d_jax.data._files.json import Json, matrix
from sf3d_jax.data.cameras.checks import Size


class TreeLevel(NamedTuple):
    """The objects at one level of a file: the frames, or the root alone.

    Attributes:
      path: file name used in error messages.
      nodes: the objects.
      keys: the keys of all nodes.
    """

    path: PathLike
    nodes: list[dict[str, Json]]
    keys: frozenset[str]

    def where(self, i: int) -> str:
        """Names a node in an error; a value of the root is reported as one of frame 0."""
        return f"frame {i}"

    def values(self, key: str) -> list[Json]:
        """Returns the value under a key in each node, None where it is missing."""
        if key not in self.keys:
            return [None] * len(self.nodes)
        return [node.get(key) for node in self.nodes]

    def read_numbers(self, key: str) -> np.ndarray:
        """Returns the number under a key in each node.

        Args:
          key: key as spelled in the file.

        Returns:
          [N], float64; NaN where it is missing.

        Raises:
          FormatError: a value is not a finite number, or is absurdly large.
        """
        if key not in self.keys:
            return np.full(len(self.nodes), np.nan)
        values = self.values(key)
        if not set(map(type, values)) <= {int, float, type(None)}:
            self._refuse(key, values)
        try:
            array = np.array([np.nan if x is None else x for x in values], np.float64)
        except OverflowError:  # an integer beyond float64
            array = np.full(len(values), np.inf)
        missing = np.array([x is None for x in values], bool)
        if not (missing | (np.abs(array) <= LARGEST)).all():
            self._refuse(key, values)
        return array

    def whole_numbers(self, key: str) -> list[int | None]:
        """Returns the whole number under a key in each node; None where it is missing."""
        if key not in self.keys:
            return [None] * len(self.nodes)
        array = self.read_numbers(key)
        for i in find_true(array != np.trunc(array)):
            if not np.isnan(array[i]):
                expected = f"a whole number as {key} of {self.where(i)}"
                raise FormatError(self.path, expected, f"{array[i]:g}")
        return [None if x != x else int(x) for x in array.tolist()]

    def vectors(self, key: str, length: int) -> np.ndarray:
        """Returns the list of numbers under a key in each node: [N, length], NaN if missing."""
        array = np.full((len(self.nodes), length), np.nan)
        for i, value in enumerate(self.values(key) if key in self.keys else ()):
            if value is not None:
                array[i] = matrix(self.path, f"{key} of {self.where(i)}", value, (length,))
        return array

    def sizes(self) -> np.ndarray:
        """Returns the size (h, w) of each node, [N, 2]; NaN for a side that is missing."""
        sides = [self.whole_numbers(key) for key in ("h", "w")]
        for height, width in set(zip(*sides, strict=True)):
            check_header_size(
                self.path, 1 if width is None else width, 1 if height is None else height
            )
        return np.array(sides, np.float64).T.reshape(-1, 2)

    def _refuse(self, key: str, values: list[Json]) -> None:
        """Raises for the first value that is not a number."""
        for i, value in enumerate(values):
            if value is not None:
                matrix(self.path, f"{key} of {self.where(i)}", value, ())


def make_level(path: PathLike, nodes: list[dict[str, Json]]) -> TreeLevel:
    """Makes the level of a list of objects."""
    return TreeLevel(path, nodes, frozenset().union(*nodes))


class File(NamedTuple):
    """A transforms.json: the frames, and the values beside them that hold for all frames.

    Attributes:
      frames: one node per frame.
      root: the object around them.
    """

    frames: TreeLevel
    root: TreeLevel

    @property
    def path(self) -> PathLike:
        """File name used in error messages."""
        return self.frames.path

    @property
    def length(self) -> int:
        """The number of frames."""
        return len(self.frames.nodes)

    def either(self, key: str) -> list[Json]:
        """Returns each frame's value under a key, or the root's if the frame has none."""
        [common] = self.root.values(key)
        return [common if x is None else x for x in self.frames.values(key)]

    def text(self, *keys: str) -> list[str | None]:
        """Returns each frame's text under the first of the keys that has one."""
        texts: list[str | None] = [None] * self.length
        for key in reversed(keys):
            texts = [
                new if isinstance(new, str) else old
                for new, old in zip(self.either(key), texts, strict=True)
            ]
        return texts

    def whole_numbers(self, key: str) -> list[int | None]:
        """Returns each frame's whole number under a key, or the root's."""
        [common] = self.root.whole_numbers(key)
        return [common if x is None else x for x in self.frames.whole_numbers(key)]


def find_true(mask: npt.ArrayLike) -> list[int]:
    """Returns the indices where a mask [N] is true."""
    return np.flatnonzero(mask).tolist()


def convert_size(row: np.ndarray) -> Size:
    """Converts a row of sizes to (H, W)."""
    height, width = row.tolist()
    return int(height), int(width)
