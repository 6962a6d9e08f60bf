"""Tiles in lockstep: the next Gaussians of a group of tiles, and their values at each pixel.

Tiles are grouped by list length. All tiles of a group advance together, a few Gaussians per step,
so XLA gets long loops over pixels and memory holds one step.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics import compute_once
from sf3d_jax.gaussians._blending import (
    STOP,
    Peak,
    alpha_at,
    peak_at,
    values_at,
    weigh,
    weigh_motion,
)
from sf3d_jax.gaussians._rows import Images, Layout, Row, unpack
from sf3d_jax.gaussians._tiles import PIXELS, SIDE, Tiles, tile_grid

GROUP = 128
STEP = 8

# Offsets of a tile's pixels from its middle.
_PLACE = np.arange(PIXELS)
MIDDLE = (SIDE - 1) / 2
ACROSS, DOWN = _PLACE % SIDE - MIDDLE, _PLACE // SIDE - MIDDLE


class Group(NamedTuple):
    """Tiles that are drawn together.

    Attributes:
      start: (G), starts of their lists.
      end: (G), ends of their lists.
      middle: (G, 2), their middles, in pixels.
      inside: (G, P), 1 at pixels of the image, 0 beyond it.
    """

    start: jax.Array
    end: jax.Array
    middle: jax.Array
    inside: jax.Array

    @property
    def longest(self) -> jax.Array:
        """The length of the longest list."""
        return (self.end - self.start).max()

    def is_unfinished(self, first: jax.Array, clear: jax.Array) -> jax.Array:
        """Whether a list has a Gaussian at index `first` and some pixel has light left.

        Args:
          first: (), index of the next Gaussian in each list.
          clear: (G, P), T in front of it.

        Returns:
          (), bool.
        """
        return (first < self.longest) & (clear.max() > STOP)


class Batch(NamedTuple):
    """The next STEP Gaussians of each tile of a group.

    Attributes:
      ids: (G, K).
      row: their rows of the table, (G, K, 1).
      offset: (G, K, 1) twice, offsets of the means from the middle of the tile.
      x: (G, K, P), horizontal offsets of the pixels from the means.
      y: (G, K, P), vertical offsets.
      alpha: (G, K, P), 0 beyond the end of the list.
      peak: (G, K, P), the densest points of the rays.
      values: what the Gaussians show, (G, K, 1) or (G, K, P).
    """

    ids: jax.Array
    row: Row
    offset: tuple[jax.Array, jax.Array]
    x: jax.Array
    y: jax.Array
    alpha: jax.Array
    peak: Peak
    values: Images


def group_tiles(tiles: Tiles) -> jax.Array:
    """Tiles by list length, longest first, (groups, GROUP); padded with -1."""
    order = jnp.argsort(tiles.starts[:-1] - tiles.starts[1:])
    order = jnp.pad(order, (0, -len(order) % GROUP), constant_values=-1)
    return order.reshape(-1, GROUP)


def find_group(tile: jax.Array, table: jax.Array, tiles: Tiles, size: tuple[int, int]) -> Group:
    """The group of these GROUP tiles."""
    dtype = table.dtype
    columns = tile_grid(size)[1]
    start = tiles.starts[tile]
    end = jnp.where(tile < 0, start, tiles.starts[tile + 1])
    corner = jnp.stack([tile % columns, tile // columns], -1) * SIDE
    # Cast explicitly: NumPy constants would be float64 if JAX's x64 mode is switched on later.
    middle = corner.astype(dtype) + jnp.asarray(MIDDLE, dtype)
    u, v = (
        middle[:, :1] + jnp.asarray(ACROSS[None], dtype),
        middle[:, 1:] + jnp.asarray(DOWN[None], dtype),
    )
    inside = (u < size[1]) & (v < size[0])
    # Adding 0 * table: loops start here and, under shard_map, must start device-varying.
    return Group(start, end, middle, inside.astype(dtype) + 0 * table[0, 0])


def read_batch(
    table: jax.Array, tiles: Tiles, group: Group, first: jax.Array, layout: Layout
) -> Batch:
    """The STEP Gaussians from index `first` of each tile."""
    place = group.start[:, None] + first + jnp.arange(STEP, dtype=jnp.int32)[None]
    ids = tiles.ids[jnp.minimum(place, len(tiles.ids) - 1)]
    rows = table[ids]
    row = unpack([rows[..., i, None] for i in range(table.shape[-1])], layout)
    # Subtract the two large numbers first, which is exact, then the pixel's offset.
    u, v = (mean - group.middle[:, i, None, None] for i, mean in enumerate((row.u, row.v)))
    across, down = (jnp.asarray(x[None, None], table.dtype) for x in (ACROSS, DOWN))
    x, y = across - u, down - v
    opacity = jnp.where((place < group.end[:, None])[..., None], row.opacity, 0)
    # Without this, XLA would compute alpha again for every image.
    alpha = compute_once(alpha_at(x, y, row, opacity))
    peak = peak_at(x, y, row.peak)
    return Batch(ids, row, (u, v), x, y, alpha, peak, values_at(x, y, peak, row, layout))


def weigh_batch(
    batch: Batch, clear: jax.Array, layout: Layout
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The weights of a batch, those of its motion, (G, K, P) each, and T behind it.

    `clear` is T in front of the batch, (G, P).
    """
    weights, motions = [], []
    for k in range(STEP):
        after = clear * (1 - batch.alpha[:, k])
        weights.append(weigh(batch.alpha[:, k], clear, after))
        motions.append(weigh_motion(weights[k], clear, after, layout))
        clear = after
    weight = jnp.stack(weights, 1)
    return weight, jnp.stack(motions, 1) if layout.is_median else weight, clear
