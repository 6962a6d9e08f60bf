"""Spring benchmark metrics, following its evaluation server.

The truth has twice the rows and columns of the images, so each pixel has four true values. A
pixel's error is the smallest of its four distances, and it counts only if all four are known. Then

    1px      error > 1 px
    Fl, D1, D2   error > 3 px and error > 0.05 times the largest of the four true lengths
    WAUC     100 sum_i w_i [error <= i/20 px] / sum_i w_i,   w_i = 1 - (i - 1)/100,   i = 1..100

Pixels are binned by the mean of the four true lengths: below 10 px, below 40 px, and the rest. A
scene flow is in 40+ if any of its three lengths is above 40, else in 10-40 if any is above 10, else
in 0-10.

Mehl et al., "Spring: A High-Resolution High-Detail Dataset and Benchmark for Scene Flow, Optical
Flow and Stereo" (CVPR 2023).
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import jit
from sf3d_jax._numerics.lengths import length
from sf3d_jax.metrics._accumulate import Metric
from sf3d_jax.metrics._maps import (
    MASK,
    SCALAR,
    Array,
    Map,
    MapLike,
    check_map,
    compute_maps_once,
    distance,
    read_maps,
    split_map,
)
from sf3d_jax.metrics._stereo_flow import QUANTITIES, Errors, combine, compare, pick
from sf3d_jax.metrics._sums import Terms

# One mask for all quantities, or one per quantity by name.
Masks = Array | Mapping[str, Array]

_NAMES = ("disparity", "next_disparity", "flow")
# Result names per quantity: errors above 1 px, mean error, outliers.
_KINDS = {"Fl": ("1px", "EPE", "Fl"), "D1": ("D1-1px", "D1-abs", "D1")}
_KINDS |= {"D2": ("D2-1px", "D2-abs", "D2")}
# The two bins of each mask: where it is False, and where it is True.
_HALVES = {
    "detail": ("low-detail", "high-detail"),
    "nonrigid": ("rigid", "nonrigid"),
    "unmatched": ("matched", "unmatched"),
    "sky": ("not-sky", "sky"),
}
_SPEEDS = ("s0-10", "s10-40", "s40+")
_BINS = (*_SPEEDS, *(name for pair in _HALVES.values() for name in pair))
_STEPS = 100


def _units() -> dict[str, float]:
    unit = lambda name: 1.0 if name in ("EPE", "D1-abs", "D2-abs") else 100.0
    names = [*_KINDS["Fl"], "WAUC", *_KINDS["D1"], *_KINDS["D2"], "SF-1px", "SF"]
    units = {
        f"{name}{end}": unit(name) for name in names for end in ("", *(f"-{b}" for b in _BINS))
    }
    return units | {f"{q}-missing": 100.0 for q in QUANTITIES}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SpringSceneFlow(Metric):
    """Errors of flow, disparity and scene flow as counted by Spring; rates in percent.

    An outlier has an error above 3 px and above 5 % of the true length. The names that `compute`
    returns are

        1px, EPE, Fl, WAUC     flow: errors above 1 px, mean error in pixels, outliers, and the
                               weighted area under the curve (higher is better)
        D1-1px, D1-abs, D1     first disparity (abs: mean error in pixels)
        D2-1px, D2-abs, D2     second disparity
        SF-1px, SF             scene flow: 1px and outliers of any of the three

    over all pixels and, with the endings -s0-10, -s10-40, -s40+, -low-detail, -high-detail,
    -rigid, -nonrigid, -matched, -unmatched, -sky and -not-sky, over parts of them. Results without
    their maps are left out. A non-finite estimate is an outlier and is left out of EPE and abs;
    Fl-missing, D1-missing and D2-missing are the shares of such pixels. The server replaces or
    refuses non-finite values.

    One difference from the server: where only some of the three truths are known, the server counts
    an error of those in SF without counting the pixel. Here neither counts.
    """

    units: ClassVar[dict[str, float]] = _units()
    # Name endings of results over parts of the pixels, without the hyphen.
    bins: ClassVar[tuple[str, ...]] = _BINS

    @jit
    def update(
        self,
        *,
        flow: MapLike | None = None,
        disparity: MapLike | None = None,
        next_disparity: MapLike | None = None,
        true_flow: MapLike | None = None,
        true_disparity: MapLike | None = None,
        true_next_disparity: MapLike | None = None,
        detail: Masks | None = None,
        nonrigid: Array | None = None,
        unmatched: Masks | None = None,
        sky: Array | None = None,
    ) -> "SpringSceneFlow":
        """Adds images. Each map is an array or (values, valid), as `sf3d.data` reads it.

        Args:
          flow: (*b, H, W, 2), the estimate, in image pixels.
          disparity: (*b, H, W), estimate for the reference frame, positive, in image pixels.
          next_disparity: (*b, H, W), estimate for the other frame, on the reference frame's grid.
          true_flow: (*b, 2 H, 2 W, 2), in image pixels, as in Spring's files. A truth of the
            estimate's size is used as it is, but the result is then not Spring's metric.
          true_disparity: (*b, 2 H, 2 W) or (*b, H, W); 0 is the sky, infinitely far.
          true_next_disparity: (*b, 2 H, 2 W) or (*b, H, W).
          detail: (*b, H, W), bool, True at fine detail; or a dict of such masks with keys "flow",
            "disparity" and "next_disparity". A scene flow has detail where any of the three has.
          nonrigid: (*b, H, W), bool, True on independently moving objects.
          unmatched: mask or dict like `detail`, True where the other image does not show the point.
          sky: (*b, H, W), bool.

        Returns:
          The metric with these images.

        Raises:
          ValueError: no estimate is given, or a dict of masks has an unknown key.
        """
        estimates = {"flow": flow, "disparity": disparity, "next_disparity": next_disparity}
        truths = {
            "flow": true_flow,
            "disparity": true_disparity,
            "next_disparity": true_next_disparity,
        }
        masks = {"detail": detail, "nonrigid": nonrigid, "unmatched": unmatched, "sky": sky}
        maps = _read_inputs(estimates, truths, masks)
        parts = compare(
            pick(maps, *_NAMES),
            pick(maps, "true_disparity", "true_next_disparity", "true_flow"),
            _compare,
        )
        inside = {name: x.values for name, x in maps.items() if name.split("_")[0] in _HALVES}
        parts, inside = compute_maps_once((parts, inside))
        terms: dict[str, Terms] = {}
        for q, part in parts.items():
            name = _NAMES[QUANTITIES.index(q)]
            halves = _find_halves(inside, [name])
            for kind, (values, use) in _report(q, part).items():
                terms |= _split_in_bins(kind, values, use, _find_speeds(part.size), halves)
            terms[f"{q}-missing"] = ~part.errors.found, part.errors.use
        if len(parts) == len(QUANTITIES):
            terms |= _report_scene_flow(parts, _find_halves(inside, list(_NAMES)))
        return self._add(terms)


class _Compared(NamedTuple):
    """The comparison of one quantity.

    Attributes:
      errors: its errors, infinite where the estimate is missing.
      size: (*b, H, W), the mean of the four true lengths.
      wauc: (*b, H, W), a pixel's contribution to WAUC; None for disparities.
    """

    errors: Errors
    size: jax.Array
    wauc: jax.Array | None


def _report(q: str, part: _Compared) -> dict[str, Terms]:
    """The terms of a quantity over all pixels."""
    near, mean, outliers = _KINDS[q]
    error, outlier, use, found = part.errors
    terms: dict[str, Terms] = {
        near: (error > 1, use),
        mean: (error, found & use),
        outliers: (outlier, use),
    }
    return terms if part.wauc is None else terms | {"WAUC": (part.wauc, use)}


def _read_inputs(
    estimates: Mapping[str, MapLike | None],
    truths: Mapping[str, MapLike | None],
    masks: Mapping[str, Masks | None],
) -> dict[str, Map]:
    """All maps by name; masks of one quantity are named like detail_flow.

    Truths have the size of their estimate, with the four values of each pixel as channels.
    """
    count = lambda name: 2 if name == "flow" else SCALAR
    maps: dict[str, tuple[MapLike | None, int]] = {
        name: (x, count(name)) for name, x in estimates.items()
    }
    for name, truth in truths.items():
        estimate = estimates[name]
        if truth is None or estimate is None:
            continue
        maps[f"true_{name}"] = _split_in_four(name, truth, estimate, count(name))
    for name, x in masks.items():
        several = x if isinstance(x, Mapping) else {"": x}
        if isinstance(x, Mapping) and not x.keys() <= estimates.keys():
            raise ValueError(f"{name}: expected masks of {list(estimates)}, got {list(x)}")
        maps |= {f"{name}_{of}" if of else name: (m, MASK) for of, m in several.items()}
    return read_maps(**maps)


def _split_in_four(name: str, truth: MapLike, estimate: MapLike, count: int) -> tuple[MapLike, int]:
    """A truth with the four values of each estimated pixel as channels, and the number of channels.

    A truth of the estimate's size is returned unchanged.
    """
    true_values, valid = split_map(f"true_{name}", truth)
    size = check_map(f"true_{name}", true_values, valid, count)[-2:]
    small = check_map(name, *split_map(name, estimate), count)[-2:]
    if size == small:
        return truth, count
    if size != tuple(2 * n for n in small):
        wanted = f"(H, W) of {name}, {small}, or twice that"
        raise ValueError(f"true_{name}: expected {wanted}, got {size}")
    phases = [(slice(i, None, 2), slice(j, None, 2)) for i in (0, 1) for j in (0, 1)]
    values = true_values if count else true_values[..., None]
    four = jnp.concatenate([values[(..., *at, slice(None))] for at in phases], axis=-1)
    if valid is None:
        return four, four.shape[-1]
    known = jnp.stack([valid[(..., *at)] for at in phases]).all(0)
    return (four, known), four.shape[-1]


def _compare(estimate: Map, truth: Map) -> _Compared:
    count = len(estimate.parts)
    values = [truth.parts[i : i + count] for i in range(0, len(truth.parts), count)]
    truths = [Map(parts, truth.known) for parts in values]
    distances = jnp.stack([distance(estimate, one) for one in truths])
    sizes = jnp.stack([length(*one.parts) for one in truths])
    error = jnp.where(estimate.known, distances.min(0), jnp.inf)
    outlier = (error > 3) & (error > 0.05 * sizes.max(0))
    errors = Errors(error, outlier, truth.known, estimate.known)
    return _Compared(errors, sizes.mean(0), _wauc(error) if count > 1 else None)


def _find_speeds(size: jax.Array) -> list[jax.Array]:
    return [size < 10, (size >= 10) & (size < 40), size >= 40]


def _report_scene_flow(
    parts: dict[str, _Compared], halves: dict[str, jax.Array]
) -> dict[str, Terms]:
    above = lambda limit: _any([part.size > limit for part in parts.values()])
    speeds = [~above(10), above(10) & ~above(40), above(40)]
    errors = combine({q: part.errors for q, part in parts.items()})
    terms = _split_in_bins("SF-1px", errors.error > 1, errors.use, speeds, halves)
    return terms | _split_in_bins("SF", errors.outlier, errors.use, speeds, halves)


def _any(masks: list[jax.Array]) -> jax.Array:
    return jnp.stack(masks).any(0)


def _find_halves(masks: dict[str, jax.Array], quantities: list[str]) -> dict[str, jax.Array]:
    """Each mask known for all the quantities, by name: True where it is for any of them."""
    halves = {name: masks[name] for name in _HALVES if name in masks}
    for name in _HALVES:
        keys = [f"{name}_{q}" for q in quantities]
        if all(key in masks for key in keys):
            halves[name] = _any([masks[key] for key in keys])
    return halves


def _split_in_bins(
    name: str,
    values: jax.Array,
    use: jax.Array,
    speeds: list[jax.Array],
    halves: dict[str, jax.Array],
) -> dict[str, Terms]:
    terms: dict[str, Terms] = {name: (values, use)}
    terms |= {f"{name}-{b}": (values, use & m) for b, m in zip(_SPEEDS, speeds, strict=True)}
    for which, m in halves.items():
        no, yes = _HALVES[which]
        terms |= {f"{name}-{no}": (values, use & ~m), f"{name}-{yes}": (values, use & m)}
    return terms


def _wauc(error: jax.Array) -> jax.Array:
    """A pixel's contribution to WAUC / 100.

    If the error is within the last m of the thresholds i/20 px, their weights sum to
    m (m + 1) / 200, and all weights sum to 50.5.
    """
    met = sum(
        ((error <= i / 20).astype(error.dtype) for i in range(1, _STEPS + 1)), jnp.zeros_like(error)
    )
    return met * (met + 1) / (_STEPS * (_STEPS + 1))
