"""Numerical pieces that every floor uses: masks, dtypes, channels, and the typed jit.

Validity has one meaning here. A number takes part if its magnitude lies inside
the range whose fourth power is still a normal number of its type, 3e-10 to 3e9 in
float32: then 1 / (d0 d1) and the square of that, which derivatives need, are
finite. Depths beyond 3e9 m, NaN and infinity are "no surface".

A formula of pixels is a function of one pixel's numbers, and `where_valid` evaluates it where the
pixels are valid. Everywhere else the value is 0 and so is every derivative, for which the formula
is given numbers at which it is smooth. Depth from inverse depth, for example:

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
and the third pixel: the transpose multiplies the 0 of the mask with an infinite slope.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeAlias, TypeVar, TypeVarTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Trees = TypeVarTuple("Trees")

Array: TypeAlias = jax.Array | np.ndarray
# A field of a pytree: an Array, None, or what a tree function such as jax.vmap put in its place.
Leaf: TypeAlias = Any
# A pytree of arrays, of any kind.
Tree: TypeAlias = Any


def jit(function: Callable[P, R], *, static: tuple[str, ...] = ()) -> Callable[P, R]:
    """jax.jit that keeps the types and the signature for editors and checkers."""
    return cast(Callable[P, R], jax.jit(function, static_argnames=static))


def result_type(*arrays: jax.typing.ArrayLike | jax.typing.DTypeLike) -> jnp.dtype:
    """jax.numpy.result_type, also where a user has forbidden implicit promotion."""
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*arrays)


def widen(*trees: *Trees) -> tuple[*Trees]:
    """The trees with every floating leaf in the widest type of all, float32 at least."""
    floating = [x for x in jax.tree.leaves(trees) if jnp.issubdtype(x.dtype, jnp.floating)]
    dtype = result_type(jnp.float32, *floating)
    cast_leaf = lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x
    return jax.tree.map(cast_leaf, trees)


def align_ranks(*arrays: jax.Array, rank: int = 0) -> tuple[jax.Array, ...]:
    """The arrays with axes of size 1 in front, up to the rank of the deepest one, or `rank`."""
    rank = max([rank, *(x.ndim for x in arrays)])
    return tuple(jnp.expand_dims(x, tuple(range(rank - x.ndim))) for x in arrays)


def and_valid(known: jax.Array, valid: jax.Array | None) -> jax.Array:
    """Which of the known pixels are also valid; all of them if None."""
    return known if valid is None else jnp.logical_and(*align_ranks(known, valid))


def limit_of(dtype: jax.typing.DTypeLike) -> float:
    """The magnitude below which numbers of a type are multiplied without overflow."""
    return float(jnp.finfo(dtype).tiny) ** -0.25


def is_in_range(x: jax.Array) -> jax.Array:
    """Whether x is a number, and small enough to be multiplied without overflow."""
    return jnp.abs(x) < limit_of(x.dtype)


def is_positive_finite(inv_depth: jax.Array) -> jax.Array:
    """Whether an inverse depth is that of a surface: positive, and so is its depth."""
    limit = limit_of(inv_depth.dtype)
    return (inv_depth > 1 / limit) & (inv_depth < limit)


def mask(valid: jax.Array, tree: T, otherwise: Tree = None) -> T:
    """The leaves of the tree where valid, elsewhere 0 or those of a tree like it.

    A leaf with more axes than `valid` has its channels there.
    """
    if otherwise is None:
        otherwise = jax.tree.map(lambda _: 0, tree)

    def select(x: jax.Array, y: jax.typing.ArrayLike) -> jax.Array:
        channels = (1,) * (x.ndim - valid.ndim)
        return jnp.where(valid.reshape(valid.shape + channels), x, jnp.asarray(y, x.dtype))

    return jax.tree.map(select, tree, otherwise)


# From the bits of x this has those of 1 / x to an eighth; each step cubes the error.
_RECIPROCAL_BITS = 0x7EF127EA
_RECIPROCAL_STEPS = 2


@jax.custom_jvp
def reciprocal(x: jax.Array) -> jax.Array:
    """1 / x of positive numbers whose reciprocal is normal, to one unit in the last place.

    XLA on CPU writes a division that several results share to memory and reads it back for
    each of them. Products it fuses, so in float32 this is made of them.
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
    """The tree unchanged, kept from being computed again for everything that uses it.

    XLA fuses what is cheap into the loop over its consumers, and a chain of hundreds of
    cheap operations with it. It does not fuse a division into several, so here is one, by a 1
    that XLA cannot see behind its barrier; a barrier around the tree is gone before fusion on
    CPU. A divisor that all numbers share would become a product with its reciprocal, so XLA
    cannot know either that they share it. Tangents and cotangents are kept likewise.

    Args:
      tree: floating arrays that many pixels, or many results, use.
      positive: for a tree of tangents, which may not choose their divisors, numbers above zero
        that broadcast against them.
    """
    one, two = jax.lax.optimization_barrier((jnp.ones(()), 2 * jnp.ones(())))

    def keep(x: jax.Array) -> jax.Array:
        always = x == x if positive is None else positive > 0
        return x / jnp.where(always, one, two).astype(x.dtype)

    return jax.tree.map(keep, tree)


def channels(x: jax.Array) -> tuple[jax.Array, ...]:
    """The channels of an array, (..., n), as n scalar maps."""
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
    """function(*pixels, parameters) where valid, 0 elsewhere, in value and in derivative.

    The derivative is taken at inputs that were masked on the way in, since a NaN
    masked on the way out is still in the derivative (0 * NaN). The value is masked
    on the way out, which is the same number at half the memory traffic.

    Args:
      function: elementwise in `pixels`; may return a tree of arrays.
      otherwise: for every entry of `pixels` a value at which `function` is smooth.
      valid: which pixels count.
      pixels: arrays with one number a pixel.
      parameters: a tree of what the pixels share.
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
    """Scalar maps of one shape as the channels of one array.

    A select on the channel's index compiles to one vectorised loop with interleaved
    stores, a stack to one strided loop a channel: half as fast (1080p, two cores).
    Mask the channels, not the result: XLA vectorises a select between scalar maps, and one
    whose condition it has to repeat for the channels it does not. The derivative is that of
    the stack, because its transpose slices where the select's sums over the short axis.
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
    """The tree in the type of the inputs; what overflows a narrow type becomes invalid."""
    narrowed = jax.tree.map(lambda x: x.astype(dtype), tree)
    if jnp.finfo(dtype).max >= jnp.finfo(jnp.float32).max:
        return narrowed, valid
    for x in jax.tree.leaves(narrowed):
        valid = valid & jnp.isfinite(x).all(axis=tuple(range(valid.ndim, x.ndim)))
    return mask(valid, narrowed), valid
