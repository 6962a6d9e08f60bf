"""Sampling maps at points between pixels by the rule of surfaces.

A pixel shows the surface of a point if their inverse depths differ by no more than twice the local
slope per pixel, and a tolerance. Where all four pixels around a point show its
surface, maps are sampled bilinearly; elsewhere the nearest of the four that does is taken alone.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax.warping._windows import fold_batch_into_rows
from sf3d_jax.warping._windows.taps import pixels_at

# As in `resize_inv_depth`: two pixels of one surface differ by no more than twice its local slope.
_SLOPES = 2
# The slopes of neighbours on one surface differ by no more than this factor.
_STEEPER = 4


class Corners(NamedTuple):
    """The four pixels around each point.

    Attributes:
      weights: four maps (*b, h, w), the bilinear weights; they sum to 1.
      values: for each of the four the values of all maps, (*b, h, w) each.
    """

    weights: list[jax.Array]
    values: list[tuple[jax.Array, ...]]

    def of(self, index: int) -> list[jax.Array]:
        """The values of one map at the four pixels."""
        return [values[index] for values in self.values]


def find_corners(u: jax.Array, v: jax.Array, maps: Sequence[jax.Array]) -> Corners:
    """Gathers maps at the four pixels around points.

    Args:
      u: (*b, h, w), columns, at most half a pixel outside of the outermost centres.
      v: (*b, h, w), rows. Beyond the outermost centres, the weights extrapolate.
      maps: maps (*b, H, W), with the rank of u.
    """
    maps = jnp.broadcast_arrays(*maps)
    *images, height, width = maps[0].shape
    batch = np.broadcast_shapes(tuple(images), u.shape[:-2])
    u, v = (jnp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (u, v))
    number = np.arange(math.prod(images), dtype=np.int32).reshape(images)
    number = np.broadcast_to(number, batch)[..., None, None]
    (row, across), (column, along) = _find_neighbours(v, height), _find_neighbours(u, width)
    image = fold_batch_into_rows(jnp.stack(maps, -1), -3).reshape(-1, len(maps))
    weights, values = [], []
    for i in (0, 1):
        for j in (0, 1):
            lines = number * height + jnp.minimum(row + i, height - 1)
            at = lines * width + jnp.minimum(column + j, width - 1)
            weights.append(across[i] * along[j])
            values.append(tuple(jnp.moveaxis(pixels_at(image, at), -1, 0)))
    return Corners(weights, values)


def _find_neighbours(x: jax.Array, size: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """The index of the lower neighbour along an axis, and the linear weights of both."""
    first = jnp.clip(jnp.floor(x), 0, max(size - 2, 0))
    after = x - first if size > 1 else jnp.zeros_like(x)
    return first.astype(jnp.int32), (1 - after, after)


def find_nearest(corners: Corners, allowed: Sequence[jax.Array]) -> list[jax.Array]:
    """Which of the four pixels is the nearest of those that are allowed: four masks.

    All four are False where none is allowed.
    """
    heights = [jnp.where(ok, w, -jnp.inf) for w, ok in zip(corners.weights, allowed, strict=True)]
    most = functools.reduce(jnp.maximum, heights)
    found, chosen = jnp.zeros(most.shape, bool), []
    for height in heights:
        chosen.append((height == most) & (height > -jnp.inf) & ~found)
        found = found | chosen[-1]
    return chosen


def find_fits(
    corners: Corners,
    inv_depth: jax.Array,
    depths: Sequence[jax.Array],
    slopes: Sequence[jax.Array],
    tolerance: jax.Array,
) -> list[jax.Array]:
    """Which of the four pixels show the surface of a point of a given inverse depth.

    Args:
      corners: the four pixels.
      inv_depth: that of the points, per metre.
      depths: inverse depths of the four pixels; 0 without a surface.
      slopes: local slopes there. That of the pixel nearest in depth counts, unless another pixel
        that fits by it has a much smaller one: the tip of a surface, one pixel wide, has the slope
        of its edge.
      tolerance: relative to the inverse depth.
    """
    depths, slopes, inv_depth = lax.stop_gradient((depths, slopes, inv_depth))
    weighs = [(depth > 0) & (w != 0) for depth, w in zip(depths, corners.weights, strict=True)]
    gaps = [
        jnp.where(there, jnp.abs(depth - inv_depth), jnp.inf)
        for there, depth in zip(weighs, depths, strict=True)
    ]
    least = functools.reduce(jnp.minimum, gaps)
    slope = jnp.zeros_like(least)
    for gap, own in zip(gaps, slopes, strict=True):
        slope = jnp.where(gap == least, own, slope)
    fit_by = lambda slope: [gap <= _SLOPES * slope + tolerance * inv_depth for gap in gaps]
    fits = [jnp.where(ok, own, jnp.inf) for ok, own in zip(fit_by(slope), slopes, strict=True)]
    smallest = functools.reduce(jnp.minimum, fits)
    return fit_by(jnp.minimum(slope, _STEEPER * smallest))


def choose_weights(corners: Corners, fits: Sequence[jax.Array]) -> list[jax.Array]:
    """The weights to sample with: bilinear, or 1 at the nearest that fits; all 0 if none does."""
    every = [ok | (w == 0) for ok, w in zip(fits, corners.weights, strict=True)]
    together = functools.reduce(jnp.logical_and, every)
    nearest = find_nearest(corners, fits)
    return [
        jnp.where(together, w, one.astype(w.dtype))
        for w, one in zip(corners.weights, nearest, strict=True)
    ]


def take(weights: Sequence[jax.Array], values: Sequence[jax.Array]) -> jax.Array:
    """The weighted sum of the values of a map at the four pixels."""
    return functools.reduce(jnp.add, [w * x for w, x in zip(weights, values, strict=True)])


def is_at(chosen: Sequence[jax.Array], flags: Sequence[jax.Array]) -> jax.Array:
    """Whether a flag is set at the pixel that is chosen."""
    pairs = [one & flag for one, flag in zip(chosen, flags, strict=True)]
    return functools.reduce(jnp.logical_or, pairs)
