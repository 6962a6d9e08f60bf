"""The formats of Virtual KITTI 2: 16-bit PNG maps and text files of cameras.

Flow: u = (2 R / 65535 - 1) (W - 1), v = (2 G / 65535 - 1) (H - 1) pixels, valid where B > 0. This
is not KITTI's encoding, although both are PNGs with three channels. Depth: centimetres along the
optical axis, clipped at the far plane, 655.35 m, which is also the depth of the sky. Scene flow: R,
G, B encode x, y, z as (20 code / 65535 - 10) metres: the point in the axes of the next frame's
camera minus the point in those of this frame's camera, so it includes the motion of the camera. In
memory, a pixel without flow is NaN.

Cameras: one row each in `intrinsic.txt` (frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]) and in
`extrinsic.txt` (frame cameraID and a 4x4 matrix, from the world to the camera, in OpenCV's axes),
below a line of headings. Camera 1 is 0.532725 m to the right of camera 0. The principal point,
(620.5, 187) for 1242 x 375 pixels, is the middle of the image if integers are pixel centres. They
are here, so it is used unchanged.

Source: the format description of Virtual KITTI 2 (europe.naverlabs.com, Proxy Virtual Worlds).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.pictures import read_png16, write_png
from sf3d_jax.data._files.text import index, parse_numbers, read_rows, write_rows
from sf3d_jax.data.arrays import in_all_channels, real_map, valid_mask, zero_unless
from sf3d_jax.data.cameras.checks import check_pinhole_argument, check_rigid_pose
from sf3d_jax.data.cameras.poses import append_last_row
from sf3d_jax.data.cameras.sizes import VKITTI2, make_benchmark_camera

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera
    from sf3d_jax.data.maps.kinds import ScalarMap

_LARGEST_CODE = 65535
_DEPTH_SCALE = 100  # codes per metre
_REACH = 10.0  # range of scene flow in metres
_INTRINSIC = "frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]".split()
_EXTRINSIC = "frame cameraID r1,1 r1,2 r1,3 t1 r2,1 r2,2 r2,3 t2 r3,1 r3,2 r3,3 t3 0 0 0 1".split()

Key = tuple[int, int]


class VectorMap(NamedTuple):
    """Three numbers per pixel.

    Attributes:
      vectors: float32 [H, W, 3], 0 where invalid.
      valid: bool [H, W].
    """

    vectors: np.ndarray
    valid: np.ndarray


def read_vkitti2_depth(path: PathLike) -> ScalarMap:
    """Reads a depth PNG: z = code / 100 metres.

    Args:
      path: file to read.

    Returns:
      The depth in metres, [H, W]. Depths of 655.35 m or more, including the sky, are 655.35 and
      valid: a far surface with almost no inverse depth. 0 is invalid and does not occur in the data
      set.

    Raises:
      FormatError: the file is not a 16-bit PNG with one channel.
    """
    from sf3d_jax.data.maps.kinds import ScalarMap

    codes = read_png16(path, 1, "Virtual KITTI 2 depth")
    return ScalarMap((codes / _DEPTH_SCALE).astype(np.float32), codes > 0)


def write_vkitti2_depth(
    path: PathLike, depth: npt.ArrayLike, valid: npt.ArrayLike | None = None
) -> None:
    """Writes a depth PNG with code = 100 z, rounded to centimetres.

    Args:
      path: file to write.
      depth: real [H, W] in metres. Values that are not positive and finite are written as 0, which
        is invalid; positive ones get at least the code 1, and are clipped at 655.35 m.
      valid: bool [H, W]; all pixels if None.
    """
    depth = real_map("depth", depth)
    known = valid_mask(valid, depth) & (depth > 0)
    codes = np.rint(np.where(known, depth, 0).astype(np.float64) * _DEPTH_SCALE)
    write_png(path, np.where(known, np.clip(codes, 1, _LARGEST_CODE), 0).astype(np.uint16))


def read_vkitti2_scene_flow(path: PathLike) -> VectorMap:
    """Reads a scene-flow PNG: each component is 20 code / 65535 - 10 metres.

    Args:
      path: file to read.

    Returns:
      The vectors in metres, including camera motion. A pixel is invalid if a component is at the
      end of the range, +-10 m, where larger values are clipped. The format marks no other invalid
      pixels; use the flow map's `valid` for those.

    Raises:
      FormatError: the file is not a 16-bit PNG with three channels.
    """
    codes = read_png16(path, 3, "Virtual KITTI 2 scene flow")
    valid = in_all_channels((codes > 0) & (codes < _LARGEST_CODE))
    # A table of all codes is cheaper than the arithmetic at every pixel.
    table = (np.arange(_LARGEST_CODE + 1) * (2 / _LARGEST_CODE) - 1) * _REACH
    return VectorMap(zero_unless(valid, table.astype(np.float32)[codes]), valid)


def write_vkitti2_scene_flow(
    path: PathLike, vectors: npt.ArrayLike, valid: npt.ArrayLike | None = None
) -> None:
    """Writes a scene-flow PNG, rounded to steps of 20 / 65535 m, about 0.3 mm.

    Args:
      path: file to write.
      vectors: real [H, W, 3] in metres. Non-finite vectors are written as invalid.
      valid: bool [H, W]; all pixels if None.

    Raises:
      ValueError: a valid vector has a component of 10 m or more.
    """
    vectors = real_map("vectors", vectors, channels=3)
    known = valid_mask(valid, vectors)[..., None]
    metres = np.where(known, vectors, 0).astype(np.float64)
    codes = np.rint((metres / _REACH + 1) * _LARGEST_CODE / 2)
    bad = ((codes <= 0) | (codes >= _LARGEST_CODE)).any(-1)
    if bad.any():
        raise ValueError(
            f"vectors: {bad.sum()} valid pixels reach {_REACH:g} m, beyond the range of a Virtual "
            "KITTI 2 PNG: mark them invalid, or write another format"
        )
    write_png(path, np.where(known, codes, 0).astype(np.uint16))


def read_vkitti2_cameras(
    intrinsic_path: PathLike, extrinsic_path: PathLike, size: tuple[int, int]
) -> dict[Key, Camera]:
    """Reads the cameras of a sequence from its intrinsic.txt and extrinsic.txt.

    Args:
      intrinsic_path: path of intrinsic.txt.
      extrinsic_path: path of extrinsic.txt.
      size: (H, W) of the images, which the files do not contain. If it is not 1242 x 375 pixels,
        the cameras are resized so that pixel areas map to pixel areas, unless the principal points
        are already at the centre of such images because the files were resized with them.

    Returns:
      The float64 cameras by (frame, camera), in the world of the file. Camera 0 is the left one and
      1 the right one.

    Raises:
      FormatError: a file lacks its headings, has an invalid or repeated row, lacks a row of the
        other file, or has intrinsics of images of another size or aspect ratio.
      ValueError: size is not two positive integers.
    """
    from sf3d_jax.camera import check_size

    size = check_size(size)
    optics = _read_rows(intrinsic_path, _INTRINSIC)
    matrices = _read_rows(extrinsic_path, _EXTRINSIC)
    if optics.keys() != matrices.keys():
        odd = sorted(optics.keys() ^ matrices.keys())[0]
        missing = extrinsic_path if odd in optics else intrinsic_path
        other = intrinsic_path if odd in optics else extrinsic_path
        raise FormatError(missing, f"{_describe_key(odd)}, which {other} has", "none")

    return {
        key: make_benchmark_camera(
            intrinsic_path,
            _describe_key(key),
            focal=row[:2],
            principal_point=row[2:],
            published=VKITTI2,
            size=size,
            world_to_camera=check_rigid_pose(
                extrinsic_path, _describe_key(key), matrices[key].reshape(4, 4)
            ),
        )
        for key, row in optics.items()
    }


def write_vkitti2_cameras(
    intrinsic_path: PathLike, extrinsic_path: PathLike, cameras: Mapping[Key, Camera]
) -> None:
    """Writes the cameras of a sequence to its intrinsic.txt and extrinsic.txt.

    Args:
      intrinsic_path: path of intrinsic.txt.
      extrinsic_path: path of extrinsic.txt.
      cameras: pinhole cameras by (frame, camera).

    Raises:
      TypeError: a value is not a Camera.
      ValueError: there are no cameras, a number in a key is negative, or a camera is a batch, has a
        distorting lens, or has invalid intrinsics or pose.
    """
    if not cameras or any(number < 0 for key in cameras for number in key):
        raise ValueError(f"cameras: expected keys (frame, camera) from 0 on, got {list(cameras)}")
    intrinsic: list[list[str | float]] = [[*_INTRINSIC]]
    extrinsic: list[list[str | float]] = [[*_EXTRINSIC]]
    for frame, camera in sorted(cameras):
        one = check_pinhole_argument(f"cameras[{frame, camera}]", cameras[frame, camera])
        pose = append_last_row(one.pose[None]).ravel().tolist()
        intrinsic.append([int(frame), int(camera), *one.optics])
        extrinsic.append([int(frame), int(camera), *pose])
    write_rows(intrinsic_path, intrinsic)
    write_rows(extrinsic_path, extrinsic)


def _read_rows(path: PathLike, headings: list[str]) -> dict[Key, np.ndarray]:
    """Reads the numbers after frame and camera in each row."""
    first, *rows = read_rows(path) or [[]]
    if first[:2] != headings[:2]:
        raise FormatError(path, f"the headings {' '.join(headings[:4])} ...", repr(first[:4]))
    table: dict[Key, np.ndarray] = {}
    for i, row in enumerate(rows, 2):
        where = f"in row {i}"
        key = index(path, row[0], where), index(path, "".join(row[1:2]), where)
        if key in table:
            raise FormatError(path, f"{_describe_key(key)} once", f"it again {where}")
        table[key] = parse_numbers(
            path, row[2:], len(headings) - 2, f"after {_describe_key(key)} {where}"
        )
    if not table:
        raise FormatError(path, "rows of numbers below the headings", "none")
    return table


def _describe_key(key: Key) -> str:
    return f"frame {key[0]} of camera {key[1]}"
