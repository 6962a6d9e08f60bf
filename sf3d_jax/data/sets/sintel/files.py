"""The formats of the MPI Sintel benchmark beside .flo: depth, disparity and cameras.

Depth, .dpt: as .flo, the letters PIEH and the int32 width and height, then a float32 a pixel.
Depth is along the optical axis; metres by common use, the benchmark names no unit.

Disparity, .png: 8-bit colour, R * 4 + G / 2^6 + B / 2^14 pixels below 1024. The published files
leave B at 0, so that they are exact to 1/64 pixel. The left view is the reference, the baseline
0.1 m: depth = focal * 0.1 / disparity.

Camera, .cam: little endian, the letters PIEH, nine float64 of the intrinsics M and twelve of the
extrinsics N = [R | t], row by row; a point X of the world is seen at x = M N X, with OpenCV's axes.
The benchmark does not say where a pixel's centre is. Its M has the principal point (511.5, 217.5)
for 1024 x 436 pixels: the middle of the image if integers are pixel centres, as they are here, so
that it is taken as it stands.

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
from sf3d_jax.data.cameras.checks import intrinsics, pinhole_argument, rigid_pose
from sf3d_jax.data.cameras.sizes import SINTEL, camera_of_benchmark
from sf3d_jax.data.maps import flo

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera
    from sf3d_jax.data.maps.kinds import ScalarMap

_CAMERA = struct.Struct("<4s21d")
_DISPARITY_SCALE = 2**14
_LARGEST_CODE = 2**24 - 1


def read_sintel_disparity(path: PathLike) -> ScalarMap:
    """Reads the disparity of Sintel's stereo data.

    Args:
      path: file to read.

    Returns:
      The disparity in pixels, positive; 0, infinitely far away, is invalid.

    Raises:
      FormatError: the file is not an 8-bit PNG of three channels.
    """
    from sf3d_jax.data.maps.kinds import ScalarMap

    codes = read_png8(path, 3, "Sintel disparity").astype(np.int32)
    code = codes[..., 0] << 16 | codes[..., 1] << 8 | codes[..., 2]
    return ScalarMap((code / _DISPARITY_SCALE).astype(np.float32), code > 0)


def write_sintel_disparity(
    path: PathLike, disparity: npt.ArrayLike, valid: npt.ArrayLike | None = None
) -> None:
    """Writes disparity as Sintel's stereo data have it, rounded to 1/16384 pixel.

    A reader that leaves out the third channel is still right to 1/64 pixel.

    Args:
      path: file to write.
      disparity: real [H, W] in pixels. What is not positive and finite is written as 0, invalid;
        a positive one gets at least the code 1.
      valid: bool [H, W], all where not given.

    Raises:
      ValueError: a wrong shape or dtype, or a valid disparity of 1024 or more.
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
    """Reads a .cam file.

    Args:
      path: file to read.
      size: (H, W) of the images, which the file does not say. If they are not 1024 x 436 pixels
        the camera is resized, areas onto areas; but not if M has its principal point at the centre
        of such images, as in a file that was resized with them.

    Returns:
      The camera, float64, in the world of the file.

    Raises:
      FormatError: the file is not a .cam file, M and N are no camera, or M is that of images of
        another size or aspect.
      ValueError: size is no size.
    """
    from sf3d_jax.camera import check_size

    size = check_size(size)
    data = Path(path).read_bytes()
    if len(data) != _CAMERA.size or not data.startswith(flo.MAGIC):
        expected = f"a .cam file, {_CAMERA.size} bytes that begin with {flo.MAGIC!r}"
        raise FormatError(path, expected, f"{data[:4]!r} in {len(data)} bytes")
    values = np.frombuffer(data, "<f8", offset=len(flo.MAGIC)).astype(np.float64)
    focal, point = intrinsics(path, "M", values[:9].reshape(3, 3))
    pose = rigid_pose(path, "N", values[9:].reshape(3, 4))
    return camera_of_benchmark(
        path,
        "M",
        focal=focal,
        principal_point=point,
        published=SINTEL,
        size=size,
        world_to_camera=pose,
    )


def write_sintel_camera(path: PathLike, camera: Camera) -> None:
    """Writes a .cam file.

    Args:
      path: file to write.
      camera: one pinhole camera; its size is not written.

    Raises:
      TypeError: it is no camera.
      ValueError: it is a batch, has a distorting lens, or numbers that no camera has.
    """
    argument = pinhole_argument("camera", camera)
    (fx, fy, cx, cy), pose = argument.optics, argument.pose
    matrix = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
    write_bytes(path, _CAMERA.pack(flo.MAGIC, *matrix, *pose.ravel().tolist()))
