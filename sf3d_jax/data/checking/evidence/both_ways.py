"""A sample against that of the other direction, and its scene flow against its other maps."""

import numpy as np

from sf3d_jax.data.checking.evidence.levels import (
    FEWEST,
    Level,
    block,
    is_nothing,
    length,
    middle_of,
    ratio_of,
    relative,
    that_count,
)
from sf3d_jax.data.checking.evidence.measures import one_surface
from sf3d_jax.data.checking.evidence.optics import between
from sf3d_jax.data.checking.evidence.views import (
    Case,
    Field,
    Points,
    View,
    all_points,
    known_points,
    sampled,
)

# Pixels of motion; less says nothing.
_STILL = 0.01


def _back(case: Case, name: str) -> Level | None:
    """A map of a view and that of the other direction, which together should be nothing."""
    own, other = case.own, case.other
    if other is None or own.flow is None:
        return None
    there: Field | None = getattr(own, name)
    back: Field | None = getattr(other, name)
    if there is None or back is None:
        return None
    points = known_points(case, visible=True)
    values = points.at(there)
    if case.same_way:
        returned = -points.at(back)
    else:
        ends = points.pixels + points.at(own.flow)
        returned = sampled(back, ends, own.size).values
        depth = own.next_inv_depth or other.inv_depth
        if depth is not None:
            found = sampled(depth, ends, own.size)
            smooth = one_surface(found.corners, np.isfinite(found.values))
            returned[~smooth] = np.nan
    if own.inv_depth is not None:
        change = None if own.change is None else points.at(own.change)
        count = that_count(points.at(own.flow), change, points.at(own.inv_depth))
        returned[~count] = np.nan
    size = length(values) + length(returned)
    if name == "change" and own.inv_depth is not None:
        if is_nothing(size, points.at(own.inv_depth)):
            return None
    if name == "flow" and not middle_of(size) > _STILL:
        return None
    return ratio_of(case, points, values + returned, size)


def flow_back(case: Case) -> Level | None:
    """The flow there and back."""
    return _back(case, "flow")


def change_back(case: Case) -> Level | None:
    """The change of the inverse depth there and back."""
    return _back(case, "change")


def same_depth(case: Case) -> Level | None:
    """The next inverse depth against the first one of the other direction, pixel by pixel."""
    own, other = case.own, case.other
    mine = own.inv_depth if case.same_way else own.next_inv_depth
    if mine is None or other is None or other.inv_depth is None:
        return None
    points = all_points(case)
    a, b = points.at(mine), points.at(other.inv_depth)
    both = (a != 0) & (b != 0)
    gap = np.where(both, relative(a, b), np.nan)
    return ratio_of(case, points, gap, np.ones(len(gap)))


def lifted(case: Case, points: Points) -> np.ndarray:
    """The scene flow (n, 3) of the other maps, in metres and in the first camera's axes."""
    own = case.own
    assert own.flow is not None and own.inv_depth is not None and own.change is not None
    assert own.camera is not None
    d = points.at(own.inv_depth)
    after = d + points.at(own.change)
    d, after = np.where(d > 0, d, np.nan), np.where(after > 0, after, np.nan)
    second = own.next_camera or own.camera
    start = own.camera.ray(points.pixels) / d[:, None]
    end = second.ray(points.pixels + points.at(own.flow)) / after[:, None]
    if own.next_camera is not None:
        pose = between(own.camera, own.next_camera)
        end = (end - pose[:, 3]) @ pose[:, :3]
    return end - start


def change_of_vectors(view: View, points: Points) -> np.ndarray:
    """The change of the inverse depth (n,) that the scene flow makes."""
    assert view.scene_flow is not None and view.inv_depth is not None and view.camera is not None
    d = points.at(view.inv_depth)
    end = view.camera.ray(points.pixels) / d[:, None] + points.at(view.scene_flow)
    if view.next_camera is not None:
        pose = between(view.camera, view.next_camera)
        end = end @ pose[:, :3].T + pose[:, 3]
    return 1 / end[:, 2] - d


def vectors(case: Case) -> Level | None:
    """The scene flow against that of the other maps; what moves most counts most."""
    own = case.own
    if own.scene_flow is None or own.camera is None or own.inv_depth is None:
        return None
    if own.flow is None or own.change is None:
        return None
    points = known_points(case)
    given, made = points.at(own.scene_flow), lifted(case, points)
    gap, size = length(given - made), length(given) + length(made)
    good = np.isfinite(gap) & np.isfinite(size)
    distance = 1 / np.abs(points.at(own.inv_depth)[good])
    if good.sum() < FEWEST or not np.quantile(size[good] / distance, 0.95) > 1e-5:
        return None
    trimmed = lambda x: np.sort(x)[: max(1, int(0.98 * len(x)))].mean()
    level = trimmed(gap[good]) / trimmed(size[good])
    relative = (given - made) / np.quantile(size[good], 0.9)
    return Level(float(level), float(level), None, relative, block(case, points))
