"""Arithmetic on a camera's arrays, which are NumPy's or JAX's.

NumPy arrays stay so, because readers work in float64, and what is on a device stays there.
"""

from collections.abc import Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from sf3d_jax._numerics import Array, result_type
from sf3d_jax._numerics.concrete import read_known

# An array, a number, or nested lists of numbers.
ArrayOrLists: TypeAlias = ArrayLike | Sequence[object]


def match_array(array: Array, x: Array) -> tuple[Array, Array]:
    """Gives both arrays the higher rank of the two, and x the dtype of the first."""
    rank = max(array.ndim, x.ndim)
    array, x = (a.reshape((1,) * (rank - a.ndim) + a.shape) for a in (array, x))
    x = x.astype(array.dtype)
    # A transfer guard forbids implicit transfers, so send x explicitly.
    is_placed = isinstance(array, jax.Array) and not isinstance(array, jax.core.Tracer)
    return array, jax.device_put(x) if is_placed and isinstance(x, np.ndarray) else x


def to_floats(x: ArrayOrLists) -> Array:
    """Converts to an array of floating-point numbers; NumPy unless x is a JAX array."""
    array = x if isinstance(x, jax.Array) else np.asarray(x)
    if jnp.issubdtype(array.dtype, jnp.floating):
        return array
    return array.astype(jnp.float32 if isinstance(x, jax.Array) else np.float64)


def take_entry(matrices: Array, row: int, column: int) -> Array:
    """Takes one entry of matrices (*b, m, n), without sending its index to a device."""
    if isinstance(matrices, np.ndarray):
        return matrices[..., row, column]
    entry = matrices
    for axis, place in ((-2, row), (-1, column)):
        entry = jax.lax.slice_in_dim(entry, place, place + 1, axis=axis)
    return entry.reshape(matrices.shape[:-2])


def stack(x: ArrayLike, y: ArrayLike) -> Array:
    """Stacks (x, y) along a last axis; in NumPy if both are, because readers work in float64."""
    if isinstance(x, jax.Array) or isinstance(y, jax.Array):
        dtype = result_type(x, y)
        # Unsigned integers would wrap when they are negated.
        dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.float32
        # A transfer guard forbids implicit transfers, so send host numbers explicitly.
        send = lambda x: x if isinstance(x, jax.Array) else jax.device_put(np.asarray(x, dtype))
        both = jnp.broadcast_arrays(send(x).astype(dtype), send(y).astype(dtype))
        return jnp.stack(both, axis=-1)
    pair = np.stack(np.broadcast_arrays(x, y), axis=-1)
    return pair if np.issubdtype(pair.dtype, np.floating) else pair.astype(np.float64)


def read_pose(matrix: ArrayOrLists) -> Array:
    matrix = to_floats(matrix)
    if matrix.shape[-2:] not in ((3, 4), (4, 4)):
        raise ValueError(
            f"world_to_camera: expected (..., 3, 4) or (..., 4, 4), got {matrix.shape}"
        )
    if matrix.shape[-2] == 3:
        return matrix
    known = read_known(matrix)
    if known is not None and not (np.abs(known[..., 3:, :] - [0, 0, 0, 1]) < 1e-4).all():
        rows = known[..., 3:, :].tolist()
        raise ValueError(f"world_to_camera: expected the last row 0 0 0 1, got {rows}")
    return matrix[..., :3, :]
