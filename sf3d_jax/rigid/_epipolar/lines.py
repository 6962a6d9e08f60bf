"""Distances of pixels from their epipolar lines, in the second image.

With E = [t] R, the pixel of the ray r0 moves to one of the ray r1 on the line of n = E r0 if the
scene is static: e = n . r1 = 0. In pixels of the second camera, or in standard deviations of the
flow if its covariance is given, the signed distance from the line is

    e / sqrt(n^T V n),

V the covariance of r1, which is that of the flow through the lens. The first pixel has no error,
as it lies on the grid. Gauss-Newton steps need the derivative of the quotient: without that of the
denominator they end elsewhere. Both e and n are linear in the entries of E, so a sum over a window
of pixels has the same form as one pixel.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics.cholesky import decompose, solve
from sf3d_jax._numerics.vectors import Matrix, Vector, cross, dot, scale
from sf3d_jax.rigid._epipolar.pixels import Pixels
from sf3d_jax.se3._turns import compose, from_cayley

COORDINATES = 5
# Longest step of the five coordinates together, in radians.
_LONGEST = 0.5


class Motion(NamedTuple):
    """A rotation and a direction of translation.

    Attributes:
      turn: D = R - I, rows of numbers.
      direction: t with |t| = 1, three numbers.
    """

    turn: Matrix
    direction: Vector


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Lines:
    """What e and n are made of, for each of N pixels or windows.

    Attributes:
      products: (12, N), what the coefficients of `_list_coefficients` multiply.
      ray: (3, N), r0.
      spread: (3, N), the entries xx, xy, yy of V.
    """

    products: jax.Array
    ray: jax.Array
    spread: jax.Array


def make_lines(pixels: Pixels) -> Lines:
    """The lines of pixels whose maps have any shape; it is kept behind the first axis."""
    x, y, dx, dy = pixels.x, pixels.y, pixels.dx, pixels.dy
    one = jnp.ones_like(x)
    changes = dx * x, dx * y, dx, dy * x, dy * y, dy
    squares = x * x, x * y, x, y * y, y, one
    return Lines(jnp.stack([*changes, *squares]), jnp.stack([x, y, one]), jnp.stack(pixels.spread))


def _list_coefficients(motion: Motion) -> list[jax.Array]:
    """The coefficients of e: of (r1 - r0)_i r0_j for i = x, y, and of the squares r0_i r0_j.

    e = r1^T E r0 = (r1 - r0)^T E r0 + r0^T [t] D r0, as r0^T [t] r0 = 0. All terms are small if the
    motion is. The first six are also the rows x and y of E, which give n_x and n_y.
    """
    t = motion.direction
    a, b, c = (cross(t, column) for column in zip(*motion.turn, strict=True))
    # Rows of [t] D, and of E = [t] + [t] D.
    x, y, z = zip(a, b, c, strict=True)
    e_x = x[0], x[1] - t[2], x[2] + t[1]
    e_y = y[0] + t[2], y[1], y[2] - t[0]
    return [*e_x, *e_y, x[0], x[1] + y[0], x[2] + z[0], y[1], y[2] + z[1], z[2]]


def move(motion: Motion, step: jax.Array) -> Motion:
    """The motion after a turn (Cayley's vector) and a step of t in two directions across it."""
    *turn, p, q = (step[i] for i in range(COORDINATES))
    one, other = _find_tangents(motion.direction)
    moved = [t + p * a + q * b for t, a, b in zip(motion.direction, one, other, strict=True)]
    length = jnp.sqrt(dot(moved, moved))
    return Motion(compose(from_cayley(turn), motion.turn), scale(1 / length, moved))


def _find_tangents(t: Vector) -> tuple[Vector, Vector]:
    """Two unit vectors at right angles to a unit vector, and to each other.

    The first is the cross product with the axis that t is least along.
    """
    x, y, z = (jnp.abs(lax.stop_gradient(a)) for a in t)
    first, second = (x <= y) & (x <= z), y <= z
    axis = first, ~first & second, ~first & ~second
    across = cross(t, tuple(a.astype(t[0].dtype) for a in axis))
    one = scale(1 / jnp.sqrt(dot(across, across)), across)
    return one, cross(t, one)


def find_distances(motion: Motion, lines: Lines) -> jax.Array:
    """The signed distance of each pixel, (N,)."""
    coefficients = jnp.stack(_list_coefficients(motion))[None]
    e, _, _, n_spread_n = _measure(coefficients, lines)
    return e[0] * _invert_root(n_spread_n)


def differentiate_distances(motion: Motion, lines: Lines) -> tuple[jax.Array, jax.Array]:
    """The signed distances (N,), and their derivatives by the five coordinates (5, N)."""
    coefficients = lambda step: jnp.stack(_list_coefficients(move(motion, step)))
    still = jnp.zeros(COORDINATES, lines.ray.dtype)
    slopes = jax.jacfwd(coefficients)(still)
    both = jnp.concatenate([coefficients(still)[None], slopes.T])
    e, n, spread_n, n_spread_n = _measure(both, lines)
    inverse = _invert_root(n_spread_n)
    growth = n[0][1:] * spread_n[0] + n[1][1:] * spread_n[1]
    return e[0] * inverse, (e[1:] - e[0] * inverse * inverse * growth) * inverse


def _measure(
    coefficients: jax.Array, lines: Lines
) -> tuple[jax.Array, tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array], jax.Array]:
    """e and n = (n_x, n_y) for each of K rows of coefficients; V n and n^T V n for the first."""
    multiply = lambda a, b: jnp.matmul(a, b, precision=lax.Precision.HIGHEST)
    e = multiply(coefficients, lines.products)
    x, y = (multiply(coefficients[:, i : i + 3], lines.ray) for i in (0, 3))
    xx, xy, yy = lines.spread
    spread_n = xx * x[0] + xy * y[0], xy * x[0] + yy * y[0]
    return e, (x, y), spread_n, x[0] * spread_n[0] + y[0] * spread_n[1]


def _invert_root(square: jax.Array) -> jax.Array:
    """1 / sqrt(x), and 0 at the epipole, which has no line."""
    has_line = square > 0
    return jnp.where(has_line, lax.rsqrt(jnp.where(has_line, square, 1)), 0)


def step_towards(
    motion: Motion, lines: Lines, weights: jax.Array, damping: jax.Array | float
) -> Motion:
    """One Gauss-Newton step on the weighted sum of squared distances.

    Args:
      motion: where the step begins.
      lines: of N pixels.
      weights: (N,).
      damping: added to the diagonal of the normal equations, which is scaled to 1.
    """
    distance, slopes = differentiate_distances(motion, lines)
    rows = jnp.concatenate([slopes, distance[None]])
    sums = jnp.matmul(weights * rows, rows.T, precision=lax.Precision.HIGHEST)
    diagonal = jnp.diagonal(sums)[:COORDINATES]
    size = lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1))
    matrix = [
        [sums[i, j] * size[i] * size[j] + (damping if i == j else 0) for j in range(i + 1)]
        for i in range(COORDINATES)
    ]
    side = [-sums[i, COORDINATES] * size[i] for i in range(COORDINATES)]
    factor, _ = decompose(matrix, float(jnp.finfo(sums.dtype).eps))
    step = jnp.stack(solve(factor, side)) * size
    length = jnp.sqrt(jnp.sum(step * step))
    return move(motion, step * jnp.minimum(1, _LONGEST / jnp.where(length > 0, length, 1)))
