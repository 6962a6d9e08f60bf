"""Turns: rotations as their difference from the identity, D = R - I.

A small rotation differs from the identity by little, and R rounds that difference away: one of
1e-8 leaves the diagonal of a float32 matrix at 1. D keeps all digits, so formulas here take and
return D, as three rows of three scalar maps. With [w] the matrix of w x, the turn by w is

    D = a [w] + b [w]^2,    a = sin(theta) / theta,    b = (1 - cos(theta)) / theta^2,

and that of a quaternion (w, v) of any length is 2 (w [v] + [v]^2) / (w^2 + |v|^2). All derivatives
are finite at the identity, and those of `to_rotation_vector` also at half a turn.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import channels, channels_last
from sf3d_jax._numerics.vectors import Matrix, Vector, add, dot, multiply, scale, transpose

Rows: TypeAlias = Sequence[Sequence[jax.Array]]

# Below, a power series in the squared angle replaces the quotients, whose derivatives would lose
# digits. Its first term left out is below float64's rounding.
_SMALL_SQUARE = 1.0
_SERIES_TERMS = 10
# The same for the squared tangent of a quarter of the angle.
_SMALL_TANGENT = 0.16
_TANGENT_TERMS = 20


def from_rotation_vector(w: Sequence[jax.Array]) -> Matrix:
    """The turn by the angle |w| about the axis w."""
    a, b, _ = find_factors(dot(w, w))
    return combine(a, b, w)


def find_factors(square: jax.Array) -> Vector:
    """sin(x)/x, (1 - cos(x))/x^2 and (x - sin(x))/x^3 of the angle x with the given square."""
    small = square < _SMALL_SQUARE
    near, far = jnp.where(small, square, 0), jnp.where(small, 1, square)
    angle = jnp.sqrt(far)
    quotients = jnp.sin(angle) / angle, 2 * jnp.square(jnp.sin(angle / 2)) / far
    series = [_sum_powers(_list_factors(n), near) for n in (1, 2, 3)]
    closed = *quotients, (1 - quotients[0]) / far
    return tuple(jnp.where(small, x, y) for x, y in zip(series, closed, strict=True))


def find_inverse_factor(square: jax.Array) -> jax.Array:
    """(1 - a / (2 b)) / x^2 of an angle x of at most pi, with a and b as above."""
    a, b, _ = find_factors(square)
    small = square < _SMALL_SQUARE
    near, far = jnp.where(small, square, 0), jnp.where(small, 1, square)
    # The series of (2 b - a) / x^2.
    terms = [(-1) ** k * (2 * k + 2) / math.factorial(2 * k + 4) for k in range(_SERIES_TERMS)]
    return jnp.where(small, _sum_powers(terms, near), (2 * b - a) / far) / (2 * b)


def from_cayley(k: Sequence[jax.Array]) -> Matrix:
    """The turn of Cayley's vector k = 2 tan(angle / 2) axis."""
    return from_quaternion((jnp.full_like(k[0], 2), *k))


def from_quaternion(q: Sequence[jax.Array]) -> Matrix:
    """The turn of a quaternion (w, x, y, z) of any length but 0."""
    w, *v = q
    factor = 2 / (w * w + dot(v, v))
    return combine(factor * w, factor, v)


def from_rotation(rotation: Rows) -> Matrix:
    """D of a rounded rotation, with its digits.

    The antisymmetric part of R holds v = sin(angle) axis with all digits, and the symmetric part
    of D is (v v^T - |v|^2 I) / (1 + cos(angle)). For turns above a right angle D is R - I.
    """
    v = scale(0.5, _find_axis(rotation))
    cosine = (rotation[0][0] + rotation[1][1] + rotation[2][2] - 1) / 2
    small = cosine > 0
    exact = combine(jnp.ones_like(cosine), 1 / jnp.where(small, 1 + cosine, 1), v)
    return tuple(
        tuple(
            jnp.where(small, x, y - float(i == j))
            for j, (x, y) in enumerate(zip(*rows, strict=True))
        )
        for i, rows in enumerate(zip(exact, rotation, strict=True))
    )


def to_quaternion(turn: Rows) -> Vector:
    """The unit quaternion (w, x, y, z) with w >= 0; at half a turn its largest entry is positive.

    4 q q^T is linear in D. The root is taken of its largest diagonal entry, which is at least 1.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = turn
    v = _find_axis(turn)
    products = (
        (4 + xx + yy + zz, *v),
        (v[0], xx - yy - zz, xy + yx, xz + zx),
        (v[1], xy + yx, yy - xx - zz, yz + zy),
        (v[2], xz + zx, yz + zy, zz - xx - yy),
    )
    largest, row = products[0][0], products[0]
    for i in (1, 2, 3):
        better = products[i][i] > largest
        largest = jnp.where(better, products[i][i], largest)
        row = tuple(jnp.where(better, x, y) for x, y in zip(products[i], row, strict=True))
    sign = jnp.where(row[0] < 0, -0.5, 0.5).astype(largest.dtype)
    return scale(sign / jnp.sqrt(largest), row)


def to_rotation_vector(turn: Rows) -> Vector:
    """The vector of length at most pi about which D turns, by its length.

    With the unit quaternion (cos(x/2), sin(x/2) n), tan(x/4) = |v| / (1 + w), which has no
    singularity up to half a turn.
    """
    w, *v = to_quaternion(turn)
    half = 1 / (1 + w)
    return scale(4 * half * _find_angle_by_tangent(dot(v, v) * half * half), v)


def compose(second: Rows, first: Rows) -> Matrix:
    """The turn by `first`, then `second`: R2 R1 - I = D2 + D1 + D2 D1."""
    columns = transpose(first)
    return tuple(
        tuple(a + b + dot(row, column) for a, b, column in zip(row, other, columns, strict=True))
        for row, other in zip(second, first, strict=True)
    )


def turn_vector(turn: Rows, vector: Sequence[jax.Array]) -> Vector:
    """R x = x + D x."""
    return add(vector, multiply(turn, vector))


def split(transform: jax.Array) -> tuple[Matrix, Vector]:
    """The turn and the translation of a transform (..., 3, 4)."""
    rows = [channels(transform[..., i, :]) for i in range(3)]
    return from_rotation([row[:3] for row in rows]), tuple(row[3] for row in rows)


def join(turn: Rows, translation: Sequence[jax.Array]) -> jax.Array:
    """The transform (..., 3, 4) = [I + D | t]; all maps broadcast."""
    rows = [
        channels_last(*jnp.broadcast_arrays(*(x + float(i == j) for j, x in enumerate(row)), t))
        for i, (row, t) in enumerate(zip(turn, translation, strict=True))
    ]
    return jnp.stack(jnp.broadcast_arrays(*rows), axis=-2)


def combine(a: jax.Array, b: jax.Array, v: Sequence[jax.Array]) -> Matrix:
    """a [v] + b [v]^2, where [v]^2 = v v^T - |v|^2 I."""
    x, y, z = v
    (xx, yy, zz), (xy, xz, yz) = (x * x, y * y, z * z), (x * y, x * z, y * z)
    return (
        (-b * (yy + zz), b * xy - a * z, b * xz + a * y),
        (b * xy + a * z, -b * (xx + zz), b * yz - a * x),
        (b * xz - a * y, b * yz + a * x, -b * (xx + yy)),
    )


def _find_axis(matrix: Rows) -> Vector:
    """The vector of the matrix minus its transpose: 2 sin(angle) axis."""
    (_, xy, xz), (yx, _, yz), (zx, zy, _) = matrix
    return zy - yz, xz - zx, yx - xy


def _find_angle_by_tangent(square: jax.Array) -> jax.Array:
    """atan(t) / t for t^2 from 0 to 1."""
    small = square < _SMALL_TANGENT
    near, far = jnp.where(small, square, 0), jnp.where(small, 1, square)
    tangent = jnp.sqrt(far)
    coefficients = [(-1) ** k / (2 * k + 1) for k in range(_TANGENT_TERMS)]
    return jnp.where(small, _sum_powers(coefficients, near), jnp.arctan(tangent) / tangent)


def _list_factors(first: int) -> list[float]:
    """The coefficients 1/n!, -1/(n+2)!, ... of the entire functions above."""
    return [(-1) ** k / math.factorial(2 * k + first) for k in range(_SERIES_TERMS)]


def _sum_powers(coefficients: Sequence[float], x: jax.Array) -> jax.Array:
    """The sum of c_k x^k."""
    total = jnp.zeros_like(x)
    for c in reversed(coefficients):
        total = total * x + c
    return total
