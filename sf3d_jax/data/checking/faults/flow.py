"""Faults of the flow: order, signs, units, and the direction of time."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case, Field, SampleFields
from sf3d_jax.data.checking.evidence.numpy_camera import between
from sf3d_jax.data.checking.evidence.points import read_at_ends
from sf3d_jax.data.checking.faults.fault import (
    Fault,
    Hypothesis,
    Repair,
    SampleFault,
    apply_to_each_direction,
    apply_to_own,
    change_values,
    combine,
)

_FACTORS = (2.0, 0.5, 4.0, 0.25, 8.0, 0.125, 20.0, 0.05, 16.0, 0.0625)


def list_flow_faults(case: Case) -> Iterator[Hypothesis]:
    """Yields faults of the flow's order, signs, units and direction, and exchanged images."""
    yield from apply_to_each_direction((_ORDER, *_SIGNS))
    yield from apply_to_each_direction(
        combine(_ORDER, sign, f"{_ORDER.explanation}, and then {sign.explanation}", cost=2)
        for sign in _SIGNS
    )
    yield from apply_to_each_direction(_list_unit_faults(case.own.size))
    yield _make_exchange("flow")
    yield _make_exchange("flow", "change")
    yield _make_reversal(with_change=False)
    yield _make_reversal(with_change=True)
    yield from apply_to_own([_IMAGES_EXCHANGED])


def _scale_flow(u: float, v: float) -> Repair:
    factors = np.array([u, v])
    return change_values(("flow",), lambda flow: flow * factors)


def _exchange_images(fields: SampleFields) -> SampleFields | None:
    if not fields.has("image", "next_image"):
        return None
    return dataclasses.replace(fields, image=fields.next_image, next_image=fields.image)


_ORDER = Fault(
    "flow_order",
    "the flow's two components are stored as (v, u); swap them",
    change_values(("flow",), lambda flow: flow[..., ::-1]),
)
V_SIGN = Fault("flow_v_sign", "the flow's v counts upwards; negate it", _scale_flow(1, -1))
_SIGNS = (
    Fault(
        "flow_sign",
        "the flow points from the next frame to this one; negate it",
        _scale_flow(-1, -1),
    ),
    V_SIGN,
    Fault(
        "flow_u_sign", "the flow's u counts to the left; negate it", _scale_flow(-1, 1), cost=1.2
    ),
)
_IMAGES_EXCHANGED = Fault(
    "images_exchanged",
    "image and next_image are exchanged; exchange them",
    _exchange_images,
    cost=1.2,
)


def _list_unit_faults(size: tuple[int, int]) -> Iterator[SampleFault]:
    for x in _FACTORS:
        said = f"the flow is in pixels of another resolution; multiply it by {x:g}"
        cost = 1.3 if x in (2.0, 0.5) else 1.5
        yield Fault("flow_units", said, _scale_flow(x, x), cost=cost, numbers={"factor": x})
    height, width = size
    for u, v, factors in (
        (width, height, "width and height"),
        (width / 2, height / 2, "half of width and height, as for a grid from -1 to 1"),
        (1 / width, 1 / height, "1 / width and 1 / height"),
    ):
        said = f"the flow is not in pixels; multiply it by {factors}"
        numbers = {"factor_u": float(u), "factor_v": float(v)}
        yield Fault("flow_units", said, _scale_flow(u, v), cost=1.6, numbers=numbers)


def _make_exchange(*names: str) -> Hypothesis:
    """Makes the fault that maps of the two time directions are exchanged."""

    def repair(case: Case) -> Case | None:
        own, other = case.own, case.other
        if other is None or own.flow is None or other.flow is None:
            return None
        if any(own.has(name) != other.has(name) for name in names):
            return None
        return dataclasses.replace(
            case,
            own=own.with_maps({name: other.field(name) for name in names}),
            other=other.with_maps({name: own.field(name) for name in names}),
        )

    what = " and ".join(names)
    said = f"{what} of the two directions are exchanged: forward holds backward; exchange them"
    return Fault("flow_direction", said, repair)


def _make_reversal(*, with_change: bool) -> Hypothesis:
    """Makes the fault that flow (and change) lead from the next frame, on its grid, to this one."""

    def repair(case: Case) -> Case | None:
        own = case.own
        if own.flow is None or (with_change and own.change is None):
            return None
        change = own.change if with_change else _read_change_back(own)
        return dataclasses.replace(case, own=_swap_frames(own, change), same_way=True)

    what = "flow and change belong" if with_change else "the flow belongs"
    said = f"{what} to the other direction: from the next frame to this one, on the next one's grid"
    return Fault("flow_direction", said, repair, cost=1.1)


def _swap_frames(own: SampleFields, change: Field | None) -> SampleFields:
    """Exchanges the two frames; the flow is on the next frame's grid already."""
    depth = own.next_inv_depth
    return SampleFields(
        size=own.size,
        image=own.next_image,
        next_image=own.image,
        flow=own.flow,
        inv_depth=depth,
        change=change,
        next_inv_depth=own.inv_depth,
        scene_flow=_read_scene_flow_back(own),
        valid=None if depth is None else lambda r, c: (depth(r, c) > 0).astype(float),
        camera=own.next_camera,
        next_camera=None if own.next_camera is None else own.camera,
    )


def _read_change_back(own: SampleFields) -> Field | None:
    """Returns the backward change; the flow leads from the next frame's grid to this one."""
    if own.change is None or own.flow is None:
        return None
    there = read_at_ends(own.change, own.flow, own.size)
    return lambda rows, columns: -there(rows, columns)


def _read_scene_flow_back(own: SampleFields) -> Field | None:
    """Returns the backward scene flow, in the axes of the next camera."""
    if own.scene_flow is None or own.flow is None:
        return None
    turn = np.eye(3)
    if own.camera is not None and own.next_camera is not None:
        turn = between(own.camera, own.next_camera)[:, :3]
    there = read_at_ends(own.scene_flow, own.flow, own.size)
    return lambda rows, columns: -(there(rows, columns) @ turn.T)
