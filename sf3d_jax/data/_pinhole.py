"""What a caller hands over as cameras and poses to be written: checked once, float64 NumPy."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sf3d_jax.data import _poses

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

# No reader takes a camera with larger numbers; in float32 their products would overflow.
LARGEST = 1e9


def pinhole_argument(name: str, camera: "Camera") -> tuple[list[float], np.ndarray]:
    """One pinhole camera as numbers.

    Args:
      name: of the argument, for the error.
      camera: without batch axes.

    Returns:
      fx, fy, cx, cy, and world-to-camera, float64 [3, 4].

    Raises:
      TypeError: it is no camera.
      ValueError: it is a batch, has a distorting lens, or numbers that no camera has.
    """
    from sf3d_jax.camera import check_camera

    if check_camera(name, camera) != () or camera.model != "pinhole":
        raise ValueError(f"{name}: expected one pinhole camera, got a batch or a distorting lens")
    optics = np.concatenate([camera.focal, camera.principal_point]).astype(np.float64)
    if not (np.abs(optics) <= LARGEST).all() or not (optics[:2] > 0).all():
        raise ValueError(f"{name}: expected positive focal lengths, got fx fy cx cy {optics}")
    pose = poses_argument(f"{name}.world_to_camera", np.asarray(camera.world_to_camera)[None])
    return optics.tolist(), pose[0]


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
    if not (np.abs(array) <= LARGEST).all() or not _poses.is_rigid(array):
        raise ValueError(f"{name}: expected rotations and translations, got something else")
    return array[:, :3]


def homogeneous(poses: np.ndarray) -> np.ndarray:
    """Poses [N, 3, 4] with the row 0 0 0 1 below: [N, 4, 4]."""
    bottom = np.broadcast_to([0.0, 0, 0, 1], (len(poses), 1, 4))
    return np.concatenate([poses, bottom], axis=1)
