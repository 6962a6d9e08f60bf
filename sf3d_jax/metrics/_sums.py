"""Counts and sums over the rows of maps, with twice the digits of a float.

A GPU takes a few launches of kernels for each step of a loop, so there all terms are summed by
reductions of several numbers at once, whose additions are those of double-floats. A CPU runs such a
reduction one element at a time; it adds parts of a row as vectors instead.
"""

import itertools
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, TypeAlias, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._numerics.double import Double, is_double
from sf3d_jax._numerics.platforms import choose_by_platform

T = TypeVar("T")

# Values per pixel, bool for a rate, and the pixels that count: both of one shape.
Terms: TypeAlias = tuple[jax.Array, jax.Array]


class Totals(NamedTuple):
    """What an update adds, one entry per term on the last axis.

    Attributes:
      counts: uint32, number of pixels or images.
      hits: uint32, number of those where a bool term is true.
      sums: sums of the other terms.
    """

    counts: jax.Array
    hits: jax.Array
    sums: Double


def sum_terms(terms: Sequence[Terms], dtype: np.dtype) -> Totals:
    """The counts and sums of each row and term, (rows, terms); the terms are maps (rows, n)."""
    masked = [
        (values & use if values.dtype == np.bool_ else jnp.where(use, values.astype(dtype), 0), use)
        for values, use in terms
    ]
    return _sum_masked(dtype, masked)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _sum_masked(dtype: np.dtype, terms: list[Terms]) -> Totals:
    """The totals of terms that are 0 or False where no pixel counts."""
    return choose_by_platform(partial(_sum_in_parts, dtype), partial(_reduce_terms, dtype), terms)


@_sum_masked.defjvp
def _sum_masked_jvp(
    dtype: np.dtype, primals: tuple[list[Terms]], tangents: tuple[list[Terms]]
) -> tuple[Totals, Totals]:
    totals = _sum_masked(dtype, *primals)
    zero = jnp.zeros_like(totals.sums.hi[:, 0])
    slopes = [x.sum(-1) if x.dtype == dtype else zero for x, _ in tangents[0]]
    # Whole numbers have no derivative; JAX asks for zeros of this type in its place.
    none = cast(jax.Array, np.zeros(totals.counts.shape, jax.dtypes.float0))
    return totals, Totals(none, none, Double.of(jnp.stack(slopes, -1)))


# At most this many terms, of a count and one or two numbers each, in one reduction: XLA computes
# at most 96 results and operands in one kernel.
_TERMS = 24


def _reduce_terms(dtype: np.dtype, terms: list[Terms]) -> Totals:
    widen = lambda x: x.astype(jnp.uint32) if x.dtype == np.bool_ else Double.of(x)
    wide = [(widen(values), use.astype(jnp.uint32)) for values, use in terms]
    parts = [wide[i : i + _TERMS] for i in range(0, len(wide), _TERMS)]
    totals = list(itertools.chain.from_iterable(_reduce(part, 1) for part in parts))
    counts = [count for _, count in totals]
    none = jnp.zeros_like(counts[0])
    hits = [none if isinstance(x, Double) else x for x, _ in totals]
    nothing = Double.of(none.astype(dtype))
    sums = [x if isinstance(x, Double) else nothing for x, _ in totals]
    stack = lambda *x: jnp.stack(x, -1)
    return Totals(stack(*counts), stack(*hits), jax.tree.map(stack, *sums))


def _reduce(tree: T, axis: int) -> T:
    """The sums of the leaves of a tree over one axis, as one reduction.

    A GPU adds in two stages and in any order. This changes no digit that counts: 0 + x is x, and
    each addition of double-floats of one sign is exact but for 2^-45 of its result (in float32).
    """
    add = lambda a, b: jax.tree.map(lambda x, y: x + y, a, b, is_leaf=is_double)
    start = jax.tree.map(lambda x: jnp.zeros((), x.dtype), tree)
    return cast(T, lax.reduce(tree, start, add, (axis,)))


def _sum_in_parts(dtype: np.dtype, terms: list[Terms]) -> Totals:
    counts, hits, numbers, places = [], [], [], []
    for i, (values, use) in enumerate(terms):
        counts.append(_count(use))
        if values.dtype == np.bool_:
            hits.append(_count(values))
        else:
            hits.append(jnp.zeros_like(counts[i]))
            numbers.append(_sum_in_eights(values))
            places.append(i)
    # Not constants, since in a shard_map they vary as the counts do.
    sums = Double.of(jnp.zeros_like(jnp.stack(counts, -1), dtype))
    if numbers:
        put = lambda x, y: x.at[:, np.array(places)].set(y)
        sums = jax.tree.map(put, sums, _sum_last_axis(jnp.stack(numbers, 1)))
    return Totals(jnp.stack(counts, -1), jnp.stack(hits, -1), sums)


# XLA on CPU sums an axis one element at a time, but adds eight parts of it as vectors.
_PARTS = 8
# The parts of an image that one step of a loop adds at once.
_ROWS = 64


def _split_last_axis(x: jax.Array) -> jax.Array:
    """The last axis as eight parts, (..., 8, n), padded with zeros."""
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % _PARTS)])
    return x.reshape(*x.shape[:-1], _PARTS, -1)


def _count(x: jax.Array) -> jax.Array:
    return _split_last_axis(x).sum(-2, dtype=jnp.uint8).sum(-1, dtype=jnp.uint32)


def _sum_in_eights(x: jax.Array) -> jax.Array:
    """Sums of eight numbers each, by additions in three levels, so rounded three times only."""
    x = _split_last_axis(x)
    while (half := x.shape[-2] // 2) > 0:
        x = x[..., :half, :] + x[..., half:, :]
    return x[..., 0, :]


def _sum_last_axis(x: jax.Array) -> Double:
    """The sums over the last axis, folded into rows and summed until one is left."""
    # Not plain zeros: shard_map must see that they differ between devices, as the sums do.
    total = Double(x, 0 * x)
    while (count := total.hi.shape[-1]) > 1:
        rows = min(count, _ROWS)
        pad = [(0, 0)] * (x.ndim - 1) + [(0, -count % rows)]
        fold = lambda y, pad=pad, rows=rows: jnp.moveaxis(
            jnp.pad(y, pad).reshape(*y.shape[:-1], rows, -1), -2, 0
        )
        total = _scan_first_axis(jax.tree.map(fold, total))
    return total[..., 0]


def sum_first_axis(x: Double) -> Double:
    """The sum over the first axis."""
    return choose_by_platform(_scan_first_axis, partial(_reduce, axis=0), x)


def _scan_first_axis(x: Double) -> Double:
    if x.hi.shape[0] == 1:  # JAX refuses a loop of no steps where jit is disabled.
        return x[0]
    return lax.scan(lambda total, y: (total + y, None), x[0], x[1:])[0]
