"""Compares the redundant parts of a sample: surfaces, masks, images, depths and scene flow."""

import dataclasses

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case, SampleFields
from sf3d_jax.data.checking.evidence.levels import (
    BLOCKS,
    FEWEST,
    Level,
    find_blocks,
    length,
    measure_relative,
    relative_difference,
    select_finite,
    select_moving,
)
from sf3d_jax.data.checking.evidence.numpy_camera import between
from sf3d_jax.data.checking.evidence.points import (
    PixelSet,
    interpolate,
    select_all_points,
    select_known_points,
)

_STEP = 0.03


def measure_surface(case: Case) -> Level | None:
    """Measures the share of negative inverse depths; a repeated value marks missing surface."""
    own, points = case.own, select_known_points(case)
    if own.inv_depth is None:
        return None
    d = points.at(own.inv_depth)
    shares = [_measure_negative_share(d)]
    if own.change is not None:
        shares.append(_measure_negative_share(np.where(d > 0, d + points.at(own.change), 0)))
    if own.next_inv_depth is not None:
        shares.append(_measure_negative_share(select_all_points(case).at(own.next_inv_depth)))
    known = [x for x in shares if x is not None]
    return Level(float(np.mean(known))) if known else None


def _measure_negative_share(values: np.ndarray) -> float | None:
    values = select_finite(values)
    values = values[values != 0]
    below = values[values < 0]
    if len(below) and (below == np.median(below)).mean() > 0.5:
        values = values[values != np.median(below)]
    return float((values < 0).mean()) if len(values) >= FEWEST else None


def has_content(case: Case, points: PixelSet) -> np.ndarray:
    """Whether each pixel has a surface or sky: infinitely far, moving, and no nearer afterwards.

    Pixels without depth are not taken for sky if the mask excludes most of them.
    """
    own = case.own
    if own.inv_depth is None:
        maps = [points.at(f) for f in (own.flow, own.change) if f is not None]
        known = [np.isfinite(x.reshape(len(x), -1)).all(axis=1) & (length(x) != 0) for x in maps]
        return np.any(known, axis=0) if known else np.ones(len(points.rows), bool)
    d = points.at(own.inv_depth)
    there = np.isfinite(d) & (d != 0)
    valid = np.ones(len(d)) if own.valid is None else points.at(own.valid)
    if own.flow is None or not (_average(valid, d == 0) > 0.9 and _average(valid, there) > 0.5):
        return there
    flow = points.at(own.flow)
    sky = (d == 0) & (length(flow) > 0)
    if own.change is not None:
        sky &= points.at(own.change) == 0
    if own.next_inv_depth is not None:
        after = interpolate(own.next_inv_depth, points.pixels + flow, own.size).values
        sky &= ~(after > 0)
    return there | sky


def _average(values: np.ndarray, where: np.ndarray) -> float:
    return float(values[where].mean()) if where.any() else 0.0


def measure_mask(case: Case) -> Level | None:
    """Measures the share of valid pixels without content."""
    if case.own.valid is None:
        return None
    points = select_all_points(case)
    valid = points.at(case.own.valid) > 0
    if valid.sum() < FEWEST:
        return None
    return Level(float((valid & ~has_content(case, points)).sum() / valid.sum()))


def compare_images(case: Case, points: PixelSet, flow: np.ndarray) -> Level | None:
    """Compares the images at the pixels and at the ends of a flow (n, 2)."""
    own = case.own
    assert own.image is not None and own.next_image is not None
    first = points.at(own.image)
    there = interpolate(own.next_image, points.pixels + flow, own.size).values
    good = np.isfinite(there) & np.isfinite(first)
    if good.sum() < FEWEST:
        return None
    first, there, blocks = first[good], there[good], find_blocks(case, points)[good]
    gap = np.minimum(np.abs(first - there), 2)
    unrelated = np.minimum(np.abs(first - np.roll(there, len(there) // 2)), 2).mean()
    if not unrelated > 1e-3:
        return None
    count = np.bincount(blocks, minlength=BLOCKS**2)
    total = np.bincount(blocks, gap, minlength=BLOCKS**2)
    means = np.divide(total, count, out=np.full(len(count), np.nan), where=count >= 5)
    motion = float(np.quantile(length(flow)[good], 0.75))
    return Level(float(gap.mean() / unrelated), motion, means)


def measure_images(case: Case) -> Level | None:
    """Compares the images along the flow."""
    own = case.own
    if own.image is None or own.next_image is None or own.flow is None:
        return None
    points = select_known_points(case, visible=True)
    return compare_images(case, points, points.at(own.flow))


def measure_images_without_flow(case: Case) -> Level | None:
    """Compares the images for zero flow, if there are images and a flow."""
    if case.own.flow is None:
        return None
    own = dataclasses.replace(case.own, flow=lambda r, c: np.zeros((*r.shape, 2)))
    return measure_images(dataclasses.replace(case, own=own))


def read_target_depth(case: Case, points: PixelSet, flow: np.ndarray) -> np.ndarray:
    """Reads the next inverse depth at the ends of the flow; NaN across depth edges."""
    field = case.own.next_inv_depth
    assert field is not None
    values, corners = interpolate(field, points.pixels + flow, case.own.size)
    return np.where(is_one_surface(corners, np.isfinite(values)), values, np.nan)


def compare_depths(
    case: Case, points: PixelSet, after: np.ndarray, flow: np.ndarray, quantile: float
) -> Level | None:
    """Compares inverse depths (n,) after the motion with the next ones at the ends of the flow."""
    gap = relative_difference(after, read_target_depth(case, points, flow))
    return measure_relative(case, points, gap, np.ones(len(gap)), quantile)


def is_one_surface(corners: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Whether four neighbours differ by at most 3 %, or by the usual step if depth is noisy."""
    size = np.abs(corners)
    low, high = size.min(axis=0), size.max(axis=0)
    good = np.isfinite(low) & (low > 0) & (np.sign(corners).sum(axis=0) ** 2 == 16)
    step = np.divide(high, low, out=np.full_like(high, np.inf), where=good) - 1
    usual = np.median(step[good & used]) if (good & used).any() else 0.0
    return good & (step <= max(_STEP, usual))


def measure_depths(case: Case) -> Level | None:
    """Compares inverse depth plus change with the next inverse depth."""
    own = case.own
    if own.flow is None or own.change is None or own.next_inv_depth is None:
        return None
    if own.inv_depth is None:
        return None
    points = select_known_points(case, visible=True)
    d, change, flow = (points.at(x) for x in (own.inv_depth, own.change, own.flow))
    after = np.where(select_moving(flow, change, d), d + change, np.nan)
    return compare_depths(case, points, after, flow, 0.5)


def _compute_vectors(own: SampleFields, points: PixelSet) -> np.ndarray:
    """Computes the scene flow (n, 3) of the other maps, in metres, in the first camera's axes."""
    assert own.flow is not None and own.inv_depth is not None and own.change is not None
    assert own.camera is not None
    d = points.at(own.inv_depth)
    after = d + points.at(own.change)
    d, after = np.where(d > 0, d, np.nan), np.where(after > 0, after, np.nan)
    second = own.next_camera or own.camera
    start = own.camera.rays(points.pixels) / d[:, None]
    end = second.rays(points.pixels + points.at(own.flow)) / after[:, None]
    if own.next_camera is not None:
        pose = between(own.camera, own.next_camera)
        end = (end - pose[:, 3]) @ pose[:, :3]
    return end - start


def compute_vector_change(own: SampleFields, points: PixelSet) -> np.ndarray:
    """Computes the change of the inverse depth (n,) that the scene flow implies."""
    assert own.scene_flow is not None and own.inv_depth is not None and own.camera is not None
    d = points.at(own.inv_depth)
    end = own.camera.rays(points.pixels) / d[:, None] + points.at(own.scene_flow)
    if own.next_camera is not None:
        pose = between(own.camera, own.next_camera)
        end = end @ pose[:, :3].T + pose[:, 3]
    return 1 / end[:, 2] - d


def measure_vectors(case: Case) -> Level | None:
    """Compares the scene flow with that of the other maps, weighted towards large motions."""
    own = case.own
    if own.scene_flow is None or own.camera is None or own.inv_depth is None:
        return None
    if own.flow is None or own.change is None:
        return None
    points = select_known_points(case)
    given, made = points.at(own.scene_flow), _compute_vectors(own, points)
    gap, size = length(given - made), length(given) + length(made)
    good = np.isfinite(gap) & np.isfinite(size)
    distance = 1 / np.abs(points.at(own.inv_depth)[good])
    if good.sum() < FEWEST or not np.quantile(size[good] / distance, 0.95) > 1e-5:
        return None
    trimmed = lambda x: np.sort(x)[: max(1, int(0.98 * len(x)))].mean()
    level = trimmed(gap[good]) / trimmed(size[good])
    difference = (given - made) / np.quantile(size[good], 0.9)
    return Level(float(level), float(level), None, difference, find_blocks(case, points))
