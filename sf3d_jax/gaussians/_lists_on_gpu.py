"""Tile lists as a GPU builds them, in few kernels: prefix sums, binary searches and two sorts.

The entries of the lists are numbered front to back, a Gaussian's row by row. Entry k belongs to the
first owner whose entries end beyond k: each entry finds it by a binary search in the prefix sums of
the owners' counts. A stable sort by tile, of pairs of an integer and an index, keeps the order of
depth. XLA hands such sorts to CUB's radix sort; with more operands it would use its own, of some
thirty kernels.
"""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax.gaussians._splats import Outlines
from sf3d_jax.gaussians._tiles import LARGEST, Rows, Tiles, find_columns, find_rows, tile_grid

# XLA sums fewer than 32 numbers in one thread, which can make them up; it gives more to a warp.
_FEW = 31
# One kernel adds up to so many numbers, or reads and compares them, in the time of a launch or two.
_ADDITIONS = 10**8
_COMPARISONS = 10**7


def build(outlines: Outlines, size: tuple[int, int], capacity: int) -> Tiles:
    """The lists of all tiles, with room for `capacity` entries."""
    rows, columns = tile_grid(size)
    met = find_rows(outlines, size)
    order = _order_by_depth(jnp.where(met.count > 0, outlines.depth, jnp.inf))
    # The rows of tiles that a Gaussian meets.
    ends = _sum_prefixes(_take(met.count, order))
    owner = _find_owners(ends, capacity)
    ids = _take(order, owner.index)
    row = _take(met.first, ids) + owner.place
    first, last = find_columns(jax.tree.map(lambda x: _take(x, ids), outlines), row, size)
    count = jnp.where(owner.exists, last - first + 1, 0)

    # The tiles of each of these rows.
    tile_ends = _sum_prefixes(count)
    owner = _find_owners(tile_ends, capacity)
    tile = _take(row * columns + first, owner.index) + owner.place
    tile = jnp.where(owner.exists, tile, rows * columns)
    tile, ids = jax.lax.sort((tile, _take(ids, owner.index)), num_keys=1, is_stable=True)
    earlier = jnp.arange(rows * columns + 1, dtype=jnp.int32) - 1
    starts = _count_up_to(tile, earlier)
    # If even the rows do not fit, the number of tiles is larger still, but unknown.
    overflow = jnp.maximum(jnp.maximum(ends[-1], tile_ends[-1]) - capacity, 0)
    return Tiles(ids, starts, overflow)


def count(outlines: Outlines, size: tuple[int, int]) -> jax.Array:
    """The number of entries of all lists."""
    met: Rows = jax.tree.map(lambda x: x[:, None], find_rows(outlines, size))
    row = jnp.arange(tile_grid(size)[0], dtype=jnp.int32)[None]
    first, last = find_columns(jax.tree.map(lambda x: x[:, None], outlines), row, size)
    is_met = (row >= met.first) & (row < met.first + met.count)
    return _sum(jnp.where(is_met, last - first + 1, 0), (0, 1))


def _order_by_depth(depths: jax.Array) -> jax.Array:
    """Gaussians front to back, by non-negative depths; ties keep their order."""
    # Such floats sort like their bits. A comparison of integers is one that CUB knows.
    words = jnp.uint64 if depths.dtype == jnp.float64 else jnp.uint32
    bits = jax.lax.bitcast_convert_type(depths, words)
    index = jnp.arange(len(depths), dtype=jnp.int32)
    order: jax.Array = jax.lax.sort((bits, index), num_keys=1, is_stable=True)[1]
    return order


def _sum_prefixes(count: jax.Array) -> jax.Array:
    """The sums of the first 1, 2, ... counts, in fewer kernels than a cumsum."""
    total = len(count)
    blocks = -(-total // _FEW)
    padded = jnp.pad(count, (0, blocks * _FEW - total)).reshape(blocks, 1, _FEW)
    place, earlier = _grid(_FEW, _FEW)
    within = _sum(jnp.where(earlier <= place, padded, 0), (2,))
    before = _sum_before(within.reshape(-1), blocks)
    return _add(within, before[:, None]).reshape(-1)[:total]


def _sum_before(within: jax.Array, blocks: int) -> jax.Array:
    """The sums of all blocks before each block, given prefix sums within the blocks."""
    sum_of = lambda block: _take(within, block * _FEW + _FEW - 1)
    if blocks**2 > _ADDITIONS:
        sums = _sum_prefixes(sum_of(jnp.arange(blocks, dtype=jnp.int32)))
        return jnp.pad(sums[:-1], (1, 0))
    block, other = _grid(blocks, blocks)
    # Of an index that only depends on `other`, XLA would make an array of its own.
    return _sum(jnp.where(other < block, sum_of(jnp.minimum(other, block)), 0), (1,))


def _grid(rows: int, columns: int) -> tuple[jax.Array, jax.Array]:
    """The row and the column of each entry of a matrix."""
    iota = lambda axis: jax.lax.broadcasted_iota(jnp.int32, (rows, columns), axis)
    return iota(0), iota(1)


def _take(x: jax.Array, index: jax.Array) -> jax.Array:
    """Numbers of x; checks of the index would keep XLA from making it up where it is read."""
    return x.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _sum(count: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Sums of non-negative counts, at most the largest integer."""
    return jax.lax.reduce(count, jnp.int32(0), _add, axes)


def _add(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.where(a > LARGEST - b, LARGEST, a + b)


class _Owner(NamedTuple):
    """The owners of entries.

    Attributes:
      index: (M), the owner; any one where there is none.
      place: (M), the entry's index among those of the owner.
      exists: (M), whether there is an owner.
    """

    index: jax.Array
    place: jax.Array
    exists: jax.Array


def _find_owners(ends: jax.Array, capacity: int) -> _Owner:
    """The owners of the first `capacity` entries, given where each owner's entries end."""
    slot = jnp.arange(capacity, dtype=jnp.int32)
    index = _count_up_to(ends, slot)
    start = jnp.where(index > 0, _take(ends, jnp.maximum(index - 1, 0)), 0)
    return _Owner(jnp.minimum(index, len(ends) - 1), slot - start, index < len(ends))


def _count_up_to(ends: jax.Array, number: jax.Array) -> jax.Array:
    """How many of some rising integers are at most each number: a search in few steps."""
    total = len(ends)
    most = max(_FEW + 1, _COMPARISONS // len(number))
    steps = next(k for k in itertools.count(1) if most**k > total)
    branches = next(k for k in itertools.count(2) if k**steps > total)
    _, branch = _grid(len(number), branches - 1)
    found = jnp.zeros_like(number)
    for k in reversed(range(steps)):
        place = found[:, None] + (branch + 1) * branches**k
        end = _take(ends, jnp.minimum(place, total) - 1)
        is_below = (place <= total) & (end <= number[:, None])
        found = jnp.where(is_below, place, found[:, None]).max(1)
    return found
