"""The kernels of `_kernels` by Pallas' Mosaic GPU, for cards of compute capability 9.0 or newer."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.experimental.pallas import mosaic_gpu as plgpu

from sf3d_jax.camera import Size
from sf3d_jax.gaussians._kernels import (
    Program,
    Reference,
    draw,
    pull,
    rows_shape,
    sum_rows,
    sums_shape,
)
from sf3d_jax.gaussians._rows import Layout
from sf3d_jax.gaussians._tiles import PIXELS

# A program has four warps of 32 threads. Two warps have a pixel on each thread, and the other two
# have the same pixels: so a program has one list, and the walk ends where that list ends.
_PIXELS = plgpu.Layout.TILED(
    plgpu.Tiling(((PIXELS,), (32,), (1,))),
    warp_dims=(-3, plgpu.Replicated(2)),
    lane_dims=(-2,),
    vector_dim=-1,
)


def composite_sums(
    table: jax.Array,
    ids: jax.Array,
    starts: jax.Array,
    *,
    layout: Layout,
    size: Size,
) -> jax.Array:
    """The sums of the layout's images, weighted front to back.

    Args:
      table: (B, N, D), packed rows.
      ids: (B, M), the tile lists.
      starts: (B, T + 1), where they start.
      layout: which fields rows and images have.
      size: (H, W).

    Returns:
      (B, T images, P), 0 beyond the borders of the image.
    """
    shape = sums_shape(table, starts, layout)
    if not table.size:
        return jnp.zeros(shape.shape, shape.dtype)
    kernel = partial(draw, layout=layout, size=size)
    return _call(kernel, "composite_sums", shape, table, ids, starts)


def derivative(
    table: jax.Array,
    ids: jax.Array,
    starts: jax.Array,
    sums: jax.Array,
    cotangents: jax.Array,
    *,
    layout: Layout,
    size: Size,
) -> jax.Array:
    """The cotangent of the table.

    Args:
      table: (B, N, D).
      ids: (B, M), the tile lists.
      starts: (B, T + 1), where they start.
      sums: (B, T images, P), the drawn images.
      cotangents: (B, T images, P).
      layout: which fields rows and images have.
      size: (H, W).

    Returns:
      (B, N, D).
    """
    if not table.size:
        return jnp.zeros_like(table)
    kernel, operands = (
        partial(pull, layout=layout, size=size),
        (table, ids, starts, sums, cotangents),
    )
    rows = _call(kernel, "composite_derivative", rows_shape(table, ids), *operands)
    return sum_rows(rows, table, ids, starts)


def _call(
    kernel: Callable[..., None], name: str, shape: ShapedArray, *operands: jax.Array
) -> jax.Array:
    """What a kernel writes: one program for each tile of each image."""
    hold = lambda x: plgpu.layout_cast(x, _PIXELS)

    def body(*references: Reference) -> None:
        tile, image = (jax.lax.axis_index(axis) for axis in ("tile", "image"))
        pixel = hold(plgpu.broadcasted_iota(jnp.int32, (PIXELS,), 0))
        kernel(Program(tile, image, pixel, hold), *references)

    body.__name__ = name
    starts = operands[2]
    call = plgpu.kernel(
        body,
        out_type=shape,
        grid=(starts.shape[1] - 1, len(starts)),
        grid_names=("tile", "image"),
    )
    result: jax.Array = call(*operands)
    return result
