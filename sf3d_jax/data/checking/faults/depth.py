"""Faults of the inverse depth and of its change."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sf3d_jax.data.checking.evidence.both_ways import change_of_vectors
from sf3d_jax.data.checking.evidence.measures import target_depth
from sf3d_jax.data.checking.evidence.optics import Optics
from sf3d_jax.data.checking.evidence.views import (
    Case,
    Field,
    View,
    known_points,
    rigid,
    sampled,
)
from sf3d_jax.data.checking.faults.hypotheses import Hypothesis, Repair, each_direction, scaled

_DEPTHS = ("inv_depth", "next_inv_depth")
# In this order: the data set's convention, then what is one map's own fault.
_SUBSETS = (
    (("inv_depth", "change", "next_inv_depth"), "all depths and changes"),
    (("inv_depth", "next_inv_depth"), "both depths, and the change is not"),
    (("inv_depth",), "the first depth, and the next one is not"),
    (("next_inv_depth",), "the next depth, and the first one is not"),
    (("inv_depth", "change"), "the first depth and the change, and the next depth is not"),
)

PerPixel = Callable[[np.ndarray, np.ndarray], np.ndarray]


def depth_faults(case: Case) -> Iterator[Hypothesis]:
    """Ray lengths, signs and reciprocals; the change's sign, kind, grid and scale.

    Args:
      case: what is given.

    Yields:
      The hypotheses.
    """
    for number, (fields, which) in enumerate(_SUBSETS):
        cost = 1 + 0.1 * number
        said = f"{which}, are lengths along the ray; divide the distance by |ray|"
        yield from each_direction("ray_length", said, _along_rays(fields, 1), cost=cost)
        said = f"{which}, were divided by |ray| although they were planar already; undo it"
        yield from each_direction("ray_length", said, _along_rays(fields, -1), cost=cost + 0.2)
        said = f"{which}, are negative disparities or depths; negate them"
        yield from each_direction("inv_depth_sign", said, _negated(fields), cost=cost)
        said = f"{which}, are depths and not inverse depths; take the reciprocal"
        yield from each_direction("inv_depth_is_depth", said, _reciprocals(fields), cost=cost)
    yield from _changes()
    yield from _scales(case)


def _fits(view: View, fields: tuple[str, ...]) -> bool:
    """Whether the view has these, and, of a convention of all, at least one of each kind."""
    if fields == _SUBSETS[0][0]:
        return view.inv_depth is not None
    return all(getattr(view, name) is not None for name in fields)


def _along_rays(fields: tuple[str, ...], power: int) -> Repair:
    """Inverse depths times (or, for -1, over) the length of the rays."""

    def stretched(field: Field, optics: Optics) -> Field:
        def at(r: np.ndarray, c: np.ndarray) -> np.ndarray:
            pixels = np.stack([c, r], -1).reshape(-1, 2).astype(float)
            return field(r, c) * (optics.stretch(pixels) ** power).reshape(r.shape)

        return at

    def repair(view: View) -> View | None:
        if view.camera is None or not _fits(view, fields):
            return None
        second = view.next_camera or view.camera
        made: dict[str, Any] = {}
        if "inv_depth" in fields and view.inv_depth is not None:
            made["inv_depth"] = stretched(view.inv_depth, view.camera)
        if "next_inv_depth" in fields and view.next_inv_depth is not None:
            made["next_inv_depth"] = stretched(view.next_inv_depth, second)
        d, change, flow, new_d = view.inv_depth, view.change, view.flow, made.get("inv_depth")
        if "change" in fields and change is not None and d is not None and new_d is not None:
            if flow is None:
                return None

            def new_change(r: np.ndarray, c: np.ndarray) -> np.ndarray:
                ends = (np.stack([c, r], -1) + flow(r, c)).reshape(-1, 2)
                longer = (second.stretch(ends) ** power).reshape(r.shape)
                return (d(r, c) + change(r, c)) * longer - new_d(r, c)

            made["change"] = new_change
        return dataclasses.replace(view, **made)

    return repair


def _negated(fields: tuple[str, ...]) -> Repair:
    def repair(view: View) -> View | None:
        if not _fits(view, fields):
            return None
        minus = lambda field: lambda r, c: -field(r, c)
        given = {name: getattr(view, name) for name in fields}
        made: dict[str, Any] = {name: minus(x) for name, x in given.items() if x is not None}
        return dataclasses.replace(view, **made)

    return repair


def _inverse(x: np.ndarray) -> np.ndarray:
    return np.divide(1.0, x, out=np.zeros_like(x), where=x != 0)


def _reciprocals(fields: tuple[str, ...]) -> Repair:
    def repair(view: View) -> View | None:
        if not _fits(view, fields):
            return None
        over = lambda field: lambda r, c: _inverse(field(r, c))
        given = {n: getattr(view, n) for n in _DEPTHS if n in fields}
        made: dict[str, Any] = {n: over(x) for n, x in given.items() if x is not None}
        z, change = view.inv_depth, view.change
        if "change" in fields and z is not None and change is not None:
            made["change"] = lambda r, c: _inverse(z(r, c) + change(r, c)) - _inverse(z(r, c))
        return dataclasses.replace(view, **made)

    return repair


def _of_change(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Repair:
    """The change as a function of what is given as change and the inverse depth."""

    def repair(view: View) -> View | None:
        d, change = view.inv_depth, view.change
        if d is None or change is None:
            return None
        return dataclasses.replace(view, change=lambda r, c: function(change(r, c), d(r, c)))

    return repair


def _changes() -> Iterator[Hypothesis]:
    after = lambda depth: _inverse(depth)
    kinds: tuple[tuple[str, str, PerPixel, float], ...] = (
        ("change_sign", "the change is before minus after; negate it", lambda c, d: -c, 1),
        (
            "change_of_depth",
            "the change is one of depth, z1 - z0, not of inverse depth; convert it",
            lambda c, d: after(_inverse(d) + c) - d,
            1,
        ),
        (
            "change_of_depth",
            "the change is z0 - z1, of depth and with the other sign; convert it",
            lambda c, d: after(_inverse(d) - c) - d,
            1.2,
        ),
        (
            "change_is_next",
            "the change holds the next inverse depth itself; subtract the first one",
            lambda c, d: c - d,
            1.1,
        ),
        (
            "change_is_ratio",
            "the change holds the motion in depth z1 / z0; convert it",
            lambda c, d: d * (_inverse(c) - 1),
            1.2,
        ),
        (
            "change_is_ratio",
            "the change holds log(z1 / z0); convert it",
            lambda c, d: d * np.expm1(-c),
            1.3,
        ),
    )
    for name, said, function, cost in kinds:
        yield from each_direction(name, said, _of_change(function), cost=cost)
    said = "the change stands on the next frame's grid; read it at the end of the flow"
    yield from each_direction("change_grid", said, _carried(1), cost=1.1)
    said = "the change stands on the next frame's grid with the other sign: it is that of the way "
    said += "back; read it at the end of the flow and negate it"
    yield from each_direction("change_grid", said, _carried(-1), cost=1.3)
    said = "the change is the next inverse depth minus the first one at the same pixel; read the "
    said += "next one at the end of the flow"
    yield from each_direction("change_same_pixel", said, _followed(1), cost=1.1)
    said = "the change is the first inverse depth minus the next one at the same pixel; read the "
    said += "next one at the end of the flow, and subtract the first"
    yield from each_direction("change_same_pixel", said, _followed(-1), cost=1.3)


def _ends(view: View, r: np.ndarray, c: np.ndarray) -> np.ndarray:
    assert view.flow is not None
    return (np.stack([c, r], -1) + view.flow(r, c)).reshape(-1, 2)


def _carried(sign: int) -> Repair:
    def repair(view: View) -> View | None:
        change = view.change
        if change is None or view.flow is None:
            return None
        read = lambda r, c: sampled(change, _ends(view, r, c), view.size).values.reshape(r.shape)
        return dataclasses.replace(view, change=lambda r, c: sign * read(r, c))

    return repair


def _followed(sign: int) -> Repair:
    """Adds what the next inverse depth is at the end of the flow, less what it is at the pixel."""

    def repair(view: View) -> View | None:
        change, after = view.change, view.next_inv_depth
        if change is None or after is None or view.flow is None:
            return None

        def made(r: np.ndarray, c: np.ndarray) -> np.ndarray:
            there = sampled(after, _ends(view, r, c), view.size).values.reshape(r.shape)
            return sign * change(r, c) + there - after(r, c)

        return dataclasses.replace(view, change=made)

    return repair


def _scales(case: Case) -> Iterator[Hypothesis]:
    """Maps of one sample on different scales; how different is measured from the sample."""
    own = case.own
    if own.flow is None or own.inv_depth is None:
        return
    points = known_points(case, visible=True)
    with np.errstate(all="ignore"):
        d = points.at(own.inv_depth)
        if own.next_inv_depth is not None:
            there = target_depth(case, points, points.at(own.flow))
            change = np.zeros_like(d) if own.change is None else points.at(own.change)
            motion = there - d
            yield from _change_scales(change, motion, d, "next_inv_depth")
            yield from _depth_scales(d, change, there)
        if own.change is not None and own.informed:
            yield from _change_scales(points.at(own.change), rigid(own, points)[1], d, "cameras")
        if own.change is not None and own.scene_flow is not None and own.camera is not None:
            motion = change_of_vectors(own, points)
            yield from _change_scales(points.at(own.change), motion, d, "scene flow")


def _usable(factor: float) -> bool:
    return bool(np.isfinite(factor) and factor > 0 and abs(np.log(factor)) > 0.02)


def _change_scales(
    change: np.ndarray, motion: np.ndarray, d: np.ndarray, against: str
) -> Iterator[Hypothesis]:
    known = np.isfinite(change) & np.isfinite(motion) & (np.abs(motion) > 1e-6 * np.abs(d))
    if known.sum() < 30:
        return
    change, motion = change[known], motion[known]
    # Where most stands still, the ratio of what moves counts.
    large = np.abs(change) >= np.median(np.abs(change))
    ratio = float(np.median(motion[large] / change[large]))
    factor = 1 / ratio if ratio > 0 else np.nan
    if not _usable(factor):
        return
    numbers = {"scale": factor}
    said = f"the change is {factor:.6g} times too large for the inverse depth: the one is scaled, "
    said += "the other is not"
    options: dict[str, Any] = {"strict": True, "measured": numbers, "cost": 1.5}
    yield from each_direction(
        "change_scale", f"{said}; divide the change", scaled(("change",), 1 / factor), **options
    )
    if against == "next_inv_depth":
        said = f"{said}; multiply the inverse depths"
        yield from each_direction(
            "change_scale", said, scaled(_DEPTHS, factor), **options | {"cost": 1.6}
        )


def _depth_scales(d: np.ndarray, change: np.ndarray, there: np.ndarray) -> Iterator[Hypothesis]:
    options: dict[str, Any] = {"strict": True}
    for field, ratio, said in (
        ("inv_depth", d / (there - change), "the first inverse depth"),
        ("next_inv_depth", there / (d + change), "the next inverse depth"),
    ):
        factor = float(np.nanmedian(ratio)) if np.isfinite(ratio).sum() >= 30 else np.nan
        if _usable(factor):
            yield from each_direction(
                "inv_depth_scale",
                f"{said} is {factor:.6g} times what the others say; divide it",
                scaled((field,), 1 / factor),
                measured={"scale": factor},
                cost=1.8,
                **options,
            )
    both = (d + change) / there
    factor = float(np.nanmedian(both)) if np.isfinite(both).sum() >= 30 else np.nan
    if _usable(factor):
        yield from each_direction(
            "inv_depth_scale",
            f"the first inverse depth and the change are {factor:.6g} times too large; divide them",
            scaled(("inv_depth", "change"), 1 / factor),
            measured={"scale": factor},
            cost=1.8,
            **options,
        )
