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
# The most numbers that one kernel adds, or reads and compares, in the time of a launch or two.
_ADDITIONS = 10**8
_COMPARISONS = 10**7


def build(outlines: Outlines, size: tuple[int, int], capacity: int) -> Tiles:
    """The lists of all tiles, with room for `capacity` entries."""
    rows, columns = tile_grid(size)
    met = find_rows(outlines, size)
    order = _order_by_depth(jnp.where(met.total > 0, outlines.depth, jnp.inf))
    # The rows of tiles that a Gaussian meets.
    ends = _find_ends(_take(met.total, order))
    owner = _find_owners(ends, capacity)
    ids = _take(order, owner.id)
    row = _take(met.first, ids) + owner.place
    first, last = find_columns(jax.tree.map(lambda x: _take(x, ids), outlines), row, size)
    count = jnp.where(owner.exists, last - first + 1, 0)

    # The tiles of each of these rows.
    tile_ends = _find_ends(count)
    owner = _find_owners(tile_ends, capacity)
    tile = _take(row * columns + first, owner.id) + owner.place
    tile = jnp.where(owner.exists, tile, rows * columns)
    tile, ids = jax.lax.sort((tile, _take(ids, owner.id)), num_keys=1, is_stable=True)
    earlier = jnp.arange(rows * columns + 1, dtype=jnp.int32) - 1
    starts = _count_up_to(tile, earlier)
    # If even the rows do not fit, the number of tiles is larger still, but unknown.
    overflow = jnp.maximum(jnp.maximum(ends.last, tile_ends.last) - capacity, 0)
    return Tiles(ids, starts, overflow)


def count(outlines: Outlines, size: tuple[int, int]) -> jax.Array:
    """The number of entries of all lists."""
    met: Rows = jax.tree.map(lambda x: x[:, None], find_rows(outlines, size))
    row = jnp.arange(tile_grid(size)[0], dtype=jnp.int32)[None]
    first, last = find_columns(jax.tree.map(lambda x: x[:, None], outlines), row, size)
    is_met = (row >= met.first) & (row < met.first + met.total)
    return _sum(jnp.where(is_met, last - first + 1, 0), (0, 1))


def _order_by_depth(depths: jax.Array) -> jax.Array:
    """Gaussians front to back, by non-negative depths; ties keep their order."""
    # Such floats sort like their bits. A comparison of integers is one that CUB knows.
    words = jnp.uint64 if depths.dtype == jnp.float64 else jnp.uint32
    bits = jax.lax.bitcast_convert_type(depths, words)
    index = jnp.arange(len(depths), dtype=jnp.int32)
    order: jax.Array = jax.lax.sort((bits, index), num_keys=1, is_stable=True)[1]
    return order


class _Ends(NamedTuple):
    """Where each owner's entries end, if those of all owners follow one another.

    Attributes:
      within: (B, _FEW), sums of the owner's count and those before it in its block of owners.
      before: (B), sums of all blocks before.
      owners: number of owners; the rest of the last block has no entries.
    """

    within: jax.Array
    before: jax.Array
    owners: int

    @property
    def last(self) -> jax.Array:
        """The number of all entries."""
        return _add(self.within[-1, -1], self.before[-1])


def _find_ends(count: jax.Array) -> _Ends:
    """The ends of the entries of owners, given the number of entries of each."""
    owners = len(count)
    blocks = -(-owners // _FEW)
    padded = jnp.pad(count, (0, blocks * _FEW - owners)).reshape(blocks, 1, _FEW)
    place, earlier = _grid(_FEW, _FEW)
    within = _sum(jnp.where(earlier <= place, padded, 0), (2,))
    return _Ends(within, _sum_before(within.reshape(-1), blocks), owners)


def _sum_before(within: jax.Array, blocks: int) -> jax.Array:
    """The sums of all blocks before each block, given prefix sums within the blocks."""
    sum_of = lambda block: _take(within, block * _FEW + _FEW - 1)
    if blocks**2 > _ADDITIONS:
        ends = _find_ends(sum_of(jnp.arange(blocks, dtype=jnp.int32)))
        sums = _add(ends.within, ends.before[:, None]).reshape(-1)[: blocks - 1]
        return jnp.pad(sums, (1, 0))
    block, other = _grid(blocks, blocks)
    # XLA would store an index that depends on `other` alone in an array of its own.
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
      id: (M), the owner; any one where there is none.
      place: (M), the entry's index among those of the owner.
      exists: (M), whether there is an owner.
    """

    id: jax.Array
    place: jax.Array
    exists: jax.Array


def _find_owners(ends: _Ends, capacity: int) -> _Owner:
    """The owners of the first `capacity` entries."""
    slot = jnp.arange(capacity, dtype=jnp.int32)
    block = _count_up_to(ends.before, slot) - 1
    _, other = _grid(capacity, _FEW)
    within = ends.within.reshape(-1)
    end = _add(_take(ends.before, block)[:, None], _take(within, block[:, None] * _FEW + other))
    earlier = (end <= slot[:, None]).sum(1, dtype=jnp.int32)
    index = block * _FEW + earlier
    start = jnp.where(earlier > 0, _take(within, jnp.maximum(index - 1, 0)), 0)
    place = slot - _take(ends.before, block) - start
    return _Owner(jnp.minimum(index, ends.owners - 1), place, index < ends.owners)


def _count_up_to(ends: jax.Array, number: jax.Array) -> jax.Array:
    """How many of some rising integers are at most each number: a search in few steps."""
    total, number = len(ends), number[:, None]
    most = max(_FEW + 1, _COMPARISONS // len(number))
    steps = next(k for k in itertools.count(1) if most**k > total)
    branches = next(k for k in itertools.count(2) if k**steps > total)
    stride = branches ** (steps - 1)
    coarse = ends[stride - 1 :: stride]
    _, branch = _grid(len(number), len(coarse))
    found = jnp.where(coarse[None] <= number, (branch + 1) * stride, 0).max(1)
    _, branch = _grid(len(number), branches - 1)
    while stride > 1:
        stride //= branches
        place = found[:, None] + (branch + 1) * stride
        is_below = (place <= total) & (_take(ends, jnp.minimum(place, total) - 1) <= number)
        found = jnp.where(is_below, place, found[:, None]).max(1)
    return found
