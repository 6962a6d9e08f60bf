"""Robust weights of residuals that are normal for most pixels, pooled over windows.

What moves slowly has residuals that are too small to stand out in one pixel. They all point one
way, however, so their mean over a window of n pixels does: p = sqrt(n) times the mean has the
residuals' own scale if they are independent. With the scales s and s_p of both,

    w = exp(-(e / 3 s)^2 / 2 - (p / 2 s_p)^2 / 2).

Scales are lower quartiles, which hold if up to three quarters of the pixels do not follow the
model.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import mask
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax._numerics.vectors import Vector

# The lower quartile of |e| for a standard normal e.
NORMAL_QUARTILE = 0.3186394
# Residuals count up to this many scales in the mean over a window.
_CLIP = 4.0
# Scales at which the weights of a residual and of a window's mean have fallen to exp(-1/2).
_OWN, _POOLED = 3.0, 2.0
# Scales from which on residuals have no share in the mean of those that are alike.
_REJECTED = 6.0
# Scales of a window's mean at which a pixel is as likely still as moving.
_MASK = 3.5


def find_scale(
    residual: jax.Array, known: jax.Array, least: float, quartile: float = NORMAL_QUARTILE
) -> jax.Array:
    """The standard deviation of normal residuals by the lower quartile of their magnitudes.

    Args:
      residual: (...), any values where not known.
      known: (...), 1 where a residual counts, and 0 elsewhere; of the residual's dtype.
      least: smallest result.
      quartile: the lower quartile of the magnitudes for a standard deviation of 1.

    Returns:
      One number. Its derivative is that of the residual at the quartile.
    """
    size = jnp.where(known > 0, jnp.abs(residual), jnp.inf)
    value = find_quantile(*lax.stop_gradient((size, known > 0)), 0.25)
    there = size == value
    count = jnp.maximum(jnp.sum(there), 1).astype(size.dtype)
    found = jnp.sum(jnp.where(there, size, 0)) / count
    found = jnp.where(jnp.isfinite(value), found, 0)
    return jnp.maximum(found / quartile, jnp.asarray(least, size.dtype))


def find_quantile(size: jax.Array, known: jax.Array, share: float) -> jax.Array:
    """The quantile of the known ones of numbers that are not negative, exactly.

    Args:
      size: (...), not negative, or any values where not known.
      known: (...), bool.
      share: the share of the known numbers that are below the quantile, less than 1.

    Returns:
      One of the numbers; infinity if none is known.
    """
    size = jnp.where(known, size, jnp.inf)
    rank = (share * jnp.sum(known).astype(size.dtype)).astype(jnp.int32)
    return choose_by_platform(_bisect, _sort, size, rank)


def _sort(size: jax.Array, rank: jax.Array) -> jax.Array:
    """The number of a rank, in the form for GPUs, where a sort is a few launches.

    A stable sort would move an index with each number.
    """
    return jnp.sort(size.reshape(-1), stable=False)[rank]


def _bisect(size: jax.Array, rank: jax.Array) -> jax.Array:
    """The number of a rank by bisection on bits, in the form for CPUs.

    The bits of positive floats are ordered as the floats are. A sort takes ten times as long.
    """
    kind = jnp.int32 if size.dtype == jnp.float32 else jnp.int64
    bits = lax.bitcast_convert_type(size, kind)

    def set_bit(i: jax.Array, below: jax.Array) -> jax.Array:
        trial = below | (jnp.ones((), kind) << jnp.asarray(jnp.iinfo(kind).bits - 2 - i, kind))
        return jnp.where(jnp.sum(bits < trial, dtype=rank.dtype) <= rank, trial, below)

    # Not a constant, since in a shard_map the start of a loop varies as its results do.
    nothing = jnp.minimum(bits.reshape(-1)[0], 0)
    found = lax.fori_loop(0, jnp.iinfo(kind).bits - 1, set_bit, nothing)
    return lax.bitcast_convert_type(found, size.dtype)


def pool(residual: jax.Array, known: jax.Array, scale: jax.Array, radius: int) -> jax.Array:
    """sqrt(n) times the mean of the residuals in each window, clipped at four scales.

    Args:
      residual: (H, W), finite.
      known: (H, W), 1 where a residual counts, and 0 elsewhere.
      scale: standard deviation of the residuals, one number.
      radius: windows have 2 radius + 1 rows and columns.
    """
    clipped = known * jnp.clip(residual, -_CLIP * scale, _CLIP * scale)
    count = jnp.maximum(sum_windows(known, radius), 1)
    return sum_windows(clipped, radius) / jnp.sqrt(count)


def pool_alike(
    residual: Vector, size: jax.Array, known: jax.Array, scale: jax.Array, radius: int
) -> tuple[Vector, jax.Array]:
    """sum(u r) / sqrt(sum(u^2)) over each window: residuals of what moves fast have no share.

    The share u = (1 - (|r| / 6 s)^2)^2 is Tukey's. So a pixel beside a fast object is not
    taken for a part of it. Amid fast objects the result is 0, which says nothing about noise.

    Args:
      residual: components of the residuals, (H, W) each, finite.
      size: (H, W), |r|.
      known: (H, W), 1 where a residual counts, and 0 elsewhere.
      scale: standard deviation of the components, one number.
      radius: windows have 2 radius + 1 rows and columns.

    Returns:
      The components, and 1 where a pixel has a share of its own, 0 elsewhere.
    """
    share = known * jnp.square(jnp.maximum(1 - jnp.square(size / (_REJECTED * scale)), 0))
    squares = sum_windows(share * share, radius)
    found = squares > 0
    factor = mask(found, lax.rsqrt(jnp.where(found, squares, 1)))
    pooled = tuple(factor * sum_windows(share * r, radius) for r in residual)
    return pooled, (share > 0).astype(known.dtype)


def sum_windows(x: jax.Array, radius: int) -> jax.Array:
    """The sum of a map (H, W) over the window around each pixel; 0 beyond the image."""
    for axis in (0, 1):
        margin = [(radius, radius) if k == axis else (0, 0) for k in (0, 1)]
        padded, size = jnp.pad(x, margin), x.shape[axis]
        shifted = (lax.slice_in_dim(padded, i, i + size, axis=axis) for i in range(2 * radius + 1))
        x = functools.reduce(jnp.add, shifted)
    return x


def weigh(
    residual: jax.Array, pooled: jax.Array, scale: jax.Array, pooled_scale: jax.Array
) -> jax.Array:
    """The weight of each pixel: exp(-(e / 3 s)^2 / 2 - (p / 2 s_p)^2 / 2)."""
    own, mean = residual / (_OWN * scale), pooled / (_POOLED * pooled_scale)
    return jnp.exp(-0.5 * (own * own + mean * mean))


def is_still(pooled: jax.Array, pooled_scale: jax.Array) -> jax.Array:
    """How surely a pixel follows the model: 1 at p = 0, 1/2 at 3.5 scales of p."""
    return jnp.exp2(-jnp.square(pooled / (_MASK * pooled_scale)))
