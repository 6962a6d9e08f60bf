"""Which of two opposite translations the depths allow, and whether there is a translation."""

import jax
import jax.numpy as jnp

from sf3d_jax._numerics.vectors import multiply
from sf3d_jax.rigid import _robust
from sf3d_jax.rigid._epipolar.lines import Motion
from sf3d_jax.rigid._epipolar.pixels import Pixels

# Of the windows over which the parallax is averaged.
_RADIUS = 2
# In pixels times the root of a window's pixels; without noise, rounding is below it.
_LEAST = 1e-2
# The mean square of the parallax, relative to that of the distance from the lines, above which
# there is a translation. Both are 1 if all is noise.
_SHARE = 2.0


def find_parallax(motion: Motion, pixels: Pixels) -> jax.Array:
    """How far each pixel has moved along its epipolar line from where a mere turn takes it.

    In pixels of the second camera, or in standard deviations; positive for a static point of
    positive depth. With p = R r0, v = r1 - p / p_z and u = t_xy - r1_xy t_z, it is
    u^T V^-1 v / sqrt(u^T V^-1 u). 0 where a turn takes the pixel behind the camera.
    """
    x, y = pixels.x, pixels.y
    mx, my, mz = multiply(motion.turn, (x, y, jnp.ones_like(x)))
    is_seen = 1 + mz > 0
    depth = jnp.where(is_seen, 1 + mz, 1)
    vx, vy = pixels.dx - (mx - x * mz) / depth, pixels.dy - (my - y * mz) / depth
    tx, ty, tz = motion.direction
    ux, uy = tx - (x + pixels.dx) * tz, ty - (y + pixels.dy) * tz
    xx, xy, yy = pixels.spread
    # V^-1 u, times the determinant of V.
    wx, wy = yy * ux - xy * uy, xx * uy - xy * ux
    square = (ux * wx + uy * wy) * (xx * yy - xy * xy)
    has_line = is_seen & (square > 0)
    root = jnp.sqrt(jnp.where(has_line, square, 1))
    return jnp.where(has_line, (wx * vx + wy * vy) / root, 0)


def find_side(
    parallax: jax.Array, distance: jax.Array, weights: jax.Array, known: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """1 if the depths of most static points are positive, else -1; and whether there is a parallax.

    The parallax is pooled over windows as the distances from the lines are, and compared with them:
    if it is noise, it is as large. Windows whose parallax is no larger count little for the side.
    """
    limit = jnp.asarray(jnp.inf, parallax.dtype)
    pool = lambda x: _robust.pool(x, known, limit, _RADIUS)
    mean = lambda x: jnp.sum(weights * x) / jnp.maximum(jnp.sum(weights), 1)
    parallax, distance = pool(parallax), pool(distance)
    noise = jnp.maximum(mean(distance * distance), _LEAST * _LEAST)
    votes = mean(parallax / (jnp.sqrt(noise) + jnp.abs(parallax)))
    side = jnp.where(votes < 0, -1, 1).astype(parallax.dtype)
    return side, mean(parallax * parallax) > _SHARE * noise
