"""Poses of cameras in float64: from one convention into another, and checked.

A pose [R | t] takes points of the world into a camera, X_camera = R X_world + t, in OpenCV's axes
(x right, y down, z forward). Axes of other conventions, as rotations into OpenCV's:

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


# What is shorter has no direction to speak of.
SMALLEST_QUATERNION = 1e-6


def inverse(pose: npt.ArrayLike) -> np.ndarray:
    """From world-to-camera to camera-to-world, or back.

    Args:
      pose: (*b, 3, 4) or (*b, 4, 4), a rotation and a translation.

    Returns:
      (*b, 3, 4), float64: [R^T | -R^T t].
    """
    pose = np.asarray(pose, np.float64)
    back = np.swapaxes(pose[..., :3, :3], -1, -2)
    return np.concatenate([back, -back @ pose[..., :3, 3:]], axis=-1)


def compose(second: npt.ArrayLike, first: npt.ArrayLike) -> np.ndarray:
    """The pose that takes a point by `first`, then by `second`.

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
    """The world-to-camera pose of a camera-to-world one.

    Args:
      pose: (*b, 3, 4) or (*b, 4, 4), from a camera with axes of its own into the world.
      axes: (3, 3), from the camera's own axes into OpenCV's; those are its own if None.

    Returns:
      (*b, 3, 4), float64, in OpenCV's axes; the world keeps its own.
    """
    world_to_camera = inverse(pose)
    return world_to_camera if axes is None else np.asarray(axes) @ world_to_camera


def to_camera_to_world(pose: npt.ArrayLike, axes: npt.ArrayLike | None = None) -> np.ndarray:
    """The camera-to-world pose of a world-to-camera one; the inverse of `from_camera_to_world`.

    Args:
      pose: (*b, 3, 4) or (*b, 4, 4), into a camera with OpenCV's axes.
      axes: (3, 3), from the wanted camera's axes into OpenCV's; those are wanted if None.

    Returns:
      (*b, 3, 4), float64, from the camera with the wanted axes into the world.
    """
    pose = np.asarray(pose, np.float64)[..., :3, :]
    return inverse(pose if axes is None else np.asarray(axes).T @ pose)


def from_quaternion(quaternion: npt.ArrayLike) -> np.ndarray:
    """The rotation of a quaternion.

    Args:
      quaternion: (*b, 4), w x y z of any length but 0.

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
    """The quaternion of a rotation, w x y z with w not negative, of length 1.

    The largest of the four is found first, from the diagonal, so that none is divided by a small
    number (Shepperd's method).

    Args:
      rotation: (*b, 3, 3).

    Returns:
      (*b, 4), float64.
    """
    r = np.asarray(rotation, np.float64)
    diagonal = np.diagonal(r, axis1=-2, axis2=-1)
    # 4 q q^T in the order w x y z: its row of the largest diagonal is q times a number.
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
    """Whether it is finite, a rotation (not mirrored, not scaled), and a translation.

    Args:
      pose: (*b, 3, 4) or (*b, 4, 4).
      tolerance: of every entry of R R^T - I, whose det R is positive.

    Returns:
      True where all poses of the batch are.
    """
    return find_pose_fault(pose, tolerance) is None


def poses_argument(name: str, poses: npt.ArrayLike) -> np.ndarray:
    """Poses as they are written.

    Args:
      name: of the argument, for the error.
      poses: [N, 3, 4] or [N, 4, 4].

    Returns:
      float64 [N, 3, 4].

    Raises:
      ValueError: another shape, or one that is no rotation and translation.
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


def homogeneous(poses: np.ndarray) -> np.ndarray:
    """Poses [N, 3, 4] with the row 0 0 0 1 below: [N, 4, 4]."""
    bottom = np.broadcast_to([0.0, 0, 0, 1], (len(poses), 1, 4))
    return np.concatenate([poses, bottom], axis=1)
