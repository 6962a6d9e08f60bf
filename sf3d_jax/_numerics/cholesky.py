"""Cholesky decomposition of small matrices, entry by entry, for all pixels at once.

XLA's own decomposes the matrices of a batch one by one.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

# A lower triangle, row by row; entries are maps.
Lower = Sequence[Sequence[jax.Array]]


def decompose(matrix: Lower, tiny: float) -> tuple[list[list[jax.Array]], list[jax.Array]]:
    """L with L L^T = A, and the squared diagonal of L before it was clamped to at least `tiny`."""
    factor: list[list[jax.Array]] = []
    pivots = []
    for i, row in enumerate(matrix):
        line: list[jax.Array] = []
        for j, entry in enumerate(row):
            above = line if i == j else factor[j]
            rest = entry
            for k in range(j):
                rest = rest - line[k] * above[k]
            if i == j:
                pivots.append(rest)
                line.append(jnp.sqrt(jnp.maximum(rest, tiny)))
            else:
                line.append(rest / factor[j][j])
        factor.append(line)
    return factor, pivots


def solve_lower(factor: Lower, b: Sequence[jax.Array]) -> list[jax.Array]:
    """y with L y = b."""
    y: list[jax.Array] = []
    for row, side in zip(factor, b, strict=True):
        known = [a * c for a, c in zip(row, y, strict=False)]
        rest = side - functools.reduce(jnp.add, known) if known else side
        y.append(rest / row[-1])
    return y


def solve(factor: Lower, b: Sequence[jax.Array]) -> list[jax.Array]:
    """x with L L^T x = b."""
    x = solve_lower(factor, b)
    for i in reversed(range(len(x))):
        for j in range(i + 1, len(x)):
            x[i] = x[i] - factor[j][i] * x[j]
        x[i] = x[i] / factor[i][i]
    return x
