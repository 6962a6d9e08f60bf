"""Cameras with negative focal lengths, as cameras with positive ones.

    (u, v) = (fx X / Z + cx, fy Y / Z + cy)

A negative focal length turns round an axis of the camera, x or y. With both the camera is turned by
180 degrees about z. With one of them the image is mirrored, which no rotation does, but in a
mirrored world.
"""

import numpy as np

# x of the world turned round.
_MIRROR = np.diag([-1.0, 1, 1, 1])


def is_turned(focal: np.ndarray) -> np.ndarray:
    """Where both focal lengths are negative, or none is: what a rotation undoes; (*b)."""
    return (focal < 0).sum(-1) != 1


def turn_flipped(focal: np.ndarray, world_to_camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same cameras with positive focal lengths.

    Args:
      focal: (*b, 2), (fx, fy), not 0.
      world_to_camera: (*b, 3, 4), in OpenCV's axes.

    Returns:
      The focal lengths, positive, and the poses. Where one of a camera's was negative, its world is
      mirrored: the point (x, y, z) of it is seen where (-x, y, z) is in the world that is returned.
    """
    signs = np.concatenate([np.sign(focal), np.ones_like(focal[..., :1])], -1)
    pose = signs[..., None] * world_to_camera
    mirrored = ~is_turned(focal)[..., None, None]
    return np.abs(focal), np.where(mirrored, pose @ _MIRROR, pose)
