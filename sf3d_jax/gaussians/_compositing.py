"""Images from the table of Gaussians and the tiles' lists, in plain JAX.

Memory does not grow with the number of Gaussians over a pixel: the derivative draws once more.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap

from sf3d_jax.gaussians._blending import STOP, Layout, blend
from sf3d_jax.gaussians._derivative import derivative
from sf3d_jax.gaussians._lockstep import STEP, batch_of, group_of, grouped
from sf3d_jax.gaussians._tiles import PIXELS, SIDE, Tiles, grid_of

Size = tuple[int, int]


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def composite(
    table: jax.Array, tiles: Tiles, layout: Layout, size: Size, backend: str
) -> tuple[jax.Array, ...]:
    """The sums of what the layout lists, weighted front to back.

    Args:
      table: (N, D), as `Splats.table` has it.
      tiles: the lists.
      layout: which numbers there are.
      size: (H, W).
      backend: one of BACKENDS.

    Returns:
      The images, (H, W) each.
    """
    return _images(_BACKENDS[backend].sums(table, tiles, layout, size), layout, size)


def _composite_fwd(
    table: jax.Array, tiles: Tiles, layout: Layout, size: Size, backend: str
) -> tuple[tuple[jax.Array, ...], Any]:
    sums = _BACKENDS[backend].sums(table, tiles, layout, size)
    return _images(sums, layout, size), (table, tiles, sums)


def _composite_bwd(
    layout: Layout, size: Size, backend: str, residuals: Any, cotangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, None]:
    table, tiles, sums = residuals
    tiled = jnp.stack([_tiled(x, size) for x in cotangents], axis=1)
    return _BACKENDS[backend].derivative(table, tiles, sums, tiled, layout, size), None


composite.defvjp(_composite_fwd, _composite_bwd)


def _images(sums: jax.Array, layout: Layout, size: Size) -> tuple[jax.Array, ...]:
    """(T, images, P) as images."""
    rows, columns = grid_of(size)
    tiles = sums.reshape(rows, columns, -1, SIDE, SIDE)
    # One by one: XLA moves rows of eight pixels, but of the channels of pixels one number.
    return tuple(
        jnp.swapaxes(tiles[:, :, i], 1, 2).reshape(rows * SIDE, -1)[: size[0], : size[1]]
        for i in range(layout.images)
    )


def _tiled(image: jax.Array, size: Size) -> jax.Array:
    """An image as (T, P), 0 beyond its borders."""
    rows, columns = grid_of(size)
    beyond = (0, rows * SIDE - size[0]), (0, columns * SIDE - size[1])
    tiles = jnp.pad(image, beyond).reshape(rows, SIDE, columns, SIDE)
    return jnp.swapaxes(tiles, 1, 2).reshape(-1, PIXELS)


class _Backend(NamedTuple):
    """How to draw: (table, tiles, layout, size) to sums, and what goes back."""

    sums: Callable[[jax.Array, Tiles, Layout, Size], jax.Array]
    derivative: Callable[[jax.Array, Tiles, jax.Array, jax.Array, Layout, Size], jax.Array]


def _plain_sums(table: jax.Array, tiles: Tiles, layout: Layout, size: Size) -> jax.Array:
    """(T, images, P)."""

    # A batch is drawn one by one: in lockstep all would wait for the deepest.
    @sequential_vmap
    def all_groups(table: jax.Array, tiles: Tiles) -> jax.Array:
        groups = grouped(tiles)
        draw = lambda tile: _drawn(table, tiles, tile, layout, size)
        drawn = jax.lax.map(draw, groups).reshape(-1, layout.images, PIXELS)
        count = len(tiles.starts) - 1
        place = jnp.arange(groups.size, dtype=jnp.int32)
        tile = jnp.where(groups < 0, count, groups).reshape(-1)
        found = jnp.zeros(count, jnp.int32).at[tile].set(place, mode="drop")
        return drawn[found]

    return all_groups(table, tiles)


def _plain_derivative(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: jax.Array,
    layout: Layout,
    size: Size,
) -> jax.Array:
    """(N, D)."""
    draw = sequential_vmap(partial(derivative, layout=layout, size=size))
    result: jax.Array = draw(table, tiles, sums, cotangents)
    return result


def _kernel_sums(table: jax.Array, tiles: Tiles, layout: Layout, size: Size) -> jax.Array:
    """(T, images, P), by one program of the GPU for each tile; interpreted elsewhere."""
    from sf3d_jax.gaussians import _pallas

    draw = partial(_pallas.composite_sums, layout=layout, size=size)
    interpreted = partial(draw, interpret=True)
    result: jax.Array = jax.lax.platform_dependent(table, tiles, cpu=interpreted, default=draw)
    return result


def _kernel_derivative(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: jax.Array,
    layout: Layout,
    size: Size,
) -> jax.Array:
    """(N, D), likewise."""
    from sf3d_jax.gaussians import _pallas

    draw = partial(_pallas.derivative, layout=layout, size=size)
    interpreted = partial(draw, interpret=True)
    result: jax.Array = jax.lax.platform_dependent(
        table, tiles, sums, cotangents, cpu=interpreted, default=draw
    )
    return result


_BACKENDS = {
    "xla": _Backend(_plain_sums, _plain_derivative),
    "pallas": _Backend(_kernel_sums, _kernel_derivative),
}
BACKENDS = tuple(_BACKENDS)


def _drawn(
    table: jax.Array, tiles: Tiles, tile: jax.Array, layout: Layout, size: Size
) -> jax.Array:
    """(G, images, P), the sums of a group of tiles."""
    group = group_of(tile, table, tiles, size)

    def unfinished(state: Any) -> jax.Array:
        first, clear, _ = state
        return (first < group.longest) & (clear.max() > STOP)

    def step(state: Any) -> Any:
        first, clear, sums = state
        batch = batch_of(table, tiles, group, first, layout)
        for k in range(STEP):
            values = [value[:, k] for value in batch.values]
            clear, sums = blend(sums, clear, batch.alpha[:, k], values, layout)
        return first + STEP, clear, sums

    nothing = (jnp.zeros_like(group.inside),) * layout.images
    state = jnp.int32(0), group.inside, nothing
    return jnp.stack(jax.lax.while_loop(unfinished, step, state)[2], axis=1)
