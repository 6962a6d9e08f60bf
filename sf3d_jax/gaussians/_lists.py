"""Which Gaussians each tile of the image draws, front to back."""

from functools import partial

import jax

from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.gaussians import _lists_on_cpu, _lists_on_gpu
from sf3d_jax.gaussians._splats import Outlines
from sf3d_jax.gaussians._tiles import Tiles


def build_tile_lists(outlines: Outlines, size: tuple[int, int], capacity: int) -> Tiles:
    """The lists of all tiles, with room for `capacity` entries."""
    on_cpu = partial(_lists_on_cpu.build, size=size, capacity=capacity)
    on_gpu = partial(_lists_on_gpu.build, size=size, capacity=capacity)
    return choose_by_platform(on_cpu, on_gpu, outlines)


def count_intersections(outlines: Outlines, size: tuple[int, int]) -> jax.Array:
    """The number of entries of all tile lists, at most the largest integer."""
    on_cpu = partial(_lists_on_cpu.count, size=size)
    on_gpu = partial(_lists_on_gpu.count, size=size)
    return choose_by_platform(on_cpu, on_gpu, outlines)
