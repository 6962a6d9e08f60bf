"""The camera_params.json of the NeRSemble data set.

    {"world_2_cam": {"220700191": [4, 4], ...}, "intrinsics": [3, 3]}

The poses are world to camera, by the serial number of the camera, with OpenCV's axes and in
metres. The 16 cameras share K, that of images of 2200 x 3208 pixels, whose principal point is
taken as OpenCV's, integers at pixel centres. Images of other sizes are those made smaller, such as
550 x 802.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.json import matrix, outline, read_json, write_json
from sf3d_jax.data.cameras.checks import (
    Size,
    camera_argument,
    intrinsics,
    rigid_pose,
    same_shape,
)
from sf3d_jax.data.cameras.poses import homogeneous
from sf3d_jax.data.cameras.sizes import NERSEMBLE as FULL_SIZE
from sf3d_jax.data.cameras.sizes import camera_of_benchmark

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera


def read_nersemble_cameras(path: PathLike, size: Size) -> dict[str, "Camera"]:
    """Reads a camera_params.json.

    Args:
      path: of the file.
      size: (H, W) of the images, (3208, 2200) or another by a common factor; the cameras are
        resized to it, areas onto areas.

    Returns:
      The cameras by serial number, float64.

    Raises:
      FormatError: the file is of another form, a pose is no rotation and translation, or K is
        that of images of another size.
      ValueError: size is not that of a whole image.
    """
    from sf3d_jax.camera import check_size

    size = check_size(size)
    if not same_shape(FULL_SIZE, size):
        height, width = FULL_SIZE
        expected = f"({height}, {width}), which {os.fspath(path)} belongs to, or a fraction of it"
        raise ValueError(f"size: expected {expected}, got {size}")
    tree = read_json(path)
    poses = tree.get("world_2_cam") if isinstance(tree, dict) else None
    if not isinstance(poses, dict) or not poses:
        raise FormatError(path, "poses by serial number in world_2_cam", outline(tree))
    k = matrix(path, "intrinsics", tree.get("intrinsics"), (3, 3))
    focal, point = intrinsics(path, "intrinsics", k)
    cameras = {}
    for serial, pose in poses.items():
        where = f"world_2_cam {serial[:40]}"
        cameras[serial] = camera_of_benchmark(
            path,
            where,
            focal=focal,
            principal_point=point,
            published=FULL_SIZE,
            size=size,
            world_to_camera=rigid_pose(path, where, matrix(path, where, pose, (4, 4), (3, 4))),
        )
    return cameras


def write_nersemble_cameras(path: PathLike, cameras: Mapping[str, "Camera"]) -> None:
    """Writes a camera_params.json.

    Args:
      path: of the file.
      cameras: by serial number; at least one, with the same intrinsics, without distortion, of the
        size (3208, 2200) or a fraction of it.

    Raises:
      TypeError: it is no mapping, a serial number is no string, or a value is no camera.
      ValueError: the format cannot hold them.
    """
    from sf3d_jax.camera import Camera

    if not isinstance(cameras, Mapping) or not all(isinstance(serial, str) for serial in cameras):
        raise TypeError("cameras: expected a mapping from serial numbers such as '220700191'")
    if not cameras:
        raise ValueError("cameras: expected at least one, got none")
    lenses, poses = [], {}
    for serial, camera in cameras.items():
        checked = camera_argument(f"cameras[{serial!r}]", camera)
        if checked.model != "pinhole":
            raise ValueError(f"cameras: expected no distortion, got {checked.model} in {serial}")
        if not same_shape(FULL_SIZE, checked.size):
            raise ValueError(f"cameras: expected a fraction of {FULL_SIZE}, got {checked.size}")
        fx, fy, cx, cy = checked.optics
        full = Camera.pinhole(fx, fy, cx, cy, checked.size)  # widened to float64 before
        full = full if full.size == FULL_SIZE else full.resize(FULL_SIZE)
        lenses.append([*full.focal.tolist(), *full.principal_point.tolist()])
        poses[serial] = homogeneous(checked.pose[None])[0].tolist()
    if any(lens != lenses[0] for lens in lenses):
        raise ValueError("cameras: expected the same intrinsics in all of them")
    fx, fy, cx, cy = lenses[0]
    k = [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]
    write_json(path, {"world_2_cam": poses, "intrinsics": k})
