"""Faults of the cameras, and of the scene flow, which depends on them."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sf3d_jax.data.cameras import poses
from sf3d_jax.data.checking.evidence import measured
from sf3d_jax.data.checking.evidence.optics import Optics, between
from sf3d_jax.data.checking.evidence.views import Case, View
from sf3d_jax.data.checking.faults.hypotheses import (
    Hypothesis,
    Repair,
    each_direction,
    own_only,
    scaled,
)

_UNITS = {1000.0: "millimetres", 100.0: "centimetres", 0.001: "kilometres"}
_AXES = {
    "OpenGL's (x right, y up, z back)": poses.OPENGL,
    "x forward, y right, z down": poses.NED,
    "x forward, y left, z up": np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
}


def camera_faults(case: Case) -> Iterator[Hypothesis]:
    """Poses, axes, intrinsics, and the unit of length.

    Args:
      case: what is given.

    Yields:
      The hypotheses.
    """
    if case.own.camera is None:
        return
    if case.own.next_camera is not None:
        yield from _pose_faults(case.own)
    yield from _intrinsics(case.own.size)
    yield from _lengths(case)
    yield from _vectors(case)


def _each(change: Callable[[Optics], Optics]) -> Repair:
    def repair(view: View) -> View | None:
        if view.camera is None:
            return None
        second = None if view.next_camera is None else change(view.next_camera)
        return dataclasses.replace(view, camera=change(view.camera), next_camera=second)

    return repair


def _one(name: str, change: Callable[[Optics], Optics]) -> Repair:
    """A change of one of the cameras."""

    def repair(view: View) -> View | None:
        if view.camera is None or view.next_camera is None:
            return None
        made: dict[str, Any] = {name: change(getattr(view, name))}
        return dataclasses.replace(view, **made)

    return repair


def _posed(change: Callable[[np.ndarray], np.ndarray]) -> Repair:
    return _each(lambda optics: dataclasses.replace(optics, pose=change(optics.pose)))


def _pose_faults(view: View) -> Iterator[Hypothesis]:
    back = "the poses are camera-to-world; invert them"
    yield own_only("pose_direction", back, _posed(poses.inverse))
    for name, axes in _AXES.items():
        said = f"the poses' camera axes are {name}; turn them into OpenCV's"
        cost = 1.0 if axes is poses.OPENGL else 1.3
        turn: Any = lambda pose, axes=axes: axes @ pose
        yield own_only("pose_axes", said, _posed(turn), cost=cost)
        said = f"the poses are camera-to-world and their camera axes are {name}; invert, then turn"
        turn = lambda pose, axes=axes: axes @ poses.inverse(pose)
        yield own_only(("pose_direction", "pose_axes"), said, _posed(turn), cost=cost + 0.6)
    said = "the poses' last column is the camera's place C and not t = -R C; convert it"
    place = lambda p: np.column_stack([p[:, :3], -p[:, :3] @ p[:, 3]])
    yield own_only("pose_translation", said, _posed(place), cost=1.2)
    said = "the poses' rotation is camera-to-world and the translation is not; transpose it"
    turn = lambda p: np.column_stack([p[:, :3].T, p[:, 3]])
    yield own_only("pose_direction", said, _posed(turn), cost=1.3)
    said = "the poses' translation has the other sign; negate it"
    minus = lambda p: np.column_stack([p[:, :3], -p[:, 3]])
    yield own_only("pose_translation", said, _posed(minus), cost=1.2)

    def exchanged(view: View) -> View | None:
        return dataclasses.replace(view, camera=view.next_camera, next_camera=view.camera)

    assert view.camera is not None and view.next_camera is not None
    unit = lambda optics: np.allclose(optics.pose, np.eye(3, 4), atol=1e-7)
    at_second = unit(view.next_camera) and not unit(view.camera)
    said = "the two cameras are exchanged; exchange them"
    yield own_only("cameras_exchanged", said, exchanged, cost=0.95 if at_second else 1.7)


def _lens(focal: float, point: Callable[[np.ndarray], np.ndarray]) -> Repair:
    return _each(
        lambda o: dataclasses.replace(
            o, focal=o.focal * focal, principal_point=point(o.principal_point)
        )
    )


def _intrinsics(size: tuple[int, int]) -> Iterator[Hypothesis]:
    for by in (-0.5, 0.5):
        said = "counts pixels from the corner of the image" if by < 0 else "is half a pixel short"
        said = f"the principal point {said}; add {by:g} to it"
        move = lambda c, by=by: c + by
        yield own_only("principal_point", said, _lens(1, move), measured={"add": by})
        for name in ("camera", "next_camera"):
            of_one = f"{said}, in `{name}` alone"
            repair = _one(name, _moved_by(by))
            yield own_only("principal_point", of_one, repair, measured={"add": by}, cost=1.4)
    for by in (2.0, 0.5):
        said = f"the focal length belongs to another resolution; multiply it by {by:g}"
        keep = lambda c: c
        yield own_only("focal", said, _lens(by, keep), measured={"factor": by}, cost=1.2)
        said = "focal length and principal point belong to another resolution; multiply them by"
        both = lambda c, by=by: (c + 0.5) * by - 0.5
        yield own_only("focal", f"{said} {by:g}", _lens(by, both), measured={"factor": by})
    said = "the principal point is stored as (cy, cx); swap it"
    yield own_only("principal_point", said, _lens(1, lambda c: c[::-1]), cost=1.3)
    swap = lambda o: dataclasses.replace(o, focal=o.focal[::-1])
    yield own_only("focal", "the focal lengths are stored as (fy, fx)", _each(swap), cost=1.3)


def _moved_by(by: float) -> Callable[[Optics], Optics]:
    return lambda o: dataclasses.replace(o, principal_point=o.principal_point + by)


def _lengths(case: Case) -> Iterator[Hypothesis]:
    """Depth in another unit of length than the poses: usual units, or a factor that is searched."""
    own = case.own
    if own.inv_depth is None or not (own.informed or own.scene_flow is not None):
        return
    maps = ("inv_depth", "change", "next_inv_depth")
    for factor in (1000.0, 0.001, 100.0, 0.01):
        unit = f", as if it were in {_UNITS[factor]}" if factor in _UNITS else ""
        said = f"the depth is {factor:g} times too large for the rest{unit}; divide it"
        numbers = {"factor": factor}
        repair = scaled(maps, factor)
        yield from each_direction("depth_units", said, repair, measured=numbers, cost=1.1)
    if (found := _searched(case)) is None:
        return
    said = f"the depth is {found:.6g} times too large for the cameras' places; divide it"
    numbers = {"factor": found}
    yield from each_direction(
        "depth_units", said, scaled(maps, found), measured=numbers, cost=1.8, strict=True
    )
    if own.change is not None:
        said = f"{said}, but not the change: the one is scaled, the other is not"
        repair = scaled(("inv_depth", "next_inv_depth"), found)
        yield from each_direction(
            "change_scale", said, repair, measured={"scale": 1 / found}, cost=1.9, strict=True
        )


def _moved(factor: float) -> Repair:
    """The translation between the cameras in the unit of the depth."""

    def repair(view: View) -> View | None:
        if view.camera is None or view.next_camera is None:
            return None
        poses = view.camera.pose, view.next_camera.pose
        first, second = (np.column_stack([p[:, :3], factor * p[:, 3]]) for p in poses)
        return dataclasses.replace(
            view,
            camera=dataclasses.replace(view.camera, pose=first),
            next_camera=dataclasses.replace(view.next_camera, pose=second),
        )

    return repair


def _searched(case: Case) -> float | None:
    """The factor with which a still world fits best, if there is one."""
    names = ("still_flow", "still_images", "still_depths")

    def misfit(log: float) -> float:
        view = _moved(float(np.exp(log)))(case.own)
        assert view is not None
        levels = measured(dataclasses.replace(case, own=view), names)
        known = [x.level for x in levels.values() if x is not None]
        return float(np.sum(known)) if known else np.inf

    if not case.own.informed or not misfit(0.0) > 0.01 or misfit(0.0) == np.inf:
        return None
    logs = np.linspace(np.log(1e-4), np.log(1e4), 47)
    best = logs[int(np.argmin([misfit(x) for x in logs]))]
    step = logs[1] - logs[0]
    for _ in range(12):
        step /= 2
        best = min((best - step, best, best + step), key=misfit)
    return float(np.exp(best)) if abs(best) > 0.02 else None


def _vectors(case: Case) -> Iterator[Hypothesis]:
    own = case.own
    if own.scene_flow is None:
        return

    def of_vectors(matrix: np.ndarray) -> Repair:
        def repair(view: View) -> View | None:
            if (given := view.scene_flow) is None:
                return None
            return dataclasses.replace(view, scene_flow=lambda r, c: given(r, c) @ matrix.T)

        return repair

    name = "scene_flow_axes"
    said = "the scene flow's sign is the other one; negate it"
    yield own_only("scene_flow_sign", said, of_vectors(-np.eye(3)))
    said = "the scene flow is in OpenGL's axes (x right, y up, z back); negate y and z"
    yield own_only(name, said, of_vectors(poses.OPENGL))
    assert own.camera is not None
    rotation = own.camera.pose[:, :3]
    if not np.allclose(rotation, np.eye(3), atol=1e-6):
        said = "the scene flow is in the world's axes; turn it into the first camera's"
        yield own_only(name, said, of_vectors(rotation))
    for factor in (0.001, 0.01, 1000.0):
        said = f"the scene flow is in another unit; multiply it by {factor:g}"
        numbers = {"factor": factor}
        yield own_only("scene_flow_units", said, of_vectors(factor * np.eye(3)), measured=numbers)
    if own.informed:
        said = "the scene flow holds the camera's motion: it is X1 in the second camera minus X0 in"
        yield own_only("scene_flow_camera", f"{said} the first; take that out", _without_camera)


def _without_camera(view: View) -> View | None:
    given, d, camera, second = view.scene_flow, view.inv_depth, view.camera, view.next_camera
    if given is None or d is None or camera is None or second is None:
        return None
    pose = between(camera, second)

    def made(r: np.ndarray, c: np.ndarray) -> np.ndarray:
        pixels = np.stack([c, r], -1).reshape(-1, 2).astype(float)
        start = camera.ray(pixels) / d(r, c).reshape(-1, 1)
        end = start + given(r, c).reshape(-1, 3)
        vectors = (end - pose[:, 3]) @ pose[:, :3] - start
        return vectors.reshape(*r.shape, 3)

    return dataclasses.replace(view, scene_flow=made)
