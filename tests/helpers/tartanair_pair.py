"""Two views of a ball before a wall in TartanAir's files, written without the library.

The images are 90 degrees wide. Points are in the axes of the first camera.
"""

import json
from typing import NamedTuple

import numpy as np
from helpers.png import write_png
from helpers.support import chain, pose
from scipy.spatial.transform import Rotation

SIZE = (96, 128)
NAMES = ("000010_889036", "000020_892111")
WORLD = pose([0.4, -1.2, 0.3], [5.0, -2.0, 7.0])
STEP = pose([0.02, -0.05, 0.03], [0.2, -0.1, -0.3])
BALL, RADIUS = np.array([0.3, -0.2, 3.5]), 1.2
WALL = np.array([0.05, -0.1, 0.2])  # n of n . X = 1
# From the axes of the files (forward, right, down) to those of OpenCV.
TO_OPENCV = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])


class View(NamedTuple):
    """uint8 [H, W, 3], and planar depth [H, W] in metres."""

    image: np.ndarray
    depth: np.ndarray


def view(to_camera):
    """What a camera sees; its rays have z = 1, so that lengths in them are depths."""
    height, width = SIZE
    v, u = np.mgrid[:height, :width]
    slopes = [(u - width / 2) * 2 / width, (v - height / 2) * 2 / width]
    rays = np.stack([*slopes, np.ones(SIZE)], -1) @ to_camera[:, :3]
    start = -to_camera[:, 3] @ to_camera[:, :3]
    wall = (1 - start @ WALL) / (rays @ WALL)
    a, b = (rays**2).sum(-1), rays @ (BALL - start)
    root = b**2 - a * (((BALL - start) ** 2).sum() - RADIUS**2)
    depth = np.where(root > 0, (b - np.sqrt(np.maximum(root, 0))) / a, wall)
    return View(painted(start + depth[..., None] * rays), depth)


def painted(points):
    """Waves of 0.5 to 2 m through space."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(3, 8, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    waves = 2 * np.pi * directions / rng.uniform(0.5, 2, (3, 8, 1))
    levels = np.sin(np.tensordot(points, waves, (-1, -1)) + np.arange(8)).sum(-1)
    return np.uint8(np.rint(127.5 + 15 * levels))


def write_pair(root):
    """Writes images, depth, and 21 poses of which those of the pair are told by a list of names."""
    rng = np.random.default_rng(0)
    rows = np.c_[rng.normal(0, 9, (21, 3)), Rotation.random(21, random_state=0).as_quat()]
    for name, step in zip(NAMES, (np.eye(3, 4), STEP), strict=True):
        seen, to_camera = view(step), chain(step, WORLD)
        write_png(root / f"{name}_rgb.png", seen.image, filters=(1,))
        np.save(root / f"{name}_depth.npy", seen.depth.astype("<f4"))
        back = to_camera[:, :3].T
        place, quaternion = -back @ to_camera[:, 3], Rotation.from_matrix(back @ TO_OPENCV)
        rows[int(name[:6])] = [*place, *quaternion.as_quat()]
    np.save(root / "pose_wo_name.npy", rows)
    names = [f"{i:06}_{887749 + 131 * i}" for i in range(21)]
    names[10], names[20] = NAMES
    (root / "pose_name.json").write_text(json.dumps({"pose_name": names}))
