"""Compares a sample with a still world seen by its two cameras; a still quarter is enough."""

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case
from sf3d_jax.data.checking.evidence.levels import (
    FEWEST,
    Level,
    find_blocks,
    is_negligible,
    length,
    select_finite,
)
from sf3d_jax.data.checking.evidence.points import (
    PixelSet,
    compute_still_motion,
    select_known_points,
)
from sf3d_jax.data.checking.evidence.within import compare_depths, compare_images

# Share of the pixels that must stand still.
QUARTER = 0.25


def measure_still_images(case: Case) -> Level | None:
    """Compares the images along the flow of a still world, if no flow is given."""
    own = case.own
    if own.flow is not None or own.image is None or own.next_image is None:
        return None
    if own.inv_depth is None or not own.has_two_views:
        return None
    points = select_known_points(case)
    return compare_images(case, points, compute_still_motion(own, points).flow)


def measure_still_depths(case: Case) -> Level | None:
    """Compares the depths, taking a missing flow or change from a still world."""
    own = case.own
    if own.next_inv_depth is None or own.inv_depth is None or not own.has_two_views:
        return None
    if own.flow is not None and own.change is not None:
        return None
    points = select_known_points(case, visible=True)
    flow, change = compute_still_motion(own, points)
    flow = flow if own.flow is None else points.at(own.flow)
    change = change if own.change is None else points.at(own.change)
    after = points.at(own.inv_depth) + change
    return compare_depths(case, points, after, flow, QUARTER)


def measure_still_flow(case: Case) -> Level | None:
    """Compares the flow with that of a still world."""
    own = case.own
    if own.flow is None or own.inv_depth is None or not own.has_two_views:
        return None
    points = select_known_points(case)
    return _compare_quarter(
        case, points, points.at(own.flow), compute_still_motion(own, points).flow
    )


def measure_still_change(case: Case) -> Level | None:
    """Compares the change of the inverse depth with that of a still world."""
    own = case.own
    if own.change is None or own.inv_depth is None or not own.has_two_views:
        return None
    points = select_known_points(case)
    change, still = points.at(own.change), compute_still_motion(own, points).change
    if is_negligible(np.abs(change) + np.abs(still), points.at(own.inv_depth)):
        return None
    return _compare_quarter(case, points, change, still)


def _compare_quarter(
    case: Case, points: PixelSet, given: np.ndarray, still: np.ndarray
) -> Level | None:
    """Measures the best-fitting quarter; points behind the second camera count as misfits."""
    assert case.own.inv_depth is not None
    gap, size = length(given - still), length(given) + length(still)
    places, difference = find_blocks(case, points), given - still
    behind = (points.at(case.own.inv_depth) > 0) & ~np.isfinite(length(still))
    gap = np.sort(np.where(behind, np.inf, gap)[behind | np.isfinite(gap)])
    size = select_finite(size)
    if len(gap) < FEWEST:
        return None
    if len(size) < FEWEST:
        return Level(1.0)
    if not np.median(size) > 0:
        return None
    quarter = float(gap[len(gap) // 4])
    level = min(1.0, quarter / float(np.median(size)))
    return Level(level, quarter, None, difference, places)
