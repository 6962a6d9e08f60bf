"""Moves scenes far from the world's origin to it, before they are rounded to float32.

In a scene measured in a large world, such as a map's, means and camera positions have many digits,
and float32 keeps seven. Their differences are small, so they are taken in float64.
"""

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

import jax
import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.camera._fields import edit
from sf3d_jax.gaussians._options import check_scene_camera
from sf3d_jax.gaussians.scene import Gaussians, check_gaussians


class Recentered(NamedTuple):
    """A scene and its cameras in a world whose origin is the first camera.

    Attributes:
      gaussians: (N), NumPy float32.
      cameras: the cameras that were passed, NumPy float32.
    """

    gaussians: Gaussians
    cameras: tuple[Camera, ...]


def recenter(gaussians: Gaussians, cameras: Iterable[Camera]) -> Recentered:
    """Moves the world's origin to the first camera, in float64, and rounds all to float32.

    With o the position of the first camera, means become mu - o and a pose [R | t] becomes
    [R | t + R o]. The world's axes are kept, because spherical harmonics depend on directions in
    them. The cameras see the same images and depths as before. This runs on the host, outside jit
    and other transformations.

    Args:
      gaussians: (N), in world axes; pass NumPy float64 to keep the digits, as returned by
        `data.read_gaussian_ply` for files with doubles.
      cameras: at least one pinhole, in the same world; NumPy float64 to keep the digits.

    Returns:
      The scene and its cameras. Values of a Gaussian beyond float32 become infinite, and that
      Gaussian is not drawn.

    Raises:
      TypeError: an argument is not Gaussians or cameras, or is traced.
      ValueError: cameras is empty, or one is a batch, has a lens, or is not finite in float32,
        for instance because it is too far from the first camera.
    """
    check_gaussians("gaussians", gaussians)
    cameras = _list_cameras(cameras)
    if any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves((gaussians, cameras))):
        raise TypeError("recenter: runs on the host; call it outside jit and pass the result in")

    # Values beyond float32 become infinite in Gaussians and are refused in cameras.
    with np.errstate(over="ignore", invalid="ignore"):
        rotation, translation = np.split(np.float64(cameras[0].world_to_camera), [3], axis=1)
        origin = -(rotation.T @ translation)[:, 0]
        means = np.float64(gaussians.means) - origin
        scene = dataclasses.replace(gaussians, means=means)
        near = jax.tree.map(lambda x: np.asarray(x, np.float32), scene)
        moved = tuple(_move(camera, origin) for camera in cameras)
    for i, camera in enumerate(moved):
        _check_finite(f"cameras[{i}]", camera)
    return Recentered(near, moved)


def _list_cameras(cameras: Iterable[Camera]) -> tuple[Camera, ...]:
    """The cameras as a tuple, checked."""
    try:
        each = iter(cameras)
    except TypeError:
        got = type(cameras).__name__
        raise TypeError(f"cameras: expected a sequence of cameras, got one {got}") from None
    listed = tuple(each)
    if not listed:
        raise ValueError("cameras: expected at least one, got none")
    for i, camera in enumerate(listed):
        check_scene_camera(f"cameras[{i}]", camera)
    return listed


def _check_finite(name: str, moved: Camera) -> None:
    for part in ("focal", "principal_point", "world_to_camera"):
        x = getattr(moved, part)
        if not np.isfinite(x).all():
            raise ValueError(
                f"{name}.{part}: expected values that are finite in float32, with the first "
                f"camera as the origin, got {x.tolist()}"
            )


def _move(camera: Camera, origin: np.ndarray) -> Camera:
    """The camera in a world with another origin."""
    rotation, translation = np.split(np.float64(camera.world_to_camera), [3], axis=1)
    return edit(
        camera,
        focal=np.float32(camera.focal),
        principal_point=np.float32(camera.principal_point),
        world_to_camera=np.float32(np.c_[rotation, translation[:, 0] + rotation @ origin]),
    )
