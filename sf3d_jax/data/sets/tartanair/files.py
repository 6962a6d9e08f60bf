"""The formats of TartanAir: poses, the camera, and flow with its mask.

Poses: one line `tx ty tz qx qy qz qw` per frame, or an array [N, 7] of these in a .npy file: the
position and unit quaternion of the camera, from the camera to the world. The camera's axes are
those of an aircraft (NED): x forward, y right, z down. They are converted to OpenCV's; the world
keeps its own axes.

Camera: an ideal pinhole, 90 degrees across the width of the image, so focal = W / 2. The code that
made the flow puts the principal point at (W / 2, H / 2), counted from the centre of the first
pixel: 320 and (320, 240) for 640 x 480 pixels. The right camera is 0.25 m to the right.

Flow: float32 [H, W, 2] .npy, computed from depth and the motion of the camera. Its mask is a uint8
.npy: 0 where the flow is valid, and other codes (1, 10, 100) where a pixel is occluded, has left
the image, or belongs to a moving object. Depth is a plain .npy in metres.

Source: data_type.md of the TartanAir tools, and ImageFlow (github.com/huyaoyu/ImageFlow).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import LARGEST, FormatError, PathLike
from sf3d_jax.data._files.text import read_table, write_rows
from sf3d_jax.data.arrays import finite, zero_unless
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.maps import npy
from sf3d_jax.data.maps.kinds import FlowMap

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

_UNIT_LENGTH = 1e-3  # tolerance for the length of a quaternion


def read_tartanair_poses(path: PathLike) -> np.ndarray:
    """Reads the poses of a trajectory from rows tx ty tz qx qy qz qw.

    Args:
      path: file to read, such as pose_left.txt, or a .npy file.

    Returns:
      float64 [N, 3, 4], world-to-camera in OpenCV's axes, in the world of the file.

    Raises:
      FormatError: the file has no rows of seven numbers, or the length of a quaternion is not 1.
    """
    if Path(path).suffix.lower() == ".npy":
        rows = npy.read_array(path, np.float64)
        if rows.ndim != 2 or rows.shape[1] != 7 or len(rows) == 0:
            raise FormatError(path, "an array of the shape [N, 7]", f"{list(rows.shape)}")
    else:
        rows = read_table(path, 7)
    # Magnitudes are checked first, because in a damaged file the length may overflow.
    good = (np.abs(rows[:, :3]) <= LARGEST).all(-1) & (np.abs(rows[:, 3:]) <= 2).all(-1)
    length = np.linalg.norm(np.where(good[:, None], rows[:, 3:], 0), axis=-1)
    good &= np.abs(length - 1) <= _UNIT_LENGTH
    if not good.all():
        i = int((~good).argmax())
        expected = f"tx ty tz and a unit quaternion qx qy qz qw in row {i + 1}"
        raise FormatError(path, expected, f"{rows[i].tolist()}")

    rotation = poses.from_quaternion(rows[:, [6, 3, 4, 5]])
    camera_to_world = np.concatenate([rotation, rows[:, :3, None]], axis=-1)
    return poses.from_camera_to_world(camera_to_world, poses.NED)


def write_tartanair_poses(path: PathLike, world_to_camera: npt.ArrayLike) -> None:
    """Writes the poses of a trajectory as text rows tx ty tz qx qy qz qw.

    The file stores quaternions of camera-to-world, so poses read back agree to a few units in the
    last place of the largest numbers.

    Args:
      path: file to write.
      world_to_camera: [N, 3, 4] or [N, 4, 4], in OpenCV's axes.

    Raises:
      ValueError: a matrix is not a rotation and translation.
    """
    known = poses.check_poses_argument("world_to_camera", world_to_camera)
    camera_to_world = poses.to_camera_to_world(known, poses.NED)
    quaternions = poses.to_quaternion(camera_to_world[..., :3])[:, [1, 2, 3, 0]]
    write_rows(path, np.concatenate([camera_to_world[..., 3], quaternions], axis=-1).tolist())


def tartanair_camera(size: tuple[int, int], world_to_camera: npt.ArrayLike | None = None) -> Camera:
    """Makes TartanAir's camera: focal = W / 2, principal point (W / 2, H / 2).

    Args:
      size: (H, W) of the rendered images, (480, 640) in the data set. The camera of a resized image
        is `tartanair_camera((480, 640)).resize(size)`.
      world_to_camera: [3, 4] in metres; None puts the world at the camera.

    Returns:
      The float64 camera, 90 degrees wide.

    Raises:
      ValueError: size is not two positive integers.
    """
    from sf3d_jax.camera import Camera, check_size

    height, width = check_size(size)
    pose = np.eye(3, 4) if world_to_camera is None else np.asarray(world_to_camera, np.float64)
    return Camera.pinhole(width / 2, width / 2, width / 2, height / 2, (height, width), pose)


def read_tartanair_flow(flow_path: PathLike, mask_path: PathLike | None = None) -> FlowMap:
    """Reads flow and its mask.

    Args:
      flow_path: .npy file of the flow.
      mask_path: .npy file of the mask; if None, all finite flow is valid.

    Returns:
      The flow, valid where it is finite and the mask is 0.

    Raises:
      FormatError: a file is malformed, or the mask differs in size.
    """
    flow = npy.read_flow(flow_path)
    valid = finite(flow)
    if mask_path is not None:
        mask = npy.read_scalar(mask_path)
        if mask.shape != valid.shape:
            expected = f"the size {list(valid.shape)} of {flow_path}"
            raise FormatError(mask_path, expected, f"{list(mask.shape)}")
        valid &= mask == 0
    return FlowMap(zero_unless(valid, flow), valid)
