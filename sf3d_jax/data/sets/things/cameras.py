"""The cameras of FlyingThings3D, Monkaa and Driving.

camera_data.txt has one block per frame: `Frame` and its number, `L` and `R` with sixteen numbers
each, and an empty line. The numbers are a 4x4 matrix, row by row, from the left or right camera to
the world. The camera's axes are those of OpenGL: x right, y up, z back. They are converted to
OpenCV's; the world keeps its own axes. Some sequences lack some frames.

The images have 960 x 540 pixels and the focal length 1050 (35 mm), or 450 (15 mm) in half of
Driving. The principal point is (479.5, 269.5), the middle of the image with integers at pixel
centres. The baseline is 1, which is taken as a metre.

Source: the description of the Scene Flow Datasets (lmb.informatik.uni-freiburg.de).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.text import index, parse_numbers, read_rows, write_rows
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.cameras.checks import check_rigid_pose, is_same_shape
from sf3d_jax.data.cameras.sizes import THINGS

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

# The focal length and the principal point (x, y) for images of 960 x 540 pixels.
FOCAL = 1050.0
POINT = 479.5, 269.5


class StereoPoses(NamedTuple):
    """The poses of the two cameras of a stereo pair.

    Attributes:
      left: float64 [3, 4], world-to-camera.
      right: float64 [3, 4], world-to-camera.
    """

    left: np.ndarray
    right: np.ndarray


def read_things_cameras(path: PathLike) -> dict[int, StereoPoses]:
    """Reads a camera_data.txt, and converts its OpenGL camera-to-world matrices.

    Args:
      path: file to read.

    Returns:
      The left and right world-to-camera poses by frame, in OpenCV's axes and the world of the file.

    Raises:
      FormatError: the file has lines in another format, a frame twice, or a matrix that is not a
        pose.
    """
    rows = read_rows(path)
    if not rows or len(rows) % 3:
        raise FormatError(path, "three lines per frame: Frame, L and R", f"{len(rows)} lines")
    frames: dict[int, StereoPoses] = {}
    for i in range(0, len(rows), 3):
        frame = _read_frame(path, rows[i])
        if frame in frames:
            raise FormatError(path, f"frame {frame} once", f"it again in line {i + 1}")
        frames[frame] = StereoPoses(
            _read_pose(path, rows[i + 1], "L", frame), _read_pose(path, rows[i + 2], "R", frame)
        )
    return frames


def write_things_cameras(path: PathLike, cameras: Mapping[int, StereoPoses]) -> None:
    """Writes a camera_data.txt of OpenGL camera-to-world matrices.

    Because of the inversion, translations read back agree to a few units in the last place of the
    largest number; rotations are exact.

    Args:
      path: file to write.
      cameras: left and right world-to-camera poses [3, 4] by frame, in OpenCV's axes.

    Raises:
      ValueError: there are no frames, a frame is negative, or a matrix is not a pose.
    """
    if not cameras or any(frame < 0 for frame in cameras):
        raise ValueError(f"cameras: expected frames from 0 on, got {list(cameras)}")
    rows: list[list[str | float]] = []
    for frame in sorted(cameras):
        pair = poses.check_poses_argument(f"cameras[{frame}]", np.stack([*cameras[frame]]))
        matrices = poses.append_last_row(poses.to_camera_to_world(pair, poses.OPENGL))
        left, right = matrices.reshape(2, 16).tolist()
        rows += [["Frame", int(frame)], ["L", *left], ["R", *right], []]
    write_rows(path, rows)


def find_sign(disparity: np.ndarray) -> int:
    """Returns -1 if most disparities of a file are negative, else 1; releases differ in sign."""
    return -1 if np.count_nonzero(disparity < 0) > np.count_nonzero(disparity > 0) else 1


def things_camera(
    size: tuple[int, int],
    world_to_camera: npt.ArrayLike | None = None,
    *,
    focal: float = FOCAL,
) -> Camera:
    """Makes the camera of FlyingThings3D, Monkaa and Driving, with principal point (479.5, 269.5).

    Args:
      size: (H, W) of the images, (540, 960) in the data sets. Another size means resized images,
        where pixel areas map to pixel areas; for cropped or padded images, call `Camera.crop` or
        `Camera.pad` on the result.
      world_to_camera: [3, 4] in metres; None puts the world at the camera.
      focal: focal length in pixels of a 960 x 540 image: 1050, or 450 for Driving with 15 mm.

    Returns:
      The float64 camera.

    Raises:
      ValueError: size is not two positive integers, or has another aspect ratio.
    """
    from sf3d_jax.camera import Camera, check_size

    size = check_size(size)
    if not is_same_shape(THINGS, size):
        raise ValueError(f"size: expected {THINGS} (H, W), or a multiple or fraction, got {size}")
    pose = np.eye(3, 4) if world_to_camera is None else np.asarray(world_to_camera, np.float64)
    camera = Camera.pinhole(float(focal), float(focal), *POINT, THINGS, pose)
    return camera if size == THINGS else camera.resize(size)


def _read_frame(path: PathLike, row: list[str]) -> int:
    if len(row) != 2 or row[0] != "Frame":
        raise FormatError(path, "a line `Frame` with its number", repr(" ".join(row)[:60]))
    return index(path, row[1], "after Frame")


def _read_pose(path: PathLike, row: list[str], side: str, frame: int) -> np.ndarray:
    """Reads world-to-camera from a line with a camera-to-world matrix."""
    where = f"{side} of frame {frame}"
    if row[0] != side:
        raise FormatError(path, f"a line {where}", repr(" ".join(row)[:60]))
    matrix = parse_numbers(path, row[1:], 16, f"in {where}").reshape(4, 4)
    return poses.from_camera_to_world(check_rigid_pose(path, where, matrix), poses.OPENGL)
