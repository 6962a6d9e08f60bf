"""Faults of the cameras: poses, axes and intrinsics."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from sf3d_jax.data.cameras import poses
from sf3d_jax.data.checking.evidence.fields import Case, SampleFields
from sf3d_jax.data.checking.evidence.numpy_camera import NumpyCamera
from sf3d_jax.data.checking.faults.fault import (
    Fault,
    Hypothesis,
    Repair,
    SampleFault,
    apply_to_own,
    combine,
)

# Conventions of axes; each matrix turns the file's axes into OpenCV's.
_AXES = {
    "OpenGL's (x right, y up, z back)": poses.OPENGL,
    "x forward, y right, z down": poses.NED,
    "x forward, y left, z up": np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
}

# Size ratios of an image to the image its intrinsics belong to.
_FACTORS = (4.0, 3.0, 1.5, 4 / 3, 0.75, 2 / 3, 1 / 3, 0.25)
_CENTRAL = 0.1


def list_camera_faults(case: Case) -> Iterator[Hypothesis]:
    """Yields faults of poses, axes and intrinsics."""
    if case.own.camera is None:
        return
    if case.own.next_camera is not None:
        yield from apply_to_own(_list_pose_faults(case.own.camera, case.own.next_camera))
    yield from apply_to_own(
        _list_intrinsics_faults(_list_resolutions(case.own.camera, case.own.size))
    )


def _change_cameras(change: Callable[[NumpyCamera], NumpyCamera]) -> Repair:
    def repair(fields: SampleFields) -> SampleFields | None:
        if fields.camera is None:
            return None
        second = None if fields.next_camera is None else change(fields.next_camera)
        return dataclasses.replace(fields, camera=change(fields.camera), next_camera=second)

    return repair


def _change_poses(change: Callable[[np.ndarray], np.ndarray]) -> Repair:
    return _change_cameras(lambda camera: dataclasses.replace(camera, pose=change(camera.pose)))


def _turn_axes(axes: np.ndarray) -> Repair:
    return _change_poses(lambda pose: axes @ pose)


def _exchange_cameras(fields: SampleFields) -> SampleFields:
    return dataclasses.replace(fields, camera=fields.next_camera, next_camera=fields.camera)


_INVERTED = Fault(
    "pose_direction", "the poses are camera-to-world; invert them", _change_poses(poses.invert)
)
_POSES = (
    Fault(
        "pose_translation",
        "the poses' last column is the camera's position C, not t = -R C; convert it",
        _change_poses(lambda p: np.column_stack([p[:, :3], -p[:, :3] @ p[:, 3]])),
        cost=1.2,
    ),
    Fault(
        "pose_direction",
        "the poses' rotation is camera-to-world but the translation is not; transpose it",
        _change_poses(lambda p: np.column_stack([p[:, :3].T, p[:, 3]])),
        cost=1.3,
    ),
    Fault(
        "pose_translation",
        "the poses' translation has the opposite sign; negate it",
        _change_poses(lambda p: np.column_stack([p[:, :3], -p[:, 3]])),
        cost=1.2,
    ),
)


def _list_pose_faults(camera: NumpyCamera, next_camera: NumpyCamera) -> Iterator[SampleFault]:
    yield _INVERTED
    for name, axes in _AXES.items():
        said = f"the poses' camera axes are {name}; turn them into OpenCV's"
        turned = Fault("pose_axes", said, _turn_axes(axes), cost=1.0 if "OpenGL" in name else 1.3)
        yield turned
        said = f"the poses are camera-to-world and their camera axes are {name}; invert, then turn"
        yield combine(_INVERTED, turned, said, cost=turned.cost + 0.6)
    yield from _POSES
    is_unit = lambda pose: np.allclose(pose, np.eye(3, 4), atol=1e-7)
    is_at_second = is_unit(next_camera.pose) and not is_unit(camera.pose)
    said = "the two cameras are exchanged; exchange them"
    cost = 0.95 if is_at_second else 1.7
    yield Fault("cameras_exchanged", said, _exchange_cameras, cost=cost)


def _scale_lens(focal: float, point: Callable[[np.ndarray], np.ndarray]) -> Repair:
    return _change_cameras(
        lambda camera: dataclasses.replace(
            camera, focal=camera.focal * focal, principal_point=point(camera.principal_point)
        )
    )


def _resize_lens(by: float) -> Repair:
    return _scale_lens(by, lambda point: (point + 0.5) * by - 0.5)


def _move_points(by: float, *, first: bool = True, second: bool = True) -> Repair:
    """Moves the principal points of both cameras, or of one of them."""

    def move(camera: NumpyCamera) -> NumpyCamera:
        return dataclasses.replace(camera, principal_point=camera.principal_point + by)

    def repair(fields: SampleFields) -> SampleFields | None:
        camera, after = fields.camera, fields.next_camera
        if camera is None or after is None:
            return None
        return dataclasses.replace(
            fields,
            camera=move(camera) if first else camera,
            next_camera=move(after) if second else after,
        )

    return _change_cameras(move) if first and second else repair


def _list_resolutions(camera: NumpyCamera, size: tuple[int, int]) -> set[float]:
    """Lists plausible ratios of resolutions: half, double, and those that centre the point.

    The principal point of an image that was not cropped is near its centre.
    """
    ratio = (2 * camera.principal_point + 1) / [size[1], size[0]]
    is_central = lambda by: (np.abs(by * ratio - 1) < _CENTRAL).all()
    return {2.0, 0.5, *(by for by in _FACTORS if is_central(by) and not is_central(1.0))}


def _list_intrinsics_faults(factors: set[float]) -> Iterator[SampleFault]:
    for by in (-0.5, 0.5):
        said = "counts pixels from the corner of the image" if by < 0 else "is half a pixel short"
        said, numbers = f"the principal point {said}; add {by:g} to it", {"add": by}
        yield Fault("principal_point", said, _move_points(by), numbers=numbers)
        for name, repair in (
            ("camera", _move_points(by, second=False)),
            ("next_camera", _move_points(by, first=False)),
        ):
            of_one = f"{said}, in `{name}` alone"
            yield Fault("principal_point", of_one, repair, cost=1.4, numbers=numbers)
    for by in sorted(factors, reverse=True):
        numbers = {"factor": by}
        said = f"the focal length belongs to another resolution; multiply it by {by:.4g}"
        repair = _scale_lens(by, lambda point: point)
        yield Fault("focal", said, repair, cost=1.2, numbers=numbers)
        said = "focal length and principal point belong to another resolution; multiply them by"
        yield Fault("focal", f"{said} {by:.4g}", _resize_lens(by), numbers=numbers)
    said = "the principal point is stored as (cy, cx); swap it"
    yield Fault("principal_point", said, _scale_lens(1, lambda point: point[::-1]), cost=1.3)
    swap = lambda camera: dataclasses.replace(camera, focal=camera.focal[::-1])
    said = "the focal lengths are stored as (fy, fx)"
    yield Fault("focal", said, _change_cameras(swap), cost=1.3)
