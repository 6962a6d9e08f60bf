"""A sphere of flat Gaussians that deforms before a wall of others, and the truth by ray casting.

Both are known in closed form: the sphere's points X go to f(X), each of its Gaussians to f(mean)
with the factor (df/dX) factor, and the wall stays. The truth is float64 NumPy, pixel by pixel.
"""

from typing import NamedTuple

import cv2
import numpy as np
from helpers.support import pose

import sf3d_jax as sf3d

SIZE = (144, 160)
MIDDLE = np.array([0.0, 0.0, 1.0])
RADIUS = 0.1
WALL = 1.5
# Standard deviations: in the surface, in distances between neighbours, and across it, in radii.
ACROSS, THICKNESS = 0.8, 1e-3
OPACITY = 0.99


class Truth(NamedTuple):
    """What the rays of the pixels meet, in float64.

    Attributes:
      inv_depth: (H, W).
      flow: (H, W, 2).
      inv_depth_change: (H, W).
      scene_flow: (H, W, 3), in the axes of the first camera.
      sphere: (H, W), bool, where the sphere is met; elsewhere the wall is.
    """

    inv_depth: np.ndarray
    flow: np.ndarray
    inv_depth_change: np.ndarray
    scene_flow: np.ndarray
    sphere: np.ndarray


def rigid(points, middle, radius):
    """Turns by 8 degrees and moves on."""
    rotation = cv2.Rodrigues(np.array([0.06, -0.09, 0.08]))[0]
    moved = (points - middle) @ rotation.T + middle + radius * np.array([0.12, 0.06, 0.15])
    return moved, np.broadcast_to(rotation, (*points.shape[:-1], 3, 3))


def waves(points, middle, radius):
    """X + a sin(k.X + p), along each axis a wave of its own."""
    vectors = np.array([[4, 9, -3], [-8, 3, 5], [6, -5, 7.0]]) / (10 * radius)
    size = radius * np.array([0.16, 0.13, 0.14])
    phase = (points - middle) @ vectors.T + np.array([0.9, 0.4, 1.2])
    slope = np.eye(3) + (size * np.cos(phase))[..., None] * vectors
    return points + size * np.sin(phase), slope


def twist(points, middle, radius):
    """Turns about the upright axis, the more the higher, and moves on."""
    x, y, z = np.moveaxis(points - middle, -1, 0)
    rate = 0.15 / radius
    cos, sin = np.cos(rate * y), np.sin(rate * y)
    moved = np.stack([cos * x + sin * z, y, cos * z - sin * x], -1)
    one, nil = np.ones_like(x), np.zeros_like(x)
    bent = rate * moved[..., 2], one, -rate * moved[..., 0]
    rows = [[cos, bent[0], sin], [nil, bent[1], nil], [-sin, bent[2], cos]]
    slope = np.stack([np.stack(row, -1) for row in rows], -2)
    return moved + middle + radius * np.array([-0.11, 0.08, 0.13]), slope


def stretch(points, middle, radius):
    """Becomes longer along one axis, shorter along the others, and shears."""
    slope = np.array([[1.1, 0.05, 0], [0, 0.92, 0.04], [0.03, 0, 0.94]])
    moved = (points - middle) @ slope.T + middle + radius * np.array([0.1, -0.1, -0.14])
    return moved, np.broadcast_to(slope, (*points.shape[:-1], 3, 3))


MOTIONS = {f.__name__: f for f in (rigid, waves, twist, stretch)}


def cameras(name):
    """The first and the next camera; the sphere is seen whole by both."""
    turn, step = [0.006, -0.012, 0.009], [0.02, -0.01, 0.015]
    away, next_away = (
        pose([0.15, -0.25, 0.1], [0.22, 0.16, 0.05]),
        pose([0.155, -0.24, 0.11], [0.21, 0.165, 0.04]),
    )
    one = lambda *numbers: sf3d.Camera.pinhole(*numbers[:4], SIZE, numbers[4])
    square = (500.0, 500.0, 79.5, 71.5)
    return {
        "still": (one(*square, np.eye(3, 4)), one(*square, np.eye(3, 4))),
        "moving": (one(*square, np.eye(3, 4)), one(*square, pose(turn, step))),
        "posed": (one(*square, away), one(*square, next_away)),
        "zoom": (
            one(430.0, 460.0, 70.3, 80.9, np.eye(3, 4)),
            one(470.0, 450.0, 84.0, 66.0, pose(turn, step)),
        ),
    }[name]


CAMERAS = "still", "moving", "posed", "zoom"


def directions(count, seed):
    """Unit vectors spread evenly over the sphere, turned at random."""
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    height = 1 - (2 * np.arange(count) + 1) / count
    angle = np.pi * (1 + 5**0.5) * np.arange(count)
    flat = np.sqrt(1 - height**2)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), height], -1) @ rotation.T


def frames(normals):
    """Rotations of which the third axis is the normal."""
    helper = np.where(np.abs(normals[:, :1]) < 0.7, [[1.0, 0, 0]], [[0, 1.0, 0]])
    first = np.cross(helper, normals)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return np.stack([first, np.cross(normals, first), normals], -1)


def sphere(
    count,
    motion,
    *,
    seed=0,
    middle=MIDDLE,
    radius=RADIUS,
    wall=WALL,
    span=0.4,
    across=ACROSS,
    thickness=THICKNESS,
    opacity=OPACITY,
    jitter=0.0,
    dtype=np.float32,
):
    """The Gaussians at both times.

    `across` is the standard deviation in the surface in distances between neighbours, `thickness`
    that across it and `jitter` that of the means from the surface, both in radii; `span` is how far
    the wall reaches to each side, in its own distances.
    """
    normals = directions(count, seed)
    spacing = radius * np.sqrt(4 * np.pi / count)
    rng = np.random.default_rng(seed + 1)
    means = middle + radius * (1 + jitter * rng.normal(size=(count, 1))) * normals
    scales = np.array([across * spacing, across * spacing, thickness * radius])
    factors = frames(normals) * scales
    moved, slope = motion(means, middle, radius)
    step = span * wall / 20
    along = step * np.arange(-20, 21)
    x, y = np.meshgrid(along, along)
    still = np.stack([x.ravel(), y.ravel(), np.full(x.size, wall)], -1)
    flat = np.broadcast_to(np.diag([step, step, thickness * radius]), (len(still), 3, 3))
    colors = np.concatenate([0.5 + 0.4 * normals, np.full(still.shape, 0.3)])
    opacities = np.concatenate([np.full(count, opacity), np.full(len(still), 0.99)])

    def together(means, factors):
        parts = np.concatenate([means, still]), np.concatenate([factors, flat]), opacities, colors
        return sf3d.gaussians.Gaussians(*(x.astype(dtype) for x in parts))

    return together(means, factors), together(moved, slope @ factors)


def truth(camera, next_camera, motion, *, middle=MIDDLE, radius=RADIUS, wall=WALL):
    """What the first camera sees of the sphere and the wall, and how it moves."""
    after = camera if next_camera is None else next_camera
    height, width = camera.size
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(float)
    pose, next_pose = (np.float64(c.world_to_camera) for c in (camera, after))
    slopes = (pixels - np.float64(camera.principal_point)) / np.float64(camera.focal)
    rays = np.concatenate([slopes, np.ones_like(slopes[..., :1])], -1) @ pose[:, :3]
    eye = -pose[:, 3] @ pose[:, :3]
    # |eye + z ray - middle|^2 = radius^2.
    a, b = (rays * rays).sum(-1), rays @ (eye - middle)
    root = b * b - a * ((eye - middle) @ (eye - middle) - radius**2)
    met = root > 0
    behind = (wall - eye[2]) / rays[..., 2]
    depth = np.where(met, -(b + np.sqrt(np.maximum(root, 0))) / a, behind)
    points = eye + depth[..., None] * rays
    moved = np.where(met[..., None], motion(points, middle, radius)[0], points)
    seen = moved @ next_pose[:, :3].T + next_pose[:, 3]
    place = np.float64(after.focal) * seen[..., :2] / seen[..., 2:] + np.float64(
        after.principal_point
    )
    vectors = (moved - points) @ pose[:, :3].T
    return Truth(1 / depth, place - pixels, 1 / seen[..., 2] - 1 / depth, vectors, met)


def further(region, pixels):
    """The pixels of a region that are further than so many pixels from those outside of it."""
    return cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5) > pixels


def errors(annotation, truth):
    """Per pixel: flow in pixels, depth in metres, 3D motion in metres."""
    inv_depth = np.where(annotation.valid, np.float64(annotation.inv_depth), 1)
    return (
        np.linalg.norm(np.float64(annotation.flow) - truth.flow, axis=-1),
        np.abs(1 / inv_depth - 1 / truth.inv_depth),
        np.linalg.norm(np.float64(annotation.scene_flow) - truth.scene_flow, axis=-1),
    )
