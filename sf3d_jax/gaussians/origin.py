"""Scenes far from the origin of their world, moved to it before they are rounded to float32.

A scene that was measured in a large world, such as that of a map, has means and camera positions of
many digits, of which float32 keeps seven. Their difference is small, so it is taken in float64.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.gaussians._options import check_scene_camera
from sf3d_jax.gaussians.scene import Gaussians, check_gaussians


class Recentered(NamedTuple):
    """A scene and its cameras in a world whose origin is the first camera.

    Attributes:
      gaussians: (N), NumPy; the means are float32.
      cameras: as many as were passed; NumPy float32.
    """

    gaussians: Gaussians
    cameras: tuple[Camera, ...]


def recenter(gaussians: Gaussians, cameras: Sequence[Camera]) -> Recentered:
    """Moves the origin of the world to the first camera, in float64, and rounds to float32.

    With o the position of the first camera, means become mu - o and a pose [R | t] becomes
    [R | t + R o]. The axes of the world are kept, because colors of spherical harmonics depend on
    directions in them. The cameras see the same images and the same depths as before.

    Args:
      gaussians: (N), in world axes; NumPy float64 keeps the digits, as `data.read_gaussian_ply`
        returns it for a file with doubles.
      cameras: at least one pinhole, in the same world; likewise.

    Returns:
      The scene and its cameras. A mean beyond float32 becomes infinite, and is not drawn.

    Raises:
      TypeError: an argument is not Gaussians, or not a camera.
      ValueError: shapes do not fit, there is no camera, or one is a batch or has a lens.
    """
    check_gaussians("gaussians", gaussians)
    if not cameras:
        raise ValueError("cameras: expected at least one, got none")
    for i, camera in enumerate(cameras):
        check_scene_camera(f"cameras[{i}]", camera)

    rotation, translation = np.split(np.float64(cameras[0].world_to_camera), [3], axis=1)
    origin = -(rotation.T @ translation)[:, 0]
    with np.errstate(over="ignore"):
        means = np.float32(np.float64(gaussians.means) - origin)
    moved = tuple(_move(camera, origin) for camera in cameras)
    return Recentered(dataclasses.replace(gaussians, means=means), moved)


def _move(camera: Camera, origin: np.ndarray) -> Camera:
    """The camera in a world with another origin."""
    rotation, translation = np.split(np.float64(camera.world_to_camera), [3], axis=1)
    return dataclasses.replace(
        camera,
        focal=np.float32(camera.focal),
        principal_point=np.float32(camera.principal_point),
        world_to_camera=np.float32(np.c_[rotation, translation[:, 0] + rotation @ origin]),
    )
