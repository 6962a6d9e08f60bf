"""Operations on maps stored in arrays that may be larger, so that several sizes share one program.

A map of size (rows, columns) lies at the top left of an array (..., h, w). The rest of the array is
finite and never read as data: a window that reaches beyond the map reads its last row or column.
So results depend on the size of the array by rounding only. Sizes may be traced, shapes are
static.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import align_ranks, compute_once
from sf3d_jax._numerics.platforms import choose_by_platform

# (rows, columns): numbers or traced scalars.
Size: TypeAlias = tuple[float | jax.Array, ...]


def pad(x: jax.Array, rows: tuple[int, int], columns: tuple[int, int], **how: Any) -> jax.Array:
    """Pads a map by rows and columns before and after it; repeats the edge unless `how` differs."""
    return jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [rows, columns], **(how or {"mode": "edge"}))


def differences(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Computes the differences to the next entry of an array along u and v; 0 at the last."""
    return (
        pad(x[..., 1:] - x[..., :-1], (0, 0), (0, 1), constant_values=0),
        pad(x[..., 1:, :] - x[..., :-1, :], (0, 1), (0, 0), constant_values=0),
    )


def steps(x: jax.Array, size: Size) -> tuple[jax.Array, jax.Array]:
    """Computes the differences to the next pixel of a map along u and v; 0 from the last on."""
    along, down = differences(x)
    rows, columns = (jnp.arange(n, dtype=x.dtype) for n in x.shape[-2:])
    has_next = align_ranks(columns < size[1] - 1, (rows < size[0] - 1)[:, None], rank=x.ndim)
    return jnp.where(has_next[0], along, 0), jnp.where(has_next[1], down, 0)


def extend(x: jax.Array, size: Size) -> jax.Array:
    """Repeats the last row and column of a map over the rest of its array."""
    for axis in (-2, -1):
        x = extend_axis(x, axis, jnp.asarray(size[axis], jnp.int32))
    return x


def extend_axis(x: jax.Array, axis: int, length: jax.Array) -> jax.Array:
    """Repeats the last row, axis -2, or column, axis -1, over the rest of an array."""
    number = jnp.arange(x.shape[axis], dtype=jnp.int32)
    beyond = number.reshape(-1, *[1] * (-axis - 1)) > length - 1
    (beyond,) = align_ranks(beyond, rank=x.ndim)
    edge = lax.dynamic_slice_in_dim(x, length - 1, 1, axis=x.ndim + axis)
    # Otherwise XLA would compute the map again for every pixel of a window that reads it.
    extended: jax.Array = compute_once(jnp.where(beyond, edge, x))
    return extended


def swap(x: jax.Array) -> jax.Array:
    """Exchanges the first frames of all pairs, the first half of an array, with the next ones."""
    return jnp.roll(x, x.shape[0] // 2, axis=0)


def is_in_map(x: jax.Array, size: Size) -> jax.Array:
    """Whether pixels of an array belong to its map, (..., h, w) with the rank of the array."""
    rows, columns = (jnp.arange(n, dtype=jnp.int32) for n in x.shape[-2:])
    own = [
        n < jnp.asarray(length, jnp.int32) for n, length in ((rows, size[0]), (columns, size[1]))
    ]
    return align_ranks(own[0][:, None] & own[1][None], rank=x.ndim)[0]


def grid(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The columns and rows of a map's pixels, in its dtype and with its rank, at most three."""
    rows, columns = (jnp.arange(n, dtype=x.dtype) for n in x.shape[-2:])
    columns, rows = align_ranks(columns, rows[:, None], rank=min(x.ndim, 3))
    return columns, rows


def is_inside(u: jax.Array, v: jax.Array, size: Size, margin: float = 0.0) -> jax.Array:
    """Whether positions lie within `margin` of the rectangle of a map's pixel centres."""
    inside = [(x >= -margin) & (x <= n - 1 + margin) for x, n in ((u, size[1]), (v, size[0]))]
    return inside[0] & inside[1]


def resize(x: jax.Array, source: Size, target: Size, shape: tuple[int, ...]) -> jax.Array:
    """Resizes a map linearly, or with triangle weights where it shrinks.

    Only the first `source` old pixels count. Beyond the first `target` new pixels, the last
    repeats.
    """
    resize = partial(_resize_by_products, shape=shape), partial(_resize_by_sums, shape=shape)
    return choose_by_platform(*resize, x, tuple(source), tuple(target))


def _resize_by_products(
    x: jax.Array, source: Size, target: Size, *, shape: tuple[int, ...]
) -> jax.Array:
    rows, columns = (
        weights / weights.sum(1, keepdims=True)
        for weights in _weigh_triangles(x, source, target, shape)
    )
    return jnp.einsum("ij,...jk,lk->...il", rows, x, columns, precision="highest")


def _resize_by_sums(
    x: jax.Array, source: Size, target: Size, *, shape: tuple[int, ...]
) -> jax.Array:
    """Resizes by sums that compute their weights, as products of matrices compile for seconds."""
    rows, columns = _weigh_triangles(x, source, target, shape)
    x = _average(x[..., None, :, :], rows[:, :, None], -2)
    return _average(x[..., None, :], columns, -1)


def _average(x: jax.Array, weights: jax.Array, axis: int) -> jax.Array:
    """Averages along an axis with weights, both sums in one kernel."""
    (weights,) = align_ranks(weights, rank=x.ndim)
    weights = jnp.broadcast_to(weights, jnp.broadcast_shapes(weights.shape, x.shape))
    zeros = (jnp.zeros((), x.dtype),) * 2
    add = lambda a, b: (a[0] + b[0], a[1] + b[1])
    total, weight = lax.reduce((weights * x, weights), zeros, add, (weights.ndim + axis,))
    return total / weight


def _weigh_triangles(
    x: jax.Array, source: Size, target: Size, shape: tuple[int, ...]
) -> Iterator[jax.Array]:
    """Computes the weights (count, length) of old rows and columns for new ones, not normalized."""
    for s, t, length, count in zip(source, target, x.shape[-2:], shape, strict=True):
        s, t = jnp.asarray(s, x.dtype), jnp.asarray(t, x.dtype)
        scale = s / t
        new = jnp.minimum(jnp.arange(count, dtype=x.dtype), t - 1)[:, None]
        old = jnp.arange(length, dtype=x.dtype)[None]
        distance = jnp.abs((new + 0.5) * scale - 0.5 - old)
        weights = jnp.maximum(1 - distance / jnp.maximum(scale, 1), 0)
        yield jnp.where(old < s, weights, 0)


def add_up(x: jax.Array) -> jax.Array:
    """Sums a map (..., h, w) to (..., 1, 1), on CPU in an order independent of trailing zeros."""
    at_once = partial(jnp.sum, axis=(-2, -1), keepdims=True)
    return choose_by_platform(_add_up_pairs, at_once, x)


def _add_up_pairs(x: jax.Array) -> jax.Array:
    for axis in (-2, -1):
        while x.shape[axis] > 1:
            margin, none = (0, -x.shape[axis] % 8), (0, 0)
            x = pad(x, *((margin, none) if axis == -2 else (none, margin)), constant_values=0)
            cut = lambda i, x=x, axis=axis: lax.slice_in_dim(
                x, i, None, stride=8, axis=x.ndim + axis
            )
            pairs = [cut(i) + cut(i + 1) for i in range(0, 8, 2)]
            x = (pairs[0] + pairs[1]) + (pairs[2] + pairs[3])
    return x


def resize_to_nearest(
    x: jax.Array, source: Size, target: Size, shape: tuple[int, ...]
) -> jax.Array:
    """Resizes a map by taking, for each new pixel, the old one at its centre."""
    for axis, s, t, count in zip((-2, -1), source, target, shape, strict=True):
        centre = (jnp.arange(count, dtype=x.dtype) + 0.5) * (s / t)
        last = jnp.asarray(s, jnp.int32) - 1
        x = jnp.take(x, jnp.clip(jnp.floor(centre).astype(jnp.int32), 0, last), axis=axis)
    return x


def fill_unknown(x: jax.Array, known: jax.Array, size: Size) -> jax.Array:
    """Fills unknown pixels of a map (..., h, w) from the finest scale at which they are known."""
    fill = lambda x, known: _fill(x, known, size)

    def fill_if_needed(x: jax.Array, known: jax.Array) -> jax.Array:
        return lax.cond((known | ~is_in_map(x, size)).all(), lambda: x, lambda: fill(x, known))

    # A GPU would wait for the condition.
    return choose_by_platform(fill_if_needed, fill, x, known)


def _fill(x: jax.Array, known: jax.Array, size: Size) -> jax.Array:
    shape = x.shape[-2:]
    few = (shape[0] + 2) // 3, (shape[1] + 2) // 3
    known_x = jnp.stack([jnp.where(known, x, 0), known.astype(x.dtype)])

    def fill_from_coarser(_: jax.Array, state: tuple) -> tuple:
        result, found, small = state
        small = tuple(jnp.floor((n + 2) / 3) for n in small)
        total, weight = resize(known_x, whole, small, few)
        some = weight > 1e-4
        means = jnp.where(some, total / jnp.where(some, weight, 1), 0)
        value, share = resize(jnp.stack([means, some.astype(x.dtype)]), small, whole, shape)
        there = share > 1e-4
        result = jnp.where(~found & there, value / jnp.where(there, share, 1), result)
        return result, found | there, small

    whole = tuple(jnp.asarray(n, x.dtype) for n in size)
    state = known_x[0], known, whole
    return lax.fori_loop(0, _count_thirds(max(shape)), fill_from_coarser, state)[0]


def _count_thirds(n: int) -> int:
    """Counts how often a length is divided by three, and rounded up, until it is 1."""
    return 0 if n <= 1 else 1 + _count_thirds((n + 2) // 3)
