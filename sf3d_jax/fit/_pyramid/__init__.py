"""Fits the motion between pairs of frames in both directions, from coarse to fine.

All arrays have the first frames of n pairs, then the next ones, along their first axis.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import is_in_range, is_positive_finite
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.fit._pyramid.confidence import find_confidence
from sf3d_jax.fit._pyramid.level import FramePair, find_features, improve
from sf3d_jax.fit._pyramid.maps import (
    Size,
    add_up,
    is_in_map,
    resize,
    resize_to_nearest,
    steps,
    swap,
)
from sf3d_jax.fit._pyramid.matching import match
from sf3d_jax.fit._pyramid.plan import Arrays, Levels, Plan, Shape

# Images are scaled to this mean difference between neighbouring pixels.
_MEAN_STEP = 0.014
# Rounding error of an image, in units in the last place of its largest value.
_ROUNDING = 8.0


class FittedPairs(NamedTuple):
    """The motion between pairs of frames in both directions.

    Attributes:
      motion: (2n, K, h, w): the flow (u, v) from each frame to the other, in pixels, and, with
        depth, the change of inverse depth in per cent of the inverse depth.
      confidence: (2n, h, w), from 0 to 1, how well the images alone determine the flow.
    """

    motion: jax.Array
    confidence: jax.Array


def fit_pairs(
    images: jax.Array,
    inv_depths: jax.Array | None,
    strength: jax.Array,
    plan: Plan,
    arrays: Arrays,
) -> FittedPairs:
    """Fits the motion between pairs of frames.

    Args:
      images: (2n, h, w, C); non-finite where unknown.
      inv_depths: (2n, h, w), not positive or not finite where there is no surface; or None.
      strength: multiple of the default smoothness.
      plan: sizes of all levels, in the dtype of the images.
      arrays: shapes of the arrays that hold the levels.

    Returns:
      FittedPairs; values beyond the size of the images are meaningless.
    """
    whole: Size = tuple(jnp.asarray(plan.whole))
    frames = _normalize(images, inv_depths, whole)
    coarse = _take_size(plan.rest, jnp.asarray(plan.rest.number) - 1)
    small = _resize_frames(frames, whole, coarse, arrays.coarse)
    still = jnp.zeros((images.shape[0], 2, *arrays.coarse), images.dtype)
    found = _climb(small._replace(inv_depths=None), still, plan.rest, strength, arrays.numbers[0])
    down, along = jnp.asarray(plan.radii)
    motion = _match(small, found, coarse, (down, along), arrays.radii)
    if inv_depths is not None:
        motion = jnp.concatenate([motion, jnp.zeros_like(motion[:, :1])], axis=1)

    def enlarge(motion: jax.Array) -> jax.Array:
        return _resize_motion(motion, coarse, whole, arrays.whole)

    def climb(motion: jax.Array) -> jax.Array:
        assert arrays.between is not None
        first, last = (
            _take_size(plan.between, i) for i in (0, jnp.asarray(plan.between.number) - 1)
        )
        motion = _resize_motion(motion, coarse, first, arrays.between)
        between = _resize_frames(frames, whole, last, arrays.between)
        motion = _climb(between, motion, plan.between, strength, arrays.numbers[1])
        return _resize_motion(motion, last, whole, arrays.whole)

    if arrays.between is None:
        motion = enlarge(motion)
    else:
        motion = _climb_if(jnp.asarray(plan.between.number) > 0, jax.jit(climb), enlarge, motion)
    features = find_features(frames, whole)
    motion = improve(frames, features, motion, whole, strength, last=True)
    return FittedPairs(motion, find_confidence(features, frames.noise, motion, whole))


def _match(
    frames: FramePair,
    found: jax.Array,
    size: Size,
    radii: tuple[jax.Array, jax.Array],
    most: tuple[int, int],
) -> jax.Array:
    """Matches the frames of all pairs; `found` is a displacement that competes."""
    match_pair = lambda images, known, found: match(images, known, found, size, radii, most)
    count = found.shape[0] // 2
    images, known = frames.images.mean(1), frames.known
    if count == 1:
        return match_pair(images, known, found[0])
    in_pairs = lambda x: x.reshape(2, count, *x.shape[1:])
    match_pairs = jax.vmap(match_pair, in_axes=(1, 1, 0), out_axes=1)
    return match_pairs(in_pairs(images), in_pairs(known), found[:count]).reshape(found.shape)


def _take_size(levels: Levels, i: jax.Array | int) -> Size:
    height, width = jnp.asarray(levels.sizes)[i]
    return height, width


def _climb_if(
    has_levels: jax.Array,
    climb: Callable[[jax.Array], jax.Array],
    enlarge: Callable[[jax.Array], jax.Array],
    motion: jax.Array,
) -> jax.Array:
    """Returns climb(motion) if there are levels, else enlarge(motion)."""
    either = lambda motion: lax.cond(has_levels, climb, enlarge, motion)
    # A GPU would wait for the condition.
    both = lambda motion: jnp.where(has_levels, climb(motion), enlarge(motion))
    return choose_by_platform(either, both, motion)


def _climb(
    frames: FramePair, motion: jax.Array, levels: Levels, strength: jax.Array, most: int
) -> jax.Array:
    """Improves a motion of the first level's size at every level; the last has the frames' size.

    All levels use arrays of one shape, so that one program serves them all. A GPU would wait for
    the number of levels at each, so there the loop has the length of the most levels.
    """
    height, width = motion.shape[-2:]
    shape = height, width
    number = jnp.asarray(levels.number)
    whole = _take_size(levels, number - 1)

    def improve_at(i: jax.Array, motion: jax.Array) -> jax.Array:
        source, size = (_take_size(levels, jnp.clip(i - n, 0, number - 1)) for n in (1, 0))
        start = _resize_motion(motion, source, size, shape)
        here = _resize_frames(frames, whole, size, shape)
        improved = improve(here, find_features(here, size), start, size, strength, last=False)
        return jnp.where(i < number, improved, motion)

    trips = choose_by_platform(lambda n: n, lambda n: jnp.full_like(n, most), number)
    return lax.fori_loop(0, trips, improve_at, motion)


def _normalize(images: jax.Array, inv_depths: jax.Array | None, size: Size) -> FramePair:
    """Scales images to unit contrast, relative to `_MEAN_STEP`, and inverse depths to mean 1."""
    known = is_in_range(images).all(-1)
    known = known & is_in_map(known, size)
    images = jnp.moveaxis(images, -1, 1)
    count = jnp.maximum(_count(known), 1).astype(images.dtype) * images.shape[1]
    images = jnp.where(known[:, None], images, 0)
    largest = jnp.abs(images).max((1, 2, 3))
    largest = jnp.maximum(largest, swap(largest))[:, None, None]
    images = jnp.where(known[:, None], images - (_add_up_pairs(images) / count)[:, None], 0)
    change = sum(_add_up_pairs(jnp.abs(step)) for step in steps(images, size)) / (2 * count)
    scale = _MEAN_STEP / jnp.where(change > 0, change, 1)
    images = images * scale[:, None]
    noise = _ROUNDING * jnp.finfo(images.dtype).eps * largest * scale
    if inv_depths is None:
        return FramePair(images, known, None, noise)
    seen = is_positive_finite(inv_depths) & is_in_map(inv_depths, size)
    inv_depths = jnp.where(seen, inv_depths, 0)
    count = jnp.maximum(_count(seen), 1).astype(images.dtype)
    middle = _add_up_pairs(inv_depths[:, None]) / count
    return FramePair(images, known, inv_depths / jnp.where(middle > 0, middle, 1), noise)


def _add_up_pairs(x: jax.Array) -> jax.Array:
    """Sums maps (2n, C, h, w) over both frames of each pair, to (2n, 1, 1)."""
    total = add_up(x).sum(1)
    return total + swap(total)


def _count(marks: jax.Array) -> jax.Array:
    """Counts the marks (2n, h, w) in both frames of each pair, (2n, 1, 1)."""
    total = marks.sum((1, 2), keepdims=True)
    return total + swap(total)


def _resize_frames(frames: FramePair, source: Size, size: Size, shape: Shape) -> FramePair:
    """Resizes frames; takes the depth of the nearest pixel, to invent none between surfaces."""
    known = frames.known[:, None].astype(frames.images.dtype)
    both = resize(jnp.concatenate([frames.images, known], axis=1), source, size, shape)
    images, known = both[:, :-1], both[:, -1] > 0.5
    inv_depths = frames.inv_depths
    if inv_depths is not None:
        inv_depths = resize_to_nearest(inv_depths, source, size, shape)
    return FramePair(images, known, inv_depths, frames.noise)


def _resize_motion(motion: jax.Array, source: Size, size: Size, shape: Shape) -> jax.Array:
    """Resizes a motion and scales its flow to pixels of the new grid."""
    factors = [jnp.asarray(size[i] / source[i], motion.dtype) for i in (1, 0)]
    factors += [jnp.ones((), motion.dtype)] * (motion.shape[1] - 2)
    return resize(motion, source, size, shape) * jnp.stack(factors)[None, :, None, None]
