"""Statistics of a map of magnitudes: numbers for the caption, and the colour scale of a panel."""

import math
from typing import NamedTuple

import numpy as np

_MOST = 1 << 22  # pixels sorted; larger maps are subsampled on a regular grid


class Spread(NamedTuple):
    """Statistics of the magnitudes of moving pixels.

    Attributes:
      share: share of the known pixels that move, from 0 to 1.
      median: median magnitude of moving pixels; 0 if nothing moves.
      p95: their 95th percentile; 0 if nothing moves.
      scale: magnitude that gets the full colour: p95, weighted if weights are given; 1 if nothing
        moves.
    """

    share: float
    median: float
    p95: float
    scale: float


def find_spread(
    sizes: np.ndarray, moves: np.ndarray, known: np.ndarray, inv_depth: np.ndarray | None = None
) -> Spread:
    """Finds the median and 95th percentile of moving pixels.

    Args:
      sizes: [H, W], magnitudes, not negative.
      moves: bool [H, W], the known pixels that move.
      known: bool [H, W].
      inv_depth: [H, W]; if given, its square weights the pixels in the scale, because the error of
        a 3D motion grows with squared depth.

    Returns:
      The spread.
    """
    count = np.count_nonzero(moves)
    if count == 0:
        return Spread(0.0, 0.0, 0.0, 1.0)
    step = math.ceil(math.sqrt(sizes.size / _MOST))
    thin = (slice(None, None, step),) * 2
    if not moves[thin].any():
        thin = (slice(None),) * 2
    chosen = moves[thin]
    some = sizes[thin][chosen]
    median, p95 = np.percentile(some, [50, 95]).tolist()
    scale = p95
    if inv_depth is not None:
        weights = np.square(inv_depth[thin][chosen], dtype=np.float64)
        scale = _find_weighted_percentile(some, weights, 95)
    return Spread(count / np.count_nonzero(known), median, p95, scale or 1.0)


def _find_weighted_percentile(sizes: np.ndarray, weights: np.ndarray, percent: float) -> float:
    """The size up to which the given percentage of the weight lies."""
    order = np.argsort(sizes)
    below = np.cumsum(weights[order])
    return float(sizes[order][np.searchsorted(below, percent / 100 * below[-1])])


def find_lengths(vectors: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The lengths of vectors, in float32.

    Args:
      vectors: float32 [H, W, C].
      known: bool [H, W].

    Returns:
      [H, W], 0 where unknown, clipped to the largest float32.
    """
    lengths = np.zeros(known.shape, np.float32)
    for row, (of_row, here) in enumerate(zip(vectors, known, strict=True)):
        long = np.linalg.norm(np.where(here[:, None], of_row.astype(np.float64), 0), axis=-1)
        lengths[row] = np.minimum(long, np.finfo(np.float32).max)
    return lengths


def percent(share: float) -> str:
    """Formats a share in percent; only exactly 0 and 1 are shown as 0 % and 100 %.

    Args:
      share: from 0 to 1.

    Returns:
      Text such as "38.2 %".
    """
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    return f"{min(max(100 * share, 0.1), 99.9):.1f} %"
