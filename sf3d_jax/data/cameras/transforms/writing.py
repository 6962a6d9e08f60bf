"""Writing transforms.json: intrinsics go into every frame and, if common, beside the frames."""

import math
import operator
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from sf3d_jax.data._files import PathLike
from sf3d_jax.data._files.json import Json, write_json
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.cameras.checks import CameraArgument, check_camera_argument, check_told_size
from sf3d_jax.data.cameras.lens import COEFFICIENTS
from sf3d_jax.data.cameras.poses import append_last_row
from sf3d_jax.data.cameras.transforms.frame import TransformsFrame


def write_transforms(path: PathLike, frames: Sequence[TransformsFrame]) -> None:
    """Writes a transforms.json with OpenGL's axes, camera to world.

    The intrinsics go into every frame and, if all frames share them, also beside the frames.
    `read_transforms` restores focal lengths and coefficients exactly; poses and principal points
    may differ in the last bit, since the file holds the inverse pose and counts pixels from the
    image's edge.

    Args:
      path: file to write.
      frames: at least one frame; either all or none have a fisheye lens.

    Raises:
      TypeError: a camera is not a Camera, or an index is not a whole number.
      ValueError: frames is empty, a camera is a batch or has impossible values, or the format
        cannot hold its lens.
    """
    if not frames:
        raise ValueError("frames: expected at least one, got none")
    checked = [check_camera_argument(f"frames[{i}].camera", x.camera) for i, x in enumerate(frames)]
    for i, camera in enumerate(checked):
        check_told_size(f"frames[{i}].camera", camera)
    models = {camera.model for camera in checked}
    if "fisheye" in models and len(models) > 1:
        raise ValueError(f"frames: expected one kind of lens, got {sorted(models)}")
    name = {"fisheye": "OPENCV_FISHEYE", "pinhole": "PINHOLE"}
    lenses = [_format_intrinsics(camera) for camera in checked]
    common = lenses[0] if all(lens == lenses[0] for lens in lenses) else {}
    entries = [
        {**_format_names(frame), **lens, "transform_matrix": _format_pose(camera.pose)}
        for frame, lens, camera in zip(frames, lenses, checked, strict=True)
    ]
    model = name.get(models.pop(), "OPENCV") if len(models) == 1 else "OPENCV"
    write_json(path, {"camera_model": model, **common, "frames": entries})


def _format_intrinsics(camera: CameraArgument) -> dict[str, Json]:
    (height, width), (fx, fy, cx, cy) = camera.size, camera.optics
    names, distortion = COEFFICIENTS.get(camera.model, ()), camera.distortion or []
    if any(distortion[len(names) :]):
        raise ValueError(f"frames: expected only {' '.join(names)}, got {distortion}")
    return {
        "w": width,
        "h": height,
        "fl_x": fx,
        "fl_y": fy,
        "cx": cx + 0.5,
        "cy": cy + 0.5,
        "camera_angle_x": 2 * math.atan(0.5 * width / fx),
        "camera_angle_y": 2 * math.atan(0.5 * height / fy),
        **dict(zip(names, distortion, strict=False)),
    }


def _format_pose(world_to_camera: np.ndarray) -> list[list[float]]:
    pose = poses.to_camera_to_world(world_to_camera, poses.OPENGL)
    # Invert as the reader will: the transpose of a float32 rotation is not its exact inverse.
    rotation, translation = np.split(world_to_camera, [3], axis=-1)
    pose[:, 3:] = -np.linalg.solve(rotation, translation)
    return append_last_row(pose[None])[0].tolist()


def _format_names(frame: TransformsFrame) -> dict[str, Json]:
    names: dict[str, Json] = {"file_path": frame.image, "fg_mask_path": frame.mask}
    names = {key: x.as_posix() if isinstance(x, PurePath) else x for key, x in names.items()}
    numbers = {"timestep_index": frame.timestep, "camera_index": frame.camera_index}
    names |= {key: x if x is None else operator.index(x) for key, x in numbers.items()}
    return {key: x for key, x in names.items() if x is not None}
