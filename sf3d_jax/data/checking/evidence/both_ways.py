"""Compares a sample with that of the other time direction."""

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case, Field
from sf3d_jax.data.checking.evidence.levels import (
    Level,
    finite_median,
    is_negligible,
    length,
    measure_relative,
    relative_difference,
    select_moving,
)
from sf3d_jax.data.checking.evidence.points import (
    PixelSet,
    interpolate,
    select_all_points,
    select_known_points,
)
from sf3d_jax.data.checking.evidence.within import is_one_surface

# In pixels; smaller motions cannot be compared.
_STILL = 0.01


def measure_flow_back(case: Case) -> Level | None:
    """Compares the flow with the backward flow at its end; their sum should be 0."""
    there, back = case.own.flow, None if case.other is None else case.other.flow
    if there is None or back is None:
        return None
    points = select_known_points(case, visible=True)
    values, returned = points.at(there), _read_back(case, points, back)
    size = length(values) + length(returned)
    if not finite_median(size) > _STILL:
        return None
    return measure_relative(case, points, values + returned, size)


def measure_change_back(case: Case) -> Level | None:
    """Compares the change with the backward change at the flow's end; their sum should be 0."""
    there, back = case.own.change, None if case.other is None else case.other.change
    if there is None or back is None or case.own.flow is None:
        return None
    points = select_known_points(case, visible=True)
    values, returned = points.at(there), _read_back(case, points, back)
    size, inv_depth = length(values) + length(returned), case.own.inv_depth
    if inv_depth is not None and is_negligible(size, points.at(inv_depth)):
        return None
    return measure_relative(case, points, values + returned, size)


def _read_back(case: Case, points: PixelSet, back: Field) -> np.ndarray:
    """Reads a backward map at the ends of the flow; NaN where it cannot be compared."""
    own, other = case.own, case.other
    assert own.flow is not None and other is not None
    if case.same_way:
        returned = -points.at(back)
    else:
        ends = points.pixels + points.at(own.flow)
        returned = interpolate(back, ends, own.size).values
        depth = own.next_inv_depth or other.inv_depth
        if depth is not None:
            found = interpolate(depth, ends, own.size)
            returned[~is_one_surface(found.corners, np.isfinite(found.values))] = np.nan
    if own.inv_depth is not None:
        change = None if own.change is None else points.at(own.change)
        moving = select_moving(points.at(own.flow), change, points.at(own.inv_depth))
        returned[~moving] = np.nan
    return returned


def measure_same_depth(case: Case) -> Level | None:
    """Compares the next inverse depth with the other direction's first one, pixel by pixel."""
    own, other = case.own, case.other
    mine = own.inv_depth if case.same_way else own.next_inv_depth
    if mine is None or other is None or other.inv_depth is None:
        return None
    points = select_all_points(case)
    a, b = points.at(mine), points.at(other.inv_depth)
    both = (a != 0) & (b != 0)
    gap = np.where(both, relative_difference(a, b), np.nan)
    return measure_relative(case, points, gap, np.ones(len(gap)))
