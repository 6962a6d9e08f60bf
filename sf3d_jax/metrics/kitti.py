"""KITTI 2015 scene flow metrics, following its development kit.

A disparity is an outlier if |d - d*| > 3 px and |d - d*| / |d*| > 0.05; a flow vector, by its
end-point error and true length in the same way; a scene flow, if any of its three parts is. All
pixels with a true value count, over all images together. Holes of the estimate are filled before
the comparison, see `fill_holes`; what stays empty is an outlier. A second set of results, "result",
counts only pixels that had an estimate.

Menze and Geiger, "Object Scene Flow for Autonomous Vehicles" (CVPR 2015).
"""

import dataclasses
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._checks import check_array, check_mask
from sf3d_jax._numerics import align_ranks, channels, channels_last, is_in_range, jit
from sf3d_jax._numerics.lengths import length
from sf3d_jax.metrics._accumulate import Metric
from sf3d_jax.metrics._maps import (
    MASK,
    SCALAR,
    Array,
    Map,
    MapLike,
    compute_maps_once,
    distance,
    read_maps,
)
from sf3d_jax.metrics._stereo_flow import QUANTITIES, Errors, combine, compare, pick
from sf3d_jax.metrics._sums import Terms

_PIXELS = 3.0
# The development kit compares a float with the double 0.05, which the nearest float exceeds.
_SHARE = np.float32(0.05)

_REGIONS = ("bg", "fg", "all")
# Endings of result names, by kind of truth.
_OCC, _NOC = "", "-noc"


def _units() -> dict[str, float]:
    units: dict[str, float] = {}
    for end in (_OCC, _NOC):
        for name in (*QUANTITIES, "SF"):
            for kind in ("", "-result"):
                units |= {f"{name}-{region}{kind}{end}": 100.0 for region in _REGIONS}
                if name != "SF":
                    units[f"{name}-epe{kind}{end}"] = 1.0
            units[f"{name}-density{end}"] = 100.0
    return units


class Filled(NamedTuple):
    """A map without holes.

    Attributes:
      values: (*b, H, W) or (*b, H, W, C).
      valid: (*b, H, W), bool, False in rows that could not be filled.
    """

    values: jax.Array
    valid: jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class KittiSceneFlow(Metric):
    """Outliers of disparity, flow and scene flow in percent, as counted by KITTI 2015.

    An outlier has an error above 3 px and above 5 % of the true length. The names that `compute`
    returns are made of

        D1, D2, Fl, SF      first disparity, second disparity, flow, all of them
        -bg, -fg, -all      outliers in percent, on background, on objects, on both
        -epe                mean error in pixels
        -density            pixels with an estimate, in percent of those with a true value
        -result             only pixels with an estimate
        -noc                only pixels that stay inside the image

    such as D1-all, Fl-bg-noc or SF-all-result. A score is omitted if a map that it needs was not
    passed: SF without a disparity, -bg and -fg without objects, -noc without its truth. The density
    and -result of SF follow the estimates of D1.

    A non-finite estimate is a hole. In a row that cannot be filled it is an outlier, whatever the
    truth, and -epe uses the value that the development kit reads from its files: flow 0, disparity
    -1. So an estimate without any value has 100 % outliers and a density of 0.
    """

    units: ClassVar[dict[str, float]] = _units()

    @jit
    def update(
        self,
        *,
        flow: MapLike | None = None,
        disparity: MapLike | None = None,
        next_disparity: MapLike | None = None,
        flow_occ: MapLike | None = None,
        disparity_occ: MapLike | None = None,
        next_disparity_occ: MapLike | None = None,
        flow_noc: MapLike | None = None,
        disparity_noc: MapLike | None = None,
        next_disparity_noc: MapLike | None = None,
        objects: Array | None = None,
    ) -> "KittiSceneFlow":
        """Adds images. Each map is an array or (values, valid), as `sf3d.data` reads it.

        Args:
          flow: (*b, H, W, 2), the estimate, in pixels; non-finite values are holes.
          disparity: (*b, H, W), estimate for the first pair, in pixels; holes are not positive.
          next_disparity: (*b, H, W), estimate for the second pair, on the first image's grid.
          flow_occ: (*b, H, W, 2), truth for all pixels.
          disparity_occ: (*b, H, W), truth for all pixels; unknown where not positive.
          next_disparity_occ: (*b, H, W), truth for all pixels.
          flow_noc: (*b, H, W, 2), truth for pixels that stay inside the image.
          disparity_noc: (*b, H, W), truth for pixels inside the other image.
          next_disparity_noc: (*b, H, W), truth for pixels inside the other images.
          objects: (*b, H, W), bool or integers, above 0 on moving objects.

        Returns:
          The metric with these images.

        Raises:
          TypeError: objects is a floating-point array.
          ValueError: no map is given.
        """
        maps = read_maps(
            flow=(flow, 2),
            disparity=(disparity, SCALAR),
            next_disparity=(next_disparity, SCALAR),
            flow_occ=(flow_occ, 2),
            disparity_occ=(disparity_occ, SCALAR),
            next_disparity_occ=(next_disparity_occ, SCALAR),
            flow_noc=(flow_noc, 2),
            disparity_noc=(disparity_noc, SCALAR),
            next_disparity_noc=(next_disparity_noc, SCALAR),
            objects=(_find_objects(objects), MASK),
        )
        regions = compute_maps_once(_split_regions(maps))
        estimates = {
            q: _fill_estimate(x)
            for q, x in pick(maps, "disparity", "next_disparity", "flow").items()
        }
        occ = pick(maps, "disparity_occ", "next_disparity_occ", "flow_occ")
        noc = pick(maps, "disparity_noc", "next_disparity_noc", "flow_noc")
        terms = _report(compute_maps_once(compare(estimates, occ, _compare)), regions, _OCC)
        terms |= _report(compute_maps_once(compare(estimates, noc, _compare)), regions, _NOC)
        return self._add(terms)


class _Estimate(NamedTuple):
    """An estimate without holes.

    Attributes:
      filled: the map, known where it had a value or could be filled.
      found: (*b, H, W), bool, where it had a value.
    """

    filled: Map
    found: jax.Array


def _report(parts: dict[str, Errors], regions: dict[str, jax.Array], end: str) -> dict[str, Terms]:
    """The terms that one kind of truth adds, with names of this ending."""
    terms: dict[str, Terms] = {}
    for q, part in parts.items():
        terms |= _count_outliers(q, part, regions, end)
        terms[f"{q}-epe{end}"] = part.error, part.use
        terms[f"{q}-epe-result{end}"] = part.error, part.use & part.found
    if len(parts) == len(QUANTITIES):
        terms |= _count_outliers("SF", combine(parts), regions, end)
    return terms


def _count_outliers(
    name: str, part: Errors, regions: dict[str, jax.Array], end: str
) -> dict[str, Terms]:
    terms: dict[str, Terms] = {f"{name}-density{end}": (part.found, part.use)}
    for region, inside in regions.items():
        use = part.use & inside
        terms[f"{name}-{region}{end}"] = part.outlier, use
        terms[f"{name}-{region}-result{end}"] = part.outlier, use & part.found
    return terms


def _find_objects(objects: Array | None) -> jax.Array | None:
    """Where objects are, if given."""
    if objects is None:
        return None
    dtype = getattr(objects, "dtype", type(objects).__name__)
    if not hasattr(objects, "shape") or jnp.issubdtype(dtype, jnp.inexact):
        raise TypeError(f"objects: expected an array of integers or bool, got {dtype}")
    return jnp.asarray(objects) > 0


def _split_regions(maps: dict[str, Map]) -> dict[str, jax.Array]:
    everywhere = {"all": jnp.ones_like(next(iter(maps.values())).known)}
    if "objects" not in maps:
        return everywhere
    inside = maps["objects"].values
    return {"bg": ~inside, "fg": inside, **everywhere}


def _compare(estimate: _Estimate, truth: Map) -> Errors:
    """The errors and outliers; any value where the truth is unknown."""
    truth = _drop_non_positive(truth)
    error = distance(estimate.filled, truth)
    size = length(*truth.parts)
    share = error / jnp.where(size > 0, size, 1)
    # Any error exceeds a share of a true length of zero.
    outlier = (error > _PIXELS) & ((share >= _SHARE.astype(share.dtype)) | (size == 0))
    return Errors(error, outlier | ~estimate.filled.known, truth.known, estimate.found)


def _drop_non_positive(x: Map) -> Map:
    """The map; disparities that are not positive become unknown."""
    if len(x.parts) > 1:
        return x
    known = x.known & (x.values > 0)
    return Map((jnp.where(known, x.values, 0),), known)


def _fill_estimate(x: Map) -> _Estimate:
    """The estimate without holes. Empty rows get the value that the kit reads from its files."""
    x = _drop_non_positive(x)
    parts, known = _fill(x.parts, x.known)
    nothing = 0 if len(parts) > 1 else -1
    filled = tuple(jnp.where(known, part, nothing) for part in parts)
    return _Estimate(Map(filled, known), x.known)


@jit
def fill_holes(values: jax.Array, valid: jax.Array) -> Filled:
    """Fills the holes of a map as KITTI does before it compares.

    A gap within a row takes the smaller of the values at its two ends; the start and end of a row
    take the nearest value. Rows above the first row with a value become copies of it, and rows
    below the last one copies of that. An empty row in between stays empty. Channels are filled
    separately, so a filled vector can take u from one end and v from the other.

    Args:
      values: (*b, H, W) or (*b, H, W, C); the shape of `valid` decides which.
      valid: (*b, H, W), bool; values that are non-finite or at least 3e9 are always holes.

    Returns:
      Filled, in the dtype of the values; 0 where not valid.
    """
    check_array("values", values)
    check_mask("valid", valid)
    several = values.ndim == valid.ndim + 1
    if valid.ndim < 2 or values.shape[: valid.ndim] != valid.shape or values.ndim > valid.ndim + 1:
        raise ValueError(f"valid: expected {values.shape} or without channels, got {valid.shape}")
    parts = channels(values) if several else (values,)
    for part in parts:
        valid = valid & is_in_range(part)
    parts, known = _fill(tuple(jnp.where(valid, part, 0) for part in parts), valid)
    return Filled(channels_last(*parts) if several else parts[0], known)


def _fill(
    parts: tuple[jax.Array, ...], known: jax.Array
) -> tuple[tuple[jax.Array, ...], jax.Array]:
    height, width = known.shape[-2:]
    # The nearest columns with a value to the left and right in each row.
    column = jnp.broadcast_to(jnp.arange(width), known.shape)
    axis = known.ndim - 1
    left = lax.cummax(jnp.where(known, column, -1), axis)
    right = lax.cummin(jnp.where(known, column, width), axis, reverse=True)
    left, right = jnp.where(left < 0, right, left), jnp.where(right == width, left, right)
    # Rows above the first row with a value, and below the last one, are taken from it.
    row = known.any(-1)
    first = jnp.argmax(row, axis=-1)[..., None]
    last = height - 1 - jnp.argmax(row[..., ::-1], axis=-1)[..., None]
    source = jnp.clip(*align_ranks(jnp.arange(height), first, last))
    at = lambda x, index, axis: jnp.take_along_axis(x, index, axis, mode="clip")
    row = at(row, source, -1)

    def fill(part: jax.Array) -> jax.Array:
        across = jnp.minimum(at(part, left, -1), at(part, right, -1))
        return jnp.where(row[..., None], at(across, source[..., None], -2), 0)

    return tuple(fill(part) for part in parts), jnp.broadcast_to(row[..., None], known.shape)
