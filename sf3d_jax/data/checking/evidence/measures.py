"""What a sample says twice, within itself: images, depths, and what a still world shows."""

import numpy as np

from sf3d_jax.data.checking.evidence.levels import (
    BLOCKS,
    FEWEST,
    Level,
    block,
    is_nothing,
    length,
    ratio_of,
    relative,
    that_count,
)
from sf3d_jax.data.checking.evidence.views import (
    Case,
    Points,
    all_points,
    known_points,
    rigid,
    sampled,
)

_STEP = 0.03


def surface(case: Case) -> Level | None:
    """Negative inverse depths among those that are there; a repeated one marks no surface."""
    own, points = case.own, known_points(case)
    if own.inv_depth is None:
        return None
    d = points.at(own.inv_depth)
    shares = [_negative(d)]
    if own.change is not None:
        shares.append(_negative(np.where(d > 0, d + points.at(own.change), 0)))
    if own.next_inv_depth is not None:
        shares.append(_negative(all_points(case).at(own.next_inv_depth)))
    known = [x for x in shares if x is not None]
    return Level(float(np.mean(known))) if known else None


def _negative(values: np.ndarray) -> float | None:
    values = values[np.isfinite(values) & (values != 0)]
    below = values[values < 0]
    if len(below) and (below == np.median(below)).mean() > 0.5:
        values = values[values != np.median(below)]
    return float((values < 0).mean()) if len(values) >= FEWEST else None


def has_content(case: Case, points: Points) -> np.ndarray:
    """Where there is a surface, or the sky: infinitely far, moving, and no nearer afterwards.

    It is no sky where the mask leaves most of it out.
    """
    own = case.own
    if own.inv_depth is None:
        maps = [points.at(f) for f in (own.flow, own.change) if f is not None]
        known = [np.isfinite(x.reshape(len(x), -1)).all(axis=1) & (length(x) != 0) for x in maps]
        return np.any(known, axis=0) if known else np.ones(len(points.rows), bool)
    d = points.at(own.inv_depth)
    there = np.isfinite(d) & (d != 0)
    valid = np.ones(len(d)) if own.valid is None else points.at(own.valid)
    if own.flow is None or not (_share(valid, d == 0) > 0.9 and _share(valid, there) > 0.5):
        return there
    flow = points.at(own.flow)
    sky = (d == 0) & (length(flow) > 0)
    if own.change is not None:
        sky &= points.at(own.change) == 0
    if own.next_inv_depth is not None:
        after = sampled(own.next_inv_depth, points.pixels + flow, own.size).values
        sky &= ~(after > 0)
    return there | sky


def _share(values: np.ndarray, of: np.ndarray) -> float:
    return float(values[of].mean()) if of.any() else 0.0


def mask(case: Case) -> Level | None:
    """Valid pixels without anything."""
    if case.own.valid is None:
        return None
    points = all_points(case)
    valid = points.at(case.own.valid) > 0
    if valid.sum() < FEWEST:
        return None
    return Level(float((valid & ~has_content(case, points)).sum() / valid.sum()))


def _compared_images(case: Case, points: Points, flow: np.ndarray) -> Level | None:
    own = case.own
    assert own.image is not None and own.next_image is not None
    first = points.at(own.image)
    there = sampled(own.next_image, points.pixels + flow, own.size).values
    good = np.isfinite(there) & np.isfinite(first)
    if good.sum() < FEWEST:
        return None
    first, there, blocks = first[good], there[good], block(case, points)[good]
    gap = np.minimum(np.abs(first - there), 2)
    unrelated = np.minimum(np.abs(first - np.roll(there, len(there) // 2)), 2).mean()
    if not unrelated > 1e-3:
        return None
    count = np.bincount(blocks, minlength=BLOCKS**2)
    total = np.bincount(blocks, gap, minlength=BLOCKS**2)
    means = np.divide(total, count, out=np.full(len(count), np.nan), where=count >= 5)
    motion = float(np.quantile(length(flow)[good], 0.75))
    return Level(float(gap.mean() / unrelated), motion, means)


def images(case: Case) -> Level | None:
    """The images along the flow."""
    own = case.own
    if own.image is None or own.next_image is None or own.flow is None:
        return None
    points = known_points(case, visible=True)
    return _compared_images(case, points, points.at(own.flow))


def still_images(case: Case) -> Level | None:
    """The images along the flow of a still world, where no flow is given."""
    own = case.own
    if own.flow is not None or own.image is None or own.next_image is None:
        return None
    if own.inv_depth is None or not own.informed:
        return None
    points = known_points(case)
    return _compared_images(case, points, rigid(own, points)[0])


def target_depth(case: Case, points: Points, flow: np.ndarray) -> np.ndarray:
    """The next inverse depth at the ends of the flow; NaN where it is not one surface."""
    field = case.own.next_inv_depth
    assert field is not None
    values, corners = sampled(field, points.pixels + flow, case.own.size)
    values = np.where(one_surface(corners, np.isfinite(values)), values, np.nan)
    return values


def one_surface(corners: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Where four neighbours differ by 3 %, or, where the depth is noisy, no more than usual."""
    size = np.abs(corners)
    low, high = size.min(axis=0), size.max(axis=0)
    good = np.isfinite(low) & (low > 0) & (np.sign(corners).sum(axis=0) ** 2 == 16)
    step = np.divide(high, low, out=np.full_like(high, np.inf), where=good) - 1
    usual = np.median(step[good & used]) if (good & used).any() else 0.0
    return good & (step <= max(_STEP, usual))


def depths(case: Case) -> Level | None:
    """Inverse depth and its change against the next inverse depth."""
    own = case.own
    if own.flow is None or own.change is None or own.next_inv_depth is None:
        return None
    if own.inv_depth is None:
        return None
    points = known_points(case, visible=True)
    d, change, flow = (points.at(x) for x in (own.inv_depth, own.change, own.flow))
    after = np.where(that_count(flow, change, d), d + change, np.nan)
    return _closed(case, points, after, target_depth(case, points, flow), 0.5)


def _closed(
    case: Case, points: Points, after: np.ndarray, there: np.ndarray, quantile: float
) -> Level | None:
    gap = relative(after, there)
    return ratio_of(case, points, gap, np.ones(len(gap)), quantile)


def still_depths(case: Case) -> Level | None:
    """The same, with the motion of a still world for what is not given."""
    own = case.own
    if own.next_inv_depth is None or own.inv_depth is None or not own.informed:
        return None
    if own.flow is not None and own.change is not None:
        return None
    points = known_points(case, visible=True)
    flow, change = rigid(own, points)
    flow = flow if own.flow is None else points.at(own.flow)
    change = change if own.change is None else points.at(own.change)
    after = points.at(own.inv_depth) + change
    return _closed(case, points, after, target_depth(case, points, flow), 0.25)


def still_flow(case: Case) -> Level | None:
    """The flow against that of a still world."""
    own = case.own
    if own.flow is None or own.inv_depth is None or not own.informed:
        return None
    points = known_points(case)
    flow, still = points.at(own.flow), rigid(own, points)[0]
    return _still(case, points, flow, still)


def still_change(case: Case) -> Level | None:
    """The change of the inverse depth against that of a still world."""
    own = case.own
    if own.change is None or own.inv_depth is None or not own.informed:
        return None
    points = known_points(case)
    change, still = points.at(own.change), rigid(own, points)[1]
    if is_nothing(np.abs(change) + np.abs(still), points.at(own.inv_depth)):
        return None
    return _still(case, points, change, still)


def _still(case: Case, points: Points, given: np.ndarray, still: np.ndarray) -> Level | None:
    """The quarter that fits best; what would be behind the second camera does not fit."""
    assert case.own.inv_depth is not None
    gap, size = length(given - still), length(given) + length(still)
    places, difference = block(case, points), given - still
    behind = (points.at(case.own.inv_depth) > 0) & ~np.isfinite(length(still))
    gap = np.sort(np.where(behind, np.inf, gap)[behind | np.isfinite(gap)])
    size = size[np.isfinite(size)]
    if len(gap) < FEWEST:
        return None
    if len(size) < FEWEST:
        return Level(1.0)
    if not np.median(size) > 0:
        return None
    quarter = float(gap[len(gap) // 4])
    level = min(1.0, quarter / float(np.median(size)))
    return Level(level, quarter, None, difference, places)
