"""Vectors of three and 3 x 3 matrices whose entries are scalar maps.

The entries are separate arrays because XLA on CPU vectorises over the pixels of a map, but not over
a last axis of three. Products are written out because a matrix product on a GPU would round to
fewer digits.
"""

from collections.abc import Sequence
from typing import TypeAlias

import jax

Vector: TypeAlias = tuple[jax.Array, ...]
# Rows of a 3 x 3 matrix.
Matrix: TypeAlias = tuple[Vector, ...]


def dot(a: Sequence[jax.Array], b: Sequence[jax.Array]) -> jax.Array:
    """a . b."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Sequence[jax.Array], b: Sequence[jax.Array]) -> Vector:
    """a x b."""
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def add(a: Sequence[jax.Array], b: Sequence[jax.Array]) -> Vector:
    """a + b."""
    return tuple(x + y for x, y in zip(a, b, strict=True))


def subtract(a: Sequence[jax.Array], b: Sequence[jax.Array]) -> Vector:
    """a - b."""
    return tuple(x - y for x, y in zip(a, b, strict=True))


def scale(factor: jax.Array | float, a: Sequence[jax.Array]) -> Vector:
    """factor a."""
    return tuple(factor * x for x in a)


def multiply(matrix: Sequence[Sequence[jax.Array]], vector: Sequence[jax.Array]) -> Vector:
    """matrix vector."""
    return tuple(dot(row, vector) for row in matrix)


def transpose(rows: Sequence[Sequence[jax.Array]]) -> Matrix:
    """The columns of a matrix as rows."""
    return tuple(zip(*rows, strict=True))
