"""Faults of the change of the inverse depth: sign, kind, grid and scale."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case, SampleFields
from sf3d_jax.data.checking.evidence.levels import FEWEST, inverse
from sf3d_jax.data.checking.evidence.points import (
    compute_still_motion,
    read_at_ends,
    select_known_points,
)
from sf3d_jax.data.checking.evidence.within import compute_vector_change, read_target_depth
from sf3d_jax.data.checking.faults.fault import (
    Fault,
    Hypothesis,
    Repair,
    SampleFault,
    apply_to_each_direction,
    scale_maps,
)


def list_change_faults(case: Case) -> Iterator[Hypothesis]:
    """Yields a wrong sign, kind and grid of the change, and maps on different scales."""
    yield from apply_to_each_direction(_CHANGES)
    yield from apply_to_each_direction(_list_scales(case))


def _convert(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Repair:
    """Makes a repair that computes the change from the given change and the inverse depth."""

    def repair(fields: SampleFields) -> SampleFields | None:
        depth, change = fields.inv_depth, fields.change
        if depth is None or change is None:
            return None
        made = lambda r, c: function(change(r, c), depth(r, c))
        return dataclasses.replace(fields, change=made)

    return repair


def _read_at_ends(sign: int) -> Repair:
    def repair(fields: SampleFields) -> SampleFields | None:
        if fields.change is None or fields.flow is None:
            return None
        there = read_at_ends(fields.change, fields.flow, fields.size)
        return dataclasses.replace(fields, change=lambda r, c: sign * there(r, c))

    return repair


def _follow_flow(sign: int) -> Repair:
    """Adds the next inverse depth at the end of the flow, minus that at the pixel."""

    def repair(fields: SampleFields) -> SampleFields | None:
        change, after = fields.change, fields.next_inv_depth
        if change is None or after is None or fields.flow is None:
            return None
        there = read_at_ends(after, fields.flow, fields.size)
        made = lambda r, c: sign * change(r, c) + there(r, c) - after(r, c)
        return dataclasses.replace(fields, change=made)

    return repair


_CHANGES = (
    Fault(
        "change_sign", "the change is d0 - d1, not d1 - d0; negate it", _convert(lambda c, d: -c)
    ),
    Fault(
        "change_of_depth",
        "the change is that of depth, z1 - z0, not of inverse depth; convert it",
        _convert(lambda c, d: inverse(inverse(d) + c) - d),
    ),
    Fault(
        "change_of_depth",
        "the change is z0 - z1, of depth and with the opposite sign; convert it",
        _convert(lambda c, d: inverse(inverse(d) - c) - d),
        cost=1.2,
    ),
    Fault(
        "change_is_next",
        "the change holds the next inverse depth itself; subtract the first one",
        _convert(lambda c, d: c - d),
        cost=1.1,
    ),
    Fault(
        "change_is_ratio",
        "the change holds the motion in depth z1 / z0; convert it",
        _convert(lambda c, d: d * (inverse(c) - 1)),
        cost=1.2,
    ),
    Fault(
        "change_is_ratio",
        "the change holds log(z1 / z0); convert it",
        _convert(lambda c, d: d * np.expm1(-c)),
        cost=1.3,
    ),
    Fault(
        "change_grid",
        "the change is on the next frame's grid; read it at the end of the flow",
        _read_at_ends(1),
        cost=1.1,
    ),
    Fault(
        "change_grid",
        "the change is the backward one, on the next frame's grid and with the opposite sign; "
        "read it at the end of the flow and negate it",
        _read_at_ends(-1),
        cost=1.3,
    ),
    Fault(
        "change_same_pixel",
        "the change is the next inverse depth minus the first one at the same pixel; read the "
        "next one at the end of the flow",
        _follow_flow(1),
        cost=1.1,
    ),
    Fault(
        "change_same_pixel",
        "the change is the first inverse depth minus the next one at the same pixel; read the "
        "next one at the end of the flow, and subtract the first",
        _follow_flow(-1),
        cost=1.3,
    ),
)


def _list_scales(case: Case) -> Iterator[SampleFault]:
    """Yields maps of one sample on different scales; the ratio is fitted to the sample."""
    own = case.own
    if own.flow is None or own.inv_depth is None:
        return
    points = select_known_points(case, visible=True)
    d = points.at(own.inv_depth)
    change = np.zeros_like(d) if own.change is None else points.at(own.change)
    if own.next_inv_depth is not None:
        there = read_target_depth(case, points, points.at(own.flow))
        yield from _list_change_scales(change, there - d, d, with_depths=True)
        yield from _list_depth_scales(d, change, there)
    if own.change is None:
        return
    if own.has_two_views:
        yield from _list_change_scales(change, compute_still_motion(own, points).change, d)
    if own.scene_flow is not None and own.camera is not None:
        yield from _list_change_scales(change, compute_vector_change(own, points), d)


def _is_scale(factor: float) -> bool:
    return bool(np.isfinite(factor) and factor > 0 and abs(np.log(factor)) > 0.02)


def _list_change_scales(
    change: np.ndarray, motion: np.ndarray, d: np.ndarray, *, with_depths: bool = False
) -> Iterator[SampleFault]:
    """Compares the change with the expected one; the depths may be the scaled ones."""
    known = np.isfinite(change) & np.isfinite(motion) & (np.abs(motion) > 1e-6 * np.abs(d))
    if known.sum() < FEWEST:
        return
    change, motion = change[known], motion[known]
    # If most of the scene stands still, only the moving part gives a ratio.
    large = np.abs(change) >= np.median(np.abs(change))
    ratio = float(np.median(motion[large] / change[large]))
    factor = 1 / ratio if ratio > 0 else np.nan
    if not _is_scale(factor):
        return
    numbers = {"scale": factor}
    said = f"the change is {factor:.6g} times too large for the inverse depth: only one of them "
    said += "is scaled"
    repair = scale_maps(("change",), 1 / factor)
    explanation = f"{said}; divide the change"
    yield Fault("change_scale", explanation, repair, cost=1.5, numbers=numbers, strict=True)
    if with_depths:
        repair = scale_maps(("inv_depth", "next_inv_depth"), factor)
        explanation = f"{said}; multiply the inverse depths"
        yield Fault("change_scale", explanation, repair, cost=1.6, numbers=numbers, strict=True)


def _list_depth_scales(
    d: np.ndarray, change: np.ndarray, there: np.ndarray
) -> Iterator[SampleFault]:
    first = "the first inverse depth is {:.6g} times what the other maps imply; divide it"
    second = "the next inverse depth is {:.6g} times what the other maps imply; divide it"
    both = "the first inverse depth and the change are {:.6g} times too large; divide them"
    for names, ratio, said in (
        (("inv_depth",), d / (there - change), first),
        (("next_inv_depth",), there / (d + change), second),
        (("inv_depth", "change"), (d + change) / there, both),
    ):
        factor = float(np.nanmedian(ratio)) if np.isfinite(ratio).sum() >= FEWEST else np.nan
        if _is_scale(factor):
            explanation, repair = said.format(factor), scale_maps(names, 1 / factor)
            numbers = {"scale": factor}
            yield Fault(
                "inv_depth_scale", explanation, repair, cost=1.8, numbers=numbers, strict=True
            )
