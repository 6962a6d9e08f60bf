"""What a transforms.json says under a key, for all frames at once.

A file may have 100,000 frames: what is asked of each of them costs as little as a look-up, and
numbers are checked as arrays. Only an error looks at a frame of its own.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import LARGEST, FormatError, PathLike, check_header_size
from sf3d_jax.data._files.json import Json, matrix
from sf3d_jax.data.cameras.checks import Size


class Level(NamedTuple):
    """The objects of a file that stand beside each other: the frames, or the root alone.

    Attributes:
      path: of the file, for errors.
      nodes: the objects.
      keys: of all nodes.
    """

    path: PathLike
    nodes: list[dict[str, Json]]
    keys: frozenset[str]

    def where(self, i: int) -> str:
        """The node in an error; what stands in the root is that of frame 0, too."""
        return f"frame {i}"

    def values(self, key: str) -> list[Json]:
        """What stands under a key in each node, None where nothing does."""
        if key not in self.keys:
            return [None] * len(self.nodes)
        return [node.get(key) for node in self.nodes]

    def numbers(self, key: str) -> np.ndarray:
        """The number under a key of each node.

        Args:
          key: as it stands in the file.

        Returns:
          [N], float64; NaN where there is none.

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
        """The whole number under a key of each node; errors as of `numbers`."""
        if key not in self.keys:
            return [None] * len(self.nodes)
        array = self.numbers(key)
        for i in places(array != np.trunc(array)):
            if not np.isnan(array[i]):
                expected = f"a whole number as {key} of {self.where(i)}"
                raise FormatError(self.path, expected, f"{array[i]:g}")
        return [None if x != x else int(x) for x in array.tolist()]

    def vectors(self, key: str, length: int) -> np.ndarray:
        """The numbers under a key of each node: [N, length], NaN where there are none."""
        array = np.full((len(self.nodes), length), np.nan)
        for i, value in enumerate(self.values(key) if key in self.keys else ()):
            if value is not None:
                array[i] = matrix(self.path, f"{key} of {self.where(i)}", value, (length,))
        return array

    def sizes(self) -> np.ndarray:
        """The size (h, w) of each node, [N, 2]; NaN for each of them that is not there."""
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


def level(path: PathLike, nodes: list[dict[str, Json]]) -> Level:
    """The level of some objects of a file."""
    return Level(path, nodes, frozenset().union(*nodes))


class File(NamedTuple):
    """A transforms.json: the frames, and what stands beside them for all.

    Attributes:
      frames: one node a frame.
      root: the object around them.
    """

    frames: Level
    root: Level

    @property
    def path(self) -> PathLike:
        """Of the file, for errors."""
        return self.frames.path

    @property
    def length(self) -> int:
        """The number of frames."""
        return len(self.frames.nodes)

    def either(self, key: str) -> list[Json]:
        """What each frame says under a key or, if it says nothing, the root."""
        [common] = self.root.values(key)
        return [common if x is None else x for x in self.frames.values(key)]

    def text(self, *keys: str) -> list[str | None]:
        """The text of each frame under the first of the keys that has one."""
        texts: list[str | None] = [None] * self.length
        for key in reversed(keys):
            texts = [
                new if isinstance(new, str) else old
                for new, old in zip(self.either(key), texts, strict=True)
            ]
        return texts

    def whole_numbers(self, key: str) -> list[int | None]:
        """The whole number of each frame under a key."""
        [common] = self.root.whole_numbers(key)
        return [common if x is None else x for x in self.frames.whole_numbers(key)]


def places(mask: npt.ArrayLike) -> list[int]:
    """Where a mask [N] is true."""
    return np.flatnonzero(mask).tolist()


def size_of(row: np.ndarray) -> Size:
    """(H, W) of a row of sizes."""
    height, width = row.tolist()
    return int(height), int(width)
