"""Camera poses in float64: conversions between conventions, and checks.

A pose [R | t] takes world points to the camera, X_camera = R X_world + t, in OpenCV's axes (x
right, y down, z forward). These rotations take the axes of other conventions to OpenCV's:

    OPENGL   x right, y up, z back: Blender, NeRF
    NED      x forward, y right, z down: AirSim, TartanAir
"""

import numpy as np
import numpy.typing as npt

from sf3d_jax._rotations import TOLERANCE
from sf3d_jax._rotations import find_pose_fault as find_pose_fault
from sf3d_jax.data._files import LARGEST

OPENGL = np.diag([1.0, -1.0, -1.0])
NED = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])


# A shorter quaternion has no reliable direction.
SMALLEST_QUATERNION = 1e-6


def invert(pose: npt.ArrayLike) -> np.ndarray:
    """Inverts a pose: world to camera becomes camera to world, and back.

    Args:
      pose: (*b, 3, 4) or (*b, 4, 4), a rotation and a translation.

    Returns:
      (*b, 3, 4), float64: [R^T | -R^T t].
    """
    pose = np.asarray(pose, np.float64)
    back = np.swapaxes(pose[..., :3, :3], -1, -2)
    return np.concatenate([back, -back @ pose[..., :3, 3:]], axis=-1)


def compose(second: npt.ArrayLike, first: npt.ArrayLike) -> np.ndarray:
    """Composes two poses: applies `first`, then `second`.

    Args:
      second: (*b, 3, 4) or (*b, 4, 4).
      first: (*b, 3, 4) or (*b, 4, 4).

    Returns:
      (*b, 3, 4), float64.
    """
    second, first = (np.asarray(pose, np.float64)[..., :3, :] for pose in (second, first))
    rotation = second[..., :3] @ first[..., :3]
    return np.concatenate([rotation, second[..., :3] @ first[..., 3:] + second[..., 3:]], axis=-1)


def from_camera_to_world(pose: npt.ArrayLike, axes: npt.ArrayLike | None = None) -> np.ndarray:
    """Converts a camera-to-world pose to world to camera.

    Args:
      pose: (*b, 3, 4) or (*b, 4, 4), camera to world.
      axes: (3, 3), rotation from the camera's axes to OpenCV's; None if they are OpenCV's.

    Returns:
      (*b, 3, 4), float64, in OpenCV's axes; the world's axes are unchanged.
    """
    world_to_camera = invert(pose)
    return world_to_camera if axes is None else np.asarray(axes) @ world_to_camera


def to_camera_to_world(pose: npt.ArrayLike, axes: npt.ArrayLike | None = None) -> np.ndarray:
    """Converts a world-to-camera pose to camera to world; inverse of `from_camera_to_world`.

    Args:
      pose: (*b, 3, 4) or (*b, 4, 4), world to camera, in OpenCV's axes.
      axes: (3, 3), rotation from the requested axes to OpenCV's; None for OpenCV's.

    Returns:
      (*b, 3, 4), float64, camera to world, with the requested camera axes.
    """
    pose = np.asarray(pose, np.float64)[..., :3, :]
    return invert(pose if axes is None else np.asarray(axes).T @ pose)


def from_quaternion(quaternion: npt.ArrayLike) -> np.ndarray:
    """Converts a quaternion to a rotation matrix.

    Args:
      quaternion: (*b, 4), w x y z, of any nonzero length.

    Returns:
      (*b, 3, 3), float64.
    """
    q = np.asarray(quaternion, np.float64)
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def to_quaternion(rotation: npt.ArrayLike) -> np.ndarray:
    """Converts a rotation matrix to the unit quaternion w x y z with w >= 0.

    Starts from the largest component, found from the diagonal, to avoid dividing by a small number
    (Shepperd's method).

    Args:
      rotation: (*b, 3, 3).

    Returns:
      (*b, 4), float64.
    """
    r = np.asarray(rotation, np.float64)
    diagonal = np.diagonal(r, axis1=-2, axis2=-1)
    # 4 q q^T in the order w x y z: the row with the largest diagonal entry is a multiple of q.
    outer = np.empty((*r.shape[:-2], 4, 4))
    outer[..., 0, 0] = 1 + diagonal.sum(-1)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        outer[..., i + 1, i + 1] = 1 + 2 * diagonal[..., i] - diagonal.sum(-1)
        outer[..., 0, i + 1] = outer[..., i + 1, 0] = r[..., k, j] - r[..., j, k]
        outer[..., i + 1, j + 1] = outer[..., j + 1, i + 1] = r[..., i, j] + r[..., j, i]
    largest = np.diagonal(outer, axis1=-2, axis2=-1).argmax(-1)
    q = np.take_along_axis(outer, largest[..., None, None], axis=-2)[..., 0, :]
    return np.where(q[..., :1] < 0, -q, q) / np.linalg.norm(q, axis=-1, keepdims=True)


def is_rigid(pose: npt.ArrayLike, tolerance: float = TOLERANCE) -> bool:
    """Whether all poses are finite, each a translation and a rotation without mirror or scale.

    Args:
      pose: (*b, 3, 4) or (*b, 4, 4).
      tolerance: largest entry of R R^T - I; det R must be positive.
    """
    return find_pose_fault(pose, tolerance) is None


def check_poses_argument(name: str, poses: npt.ArrayLike) -> np.ndarray:
    """Checks poses to be written.

    Args:
      name: argument name used in error messages.
      poses: [N, 3, 4] or [N, 4, 4].

    Returns:
      float64 [N, 3, 4].

    Raises:
      ValueError: the shape is another one, or a pose is not a rotation and translation.
    """
    array = np.asarray(poses, np.float64)
    if array.ndim != 3 or array.shape[1:] not in ((3, 4), (4, 4)) or len(array) == 0:
        raise ValueError(f"{name}: expected the shape [N, 3, 4], got {list(array.shape)}")
    fault = find_pose_fault(array)
    if fault is None and not (np.abs(array) <= LARGEST).all():
        fault = f"numbers above {LARGEST:g}"
    if fault:
        raise ValueError(f"{name}: expected rotations and translations, got {fault}")
    return array[:, :3]


def append_last_row(poses: np.ndarray) -> np.ndarray:
    """Appends the row 0 0 0 1 to poses [N, 3, 4], giving [N, 4, 4]."""
    bottom = np.broadcast_to([0.0, 0, 0, 1], (len(poses), 1, 4))
    return np.concatenate([poses, bottom], axis=1)
