"""Whether matrices are rotations, and what they look like where they are not; NumPy alone."""

import numpy as np
import numpy.typing as npt

# Of every entry of R R^T - I.
TOLERANCE = 1e-3

_IDENTITY = np.eye(3)


def find_pose_fault(pose: npt.ArrayLike, tolerance: float = TOLERANCE) -> str | None:
    """What keeps a pose from being a rotation and a translation.

    Args:
      pose: (*b, 3, 4) or (*b, 4, 4), of which the first three rows count.
      tolerance: of every entry of R R^T - I, whose det R is positive.

    Returns:
      What the first bad one looks like, as the end of "expected a rotation, got ..."; None where
      all are finite, neither scaled nor mirrored.
    """
    pose = np.asarray(pose, np.float64)
    if not np.isfinite(pose).all():
        return "NaN or infinite numbers"
    rotation = pose[..., :3, :3]
    bad = ~_are_rotations(rotation, tolerance)
    if not bad.any():
        return None
    where = tuple(np.argwhere(bad)[0].tolist())
    fault = _describe(rotation[where], tolerance)
    return f"{fault} at {list(where)}" if where else fault


def _are_rotations(matrix: np.ndarray, tolerance: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is no rotation
        gap = np.abs(matrix @ matrix.swapaxes(-1, -2) - _IDENTITY)
        is_proper = np.linalg.det(matrix) > 0
    return (gap <= tolerance).all((-1, -2)) & is_proper


def _describe(matrix: np.ndarray, tolerance: float) -> str:
    """What a matrix (3, 3) of finite numbers looks like that is not a rotation."""
    largest = np.abs(matrix).max()
    if not largest:
        return "zeros"
    unit = matrix / largest  # whose squares neither overflow nor vanish
    scale = np.sqrt(np.square(unit).sum() / 3)
    if _are_rotations(unit / scale, tolerance):
        return f"what looks like {largest * scale:.6g} times a rotation"
    if _are_rotations(-unit / scale, tolerance):
        return "what looks like a mirrored rotation, of determinant -1"
    rows = "; ".join(" ".join(f"{x:.6g}" for x in row) for row in matrix)
    return f"[{rows}], of which the rows are not perpendicular and of length 1"
