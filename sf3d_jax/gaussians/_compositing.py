"""Images from the table of Gaussians and the tile lists, by one of several back ends.

Memory does not grow with the number of Gaussians over a pixel: the derivative draws them again.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap

from sf3d_jax._numerics.platforms import choose_by_platform, choose_on_cuda
from sf3d_jax.camera import Size
from sf3d_jax.gaussians import _primitives
from sf3d_jax.gaussians._derivative import derivative
from sf3d_jax.gaussians._drawing import sum_in_lockstep
from sf3d_jax.gaussians._rows import Images, Layout, pack_images, unpack_images
from sf3d_jax.gaussians._tiles import PIXELS, SIDE, Tiles, tile_grid, whole_tiles

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
    return _composite_fwd(table, tiles, layout, size, backend)[0]


def _composite_fwd(
    table: jax.Array, tiles: Tiles, layout: Layout, size: Size, backend: str
) -> tuple[Images, _Residuals]:
    images, sums = _BACKENDS[backend].draw(table, tiles, layout, size)
    return images, (table, tiles, sums)


def _composite_bwd(
    layout: Layout, size: Size, backend: str, residuals: _Residuals, cotangents: Images
) -> tuple[jax.Array, None]:
    return _BACKENDS[backend].pull(*residuals, cotangents, layout, size), None


composite.defvjp(_composite_fwd, _composite_bwd)


class _Backend(NamedTuple):
    """How to draw, and how to pull cotangents back.

    Attributes:
      draw: function of (table, tiles, layout, size) to the images and their sums, (S), which the
        derivative needs, in an order of its own.
      pull: function of (table, tiles, sums, cotangents of the images, layout, size) to the
        cotangent of the table.
    """

    draw: Callable[[jax.Array, Tiles, Layout, Size], tuple[Images, jax.Array]]
    pull: Callable[[jax.Array, Tiles, jax.Array, Images, Layout, Size], jax.Array]


def _draw_plainly(
    table: jax.Array, tiles: Tiles, layout: Layout, size: Size
) -> tuple[Images, jax.Array]:
    sums = sum_in_lockstep(table, tiles, layout, size)
    return _join_tiles(sums, layout, size), sums.ravel()


def _pull_plainly(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: Images,
    layout: Layout,
    size: Size,
) -> jax.Array:
    tiled = jnp.stack([_cut_into_tiles(x, size) for x in pack_images(cotangents)], axis=1)
    # Members of a batch are drawn one by one; in lockstep, all would wait for the deepest.
    pull = sequential_vmap(partial(derivative, layout=layout, size=size))
    result: jax.Array = pull(table, tiles, sums.reshape(tiled.shape), tiled)
    return result


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


def _draw_by_kernels(
    table: jax.Array, tiles: Tiles, layout: Layout, size: Size, *, kernel: Callable[..., jax.Array]
) -> tuple[Images, jax.Array]:
    operands = (x[None] for x in (table, tiles.ids, tiles.starts))
    sums = kernel(*operands, layout=layout, size=size).reshape(layout.images, *whole_tiles(size))
    images = [image[: size[0], : size[1]] for image in sums]
    return unpack_images(images, layout), sums.ravel()


def _pull_by_kernels(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: Images,
    layout: Layout,
    size: Size,
    *,
    kernel: Callable[..., jax.Array],
) -> jax.Array:
    height, width = whole_tiles(size)
    beyond = (0, height - size[0]), (0, width - size[1])
    given = jnp.concatenate([jnp.pad(x, beyond) for x in pack_images(cotangents)])
    operands = table, tiles.ids, tiles.starts, sums.reshape(given.shape), given
    return kernel(*(x[None] for x in operands), layout=layout, size=size)[0]


def _sum_without_kernel(
    table: jax.Array, ids: jax.Array, starts: jax.Array, *, layout: Layout, size: Size
) -> jax.Array:
    """What a kernel gives for one image."""
    images, _ = _draw_plainly(table, Tiles(ids, starts, jnp.int32(0)), layout, whole_tiles(size))
    return jnp.concatenate(pack_images(images))


def _pull_without_kernel(
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
    whole = whole_tiles(size)
    tiles = Tiles(ids, starts, jnp.int32(0))
    given, drawn = (x.reshape(layout.images, *whole) for x in (cotangents, sums))
    tiled = jnp.stack([_cut_into_tiles(x, whole) for x in drawn], axis=1)
    return _pull_plainly(table, tiles, tiled, unpack_images(list(given), layout), layout, size)


def _draw_automatically(
    table: jax.Array, tiles: Tiles, layout: Layout, size: Size
) -> tuple[Images, jax.Array]:
    kernel = partial(_primitives.composite_sums, otherwise=_sum_without_kernel)
    draw = partial(_draw_by_kernels, layout=layout, size=size, kernel=kernel)
    return choose_on_cuda(draw, partial(_draw_plainly, layout=layout, size=size), table, tiles)


def _pull_automatically(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: Images,
    layout: Layout,
    size: Size,
) -> jax.Array:
    kernel = partial(_primitives.derivative, otherwise=_pull_without_kernel)
    pull = partial(_pull_by_kernels, layout=layout, size=size, kernel=kernel)
    plain = partial(_pull_plainly, layout=layout, size=size)
    return choose_on_cuda(pull, plain, table, tiles, sums, cotangents)


def _draw_by_pallas(
    table: jax.Array, tiles: Tiles, layout: Layout, size: Size
) -> tuple[Images, jax.Array]:
    draw = partial(_draw_by_kernels, layout=layout, size=size)
    kernels = _interpreted("composite_sums"), partial(_primitives.composite_sums, otherwise=None)
    on_cpu, elsewhere = (partial(draw, kernel=kernel) for kernel in kernels)
    return choose_by_platform(on_cpu, elsewhere, table, tiles)


def _pull_by_pallas(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: Images,
    layout: Layout,
    size: Size,
) -> jax.Array:
    pull = partial(_pull_by_kernels, layout=layout, size=size)
    kernels = _interpreted("derivative"), partial(_primitives.derivative, otherwise=None)
    on_cpu, elsewhere = (partial(pull, kernel=kernel) for kernel in kernels)
    return choose_by_platform(on_cpu, elsewhere, table, tiles, sums, cotangents)


def _interpreted(name: str) -> Callable[..., jax.Array]:
    """A kernel that runs on a CPU, slowly."""
    from sf3d_jax.gaussians import _pallas

    return partial(getattr(_pallas, name), interpret=True)


_BACKENDS = {
    "auto": _Backend(_draw_automatically, _pull_automatically),
    "xla": _Backend(_draw_plainly, _pull_plainly),
    "pallas": _Backend(_draw_by_pallas, _pull_by_pallas),
}
BACKENDS = tuple(_BACKENDS)
