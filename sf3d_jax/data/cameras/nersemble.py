"""The camera_params.json of the NeRSemble data set.

    {"world_2_cam": {"220700191": [4, 4], ...}, "intrinsics": [3, 3]}

The poses are world to camera, keyed by the camera's serial number, with OpenCV's axes, in metres.
The 16 cameras share K, which refers to images of 2200 x 3208 pixels; its principal point is taken
as OpenCV's, integers at pixel centres. Images of other sizes, such as 550 x 802, are downscaled
copies.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.json import matrix, outline, read_json, write_json
from sf3d_jax.data.cameras.checks import (
    Size,
    check_camera_argument,
    check_rigid_pose,
    is_same_shape,
    read_intrinsics,
)
from sf3d_jax.data.cameras.keys import find_unknown_keys, refuse_unknown
from sf3d_jax.data.cameras.poses import append_last_row
from sf3d_jax.data.cameras.sizes import NERSEMBLE as FULL_SIZE
from sf3d_jax.data.cameras.sizes import make_benchmark_camera

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera


def read_nersemble_cameras(path: PathLike, size: Size) -> dict[str, "Camera"]:
    """Reads the camera_params.json of the NeRSemble data set.

    Args:
      path: file to read.
      size: (H, W) of the images, (3208, 2200) or a scaled version of it; the cameras are resized
        to it, so that the full image areas coincide.

    Returns:
      The cameras by serial number, float64, world to camera with OpenCV's axes, in metres.

    Raises:
      FormatError: the file has another layout, a pose is not a rotation and translation, K belongs
        to images of another size, or a key is unknown.
      ValueError: size is not (3208, 2200) scaled by one factor.
    """
    from sf3d_jax.camera import check_size

    size = check_size(size)
    if not is_same_shape(FULL_SIZE, size):
        height, width = FULL_SIZE
        expected = f"({height}, {width}), which {os.fspath(path)} refers to, or a fraction of it"
        raise ValueError(f"size: expected {expected}, got {size}")
    tree = read_json(path)
    poses = tree.get("world_2_cam") if isinstance(tree, dict) else None
    if not isinstance(poses, dict) or not poses:
        raise FormatError(path, "poses by serial number in world_2_cam", outline(tree))
    refuse_unknown(path, "the file", find_unknown_keys(tree, ("world_2_cam", "intrinsics")))
    k = matrix(path, "intrinsics", tree.get("intrinsics"), (3, 3))
    focal, point = read_intrinsics(path, "intrinsics", k)
    cameras = {}
    for serial, pose in poses.items():
        where = f"world_2_cam {serial[:40]}"
        cameras[serial] = make_benchmark_camera(
            path,
            where,
            focal=focal,
            principal_point=point,
            published=FULL_SIZE,
            size=size,
            world_to_camera=check_rigid_pose(
                path, where, matrix(path, where, pose, (4, 4), (3, 4))
            ),
        )
    return cameras


def write_nersemble_cameras(path: PathLike, cameras: Mapping[str, "Camera"]) -> None:
    """Writes the camera_params.json of the NeRSemble data set.

    Args:
      path: file to write.
      cameras: cameras by serial number; at least one, with the same intrinsics, no distortion, and
        the size (3208, 2200) or a fraction of it.

    Raises:
      TypeError: cameras is not a mapping, a serial number is not a string, or a value is not a
        Camera.
      ValueError: the format cannot hold the cameras.
    """
    from sf3d_jax.camera import Camera

    if not isinstance(cameras, Mapping) or not all(isinstance(serial, str) for serial in cameras):
        raise TypeError("cameras: expected a mapping from serial numbers such as '220700191'")
    if not cameras:
        raise ValueError("cameras: expected at least one, got none")
    lenses, poses = [], {}
    for serial, camera in cameras.items():
        checked = check_camera_argument(f"cameras[{serial!r}]", camera)
        if checked.model != "pinhole":
            raise ValueError(f"cameras: expected no distortion, got {checked.model} in {serial}")
        if not is_same_shape(FULL_SIZE, checked.size):
            raise ValueError(f"cameras: expected a fraction of {FULL_SIZE}, got {checked.size}")
        fx, fy, cx, cy = checked.optics
        full = Camera.pinhole(fx, fy, cx, cy, checked.size)  # already float64
        full = full if full.size == FULL_SIZE else full.resize(FULL_SIZE)
        lenses.append([*full.focal.tolist(), *full.principal_point.tolist()])
        poses[serial] = append_last_row(checked.pose[None])[0].tolist()
    if any(lens != lenses[0] for lens in lenses):
        raise ValueError("cameras: expected the same intrinsics in all of them")
    fx, fy, cx, cy = lenses[0]
    k = [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]
    write_json(path, {"world_2_cam": poses, "intrinsics": k})
