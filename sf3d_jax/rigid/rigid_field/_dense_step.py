"""The normal equations of a Gauss-Newton step on a field of transforms, summed over windows.

Pixel j of the window of pixel i has the ray r = (x, y, 1), the inverse depth d, and a flow that
changes the ray by (dx, dy) and the inverse depth by c. T_i = [I + D | t] moves its point by m / d,
with m = D r + d t. Then the ray is (x', y') = (x, y) + e, e = (m_xy - (x, y) m_z) / (1 + m_z), the
inverse depth is q = d / (1 + m_z), and

    residuals  (fx (dx - e_x), fy (dy - e_y), c + q m_z),
    rows       u: fx (q, 0, -x' q, -x' y', 1 + x'^2, -y')
               v: fy (0, q, -y' q, -(1 + y'^2), x' y', x')
               1/z: (0, 0, -q^2, -y' q, x' q, 0)

for a left twist (translation, rotation). RAFT-3D has (y', -x', 0) in the last three places of the
last row. All of it is differences, so that small motions keep their digits.
"""

import functools
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import mask
from sf3d_jax._numerics.vectors import Matrix, Vector, add, multiply, scale
from sf3d_jax.rigid.rigid_field._pairs import Keep, Pairwise

# Points closer than this, in metres, do not count, nor do residuals of more pixels.
_NEAREST = 0.1
LARGEST_RESIDUAL = 128.0

# A row of the Jacobian; None is 0.
_Row: TypeAlias = tuple[jax.Array | None, ...]
_TWIST = 6


class Middle(NamedTuple):
    """Maps of the pixel in the middle of a window.

    Attributes:
      turn: D = R - I.
      shift: t, metres.
      limits: the largest residual, as a change of the ray along x and y.
      embedding: a, (..., C, H, W).
    """

    turn: Matrix
    shift: Vector
    limits: Vector
    embedding: jax.Array


class Seen(NamedTuple):
    """Maps of a pixel of a window; all of them are 0 for one that does not count.

    Attributes:
      ray: x, y.
      inv_depth: d.
      change: dx, dy of the ray, and the change of the inverse depth.
      weights: fx^2, fy^2 and 1, times the three confidences.
      embedding: a, (..., C, H, W).
    """

    ray: Vector
    inv_depth: jax.Array
    change: Vector
    weights: Vector
    embedding: jax.Array


def make_equations(jacobian: str) -> Pairwise:
    """The function of a pair that gives its part of the normal equations.

    Args:
      jacobian: "exact" or "raft3d".

    Returns:
      A function of (Middle, Seen, keep). Its values are the 21 entries of the lower triangle of
      J^T W J, row by row, without the second, which is 0; then the 6 of J^T W r.
    """
    return partial(_find_equations, jacobian == "raft3d")


def _find_equations(has_old_row: bool, middle: Middle, seen: Seen, keep: Keep) -> Vector:
    x, y, d = *seen.ray, seen.inv_depth
    moved = keep(add(multiply(middle.turn, (x, y, jnp.ones_like(x))), scale(d, middle.shift)))
    ratio = 1 + moved[2]
    near = (ratio <= 0) | (ratio < _NEAREST * d)
    nearer = 1 / jnp.where(near, 1, ratio)
    ex, ey = (moved[0] - x * moved[2]) * nearer, (moved[1] - y * moved[2]) * nearer
    u, v, z = seen.change[0] - ex, seen.change[1] - ey, seen.change[2] + d * nearer * moved[2]
    limits = middle.limits
    counts = ~near & (jnp.abs(u) <= limits[0]) & (jnp.abs(v) <= limits[1])
    (distance,) = keep((_find_distance(middle.embedding, seen.embedding),))
    (weight,) = keep((mask(counts, lax.logistic(-distance)),))
    wu, wv, wz = scale(weight, seen.weights)
    values = x + ex, y + ey, d * nearer, u, v, z
    return _multiply_rows(has_old_row, *keep((*mask(counts, values), wu, wv, wz)))


@jax.custom_jvp
def _find_distance(a: jax.Array, b: jax.Array) -> jax.Array:
    """|a - b|^2, over the first axis.

    The terms are written out because XLA on CPU is slow at sums over a short axis.
    """
    return functools.reduce(jnp.add, [jnp.square(p - q) for p, q in zip(a, b, strict=True)])


@_find_distance.defjvp
def _find_distance_jvp(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    # The transpose is one loop over all channels.
    difference, change = primals[0] - primals[1], tangents[0] - tangents[1]
    return _find_distance(*primals), (2 * difference * change).sum(0)


def _multiply_rows(has_old_row: bool, *values: jax.Array) -> Vector:
    """J^T W J and J^T W r of one pair."""
    x, y, q, u, v, z, wu, wv, wz = values
    xy, xq, yq = x * y, x * q, y * q
    rows: list[_Row] = [
        (q, None, -xq, -xy, 1 + x * x, -y),
        (None, q, -yq, -(1 + y * y), xy, x),
        (None, None, -q * q, y, -x, None) if has_old_row else (None, None, -q * q, -yq, xq, None),
    ]
    weighted = [
        tuple(None if e is None else w * e for e in row)
        for w, row in zip((wu, wv, wz), rows, strict=True)
    ]
    entries = [
        _add_products([(w[i], row[j]) for w, row in zip(weighted, rows, strict=True)])
        for i in range(_TWIST)
        for j in range(i + 1)
        if (i, j) != (1, 0)
    ]
    sides = [
        _add_products([(w[i], r) for w, r in zip(weighted, (u, v, z), strict=True)])
        for i in range(_TWIST)
    ]
    return *entries, *sides


def _add_products(pairs: list[tuple[jax.Array | None, jax.Array | None]]) -> jax.Array:
    """The sum of the products of pairs without a zero, of which there is one at least."""
    first, *others = (a * b for a, b in pairs if a is not None and b is not None)
    for product in others:
        first = first + product
    return first
