"""Camera poses as plain numbers, in text or .npy files."""

from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.text import parse_numbers, read_rows
from sf3d_jax.data.cameras.checks import check_rigid_pose
from sf3d_jax.data.maps import npy

_BOTTOM = [0.0, 0, 0, 1]


def read_poses(path: PathLike) -> np.ndarray:
    """Reads poses [R | t] as they are, without inverting them or changing axes.

    In a text file a pose is one row of 12 or 16 numbers, or three or four rows of 4; numbers are
    separated by spaces or commas, and lines that begin with # are comments. An .npy file holds one
    pose, [3, 4] or [4, 4], or several, [N, 3, 4] or [N, 4, 4].

    Args:
      path: file to read.

    Returns:
      float64 [N, 3, 4].

    Raises:
      FileNotFoundError: the file does not exist.
      FormatError: the file holds something else, or a pose is not a rotation and a translation.
    """
    flat = _read_npy(path) if Path(path).suffix.lower() == ".npy" else _read_text(path)
    if flat.shape[1] == 16:
        if not (flat[:, 12:] == _BOTTOM).all():
            raise FormatError(path, "0 0 0 1 as the last row of each pose", "other numbers")
        flat = flat[:, :12]
    poses = flat.reshape(-1, 3, 4)
    return np.stack([check_rigid_pose(path, f"pose {i}", pose) for i, pose in enumerate(poses, 1)])


def _read_npy(path: PathLike) -> np.ndarray:
    array = npy.read_array(path, np.float64)
    if array.ndim not in (2, 3) or array.shape[-2:] not in ((3, 4), (4, 4)) or not array.size:
        expected = "poses of the shape [3, 4], [4, 4], [N, 3, 4] or [N, 4, 4]"
        raise FormatError(path, expected, f"{list(array.shape)}")
    return array.reshape(-1, array.shape[-2] * 4)


def _read_text(path: PathLike) -> np.ndarray:
    rows = [" ".join(row).replace(",", " ").split() for row in read_rows(path)]
    rows = [row for row in rows if row and not row[0].startswith("#")]
    width = len(rows[0]) if rows else 0
    if width not in (4, 12, 16):
        found = f"{width} words in the first row" if rows else "none"
        raise FormatError(path, "rows of 4, 12 or 16 numbers", found)
    table = np.array(
        [parse_numbers(path, row, width, f"in row {i}") for i, row in enumerate(rows, 1)]
    )
    if width > 4:
        return table
    height = 4 if len(rows) % 4 == 0 and (table[3::4] == _BOTTOM).all() else 3
    if len(rows) % height:
        raise FormatError(path, "three or four rows of 4 numbers for a pose", f"{len(rows)} rows")
    return table.reshape(-1, 4 * height)
