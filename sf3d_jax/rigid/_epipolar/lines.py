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

from sf3d_jax._numerics import align_ranks
from sf3d_jax._numerics.cholesky import decompose, solve
from sf3d_jax.rigid._ego.pixels import Pixels
from sf3d_jax.rigid._epipolar.pixels import spread_of_rays

COORDINATES = 5
# Longest step of the five coordinates together, in radians.
_LONGEST = 0.5


class Motion(NamedTuple):
    """A rotation and a direction of translation.

    Attributes:
      turn: (3, 3), D = R - I.
      direction: (3,), t with |t| = 1.
    """

    turn: jax.Array
    direction: jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Lines:
    """What e and n are made of, for each of N pixels or windows.

    Attributes:
      products: (12, N), what the coefficients of `_find_coefficients` multiply.
      ray: (3, N), r0.
      spread: (3, N), the entries xx, xy, yy of V.
    """

    products: jax.Array
    ray: jax.Array
    spread: jax.Array

    @property
    def change(self) -> tuple[jax.Array, jax.Array]:
        """x and y of r1 - r0, (N,) each."""
        return self.products[2], self.products[5]


def make_lines(pixels: Pixels) -> Lines:
    """The lines of pixels whose maps have any shape; it is kept behind the first axis."""
    x, y, dx, dy = pixels.x, pixels.y, pixels.dx, pixels.dy
    one = jnp.ones_like(x)
    changes = dx * x, dx * y, dx, dy * x, dy * y, dy
    squares = x * x, x * y, x, y * y, y, one
    return Lines(
        jnp.stack([*changes, *squares]), jnp.stack([x, y, one]), jnp.stack(spread_of_rays(pixels))
    )


def _find_coefficients(factor: jax.Array, turn: jax.Array) -> jax.Array:
    """The coefficients (..., 12) of e for E = G R = G + G D: of (r1 - r0)_i r0_j and of r0_i r0_j.

    e = (r1 - r0)^T E r0 + r0^T E r0, and r0^T G r0 = 0 for G = [t], so that all terms are small if
    the motion is. The first six coefficients are the rows x and y of E, which give n_x and n_y.

    Args:
      factor: (..., 3, 3), G.
      turn: (3, 3), D.
    """
    product = _multiply(factor, turn)
    essential = factor + product
    double = (factor + jnp.swapaxes(factor, -1, -2)) + (product + jnp.swapaxes(product, -1, -2))
    squares = [double[..., i, j] / (2 if i == j else 1) for i in range(3) for j in range(i, 3)]
    rows = essential[..., :2, :].reshape(*factor.shape[:-2], 6)
    return jnp.concatenate([rows, jnp.stack(squares, axis=-1)], axis=-1)


def _cross_matrix(vector: jax.Array) -> jax.Array:
    """[w], with [w] x = w x x, for vectors (..., 3)."""
    one, axes = align_ranks(vector[..., None, :], jnp.eye(3, dtype=vector.dtype))
    return jnp.cross(one, axes).swapaxes(-1, -2)


def move(motion: Motion, step: jax.Array) -> Motion:
    """The motion after a turn by Cayley's vector step[:3], and a step of t in two directions.

    Cayley's vector is k = 2 tan(angle / 2) axis, and D = ([k] + [k]^2 / 2) / (1 + |k|^2 / 4).
    """
    k, direction = step[:3], motion.direction
    across = _cross_matrix(k)
    turn = (across + 0.5 * _multiply(across, across)) / (1 + 0.25 * jnp.sum(k * k))
    moved = direction + _multiply(step[3:], _find_tangents(direction))
    length = jnp.sqrt(jnp.sum(moved * moved))
    return Motion(motion.turn + turn + _multiply(turn, motion.turn), moved / length)


def _find_tangents(t: jax.Array) -> jax.Array:
    """Two unit vectors (2, 3) at right angles to a unit vector, and to each other.

    The reflection that takes the z axis to t or -t takes the x and y axes there.
    """
    sign = jnp.where(t[2] < 0, -1, 1).astype(t.dtype)
    rest = t[:2] / (1 + jnp.abs(t[2]))
    return (
        jnp.eye(2, 3, dtype=t.dtype)
        - rest[:, None] * (t + sign * jnp.eye(3, dtype=t.dtype)[2])[None]
    )


def _multiply(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision=lax.Precision.HIGHEST)


def find_distances(motion: Motion, lines: Lines) -> jax.Array:
    """The signed distance of each pixel, (N,)."""
    coefficients = _find_coefficients(_cross_matrix(motion.direction)[None], motion.turn)
    e, _, _, n_spread_n = _measure(coefficients, lines)
    return e[0] * _invert_root(n_spread_n)


def differentiate_distances(motion: Motion, lines: Lines) -> tuple[jax.Array, jax.Array]:
    """The signed distances (N,), and their derivatives by the five coordinates (5, N)."""
    across = _cross_matrix(motion.direction)
    turned = _multiply(across, _cross_matrix(jnp.eye(3, dtype=across.dtype)))
    factors = [across[None], turned, _cross_matrix(_find_tangents(motion.direction))]
    both = _find_coefficients(jnp.concatenate(factors), motion.turn)
    e, n, spread_n, n_spread_n = _measure(both, lines)
    inverse = _invert_root(n_spread_n)
    growth = n[0][1:] * spread_n[0][None] + n[1][1:] * spread_n[1][None]
    share = (e[0] * inverse * inverse)[None]
    return e[0] * inverse, (e[1:] - share * growth) * inverse[None]


def _measure(
    coefficients: jax.Array, lines: Lines
) -> tuple[jax.Array, tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array], jax.Array]:
    """e and n = (n_x, n_y) for each of K rows of coefficients; V n and n^T V n for the first."""
    e = _multiply(coefficients, lines.products)
    x, y = (_multiply(coefficients[:, i : i + 3], lines.ray) for i in (0, 3))
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
      lines: those of N pixels.
      weights: (N,).
      damping: added to the diagonal of the normal equations, which is scaled to 1.
    """
    distance, slopes = differentiate_distances(motion, lines)
    rows = jnp.concatenate([slopes, distance[None]])
    sums = _multiply(weights[None] * rows, rows.T)
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
