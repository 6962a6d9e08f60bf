"""Scenes of rigidly moving bodies for rigid.py: random ones in closed form, and a rendered one.

The inverse depth of a random scene is a smooth function of the pixel times a factor for each body,
and flow and change are those of the moved points, in float64. The rendered scene is that of
tests/assets, whose README says how it is stored.
"""

import pathlib
import sys
from typing import NamedTuple

import numpy as np

import sf3d_jax as sf3d

OBJECTS = pathlib.Path(__file__).resolve().parents[1] / "tests" / "assets" / "objects.npz"


class Scene(NamedTuple):
    """A scene and its truth; transforms take the points of a label to the second camera."""

    flow: np.ndarray
    inv_depth: np.ndarray
    change: np.ndarray
    valid: np.ndarray
    labels: np.ndarray
    transforms: np.ndarray
    camera: sf3d.Camera
    next_camera: sf3d.Camera

    @property
    def transform(self):
        return self.transforms[0]

    @property
    def static(self):
        return self.valid & (self.labels == 0)


def compose(second, first):
    """The transform that is `first`, then `second`; both (3, 4)."""
    turn = second[:, :3] @ first[:, :3]
    return np.c_[turn, second[:, :3] @ first[:, 3] + second[:, 3]]


def rotation(vector):
    """The rotation (3, 3) of a rotation vector in radians (Rodrigues)."""
    angle = np.linalg.norm(vector)
    x, y, z = vector
    hat = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    half = np.sinc(angle / 2 / np.pi)
    return np.eye(3) + np.sinc(angle / np.pi) * hat + 0.5 * half * half * hat @ hat


def make_scene(seed, size=(48, 64), *, turn=45.0, moving=0.3, bodies=None, one_camera=False):
    """A random scene of 1 to 4 bodies on a share of the pixels; turns in degrees, at most."""
    rng = np.random.default_rng(seed)
    bodies = rng.integers(1, 5) if bodies is None else bodies
    (first, second) = (draw_intrinsics(rng, size) for _ in range(2))
    second = first if one_camera else second
    where = draw_waves(rng, size)
    outside = where <= np.quantile(where, 1 - moving)
    body = np.argmax([draw_waves(rng, size) for _ in range(bodies)], axis=0)
    labels = np.where(outside, 0, 1 + body)
    nearer = np.concatenate([[1.0], rng.uniform(1.1, 2.0, bodies)])
    inv_depth = 0.2 * np.exp(0.8 * draw_waves(rng, size)) * nearer[labels]
    points = lift(inv_depth, *first)
    typical = np.median(points[labels == 0][:, 2])
    transforms = [draw_transform(rng, turn, 0.25 * typical)]
    for k in range(1, bodies + 1):
        own = points[labels == k]
        middle = own.mean(0) if len(own) else np.zeros(3)
        motion = draw_transform(rng, 20.0, 0.3 * typical, least=0.2)
        motion[:, 3] += middle - motion[:, :3] @ middle
        transforms.append(compose(transforms[0], motion))
    transforms = np.stack(transforms)
    moved = np.einsum("...ij,...j->...i", transforms[labels][..., :3], points)
    moved += transforms[labels][..., 3]
    valid = moved[..., 2] > 0.1 * points[..., 2]
    depth = np.where(valid, moved[..., 2], 1)
    pixels = moved[..., :2] / depth[..., None] * second[0] + second[1]
    flow = np.where(valid[..., None], pixels - make_grid(size), 0)
    change = np.where(valid, 1 / depth - inv_depth, 0)
    cameras = (
        sf3d.Camera.pinhole(*focal, *centre, size, pose)
        for (focal, centre), pose in ((first, np.eye(3, 4)), (second, transforms[0]))
    )
    return Scene(flow, inv_depth, change, valid, labels, transforms, *cameras)


def make_grid(size):
    """Pixel centres (H, W, 2) in float64."""
    return np.stack(np.meshgrid(*map(np.arange, size[::-1])), -1).astype(float)


def lift(inv_depth, focal, centre):
    """The points (H, W, 3) of the pixels."""
    slopes = (make_grid(inv_depth.shape) - centre) / focal
    return np.dstack([slopes, np.ones(inv_depth.shape)]) / inv_depth[..., None]


def draw_transform(rng, turn, shift, least=0.0):
    axis, direction = (x / np.linalg.norm(x) for x in rng.normal(size=(2, 3)))
    matrix = rotation(np.radians(turn * rng.uniform(least, 1)) * axis)
    return np.c_[matrix, shift * rng.uniform(0.3, 1) * direction]


def draw_intrinsics(rng, size):
    """Focal lengths and principal point, with pixels that are not square."""
    across = size[1] * rng.uniform(0.9, 1.4)
    focal = across * np.array([1, rng.uniform(0.8, 1.25)])
    return focal, (np.array(size[::-1]) - 1) * rng.uniform(0.4, 0.6, 2)


def draw_waves(rng, size):
    """A smooth random function of the pixel, between about -1 and 1."""
    v, u = np.mgrid[: size[0], : size[1]] / max(size)
    draws = rng.uniform([-2, -2, 0], [2, 2, 2 * np.pi], (6, 3))
    return sum(np.cos(2 * np.pi * (a * u + b * v) + phase) for a, b, phase in draws) / np.sqrt(6)


def add_noise(scene, seed, pixels=0.5, depth=0.02):
    """The scene with normal noise on the flow and, as a share, on the depths of both frames."""
    rng = np.random.default_rng(seed)
    flow = scene.flow + pixels * rng.normal(size=scene.flow.shape)
    first, second = 1 + depth * rng.normal(size=(2, *scene.inv_depth.shape))
    inv_depth = scene.inv_depth / first
    change = (scene.inv_depth + scene.change) / second - inv_depth
    return scene._replace(flow=flow, inv_depth=inv_depth, change=change)


def make_covariance(scene, pixels=0.5, depth=0.02):
    """The covariance (H, W, 4, 4) of (Fu, Fv, d, c) under the noise of `add_noise`."""
    first, second = ((depth * d) ** 2 for d in (scene.inv_depth, scene.inv_depth + scene.change))
    covariance = np.zeros((*first.shape, 4, 4))
    covariance[..., 0, 0] = covariance[..., 1, 1] = pixels**2
    covariance[..., 2, 2], covariance[..., 3, 3] = first, first + second
    covariance[..., 2, 3] = covariance[..., 3, 2] = -first
    return covariance


def read_objects():
    """The rendered scene: a ground and things that stay, a sphere and a cube that move."""
    if not OBJECTS.exists():
        sys.exit(f"{OBJECTS} is missing: run this in a checkout of the repository")
    with np.load(OBJECTS) as stored:
        arrays = {name: decode(stored, name) for name in stored if f"{name}_exponent" in stored}
        matrices = stored["K0"], stored["K1"]
        pose = (stored["world_to_camera1"] @ np.linalg.inv(stored["world_to_camera0"]))[:3]
        valid = stored["valid"]
    still = np.linalg.norm(arrays["scene_flow"], axis=-1) < 1e-5
    cameras = (
        sf3d.Camera.from_matrix(matrix, valid.shape, world_to_camera=np.eye(3, 4))
        for matrix in matrices
    )
    inv_depth = 1 / np.where(valid, arrays["depth0"], 1)
    change = arrays["inv_depth_change_fw"]
    labels = np.where(still, 0, 1)
    return Scene(arrays["flow_fw"], inv_depth, change, valid, labels, pose[None], *cameras)


def decode(stored, name):
    """A map in float64, from the four bytes of its differences along the rows."""
    planes = np.ascontiguousarray(np.moveaxis(stored[name], 0, -1))
    codes = planes.view("<u4")[..., 0].astype(np.int64)
    differences = (codes >> 1) ^ -(codes & 1)
    steps = np.cumsum(differences, axis=1).astype(float)
    return np.ldexp(steps, -int(stored[f"{name}_exponent"]))


def widen_pixels(scene):
    """Every second column, as of cameras whose pixels are twice as wide."""
    maps = (x[:, ::2] for x in scene[:5])
    flow, *others = maps
    cameras = (
        sf3d.Camera.pinhole(
            *(camera.focal / np.array([2, 1])),
            *(camera.principal_point / np.array([2, 1])),
            (camera.size[0], camera.size[1] // 2),
            np.eye(3, 4),
        )
        for camera in (scene.camera, scene.next_camera)
    )
    return Scene(flow * [0.5, 1], *others, scene.transforms, *cameras)


def turn_error(transform, truth):
    """The angle between two rotations, in degrees; exact for small ones."""
    left = np.float64(transform)[:, :3] @ np.float64(truth)[:, :3].T
    skew = left - left.T
    sine = np.linalg.norm([skew[2, 1], skew[0, 2], skew[1, 0]]) / 2
    return np.degrees(np.arctan2(sine, (np.trace(left) - 1) / 2))


def shift_error(transform, truth):
    """The distance between two translations, relative to the length of the true one."""
    difference = np.float64(transform)[:, 3] - truth[:, 3]
    return np.linalg.norm(difference) / np.linalg.norm(truth[:, 3])


def direction_error(transform, truth):
    """The angle between two translations, in degrees."""
    found, true = np.float64(transform)[:, 3], truth[:, 3]
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(found, true)), found @ true))


def f1_score(found, scene):
    """F1 of a mask of what is static, among the valid pixels."""
    found = found & scene.valid
    return 2 * (found & scene.static).sum() / (found.sum() + scene.static.sum())
