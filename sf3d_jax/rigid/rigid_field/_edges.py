"""Where a window must not go on: between pixels of two surfaces, or of two motions."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import compute_once
from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.rigid.rigid_field._doubling import shift

# Differences up to this many roundings are none.
_ROUNDINGS = 4
# Valid pixels this far apart along an axis are neighbours if none is between them.
REACH = 3


class _Neighbour(NamedTuple):
    """The nearest valid pixel before or after each pixel along an axis.

    Attributes:
      there: for each distance from 1 to REACH whether the pixel that far is valid, (*b, h, w).
      way: 1 for pixels after, -1 for those before.
      axis: the axis.
    """

    there: list[jax.Array]
    way: int
    axis: int

    def read(self, x: jax.Array, otherwise: float) -> jax.Array:
        """The map that holds what x holds at the neighbours, and `otherwise` without one."""
        values = [shift(x, k * self.way, self.axis) for k in range(1, REACH + 1)]
        return self._choose(values, jnp.asarray(otherwise, x.dtype))

    def measure(self, dtype: jnp.dtype) -> jax.Array:
        """How far the neighbours are; 1 without one."""
        one, *others = (jnp.asarray(k, dtype) for k in range(1, REACH + 1))
        return self._choose([one, *others], one)

    def _choose(self, values: Sequence[jax.Array], otherwise: jax.Array) -> jax.Array:
        for there, value in reversed(list(zip(self.there, values, strict=True))):
            otherwise = jnp.where(there, value, otherwise)
        return otherwise


def find_links(
    inv_depth: jax.Array, scaled: Vector, valid: jax.Array, rounding: float
) -> tuple[jax.Array, jax.Array]:
    """Where a pixel belongs to what the one on its left, and the one above it, belong to.

    By the rule of surfaces: on a surface in rigid motion, inverse depth and d s (both are affine in
    the pixel if it is a plane) change by at most twice the local slope. The slopes of both pixels
    count, as one of them is 0 in the middle of a sphere. Two valid pixels with up to REACH - 1
    invalid ones between them are compared as neighbours are, with the slope times their distance.
    Invalid pixels belong to what is before them.

    The slope is the sum over both axes of the smaller of the steps to the valid pixels before and
    after, a missing one from the other side; 0 along an axis without two steps.

    Args:
      inv_depth: (*b, h, w), d, per metre.
      scaled: the three entries of d s, motion times inverse depth.
      valid: (*b, h, w), bool.
      rounding: relative rounding of the given maps.

    Returns:
      Two masks (*b, h, w).
    """
    # One entry of d s may be the rounding of terms as large as another entry.
    length = abs(scaled[0]) + abs(scaled[1]) + abs(scaled[2])
    rounding = _ROUNDINGS * rounding
    maps = (inv_depth, *scaled)
    errors = [rounding * abs(inv_depth), *(rounding * length,) * 3]
    rows, columns = (_find_neighbours(valid, valid.ndim - k) for k in (1, 2))
    along_rows, along_columns = (
        [_find_steps(x, valid, before) for x in maps] for before, _ in (rows, columns)
    )
    slopes = [
        compute_once(_find_slope(x, *rows) + _find_slope(y, *columns))
        for x, y in zip(along_rows, along_columns, strict=True)
    ]
    from_left = _link(along_rows, slopes, errors, rows[0])
    from_above = _link(along_columns, slopes, errors, columns[0])
    return from_left | ~valid, from_above | ~valid


def _find_neighbours(valid: jax.Array, axis: int) -> tuple[_Neighbour, _Neighbour]:
    """The neighbours before and after along an axis."""
    look = lambda way: [shift(valid, k * way, axis) for k in range(1, REACH + 1)]
    return _Neighbour(look(-1), -1, axis), _Neighbour(look(1), 1, axis)


def _find_steps(x: jax.Array, valid: jax.Array, before: _Neighbour) -> jax.Array:
    """The change from the pixel before, per pixel; infinite without one."""
    change = abs(x - before.read(x, jnp.inf)) / before.measure(x.dtype)
    return compute_once(jnp.where(valid, change, jnp.inf))


def _find_slope(step: jax.Array, before: _Neighbour, after: _Neighbour) -> jax.Array:
    """The smaller of the steps to both neighbours; 0 without two steps."""
    left, right = step, compute_once(after.read(step, jnp.inf))
    left, right = (
        jnp.where(jnp.isinf(left), after.read(right, jnp.inf), left),
        jnp.where(jnp.isinf(right), before.read(left, jnp.inf), right),
    )
    return jnp.where(jnp.isfinite(left) & jnp.isfinite(right), jnp.minimum(left, right), 0)


def _link(
    steps: Sequence[jax.Array],
    slopes: Sequence[jax.Array],
    errors: Sequence[jax.Array],
    before: _Neighbour,
) -> jax.Array:
    """Where a pixel belongs to what the valid one before it along an axis belongs to."""
    linked, distance = jnp.ones((), bool), before.measure(steps[0].dtype)
    for step, slope, error in zip(steps, slopes, errors, strict=True):
        most = 2 * jnp.maximum(slope, before.read(slope, 0.0))
        most = most + jnp.maximum(error, before.read(error, 0.0)) / distance
        linked = linked & (step <= most)
    return linked
