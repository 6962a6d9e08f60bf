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

from sf3d_jax._numerics import channels
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.warping._windows import (
    Maps,
    chunks,
    fold_batch_into_rows,
    window_sum,
    window_sum_for_weight_grad,
)
from sf3d_jax.warping._windows.taps import flatten, list_taps, pixels_at

# As in `resize_inv_depth`: two pixels of one surface differ by no more than twice its local slope.
_SLOPES = 2
# The slopes of neighbours on one surface differ by no more than this factor.
_STEEPER = 4


class Corners(NamedTuple):
    """The four pixels around each point, row by row.

    Attributes:
      first: the first of the four, as an index into the rows of all images, (B h, w).
      weights: four maps (*b, h, w), the bilinear weights; they sum to 1.
    """

    first: jax.Array
    weights: list[jax.Array]


def find_corners(
    u: jax.Array, v: jax.Array, batch: tuple[int, ...], size: tuple[int, int]
) -> Corners:
    """Finds the four pixels around points.

    Args:
      u: (*b, h, w), columns, at most half a pixel outside of the outermost centres.
      v: (*b, h, w), rows. Beyond the outermost centres, the weights extrapolate.
      batch: batch axes of the images, as many as those of u.
      size: (H, W) of the images.
    """
    common = np.broadcast_shapes(batch, u.shape[:-2])
    u, v = (jnp.broadcast_to(x, (*common, *x.shape[-2:])) for x in (u, v))
    number = np.arange(math.prod(batch), dtype=np.int32).reshape(batch)
    number = np.broadcast_to(number, common)[..., None, None]
    (row, across), (column, along) = (
        _find_neighbours(x, n) for x, n in zip((v, u), size, strict=True)
    )
    height, width = _enlarge(size)
    first = (jnp.asarray(number) * height + row) * width + column
    return Corners(fold_batch_into_rows(first, -2), [a * b for a in across for b in along])


def _find_neighbours(x: jax.Array, size: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """The index of the lower neighbour along an axis, and the linear weights of both."""
    first = jnp.clip(jnp.floor(x), 0, max(size - 2, 0))
    after = x - first if size > 1 else jnp.zeros_like(x)
    return first.astype(jnp.int32), (1 - after, after)


def _enlarge(size: tuple[int, int]) -> tuple[int, int]:
    """The size of an image that holds a window of 2 x 2 pixels."""
    return max(size[0], 2), max(size[1], 2)


def gather(corners: Corners, maps: Sequence[jax.Array]) -> list[list[jax.Array]]:
    """The values of each map at the four pixels, without derivatives.

    Args:
      corners: the four pixels.
      maps: (*b, H, W).
    """
    image = lax.stop_gradient(_join(maps))
    shape, flat = corners.weights[0].shape, image.reshape(-1, len(maps))
    values = [
        pixels_at(flat, corners.first + (i * image.shape[1] + j)) for i in (0, 1) for j in (0, 1)
    ]
    return [[x[..., k].reshape(shape) for x in values] for k in range(len(maps))]


def take(
    corners: Corners, weights: Sequence[jax.Array], maps: Sequence[jax.Array]
) -> tuple[jax.Array, ...]:
    """The sums of maps over the four pixels with weights: one map (*b, h, w) for each.

    Args:
      corners: the four pixels.
      weights: four maps (*b, h, w).
      maps: (*b, H, W), finite; 0 where a weight is not to count.
    """
    a, b, c, d = fold_batch_into_rows(tuple(weights), -2)
    sums = _weigh(_join(maps), corners.first, [[a, b], [c, d]])
    return tuple(x.reshape(weights[0].shape) for x in channels(sums))


def _join(maps: Sequence[jax.Array]) -> jax.Array:
    """The maps as the channels of one tall image, large enough for a window."""
    image = jnp.stack(jnp.broadcast_arrays(*maps), -1)
    *_, height, width, _ = image.shape
    enlarged = _enlarge((height, width))
    padding = [(0, 0)] * image.ndim
    padding[-3:-1] = [(0, enlarged[0] - height), (0, enlarged[1] - width)]
    return fold_batch_into_rows(jnp.pad(image, padding), -3)


@jax.custom_jvp
def _weigh(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """Sums windows of an image (H, W, C) with weights: (m, n, C)."""
    return window_sum(image, first, weights)


@_weigh.defjvp
def _weigh_jvp(
    primals: tuple[jax.Array, jax.Array, Maps], tangents: tuple[jax.Array, jax.Array, Maps]
) -> tuple[jax.Array, jax.Array]:
    """The tangent in forms whose transposes are fast."""
    image, first, weights = primals
    image_dot, _, weights_dot = tangents
    on_cpu = chunks.sum_windows_for_image_grad
    moved = choose_by_platform(on_cpu, _sum_at_once, image_dot, first, weights)
    return _weigh(*primals), moved + window_sum_for_weight_grad(image, first, weights_dot)


def _sum_at_once(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """What `_weigh` does, linear in the image, without a loop."""
    flat = flatten(image)
    taps = list_taps(weights, image.shape[1])
    return functools.reduce(jnp.add, [w[..., None] * pixels_at(flat, first + i) for i, w in taps])


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


def is_at(chosen: Sequence[jax.Array], flags: Sequence[jax.Array]) -> jax.Array:
    """Whether a flag is set at the pixel that is chosen."""
    pairs = [one & flag for one, flag in zip(chosen, flags, strict=True)]
    return functools.reduce(jnp.logical_or, pairs)
