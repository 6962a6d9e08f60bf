"""Sums over windows in the forms that are fast on CPUs.

The speed depends on the form by a factor of five:

- XLA scatters on one core. It is fast for one, two, four or many channels, and in chunks whose
  updates stay in the cache.
- XLA writes a gather that two loops use to memory. So each loop gathers for itself, and the
  derivative gathers again.
- A sum over few channels is fast if it is written out, a sum over many channels if it is not.
"""

import functools
import math
from collections.abc import Callable
from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import Tree, channels, compute_once
from sf3d_jax.warping._windows.taps import (
    Maps,
    Totals,
    add_at,
    append_one,
    flatten,
    list_taps,
    pixels_at,
    zero_non_finite,
)

# Size of the updates of a chunk, which fit into the cache of a core.
_CHUNK_BYTES = 2**20
# Sums over up to this number of channels are written out.
_FEW = 8

T = TypeVar("T")
# Values, the first pixels of their windows, and a map for each pixel of a window.
_Chunk: TypeAlias = tuple[jax.Array, jax.Array, Maps]


def sum_windows_for_image_grad(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """Sums over windows in the form whose transpose with respect to the image is fast."""
    width, count = image.shape[-2:]
    parts = _split_channels(flatten(image))

    # Checkpointed, because a loop would copy the residuals stored for the derivative.
    @jax.checkpoint
    def sum_chunk(first: jax.Array, weights: Maps) -> jax.Array:
        taps = list(list_taps(weights, width))
        sum_part = lambda x: functools.reduce(
            jnp.add, (w[..., None] * pixels_at(x, first + i) for i, w in taps)
        )
        return jnp.concatenate([sum_part(x) for x in parts], axis=-1)

    return _map_chunks(sum_chunk, _count_chunks(first.shape, count), first, weights)


def sum_windows_for_weight_grad(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """Sums over windows in the form whose transpose with respect to the weights is fast."""
    weights = compute_once(weights, first + 1)
    width, count = image.shape[-2:]
    image = flatten(image)

    # Checkpointed, because the residuals would be all windows, written to memory.
    @jax.checkpoint
    def sum_chunk(first: jax.Array, weights: Maps) -> jax.Array:
        taps = [
            (w, zero_non_finite(pixels_at(image, first + i))) for i, w in list_taps(weights, width)
        ]
        if not 0 < count <= _FEW:
            return functools.reduce(jnp.add, (w[..., None] * tap for w, tap in taps))
        sums = [sum(w * tap[..., c] for w, tap in taps) for c in range(count)]
        return jnp.stack(sums, axis=-1)

    chunks = _count_chunks(first.shape, count)
    if count > _FEW:
        return _map_chunks(sum_chunk, chunks, first, weights)
    # All chunks at once, but in their shape, so that the cotangent has the shape that
    # `sum_windows_for_image_grad` uses, and XLA shares it.
    return sum_chunk(*_split_into_chunks((first, weights), chunks)).reshape(*first.shape, count)


def scatter(
    size: tuple[int, int], values: jax.Array, first: jax.Array, weights: Maps, areas: Maps | None
) -> Totals:
    """Adds values with weights, as `scatter_windows` does."""
    total = _scatter_values(size, values, first, weights)
    if areas is None:
        return total, total[..., -1]
    return total, _scatter_values(size, values[..., :0], first, areas)[..., 0]


def scatter_tangents(
    size: tuple[int, int],
    values: jax.Array,
    first: jax.Array,
    weights: Maps,
    values_dot: jax.Array,
    weights_dot: Maps,
    areas_dot: Maps | None,
) -> Totals:
    """The tangent of `scatter`, in forms whose transposes each gather for themselves."""
    change = _scatter_values_tangents(size, values, first, weights, values_dot, weights_dot)
    if areas_dot is None:
        return change, change[..., -1]
    none = values[..., :0]
    rest = _scatter_values_tangents(size, none, first, weights, values_dot[..., :0], areas_dot)
    return change, rest[..., 0]


def scatter_max(size: tuple[int, int], x: jax.Array, first: jax.Array, counts: Maps) -> jax.Array:
    """Finds the greatest x at each pixel of an image; -inf where none counts."""

    def raise_to(greatest: jax.Array, chunk: _Chunk) -> tuple[jax.Array, None]:
        x, first, counts = chunk
        for i, counting in list_taps(counts, size[1]):
            updates = jnp.where(counting, x, -jnp.inf)
            greatest = greatest.at[first + i].max(updates, mode="promise_in_bounds")
        return greatest, None

    greatest = jnp.full(math.prod(size), -jnp.inf, x.dtype)
    greatest = _scan_chunks(raise_to, greatest, _count_chunks(first.shape, 4), x, first, counts)
    return greatest.reshape(size)


def _scatter_values(
    size: tuple[int, int], values: jax.Array, first: jax.Array, weights: Maps
) -> jax.Array:
    """Adds values, with a 1 appended, to windows of an image with weights, (H, W, C + 1)."""
    count = values.shape[-1] + 1

    def add(totals: list[jax.Array], chunk: _Chunk) -> tuple[list[jax.Array], None]:
        values, first, weights = chunk
        parts = _split_channels(append_one(values))
        for i, w in list_taps(weights, size[1]):
            totals = [
                add_at(total, first + i, x * w[..., None])
                for total, x in zip(totals, parts, strict=True)
            ]
        return totals, None

    zeros = _split_channels(jnp.zeros((math.prod(size), count), values.dtype))
    totals = _scan_chunks(add, zeros, _count_chunks(first.shape, count), values, first, weights)
    return jnp.concatenate([x.reshape(*size, x.shape[-1]) for x in totals], axis=-1)


def _scatter_values_tangents(
    size: tuple[int, int],
    values: jax.Array,
    first: jax.Array,
    weights: Maps,
    values_dot: jax.Array,
    weights_dot: Maps,
) -> jax.Array:
    """The tangent of `_scatter_values`."""
    # Without this, XLA would repeat the gathers for every consumer of the weights' cotangents.
    weights_dot = compute_once(weights_dot, first + 1)
    count = values.shape[-1]
    zeros = lambda count: jnp.zeros((math.prod(size), count), values.dtype)

    def add_values(total: jax.Array, chunk: _Chunk) -> tuple[jax.Array, None]:
        values_dot, first, weights = chunk
        for i, w in list_taps(weights, size[1]):
            total = add_at(total, first + i, values_dot * w[..., None])
        return total, None

    def add_weights(total: jax.Array, chunk: _Chunk) -> tuple[jax.Array, None]:
        values, first, weights_dot = chunk
        values = append_one(values)
        for i, w in list_taps(weights_dot, size[1]):
            if count > _FEW:
                updates = values * w[..., None]
            else:
                updates = jnp.stack([x * w for x in channels(values)], axis=-1)
            total = add_at(total, first + i, updates)
        return total, None

    by_values = _scan_chunks(add_values, zeros(count), 1, values_dot, first, weights)
    chunks = _count_chunks(first.shape, count) if count > _FEW else 1
    change = _scan_chunks(
        add_weights, zeros(count + 1), chunks, values, _hide_from_sharing(first), weights_dot
    )
    change = change + jnp.pad(by_values, ((0, 0), (0, 1)))
    return change.reshape(*size, count + 1)


def _split_channels(x: jax.Array) -> list[jax.Array]:
    """Splits a few channels into groups of four, two or one; returns many in one piece."""
    count = x.shape[-1]
    if count >= _FEW or count in (0, 1, 2, 4):
        return [x]
    return list(lax.split(x, [size for size in (4, 2, 1) if count & size], axis=x.ndim - 1))


def _hide_from_sharing(index: jax.Array) -> jax.Array:
    """Returns the same indices in a form that XLA does not recognise, so gathers are not shared."""
    return index + lax.optimization_barrier(jnp.zeros((), index.dtype))


def _count_chunks(shape: tuple[int, ...], count: int) -> int:
    """Counts the equal chunks into which to split the rows of maps (m, n) of `count` channels."""
    rows = shape[0]
    wanted = math.ceil(4 * count * math.prod(shape) / _CHUNK_BYTES)
    if wanted <= 1:
        return 1
    return next((k for k in range(wanted, rows + 1) if rows % k == 0), max(rows, 1))


def _split_into_chunks(tree: T, chunks: int) -> T:
    """Reshapes maps (m, n, ...) to (chunks, m / chunks, n, ...)."""
    # Whole rows, because XLA does not make fast loops over parts of rows.
    return jax.tree.map(lambda x: x.reshape(chunks, x.shape[0] // chunks, *x.shape[1:]), tree)


def _map_chunks(function: Callable[..., jax.Array], chunks: int, *maps: Tree) -> jax.Array:
    """Applies the function to the maps, one chunk of rows at a time."""
    if chunks == 1:
        return function(*maps)
    result = lax.map(lambda chunk: function(*chunk), _split_into_chunks(maps, chunks))
    return result.reshape(chunks * result.shape[1], *result.shape[2:])


def _scan_chunks(
    add: Callable[[T, _Chunk], tuple[T, None]], total: T, chunks: int, *maps: *_Chunk
) -> T:
    """Adds all chunks of the maps to the total."""
    if chunks == 1:
        return add(total, maps)[0]
    return lax.scan(add, match_varying_axes(total, maps), _split_into_chunks(maps, chunks))[0]


def match_varying_axes(total: T, maps: Tree) -> T:
    """Makes the total vary over the same mesh axes as the maps; shard_map needs this in a loop."""
    numbers = [x.ravel()[0] for x in jax.tree.leaves(maps) if x.size]
    nothing = sum(jnp.where(False, x.astype(jnp.float32), 0) for x in numbers)
    return jax.tree.map(lambda x: x + jnp.asarray(nothing, x.dtype), total)
