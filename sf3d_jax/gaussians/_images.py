"""From Gaussians in the image to what is drawn, and from the sums of compositing to images."""

from typing import Any

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import channels_last, mask, surface
from sf3d_jax.camera import Camera
from sf3d_jax.gaussians._blending import Layout
from sf3d_jax.gaussians._splats import Splats
from sf3d_jax.gaussians._tiles import Tiles, listed


def prepared(scene: Splats, camera: Camera, max_intersections: int) -> tuple[jax.Array, Tiles]:
    """The table to be drawn, and the lists of the tiles."""
    tiles = listed(jax.lax.stop_gradient(scene), camera.size, max_intersections)
    # If not all find a place, nothing that is drawn means anything.
    table = jnp.where(tiles.overflow > 0, jax.lax.stop_gradient(scene.table), scene.table)
    return table, tiles


def blended(
    sums: tuple[jax.Array, ...], layout: Layout, background: jax.Array | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Colours before a background, alpha and inverse depth."""
    *channels, alpha = sums[: layout.colors + 1]
    # Of many channels, choosing would take longer than moving.
    colors = channels_last(*channels) if layout.colors <= 8 else jnp.stack(channels, -1)
    if background is not None:
        colors = colors + (1 - alpha)[..., None] * background.astype(colors.dtype)
    return colors, alpha, inverse_depth(alpha, sums[layout.depth_image])


def inverse_depth(weight: jax.Array, depth: jax.Array) -> jax.Array:
    """The inverse of a depth that is a sum of weights; 0 where it is none."""
    there = (weight > 0) & surface(
        jnp.where(weight > 0, depth / jnp.where(weight > 0, weight, 1), 0)
    )
    weight, depth = mask(there, (weight, depth), (0, 1))
    return weight / depth


def loud(images: Any, overflow: jax.Array, dtype: Any) -> Any:
    """The images in a dtype; NaN, without a gradient, where lists overflowed."""
    return jax.tree.map(lambda x: jnp.where(overflow > 0, jnp.nan, x.astype(dtype)), images)
