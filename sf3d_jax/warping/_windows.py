"""Sums over windows of an image: what warps, splats and their derivatives are made of.

With the first pixel (r, s) of the window of every n and its weights w,

    window_sum[n, c] = sum over i, j of w[i][j][n] image[r[n] + i, s[n] + j, c]
    scatter_windows[r[n] + i, s[n] + j, c] += w[i][j][n] values[n, c], for all n, i, j

with one more channel of the latter, for values of 1. Both are linear in what they carry, and in the
weights, and each is the other's transpose. Windows lie in the image; `first` is the number of
their first pixel, r W + s. `fold_batch_into_rows` makes one tall image of a batch of images: mapped
over one by one (vmap), XLA scatters three times as slowly.

XLA on CPU decides by the form how fast they are, by a factor of five:

- It scatters on one core, is fast with one, two or four channels or many, and in chunks whose
  updates stay in the cache.
- A gather that two loops use is written to memory first. So what is for one loop is gathered for
  it, and for derivatives again.
- A sum over a few channels is fast when it is written out, one over many when it is not.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import Array, Tree, channels, compute_once

# Of a chunk's updates: they fit into the cache of a core.
_CHUNK_BYTES = 2**20
# So many channels are written out.
_FEW = 8

T = TypeVar("T")
# Rows of maps (m, n): one for each pixel of a window.
Maps: TypeAlias = Sequence[Sequence[jax.Array]]
# Values, the first pixels of their windows, and what the pixels of these have.
_Chunk: TypeAlias = tuple[jax.Array, jax.Array, Maps]


def fold_batch_into_rows(tree: T, axis: int) -> T:
    """Arrays of a batch as one: their rows, of this axis from the end, follow each other."""

    def join(x: jax.Array) -> jax.Array:
        rows, rest = math.prod(x.shape[: x.ndim + axis + 1]), x.shape[x.ndim + axis + 1 :]
        return x.reshape(rows, *rest)

    return jax.tree.map(join, tree)


def products(across: Sequence[jax.Array], along: Sequence[jax.Array]) -> Maps:
    """The weights of windows, from those of their rows and of their columns."""
    return [[a * b for b in along] for a in across]


def window_sum(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """Weighted sums over windows, in the form that is fast.

    Args:
      image: (H, W, C); what is not finite counts as 0.
      first: (m, n), integers.
      weights: rows of maps (m, n).

    Returns:
      (m, n, C).
    """
    width = image.shape[1]
    image = _flatten(image)
    taps = list(_taps(weights, width))
    # What has no weight looks where something has: times 0 that keeps the sign of a zero.
    anchor: jax.Array | int = 0
    for i, w in taps:
        anchor = jnp.where(w != 0, i, anchor)
    at = lambda i, w: _zero_unless_finite(_pixels(image, first + jnp.where(w != 0, i, anchor)))
    terms = (w[..., None] * at(i, w) for i, w in taps)
    return functools.reduce(jnp.add, terms)


def window_sum_for_image_grad(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """As `window_sum`, in the form whose transpose, by the image, is fast."""
    width, count = image.shape[-2:]
    parts = _parts(_flatten(image))

    # Nothing is kept for the derivative: in a loop it would be copied.
    @jax.checkpoint
    def of_chunk(first: jax.Array, weights: Maps) -> jax.Array:
        taps = list(_taps(weights, width))
        of_part = lambda x: functools.reduce(
            jnp.add, (w[..., None] * _pixels(x, first + i) for i, w in taps)
        )
        return jnp.concatenate([of_part(x) for x in parts], axis=-1)

    return _map_chunks(of_chunk, _count_chunks(first.shape, count), first, weights)


def window_sum_for_weight_grad(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """As `window_sum`, in the form whose transpose, by the weights, is fast."""
    weights = compute_once(weights, first + 1)
    width, count = image.shape[-2:]
    image = _flatten(image)

    # Nor here, where all windows would be written to memory.
    @jax.checkpoint
    def of_chunk(first: jax.Array, weights: Maps) -> jax.Array:
        taps = [
            (w, _zero_unless_finite(_pixels(image, first + i))) for i, w in _taps(weights, width)
        ]
        if not 0 < count <= _FEW:
            return functools.reduce(jnp.add, (w[..., None] * tap for w, tap in taps))
        sums = [sum(w * tap[..., c] for w, tap in taps) for c in range(count)]
        return jnp.stack(sums, axis=-1)

    chunks = _count_chunks(first.shape, count)
    if count > _FEW:
        return _map_chunks(of_chunk, chunks, first, weights)
    # All chunks at once, in the shape of chunks: then `window_sum_for_image_grad` shares its
    # cotangent with this.
    return of_chunk(*_split_into_chunks((first, weights), chunks)).reshape(*first.shape, count)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def scatter_windows(
    size: tuple[int, int], values: jax.Array, first: jax.Array, weights: Maps
) -> jax.Array:
    """Values, and after them a 1, added to windows of an image with their weights.

    Args:
      size: (H, W).
      values: (m, n, C); what is not finite counts as 0.
      first: (m, n), integers.
      weights: rows of maps (m, n).

    Returns:
      (H, W, C + 1); the last channel is the sum of the weights.
    """
    count = values.shape[-1] + 1

    def add(totals: list[jax.Array], chunk: _Chunk) -> tuple[list[jax.Array], None]:
        values, first, weights = chunk
        parts = _parts(_append_one(values))
        for i, w in _taps(weights, size[1]):
            totals = [
                _add_at(total, first + i, x * w[..., None])
                for total, x in zip(totals, parts, strict=True)
            ]
        return totals, None

    zeros = _parts(jnp.zeros((math.prod(size), count), values.dtype))
    totals = _scan_chunks(add, zeros, _count_chunks(first.shape, count), values, first, weights)
    return jnp.concatenate([x.reshape(*size, x.shape[-1]) for x in totals], axis=-1)


@scatter_windows.defjvp
def _scatter_windows_jvp(
    size: tuple[int, int], primals: _Chunk, tangents: _Chunk
) -> tuple[jax.Array, jax.Array]:
    """The tangent, in forms whose transposes gather, each for itself."""
    (values, first, weights), (values_dot, _, weights_dot) = primals, tangents
    # The sums for the weights are kept, or the gathers would be for all that needs them.
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
    """The greatest x, (m, n), of those whose windows count at a pixel of an image; or -inf.

    A constant: which one wins does not change with a small step.
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
    """The values of a map (H, W) in windows."""
    at = lambda i, j: _pixels(x.reshape(-1), first + (i * x.shape[1] + j))
    return [[at(i, j) for j in range(taps)] for i in range(taps)]


def window_marks(marks: jax.Array, first: Array, taps: int) -> Maps:
    """Which pixels of windows are marked in a map (H, W) of bool.

    One gather for all: each pixel of the map knows the marks of its window, as bits.
    """
    dtype = jnp.uint8 if taps * taps <= 8 else jnp.uint16
    width, flat = marks.shape[1], marks.reshape(-1)
    places = [
        (i * width + j, jnp.asarray(1 << (i * taps + j), dtype))
        for i in range(taps)
        for j in range(taps)
    ]
    # What lies beyond the last row is in no window.
    padded = jnp.pad(flat, (0, (taps - 1) * (width + 1)))
    each = [jnp.where(padded[at : at + flat.size], bit, 0) for at, bit in places]
    bits = _pixels(functools.reduce(jnp.bitwise_or, each), first)
    return [[(bits & places[i * taps + j][1]) > 0 for j in range(taps)] for i in range(taps)]


def _taps(maps: Maps, width: int) -> Iterator[tuple[int, jax.Array]]:
    """The maps, each with how far its pixel is from the first one."""
    for i, row in enumerate(maps):
        for j, x in enumerate(row):
            yield i * width + j, x


def _flatten(image: jax.Array) -> jax.Array:
    """The pixels of an image, (H W, C)."""
    height, width, count = image.shape
    return image.reshape(height * width, count)


def _pixels(image: jax.Array, index: Array) -> jax.Array:
    return jnp.asarray(image).at[index].get(mode="promise_in_bounds")


def _add_at(image: jax.Array, index: jax.Array, updates: jax.Array) -> jax.Array:
    return image.at[index].add(updates, mode="promise_in_bounds")


def _zero_unless_finite(x: jax.Array) -> jax.Array:
    return jnp.where(jnp.isfinite(x), x, 0)


def _append_one(values: jax.Array) -> jax.Array:
    return jnp.concatenate(
        [_zero_unless_finite(values), jnp.ones((*values.shape[:-1], 1), values.dtype)], axis=-1
    )


def _parts(x: jax.Array) -> list[jax.Array]:
    """The channels in groups of four, two or one, where there are few."""
    count = x.shape[-1]
    if jax.default_backend() != "cpu" or count >= _FEW or count in (0, 1, 2, 4):
        return [x]
    return list(lax.split(x, [size for size in (4, 2, 1) if count & size], axis=x.ndim - 1))


def _hide_from_sharing(index: jax.Array) -> jax.Array:
    """The same indices, without XLA's knowing: what is gathered with them is not shared."""
    return index + lax.optimization_barrier(jnp.zeros((), index.dtype))


def _count_chunks(shape: tuple[int, ...], count: int) -> int:
    """Into how many equal parts the rows of maps (m, n) of so many channels are cut."""
    rows = shape[0]
    wanted = math.ceil(4 * count * math.prod(shape) / _CHUNK_BYTES)
    if jax.default_backend() != "cpu" or wanted <= 1:
        return 1
    return next((k for k in range(wanted, rows + 1) if rows % k == 0), max(rows, 1))


def _split_into_chunks(tree: T, chunks: int) -> T:
    """Maps (m, n, ...) as (chunks, m / chunks, n, ...)."""
    # Whole rows: XLA writes no fast loop over parts of them.
    return jax.tree.map(lambda x: x.reshape(chunks, x.shape[0] // chunks, *x.shape[1:]), tree)


def _map_chunks(function: Callable[..., jax.Array], chunks: int, *maps: Tree) -> jax.Array:
    """The function of maps, whole rows at a time."""
    if chunks == 1:
        return function(*maps)
    result = lax.map(lambda chunk: function(*chunk), _split_into_chunks(maps, chunks))
    return result.reshape(chunks * result.shape[1], *result.shape[2:])


def _scan_chunks(
    add: Callable[[T, _Chunk], tuple[T, None]], total: T, chunks: int, *maps: *_Chunk
) -> T:
    """The total after all rows of the maps."""
    if chunks == 1:
        return add(total, maps)[0]
    return lax.scan(add, match_varying_axes(total, maps), _split_into_chunks(maps, chunks))[0]


def match_varying_axes(total: T, maps: Tree) -> T:
    """The total, to vary over devices as the maps do: shard_map asks it of what a loop carries."""
    numbers = [x.ravel()[0] for x in jax.tree.leaves(maps) if x.size]
    nothing = sum(jnp.where(False, x.astype(jnp.float32), 0) for x in numbers)
    return jax.tree.map(lambda x: x + jnp.asarray(nothing, x.dtype), total)
