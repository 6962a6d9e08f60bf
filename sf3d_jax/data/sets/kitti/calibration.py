"""The calibration files of KITTI: a rectified stereo pair.

A calib_cam_to_cam.txt contains the size of the images, S_rect. A file of P0 to P3, such as those of
KITTI 2012 and of the odometry, does not, but the intrinsics identify each of KITTI's five recording
days and hence the size. For other intrinsics the caller has to pass the size; it is refused if the
principal point fits images of another size.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sf3d_jax.data._files import CALLER, LARGEST, FormatError, PathLike, check_header_size
from sf3d_jax.data._files.text import parse_numbers, read_rows, write_rows
from sf3d_jax.data.cameras.checks import (
    Size,
    check_is_no_larger,
    check_pinhole_argument,
    check_told_size,
    make_camera,
    read_intrinsics,
    resize_camera,
)
from sf3d_jax.data.cameras.sizes import check_kitti_fits, find_kitti_size

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

# Relative tolerance between the K of two cameras: calibrations are printed with seven digits.
_SAME_K = 1e-5


class Calibration(NamedTuple):
    """A rectified stereo pair.

    Attributes:
      camera: left pinhole camera, taken as the reference (no rotation, no translation).
      baseline: distance of the right camera in metres.
    """

    camera: "Camera"
    baseline: float


def read_kitti_calibration(
    path: PathLike, *, size: Size | None = None, camera: int = 2
) -> Calibration:
    """Reads the rectified cameras from a calib_cam_to_cam.txt or a file of P0 to P3.

    K is the left 3x3 block of the left camera's projection P. Since P[0, 3] = -fx x, where x is the
    position of the camera to the right, the baseline is (P_left[0, 3] - P_right[0, 3]) / fx.

    Args:
      path: file to read.
      size: (height, width) of the images. If the calibration is for images of another size (by its
        S_rect, or by the day of KITTI that it is from), the camera is resized so that pixel areas
        map to pixel areas. The baseline stays the same, for disparities in pixels of the resized
        images. Required if the file does not determine its size.
      camera: left camera of the pair, 2 for colour (2 and 3) or 0 for grey (0 and 1).

    Returns:
      The left camera and the baseline in metres.

    Raises:
      FormatError: the file lacks the matrices, has a key twice, a matrix K with skew, or a right
        camera that has a different K or is not to the right; or neither the file nor the caller
        gives the size; or `size` has a different aspect ratio than the file, or does not fit the
        intrinsics.
      ValueError: camera is neither 0 nor 2, or size is not two positive integers.
    """
    from sf3d_jax.camera import check_size

    if camera not in (0, 2):
        raise ValueError(f"camera: expected 0 or 2, a left camera, got {camera}")
    size = None if size is None else check_size(size)
    entries = _read_entries(path)
    left = _read_projection(path, entries, camera)
    right = _read_projection(path, entries, camera + 1)
    _check_same_k(path, camera, left[:, :3], right[:, :3])

    (fx, fy), point = read_intrinsics(path, f"P{camera}", left[:, :3])
    baseline = (left[0, 3] - right[0, 3]).item() / fx.item()
    if not 0 < baseline <= LARGEST:
        raise FormatError(
            path,
            f"P{camera + 1} to the right of P{camera}",
            f"a baseline of {baseline:g} m; are the two swapped?",
        )
    focal, where = np.array([fx, fy]), f"P{camera}"
    told = _read_rectified_size(path, entries, camera)
    if told is not None:
        check_is_no_larger(path, where, focal, point, told)
    own = told or find_kitti_size(focal, point)
    if own is None:
        own = _require_size(path, camera, size)
        check_kitti_fits(path, where, focal, point, own)
    made = make_camera(
        path,
        where,
        focal=focal,
        principal_point=point,
        size=own,
        world_to_camera=np.eye(3, 4),
    )
    return Calibration(resize_camera(path, where, made, size or own), baseline)


def write_kitti_calibration(path: PathLike, calibration: Calibration) -> None:
    """Writes the lines S_rect and P_rect of a calib_cam_to_cam.txt for cameras 2 and 3.

    Both cameras get the intrinsics of the left one, because the images are rectified.

    Args:
      path: file to write.
      calibration: one pinhole camera without a pose, and the baseline in metres. Reading the file
        returns the same camera, and the baseline, which is stored times fx, to within one unit in
        its last place.

    Raises:
      TypeError: the camera is not a Camera.
      ValueError: the camera is a batch, has a distorting lens or a pose, or the baseline is not
        positive.
    """
    camera = check_pinhole_argument("calibration.camera", calibration.camera)
    check_told_size("calibration.camera", camera)
    (fx, fy, cx, cy), pose = camera.optics, camera.pose
    baseline = float(calibration.baseline)
    if not 0 < baseline <= LARGEST:
        raise ValueError(f"calibration.baseline: expected a positive number, got {baseline}")
    if (pose != np.eye(3, 4)).any():
        raise ValueError("calibration.camera: has a pose, which a KITTI calibration cannot store")

    height, width = calibration.camera.size
    rows: list[list[str | float]] = []
    for number, shift in ((2, 0.0), (3, _compute_shift(fx, baseline))):
        rows.append([f"S_rect_{number:02d}:", float(width), float(height)])
        row = [fx, 0.0, cx, shift, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
        rows.append([f"P_rect_{number:02d}:", *row])
    write_rows(path, rows)


def _compute_shift(fx: float, baseline: float) -> float:
    """Computes P[0, 3] of the right camera: the float near -fx B that best reads back as B."""
    product = -fx * baseline
    near = (product, math.nextafter(product, 0), math.nextafter(product, -math.inf))
    return min(near, key=lambda shift: abs(-shift / fx - baseline))


def _read_entries(path: PathLike) -> dict[str, list[str]]:
    """Reads the words after each key and its colon."""
    entries: dict[str, list[str]] = {}
    for row in read_rows(path):
        key, colon, value = " ".join(row).partition(":")
        if not colon:
            continue
        if key.strip() in entries:
            raise FormatError(path, "every key once", f"{key[:40]!r} twice")
        entries[key.strip()] = value.split()
    return entries


def _read_projection(path: PathLike, entries: dict[str, list[str]], camera: int) -> np.ndarray:
    """Reads the 3x4 projection of a camera, in either layout."""
    names = f"P_rect_{camera:02d}", f"P{camera}"
    key = next((name for name in names if name in entries), None)
    if key is None:
        raise FormatError(path, f"a line {names[0]}: or {names[1]}:", f"{len(entries)} other lines")
    projection = parse_numbers(path, entries[key], 12, f"after {key}:").reshape(3, 4)
    if not (projection[0, 0] > 0 and projection[1, 1] > 0):
        raise FormatError(path, f"positive focal lengths in {key}", repr(" ".join(entries[key])))
    return projection


def _check_same_k(path: PathLike, camera: int, left: np.ndarray, right: np.ndarray) -> None:
    """Refuses a pair that is not rectified, in which disparity does not determine depth."""
    gap = np.abs(left - right)
    if not (gap <= _SAME_K * max(1.0, left[0, 0])).all():
        row, column = np.unravel_index(gap.argmax(), gap.shape)
        expected = f"the same K in P{camera} and P{camera + 1}, as rectified cameras have"
        raise FormatError(path, expected, f"{left[row, column]:g} and {right[row, column]:g}")


def _require_size(path: PathLike, camera: int, size: Size | None) -> Size:
    """Returns the caller's size if the file has none."""
    if size is None:
        expected = f"a line S_rect_{camera:02d}: or {CALLER['size']}"
        raise FormatError(path, expected, "neither", missing="size")
    return size


def _read_rectified_size(path: PathLike, entries: dict[str, list[str]], camera: int) -> Size | None:
    """Reads (height, width), which the file stores as width, height; None if it has no size."""
    key = f"S_rect_{camera:02d}"
    if key not in entries:
        return None
    width, height = parse_numbers(path, entries[key], 2, f"after {key}:").tolist()
    if not (width.is_integer() and height.is_integer()):
        raise FormatError(path, f"whole numbers after {key}:", f"{width} {height}")
    check_header_size(path, int(width), int(height))
    return int(height), int(width)
