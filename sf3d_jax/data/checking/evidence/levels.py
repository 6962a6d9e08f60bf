"""Measures how much two maps disagree, as one number that is robust to a few bad pixels."""

from typing import NamedTuple

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case
from sf3d_jax.data.checking.evidence.points import PixelSet

FEWEST = 30
BLOCKS = 10
_BLOCK_FEWEST = 12
# Smaller values count as no motion: in pixels, and relative to the inverse depth.
_STILL_FLOW = 0.05
_STILL_CHANGE = 1e-5
# As shares of the points.
_FEW = 0.02
_HALF = 0.5


class Level(NamedTuple):
    """The measured level of one kind of evidence.

    Attributes:
      level: the disagreement, 0 to about 1.
      typical: median difference in its own unit, pixels for flow, relative for depth; for images
        the upper quartile of the motion in pixels.
      blocks: for images, the mean of each block of the image; NaN where there are few pixels.
      difference: (n, ...), signed difference per pixel.
      places: (n,), block of each of these pixels.
    """

    level: float
    typical: float = 0.0
    blocks: np.ndarray | None = None
    difference: np.ndarray | None = None
    places: np.ndarray | None = None

    @property
    def by_block(self) -> np.ndarray | None:
        """Size of the disagreement in each block of the image; NaN where there are few pixels."""
        if self.blocks is not None or self.difference is None:
            return self.blocks
        sizes = np.full(BLOCKS**2, np.nan)
        for place, group in self._groups(length(self.difference)):
            sizes[place] = np.median(group)
        return sizes

    @property
    def systematic(self) -> float:
        """Part of `typical` that neighbours share; small for noise."""
        if self.difference is None:
            return 0.0
        groups = [group for _, group in self._groups(self.difference)]
        shared = [length(np.median(g, axis=0, keepdims=True))[0] for g in groups]
        return float(np.median(shared)) if shared else 0.0

    def _groups(self, values: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """Groups the values by block, leaving out blocks with few of them."""
        assert self.places is not None
        good = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        values, places = values[good], self.places[good]
        order = np.argsort(places, kind="stable")
        names, starts = np.unique(places[order], return_index=True)
        groups = zip(names, np.split(values[order], starts[1:]), strict=False)
        return [(int(name), group) for name, group in groups if len(group) >= _BLOCK_FEWEST]


def length(x: np.ndarray) -> np.ndarray:
    """Returns the absolute value of numbers (n,) or the norm of vectors (n, k)."""
    return np.abs(x) if x.ndim == 1 else np.linalg.norm(x, axis=1)


def find_blocks(case: Case, points: PixelSet) -> np.ndarray:
    """Returns the block of the image that contains each point."""
    height, width = case.own.size
    return points.rows * BLOCKS // height * BLOCKS + points.columns * BLOCKS // width


def measure_relative(
    case: Case, points: PixelSet, difference: np.ndarray, size: np.ndarray, quantile: float = 0.5
) -> Level | None:
    """Computes a quantile of the difference over the median size."""
    gap, size = select_finite(length(difference)), select_finite(size)
    if len(gap) < FEWEST or len(size) < FEWEST or not np.median(size) > 0:
        return None
    level = np.quantile(gap, quantile) / np.median(size)
    return Level(float(level), float(np.median(gap)), None, difference, find_blocks(case, points))


def inverse(x: np.ndarray) -> np.ndarray:
    """Returns 1 / x, or 0 where x is 0."""
    return np.divide(1.0, x, out=np.zeros_like(x), where=x != 0)


def relative_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the difference over the larger magnitude; NaN where both are 0."""
    larger = np.maximum(np.abs(a), np.abs(b))
    return np.divide(a - b, larger, out=np.full_like(larger, np.nan), where=larger > 0)


def select_finite(values: np.ndarray) -> np.ndarray:
    """Selects the finite values."""
    return values[np.isfinite(values)]


def finite_median(values: np.ndarray) -> float:
    """Returns the median of the finite values, 0 if there are none."""
    values = select_finite(values)
    return float(np.median(values)) if len(values) else 0.0


def is_negligible(change: np.ndarray, inv_depth: np.ndarray) -> bool:
    """Whether changes of the inverse depth are too small to be compared."""
    return not finite_median(change) > _STILL_CHANGE * finite_median(np.abs(inv_depth))


def select_moving(flow: np.ndarray, change: np.ndarray | None, inv_depth: np.ndarray) -> np.ndarray:
    """Selects the points (n,) to compare: all, or only the moving ones if those are a minority."""
    moving = length(flow) > _STILL_FLOW
    if change is not None:
        moving |= np.abs(change) > _STILL_CHANGE * np.abs(inv_depth)
    enough = moving.sum() >= max(2 * FEWEST, _FEW * len(moving))
    return moving if enough and moving.mean() < _HALF else np.ones_like(moving)


def certainty(before: Level, after: Level) -> float:
    """Returns by how many standard errors over blocks `after` is lower; 0 for few blocks."""
    first, second = before.by_block, after.by_block
    if first is None or second is None:
        return float(np.sign(before.level - after.level)) * np.inf
    good = (first > 0) & (second > 0)
    gain = np.log(first[good]) - np.log(second[good])
    if len(gain) < 4:
        return 0.0
    error = gain.std() / np.sqrt(len(gain))
    return float(gain.mean() / error) if error > 0 else float(np.sign(gain.mean())) * np.inf
