"""How much two maps disagree, as a number which a few bad pixels do not change."""

from typing import NamedTuple

import numpy as np

from sf3d_jax.data.checking.evidence.views import Case, Points

FEWEST = 30
BLOCKS = 10
_BLOCK_FEWEST = 12
# What is less is no motion: pixels, and a share of the inverse depth.
_STILL_FLOW = 0.05
_STILL_CHANGE = 1e-5
# Shares of the points.
_FEW = 0.02
_HALF = 0.5


class Level(NamedTuple):
    """One kind of evidence, measured.

    Attributes:
      level: the disagreement, 0 to about 1.
      typical: the middle of it in its own unit, pixels for flow, relative for depth; of images
        three quarters of the pixels move less, in pixels.
      blocks: of images, the mean of each block of the image; NaN where there are few pixels.
      difference: (n, ...), the disagreement pixel by pixel, with its sign.
      places: (n,), the block of each of these.
    """

    level: float
    typical: float = 0.0
    blocks: np.ndarray | None = None
    difference: np.ndarray | None = None
    places: np.ndarray | None = None

    @property
    def by_block(self) -> np.ndarray | None:
        """The size of the disagreement in each block of the image; NaN where there is little."""
        if self.blocks is not None or self.difference is None:
            return self.blocks
        sizes = np.full(BLOCKS**2, np.nan)
        for place, group in self._groups(length(self.difference)):
            sizes[place] = np.median(group)
        return sizes

    @property
    def systematic(self) -> float:
        """The part of `typical` that neighbours share: of noise it is little."""
        if self.difference is None:
            return 0.0
        groups = [group for _, group in self._groups(self.difference)]
        shared = [length(np.median(g, axis=0, keepdims=True))[0] for g in groups]
        return float(np.median(shared)) if shared else 0.0

    def _groups(self, values: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """The values of each block that has enough of them."""
        assert self.places is not None
        good = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        values, places = values[good], self.places[good]
        order = np.argsort(places, kind="stable")
        names, starts = np.unique(places[order], return_index=True)
        groups = zip(names, np.split(values[order], starts[1:]), strict=False)
        return [(int(name), group) for name, group in groups if len(group) >= _BLOCK_FEWEST]


def length(x: np.ndarray) -> np.ndarray:
    """The size of numbers (n,) or of vectors (n, k)."""
    return np.abs(x) if x.ndim == 1 else np.linalg.norm(x, axis=1)


def block(case: Case, points: Points) -> np.ndarray:
    """The block of the image that each point lies in."""
    height, width = case.own.size
    return points.rows * BLOCKS // height * BLOCKS + points.columns * BLOCKS // width


def ratio_of(
    case: Case, points: Points, difference: np.ndarray, size: np.ndarray, quantile: float = 0.5
) -> Level | None:
    """A quantile of the difference over the middle of the sizes."""
    gap, size = length(difference), size[np.isfinite(size)]
    good = np.isfinite(gap)
    if good.sum() < FEWEST or len(size) < FEWEST or not np.median(size) > 0:
        return None
    level = np.quantile(gap[good], quantile) / np.median(size)
    middle = float(np.median(gap[good]))
    return Level(float(level), middle, None, difference, block(case, points))


def relative(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The difference over the larger of two numbers; NaN where both are 0."""
    larger = np.maximum(np.abs(a), np.abs(b))
    return np.divide(a - b, larger, out=np.full_like(larger, np.nan), where=larger > 0)


def middle_of(values: np.ndarray) -> float:
    """The median of what is finite."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else 0.0


def is_nothing(change: np.ndarray, inv_depth: np.ndarray) -> bool:
    """Whether changes of the inverse depth are too small to be compared."""
    return not middle_of(change) > _STILL_CHANGE * middle_of(np.abs(inv_depth))


def that_count(flow: np.ndarray, change: np.ndarray | None, inv_depth: np.ndarray) -> np.ndarray:
    """Which points to compare: all, or, where few move, those that do; the rest says nothing.

    Args:
      flow: (n, 2), in pixels.
      change: (n,), of the inverse depth; None if it is not known.
      inv_depth: (n,).

    Returns:
      bool (n,).
    """
    moving = length(flow) > _STILL_FLOW
    if change is not None:
        moving |= np.abs(change) > _STILL_CHANGE * np.abs(inv_depth)
    enough = moving.sum() >= max(2 * FEWEST, _FEW * len(moving))
    return moving if enough and moving.mean() < _HALF else np.ones_like(moving)
