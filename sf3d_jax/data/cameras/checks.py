"""Builds cameras from the numbers of a file; errors name the file."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import (
    LARGEST,
    FormatError,
    PathLike,
    SizeError,
    check_header_size,
    check_numbers,
)
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.cameras.poses import check_poses_argument

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

Size = tuple[int, int]

# Tolerance for the last row of a pose and for the zeros of a matrix of intrinsics.
_TOLERANCE = 1e-4


# Smallest focal length per width or height of the image: an angle of view of 168 degrees.
_SMALLEST_FOCAL = 0.05

# Range of twice the principal point per width and height if only that tells the resolution.
# Intrinsics of an image twice or half as large give about 2 or .5.
_CENTRED = (0.6, 1.5)
# Largest relative difference between x and y of that ratio for a principal point outside of the
# image to be taken for the centre of a larger image.
_AS_CENTRED = 0.1


class CameraArgument(NamedTuple):
    """The values of a camera to be written.

    Attributes:
      size: (H, W).
      optics: fx, fy, cx, cy.
      pose: world-to-camera, float64 (3, 4).
      model: lens model of `Camera`.
      distortion: coefficients of the model, or None.
    """

    size: Size
    optics: tuple[float, float, float, float]
    pose: np.ndarray
    model: str
    distortion: list[float] | None


def check_camera_argument(name: str, camera: "Camera") -> CameraArgument:
    """Checks a camera to be written.

    Args:
      name: argument name used in error messages.
      camera: camera without batch axes.

    Returns:
      Its values, from which `make_camera` restores it.

    Raises:
      TypeError: camera is not a Camera.
      ValueError: it is a batch, or has values that readers refuse.
    """
    from sf3d_jax.camera import check_camera

    if check_camera(name, camera) != ():
        raise ValueError(f"{name}: expected one camera, got a batch")
    parts = [camera.focal, camera.principal_point]
    parts += [] if camera.distortion is None else [camera.distortion]
    numbers = np.concatenate([np.asarray(x, np.float64) for x in parts])
    if not (np.abs(numbers) <= LARGEST).all() or not (numbers[:2] > 0).all():
        expected = f"positive focal lengths, and numbers up to {LARGEST:g}"
        raise ValueError(f"{name}: expected {expected}, got {numbers.tolist()}")
    pose = check_poses_argument(f"{name}.world_to_camera", np.asarray(camera.world_to_camera)[None])
    fx, fy, cx, cy, *coefficients = numbers.tolist()
    return CameraArgument(
        camera.size,
        (fx, fy, cx, cy),
        pose[0],
        camera.model,
        None if camera.distortion is None else coefficients,
    )


def check_pinhole_argument(name: str, camera: "Camera") -> CameraArgument:
    """Checks a camera to be written to a format without lens models.

    Args:
      name: argument name used in error messages.
      camera: camera without batch axes.

    Returns:
      Its values.

    Raises:
      TypeError: camera is not a Camera.
      ValueError: it is a batch, has a distorting lens, or has values that readers refuse.
    """
    argument = check_camera_argument(name, camera)
    if argument.model != "pinhole":
        raise ValueError(f"{name}: expected one pinhole camera, got a distorting lens")
    return argument


def check_told_size(name: str, camera: CameraArgument) -> None:
    """Refuses a camera whose intrinsics a reader would attribute to a larger image.

    Args:
      name: argument name used in error messages.
      camera: camera to be written.

    Raises:
      ValueError: its principal point is about the centre of a larger image.
    """
    point = np.array(camera.optics[2:])
    if is_centre_of_larger(point, camera.size):
        height, width = camera.size
        expected = f"the principal point of an image of {width} x {height} pixels"
        found = f"{point.tolist()}, the centre of a larger one, which readers would refuse; write "
        found += "the camera before it is cropped"
        raise ValueError(f"{name}: expected {expected}, got {found}")


def make_camera(
    path: PathLike,
    where: str,
    *,
    focal: npt.ArrayLike,
    principal_point: npt.ArrayLike,
    size: Size,
    world_to_camera: np.ndarray,
    distortion: npt.ArrayLike | None = None,
    model: str = "pinhole",
) -> "Camera":
    """Makes a camera from the numbers of a file.

    Args:
      path: file named in error messages.
      where: part of the file named in error messages.
      focal: (2,), (fx, fy) in pixels.
      principal_point: (2,), (cx, cy), integers at pixel centres.
      size: (H, W) of the image.
      world_to_camera: (3, 4), in OpenCV's axes, checked by `check_rigid_pose`.
      distortion: coefficients of the model, or None.
      model: lens model of `Camera`.

    Returns:
      The camera, float64; a pinhole if all coefficients of OpenCV's model are 0.

    Raises:
      FormatError: a focal length is not positive, a number is absurdly large, or the number of
        coefficients is wrong.
    """
    from sf3d_jax.camera import Camera

    check_header_size(path, size[1], size[0])
    focal, point = np.asarray(focal, np.float64), np.asarray(principal_point, np.float64)
    for key, x in (("focal length", focal), ("principal point", point), ("distortion", distortion)):
        if x is not None:
            check_numbers(path, f"the {key} of {where}", np.asarray(x, np.float64))
    if not (focal > 0).all():
        raise FormatError(path, f"positive focal lengths in {where}", f"{focal.tolist()}")
    # A fisheye without coefficients is equidistant, not a pinhole.
    if model == "opencv" and distortion is not None and not np.any(distortion):
        model, distortion = "pinhole", None
    matrix = np.diag([*focal, 1.0])
    matrix[:2, 2] = point
    try:
        return Camera.from_matrix(
            matrix,
            size,
            world_to_camera=world_to_camera,
            distortion=None if distortion is None else np.asarray(distortion, np.float64),
            model=model,
        )
    except ValueError as error:  # wrong number of coefficients
        raise FormatError(path, f"a camera in {where}", f"{error}") from None


def check_fits(
    path: PathLike, where: str, focal: np.ndarray, point: np.ndarray, size: Size, *, told: bool
) -> None:
    """Refuses intrinsics that belong to another resolution or unit.

    Args:
      path: file named in error messages.
      where: part of the file named in error messages.
      focal: (fx, fy).
      point: the principal point, integers at pixel centres.
      size: (H, W) of the image.
      told: whether the file states the size. If so, the principal point may be anywhere, as in a
        cropped image, except at the centre of an image of the same shape at least twice as large.
        Otherwise it must be near the centre.

    Raises:
      SizeError: the intrinsics do not fit such an image.
    """
    sides = np.array([size[1], size[0]])
    # Focal lengths <= 0 are refused elsewhere. A crop may be a strip, so one short axis is fine.
    short = (0 < focal) & (focal < _SMALLEST_FOCAL * sides)
    if told:
        fits = not is_centre_of_larger(point, size) and not short.all()
    else:
        ratio = (2 * point + 1) / sides
        fits = ((_CENTRED[0] <= ratio) & (ratio <= _CENTRED[1]) & ~short).all()
    if not fits:
        _refuse_size(path, where, focal, point, size)


def check_is_no_larger(
    path: PathLike, where: str, focal: np.ndarray, point: np.ndarray, size: Size
) -> None:
    """Refuses intrinsics of a larger image of the same shape, in formats that state the size.

    Args:
      path: file named in error messages.
      where: part of the file named in error messages.
      focal: (fx, fy), shown in error messages.
      point: the principal point, integers at pixel centres.
      size: (H, W) of the image.

    Raises:
      SizeError: the principal point is about the centre of an image twice as large or more.
    """
    if is_centre_of_larger(point, size):
        _refuse_size(path, where, focal, point, size)


def is_centre_of_larger(point: np.ndarray, size: Size) -> bool:
    """Whether a principal point is about the centre of an image of twice the size or more.

    Args:
      point: (cx, cy), integers at pixel centres.
      size: (H, W) of the image.
    """
    sides = np.maximum([size[1], size[0]], 1)
    ratio = (2 * point + 1) / sides
    is_inside = (point < sides - 1).all()
    return not is_inside and bool(ratio.max() - ratio.min() <= _AS_CENTRED * ratio.max())


def _refuse_size(
    path: PathLike, where: str, focal: np.ndarray, point: np.ndarray, size: Size
) -> None:
    advice = ""
    if is_centre_of_larger(point, size):
        advice = (
            " If the image was cropped from the top left of a larger one, give the larger width "
            f"and height, and crop its camera: camera.crop(0, 0, {size})"
        )
    raise SizeError(
        path,
        f"intrinsics of an image of {size[1]} x {size[0]} pixels for {where}",
        f"focal lengths of {focal[0]:g} and {focal[1]:g} and the principal point "
        f"({point[0]:g}, {point[1]:g}); are they those of another size?{advice}",
    )


def check_rigid_pose(path: PathLike, where: str, pose: np.ndarray) -> np.ndarray:
    """Checks a pose.

    Args:
      path: file named in error messages.
      where: part of the file named in error messages.
      pose: (3, 4) or (4, 4).

    Returns:
      (3, 4), the rotation and the translation.

    Raises:
      FormatError: its 3 x 3 part is not a rotation, or its last row is not 0 0 0 1.
    """
    check_numbers(path, where, pose)
    fault = poses.find_pose_fault(pose)
    if fault is None and not has_unit_last_row(pose):
        fault = f"the last row {' '.join(f'{x:.4g}' for x in pose[3])} for 0 0 0 1"
    if fault:
        raise FormatError(path, f"a rotation and a translation in {where}", fault)
    return pose[:3]


def has_unit_last_row(pose: np.ndarray) -> bool:
    """Whether the fourth row of every pose of a batch is 0 0 0 1, or missing."""
    return bool((np.abs(pose[..., 3:, :] - [0, 0, 0, 1]) <= _TOLERANCE).all())


def read_intrinsics(
    path: PathLike, where: str, matrix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Reads the focal lengths and the principal point from a matrix K.

    Args:
      path: file named in error messages.
      where: part of the file named in error messages.
      matrix: (3, 3), [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels.

    Returns:
      (fx, fy) and (cx, cy).

    Raises:
      FormatError: the matrix does not have this form, for example because it has skew.
    """
    check_numbers(path, where, matrix)
    rest = matrix - np.diag(np.diagonal(matrix)) + np.diag([0, 0, matrix[2, 2]])
    rest[:2, 2] = 0
    if not (np.abs(rest - np.diag([0.0, 0, 1])) <= _TOLERANCE).all():
        expected = f"[fx 0 cx; 0 fy cy; 0 0 1] in {where}"
        rows = "; ".join(" ".join(f"{x:.6g}" for x in row) for row in matrix)
        raise FormatError(path, expected, f"[{rows}]")
    return np.diagonal(matrix)[:2], matrix[:2, 2]


def resize_camera(path: PathLike, where: str, camera: "Camera", size: Size) -> "Camera":
    """Resizes a camera to another image resolution, so that the full image areas coincide.

    Args:
      path: file named in error messages.
      where: part of the file named in error messages.
      camera: camera with the file's size.
      size: requested (H, W).

    Returns:
      The camera; unchanged if it already has that size.

    Raises:
      SizeError: the sizes do not differ by a common factor.
    """
    if camera.size == size:
        return camera
    check_header_size(path, size[1], size[0])
    if not is_same_shape(camera.size, size):
        (height, width), (found_height, found_width) = size, camera.size
        raise SizeError(
            path,
            f"{width} x {height} pixels, or a multiple or fraction, for {where}",
            f"{found_width} x {found_height}",
        )
    return camera.resize(size)


def is_same_shape(first: Size, second: Size) -> bool:
    """Whether two sizes differ by a common factor, up to rounding to whole pixels."""
    # If H' = floor(s H) and W' = floor(s W), then |H' W - W' H| < max(W, H). The same bound holds
    # if both are rounded up, or to the nearest.
    gap = abs(first[0] * second[1] - first[1] * second[0])
    return gap <= max(*first, *second)
