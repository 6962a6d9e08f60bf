"""Which of two opposite translations the depths allow, and whether there is a translation."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics.cholesky import decompose, solve
from sf3d_jax._numerics.vectors import dot, multiply
from sf3d_jax.rigid import _robust
from sf3d_jax.rigid._epipolar.lines import Motion
from sf3d_jax.rigid._epipolar.pixels import Pixels

# Of the windows over which distances are averaged.
_RADIUS = 2
# In pixels times the root of a window's pixels; without noise, rounding is below it.
_LEAST = 1e-2
# The mean square of what no turn explains, relative to that of the distances from the lines, above
# which there is a translation. Both are 1 if all is noise.
_SHARE = 2.0


class Drift(NamedTuple):
    """How far each pixel has moved from where a mere turn takes it.

    Attributes:
      x: of the ray in the second camera; 0 where not seen.
      y: of this ray.
      turned: x and y of the ray to which the turn alone leads.
      seen: bool, known, and before the second camera after the turn.
    """

    x: jax.Array
    y: jax.Array
    turned: tuple[jax.Array, jax.Array]
    seen: jax.Array


def find_side(
    motion: Motion, pixels: Pixels, distance: jax.Array, weights: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """1 if the depths of most static points are positive, else -1; and whether there are depths.

    Args:
      motion: up to the side of the translation.
      pixels: of one pair of images.
      distance: (H, W), from the epipolar lines.
      weights: (H, W), of the static pixels.
    """
    drift = _find_drift(motion, pixels)
    seen = drift.seen.astype(weights.dtype)
    weights = weights * seen
    # No residual is clipped, so that all are treated alike.
    pool = lambda x: _robust.pool(x, seen, jnp.asarray(jnp.inf, x.dtype), _RADIUS)
    mean = lambda x: jnp.sum(weights * x) / jnp.maximum(jnp.sum(weights), 1)
    noise = jnp.maximum(mean(jnp.square(pool(distance))), _LEAST * _LEAST)
    along = pool(_find_parallax(drift, motion, pixels))
    # A parallax no larger than the noise counts little.
    votes = mean(along / (jnp.sqrt(noise) + jnp.abs(along)))
    side = jnp.where(votes < 0, -1, 1).astype(along.dtype)
    first, second = (pool(x) for x in _remove_turn(drift, pixels, weights))
    return side, mean(first * first + second * second) / 2 > _SHARE * noise


def _find_drift(motion: Motion, pixels: Pixels) -> Drift:
    """r1 - p / p_z for p = R r0, as a sum of small terms."""
    x, y = pixels.x, pixels.y
    mx, my, mz = multiply(motion.turn, (x, y, jnp.ones_like(x)))
    seen = pixels.known & (1 + mz > 0)
    depth = jnp.where(seen, 1 + mz, 1)
    change_x, change_y = (mx - x * mz) / depth, (my - y * mz) / depth
    left = (jnp.where(seen, a, 0) for a in (pixels.dx - change_x, pixels.dy - change_y))
    return Drift(*left, (x + change_x, y + change_y), seen)


def _find_parallax(drift: Drift, motion: Motion, pixels: Pixels) -> jax.Array:
    """How far each pixel has drifted along its epipolar line; positive for positive depths.

    In pixels of the second camera, or in standard deviations: with u = t_xy - r1_xy t_z, it is
    u^T V^-1 drift / sqrt(u^T V^-1 u).
    """
    tx, ty, tz = motion.direction
    u = _whiten(tx - (pixels.x + pixels.dx) * tz, ty - (pixels.y + pixels.dy) * tz, pixels)
    v = _whiten(drift.x, drift.y, pixels)
    square = u[0] * u[0] + u[1] * u[1]
    has_line = square > 0
    root = jnp.sqrt(jnp.where(has_line, square, 1))
    return jnp.where(has_line, (u[0] * v[0] + u[1] * v[1]) / root, 0)


def _remove_turn(
    drift: Drift, pixels: Pixels, weights: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The drift, in pixels, less that of the small turn which explains most of it.

    Rotation and translation are hard to tell apart, so the motion's own rotation leaves a drift
    even if the camera only turns.
    """
    x, y = drift.turned
    by_turn = (-x * y, -1 - y * y), (1 + x * x, x * y), (-y, x)
    columns = [_whiten(*column, pixels) for column in by_turn]
    left = _whiten(drift.x, drift.y, pixels)
    total = lambda a, b: jnp.sum(weights * (a[0] * b[0] + a[1] * b[1]))
    matrix = [[total(columns[i], columns[j]) for j in range(i + 1)] for i in range(3)]
    size = jnp.maximum(matrix[0][0] + matrix[1][1] + matrix[2][2], jnp.finfo(x.dtype).tiny)
    matrix = [[entry / size for entry in row] for row in matrix]
    factor, _ = decompose(matrix, float(jnp.finfo(x.dtype).eps))
    turn = solve(factor, [total(column, left) / size for column in columns])
    first, second = (left[k] - dot(turn, [column[k] for column in columns]) for k in (0, 1))
    return first, second


def _whiten(x: jax.Array, y: jax.Array, pixels: Pixels) -> tuple[jax.Array, jax.Array]:
    """L^-1 (x, y) with L L^T = V."""
    xx, xy, yy = pixels.spread
    inverse, slope = lax.rsqrt(xx), xy / xx
    return x * inverse, (y - slope * x) * lax.rsqrt(yy - slope * xy)
