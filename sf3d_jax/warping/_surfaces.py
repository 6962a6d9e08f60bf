"""Which neighbouring pixels see one surface.

The rule: values of one surface differ by no more than twice the local slope per pixel. Along each
axis the slope is the smaller of the steps to both neighbours, because the larger may be a step to
another surface. So a map of any smooth surface holds together, at any slant, and two surfaces that
touch in the image come apart unless they also touch in space. It takes three pixels in a row to
know a slope; of two by themselves, only equal ones are of one surface.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import mask

# Differences up to this many roundings are none.
_ROUNDINGS = 4


def find_neighbours(x: jax.Array, known: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    """Which of the two neighbours along an axis are of each pixel's surface.

    The slopes of both pixels decide, so that a pixel with a value between those of two surfaces is
    of neither. A pixel beside the ridge of a curved surface may be left without a neighbour by
    that, as the slope vanishes on the ridge. It gets those by whose own slope it is of their
    surface.

    Args:
      x: (*b, h, w), a map that is smooth on a surface, such as inverse depth.
      known: (*b, h, w), bool, the pixels that have a value.
      axis: -2 for rows, -1 for columns.

    Returns:
      For the neighbour before and for the one after, (*b, h, w), bool; False where either pixel is
      unknown or beyond the image.
    """
    x = mask(known, lax.stop_gradient(x))
    slope = rise(x, known)
    after, before = (partial(find_next, axis=axis, by=by) for by in (1, -1))
    low, high = jnp.minimum(x, after(x)), jnp.maximum(x, after(x))
    pair = known & after(known)
    by_first = pair & is_one_surface(low, high, slope)
    by_second = pair & is_one_surface(low, high, after(slope))
    joined = by_first & by_second
    alone = ~(joined | before(joined))
    return before(joined) | (alone & before(by_first)), joined | (alone & by_second)


def find_next(x: jax.Array, axis: int, by: int = 1) -> jax.Array:
    """The map of each pixel's neighbour `by` (1 or -1) along an axis; 0 or False beyond the image.

    Args:
      x: (*b, h, w).
      axis: -2 or -1.
      by: 1 for the next pixel, -1 for the one before.
    """
    length = x.shape[axis]
    margin = [(1, 1) if i == x.ndim + axis else (0, 0) for i in range(x.ndim)]
    return lax.slice_in_dim(jnp.pad(x, margin), 1 + by, 1 + by + length, axis=axis)


def is_one_surface(low: jax.Array, high: jax.Array, slope: jax.Array) -> jax.Array:
    """Whether values from low to high are of one surface: they differ by at most 2 slope."""
    largest = jnp.maximum(jnp.abs(low), jnp.abs(high))
    rounding = _ROUNDINGS * jnp.finfo(high.dtype).eps * largest
    return high - low <= 2 * slope + rounding


def rise(x: jax.Array, known: jax.Array) -> jax.Array:
    """The local slope of a map (*b, h, w): its change per pixel on one surface, |du| + |dv|.

    Along each axis it is the smaller of the steps to both neighbours, because the larger may be a
    step to another surface. If one neighbour is unknown, the second step on the other side takes
    its place; 0 if that is unknown too.
    """
    x, known = lax.stop_gradient((x, known))
    x = mask(known, x)
    total = jnp.zeros_like(x)
    for axis in (-2, -1):
        length = x.shape[axis]
        part = lambda a, start, length=length, axis=axis: lax.slice_in_dim(
            a, start, start + length, axis=axis
        )
        margin = [(2, 2) if i == x.ndim + axis else (0, 0) for i in range(x.ndim)]
        padded, there = jnp.pad(x, margin), jnp.pad(known, margin)
        both = part(there, 0, length + 3) & part(there, 1, length + 3)
        steps = jnp.where(both, jnp.abs(jnp.diff(padded, axis=axis)), jnp.inf)
        before_left, left, right, after_right = (part(steps, i) for i in range(4))
        left, right = (
            jnp.where(jnp.isinf(left), after_right, left),
            jnp.where(jnp.isinf(right), before_left, right),
        )
        both = jnp.isfinite(left) & jnp.isfinite(right)
        total = total + jnp.where(both, jnp.minimum(left, right), 0)
    return total
