"""Converts cameras with negative focal lengths to cameras with positive ones.

    (u, v) = (fx X / Z + cx, fy Y / Z + cy)

A negative focal length reverses the camera's x or y axis. If both are negative, the camera is
turned by 180 degrees about z. If only one is, the image is mirrored: no rotation does that, so the
world must be mirrored.
"""

import numpy as np

# Reverses the x axis of the world.
_MIRROR = np.diag([-1.0, 1, 1, 1])


def is_turned(focal: np.ndarray) -> np.ndarray:
    """Whether no or both focal lengths are negative, which a rotation can undo; (*b)."""
    return (focal < 0).sum(-1) != 1


def turn_flipped(focal: np.ndarray, world_to_camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the same cameras with positive focal lengths.

    Args:
      focal: (*b, 2), (fx, fy), not 0.
      world_to_camera: (*b, 3, 4), in OpenCV's axes.

    Returns:
      Positive focal lengths, and the poses. If exactly one of a camera's focal lengths is negative,
      its world is mirrored: the point (x, y, z) becomes (-x, y, z) in the world returned.
    """
    signs = np.concatenate([np.sign(focal), np.ones_like(focal[..., :1])], -1)
    pose = signs[..., None] * world_to_camera
    mirrored = ~is_turned(focal)[..., None, None]
    return np.abs(focal), np.where(mirrored, pose @ _MIRROR, pose)
