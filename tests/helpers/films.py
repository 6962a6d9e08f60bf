"""Three frames of a plane that moves while the camera moves, too, in float64 and closed form."""

import dataclasses
from typing import NamedTuple

import numpy as np
from helpers.support import chain, pose

import sf3d_jax as sf3d

WORLD = pose([0.4, -1.2, 0.3], [5.0, -2.0, 7.0])
STEP = pose([0.01, 0.02, -0.015], [0.05, -0.02, 0.1])


class Truth(NamedTuple):
    """All that there is to know of two frames, in float64."""

    flow: np.ndarray
    inv_depth: np.ndarray
    change: np.ndarray
    vectors: np.ndarray
    next_inv_depth: np.ndarray
    camera: sf3d.Camera
    next_camera: sf3d.Camera


def inverse(p):
    return np.c_[p[:, :3].T, -p[:, :3].T @ p[:, 3]]


def moving_plane(camera, next_camera, *, distance=8.0, motion=None):
    """The truth of a plane n . X = h that moves by X -> R X + t, in the first camera's axes."""
    normal = np.array([0.1, -0.2, 1.0])
    turn, shift = np.split(pose([0.01, -0.02, 0.03], [0.2, 0.1, -0.3]), [3], axis=1)
    if motion is not None:
        turn, shift = np.split(motion, [3], axis=1)
    v, u = np.mgrid[: camera.size[0], : camera.size[1]].astype(float)
    pixels = np.stack([u, v], axis=-1)
    ray = lambda c: np.concatenate(
        [(pixels - c.principal_point) / c.focal, np.ones((*u.shape, 1))], -1
    )
    start = ray(camera) * (distance / (ray(camera) @ normal))[..., None]
    end = start @ turn.T + shift[:, 0]
    between = chain(next_camera.world_to_camera, inverse(np.float64(camera.world_to_camera)))
    seen = end @ between[:, :3].T + between[:, 3]
    flow = seen[..., :2] / seen[..., 2:] * next_camera.focal + next_camera.principal_point - pixels
    # The moved plane in the axes of the second camera.
    moved = between[:, :3] @ turn @ normal
    offset = distance + (turn @ normal) @ shift[:, 0] + moved @ between[:, 3]
    return Truth(
        flow=flow,
        inv_depth=1 / start[..., 2],
        change=1 / seen[..., 2] - 1 / start[..., 2],
        vectors=end - start,
        next_inv_depth=ray(next_camera) @ moved / offset,
        camera=camera,
        next_camera=next_camera,
    )


def resized(camera, size):
    """The camera of an image of another size, whose pixels are areas: u' = (u + 1/2) w/W - 1/2."""
    if size == camera.size:
        return camera
    ratio = np.array([size[1] / camera.size[1], size[0] / camera.size[0]])
    fx, fy = camera.focal * ratio
    cx, cy = (camera.principal_point + 0.5) * ratio - 0.5
    return sf3d.Camera.pinhole(fx, fy, cx, cy, size)


def optics(camera):
    """fx, fy, cx, cy."""
    return [*camera.focal.tolist(), *camera.principal_point.tolist()]


class Film(NamedTuple):
    """Three frames.

    The cameras are by frame; forward is from the first frame to the middle one, backward from the
    last to the middle one.
    """

    cameras: list
    forward: Truth
    backward: Truth


def film(camera, **options):
    """Three frames seen by copies of a camera."""
    at = lambda p: dataclasses.replace(camera, world_to_camera=p)
    first, middle = WORLD, chain(STEP, WORLD)
    last = chain(inverse(pose([0.02, -0.01, 0.01], [-0.04, 0.03, 0.12])), middle)
    cameras = [at(p) for p in (first, middle, last)]
    forward = moving_plane(cameras[0], cameras[1], **options)
    backward = moving_plane(cameras[2], cameras[1], **options)
    return Film(cameras, forward, backward)
