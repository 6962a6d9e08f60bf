"""From two frames to the motion between them, both ways, from coarse to fine."""

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import is_in_range, is_positive_finite
from sf3d_jax.fit._level import FramePair, improve
from sf3d_jax.fit._maps import Size, resize, resize_to_nearest, steps
from sf3d_jax.fit._matching import match, matching_size

_FACTOR = 0.6
# Of the side of the level at which a motion starts at rest.
_SMALLEST = 12
# The mean step from pixel to pixel that the images are scaled to.
_MEAN_STEP = 0.014


def fit_pair(
    images: jax.Array, inv_depths: jax.Array | None, strength: jax.Array, reach: float
) -> jax.Array:
    """The motion between two frames.

    Args:
      images: (2, H, W, C); not finite where unknown.
      inv_depths: (2, H, W), no surface where not positive or not finite; or None.
      strength: of the smoothness.
      reach: the longest motion looked for, as a share of height and width.

    Returns:
      (2, K, H, W): the flow (u, v) of both frames to the other, in pixels, and, with depth, the
      change of inverse depth in per cent of it.
    """
    frames = _normalize(images, inv_depths)
    whole = frames.images.shape[-2:]
    coarse: tuple[int, ...] = matching_size(whole, reach)
    small = _resize_frames(frames, whole, coarse, coarse)
    found = _start_from_rest(small, coarse, strength)
    motion = match(small.images.mean(1), small.known, found[0], reach)
    if inv_depths is not None:
        motion = jnp.concatenate([motion, jnp.zeros_like(motion[:, :1])], axis=1)

    levels = _list_sizes(whole, coarse)
    if levels:
        shape = levels[-1]
        motion = _resize_motion(motion, coarse, levels[0], shape)
        motion = _climb(_resize_frames(frames, whole, shape, shape), motion, levels, strength)
        coarse = shape
    motion = _resize_motion(motion, coarse, whole, whole)
    return improve(frames, motion, whole, strength, last=True)


def _start_from_rest(frames: FramePair, size: tuple[int, ...], strength: jax.Array) -> jax.Array:
    """The flow, (2, 2, h, w), that steps from coarse to fine find when they start at rest."""
    sizes = [size]
    while min(sizes[-1]) > _SMALLEST:
        sizes.append(tuple(round(_FACTOR * n) for n in sizes[-1]))
    still = jnp.zeros((2, 2, *size), frames.images.dtype)
    return _climb(frames._replace(inv_depths=None), still, sizes[::-1], strength)


def _climb(
    frames: FramePair, motion: jax.Array, sizes: list[tuple[int, ...]], strength: jax.Array
) -> jax.Array:
    """A motion of the first size, improved at every size; the last one is that of the frames.

    All lie in arrays of the last size, so that one program serves them.
    """
    shape = sizes[-1]
    each = jnp.asarray(sizes, motion.dtype)
    before = jnp.concatenate([each[:1], each[:-1]])

    def level(motion: jax.Array, pair: tuple) -> tuple[jax.Array, None]:
        (source, size) = ((x[0], x[1]) for x in pair)
        motion = _resize_motion(motion, source, size, shape)
        here = _resize_frames(frames, shape, size, shape)
        return improve(here, motion, size, strength, last=False), None

    return lax.scan(level, motion, (before, each))[0]


def _list_sizes(whole: tuple[int, ...], coarse: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The sizes between that of the matching and the whole, the smallest first."""
    sizes: list[tuple[int, ...]] = []
    scale = _FACTOR
    least = 0.9 * max(a / b for a, b in zip(coarse, whole, strict=True))
    while scale >= least:
        sizes.append((max(1, round(scale * whole[0])), max(1, round(scale * whole[1]))))
        scale *= _FACTOR
    return sizes[::-1]


def _normalize(images: jax.Array, inv_depths: jax.Array | None) -> FramePair:
    """The frames in units of their own: of contrast, and of inverse depth."""
    known = is_in_range(images).all(-1)
    images = jnp.moveaxis(images, -1, 1)
    count = (jnp.maximum(known.sum(), 1) * images.shape[1]).astype(images.dtype)
    images = jnp.where(known[:, None], images, 0)
    images = jnp.where(known[:, None], images - images.sum() / count, 0)
    change = sum(jnp.abs(step).sum() for step in steps(images)) / (2 * count)
    images = images * (_MEAN_STEP / jnp.where(change > 0, change, 1))
    if inv_depths is None:
        return FramePair(images, known, None)
    seen = is_positive_finite(inv_depths)
    inv_depths = jnp.where(seen, inv_depths, 0)
    middle = inv_depths.sum() / jnp.maximum(seen.sum(), 1).astype(inv_depths.dtype)
    return FramePair(images, known, inv_depths / jnp.where(middle > 0, middle, 1))


def _resize_frames(
    frames: FramePair, source: Size, size: Size, shape: tuple[int, ...]
) -> FramePair:
    """The frames on another grid; depth is that of the nearest pixel, so that none is invented."""
    images = resize(frames.images, source, size, shape)
    known = resize(frames.known.astype(images.dtype), source, size, shape) > 0.5
    if frames.inv_depths is None:
        return FramePair(images, known, None)
    return FramePair(images, known, resize_to_nearest(frames.inv_depths, source, size, shape))


def _resize_motion(
    motion: jax.Array, source: Size, size: Size, shape: tuple[int, ...]
) -> jax.Array:
    """A motion on another grid, in its pixels."""
    factors = [jnp.asarray(size[i] / source[i], motion.dtype) for i in (1, 0)]
    factors += [jnp.ones((), motion.dtype)] * (motion.shape[1] - 2)
    return resize(motion, source, size, shape) * jnp.stack(factors)[None, :, None, None]
