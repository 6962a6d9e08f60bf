"""The file formats of the MPI Sintel benchmark other than .flo: depth, disparity and cameras.

Depth, .dpt: the letters PIEH, width and height as int32, then one float32 per pixel. Depth is along
the optical axis, by convention in metres; the benchmark states no unit.

Disparity, .png: 8-bit colour, R * 4 + G / 2^6 + B / 2^14 pixels, below 1024. B is 0 in the
published files, so they are exact to 1/64 pixel. The left view is the reference and the baseline is
0.1 m: depth = focal * 0.1 / disparity.

Camera, .cam: little endian, the letters PIEH, nine float64 of the intrinsics M and twelve of the
extrinsics N = [R | t], row by row. A world point X is seen at x = M N X, with OpenCV's axes. The
benchmark does not define pixel centres. Its M has the principal point (511.5, 217.5) for
1024 x 436 pixels, the middle of the image if integers are pixel centres. They are here, so it is
used unchanged.

Source: the I/O code and the readme of the depth and stereo data (sintel.is.tue.mpg.de).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import FormatError, PathLike, write_bytes
from sf3d_jax.data._files.pictures import read_png8, write_png
from sf3d_jax.data.arrays import real_map, valid_mask
from sf3d_jax.data.cameras.checks import check_pinhole_argument, check_rigid_pose, read_intrinsics
from sf3d_jax.data.cameras.sizes import SINTEL, make_benchmark_camera
from sf3d_jax.data.maps import flo

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera
    from sf3d_jax.data.maps.kinds import ScalarMap

_CAMERA = struct.Struct("<4s21d")
_DISPARITY_SCALE = 2**14
_LARGEST_CODE = 2**24 - 1


def read_sintel_disparity(path: PathLike) -> ScalarMap:
    """Reads Sintel's stereo disparity: R * 4 + G / 2^6 + B / 2^14 pixels.

    Args:
      path: file to read.

    Returns:
      The positive disparity in pixels, [H, W]; 0 (infinitely far away) is invalid.

    Raises:
      FormatError: the file is not an 8-bit PNG with three channels.
    """
    from sf3d_jax.data.maps.kinds import ScalarMap

    codes = read_png8(path, 3, "Sintel disparity").astype(np.int32)
    code = codes[..., 0] << 16 | codes[..., 1] << 8 | codes[..., 2]
    return ScalarMap((code / _DISPARITY_SCALE).astype(np.float32), code > 0)


def write_sintel_disparity(
    path: PathLike, disparity: npt.ArrayLike, valid: npt.ArrayLike | None = None
) -> None:
    """Writes disparity in the format of Sintel's stereo data, rounded to 1/16384 pixel.

    A reader that ignores the third channel is still accurate to 1/64 pixel.

    Args:
      path: file to write.
      disparity: real [H, W] in pixels. Values that are not positive and finite are written as 0,
        which is invalid; positive ones get at least the code 1.
      valid: bool [H, W]; all pixels if None.

    Raises:
      ValueError: a valid disparity is 1024 or more.
    """
    disparity = real_map("disparity", disparity)
    known = valid_mask(valid, disparity) & (disparity > 0)
    scaled = np.where(known, disparity, 0).astype(np.float64) * _DISPARITY_SCALE
    code = np.where(known, np.maximum(np.rint(scaled), 1), 0)
    bad = code > _LARGEST_CODE
    if bad.any():
        raise ValueError(
            f"disparity: {bad.sum()} valid pixels are 1024 or more, beyond the range of a Sintel "
            "PNG: mark them invalid, or write another format"
        )
    code = code.astype(np.int32)
    write_png(path, np.stack([code >> 16, code >> 8 & 255, code & 255], -1).astype(np.uint8))


def read_sintel_camera(path: PathLike, size: tuple[int, int]) -> Camera:
    """Reads a .cam file with intrinsics M and extrinsics N, where x = M N X.

    Args:
      path: file to read.
      size: (H, W) of the images, which the file does not contain. If it is not 1024 x 436 pixels,
        the camera is resized so that pixel areas map to pixel areas, unless the principal point is
        already at the centre of such images because the file was resized with them.

    Returns:
      The float64 camera in the world of the file.

    Raises:
      FormatError: the file is not a .cam file, M or N is not valid, or M belongs to images of
        another size or aspect ratio.
      ValueError: size is not two positive integers.
    """
    from sf3d_jax.camera import check_size

    size = check_size(size)
    data = Path(path).read_bytes()
    if len(data) != _CAMERA.size or not data.startswith(flo.MAGIC):
        expected = f"a .cam file, {_CAMERA.size} bytes that begin with {flo.MAGIC!r}"
        raise FormatError(path, expected, f"{data[:4]!r} in {len(data)} bytes")
    values = np.frombuffer(data, "<f8", offset=len(flo.MAGIC)).astype(np.float64)
    focal, point = read_intrinsics(path, "M", values[:9].reshape(3, 3))
    pose = check_rigid_pose(path, "N", values[9:].reshape(3, 4))
    return make_benchmark_camera(
        path,
        "M",
        focal=focal,
        principal_point=point,
        published=SINTEL,
        size=size,
        world_to_camera=pose,
    )


def write_sintel_camera(path: PathLike, camera: Camera) -> None:
    """Writes a .cam file with intrinsics M and extrinsics N, where x = M N X.

    Args:
      path: file to write.
      camera: one pinhole camera; its size is not written.

    Raises:
      TypeError: camera is not a Camera.
      ValueError: camera is a batch, has a distorting lens, or has invalid intrinsics or pose.
    """
    argument = check_pinhole_argument("camera", camera)
    (fx, fy, cx, cy), pose = argument.optics, argument.pose
    matrix = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
    write_bytes(path, _CAMERA.pack(flo.MAGIC, *matrix, *pose.ravel().tolist()))
