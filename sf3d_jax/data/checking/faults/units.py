"""Depths in a different unit of length than the poses: common units, or a fitted factor."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case, SampleFields
from sf3d_jax.data.checking.evidence.numpy_camera import NumpyCamera
from sf3d_jax.data.checking.evidence.still_world import (
    measure_still_depths,
    measure_still_flow,
    measure_still_images,
)
from sf3d_jax.data.checking.faults.fault import (
    Fault,
    Hypothesis,
    SampleFault,
    apply_to_each_direction,
    scale_maps,
)

_UNITS = {
    1000.0: ", as if it were in millimetres",
    0.001: ", as if it were in kilometres",
    100.0: ", as if it were in centimetres",
    0.01: "",
}
_DEPTHS = ("inv_depth", "next_inv_depth")


def list_unit_faults(case: Case) -> Iterator[Hypothesis]:
    """Yields wrong units of depths and changes, if cameras or scene flow reveal them."""
    own = case.own
    if own.camera is None or own.inv_depth is None:
        return
    if own.has_two_views or own.scene_flow is not None:
        yield from apply_to_each_direction(_list_units(case))


def _list_units(case: Case) -> Iterator[SampleFault]:
    maps = (*_DEPTHS, "change")
    for factor, unit in _UNITS.items():
        said = f"the depth is {factor:g} times too large for the other data{unit}; divide it"
        repair = scale_maps(maps, factor)
        yield Fault("depth_units", said, repair, cost=1.1, numbers={"factor": factor})
    if (found := _search_factor(case)) is None:
        return
    said = f"the depth is {found:.6g} times too large for the cameras' positions; divide it"
    repair, numbers = scale_maps(maps, found), {"factor": found}
    yield Fault("depth_units", said, repair, cost=1.8, numbers=numbers, strict=True)
    if case.own.change is not None:
        said = f"{said}, but not the change: only one of them is scaled"
        repair, numbers = scale_maps(_DEPTHS, found), {"scale": 1 / found}
        yield Fault("change_scale", said, repair, cost=1.9, numbers=numbers, strict=True)


def _scale_places(fields: SampleFields, factor: float) -> SampleFields:
    """Rescales the camera positions; both cameras must exist."""

    def scale(camera: NumpyCamera | None) -> NumpyCamera:
        assert camera is not None
        pose = np.column_stack([camera.pose[:, :3], factor * camera.pose[:, 3]])
        return dataclasses.replace(camera, pose=pose)

    return dataclasses.replace(
        fields, camera=scale(fields.camera), next_camera=scale(fields.next_camera)
    )


def _search_factor(case: Case) -> float | None:
    """Fits the factor that makes a still world fit best; None if there is none."""

    def misfit(log: float) -> float:
        own = _scale_places(case.own, float(np.exp(log)))
        moved = dataclasses.replace(case, own=own)
        levels = [
            measure(moved)
            for measure in (measure_still_flow, measure_still_images, measure_still_depths)
        ]
        known = [level.level for level in levels if level is not None]
        return float(np.sum(known)) if known else np.inf

    if not case.own.has_two_views or not 0.01 < misfit(0.0) < np.inf:
        return None
    logs = np.linspace(np.log(1e-4), np.log(1e4), 47)
    best = logs[int(np.argmin([misfit(x) for x in logs]))]
    step = logs[1] - logs[0]
    for _ in range(12):
        step /= 2
        best = min((best - step, best, best + step), key=misfit)
    return float(np.exp(best)) if abs(best) > 0.02 else None
