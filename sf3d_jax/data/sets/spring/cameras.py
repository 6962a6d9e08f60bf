"""The cameras of the Spring benchmark: cam_data/intrinsics.txt and cam_data/extrinsics.txt.

Both have one row per frame, beginning with frame 1. Intrinsics: fx fy cx cy in pixels of the
1920 x 1080 images, returned unchanged. Extrinsics: the sixteen numbers of a 4x4 matrix, row by row,
from the world to the left camera, in OpenCV's axes and metres; four lines of four numbers per frame
and rows of the twelve numbers [R | t] are also read. The right camera is 0.065 m to the right.

Source: Mehl et al., "Spring" (CVPR 2023), and the code published with it (spring-benchmark.org).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import LARGEST, FormatError, PathLike
from sf3d_jax.data._files.text import read_table, write_rows
from sf3d_jax.data.cameras.checks import check_rigid_pose
from sf3d_jax.data.cameras.poses import append_last_row, check_poses_argument


def read_spring_intrinsics(path: PathLike) -> np.ndarray:
    """Reads an intrinsics.txt with rows fx fy cx cy.

    Args:
      path: file to read.

    Returns:
      float64 [N, 4], fx fy cx cy of each frame in pixels, as in the file.

    Raises:
      FormatError: the file has no rows of four numbers, or a focal length that is not positive.
    """
    table = read_table(path, 4)
    good = _find_valid_optics(table)
    if not good.all():
        i = int((~good).argmax())
        expected = f"fx fy cx cy with positive focal lengths in row {i + 1}"
        raise FormatError(path, expected, f"{table[i].tolist()}")
    return table


def write_spring_intrinsics(path: PathLike, intrinsics: npt.ArrayLike) -> None:
    """Writes an intrinsics.txt with rows fx fy cx cy.

    Args:
      path: file to write.
      intrinsics: [N, 4], fx fy cx cy of each frame in pixels.

    Raises:
      ValueError: a focal length is not positive, or a value is non-finite.
    """
    table = np.asarray(intrinsics, np.float64)
    if table.ndim != 2 or table.shape[1] != 4 or len(table) == 0:
        raise ValueError(f"intrinsics: expected the shape [N, 4], got {list(table.shape)}")
    if not _find_valid_optics(table).all():
        raise ValueError("intrinsics: expected positive focal lengths and finite numbers")
    write_rows(path, table.tolist())


def read_spring_extrinsics(path: PathLike) -> np.ndarray:
    """Reads an extrinsics.txt with rows of 4x4 or 3x4 world-to-camera matrices.

    Args:
      path: file to read.

    Returns:
      float64 [N, 3, 4], world-to-camera of each frame, in the world of the file.

    Raises:
      FormatError: the rows are malformed, or a matrix is not a rotation and translation.
    """
    table = read_table(path, 16, 12, 4)
    if table.shape[1] == 4 and len(table) % 4:
        raise FormatError(path, "four rows of four numbers per frame", f"{len(table)} rows")
    matrices = table.reshape(-1, 3 if table.shape[1] == 12 else 4, 4)
    return np.stack([check_rigid_pose(path, f"frame {i}", m) for i, m in enumerate(matrices, 1)])


def write_spring_extrinsics(path: PathLike, world_to_camera: npt.ArrayLike) -> None:
    """Writes an extrinsics.txt with sixteen numbers per row.

    Args:
      path: file to write.
      world_to_camera: [N, 3, 4] or [N, 4, 4], one matrix per frame, in OpenCV's axes.

    Raises:
      ValueError: a matrix is not a rotation and translation.
    """
    poses = check_poses_argument("world_to_camera", world_to_camera)
    write_rows(path, append_last_row(poses).reshape(-1, 16).tolist())


def _find_valid_optics(table: np.ndarray) -> np.ndarray:
    """Finds the rows fx fy cx cy that are valid intrinsics."""
    return (np.abs(table) <= LARGEST).all(-1) & (table[:, :2] > 0).all(-1)
