"""What a caller hands over as pinhole cameras to be written: checked once, float64 NumPy."""

from typing import TYPE_CHECKING

import numpy as np

from sf3d_jax.data._poses import LARGEST as LARGEST
from sf3d_jax.data._poses import homogeneous as homogeneous
from sf3d_jax.data._poses import poses_argument as poses_argument

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera


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
