"""Eigenvectors of small symmetric matrices, entry by entry, for all matrices at once.

XLA's own decomposition takes the matrices of a batch one by one. Cyclic Jacobi sweeps are as exact
for any matrix, also with equal eigenvalues (Golub and Van Loan, "Matrix Computations", 8.5).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

# Sweeps converge quadratically: four leave float32's rounding, five float64's, and one is spare.
_SWEEPS = 6
_SIZE = 4
# A round rotates the axes at places 0 and 1, and those at 2 and 3, and moves the axes to other
# places. After three rounds, a sweep, each axis has met each other one and is where it was.
_ROUNDS = 3
_PLACES = (0, 2, 3, 1)
_Rows = list[list[jax.Array]]


def largest_eigenvector(
    matrix: Sequence[Sequence[jax.Array]],
) -> tuple[list[jax.Array], list[jax.Array]]:
    """The eigenvector of the largest eigenvalue of a symmetric 4 x 4 matrix of scalar maps.

    Returns:
      The vector, of length 1, and all eigenvalues, the largest first, the others in any order.
    """
    shape = jnp.broadcast_shapes(*(a.shape for row in matrix for a in row))
    start = [[jnp.broadcast_to(a, shape) for a in row] for row in matrix]
    zero = jnp.zeros_like(start[0][0])
    vectors = [[zero + float(i == j) for j in range(_SIZE)] for i in range(_SIZE)]
    turn = lambda _, x: _turn_round(*x)
    rows, columns = lax.fori_loop(0, _SWEEPS * _ROUNDS, turn, (start, vectors))
    values = [rows[i][i] for i in range(_SIZE)]
    vector = columns[0]
    for i in range(1, _SIZE):
        better = values[i] > values[0]
        vector = [jnp.where(better, a, b) for a, b in zip(columns[i], vector, strict=True)]
        values[0], values[i] = (
            jnp.where(better, values[i], values[0]),
            jnp.where(better, values[0], values[i]),
        )
    return vector, values


def _turn_round(rows: _Rows, columns: _Rows) -> tuple[_Rows, _Rows]:
    """Makes the entries of two pairs of axes zero, then moves the axes."""
    for p, q in ((0, 1), (2, 3)):
        rows, columns = _rotate(rows, columns, p, q)
    moved = [[rows[i][j] for j in _PLACES] for i in _PLACES]
    return moved, [columns[i] for i in _PLACES]


def _rotate(rows: _Rows, columns: _Rows, p: int, q: int) -> tuple[_Rows, _Rows]:
    """Rotates two axes so that the entry between them becomes zero."""
    difference, twice = rows[q][q] - rows[p][p], 2 * rows[p][q]
    length = jnp.abs(difference) + jnp.sqrt(difference * difference + twice * twice)
    sign = jnp.where(difference < 0, -1, 1).astype(length.dtype)
    tangent = jnp.where(length > 0, sign * twice / jnp.where(length > 0, length, 1), 0)
    cosine = lax.rsqrt(1 + tangent * tangent)
    sine = tangent * cosine

    def turn(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
        return cosine * a - sine * b, sine * a + cosine * b

    rows, columns = [list(row) for row in rows], [list(row) for row in columns]
    shrink = tangent * rows[p][q]
    rows[p][p], rows[q][q] = rows[p][p] - shrink, rows[q][q] + shrink
    rows[p][q] = rows[q][p] = jnp.zeros_like(shrink)
    for i in range(_SIZE):
        if i not in (p, q):
            rows[p][i], rows[q][i] = turn(rows[p][i], rows[q][i])
            rows[i][p], rows[i][q] = rows[p][i], rows[q][i]
    pairs = [turn(a, b) for a, b in zip(columns[p], columns[q], strict=True)]
    columns[p], columns[q] = [a for a, _ in pairs], [b for _, b in pairs]
    return rows, columns
