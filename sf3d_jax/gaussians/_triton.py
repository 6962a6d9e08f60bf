"""The kernels of `_kernels` by Pallas' Triton, for cards of compute capability 8.0 or newer."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

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

# With one warp, a sum over the pixels needs no shared memory and no barrier.
_WARPS = 1


def composite_sums(
    table: jax.Array,
    ids: jax.Array,
    starts: jax.Array,
    *,
    layout: Layout,
    size: Size,
    interpret: bool = False,
) -> jax.Array:
    """The sums of the layout's images, weighted front to back.

    Args:
      table: (B, N, D), packed rows.
      ids: (B, M), the tile lists.
      starts: (B, T + 1), where they start.
      layout: which fields rows and images have.
      size: (H, W).
      interpret: run the kernel interpreted, on any device; slow, for tests.

    Returns:
      (B, T images, P), 0 beyond the borders of the image.
    """
    shape = sums_shape(table, starts, layout)
    if not table.size:
        return jnp.zeros(shape.shape, shape.dtype)
    kernel = partial(draw, layout=layout, size=size)
    return _call(kernel, "composite_sums", shape, table, ids, starts, interpret=interpret)


def derivative(
    table: jax.Array,
    ids: jax.Array,
    starts: jax.Array,
    sums: jax.Array,
    cotangents: jax.Array,
    *,
    layout: Layout,
    size: Size,
    interpret: bool = False,
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
      interpret: run the kernel interpreted, on any device; slow, for tests.

    Returns:
      (B, N, D).
    """
    if not table.size:
        return jnp.zeros_like(table)
    kernel, operands = (
        partial(pull, layout=layout, size=size),
        (table, ids, starts, sums, cotangents),
    )
    rows = _call(
        kernel, "composite_derivative", rows_shape(table, ids), *operands, interpret=interpret
    )
    return sum_rows(rows, table, ids, starts)


def _call(
    kernel: Callable[..., None],
    name: str,
    shape: ShapedArray,
    *operands: jax.Array,
    interpret: bool,
) -> jax.Array:
    """What a kernel writes: one program for each tile of each image, on one warp."""

    def body(*references: Reference) -> None:
        pixel = jax.lax.iota(jnp.int32, PIXELS)
        kernel(Program(pl.program_id(0), pl.program_id(1), pixel, lambda x: x), *references)

    starts = operands[2]
    call = pl.pallas_call(
        body,
        grid=(starts.shape[1] - 1, len(starts)),
        out_shape=shape,
        in_specs=[pl.no_block_spec] * len(operands),
        out_specs=pl.no_block_spec,
        compiler_params=plgpu.CompilerParams(num_warps=_WARPS),
        interpret=interpret,
        name=name,
    )
    result: jax.Array = call(*operands)
    return result
