"""Faults of the flow, of directions of time, and of rows and masks."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from sf3d_jax.data.checking.evidence.measures import has_content
from sf3d_jax.data.checking.evidence.optics import between
from sf3d_jax.data.checking.evidence.views import Case, Field, View, all_points, sampled
from sf3d_jax.data.checking.faults.hypotheses import (
    Hypothesis,
    Repair,
    compose,
    each_direction,
    own_only,
)

_FACTORS = (2.0, 0.5, 4.0, 0.25, 8.0, 0.125, 20.0, 0.05, 16.0, 0.0625)
_FARTHEST_SHIFT = 16
_FEWEST_SHIFTED = 20


def flow_faults(case: Case) -> Iterator[Hypothesis]:
    """Order, sign, units and direction of the flow; rows from the bottom; masks.

    Args:
      case: what is given.

    Yields:
      The hypotheses.
    """
    swap, sign, up, left = _swapped(), _times(-1, -1), _times(1, -1), _times(-1, 1)
    order = "the flow's two numbers are stored as (v, u); swap them"
    negated = "the flow points from the next frame to this one; negate it"
    v_up = "the flow's v counts upwards; negate it"
    u_left = "the flow's u counts to the left; negate it"
    yield from each_direction("flow_order", order, swap)
    yield from each_direction("flow_sign", negated, sign)
    yield from each_direction("flow_v_sign", v_up, up)
    yield from each_direction("flow_u_sign", u_left, left, cost=1.2)
    for name, said, other in (
        ("flow_sign", negated, sign),
        ("flow_v_sign", v_up, up),
        ("flow_u_sign", u_left, left),
    ):
        both = f"{order}, and then {said}"
        yield from each_direction(("flow_order", name), both, compose(swap, other), cost=2)
    yield from _units(case.own.size)
    yield from _directions()
    pictures = "image and next_image are exchanged; exchange them"
    yield own_only("images_exchanged", pictures, _images_exchanged, cost=1.2)
    yield from _rows()
    yield from _masks(case)


def _times(u: float, v: float) -> Repair:
    factors = np.array([u, v])

    def repair(view: View) -> View | None:
        if (flow := view.flow) is None:
            return None
        return dataclasses.replace(view, flow=lambda r, c: flow(r, c) * factors)

    return repair


def _swapped() -> Repair:
    def repair(view: View) -> View | None:
        if (flow := view.flow) is None:
            return None
        return dataclasses.replace(view, flow=lambda r, c: flow(r, c)[..., ::-1])

    return repair


def _units(size: tuple[int, int]) -> Iterator[Hypothesis]:
    for x in _FACTORS:
        said = f"the flow is in the pixels of another resolution; multiply it by {x:g}"
        cost = 1.3 if x in (2.0, 0.5) else 1.5
        yield from each_direction(
            "flow_units", said, _times(x, x), cost=cost, measured={"factor": x}
        )
    height, width = size
    for u, v, said in (
        (width, height, "width and height"),
        (width / 2, height / 2, "half of width and height, as for a grid of -1 to 1"),
        (1 / width, 1 / height, "1 / width and 1 / height"),
    ):
        said = f"the flow is not in pixels; multiply it by {said}"
        numbers = {"factor_u": float(u), "factor_v": float(v)}
        yield from each_direction("flow_units", said, _times(u, v), cost=1.6, measured=numbers)


def _exchanged(*fields: str) -> Hypothesis:
    what = "flow and change" if len(fields) > 1 else "flow"

    def apply(case: Case) -> Case | None:
        own, other = case.own, case.other
        if other is None or own.flow is None or other.flow is None:
            return None
        if any((getattr(own, n) is None) != (getattr(other, n) is None) for n in fields):
            return None
        mine = {name: getattr(own, name) for name in fields}
        return dataclasses.replace(
            case,
            own=dataclasses.replace(own, **{name: getattr(other, name) for name in fields}),
            other=dataclasses.replace(other, **mine),
        )

    said = f"{what} of the two directions are exchanged: forward holds backward; exchange them"
    return Hypothesis(("flow_direction",), said, apply)


def _turned_round(with_change: bool) -> Hypothesis:
    """Flow, or flow and change, are maps on the next frame's grid that lead to this one."""

    def apply(case: Case) -> Case | None:
        own = case.own
        if (flow := own.flow) is None:
            return None
        change = own.change
        if with_change and change is None:
            return None
        size = own.size
        if change is not None and not with_change:
            given = change

            def change(r: np.ndarray, c: np.ndarray) -> np.ndarray:
                ends = np.stack([c, r], -1) + flow(r, c)
                return -sampled(given, ends.reshape(-1, 2), size).values.reshape(r.shape)

        depth, vectors = own.next_inv_depth, own.scene_flow
        if vectors is not None:
            vectors = _vectors_back(own)
        view = View(
            size=size,
            image=own.next_image,
            next_image=own.image,
            flow=flow,
            inv_depth=depth,
            change=change,
            next_inv_depth=own.inv_depth,
            scene_flow=vectors,
            valid=None if depth is None else lambda r, c: (depth(r, c) > 0).astype(float),
            camera=own.next_camera,
            next_camera=own.camera if own.next_camera is not None else None,
        )
        return dataclasses.replace(case, own=view, same_way=True)

    what = "flow and change belong" if with_change else "the flow belongs"
    said = f"{what} to the other direction: from the next frame to this one, on the next one's grid"
    return Hypothesis(("flow_direction",), said, apply, cost=1.1)


def _images_exchanged(view: View) -> View | None:
    if view.image is None or view.next_image is None:
        return None
    return dataclasses.replace(view, image=view.next_image, next_image=view.image)


def _vectors_back(view: View) -> Field | None:
    """The scene flow of the way back; the flow leads from the next frame's grid to this one."""
    given, flow = view.scene_flow, view.flow
    assert given is not None and flow is not None
    turn = np.eye(3)
    if view.camera is not None and view.next_camera is not None:
        turn = between(view.camera, view.next_camera)[:, :3]

    def made(r: np.ndarray, c: np.ndarray) -> np.ndarray:
        ends = np.stack([c, r], -1) + flow(r, c)
        vectors = sampled(given, ends.reshape(-1, 2), view.size).values
        return -(vectors @ turn.T).reshape(*r.shape, 3)

    return made


def _directions() -> Iterator[Hypothesis]:
    yield _exchanged("flow")
    yield _exchanged("flow", "change")
    yield _turned_round(False)
    yield _turned_round(True)


def _from_below(field: Field, height: int) -> Field:
    return lambda r, c: field(height - 1 - r, c)


def _rows() -> Iterator[Hypothesis]:
    for fields in (
        ("flow",),
        ("inv_depth",),
        ("change",),
        ("next_inv_depth",),
        ("inv_depth", "next_inv_depth"),
        ("inv_depth", "change", "next_inv_depth"),
        ("flow", "change"),
        ("flow", "inv_depth", "change", "next_inv_depth"),
        ("image", "next_image"),
    ):

        def repair(view: View, fields: tuple[str, ...] = fields) -> View | None:
            maps = {name: getattr(view, name) for name in fields}
            if any(x is None for x in maps.values()):
                return None
            height = view.size[0]
            made: dict[str, Any] = {name: _from_below(x, height) for name, x in maps.items()}
            return dataclasses.replace(view, **made)

        said = f"the rows of {' and '.join(fields)} run from the bottom to the top; reverse them"
        cost = 1.4 + 0.05 * len(fields)
        yield from each_direction("rows_reversed", said, repair, cost=cost)
        if fields == ("flow",):
            up = f"{said}, and negate v"
            yield from each_direction(
                ("rows_reversed", "flow_v_sign"), up, compose(repair, _times(1, -1)), cost=2.4
            )


def _masks(case: Case) -> Iterator[Hypothesis]:
    name = "occlusion_inverted"
    yield own_only(name, _INVERTED.format("occlusion"), _inverted("occlusion"))
    if case.own.valid is None:
        return
    said = "the rows of the mask run from the bottom to the top; reverse them"
    ways = [
        own_only("mask_inverted", _INVERTED.format("valid"), _inverted("valid")),
        own_only("rows_reversed", said, _mask_from_below, cost=1.5),
    ]
    if (shift := _best_shift(case)) is not None:
        ways.append(_shifted_mask(*shift))
    points = all_points(case)
    content = has_content(case, points)

    def misfit(way: Hypothesis) -> float:
        meant = way.apply(case)
        assert meant is not None and meant.own.valid is not None
        return float(((points.at(meant.own.valid) > 0) != content).mean())

    # They need to fit the valid pixels; the one is meant that fits the others best, too.
    if content.all() or not content.any():
        yield ways[0]
    else:
        yield min(ways, key=misfit)


_INVERTED = "`{}` is True where it should be False; invert it"


def _inverted(name: str) -> Repair:
    def repair(view: View) -> View | None:
        if (field := getattr(view, name)) is None:
            return None
        made: dict[str, Any] = {name: lambda r, c: 1 - field(r, c)}
        return dataclasses.replace(view, **made)

    return repair


def _mask_from_below(view: View) -> View | None:
    if view.valid is None:
        return None
    return dataclasses.replace(view, valid=_from_below(view.valid, view.size[0]))


def _shifted_mask(du: int, dv: int) -> Hypothesis:
    def repair(view: View) -> View | None:
        if (valid := view.valid) is None:
            return None
        height, width = view.size

        def moved(r: np.ndarray, c: np.ndarray) -> np.ndarray:
            row, column = r + dv, c + du
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            return np.where(inside, valid(np.where(inside, row, 0), np.where(inside, column, 0)), 0)

        return dataclasses.replace(view, valid=moved)

    said = f"the mask lies {du} pixels to the right and {dv} down of what it masks; move it back"
    numbers = {"right": float(du), "down": float(dv)}
    return own_only("mask_shifted", said, repair, measured=numbers, cost=1.2)


def _best_shift(case: Case) -> tuple[int, int] | None:
    """By how many pixels the mask lies beside what there is, where it does."""
    height, width = case.own.size
    valid = case.own.valid
    assert valid is not None
    points = all_points(case)
    content = has_content(case, points)
    if content.all() or not content.any():
        return None

    def gap(du: int, dv: int) -> float:
        rows, columns = points.rows + dv, points.columns + du
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        there = valid(rows[inside], columns[inside]) > 0
        return float((there != content[inside]).mean()) if inside.any() else 1.0

    reach_u, reach_v = (min(_FARTHEST_SHIFT, n // 8) for n in (width, height))
    if gap(0, 0) * len(content) < _FEWEST_SHIFTED:
        return None
    # Whole pixels, near ones of a coarse search.
    coarse = [
        (du, dv) for dv in range(-reach_v, reach_v + 1, 2) for du in range(-reach_u, reach_u + 1, 2)
    ]
    du, dv = min(coarse, key=lambda s: (gap(*s), abs(s[0]) + abs(s[1])))
    near = [(du + i, dv + j) for i in range(-2, 3) for j in range(-2, 3)]
    best = min(near, key=lambda s: (gap(*s), abs(s[0]) + abs(s[1])))
    return None if best == (0, 0) else best
