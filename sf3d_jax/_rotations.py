"""Checks whether matrices are rotations and describes those that are not, in NumPy alone."""

import numpy as np
import numpy.typing as npt

# Largest magnitude allowed for the entries of R R^T - I.
TOLERANCE = 1e-3

_IDENTITY = np.eye(3)


def find_pose_fault(pose: npt.ArrayLike, tolerance: float = TOLERANCE) -> str | None:
    """Describes the first pose that is not a rotation and a translation.

    Args:
      pose: (*b, 3, 4) or (*b, 4, 4); only the first three rows count.
      tolerance: largest magnitude allowed for the entries of R R^T - I; det R must be positive.

    Returns:
      What the first bad pose looks like, to complete "expected a rotation, got ..."; None if all
      are finite rotations.
    """
    pose = np.asarray(pose, np.float64)
    if not np.isfinite(pose).all():
        return "NaN or infinite values"
    rotation = pose[..., :3, :3]
    bad = ~_is_rotation(rotation, tolerance)
    if not bad.any():
        return None
    where = tuple(np.argwhere(bad)[0].tolist())
    fault = _describe(rotation[where], tolerance)
    return f"{fault} at {list(where)}" if where else fault


def _is_rotation(matrix: np.ndarray, tolerance: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # non-finite entries fail both tests below
        gap = np.abs(matrix @ matrix.swapaxes(-1, -2) - _IDENTITY)
        is_proper = np.linalg.det(matrix) > 0
    return (gap <= tolerance).all((-1, -2)) & is_proper


def _describe(matrix: np.ndarray, tolerance: float) -> str:
    """Describes a finite matrix (3, 3) that is not a rotation."""
    largest = np.abs(matrix).max()
    if not largest:
        return "zeros"
    unit = matrix / largest  # so that squares neither overflow nor underflow
    scale = np.sqrt(np.square(unit).sum() / 3)
    if _is_rotation(unit / scale, tolerance):
        return f"what looks like {largest * scale:.6g} times a rotation"
    if _is_rotation(-unit / scale, tolerance):
        return "what looks like a mirrored rotation, of determinant -1"
    rows = "; ".join(" ".join(f"{x:.6g}" for x in row) for row in matrix)
    return f"[{rows}], whose rows are not perpendicular and of length 1"
