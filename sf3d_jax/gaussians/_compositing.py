"""Images from the table of Gaussians and the tile lists, in plain JAX.

Memory does not grow with the number of Gaussians over a pixel: the derivative draws them again.
"""

import functools
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap

from sf3d_jax._numerics import Tree, compute_once
from sf3d_jax.camera import Size
from sf3d_jax.gaussians._blending import blend
from sf3d_jax.gaussians._derivative import derivative
from sf3d_jax.gaussians._lockstep import (
    STEP,
    Batch,
    find_group,
    group_tiles,
    read_batch,
    weigh_batch,
)
from sf3d_jax.gaussians._rows import MOTION_IMAGES, Images, Layout, pack_images, unpack_images
from sf3d_jax.gaussians._tiles import PIXELS, SIDE, Tiles, tile_grid

# Up to this number of images, it is faster to compute the weights again for each of them than to
# store and read them.
_FEW = 10

# The table, the tile lists, and the drawn sums.
_Residuals: TypeAlias = tuple[jax.Array, Tiles, jax.Array]


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def composite(table: jax.Array, tiles: Tiles, layout: Layout, size: Size, backend: str) -> Images:
    """The sums of the layout's images, weighted front to back.

    Args:
      table: (N, D), packed rows.
      tiles: tile lists.
      layout: which fields rows and images have.
      size: (H, W).
      backend: one of BACKENDS.

    Returns:
      The images, (H, W) each.
    """
    return _join_tiles(_BACKENDS[backend].sums(table, tiles, layout, size), layout, size)


def _composite_fwd(
    table: jax.Array, tiles: Tiles, layout: Layout, size: Size, backend: str
) -> tuple[Images, _Residuals]:
    sums = _BACKENDS[backend].sums(table, tiles, layout, size)
    return _join_tiles(sums, layout, size), (table, tiles, sums)


def _composite_bwd(
    layout: Layout, size: Size, backend: str, residuals: _Residuals, cotangents: Images
) -> tuple[jax.Array, None]:
    table, tiles, sums = residuals
    tiled = jnp.stack([_cut_into_tiles(x, size) for x in pack_images(cotangents)], axis=1)
    return _BACKENDS[backend].derivative(table, tiles, sums, tiled, layout, size), None


composite.defvjp(_composite_fwd, _composite_bwd)


def _join_tiles(sums: jax.Array, layout: Layout, size: Size) -> Images:
    """(T, images, P) as images."""
    rows, columns = tile_grid(size)
    tiles = sums.reshape(rows, columns, -1, SIDE, SIDE)
    # One image at a time: XLA then copies rows of eight pixels instead of single numbers.
    images = [
        jnp.swapaxes(tiles[:, :, i], 1, 2).reshape(rows * SIDE, -1)[: size[0], : size[1]]
        for i in range(layout.images)
    ]
    return unpack_images(images, layout)


def _cut_into_tiles(image: jax.Array, size: Size) -> jax.Array:
    """An image as (T, P), padded with 0."""
    rows, columns = tile_grid(size)
    beyond = (0, rows * SIDE - size[0]), (0, columns * SIDE - size[1])
    tiles = jnp.pad(image, beyond).reshape(rows, SIDE, columns, SIDE)
    return jnp.swapaxes(tiles, 1, 2).reshape(-1, PIXELS)


class _Backend(NamedTuple):
    """How to draw (table, tiles, layout, size) to sums, and how to pull cotangents back."""

    sums: Callable[[jax.Array, Tiles, Layout, Size], jax.Array]
    derivative: Callable[[jax.Array, Tiles, jax.Array, jax.Array, Layout, Size], jax.Array]


def _sum_in_lockstep(table: jax.Array, tiles: Tiles, layout: Layout, size: Size) -> jax.Array:
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


def _derive_in_lockstep(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: jax.Array,
    layout: Layout,
    size: Size,
) -> jax.Array:
    """The cotangent of the table, (N, D), for groups of tiles."""
    draw = sequential_vmap(partial(derivative, layout=layout, size=size))
    result: jax.Array = draw(table, tiles, sums, cotangents)
    return result


def _sum_by_kernels(table: jax.Array, tiles: Tiles, layout: Layout, size: Size) -> jax.Array:
    """The sums (T, images, P), by one GPU program per tile; interpreted on other devices."""
    from sf3d_jax.gaussians import _pallas

    draw = partial(_pallas.composite_sums, layout=layout, size=size)
    interpreted = partial(draw, interpret=True)
    result: jax.Array = jax.lax.platform_dependent(table, tiles, cpu=interpreted, default=draw)
    return result


def _derive_by_kernels(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: jax.Array,
    layout: Layout,
    size: Size,
) -> jax.Array:
    """The cotangent of the table, (N, D), by one GPU program per tile; interpreted elsewhere."""
    from sf3d_jax.gaussians import _pallas

    draw = partial(_pallas.derivative, layout=layout, size=size)
    interpreted = partial(draw, interpret=True)
    result: jax.Array = jax.lax.platform_dependent(
        table, tiles, sums, cotangents, cpu=interpreted, default=draw
    )
    return result


_BACKENDS = {
    "xla": _Backend(_sum_in_lockstep, _derive_in_lockstep),
    "pallas": _Backend(_sum_by_kernels, _derive_by_kernels),
}
BACKENDS = tuple(_BACKENDS)


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
