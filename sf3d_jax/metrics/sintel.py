"""Sintel's optical flow metrics: mean end-point errors over all pixels and over parts of them.

    matched, unmatched       whether the next image shows the point
    d0-10, d10-60, d60-140   by distance to the nearest occlusion boundary, in pixels
    s0-10, s10-40, s40+      by true speed, in pixels per frame

The benchmark's code for the distance is not public. Here a pixel is on the boundary if it is
occluded and its upper, lower, left or right neighbour is not, or the reverse.

Butler et al., "A naturalistic open source movie for optical flow evaluation" (ECCV 2012).
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._checks import check_mask
from sf3d_jax._numerics import align_ranks, jit
from sf3d_jax._numerics.lengths import length
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.metrics._accumulate import Metric
from sf3d_jax.metrics._maps import (
    MASK,
    SCALAR,
    Array,
    MapLike,
    check_not_none,
    compute_maps_once,
    distance,
    read_maps,
)
from sf3d_jax.metrics._sums import Terms

_FARTHEST = 140
_FAR = 2.0 * _FARTHEST**2


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SintelFlow(Metric):
    """Mean end-point errors |F - F*| in pixels, over all pixels and over Sintel's parts.

    The names that `compute` returns are EPE, EPE-matched, EPE-unmatched, d0-10, d10-60, d60-140 (by
    distance to an occlusion boundary), s0-10, s10-40, s40+ (by true speed, in pixels) and missing:
    the pixels, in percent, whose estimate is not finite. Such pixels do not count in the errors.
    Results whose optional maps were not given are omitted.
    """

    units: ClassVar[dict[str, float]] = {
        "EPE": 1.0,
        "EPE-matched": 1.0,
        "EPE-unmatched": 1.0,
        "d0-10": 1.0,
        "d10-60": 1.0,
        "d60-140": 1.0,
        "s0-10": 1.0,
        "s10-40": 1.0,
        "s40+": 1.0,
        "missing": 100.0,
    }

    @jit
    def update(
        self,
        flow: MapLike,
        true_flow: MapLike,
        *,
        occluded: Array | None = None,
        boundary_distance: MapLike | None = None,
    ) -> "SintelFlow":
        """Adds images. Each map is an array or (values, valid), as `sf3d.data` reads it.

        Args:
          flow: (*b, H, W, 2), the estimate, in pixels.
          true_flow: (*b, H, W, 2), in pixels.
          occluded: (*b, H, W), bool, pixels that the next image does not show.
          boundary_distance: (*b, H, W), distance to the nearest occlusion boundary, in pixels; by
            default `occlusion_boundary_distance(occluded)`.

        Returns:
          The metric with these images.
        """
        check_not_none(flow=flow, true_flow=true_flow)
        maps = read_maps(
            flow=(flow, 2),
            true_flow=(true_flow, 2),
            occluded=(occluded, MASK),
            boundary_distance=(boundary_distance, SCALAR),
        )
        truth, found = maps["true_flow"], maps["flow"].known
        speed = length(*truth.parts)
        error, speed, use, found = compute_maps_once(
            (distance(maps["flow"], truth), speed, truth.known, found)
        )
        seen = use & found
        terms: dict[str, Terms] = {"EPE": (error, seen), "missing": (~found, use)}
        if "occluded" in maps:
            hidden = maps["occluded"].values
            terms["EPE-matched"] = error, seen & ~hidden
            terms["EPE-unmatched"] = error, seen & hidden
        away = None
        if "boundary_distance" in maps:
            # An unknown distance counts as infinite.
            given = maps["boundary_distance"]
            away = jnp.where(given.known, given.values, jnp.inf)
        elif occluded is not None:
            away = compute_maps_once(
                jnp.broadcast_to(occlusion_boundary_distance(jnp.asarray(occluded)), error.shape)
            )
        if away is not None:
            terms["d0-10"] = error, seen & (away < 10)
            terms["d10-60"] = error, seen & (away >= 10) & (away < 60)
            terms["d60-140"] = error, seen & (away >= 60) & (away <= _FARTHEST)
        terms["s0-10"] = error, seen & (speed < 10)
        terms["s10-40"] = error, seen & (speed >= 10) & (speed < 40)
        terms["s40+"] = error, seen & (speed >= 40)
        return self._add(terms)


@jit
def occlusion_boundary_distance(occluded: jax.Array) -> jax.Array:
    """The distance of each pixel to the nearest occlusion boundary, up to 140 pixels.

    A pixel is on the boundary if one of its four neighbours differs from it in `occluded`.

    Args:
      occluded: (*b, H, W), bool.

    Returns:
      (*b, H, W), float32, the distance between pixel centres; 0 on the boundary, infinite beyond
      140 pixels.
    """
    check_mask("occluded", occluded)
    if occluded.ndim < 2:
        raise ValueError(f"occluded: expected shape (..., H, W), got {occluded.shape}")
    along = _distance_along_column(_mark_boundary(occluded))
    squared = jnp.where(along <= _FARTHEST, (along * along).astype(jnp.float32), _FAR)
    least = choose_by_platform(_search_row_by_shifts, _search_row_at_once, squared)
    return jnp.where(least <= _FARTHEST**2, jnp.sqrt(least), jnp.inf)


def _search_row_by_shifts(squared: jax.Array) -> jax.Array:
    """The least of squared[..., j] + (j - i)^2 over the columns j up to 140 away from i."""
    width = squared.shape[-1]
    padding = [(0, 0)] * (squared.ndim - 1) + [(_FARTHEST, _FARTHEST)]
    padded = jnp.pad(squared, padding, constant_values=_FAR)

    def nearer(shift: jax.Array, best: jax.Array) -> jax.Array:
        other = lax.dynamic_slice_in_dim(padded, shift, width, padded.ndim - 1)
        return jnp.minimum(best, other + jnp.square(shift - _FARTHEST).astype(jnp.float32))

    return lax.fori_loop(0, 2 * _FARTHEST + 1, nearer, squared)


def _search_row_at_once(squared: jax.Array) -> jax.Array:
    """The same as one reduction over all shifts, whose terms a GPU never writes to memory."""
    width = squared.shape[-1]
    shift = jnp.arange(-_FARTHEST, _FARTHEST + 1)[None]
    # A column beyond the edge reads the edge as if it were farther away, so it is never the least.
    column = jnp.clip(jnp.arange(width)[:, None] + shift, 0, width - 1)
    other = squared.at[..., column].get(mode="promise_in_bounds")
    (step,) = align_ranks(jnp.square(shift).astype(jnp.float32), rank=other.ndim)
    return (other + step).min(-1)


def _mark_boundary(x: jax.Array) -> jax.Array:
    """Pixels with a neighbour of the other value."""
    across = x[..., :, 1:] != x[..., :, :-1]
    down = x[..., 1:, :] != x[..., :-1, :]
    pad = lambda m, axis, sides: jnp.pad(
        m, [(0, 0)] * (m.ndim - 2 + axis) + [sides] + [(0, 0)] * (1 - axis)
    )
    before, after = (1, 0), (0, 1)
    return (
        pad(across, 1, before) | pad(across, 1, after) | pad(down, 0, before) | pad(down, 0, after)
    )


def _distance_along_column(marks: jax.Array) -> jax.Array:
    """The distance from each pixel to the nearest mark in its column, in whole pixels."""
    rows, axis = marks.shape[-2], marks.ndim - 2
    row = jnp.broadcast_to(jnp.arange(rows)[:, None], marks.shape)
    none = rows + _FARTHEST + 1
    above = lax.cummax(jnp.where(marks, row, -none), axis)
    below = lax.cummin(jnp.where(marks, row, 2 * none), axis, reverse=True)
    return jnp.minimum(row - above, below - row)
