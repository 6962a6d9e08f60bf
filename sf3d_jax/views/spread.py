"""How a map's sizes are spread: what a caption says and where the colours of a panel end."""

import math
from typing import NamedTuple

import numpy as np

_MOST = 1 << 22  # pixels that are sorted; of larger maps, those of a regular grid


class Spread(NamedTuple):
    """The sizes of what moves.

    Attributes:
      share: of the known pixels that move, from 0 to 1.
      median: of the sizes of what moves; 0 where nothing moves.
      p95: their 95th percentile; 0 where nothing moves.
      scale: the size that gets the full colour: p95, weighted where weights are given; 1 where
        nothing moves.
    """

    share: float
    median: float
    p95: float
    scale: float


def find_spread(
    sizes: np.ndarray, moves: np.ndarray, known: np.ndarray, inv_depth: np.ndarray | None = None
) -> Spread:
    """Finds median and 95th percentile of what moves.

    Args:
      sizes: [H, W], not negative.
      moves: bool [H, W], among the known pixels.
      known: bool [H, W].
      inv_depth: [H, W]; where given, a pixel counts in the scale by its square, as the error of a
        motion in space grows with the squared depth.

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
    """The size that a share of the whole weight does not exceed."""
    order = np.argsort(sizes)
    below = np.cumsum(weights[order])
    return float(sizes[order][np.searchsorted(below, percent / 100 * below[-1])])


def find_lengths(vectors: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The lengths of vectors, in float32.

    Args:
      vectors: float32 [H, W, C].
      known: bool [H, W].

    Returns:
      [H, W], 0 where unknown; a length beyond float32 is its largest number.
    """
    lengths = np.zeros(known.shape, np.float32)
    for row, (of_row, here) in enumerate(zip(vectors, known, strict=True)):
        long = np.linalg.norm(np.where(here[:, None], of_row.astype(np.float64), 0), axis=-1)
        lengths[row] = np.minimum(long, np.finfo(np.float32).max)
    return lengths


def percent(share: float) -> str:
    """A share in percent that is 0 or 100 only where it is exactly that.

    Args:
      share: from 0 to 1.

    Returns:
      Text such as "38.2 %".
    """
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    return f"{min(max(100 * share, 0.1), 99.9):.1f} %"
