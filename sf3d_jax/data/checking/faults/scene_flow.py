"""Faults of the scene flow: sign, axes, units, and the camera's motion."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from sf3d_jax.data.cameras import poses
from sf3d_jax.data.checking.evidence.fields import Case, SampleFields
from sf3d_jax.data.checking.evidence.numpy_camera import between
from sf3d_jax.data.checking.faults.fault import (
    Fault,
    Hypothesis,
    Repair,
    apply_to_own,
    change_values,
)


def list_scene_flow_faults(case: Case) -> Iterator[Hypothesis]:
    """Yields a wrong sign, axes and units of the scene flow, and camera motion left in it."""
    own = case.own
    if own.camera is None or own.scene_flow is None:
        return
    yield from apply_to_own(_FAULTS)
    rotation = own.camera.pose[:, :3]
    if not np.allclose(rotation, np.eye(3), atol=1e-6):
        said = "the scene flow is in the world's axes; turn it into the first camera's"
        yield from apply_to_own([Fault("scene_flow_axes", said, _multiply(rotation))])
    yield from apply_to_own(_UNITS)
    if own.has_two_views:
        yield from apply_to_own([_OF_CAMERA])


def _multiply(matrix: np.ndarray) -> Repair:
    return change_values(("scene_flow",), lambda vectors: vectors @ matrix.T)


def _take_out_camera(fields: SampleFields) -> SampleFields | None:
    given, d, camera = fields.scene_flow, fields.inv_depth, fields.camera
    if given is None or d is None or camera is None or fields.next_camera is None:
        return None
    pose = between(camera, fields.next_camera)

    def take_out(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        pixels = np.stack([columns, rows], -1).reshape(-1, 2).astype(float)
        start = camera.rays(pixels) / d(rows, columns).reshape(-1, 1)
        end = start + given(rows, columns).reshape(-1, 3)
        vectors = (end - pose[:, 3]) @ pose[:, :3] - start
        return vectors.reshape(*rows.shape, 3)

    return dataclasses.replace(fields, scene_flow=take_out)


_FAULTS = (
    Fault(
        "scene_flow_sign",
        "the scene flow has the opposite sign; negate it",
        _multiply(-np.eye(3)),
    ),
    Fault(
        "scene_flow_axes",
        "the scene flow is in OpenGL's axes (x right, y up, z back); negate y and z",
        _multiply(poses.OPENGL),
    ),
)
_UNITS = tuple(
    Fault(
        "scene_flow_units",
        f"the scene flow is in another unit; multiply it by {factor:g}",
        _multiply(factor * np.eye(3)),
        numbers={"factor": factor},
    )
    for factor in (0.001, 0.01, 1000.0)
)
_OF_CAMERA = Fault(
    "scene_flow_camera",
    "the scene flow includes the camera's motion: it is X1 in the second camera minus X0 in the "
    "first; remove that motion",
    _take_out_camera,
)
