"""Images from the table of Gaussians and the tiles' lists, in plain JAX.

Memory does not grow with the number of Gaussians over a pixel: the derivative draws once more.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap

from sf3d_jax.gaussians._blending import STOP, Layout, crossing, weigh
from sf3d_jax.gaussians._derivative import derivative
from sf3d_jax.gaussians._lockstep import PIXELS, STEP, batch_of, group_of, grouped
from sf3d_jax.gaussians._tiles import SIDE, Tiles, grid_of

Size = tuple[int, int]


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def composite(table: jax.Array, tiles: Tiles, layout: Layout, size: Size) -> jax.Array:
    """The sums of what the layout lists, weighted front to back.

    Args:
      table: (N, D), as `Splats.table` has it.
      tiles: the lists.
      layout: which numbers there are.
      size: (H, W).

    Returns:
      (H, W, images).
    """
    return _image(_sums(table, tiles, layout, size), size)


def _composite_fwd(
    table: jax.Array, tiles: Tiles, layout: Layout, size: Size
) -> tuple[jax.Array, Any]:
    sums = _sums(table, tiles, layout, size)
    return _image(sums, size), (table, tiles, sums)


def _composite_bwd(
    layout: Layout, size: Size, residuals: Any, cotangent: jax.Array
) -> tuple[jax.Array, None]:
    table, tiles, sums = residuals
    cotangents = _tiled(cotangent, size)
    # A batch is drawn one by one: in lockstep all would wait for the deepest.
    draw = sequential_vmap(partial(derivative, layout=layout, size=size))
    return draw(table, tiles, sums, cotangents), None


composite.defvjp(_composite_fwd, _composite_bwd)


def _sums(table: jax.Array, tiles: Tiles, layout: Layout, size: Size) -> jax.Array:
    """(T, images, P)."""

    @sequential_vmap
    def all_groups(table: jax.Array, tiles: Tiles) -> jax.Array:
        draw = lambda tile: _drawn(table, tiles, tile, layout, size)
        groups = grouped(tiles)
        drawn = jax.lax.map(draw, groups).reshape(-1, layout.images, PIXELS)
        count = len(tiles.starts) - 1
        # The places of no tile are beyond the last one.
        place = jnp.where(groups < 0, count, groups).reshape(-1)
        return jnp.zeros_like(drawn).at[place].set(drawn, mode="drop")[:count]

    return all_groups(table, tiles)


def _drawn(
    table: jax.Array, tiles: Tiles, tile: jax.Array, layout: Layout, size: Size
) -> jax.Array:
    """(G, images, P), the sums of a group of tiles."""
    group = group_of(tile, tiles, size, table.dtype)

    def unfinished(state: Any) -> jax.Array:
        first, clear, _ = state
        return (first < group.longest) & (clear.max() > STOP)

    def step(state: Any) -> Any:
        first, clear, sums = state
        batch = batch_of(table, tiles, group, first, layout)
        for k in range(STEP):
            after = clear * (1 - batch.alpha[:, k])
            weight = weigh(batch.alpha[:, k], clear, after)
            half = crossing(clear, after)
            sums = tuple(
                total + (half if layout.halved(i) else weight) * value[:, k]
                for i, (total, value) in enumerate(zip(sums, batch.values, strict=True))
            )
            clear = after
        return first + STEP, clear, sums

    nothing = (jnp.zeros_like(group.inside),) * layout.images
    state = jnp.int32(0), group.inside, nothing
    return jnp.stack(jax.lax.while_loop(unfinished, step, state)[2], axis=1)


def _image(sums: jax.Array, size: Size) -> jax.Array:
    """(T, images, P) as an image."""
    rows, columns = grid_of(size)
    image = sums.reshape(rows, columns, -1, SIDE, SIDE).transpose(0, 3, 1, 4, 2)
    return image.reshape(rows * SIDE, columns * SIDE, -1)[: size[0], : size[1]]


def _tiled(image: jax.Array, size: Size) -> jax.Array:
    """An image as (T, images, P), 0 beyond its borders."""
    rows, columns = grid_of(size)
    beyond = (0, rows * SIDE - size[0]), (0, columns * SIDE - size[1]), (0, 0)
    tiles = jnp.pad(image, beyond).reshape(rows, SIDE, columns, SIDE, -1)
    return tiles.transpose(0, 2, 4, 1, 3).reshape(rows * columns, -1, PIXELS)
