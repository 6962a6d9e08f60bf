"""The rigid motion that fits points best, from their moments; for many small or large sets at once.

Let x be the points and s their motions, both minus their weighted means. With the moments
M = mean(w x x^T) and G = mean(w s x^T), the best rotation I + D maximises the trace of
(M + G)(I + D)^T. It starts from the largest eigenvector of Horn's 4 x 4 matrix (1987), which is
right at all angles. Newton's method then restores the digits of small motions: with

    B = G + (M + G) D^T,    A = sym(M + B),    H = trace(A) I - A,

the step is the turn by H^-1 vee(B), where vee(B) is the vector of the antisymmetric part, twice.
All terms of vee(B) are as small as the motion. H is also the exact Hessian, so

    dD = [H^-1 vee((dM + dG)(I + D)^T)] (I + D)

is the derivative of the optimum, whatever the singular values of M + G are; that of an SVD is
infinite where two are equal. H is singular for collinear and coincident points only.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import mask
from sf3d_jax._numerics.cholesky import decompose
from sf3d_jax._numerics.cholesky import solve as solve_factored
from sf3d_jax._numerics.vectors import Matrix, Vector, add, dot, multiply, scale, subtract
from sf3d_jax.rigid._eigenvectors import largest_eigenvector
from sf3d_jax.se3._turns import compose, from_cayley, from_quaternion

# Horn's start is right to rounding; each step squares its error.
_NEWTON_STEPS = 3
# A singular value below this many roundings of the moments is taken for 0.
_ROUNDINGS = 16
# The coordinates of points on a line leave it by up to this many roundings.
_COORDINATE_ROUNDINGS = 4
# A set is mirrored if a reflection leaves less than this share of a rotation's squared residual.
_MIRRORED = 0.25


class Moments(NamedTuple):
    """Weighted means of points x and motions s, and central second moments; of any shape.

    Attributes:
      weight: the sum of the weights; without any, all else is 0.
      point: mean of x.
      motion: mean of s.
      second: 3 x 3, mean of x x^T.
      mixed: 3 x 3, mean of s x^T.
      square: mean of |s|^2.
    """

    weight: jax.Array
    point: Vector
    motion: Vector
    second: Matrix
    mixed: Matrix
    square: jax.Array


class Fit(NamedTuple):
    """x goes to x + linear x + shift.

    Attributes:
      linear: 3 x 3, R - I, or s R - I with a scale; 0 where not valid.
      shift: the translation; 0 where not valid.
      valid: bool.
    """

    linear: Matrix
    shift: Vector
    valid: jax.Array


def fit(
    points: Vector, motions: Vector, weights: jax.Array, *, with_scale: bool = False
) -> tuple[Fit, Moments]:
    """Fits points along the last axis; the weights are finite and not negative."""
    moments = measure(points, motions, weights)
    return solve(moments, with_scale=with_scale), moments


def measure(points: Vector, motions: Vector, weights: jax.Array) -> Moments:
    """The moments along the last axis; the weights are finite and not negative.

    The means are subtracted first, so that far points keep the digits of their spread.
    """
    largest = lax.stop_gradient(weights.max(-1, initial=0))
    relative = weights / jnp.where(largest > 0, largest, 1)[..., None]
    total = relative.sum(-1)
    share = relative / jnp.where(total > 0, total, 1)[..., None]
    mean = lambda a: (share * a).sum(-1)
    point, motion = (tuple(mean(a) for a in v) for v in (points, motions))
    x, s = (
        tuple(a - b[..., None] for a, b in zip(v, middle, strict=True))
        for v, middle in ((points, point), (motions, motion))
    )
    upper = {(i, j): mean(x[i] * x[j]) for i in range(3) for j in range(i, 3)}
    second = tuple(tuple(upper[min(i, j), max(i, j)] for j in range(3)) for i in range(3))
    mixed = tuple(tuple(mean(a * b) for b in x) for a in s)
    return Moments(total * largest, point, motion, second, mixed, mean(dot(s, s)))


def solve(moments: Moments, *, with_scale: bool = False) -> Fit:
    """The best rigid motion, or similarity, of points with these moments.

    It is not valid for points on a line, for less than three, and for mirrored ones.
    """
    size = _trace(moments.second)
    known = size > float(jnp.finfo(size.dtype).tiny) * 2
    # The rotation does not depend on the unit of the moments, nor does its derivative.
    unit = lax.stop_gradient(jnp.where(known, size, 1))
    second, mixed = (tuple(tuple(a / unit for a in row) for row in m) for m in moments[3:5])
    turn, least, gap = find_turn(second, mixed)
    growth = _trace(_advance(second, mixed, turn)) / jnp.where(known, size / unit, 1)
    linear = turn
    if with_scale:
        linear = tuple(add(row, scale(growth, whole)) for row, whole in _with_identity(turn))
    safe = jnp.where(known, moments.square / unit, 0)
    left = _square_residual(second, mixed, safe, linear)
    rounding = float(jnp.finfo(size.dtype).eps)
    noise = _ROUNDINGS * rounding * (1 + sum(jnp.abs(a) for row in mixed for a in row))
    # A reflection would have the sum of the singular values larger by this.
    gain = jnp.maximum(-2 * least, 0)
    better = gain * (2 * (1 + growth) + gain) if with_scale else 2 * gain
    mirrored = (gain > 2 * noise) & (better > (1 - _MIRRORED) * left)
    reach = dot(moments.point, moments.point) + dot(moments.motion, moments.motion)
    floor = (_COORDINATE_ROUNDINGS * rounding) ** 2 * reach / unit
    valid = known & (gap > noise + floor) & ~mirrored
    linear, point, motion = mask(valid, (linear, moments.point, moments.motion))
    return Fit(linear, subtract(motion, multiply(linear, point)), valid)


@jax.custom_jvp
def find_turn(second: Matrix, mixed: Matrix) -> tuple[Matrix, jax.Array, jax.Array]:
    """D of the best rotation for M of trace 1 (or 0) and G.

    Returns:
      D; the smallest singular value of M + G, negative if its determinant is; and the sum of the
      two smallest, which is 0 where D is not unique. D's derivative there is 0; that of the values
      is always taken as 0.
    """
    whole = tuple(add(a, b) for a, b in zip(second, mixed, strict=True))
    trace, vector = _trace(whole), _antisymmetric(whole)
    rows = [(trace, *vector)]
    for i in range(3):
        side = [whole[i][j] + whole[j][i] - (trace if i == j else 0) for j in range(3)]
        rows.append((vector[i], *side))
    quaternion, values = largest_eigenvector(rows)
    first, *others = values
    highest, lowest = (
        jnp.maximum(jnp.maximum(others[0], others[1]), others[2]),
        jnp.minimum(jnp.minimum(others[0], others[1]), others[2]),
    )
    step = lambda _, turn: compose(from_cayley(_newton_step(second, mixed, turn)), turn)
    turn = lax.fori_loop(0, _NEWTON_STEPS, step, from_quaternion(quaternion))
    return turn, (first + lowest) / 2, (first - highest) / 2


@find_turn.defjvp
def _find_turn_jvp(
    primals: tuple[Matrix, Matrix], tangents: tuple[Matrix, Matrix]
) -> tuple[tuple[Matrix, jax.Array, jax.Array], tuple[Matrix, jax.Array, jax.Array]]:
    turn, least, gap = find_turn(*primals)
    second_dot, mixed_dot = tangents
    # M is symmetric, and so is its tangent: only its product with D turns.
    side = _antisymmetric(_advance(second_dot, mixed_dot, turn))
    x, y, z = _solve_hessian(*primals, turn, side)
    zero = jnp.zeros_like(x)
    hat = (zero, -z, y), (z, zero, -x), (-y, x, zero)
    columns = tuple(zip(*turn, strict=True))
    turn_dot = tuple(
        tuple(a + dot(row, column) for a, column in zip(row, columns, strict=True)) for row in hat
    )
    return (turn, least, gap), (turn_dot, jnp.zeros_like(least), jnp.zeros_like(gap))


def _newton_step(second: Matrix, mixed: Matrix, turn: Matrix) -> Vector:
    return _solve_hessian(second, mixed, turn, _antisymmetric(_advance(second, mixed, turn)))


def _advance(second: Matrix, mixed: Matrix, turn: Matrix) -> Matrix:
    """B = G + (M + G) D^T."""
    return tuple(
        tuple(g[j] + dot(add(m, g), turn[j]) for j in range(3))
        for m, g in zip(second, mixed, strict=True)
    )


def _solve_hessian(second: Matrix, mixed: Matrix, turn: Matrix, side: Vector) -> Vector:
    """H^-1 side; its pivots are clamped, and do not matter, where the motion is not unique."""
    whole = tuple(add(a, b) for a, b in zip(second, _advance(second, mixed, turn), strict=True))
    trace = _trace(whole)
    lower = [
        [(trace if i == j else 0) - (whole[i][j] + whole[j][i]) / 2 for j in range(i + 1)]
        for i in range(3)
    ]
    factor, _ = decompose(lower, float(jnp.finfo(trace.dtype).eps))
    return tuple(solve_factored(factor, side))


def _square_residual(second: Matrix, mixed: Matrix, square: jax.Array, linear: Matrix) -> jax.Array:
    """The mean of |s - linear x|^2."""
    pairs = [(g, a, multiply(second, a)) for g, a in zip(mixed, linear, strict=True)]
    return square + sum(dot(a, subtract(m, scale(2, g))) for g, a, m in pairs)


def _with_identity(turn: Matrix) -> list[tuple[Vector, Vector]]:
    """The rows of D, each with that of I + D."""
    return [
        (row, tuple(a + float(i == j) for j, a in enumerate(row))) for i, row in enumerate(turn)
    ]


def _trace(matrix: Matrix) -> jax.Array:
    return matrix[0][0] + matrix[1][1] + matrix[2][2]


def _antisymmetric(matrix: Matrix) -> Vector:
    """The vector v of the matrix minus its transpose, [v]."""
    (_, xy, xz), (yx, _, yz), (zx, zy, _) = matrix
    return zy - yz, xz - zx, yx - xy
