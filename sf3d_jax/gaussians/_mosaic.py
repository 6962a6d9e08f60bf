"""The kernels of `_kernels` by Pallas' Mosaic GPU, for cards of compute capability 9.0 or newer."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.experimental.pallas import mosaic_gpu as plgpu

from sf3d_jax.gaussians._kernels import Program, Reference
from sf3d_jax.gaussians._tiles import PIXELS

# A program has four warps of 32 threads. Two warps have a pixel on each thread, and the other two
# have the same pixels: so a program has one list, and the walk ends where that list ends.
_PIXELS = plgpu.Layout.TILED(
    plgpu.Tiling(((PIXELS,), (32,), (1,))),
    warp_dims=(-3, plgpu.Replicated(2)),
    lane_dims=(-2,),
    vector_dim=-1,
)


def call(
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
    launch = plgpu.kernel(
        body,
        out_type=shape,
        grid=(starts.shape[1] - 1, len(starts)),
        grid_names=("tile", "image"),
    )
    result: jax.Array = launch(*operands)
    return result
