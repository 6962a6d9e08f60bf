"""The formats of Virtual KITTI 2: 16-bit PNG maps, and the text files of the cameras.

Flow: u = (2 R / 65535 - 1) (W - 1), v = (2 G / 65535 - 1) (H - 1) pixels, valid where B > 0: not
KITTI's code, although both are PNGs of three channels. Depth: centimetres along the optical axis,
clipped at the far plane, 655.35 m, which the sky has, too. Scene flow: x, y, z are R, G, B, each
(20 c / 65535 - 10) metres: the place of a point before the next frame's camera minus that before
this frame's, so that it contains the motion of the camera. In memory, a pixel without a value of
flow is NaN.

Cameras: a row each in `intrinsic.txt` (frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]) and in
`extrinsic.txt` (frame cameraID and a 4x4 matrix, from the world to the camera, in OpenCV's axes),
below a line of headings. Camera 1 is 0.532725 m to the right of camera 0. The principal point,
(620.5, 187) for 1242 x 375 pixels, is the middle of the image if integers are pixel centres, as
they are here, so that it is taken as it stands.

Source: the format description of Virtual KITTI 2 (europe.naverlabs.com, Proxy Virtual Worlds).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.pictures import read_png16, write_png
from sf3d_jax.data._files.text import index, numbers, read_rows, write_rows
from sf3d_jax.data.arrays import in_all_channels, real_map, valid_mask, zero_unless
from sf3d_jax.data.cameras.checks import pinhole_argument, rigid_pose
from sf3d_jax.data.cameras.poses import homogeneous
from sf3d_jax.data.cameras.sizes import VKITTI2, camera_of_benchmark

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera
    from sf3d_jax.data.maps.kinds import ScalarMap

_LARGEST_CODE = 65535
_DEPTH_SCALE = 100  # codes a metre
_REACH = 10.0  # of scene flow, in metres
_INTRINSIC = "frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]".split()
_EXTRINSIC = "frame cameraID r1,1 r1,2 r1,3 t1 r2,1 r2,2 r2,3 t2 r3,1 r3,2 r3,3 t3 0 0 0 1".split()

Key = tuple[int, int]


class VectorMap(NamedTuple):
    """Three numbers a pixel.

    Attributes:
      vectors: float32 [H, W, 3], 0 where invalid.
      valid: bool [H, W].
    """

    vectors: np.ndarray
    valid: np.ndarray


def read_vkitti2_depth(path: PathLike) -> ScalarMap:
    """Reads a depth PNG.

    Args:
      path: file to read.

    Returns:
      The depth in metres. What is 655.35 m or farther, the sky too, is 655.35 and valid: a far
      surface of nearly no inverse depth. 0 is invalid; the data set has none.

    Raises:
      FormatError: the file is not a 16-bit PNG of one channel.
    """
    from sf3d_jax.data.maps.kinds import ScalarMap

    codes = read_png16(path, 1, "Virtual KITTI 2 depth")
    return ScalarMap((codes / _DEPTH_SCALE).astype(np.float32), codes > 0)


def write_vkitti2_depth(
    path: PathLike, depth: npt.ArrayLike, valid: npt.ArrayLike | None = None
) -> None:
    """Writes a depth PNG, rounding to centimetres.

    Args:
      path: file to write.
      depth: real [H, W] in metres. What is not positive and finite is written as 0, invalid. A
        positive one gets at least the code 1, and what is farther than 655.35 m is clipped.
      valid: bool [H, W], all where not given.

    Raises:
      ValueError: a wrong shape or dtype.
    """
    depth = real_map("depth", depth)
    known = valid_mask(valid, depth) & (depth > 0)
    codes = np.rint(np.where(known, depth, 0).astype(np.float64) * _DEPTH_SCALE)
    write_png(path, np.where(known, np.clip(codes, 1, _LARGEST_CODE), 0).astype(np.uint16))


def read_vkitti2_scene_flow(path: PathLike) -> VectorMap:
    """Reads a scene-flow PNG.

    Args:
      path: file to read.

    Returns:
      The vectors in metres, camera motion included. Invalid is a pixel with a component at the
      end of the range, +-10 m, where larger ones are clipped; the format marks no others: see
      `valid` of the flow.

    Raises:
      FormatError: the file is not a 16-bit PNG of three channels.
    """
    codes = read_png16(path, 3, "Virtual KITTI 2 scene flow")
    valid = in_all_channels((codes > 0) & (codes < _LARGEST_CODE))
    # A channel has few codes, so that the maths need not be done in every pixel.
    table = (np.arange(_LARGEST_CODE + 1) * (2 / _LARGEST_CODE) - 1) * _REACH
    return VectorMap(zero_unless(valid, table.astype(np.float32)[codes]), valid)


def write_vkitti2_scene_flow(
    path: PathLike, vectors: npt.ArrayLike, valid: npt.ArrayLike | None = None
) -> None:
    """Writes a scene-flow PNG, rounding to the nearest of steps of 0.3 mm.

    Args:
      path: file to write.
      vectors: real [H, W, 3] in metres. What is not finite is written as invalid.
      valid: bool [H, W], all where not given.

    Raises:
      ValueError: a wrong shape or dtype, or a valid vector with a component of 10 m or more.
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
    """Reads the cameras of a sequence.

    Args:
      intrinsic_path: of intrinsic.txt.
      extrinsic_path: of extrinsic.txt.
      size: (H, W) of the images, which the files do not say. If they are not 1242 x 375 pixels
        the cameras are resized, areas onto areas; but not if their principal points are at the
        centre of such images, as in files that were resized with them.

    Returns:
      The cameras by (frame, camera): 0 is the left camera, 1 the right one. They are float64, in
      the world of the file.

    Raises:
      FormatError: a file lacks its headings, has a row that is no camera, one twice, not those of
        the other, or intrinsics of images of another size or aspect.
      ValueError: size is no size.
    """
    from sf3d_jax.camera import check_size

    size = check_size(size)
    optics = _read_rows(intrinsic_path, _INTRINSIC)
    matrices = _read_rows(extrinsic_path, _EXTRINSIC)
    if optics.keys() != matrices.keys():
        odd = sorted(optics.keys() ^ matrices.keys())[0]
        missing = extrinsic_path if odd in optics else intrinsic_path
        other = intrinsic_path if odd in optics else extrinsic_path
        raise FormatError(missing, f"{_place(odd)}, which {other} has", "none")

    return {
        key: camera_of_benchmark(
            intrinsic_path,
            _place(key),
            focal=row[:2],
            principal_point=row[2:],
            published=VKITTI2,
            size=size,
            world_to_camera=rigid_pose(extrinsic_path, _place(key), matrices[key].reshape(4, 4)),
        )
        for key, row in optics.items()
    }


def write_vkitti2_cameras(
    intrinsic_path: PathLike, extrinsic_path: PathLike, cameras: Mapping[Key, Camera]
) -> None:
    """Writes the cameras of a sequence.

    Args:
      intrinsic_path: of intrinsic.txt.
      extrinsic_path: of extrinsic.txt.
      cameras: pinhole cameras by (frame, camera).

    Raises:
      TypeError: one is no camera.
      ValueError: there is none, a number is negative, or one is a batch, has a distorting lens, or
        numbers that no camera has.
    """
    if not cameras or any(number < 0 for key in cameras for number in key):
        raise ValueError(f"cameras: expected keys (frame, camera) from 0 on, got {list(cameras)}")
    intrinsic: list[list[str | float]] = [[*_INTRINSIC]]
    extrinsic: list[list[str | float]] = [[*_EXTRINSIC]]
    for frame, camera in sorted(cameras):
        one = pinhole_argument(f"cameras[{frame, camera}]", cameras[frame, camera])
        pose = homogeneous(one.pose[None]).ravel().tolist()
        intrinsic.append([int(frame), int(camera), *one.optics])
        extrinsic.append([int(frame), int(camera), *pose])
    write_rows(intrinsic_path, intrinsic)
    write_rows(extrinsic_path, extrinsic)


def _read_rows(path: PathLike, headings: list[str]) -> dict[Key, np.ndarray]:
    """The numbers behind frame and camera in each row."""
    first, *rows = read_rows(path) or [[]]
    if first[:2] != headings[:2]:
        raise FormatError(path, f"the headings {' '.join(headings[:4])} ...", repr(first[:4]))
    table: dict[Key, np.ndarray] = {}
    for i, row in enumerate(rows, 2):
        where = f"in row {i}"
        key = index(path, row[0], where), index(path, "".join(row[1:2]), where)
        if key in table:
            raise FormatError(path, f"{_place(key)} once", f"it again {where}")
        table[key] = numbers(path, row[2:], len(headings) - 2, f"behind {_place(key)} {where}")
    if not table:
        raise FormatError(path, "rows of numbers below the headings", "none")
    return table


def _place(key: Key) -> str:
    return f"frame {key[0]} of camera {key[1]}"
