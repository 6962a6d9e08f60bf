"""The motion of the camera from flow alone: rotation, and direction of translation."""

from typing import NoReturn

import jax

from sf3d_jax.camera import Camera


def estimate(
    flow: jax.Array,
    camera: Camera,
    next_camera: Camera | None,
    covariance: dict[tuple[int, int], jax.Array] | None,
    valid: jax.Array | None,
) -> NoReturn:
    """Finds the motion of the camera from checked arguments, float32 or wider.

    Args:
      flow: (*b, H, W, 2), pixels.
      camera: first camera; its batch axes broadcast against *b.
      next_camera: second camera, or None.
      covariance: entries of the covariance by (row, column), each (*b, H, W) or a number.
      valid: (*b, H, W), bool, or None.

    Returns:
      transform (*b, 3, 4), static (*b, H, W), residual (*b, H, W, 3) and valid (*b).
    """
    raise NotImplementedError
