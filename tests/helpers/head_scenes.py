"""Real heads that move before a camera, drawn with Gaussians on their pieces, and their truth."""

from typing import NamedTuple

import cv2
import jax
import numpy as np
from helpers.meshes import find_parts
from helpers.ray_caster import cast_motion

import sf3d_jax as sf3d
from sf3d_jax import gaussians, head

# World axes have y down and z forward; those of the face model y up and z backwards.
TURN = np.array([1.0, -1, -1])
MILLIMETRES = 1e3


class Scene(NamedTuple):
    """A mesh at two times, in world axes, and its cameras.

    Attributes:
      rest: (V, 3), with the mouth open.
      states: two of (V, 3).
      faces: (T, 3).
      groups: (T), the parts of the mesh.
      open: (T), bool, parts with a rim, such as lashes, which have two sides.
      cameras: two.
    """

    rest: np.ndarray
    states: tuple
    faces: np.ndarray
    groups: np.ndarray
    open: np.ndarray
    cameras: tuple


def make_scene(rest, states, faces, cameras):
    groups, is_open = find_parts(faces, len(rest))
    return Scene(rest, states, faces, groups, is_open, cameras)


def rendered_head(shared_file):
    """The scene of Blender's head.npz, and its truth as stored."""
    truth, mesh = (np.load(shared_file(f"scenes/{name}.npz")) for name in ("head", "head_mesh"))
    with np.load(shared_file("models/ict_face.npz")) as model:
        names = model["expression_names"].tolist()
        jaw = 1e-6 * model["expressions_micrometres"][names.index("jawOpen")]
    rest = mesh["rest"] + 0.3 * jaw[: len(mesh["rest"])]
    cameras = [sf3d.Camera.from_matrix(truth[f"K{i}"], truth["valid"].shape) for i in (0, 1)]
    states = mesh["vertices0"], mesh["vertices1"]
    return make_scene(rest, states, mesh["faces"], cameras), dict(truth)


def random_head(shared_file, seed, size):
    """A person, an expression, its change, a turn of the head and a step of the camera."""
    rng = np.random.default_rng(seed)
    with np.load(shared_file("models/ict_face.npz")) as model:
        faces, names = model["faces"], model["expression_names"].tolist()
        shapes = 1e-6 * model["expressions_micrometres"]
        person = 0.7e-6 * np.tensordot(rng.normal(size=4), model["identities_micrometres"], 1)
        neutral = model["vertices"] + person
    jaw = names.index("jawOpen")
    weights = np.where(rng.random(len(names)) < 0.3, 0.8 * rng.random(len(names)), 0)
    weights[jaw] = 0.8 * rng.random()
    change = np.where(rng.random(len(names)) < 0.4, 0.08 * rng.normal(size=len(names)), 0)
    angles = rng.normal(size=3) * [0.12, 0.3, 0.06]
    turn = rng.normal(size=3) * [0.015, 0.02, 0.01]
    states = [
        (neutral + np.tensordot(np.clip(w, 0, 1), shapes, 1) - neutral.mean(0)) @ rotate(a).T
        for w, a in ((weights, angles), (weights + change, angles + turn))
    ]
    step = rotate(0.01 * rng.normal(size=3)), 0.004 * rng.normal(size=3)
    height, width = size
    poses = (np.eye(3), np.array([0, 0, 1.1])), (step[0], step[1] + [0, 0, 1.1])
    cameras = [
        sf3d.Camera.pinhole(
            *(3.1 * height, 3.1 * height, (width - 1) / 2, (height - 1) / 2, size),
            np.column_stack(pose),
        )
        for pose in poses
    ]
    rest = (neutral + 0.3 * shapes[jaw]) * TURN
    return make_scene(rest, tuple(x * TURN for x in states), faces, cameras)


def rotate(vector):
    return cv2.Rodrigues(vector)[0]


def single(tree):
    """The floating arrays in float32."""
    is_floating = lambda x: np.issubdtype(np.asarray(x).dtype, np.floating)
    return jax.tree.map(lambda x: np.float32(x) if is_floating(x) else x, tree)


def draw(scene, count, *, move=None, previous=None):
    """The annotation and the sure pixels, as the docstrings advise.

    `move(first, cover)` makes the Gaussians of the second time; None for carry.
    """
    cover = head.cover(scene.rest, scene.faces, count)
    first, second = single(scene.states)
    cameras = single(scene.cameras)
    features = head.surface_features(cover, scene.faces, scene.rest, scene.groups)
    keep = np.array(head.is_facing(cover, scene.faces, first, cameras[0]))
    keep |= scene.open[cover.triangles]
    carry = lambda x: head.carry(cover, scene.faces, x, np.ones((len(features), 1), np.float32))
    states = [carry(first)]
    states.append(carry(second) if move is None else move(states[0], cover))
    if previous is not None:
        states.append(carry(single(previous)))
    room = gaussians.room_for(int(keep.sum()))
    *states, features = head.select((*states, features), keep, room)
    annotation = gaussians.render_motion(
        *states[:2],
        *cameras,
        previous_gaussians=states[2] if previous is not None else None,
        features=features,
        antialias=True,
    )
    sure = head.sure_pixels(annotation, cameras[0])
    return jax.tree.map(np.asarray, annotation), np.asarray(sure)


def cast_scene(scene):
    return cast_motion(*scene.states, scene.faces, *scene.cameras)


class Errors(NamedTuple):
    """Errors of single pixels: flow in pixels, depth and motion in millimetres."""

    flow: np.ndarray
    depth: np.ndarray
    motion: np.ndarray


def find_errors(annotation, flow, depth, scene_flow, mask):
    """The errors of pixels of a mask."""
    length = lambda x: np.linalg.norm(np.float64(x)[mask], axis=-1)
    return Errors(
        length(annotation.flow - flow),
        MILLIMETRES * np.abs(1 / np.float64(annotation.inv_depth)[mask] - depth[mask]),
        MILLIMETRES * length(annotation.scene_flow - scene_flow),
    )
