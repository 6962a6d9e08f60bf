"""Tiles of the image: which of them a Gaussian meets, and the lists of the Gaussians of each.

A Gaussian is listed in all tiles of SIDE x SIDE pixels that its ellipse alpha >= 1/255 meets: in
each row of tiles, those between the ellipse's leftmost and rightmost points in it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax.gaussians._splats import Outlines

SIDE = 8
PIXELS = SIDE * SIDE

# The largest integer, at which counts end.
LARGEST = 2**31 - 1

# Enlarges the ellipse by its rounding error, so that no pixel at its rim is missed.
_ROUNDING = 1e-3


class Tiles(NamedTuple):
    """The lists of the tiles of an image, row by row, one after another in one array.

    Attributes:
      ids: (M), indices of Gaussians, ordered by depth within a tile.
      starts: (T + 1), where each tile's list starts, and where the last one ends.
      overflow: (), number of entries that did not fit. If positive, the lists are unusable.
    """

    ids: jax.Array
    starts: jax.Array
    overflow: jax.Array


class Rows(NamedTuple):
    """The rows of tiles that Gaussians meet.

    Attributes:
      first: (N), the first row.
      total: (N), the number of rows; 0 if the Gaussian is not drawn in the image.
    """

    first: jax.Array
    total: jax.Array


def tile_grid(size: tuple[int, int]) -> tuple[int, int]:
    """The numbers of rows and columns of tiles that cover an image."""
    return -(-size[0] // SIDE), -(-size[1] // SIDE)


def find_rows(outlines: Outlines, size: tuple[int, int]) -> Rows:
    """The rows of tiles that Gaussians meet in an image."""
    u, v, wide, high = outlines.u, outlines.v, outlines.wide, outlines.high
    top, bottom = v - high - _ROUNDING, v + high + _ROUNDING
    # NaN from rounding fails these comparisons; cast to an integer it could be anything.
    inside = outlines.is_drawn & (u + wide + _ROUNDING >= 0) & (bottom >= 0)
    inside = inside & (u - wide - _ROUNDING <= size[1] - 1) & (top <= size[0] - 1)
    # Pixels are at integers, so the first pixel in the ellipse is at the next integer.
    first, last = (
        jnp.clip(x, 0, size[0] - 1).astype(jnp.int32) // SIDE
        for x in (jnp.ceil(top), jnp.floor(bottom))
    )
    return Rows(first, jnp.where(inside, jnp.maximum(last - first + 1, 1), 0))


def find_columns(
    outlines: Outlines, row: jax.Array, size: tuple[int, int]
) -> tuple[jax.Array, jax.Array]:
    """The first and last column of tiles that a Gaussian meets in a row of tiles; at least one.

    Outlines and rows broadcast.
    """
    u, v, p, q, r = outlines.u, outlines.v, outlines.p, outlines.q, outlines.r
    # Vertical offsets of the row's pixels from the mean, clipped to the ellipse.
    start = (row * SIDE).astype(v.dtype)
    top = jnp.clip(start - v - _ROUNDING, -outlines.high, outlines.high)
    bottom = jnp.clip(start + (SIDE - 1) - v + _ROUNDING, -outlines.high, outlines.high)
    # The ellipse is widest at y = +-widest; clip that to the row.
    widest = -p * q / (q * q + r * r) * outlines.wide
    ends = []
    for sign in (-1, 1):
        y = jnp.clip(sign * widest, top, bottom)
        chord = jnp.sqrt(jnp.maximum(outlines.power - (r * y) ** 2, 0))
        ends.append(u + (sign * chord - q * y) / p + sign * _ROUNDING)
    left, right = jnp.ceil(ends[0]), jnp.floor(ends[1])
    limit = tile_grid(size)[1] * SIDE - 1
    first = jnp.clip(left, 0, limit).astype(jnp.int32) // SIDE
    last = jnp.clip(right, 0, limit).astype(jnp.int32) // SIDE
    return first, jnp.maximum(last, first)
