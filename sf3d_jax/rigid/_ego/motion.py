"""A camera motion as the state of a Gauss-Newton method, and what it predicts for pixels.

With m = D r + d t and q = d / (1 + m_z), the predicted ray is r1 = r + (m_xy - r_xy m_z)/(1 + m_z),
and 1/z1 = q. A left twist (v, w) about the point c adds v + w x (X1 - c) to X1 = r1 / q, so with
a = (1, 0, -x1), (0, 1, -y1) and (0, 0, -q), the rows of the derivatives of x1, y1 and q are
(q a, (r1 - q c) x a). About a point amid the scene, v and w have little in common, however narrow
the image is.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import channels
from sf3d_jax._numerics.cholesky import decompose, solve, solve_lower
from sf3d_jax._numerics.vectors import Matrix, Vector, add, cross, multiply, scale, subtract
from sf3d_jax.rigid._ego.pixels import Pixels
from sf3d_jax.se3 import _turns

# A point nearer than this share of its first depth is behind the second camera.
_NEAREST = 1e-3
# The smallest pivot of normal equations with a unit diagonal, in units of rounding.
_NOTHING = 16


class Motion(NamedTuple):
    """X1 = R X0 + t.

    Attributes:
      quaternion: (*n, 4), of R, of length 1.
      translation: (*n, 3), t.
    """

    quaternion: jax.Array
    translation: jax.Array

    @property
    def turn(self) -> Matrix:
        """D = R - I."""
        return _turns.from_quaternion(channels(self.quaternion))


class Rows(NamedTuple):
    """Residuals of pixels and their derivatives, both whitened if there is a covariance.

    Attributes:
      residual: one array for each row.
      derivative: six arrays for each row, of what is predicted, by the twist.
      seen: bool, whether the pixel counts and its point is predicted before the camera.
    """

    residual: Vector
    derivative: Matrix
    seen: jax.Array


def still(shape: tuple[int, ...], dtype: jnp.dtype) -> Motion:
    """No motion."""
    quaternion = jnp.broadcast_to(jnp.array([1, 0, 0, 0], dtype), (*shape, 4))
    return Motion(quaternion, jnp.zeros((*shape, 3), dtype))


def move(motion: Motion, twist: Vector, centre: Vector) -> Motion:
    """The motion, followed by a small twist about a point."""
    half = scale(0.5, twist[3:])
    w, *v = channels(motion.quaternion)
    # The quaternion of the twist is (1, half), of another length than 1.
    real = w - half[0] * v[0] - half[1] * v[1] - half[2] * v[2]
    parts = add(add(v, scale(w, half)), cross(half, v))
    quaternion = jnp.stack([real, *parts], -1)
    quaternion = quaternion / jnp.linalg.norm(quaternion, axis=-1, keepdims=True)
    turn = _turns.from_quaternion((jnp.ones_like(half[0]), *half))
    t = channels(motion.translation)
    t = add(add(t, twist[:3]), multiply(turn, subtract(t, centre)))
    return Motion(quaternion, jnp.stack(t, -1))


def find_centre(pixels: Pixels, motion: Motion) -> Vector:
    """A point amid the scene, where the motion takes it."""
    weight = pixels.known.astype(pixels.x.dtype)
    count = jnp.maximum(weight.sum(), 1)
    x, y, d = ((weight * a).sum() / count for a in (pixels.x, pixels.y, pixels.inv_depth))
    depth = 1 / jnp.where(d > 0, d, 1)
    point = x * depth, y * depth, depth
    t = channels(motion.translation)
    return add(_turns.turn_vector(motion.turn, point), t)


def predict(pixels: Pixels, turn: Matrix, t: Vector) -> tuple[Vector, jax.Array, jax.Array]:
    """The predicted changes of x, y and 1/z; 1/(1 + m_z); and where the point is before it."""
    x, y, d = pixels.x, pixels.y, pixels.inv_depth
    mx, my, mz = (
        row[0] * x + row[1] * y + (row[2] + d * s) for row, s in zip(turn, t, strict=True)
    )
    before = 1 + mz > _NEAREST
    nearer = 1 / jnp.where(before, 1 + mz, 1)
    change = (mx - x * mz) * nearer, (my - y * mz) * nearer, -d * mz * nearer
    return change, nearer, before


def linearize(pixels: Pixels, motion: Motion, centre: Vector) -> Rows:
    """The residuals at a motion, and their derivatives by a twist about a point."""
    turn, t = motion.turn, channels(motion.translation)
    change, nearer, before = predict(pixels, turn, t)
    x1, y1, q = pixels.x + change[0], pixels.y + change[1], pixels.inv_depth * nearer
    zero, one = jnp.zeros_like(x1), jnp.ones_like(x1)
    lever = subtract((x1, y1, one), scale(q, centre))
    directions = [(one, zero, -x1), (zero, one, -y1), (zero, zero, -q)]
    columns = [(*scale(q, a), *cross(lever, a)) for a in directions]
    left = [pixels.dx - change[0], pixels.dy - change[1]]
    ux, uy, vx, vy = pixels.lens
    mix = lambda a, b: (ux * a + uy * b, vx * a + vy * b)
    residual: Vector = mix(*left)
    derivative: Matrix = tuple(zip(*map(mix, columns[0], columns[1]), strict=True))
    if pixels.change is not None and pixels.entries is not None:
        residual, derivative = (*residual, pixels.change - change[2]), (*derivative, columns[2])
    if pixels.entries is not None:
        by_depth = (t[0] - x1 * t[2]) * nearer, (t[1] - y1 * t[2]) * nearer
        # The derivatives of the residual by d.
        slope = (*scale(-1.0, mix(*by_depth)), (1 - nearer) + q * nearer * t[2])
        residual, derivative = _whiten(pixels, residual, derivative, slope)
    return Rows(residual, derivative, pixels.known & before)


def _whiten(
    pixels: Pixels, residual: Vector, derivative: Matrix, slope: Vector
) -> tuple[Vector, Matrix]:
    """L^-1 times residual and derivative, L L^T their covariance."""
    assert pixels.entries is not None
    entry = lambda i, j: pixels.entries.get((i, j), 0.0)
    own = (0, 1, 3)  # what the rows' residuals are themselves of (Fu, Fv, d, c)
    count = len(residual)
    matrix = [
        [
            entry(own[i], own[j])
            + slope[i] * entry(2, own[j])
            + slope[j] * entry(own[i], 2)
            + slope[i] * slope[j] * entry(2, 2)
            for j in range(i + 1)
        ]
        for i in range(count)
    ]
    factor, _ = decompose(matrix, float(jnp.finfo(pixels.x.dtype).tiny))
    residual = tuple(solve_lower(factor, residual))
    columns = [solve_lower(factor, column) for column in zip(*derivative, strict=True)]
    return residual, tuple(zip(*columns, strict=True))


def step(rows: Rows, weights: jax.Array, damping: float) -> tuple[Vector, jax.Array]:
    """The twist that lessens the weighted squares, and whether it is determined.

    Args:
      rows: of pixels.
      weights: weights of the pixels; 0 where they are not seen.
      damping: share by which the diagonal grows.
    """
    parts = [jnp.stack([*d, r]) for d, r in zip(rows.derivative, rows.residual, strict=True)]
    table = jnp.concatenate(parts, axis=-1)
    repeated = jnp.concatenate([weights] * len(parts), axis=-1)
    normal = jnp.matmul(table * repeated[None], table.T, precision=jax.lax.Precision.HIGHEST)
    size = jnp.sqrt(jnp.diagonal(normal)[:6])
    size = jnp.where(size > 0, size, 1)
    scaled = [[normal[i, j] / (size[i] * size[j]) for j in range(i + 1)] for i in range(6)]
    for i in range(6):
        scaled[i][i] = scaled[i][i] * (1 + damping)
    tiny = _NOTHING * float(jnp.finfo(size.dtype).eps)
    factor, pivots = decompose(scaled, tiny)
    twist = solve(factor, [normal[i, 6] / size[i] for i in range(6)])
    determined = jnp.all(jnp.stack(pivots) > tiny)
    return tuple(twist[i] / size[i] for i in range(6)), determined
