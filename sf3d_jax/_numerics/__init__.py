"""Numerical building blocks for all modules: masks, dtypes, channels, and the typed jit.

Validity has one meaning throughout. A positive number is valid if its fourth power and the
reciprocal of that are normal numbers of its type: 3e-10 to 3e9 in float32. Then 1 / (d0 d1) and
its square, which derivatives need, are finite. Depths beyond 3e9 m, NaN and infinity are
"no surface".

A per-pixel formula is a function of one pixel's numbers, and `where_valid` evaluates it where the
pixels are valid. Elsewhere the value and all derivatives are 0: there the formula is evaluated at
substitute numbers where it is smooth. Depth from inverse depth, for example:

    >>> import jax
    >>> import jax.numpy as jnp
    >>> def depth(inv_depth, scale):
    ...     return scale / inv_depth
    >>> def masked_depth(inv_depth):
    ...     valid = is_positive_finite(inv_depth)
    ...     at_one_metre = (1.0,)
    ...     return where_valid(depth, at_one_metre, valid, (inv_depth,), 2.0)
    >>> inv_depth = jnp.array([0.5, 0.0, jnp.nan])
    >>> masked_depth(inv_depth).tolist()
    [4.0, 0.0, 0.0]
    >>> jax.grad(lambda d: masked_depth(d).sum())(inv_depth).tolist()
    [-8.0, 0.0, 0.0]

`jnp.where(valid, scale / inv_depth, 0)` has the same values, but its gradient is NaN at the second
and the third pixel: the transpose multiplies the mask's 0 by an infinite slope.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, TypeVar, TypeVarTuple

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics.compiled import jit as jit

R = TypeVar("R")
T = TypeVar("T")
Trees = TypeVarTuple("Trees")

Array: TypeAlias = jax.Array | np.ndarray
# A field of a pytree: an Array, None, or any object that jax.vmap and the like put in its place.
Leaf: TypeAlias = Any
# Any pytree of arrays.
Tree: TypeAlias = Any


def result_type(*arrays: jax.typing.ArrayLike | jax.typing.DTypeLike) -> jnp.dtype:
    """jax.numpy.result_type that also works when the user has forbidden implicit promotion."""
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*arrays)


def widen(*trees: *Trees) -> tuple[*Trees]:
    """Casts every floating leaf to the widest type among them, at least float32."""
    floating = [x for x in jax.tree.leaves(trees) if jnp.issubdtype(x.dtype, jnp.floating)]
    dtype = result_type(jnp.float32, *floating)
    cast_leaf = lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x
    return jax.tree.map(cast_leaf, trees)


def align_ranks(*arrays: jax.Array, rank: int = 0) -> tuple[jax.Array, ...]:
    """Prepends axes of size 1 until all arrays have the highest rank of them, at least `rank`."""
    rank = max([rank, *(x.ndim for x in arrays)])
    return tuple(jnp.expand_dims(x, tuple(range(rank - x.ndim))) for x in arrays)


def and_valid(known: jax.Array, valid: jax.Array | None) -> jax.Array:
    """Returns known & valid, broadcast; `known` if `valid` is None."""
    return known if valid is None else jnp.logical_and(*align_ranks(known, valid))


def limit_of(dtype: jax.typing.DTypeLike) -> float:
    """The magnitude below which four numbers of a type multiply without overflow."""
    return float(jnp.finfo(dtype).tiny) ** -0.25


def is_in_range(x: jax.Array) -> jax.Array:
    """Whether x is not NaN and its magnitude is below `limit_of` its type."""
    return jnp.abs(x) < limit_of(x.dtype)


def is_positive_finite(inv_depth: jax.Array) -> jax.Array:
    """Whether an inverse depth is that of a surface: positive, neither too small nor too large."""
    limit = limit_of(inv_depth.dtype)
    return (inv_depth > 1 / limit) & (inv_depth < limit)


def mask(valid: jax.Array, tree: T, otherwise: Tree = None) -> T:
    """Replaces the leaves of a tree by 0, or by the leaves of `otherwise`, where not valid.

    The axes that a leaf has in addition to those of `valid` are its last ones, the channels.
    """
    if otherwise is None:
        otherwise = jax.tree.map(lambda _: 0, tree)

    def select(x: jax.Array, y: jax.typing.ArrayLike) -> jax.Array:
        channels = (1,) * (x.ndim - valid.ndim)
        return jnp.where(valid.reshape(valid.shape + channels), x, jnp.asarray(y, x.dtype))

    return jax.tree.map(select, tree, otherwise)


# Subtracting the bits of x from this gives 1 / x to within an eighth; each step cubes the error.
_RECIPROCAL_BITS = 0x7EF127EA
_RECIPROCAL_STEPS = 2


@jax.custom_jvp
def reciprocal(x: jax.Array) -> jax.Array:
    """1 / x for positive x whose reciprocal is a normal number, to one unit in the last place.

    XLA on CPU writes a division that several results share to memory and reads it back for
    each of them, but it fuses products. In float32, only products are used.
    """
    if x.dtype != jnp.float32:
        return 1 / x
    bits = jax.lax.bitcast_convert_type(x, jnp.int32)
    result = jax.lax.bitcast_convert_type(_RECIPROCAL_BITS - bits, jnp.float32)
    for _ in range(_RECIPROCAL_STEPS):
        rest = 1 - x * result
        result = result + result * (rest + rest * rest)
    return result


@reciprocal.defjvp
def _reciprocal_jvp(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    result = reciprocal(*primals)
    return result, -(result * result) * tangents[0]


def compute_once(tree: T, positive: jax.Array | None = None) -> T:
    """Returns the tree unchanged, but keeps XLA from recomputing it for every consumer.

    XLA fuses cheap operations, and chains of hundreds of them, into the loop of each consumer.
    It does not fuse a division into several loops, so this divides by a 1 that XLA cannot see
    behind a barrier. (On CPU, a barrier around the tree itself is removed before fusion.) XLA would
    turn a divisor shared by all numbers into a product with its reciprocal, so the divisor is
    chosen per number. The same holds for tangents and cotangents.

    Args:
      tree: floating arrays that many pixels, or many results, use.
      positive: numbers above zero that broadcast against the tree. Needed for a tree of tangents,
        because their divisors must not depend on them.
    """
    one, two = jax.lax.optimization_barrier((jnp.ones(()), 2 * jnp.ones(())))

    def keep(x: jax.Array) -> jax.Array:
        always = x == x if positive is None else positive > 0
        return x / jnp.where(always, one, two).astype(x.dtype)

    return jax.tree.map(keep, tree)


def store(x: jax.Array) -> jax.Array:
    """Returns x unchanged, but makes XLA write it in its dtype where that is narrower than float32.

    XLA drops a cast to bfloat16 that is followed by one back, and then writes float32 to memory,
    twice the bytes. The same holds for cotangents. For results that are written in any case.
    """
    return jax.lax.optimization_barrier(x) if x.dtype.itemsize < 4 else x


def channels(x: jax.Array) -> tuple[jax.Array, ...]:
    """Splits an array (..., n) into n scalar maps."""
    parts = jax.lax.split(x, (1,) * x.shape[-1], axis=x.ndim - 1)
    return tuple(part[..., 0] for part in parts)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def where_valid(
    function: Callable[..., R],
    otherwise: tuple[float, ...],
    valid: jax.Array,
    pixels: tuple[jax.Array, ...],
    parameters: Tree,
) -> R:
    """function(*pixels, parameters) where valid; elsewhere its value and derivative are 0.

    For the derivative the inputs are masked, because a NaN masked in the output would still
    reach the derivative (0 * NaN). For the value the output is masked, which gives the same
    numbers at half the memory traffic.

    Args:
      function: elementwise in `pixels`; may return a tree of arrays.
      otherwise: for every entry of `pixels` a value at which `function` is smooth.
      valid: bool, the pixels at which to evaluate the function.
      pixels: arrays with one number per pixel.
      parameters: tree of values shared by the pixels.
    """
    del otherwise
    return mask(valid, function(*pixels, parameters))


@where_valid.defjvp
def _where_valid_jvp(
    function: Callable[..., R],
    otherwise: tuple[float, ...],
    primals: tuple[jax.Array, tuple[jax.Array, ...], Tree],
    tangents: tuple[jax.Array, tuple[jax.Array, ...], Tree],
) -> tuple[R, R]:
    valid, pixels, parameters = primals
    _, pixels_dot, parameters_dot = tangents
    value, value_dot = jax.jvp(
        lambda pixels, parameters: function(*pixels, parameters),
        (mask(valid, pixels, otherwise), parameters),
        (mask(valid, pixels_dot), parameters_dot),
    )
    return mask(valid, value), mask(valid, value_dot)


@jax.custom_jvp
def channels_last(*channels: jax.Array) -> jax.Array:
    """Stacks scalar maps of one shape as the last axis of one array.

    A select on the channel index compiles to one vectorised loop with interleaved stores. A stack
    compiles to one strided loop per channel, which is half as fast (1080p, two cores).
    Mask the channels, not the result: XLA vectorises a select between scalar maps, but not one
    whose condition is repeated over channels. The derivative is that of the stack, whose
    transpose slices; the select's would sum over the short axis.
    """
    index = jnp.arange(len(channels))
    result = channels[-1][..., None]
    for i, channel in reversed(list(enumerate(channels[:-1]))):
        result = jnp.where(index == i, channel[..., None], result)
    return jnp.broadcast_to(result, (*result.shape[:-1], len(channels)))


@channels_last.defjvp
def _channels_last_jvp(
    channels: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array]:
    return channels_last(*channels), jnp.stack(tangents, axis=-1)


def narrow(valid: jax.Array, tree: T, dtype: jnp.dtype) -> tuple[T, jax.Array]:
    """Casts results to the dtype of the inputs; values that overflow it become invalid."""
    narrowed = jax.tree.map(lambda x: x.astype(dtype), tree)
    # A type with float32's exponents, such as bfloat16, overflows where float32 does. The test
    # would make XLA write all channels in float32 before the first is cast.
    if jnp.finfo(dtype).maxexp >= jnp.finfo(jnp.float32).maxexp:
        return narrowed, valid
    for x in jax.tree.leaves(narrowed):
        valid = valid & jnp.isfinite(x).all(axis=tuple(range(valid.ndim, x.ndim)))
    return mask(valid, narrowed), valid
