"""Arguments of the functions on transforms: checks, broadcasting, and elements that are bad."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import align_ranks, is_in_range, mask, narrow, result_type, widen
from sf3d_jax._numerics.vectors import cross, dot

# The axes of one element behind those of the batch.
TRANSFORM = (3, 4)
TWIST = (6,)
POINT = (3,)
QUATERNION = (4,)
NUMBER = ()

# What a bad element is computed with; all formulas are smooth there.
_HARMLESS = {TRANSFORM: np.eye(3, 4), TWIST: np.zeros(6), POINT: np.zeros(3)}
_HARMLESS |= {QUATERNION: np.eye(4)[0], NUMBER: np.zeros(())}


def read_elements(
    **named: tuple[jax.Array, tuple[int, ...]],
) -> tuple[list[jax.Array], jax.Array, jnp.dtype]:
    """Checks arguments and replaces bad elements by harmless ones.

    Args:
      **named: (array, axes of one element) by argument name.

    Returns:
      The arrays, at least in float32, their batch axes of one rank; (*b), bool, where all are good;
      and the dtype that results have.
    """
    batches = {}
    for name, (x, trailing) in named.items():
        check_array(name, x, trailing)
        batches[name] = x.shape[: x.ndim - len(trailing)]
    rank = len(check_batch(**batches))
    dtype = result_type(*(x for x, _ in named.values()))
    good = jnp.ones((1,) * rank, bool)
    arrays = []
    for x, (_, trailing) in zip(
        widen(*(x for x, _ in named.values())), named.values(), strict=True
    ):
        (x,) = align_ranks(x, rank=rank + len(trailing))
        fits = _is_good(x, trailing)
        arrays.append(mask(fits, x, jnp.broadcast_to(_HARMLESS[trailing].astype(x.dtype), x.shape)))
        good = good & fits
    return arrays, good, dtype


def write_elements(result: jax.Array, good: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """The result in its dtype; 0 where an argument is bad or the result overflows."""
    shape = (
        *np.broadcast_shapes(good.shape, result.shape[: good.ndim]),
        *result.shape[good.ndim :],
    )
    good = jnp.broadcast_to(good, shape[: good.ndim]) & is_in_range(result).all(
        tuple(range(good.ndim, result.ndim))
    )
    return narrow(good, mask(good, jnp.broadcast_to(result, shape)), dtype)[0]


def is_rotation(determinant: jax.Array) -> jax.Array:
    """Whether a matrix is a rotation, by its determinant, which is then 1.

    A pose that was never set is zero: not invertible.
    """
    return determinant > 0.5


def _is_good(x: jax.Array, trailing: tuple[int, ...]) -> jax.Array:
    # Entry by entry: a reduction over a short axis would be a loop of its own.
    places = list(np.ndindex(trailing))
    entries = {place: jax.lax.stop_gradient(x[(..., *place)]) for place in places}
    good = functools.reduce(jnp.logical_and, [is_in_range(entries[place]) for place in places])
    if trailing == TRANSFORM:
        a, b, c = (tuple(entries[i, j] for j in range(3)) for i in range(3))
        good = good & is_rotation(dot(a, cross(b, c)))
    if trailing == QUATERNION:
        good = good & functools.reduce(jnp.logical_or, [entries[place] != 0 for place in places])
    return good
