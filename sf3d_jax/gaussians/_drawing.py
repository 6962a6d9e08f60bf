"""The sums of all images, drawn by groups of tiles in lockstep."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap

from sf3d_jax._numerics import Tree, compute_once
from sf3d_jax.camera import Size
from sf3d_jax.gaussians._blending import blend
from sf3d_jax.gaussians._lockstep import (
    STEP,
    Batch,
    find_group,
    group_tiles,
    read_batch,
    weigh_batch,
)
from sf3d_jax.gaussians._rows import MOTION_IMAGES, Images, Layout, pack_images, unpack_images
from sf3d_jax.gaussians._tiles import PIXELS, Tiles

# Up to this number of images, it is faster to compute the weights again for each of them than to
# store and read them.
_FEW = 10


def sum_in_lockstep(table: jax.Array, tiles: Tiles, layout: Layout, size: Size) -> jax.Array:
    """The sums (T, images, P), drawn for groups of tiles."""

    # Members of a batch are drawn one by one; in lockstep, all would wait for the deepest.
    @sequential_vmap
    def draw_groups(table: jax.Array, tiles: Tiles) -> jax.Array:
        groups = group_tiles(tiles)
        draw = lambda tile: _draw_group(table, tiles, tile, layout, size)
        drawn = jax.lax.map(draw, groups).reshape(-1, layout.images, PIXELS)
        count = len(tiles.starts) - 1
        place = jnp.arange(groups.size, dtype=jnp.int32)
        tile = jnp.where(groups < 0, count, groups).reshape(-1)
        found = jnp.zeros(count, jnp.int32).at[tile].set(place, mode="drop")
        return drawn[found]

    return draw_groups(table, tiles)


class _DrawState(NamedTuple):
    """The progress along the lists of a group.

    Attributes:
      first: (), index of the next Gaussian in each list.
      clear: (G, P), T in front of it.
      sums: (G, P), the images so far.
    """

    first: jax.Array
    clear: jax.Array
    sums: Images


def _draw_group(
    table: jax.Array, tiles: Tiles, tile: jax.Array, layout: Layout, size: Size
) -> jax.Array:
    """The sums of a group of tiles, (G, images, P)."""
    group = find_group(tile, table, tiles, size)

    def advance(walk: _DrawState) -> _DrawState:
        first, clear, sums = walk
        batch = read_batch(table, tiles, group, first, layout)
        if layout.images > _FEW:
            return _DrawState(first + STEP, *_blend_many(sums, clear, batch, layout))
        for k in range(STEP):
            values = jax.tree.map(lambda value, k=k: value[:, k], batch.values)
            clear, sums = blend(sums, clear, batch.alpha[:, k], values, layout)
        return _DrawState(first + STEP, clear, sums)

    nothing = unpack_images([jnp.zeros_like(group.inside)] * layout.images, layout)
    start = _DrawState(jnp.int32(0), group.inside, nothing)
    is_unfinished = lambda walk: group.is_unfinished(walk.first, walk.clear)
    return jnp.stack(pack_images(jax.lax.while_loop(is_unfinished, advance, start).sums), axis=1)


def _blend_many(
    sums: Images, clear: jax.Array, batch: Batch, layout: Layout
) -> tuple[jax.Array, Images]:
    """What `blend` gives for all Gaussians of a batch, with weights that are computed once."""
    weight, motion, clear = weigh_batch(batch, clear, layout)
    weight = compute_once(weight)
    motion = compute_once(motion) if layout.is_median else weight

    def add(name: str) -> Tree:
        share = motion if name in MOTION_IMAGES else weight
        value_of = lambda total, value: functools.reduce(
            lambda total, k: total + share[:, k] * value[:, k], range(STEP), total
        )
        return jax.tree.map(value_of, getattr(sums, name), getattr(batch.values, name))

    return clear, Images(*map(add, Images._fields))
