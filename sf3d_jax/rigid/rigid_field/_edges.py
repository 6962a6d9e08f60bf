"""Where a window must not go on: between pixels of two surfaces, or of two motions."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.rigid.rigid_field._doubling import shift
from sf3d_jax.warping._surfaces import rise

# Differences up to this many roundings are none.
_ROUNDINGS = 4


def find_links(
    inv_depth: jax.Array, scaled: Vector, valid: jax.Array, rounding: float
) -> tuple[jax.Array, jax.Array]:
    """Where a pixel belongs to what the one on its left, and the one above it, belong to.

    By the rule of surfaces: on a surface in rigid motion, inverse depth and d s (both are affine in
    the pixel if it is a plane) change by at most twice the local slope. The slopes of both pixels
    count, as one of them is 0 in the middle of a sphere.

    Args:
      inv_depth: (*b, h, w), d, per metre.
      scaled: the three entries of d s, motion times inverse depth.
      valid: (*b, h, w), bool; nothing is linked to an invalid pixel.
      rounding: relative rounding of the given maps.

    Returns:
      Two masks (*b, h, w).
    """
    # One entry of d s may be the rounding of terms as large as another entry.
    length = abs(scaled[0]) + abs(scaled[1]) + abs(scaled[2])
    rounding = _ROUNDINGS * rounding
    maps = (inv_depth, *scaled)
    slopes = [rise(x, valid) for x in maps]
    errors = [rounding * abs(inv_depth), *(rounding * length,) * 3]
    last = valid.ndim - 1
    return _link(maps, slopes, errors, valid, last), _link(maps, slopes, errors, valid, last - 1)


def _link(
    maps: Sequence[jax.Array],
    slopes: Sequence[jax.Array],
    errors: Sequence[jax.Array],
    valid: jax.Array,
    axis: int,
) -> jax.Array:
    """Where a pixel belongs to what the one before it along an axis belongs to."""
    before = lambda x: shift(x, -1, axis)
    linked = valid & before(valid)
    for x, slope, error in zip(maps, slopes, errors, strict=True):
        most = 2 * jnp.maximum(slope, before(slope)) + jnp.maximum(error, before(error))
        linked = linked & (abs(x - before(x)) <= most)
    return linked
