"""Images from the table of Gaussians and the tile lists, by one of several back ends.

Memory does not grow with the number of Gaussians over a pixel: the derivative draws them again.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from sf3d_jax._numerics.platforms import choose_on_cuda
from sf3d_jax.camera import Size
from sf3d_jax.gaussians import _primitives
from sf3d_jax.gaussians._derivative import derive_in_lockstep
from sf3d_jax.gaussians._drawing import sum_in_lockstep
from sf3d_jax.gaussians._rows import Images, Layout, pack_images, unpack_images
from sf3d_jax.gaussians._tiles import PIXELS, SIDE, Tiles, tile_grid

# A function with the arguments of those of `_primitives`, but `otherwise`.
_Kernel: TypeAlias = Callable[..., jax.Array]
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


def _sum_by_kernel(
    kernel: _Kernel, table: jax.Array, tiles: Tiles, layout: Layout, size: Size
) -> jax.Array:
    operands = table, tiles.ids, tiles.starts
    sums = kernel(*(x[None] for x in operands), layout=layout, size=size)
    return sums.reshape(-1, layout.images, PIXELS)


def _derive_by_kernel(
    kernel: _Kernel,
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: jax.Array,
    layout: Layout,
    size: Size,
) -> jax.Array:
    images = (x.reshape(-1, PIXELS) for x in (sums, cotangents))
    operands = table, tiles.ids, tiles.starts, *images
    return kernel(*(x[None] for x in operands), layout=layout, size=size)[0]


def _sum_without_kernel(
    table: jax.Array, ids: jax.Array, starts: jax.Array, *, layout: Layout, size: Size
) -> jax.Array:
    """What a kernel gives for one image."""
    tiles = Tiles(ids, starts, jnp.int32(0))
    return sum_in_lockstep(table, tiles, layout, size).reshape(-1, PIXELS)


def _derive_without_kernel(
    table: jax.Array,
    ids: jax.Array,
    starts: jax.Array,
    sums: jax.Array,
    cotangents: jax.Array,
    *,
    layout: Layout,
    size: Size,
) -> jax.Array:
    """What a kernel gives for one image."""
    tiles = Tiles(ids, starts, jnp.int32(0))
    sums, cotangents = (x.reshape(-1, layout.images, PIXELS) for x in (sums, cotangents))
    return derive_in_lockstep(table, tiles, sums, cotangents, layout, size)


def _sum_automatically(table: jax.Array, tiles: Tiles, layout: Layout, size: Size) -> jax.Array:
    """The sums (T, images, P), by a kernel on CUDA, in lockstep elsewhere."""
    kernel = partial(_primitives.composite_sums, otherwise=_sum_without_kernel)
    on_cuda = partial(_sum_by_kernel, kernel, layout=layout, size=size)
    elsewhere = partial(sum_in_lockstep, layout=layout, size=size)
    return choose_on_cuda(on_cuda, elsewhere, table, tiles)


def _derive_automatically(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: jax.Array,
    layout: Layout,
    size: Size,
) -> jax.Array:
    """The cotangent of the table, (N, D), by a kernel on CUDA, in lockstep elsewhere."""
    kernel = partial(_primitives.derivative, otherwise=_derive_without_kernel)
    on_cuda = partial(_derive_by_kernel, kernel, layout=layout, size=size)
    elsewhere = partial(derive_in_lockstep, layout=layout, size=size)
    return choose_on_cuda(on_cuda, elsewhere, table, tiles, sums, cotangents)


_BACKENDS = {
    "auto": _Backend(_sum_automatically, _derive_automatically),
    "xla": _Backend(sum_in_lockstep, derive_in_lockstep),
    "pallas": _Backend(
        partial(_sum_by_kernel, partial(_primitives.composite_sums, otherwise=None)),
        partial(_derive_by_kernel, partial(_primitives.derivative, otherwise=None)),
    ),
}
BACKENDS = tuple(_BACKENDS)
