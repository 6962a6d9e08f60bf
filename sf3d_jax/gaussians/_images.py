"""From splats to what is drawn, and from the sums of compositing to images."""

from typing import TypeVar

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import Array, channels_last, is_positive_finite, mask
from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.camera import Camera
from sf3d_jax.gaussians._lists import build_tile_lists
from sf3d_jax.gaussians._rows import Images, pack
from sf3d_jax.gaussians._splats import Splats
from sf3d_jax.gaussians._tiles import Tiles

Tree = TypeVar("Tree")

# The number of channels that are joined at once.
_CHANNELS = 16


def build_table_and_tiles(
    splats: Splats, camera: Camera, max_intersections: int
) -> tuple[jax.Array, Tiles]:
    """The table to be drawn, and the tile lists."""
    tiles = build_tile_lists(splats.outlines, camera.size, max_intersections)
    table = pack(splats.row)
    # If the lists overflow, the drawn images are meaningless.
    return jnp.where(tiles.overflow > 0, jax.lax.stop_gradient(table), table), tiles


def resolve_images(
    sums: Images, background: Array | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Colours over a background, alpha and inverse depth."""
    colors = stack_channels(sums.colors)
    if background is not None:
        colors = colors + (1 - sums.alpha)[..., None] * background[None, None].astype(colors.dtype)
    return colors, sums.alpha, invert_depth(sums.alpha, sums.depth)


def stack_channels(maps: Vector) -> jax.Array:
    """Maps as the channels of one image, (H, W, C)."""
    # channels_last takes time for each pair of channels, and a stack is slower than several copies.
    parts = [channels_last(*maps[i : i + _CHANNELS]) for i in range(0, len(maps), _CHANNELS)]
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, -1)


def invert_depth(weight: jax.Array, depth: jax.Array) -> jax.Array:
    """The inverse of a depth summed with weights; 0 where nothing is drawn."""
    there = (weight > 0) & is_positive_finite(
        jnp.where(weight > 0, depth / jnp.where(weight > 0, weight, 1), 0)
    )
    weight, depth = mask(there, (weight, depth), (0, 1))
    return weight / depth


def nan_if_overflow(images: Tree, overflow: jax.Array, dtype: jnp.dtype) -> Tree:
    """The images in a dtype; NaN without a gradient if the lists overflowed."""
    result: Tree = jax.tree.map(lambda x: jnp.where(overflow > 0, jnp.nan, x.astype(dtype)), images)
    return result
