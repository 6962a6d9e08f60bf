"""Which of two opposite translations the depths allow, and whether there is a translation."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics.cholesky import decompose, solve
from sf3d_jax._numerics.vectors import dot
from sf3d_jax.rigid import _robust
from sf3d_jax.rigid._epipolar.lines import Lines, Motion, find_distances

# The radius of the windows over which distances are averaged.
_RADIUS = 2
# In pixels times the root of a window's pixels; without noise, rounding is below it.
_LEAST = 1e-2
# The mean square of what no turn explains, relative to that of the distances from the lines, above
# which there is a translation. Both are 1 if all is noise.
_SHARE = 2.0


class _Drift(NamedTuple):
    """How far each pixel has moved from where a mere turn takes it.

    Attributes:
      x: change of the ray's x in the second camera; 0 where not seen.
      y: change of its y.
      turned: x and y of the ray to which the turn alone leads.
      seen: bool, whether this ray lies before the second camera.
    """

    x: jax.Array
    y: jax.Array
    turned: tuple[jax.Array, jax.Array]
    seen: jax.Array


def find_side(
    motion: Motion, lines: Lines, weights: jax.Array, known: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """1 if the depths of most static points are positive, else -1; and whether there are depths.

    Args:
      motion: up to the side of the translation.
      lines: those of an image's pixels, row by row.
      weights: (H, W), large for static pixels.
      known: (H, W), 1 where a pixel counts, and 0 elsewhere.
    """
    drift = _find_drift(motion, lines)
    weights = jnp.where(drift.seen.reshape(known.shape), weights, 0)
    # No residual is clipped, so that all are treated alike.
    no_limit = jnp.asarray(jnp.inf, known.dtype)
    pool = lambda x: _robust.pool(x.reshape(known.shape), known, no_limit, _RADIUS)
    mean = lambda x: jnp.sum(weights * x) / jnp.maximum(jnp.sum(weights), 1)
    noise = jnp.maximum(mean(jnp.square(pool(find_distances(motion, lines)))), _LEAST * _LEAST)
    along = pool(find_parallax(motion, lines))
    side = vote(along, weights, jnp.sqrt(noise))
    first, second = (pool(x) for x in _remove_turn(drift, lines, weights.reshape(-1)))
    return side, mean(first * first + second * second) / 2 > _SHARE * noise


def vote(parallax: jax.Array, weights: jax.Array, noise: jax.Array) -> jax.Array:
    """The sign of most parallaxes, 1 or -1; one no larger than the noise counts little."""
    votes = jnp.sum(weights * parallax / (noise + jnp.abs(parallax)))
    return jnp.where(votes < 0, -1, 1).astype(parallax.dtype)


def find_parallax(motion: Motion, lines: Lines) -> jax.Array:
    """How far each pixel has drifted along its epipolar line; positive for positive depths.

    In pixels of the second camera, or in standard deviations: with u = t_xy - r1_xy t_z, it is
    u^T V^-1 drift / sqrt(u^T V^-1 u). 0 where a turn takes the pixel behind the camera.
    """
    drift = _find_drift(motion, lines)
    (x, y, _), (dx, dy) = lines.ray, lines.change
    tx, ty, tz = motion.direction
    u = _whiten(tx - (x + dx) * tz, ty - (y + dy) * tz, lines)
    v = _whiten(drift.x, drift.y, lines)
    square = u[0] * u[0] + u[1] * u[1]
    has_line = square > 0
    root = jnp.sqrt(jnp.where(has_line, square, 1))
    return jnp.where(has_line, (u[0] * v[0] + u[1] * v[1]) / root, 0)


def _find_drift(motion: Motion, lines: Lines) -> _Drift:
    """r1 - p / p_z for p = R r0, as a sum of small terms."""
    x, y, _ = lines.ray
    mx, my, mz = (row[0] * x + row[1] * y + row[2] for row in motion.turn)
    seen = 1 + mz > 0
    depth = jnp.where(seen, 1 + mz, 1)
    change_x, change_y = (mx - x * mz) / depth, (my - y * mz) / depth
    dx, dy = lines.change
    dx, dy = (jnp.where(seen, a, 0) for a in (dx - change_x, dy - change_y))
    return _Drift(dx, dy, (x + change_x, y + change_y), seen)


def _remove_turn(drift: _Drift, lines: Lines, weights: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The drift, in pixels, less that of the small turn which explains most of it.

    Rotation and translation are hard to tell apart, so the motion's own rotation leaves a drift
    even if the camera only turns.
    """
    x, y = drift.turned
    by_turn = (-x * y, -1 - y * y), (1 + x * x, x * y), (-y, x)
    columns = [_whiten(*column, lines) for column in by_turn]
    left = _whiten(drift.x, drift.y, lines)
    total = lambda a, b: jnp.sum(weights * (a[0] * b[0] + a[1] * b[1]))
    matrix = [[total(columns[i], columns[j]) for j in range(i + 1)] for i in range(3)]
    size = jnp.maximum(matrix[0][0] + matrix[1][1] + matrix[2][2], jnp.finfo(x.dtype).tiny)
    matrix = [[entry / size for entry in row] for row in matrix]
    factor, _ = decompose(matrix, float(jnp.finfo(x.dtype).eps))
    turn = solve(factor, [total(column, left) / size for column in columns])
    first, second = (left[k] - dot(turn, [column[k] for column in columns]) for k in (0, 1))
    return first, second


def _whiten(x: jax.Array, y: jax.Array, lines: Lines) -> tuple[jax.Array, jax.Array]:
    """L^-1 (x, y) with L L^T = V."""
    xx, xy, yy = lines.spread
    inverse, slope = lax.rsqrt(xx), xy / xx
    return x * inverse, (y - slope * x) * lax.rsqrt(yy - slope * xy)
