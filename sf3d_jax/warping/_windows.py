"""Weighted sums over windows of an image, the building blocks of warps, splats and derivatives.

With the first pixel (r, s) of the window of each n, and its weights w,

    window_sum[n, c] = sum over i, j of w[i][j][n] image[r[n] + i, s[n] + j, c]
    scatter_windows[r[n] + i, s[n] + j, c] += w[i][j][n] values[n, c], for all n, i, j

The result of the latter has one more channel, for values of 1. Both are linear in the image or the
values and in the weights, and each is the other's transpose. Windows lie in the image; `first` is
the index of their first pixel, r W + s. `fold_batch_into_rows` makes one tall image of a batch,
because XLA scatters three times as slowly under vmap.

On CPU, the speed depends on the form by a factor of five:

- XLA scatters on one core. It is fast for one, two, four or many channels, and in chunks whose
  updates stay in the cache.
- XLA writes a gather that two loops use to memory. So each loop gathers for itself, and the
  derivative gathers again.
- A sum over few channels is fast if it is written out, a sum over many channels if it is not.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import Array, Tree, channels, compute_once

# Size of the updates of a chunk, which fit into the cache of a core.
_CHUNK_BYTES = 2**20
# Sums over up to this number of channels are written out.
_FEW = 8

T = TypeVar("T")
# Rows of maps (m, n), one map for each pixel of a window.
Maps: TypeAlias = Sequence[Sequence[jax.Array]]
# Values, the first pixels of their windows, and a map for each pixel of a window.
_Chunk: TypeAlias = tuple[jax.Array, jax.Array, Maps]


def fold_batch_into_rows(tree: T, axis: int) -> T:
    """Joins a batch into one tall array by merging the rows, at the negative `axis`, with it."""

    def join(x: jax.Array) -> jax.Array:
        rows, rest = math.prod(x.shape[: x.ndim + axis + 1]), x.shape[x.ndim + axis + 1 :]
        return x.reshape(rows, *rest)

    return jax.tree.map(join, tree)


def products(across: Sequence[jax.Array], along: Sequence[jax.Array]) -> Maps:
    """Combines weights of rows and of columns into weights of a window's pixels."""
    return [[a * b for b in along] for a in across]


def window_sum(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """Sums over windows with weights, in the form that is fastest without derivatives.

    Args:
      image: (H, W, C); non-finite values count as 0.
      first: (m, n), integers, first pixels of the windows.
      weights: rows of maps (m, n).

    Returns:
      (m, n, C).
    """
    width = image.shape[1]
    image = _flatten(image)
    taps = list(_taps(weights, width))
    # Redirect zero-weight taps to a pixel that has weight, so that 0 * x keeps the sign of zero.
    anchor: jax.Array | int = 0
    for i, w in taps:
        anchor = jnp.where(w != 0, i, anchor)
    at = lambda i, w: _zero_non_finite(_pixels(image, first + jnp.where(w != 0, i, anchor)))
    terms = (w[..., None] * at(i, w) for i, w in taps)
    return functools.reduce(jnp.add, terms)


def window_sum_for_image_grad(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """`window_sum` in the form whose transpose with respect to the image is fast."""
    width, count = image.shape[-2:]
    parts = _split_channels(_flatten(image))

    # Checkpointed, because a loop would copy the residuals stored for the derivative.
    @jax.checkpoint
    def sum_chunk(first: jax.Array, weights: Maps) -> jax.Array:
        taps = list(_taps(weights, width))
        sum_part = lambda x: functools.reduce(
            jnp.add, (w[..., None] * _pixels(x, first + i) for i, w in taps)
        )
        return jnp.concatenate([sum_part(x) for x in parts], axis=-1)

    return _map_chunks(sum_chunk, _count_chunks(first.shape, count), first, weights)


def window_sum_for_weight_grad(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """`window_sum` in the form whose transpose with respect to the weights is fast."""
    weights = compute_once(weights, first + 1)
    width, count = image.shape[-2:]
    image = _flatten(image)

    # Checkpointed, because the residuals would be all windows, written to memory.
    @jax.checkpoint
    def sum_chunk(first: jax.Array, weights: Maps) -> jax.Array:
        taps = [(w, _zero_non_finite(_pixels(image, first + i))) for i, w in _taps(weights, width)]
        if not 0 < count <= _FEW:
            return functools.reduce(jnp.add, (w[..., None] * tap for w, tap in taps))
        sums = [sum(w * tap[..., c] for w, tap in taps) for c in range(count)]
        return jnp.stack(sums, axis=-1)

    chunks = _count_chunks(first.shape, count)
    if count > _FEW:
        return _map_chunks(sum_chunk, chunks, first, weights)
    # All chunks at once, but in their shape, so that the cotangent has the shape that
    # `window_sum_for_image_grad` uses, and XLA shares it.
    return sum_chunk(*_split_into_chunks((first, weights), chunks)).reshape(*first.shape, count)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def scatter_windows(
    size: tuple[int, int], values: jax.Array, first: jax.Array, weights: Maps
) -> jax.Array:
    """Adds values, with a 1 appended, to windows of an image with weights.

    Args:
      size: (H, W).
      values: (m, n, C); non-finite values count as 0.
      first: (m, n), integers, first pixels of the windows.
      weights: rows of maps (m, n).

    Returns:
      (H, W, C + 1); the last channel is the sum of the weights.
    """
    count = values.shape[-1] + 1

    def add(totals: list[jax.Array], chunk: _Chunk) -> tuple[list[jax.Array], None]:
        values, first, weights = chunk
        parts = _split_channels(_append_one(values))
        for i, w in _taps(weights, size[1]):
            totals = [
                _add_at(total, first + i, x * w[..., None])
                for total, x in zip(totals, parts, strict=True)
            ]
        return totals, None

    zeros = _split_channels(jnp.zeros((math.prod(size), count), values.dtype))
    totals = _scan_chunks(add, zeros, _count_chunks(first.shape, count), values, first, weights)
    return jnp.concatenate([x.reshape(*size, x.shape[-1]) for x in totals], axis=-1)


@scatter_windows.defjvp
def _scatter_windows_jvp(
    size: tuple[int, int], primals: _Chunk, tangents: _Chunk
) -> tuple[jax.Array, jax.Array]:
    """Computes the tangent in forms whose transposes each gather for themselves."""
    (values, first, weights), (values_dot, _, weights_dot) = primals, tangents
    # Without this, XLA would repeat the gathers for every consumer of the weights' cotangents.
    weights_dot = compute_once(weights_dot, first + 1)
    count = values.shape[-1]
    zeros = lambda count: jnp.zeros((math.prod(size), count), values.dtype)

    def add_values(total: jax.Array, chunk: _Chunk) -> tuple[jax.Array, None]:
        values_dot, first, weights = chunk
        for i, w in _taps(weights, size[1]):
            total = _add_at(total, first + i, values_dot * w[..., None])
        return total, None

    def add_weights(total: jax.Array, chunk: _Chunk) -> tuple[jax.Array, None]:
        values, first, weights_dot = chunk
        values = _append_one(values)
        for i, w in _taps(weights_dot, size[1]):
            if count > _FEW:
                updates = values * w[..., None]
            else:
                updates = jnp.stack([x * w for x in channels(values)], axis=-1)
            total = _add_at(total, first + i, updates)
        return total, None

    by_values = _scan_chunks(add_values, zeros(count), 1, values_dot, first, weights)
    chunks = _count_chunks(first.shape, count) if count > _FEW else 1
    change = _scan_chunks(
        add_weights, zeros(count + 1), chunks, values, _hide_from_sharing(first), weights_dot
    )
    change = change + jnp.pad(by_values, ((0, 0), (0, 1)))
    return scatter_windows(size, *primals), change.reshape(*size, count + 1)


def scatter_max(size: tuple[int, int], x: jax.Array, first: jax.Array, counts: Maps) -> jax.Array:
    """For each pixel of an image, the greatest x, (m, n), of windows that count there; or -inf.

    Passes no gradient: a small step does not change which x is the greatest.
    """
    x, counts = lax.stop_gradient((x, counts))

    def raise_to(greatest: jax.Array, chunk: _Chunk) -> tuple[jax.Array, None]:
        x, first, counts = chunk
        for i, counting in _taps(counts, size[1]):
            updates = jnp.where(counting, x, -jnp.inf)
            greatest = greatest.at[first + i].max(updates, mode="promise_in_bounds")
        return greatest, None

    greatest = jnp.full(math.prod(size), -jnp.inf, x.dtype)
    greatest = _scan_chunks(raise_to, greatest, _count_chunks(first.shape, 4), x, first, counts)
    return greatest.reshape(size)


def windows(x: jax.Array, first: jax.Array, taps: int) -> Maps:
    """Gathers the values of a map (H, W) in windows."""
    at = lambda i, j: _pixels(x.reshape(-1), first + (i * x.shape[1] + j))
    return [[at(i, j) for j in range(taps)] for i in range(taps)]


def window_marks(marks: jax.Array, first: Array, taps: int) -> Maps:
    """Gathers the values of a boolean map (H, W) in windows.

    Packs the marks of the window that starts at each pixel into bits, so that one gather suffices.
    """
    dtype = jnp.uint8 if taps * taps <= 8 else jnp.uint16
    width, flat = marks.shape[1], marks.reshape(-1)
    places = [
        (i * width + j, jnp.asarray(1 << (i * taps + j), dtype))
        for i in range(taps)
        for j in range(taps)
    ]
    # Padding only: no window extends beyond the last row.
    padded = jnp.pad(flat, (0, (taps - 1) * (width + 1)))
    each = [jnp.where(padded[at : at + flat.size], bit, 0) for at, bit in places]
    bits = _pixels(functools.reduce(jnp.bitwise_or, each), first)
    return [[(bits & places[i * taps + j][1]) > 0 for j in range(taps)] for i in range(taps)]


def _taps(maps: Maps, width: int) -> Iterator[tuple[int, jax.Array]]:
    """Yields (offset from the first pixel, map) for each pixel of a window."""
    for i, row in enumerate(maps):
        for j, x in enumerate(row):
            yield i * width + j, x


def _flatten(image: jax.Array) -> jax.Array:
    """Reshapes an image to its pixels, (H W, C)."""
    height, width, count = image.shape
    return image.reshape(height * width, count)


def _pixels(image: jax.Array, index: Array) -> jax.Array:
    return jnp.asarray(image).at[index].get(mode="promise_in_bounds")


def _add_at(image: jax.Array, index: jax.Array, updates: jax.Array) -> jax.Array:
    return image.at[index].add(updates, mode="promise_in_bounds")


def _zero_non_finite(x: jax.Array) -> jax.Array:
    return jnp.where(jnp.isfinite(x), x, 0)


def _append_one(values: jax.Array) -> jax.Array:
    return jnp.concatenate(
        [_zero_non_finite(values), jnp.ones((*values.shape[:-1], 1), values.dtype)], axis=-1
    )


def _split_channels(x: jax.Array) -> list[jax.Array]:
    """Splits a few channels into groups of four, two or one; returns many in one piece."""
    count = x.shape[-1]
    if jax.default_backend() != "cpu" or count >= _FEW or count in (0, 1, 2, 4):
        return [x]
    return list(lax.split(x, [size for size in (4, 2, 1) if count & size], axis=x.ndim - 1))


def _hide_from_sharing(index: jax.Array) -> jax.Array:
    """Returns the same indices in a form that XLA does not recognise, so gathers are not shared."""
    return index + lax.optimization_barrier(jnp.zeros((), index.dtype))


def _count_chunks(shape: tuple[int, ...], count: int) -> int:
    """Counts the equal chunks into which to split the rows of maps (m, n) of `count` channels."""
    rows = shape[0]
    wanted = math.ceil(4 * count * math.prod(shape) / _CHUNK_BYTES)
    if jax.default_backend() != "cpu" or wanted <= 1:
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
