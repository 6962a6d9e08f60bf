"""The kernels of `_kernels` by Pallas' Triton, for cards of compute capability 8.0 or newer."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from sf3d_jax.gaussians._kernels import Program, Reference
from sf3d_jax.gaussians._tiles import PIXELS

# With one warp, a sum over the pixels needs no shared memory and no barrier.
_WARPS = 1


def call(
    kernel: Callable[..., None],
    name: str,
    shape: ShapedArray,
    *operands: jax.Array,
    interpret: bool = False,
) -> jax.Array:
    """What a kernel writes: one program for each tile of each image, on one warp."""

    def body(*references: Reference) -> None:
        pixel = jax.lax.iota(jnp.int32, PIXELS)
        kernel(Program(pl.program_id(0), pl.program_id(1), pixel, lambda x: x), *references)

    starts = operands[2]
    launch = pl.pallas_call(
        body,
        grid=(starts.shape[1] - 1, len(starts)),
        out_shape=shape,
        in_specs=[pl.no_block_spec] * len(operands),
        out_specs=pl.no_block_spec,
        compiler_params=plgpu.CompilerParams(num_warps=_WARPS),
        interpret=interpret,
        name=name,
    )
    result: jax.Array = launch(*operands)
    return result
