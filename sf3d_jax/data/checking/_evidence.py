"""How far the parts of a sample disagree: one number for each kind of evidence.

    surface     valid pixels of which the inverse depth, now or then, is negative
    mask        valid pixels where there is nothing
    images      |I(p) - I1(p + F)| of images without their slow changes, over that of unrelated
                pixels
    depths      |d(p) + c(p) - d1(p + F)|, relative, where p + F is seen and on one surface
    still_flow, still_change    flow and change against those of a still world between the two
                cameras, of the quarter of the pixels that fits best: the rest may move
    still_images, still_depths  the same as `images` and `depths`, with the motion of a still
                world for what of the flow and the change is not given
    flow_back, change_back      F(p) + B(p + F) with the flow of the other direction, and c
    same_depth  the next inverse depth against the first one of the other direction
    vectors     the scene flow against that of flow, inverse depth, change and cameras

A level is 0 where everything agrees and about 1 where nothing does. Medians and quantiles are
used, so that what is hidden or noisy in some pixels does not count.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np

from sf3d_jax.data.checking._optics import between
from sf3d_jax.data.checking._views import (
    Case,
    Field,
    Points,
    View,
    all_points,
    known_points,
    rigid,
    sampled,
)

FEWEST = 30
_BLOCKS = 10
_BLOCK_FEWEST = 12
_STEP = 0.03
# Pixels of motion; less says nothing.
_STILL = 0.01


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
    def systematic(self) -> float:
        """The part of `typical` that neighbours share: of noise it is little."""
        if self.difference is None or self.places is None:
            return 0.0
        difference, places = self.difference, self.places
        good = np.isfinite(difference.reshape(len(difference), -1)).all(axis=1)
        difference, places = difference[good], places[good]
        order = np.argsort(places, kind="stable")
        _, starts = np.unique(places[order], return_index=True)
        groups = [g for g in np.split(difference[order], starts[1:]) if len(g) >= _BLOCK_FEWEST]
        shared = [_length(np.median(g, axis=0, keepdims=True))[0] for g in groups]
        return float(np.median(shared)) if shared else 0.0


Measure = Callable[[Case], Level | None]


def _length(x: np.ndarray) -> np.ndarray:
    return np.abs(x) if x.ndim == 1 else np.linalg.norm(x, axis=1)


def _block(case: Case, points: Points) -> np.ndarray:
    height, width = case.own.size
    return points.rows * _BLOCKS // height * _BLOCKS + points.columns * _BLOCKS // width


def _ratio(
    case: Case, points: Points, difference: np.ndarray, size: np.ndarray, quantile: float = 0.5
) -> Level | None:
    """A quantile of the difference over the middle of the sizes."""
    gap, size = _length(difference), size[np.isfinite(size)]
    good = np.isfinite(gap)
    if good.sum() < FEWEST or len(size) < FEWEST or not np.median(size) > 0:
        return None
    level = np.quantile(gap[good], quantile) / np.median(size)
    middle = float(np.median(gap[good]))
    return Level(float(level), middle, None, difference, _block(case, points))


def _relative(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    larger = np.maximum(np.abs(a), np.abs(b))
    return np.divide(a - b, larger, out=np.full_like(larger, np.nan), where=larger > 0)


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
        known = [np.isfinite(x.reshape(len(x), -1)).all(axis=1) & (_length(x) != 0) for x in maps]
        return np.any(known, axis=0) if known else np.ones(len(points.rows), bool)
    d = points.at(own.inv_depth)
    there = np.isfinite(d) & (d != 0)
    valid = np.ones(len(d)) if own.valid is None else points.at(own.valid)
    if own.flow is None or not (_share(valid, d == 0) > 0.9 and _share(valid, there) > 0.5):
        return there
    flow = points.at(own.flow)
    sky = (d == 0) & (_length(flow) > 0)
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
    first, there, blocks = first[good], there[good], _block(case, points)[good]
    gap = np.minimum(np.abs(first - there), 2)
    unrelated = np.minimum(np.abs(first - np.roll(there, len(there) // 2)), 2).mean()
    if not unrelated > 1e-3:
        return None
    count = np.bincount(blocks, minlength=_BLOCKS**2)
    total = np.bincount(blocks, gap, minlength=_BLOCKS**2)
    means = np.divide(total, count, out=np.full(len(count), np.nan), where=count >= 5)
    motion = float(np.quantile(_length(flow)[good], 0.75))
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
    after = points.at(own.inv_depth) + points.at(own.change)
    return _closed(case, points, after, target_depth(case, points, points.at(own.flow)), 0.5)


def _closed(
    case: Case, points: Points, after: np.ndarray, there: np.ndarray, quantile: float
) -> Level | None:
    gap = _relative(after, there)
    return _ratio(case, points, gap, np.ones(len(gap)), quantile)


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
    if _is_nothing(np.abs(change) + np.abs(still), points.at(own.inv_depth)):
        return None
    return _still(case, points, change, still)


def _still(case: Case, points: Points, given: np.ndarray, still: np.ndarray) -> Level | None:
    """The quarter that fits best; what would be behind the second camera does not fit."""
    assert case.own.inv_depth is not None
    gap, size = _length(given - still), _length(given) + _length(still)
    behind = (points.at(case.own.inv_depth) > 0) & ~np.isfinite(_length(still))
    gap = np.sort(np.where(behind, np.inf, gap)[behind | np.isfinite(gap)])
    size = size[np.isfinite(size)]
    if len(gap) < FEWEST:
        return None
    if len(size) < FEWEST:
        return Level(1.0)
    if not np.median(size) > 0:
        return None
    quarter = float(gap[len(gap) // 4])
    return Level(min(1.0, quarter / float(np.median(size))), quarter)


def _middle(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else 0.0


def _is_nothing(change: np.ndarray, inv_depth: np.ndarray) -> bool:
    """Whether changes of the inverse depth are too small to be compared."""
    return not _middle(change) > 1e-5 * _middle(np.abs(inv_depth))


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
    size = _length(values) + _length(returned)
    if name == "change" and own.inv_depth is not None:
        if _is_nothing(size, points.at(own.inv_depth)):
            return None
    if name == "flow" and not _middle(size) > _STILL:
        return None
    return _ratio(case, points, values + returned, size)


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
    gap = np.where(both, _relative(a, b), np.nan)
    return _ratio(case, points, gap, np.ones(len(gap)))


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
    gap, size = _length(given - made), _length(given) + _length(made)
    good = np.isfinite(gap) & np.isfinite(size)
    distance = 1 / np.abs(points.at(own.inv_depth)[good])
    if good.sum() < FEWEST or not np.quantile(size[good] / distance, 0.95) > 1e-5:
        return None
    trimmed = lambda x: np.sort(x)[: max(1, int(0.98 * len(x)))].mean()
    level = trimmed(gap[good]) / trimmed(size[good])
    relative = (given - made) / np.quantile(size[good], 0.9)
    return Level(float(level), float(level), None, relative, _block(case, points))


# The kinds of evidence, and the parts of a view that each depends on.
_DEPTH_POINTS = ("valid", "inv_depth")
_CAMERAS = ("camera", "next_camera")
EVIDENCE: dict[str, tuple[Measure, tuple[str, ...], tuple[str, ...]]] = {
    "surface": (surface, (*_DEPTH_POINTS, "change", "next_inv_depth"), ()),
    "mask": (mask, (*_DEPTH_POINTS, "flow", "change", "next_inv_depth"), ()),
    "images": (images, ("image", "next_image", "flow", "valid", "occlusion"), ()),
    "depths": (
        depths,
        (*_DEPTH_POINTS, "flow", "change", "next_inv_depth", "occlusion"),
        (),
    ),
    "still_flow": (still_flow, (*_DEPTH_POINTS, "flow", *_CAMERAS), ()),
    "still_change": (still_change, (*_DEPTH_POINTS, "change", *_CAMERAS), ()),
    "still_images": (
        still_images,
        (*_DEPTH_POINTS, "image", "next_image", "flow", *_CAMERAS),
        (),
    ),
    "still_depths": (
        still_depths,
        (*_DEPTH_POINTS, "flow", "change", "next_inv_depth", "occlusion", *_CAMERAS),
        (),
    ),
    "flow_back": (
        flow_back,
        ("flow", "next_inv_depth", "valid", "occlusion"),
        ("flow", "inv_depth"),
    ),
    "change_back": (
        change_back,
        ("flow", "change", "inv_depth", "next_inv_depth", "valid", "occlusion"),
        ("change", "inv_depth"),
    ),
    "same_depth": (same_depth, ("inv_depth", "next_inv_depth"), ("inv_depth",)),
    "vectors": (
        vectors,
        (*_DEPTH_POINTS, "flow", "change", "scene_flow", *_CAMERAS),
        (),
    ),
}


Levels = dict[str, Level | None]


def measured(case: Case, only: Collection[str] = tuple(EVIDENCE)) -> Levels:
    """The kinds of evidence.

    Args:
      case: what is given.
      only: names of those that are wanted.

    Returns:
      The levels by name; None where it cannot be measured.
    """
    with np.errstate(all="ignore"):
        return {name: EVIDENCE[name][0](case) for name in only}


def unchanged(name: str, case: Case, old: Case) -> bool:
    """Whether a kind of evidence depends on nothing that differs between two cases.

    Args:
      name: of the evidence.
      case: one of them.
      old: the other one.

    Returns:
      True where both have the same level.
    """
    if case.same_way != old.same_way or (case.other is None) != (old.other is None):
        return False
    _, of_own, of_other = EVIDENCE[name]
    if any(getattr(case.own, n) is not getattr(old.own, n) for n in of_own):
        return False
    if case.other is None or old.other is None:
        return True
    return all(getattr(case.other, n) is getattr(old.other, n) for n in of_other)
