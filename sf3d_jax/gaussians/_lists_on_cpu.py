"""Tile lists as a CPU builds them fast: entries in order of depth, sorted by tile in rounds."""

import jax
import jax.numpy as jnp

from sf3d_jax.gaussians._splats import Outlines
from sf3d_jax.gaussians._tiles import LARGEST, Rows, Tiles, find_columns, find_rows, tile_grid

_BITS = 32


def build(outlines: Outlines, size: tuple[int, int], capacity: int) -> Tiles:
    """The lists of all tiles, with room for `capacity` entries."""
    rows, columns = tile_grid(size)
    order, rows_met = _sort_by_depth(outlines, size)
    owner, row, used = _enumerate_entries(rows_met.total, capacity)
    row = rows_met.first[owner] + row
    owner = order[owner]
    first, last = find_columns(_select(outlines, owner), row, size)
    count = jnp.where(used, last - first + 1, 0)
    entry, column, used = _enumerate_entries(count, capacity)
    tile = jnp.where(used, row[entry] * columns + first[entry] + column, rows * columns)
    places = _order_by_key(tile, rows * columns)
    lengths = jnp.zeros(rows * columns + 1, jnp.int32).at[tile].add(1)
    starts = jnp.cumsum(lengths, dtype=jnp.int32) - lengths
    # If even the rows do not fit, the number of tiles is larger still, but unknown.
    wanted = jnp.maximum(_count_entries(rows_met.total), _count_entries(count))
    overflow = jnp.maximum(wanted - capacity, 0)
    return Tiles(owner[entry][places], starts, overflow)


def count(outlines: Outlines, size: tuple[int, int]) -> jax.Array:
    """The number of entries of all lists."""
    rows = find_rows(outlines, size)

    def add(k: jax.Array, total: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        first, last = find_columns(outlines, rows.first + k, size)
        exact, rough = _sum(jnp.where(k < rows.total, last - first + 1, 0))
        return total[0] + exact, total[1] + rough

    # Not constants: under shard_map the loop must start device-varying.
    none = 0 * rows.total[0]
    start = none, none.astype(jnp.float32)
    exact, rough = jax.lax.fori_loop(0, rows.total.max(), add, start)
    return _saturate(exact, rough)


def _sort_by_depth(outlines: Outlines, size: tuple[int, int]) -> tuple[jax.Array, Rows]:
    """Gaussians front to back, and the rows of tiles that they meet."""
    rows = find_rows(outlines, size)
    order = _order_by_depth(jnp.where(rows.total > 0, outlines.depth, jnp.inf))
    return order, Rows(rows.first[order], rows.total[order])


def _select(outlines: Outlines, ids: jax.Array) -> Outlines:
    chosen: Outlines = jax.tree.map(lambda x: x[ids], outlines)
    return chosen


def _enumerate_entries(count: jax.Array, capacity: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`count` entries per owner, in order: (owner, index among its entries, used)."""
    ends = jnp.cumsum(count, dtype=jnp.int32)
    owner = jnp.repeat(jnp.arange(len(count), dtype=jnp.int32), count, total_repeat_length=capacity)
    slot = jnp.arange(capacity, dtype=jnp.int32)
    return owner, slot - (ends - count)[owner], slot < ends[-1]


def _order_by_depth(depths: jax.Array) -> jax.Array:
    """Gaussians front to back, by non-negative depths; ties keep their order.

    Such floats sort like their bits. The bits are sorted sixteen at a time, the lowest first.
    """
    words = jax.lax.bitcast_convert_type(depths, jnp.uint32).reshape(len(depths), -1)
    order = jnp.arange(len(depths), dtype=jnp.int32)
    for i in range(words.shape[1]):
        for shift in (0, 16):
            digits = (words[order, i] >> shift) & 0xFFFF
            order = order[_order_by_key(digits.astype(jnp.int32), 0xFFFF)]
    return order


def _order_by_key(key: jax.Array, largest: int) -> jax.Array:
    """Indices that sort keys from 0 to `largest`; equal keys keep their order.

    XLA sorts one array of integers several times faster than one that carries another. So this
    sorts keys with the entry's index in their low bits. If both do not fit into an integer, entries
    are sorted in parts, which are merged by counting.
    """
    bits = _BITS - largest.bit_length()
    total = len(key)
    length = min(1 << bits, total)
    parts = -(-total // length)
    if parts > 1 and parts * (largest + 1) > 4 * total:
        # Counts would outnumber the entries, so sort by the low half of the key, then the high.
        half = largest.bit_length() // 2
        order = _order_by_key(key & ((1 << half) - 1), (1 << half) - 1)
        return order[_order_by_key(key[order] >> half, largest >> half)]
    key = jnp.pad(key, (0, parts * length - total), constant_values=largest)
    key = key.reshape(parts, length)
    place = jnp.arange(length, dtype=jnp.uint32)
    both = jnp.sort((key.astype(jnp.uint32) << bits) | place[None], axis=-1)
    place = (both & ((1 << bits) - 1)).astype(jnp.int32)
    if parts == 1:
        return place[0]
    key = (both >> bits).astype(jnp.int32)
    part = jnp.arange(parts, dtype=jnp.int32)[:, None]
    counts = jnp.zeros((parts, largest + 1), jnp.int32).at[part, key].add(1)
    before = lambda x, axis: jnp.cumsum(x, axis, dtype=jnp.int32) - x
    # Where a key starts in the result, after earlier parts, minus where it starts in its part.
    base = before(counts.sum(0, dtype=jnp.int32), 0)[None] + before(counts, 0) - before(counts, 1)
    target = jnp.take_along_axis(base, key, 1) + jnp.arange(length, dtype=jnp.int32)[None]
    source = part * length + place
    return jnp.zeros(parts * length, jnp.int32).at[target].set(source, unique_indices=True)[:total]


def _count_entries(count: jax.Array) -> jax.Array:
    return _saturate(*_sum(count))


def _sum(count: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The sum as an integer, which may wrap, and as a float, which shows whether it did."""
    return count.sum(dtype=jnp.int32), count.astype(jnp.float32).sum()


def _saturate(exact: jax.Array, rough: jax.Array) -> jax.Array:
    """The sum, clipped to the largest integer."""
    return jnp.where(rough > 0.99 * LARGEST, LARGEST, exact)
