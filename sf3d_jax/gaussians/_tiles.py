"""Which Gaussians each tile of the image draws, front to back.

A Gaussian is listed in all tiles of SIDE x SIDE pixels that its ellipse alpha >= 1/255 meets: in
each row of tiles, those between the ellipse's leftmost and rightmost points in it. All lists are
stored one after another in one array of fixed length.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax.gaussians._splats import Outlines

SIDE = 8
PIXELS = SIDE * SIDE

# Enlarges the ellipse by its rounding error, so that no pixel at its rim is missed.
_ROUNDING = 1e-3
_BITS = 32
_LARGEST = 2**31 - 1


class Tiles(NamedTuple):
    """The lists of the tiles of an image, row by row.

    Attributes:
      ids: (M), indices of Gaussians, ordered by depth within a tile.
      starts: (T + 1), where each tile's list starts, and where the last one ends.
      overflow: (), number of entries that did not fit. If positive, the lists are unusable.
    """

    ids: jax.Array
    starts: jax.Array
    overflow: jax.Array


class _Spans(NamedTuple):
    """Gaussians front to back, with the first row of tiles and the number of rows they meet."""

    order: jax.Array
    first: jax.Array
    rows: jax.Array


def tile_grid(size: tuple[int, int]) -> tuple[int, int]:
    """The numbers of rows and columns of tiles that cover an image."""
    return -(-size[0] // SIDE), -(-size[1] // SIDE)


def build_tile_lists(outlines: Outlines, size: tuple[int, int], capacity: int) -> Tiles:
    """The lists of all tiles, with room for `capacity` entries."""
    rows, columns = tile_grid(size)
    spans = _find_spans(outlines, size)
    owner, row, used = _enumerate_entries(spans.rows, capacity)
    row = spans.first[owner] + row
    owner = spans.order[owner]
    first, last = _find_columns(outlines, owner, row, columns)
    count = jnp.where(used, last - first + 1, 0)
    entry, column, used = _enumerate_entries(count, capacity)
    tile = jnp.where(used, row[entry] * columns + first[entry] + column, rows * columns)
    places = _order_by_key(tile, rows * columns)
    lengths = jnp.zeros(rows * columns + 1, jnp.int32).at[tile].add(1)
    starts = jnp.cumsum(lengths, dtype=jnp.int32) - lengths
    # If even the rows do not fit, the number of tiles is larger still, but unknown.
    wanted = jnp.maximum(_count_entries(spans.rows), _count_entries(count))
    overflow = jnp.maximum(wanted - capacity, 0)
    return Tiles(owner[entry][places], starts, overflow)


def count_intersections(outlines: Outlines, size: tuple[int, int]) -> jax.Array:
    """The number of entries of all tile lists."""
    columns = tile_grid(size)[1]
    spans = _find_spans(outlines, size)

    def add(k: jax.Array, total: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        first, last = _find_columns(outlines, spans.order, spans.first + k, columns)
        count = jnp.where(k < spans.rows, last - first + 1, 0)
        exact, rough = _sum(count)
        return total[0] + exact, total[1] + rough

    # Not constants: under shard_map the loop must start device-varying.
    none = 0 * spans.rows[0]
    start = none, none.astype(jnp.float32)
    exact, rough = jax.lax.fori_loop(0, spans.rows.max(), add, start)
    return _saturate(exact, rough)


def _count_entries(count: jax.Array) -> jax.Array:
    return _saturate(*_sum(count))


def _sum(count: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The sum as an integer, which may wrap, and as a float, which shows whether it did."""
    return count.sum(dtype=jnp.int32), count.astype(jnp.float32).sum()


def _saturate(exact: jax.Array, rough: jax.Array) -> jax.Array:
    """The sum, clipped to the largest integer."""
    return jnp.where(rough > 0.99 * _LARGEST, _LARGEST, exact)


def _find_spans(outlines: Outlines, size: tuple[int, int]) -> _Spans:
    low = outlines.pixels - outlines.reach - _ROUNDING
    high = outlines.pixels + outlines.reach + _ROUNDING
    # NaN from rounding fails these comparisons; cast to an integer it could be anything.
    inside = outlines.is_drawn & (high >= 0).all(-1)
    inside = inside & (low[:, 0] <= size[1] - 1) & (low[:, 1] <= size[0] - 1)
    # Pixels are at integers, so the first pixel in the ellipse is at the next integer.
    first, last = (
        jnp.clip(x, 0, size[0] - 1).astype(jnp.int32) // SIDE
        for x in (jnp.ceil(low[:, 1]), jnp.floor(high[:, 1]))
    )
    order = _order_by_depth(jnp.where(inside, outlines.depths, jnp.inf))
    count = jnp.where(inside, jnp.maximum(last - first + 1, 1), 0)
    return _Spans(order, first[order], count[order])


def _find_columns(
    outlines: Outlines, owner: jax.Array, row: jax.Array, columns: int
) -> tuple[jax.Array, jax.Array]:
    """The first and last column of tiles that a Gaussian meets in a row of tiles; at least one."""
    u, v = outlines.pixels[owner].T
    p, q, r = outlines.roots[owner].T
    power = outlines.power[owner]
    wide, high = outlines.reach[owner].T
    # Vertical offsets of the row's pixels from the mean, clipped to the ellipse.
    start = (row * SIDE).astype(v.dtype)
    top = jnp.clip(start - v - _ROUNDING, -high, high)
    bottom = jnp.clip(start + (SIDE - 1) - v + _ROUNDING, -high, high)
    # The ellipse is widest at y = +-widest; clip that to the row.
    widest = -p * q / (q * q + r * r) * wide
    ends = []
    for sign in (-1, 1):
        y = jnp.clip(sign * widest, top, bottom)
        chord = jnp.sqrt(jnp.maximum(power - (r * y) ** 2, 0))
        ends.append(u + (sign * chord - q * y) / p + sign * _ROUNDING)
    left, right = jnp.ceil(ends[0]), jnp.floor(ends[1])
    limit = columns * SIDE - 1
    first = jnp.clip(left, 0, limit).astype(jnp.int32) // SIDE
    last = jnp.clip(right, 0, limit).astype(jnp.int32) // SIDE
    return first, jnp.maximum(last, first)


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
