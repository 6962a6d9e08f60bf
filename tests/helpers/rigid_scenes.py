"""Random scenes of rigidly moving bodies, in closed form and float64, with exact truth.

The inverse depth of a scene is a smooth function of the pixel times a factor for each body. A
static point goes from X0 to X1 = R X0 + t between the axes of the two cameras; a point of body k is
first moved by the body's own transform. Flow and inverse-depth change are those of X0 and X1,
whether or not the point leaves the image.
"""

from typing import NamedTuple

import numpy as np

import sf3d_jax as sf3d

# A point nearer to the second camera than this share of its depth has no sound pixel there.
_NEAREST = 0.1
_WAVES = 6
_MOST_BODIES = 4


class RigidScene(NamedTuple):
    """A scene and its truth.

    Attributes:
      flow: (H, W, 2), pixels; 0 where not valid.
      inv_depth: (H, W), per metre, of the first frame.
      change: (H, W), per metre; 0 where not valid.
      static: (H, W), bool, what does not move, among the valid pixels.
      valid: (H, W), bool, where the point is before the second camera.
      transform: (3, 4), [R | t], from the first camera's axes to the second's.
      labels: (H, W), 0 for what is static, k for body k.
      transforms: (bodies + 1, 3, 4), what takes the points of each label to the second camera.
      camera: the first camera.
      next_camera: the second camera; its pose is `transform`.
    """

    flow: np.ndarray
    inv_depth: np.ndarray
    change: np.ndarray
    static: np.ndarray
    valid: np.ndarray
    transform: np.ndarray
    labels: np.ndarray
    transforms: np.ndarray
    camera: sf3d.Camera
    next_camera: sf3d.Camera


def rigid_scene(seed, size=(48, 64), *, turn=45.0, moving=0.3, bodies=None):
    """A random scene.

    Args:
      seed: of the random numbers.
      size: (H, W) of the images.
      turn: largest turn of the camera, in degrees; the turn is uniform up to this.
      moving: share of the pixels that belong to moving bodies.
      bodies: number of moving bodies; if None, 1 to 4.

    Returns:
      The scene, in float64.
    """
    rng = np.random.default_rng(seed)
    bodies = rng.integers(1, _MOST_BODIES + 1) if bodies is None else bodies
    camera, next_camera = (_random_intrinsics(rng, size) for _ in range(2))
    labels = _random_labels(rng, size, moving, bodies)
    nearer = np.concatenate([[1.0], rng.uniform(1.1, 2.0, bodies)])
    inv_depth = 0.2 * np.exp(0.8 * _smooth(rng, size)) * nearer[labels]
    points = _unproject(inv_depth, camera)
    typical = np.median(points[labels == 0][:, 2])
    transform = _random_transform(rng, turn, 0.25 * typical)
    transforms = [transform]
    for k in range(1, bodies + 1):
        own = points[labels == k]
        centre = own.mean(0) if len(own) else np.zeros(3)
        motion = _random_transform(rng, 20.0, 0.3 * typical, least=0.2)
        motion[:, 3] += centre - motion[:, :3] @ centre
        transforms.append(compose(transform, motion))
    transforms = np.stack(transforms)
    next_camera = _with_pose(next_camera, transform)
    return _see(points, inv_depth, labels, transforms, camera, next_camera)


def add_noise(scene, seed, *, pixels=0.5, depth=0.02):
    """The scene with independent normal noise: on the flow, and on the depths of both frames.

    Args:
      scene: a scene, or any tuple with its fields.
      seed: of the random numbers.
      pixels: standard deviation of both components of the flow, in pixels.
      depth: standard deviation of either depth, relative to it.

    Returns:
      The scene with other `flow`, `inv_depth` and `change`; the rest is the truth still.
    """
    rng = np.random.default_rng(seed)
    flow = scene.flow + pixels * rng.normal(size=scene.flow.shape)
    first, second = 1 + depth * rng.normal(size=(2, *scene.inv_depth.shape))
    inv_depth = scene.inv_depth / first
    change = (scene.inv_depth + scene.change) / second - inv_depth
    return scene._replace(flow=flow, inv_depth=inv_depth, change=change)


def noise_covariance(scene, *, pixels=0.5, depth=0.02):
    """The covariance (H, W, 4, 4) of (Fu, Fv, d, c) that `add_noise` has, to first order."""
    first, second = ((depth * d) ** 2 for d in (scene.inv_depth, scene.inv_depth + scene.change))
    covariance = np.zeros((*first.shape, 4, 4))
    covariance[..., 0, 0] = covariance[..., 1, 1] = pixels**2
    covariance[..., 2, 2], covariance[..., 3, 3] = first, first + second
    covariance[..., 2, 3] = covariance[..., 3, 2] = -first
    return covariance


def turn_error(transform, truth):
    """The angle between two rotations, in degrees; exact for small ones."""
    left = np.float64(transform)[..., :3] @ np.swapaxes(np.float64(truth)[..., :3], -1, -2)
    vee = lambda m: np.stack([m[..., 2, 1], m[..., 0, 2], m[..., 1, 0]], -1)
    sine = np.linalg.norm(vee(left - np.swapaxes(left, -1, -2)), axis=-1) / 2
    cosine = (np.trace(left, axis1=-2, axis2=-1) - 1) / 2
    return np.degrees(np.arctan2(sine, cosine))


def shift_error(transform, truth):
    """The distance between two translations, relative to the length of the true one."""
    difference = np.float64(transform)[..., 3] - np.float64(truth)[..., 3]
    return np.linalg.norm(difference, axis=-1) / np.linalg.norm(truth[..., 3], axis=-1)


def f1_score(found, truth, valid):
    """F1 of a mask among the valid pixels."""
    found, truth = found & valid, truth & valid
    return 2 * (found & truth).sum() / max(found.sum() + truth.sum(), 1)


def compose(second, first):
    """The transform that is `first`, then `second`; both (3, 4)."""
    return np.hstack([second[:, :3] @ first[:, :3], second[:, :3] @ first[:, 3:] + second[:, 3:]])


def rotation(vector):
    """The rotation (3, 3) of a rotation vector in radians (Rodrigues)."""
    angle = np.linalg.norm(vector)
    x, y, z = vector
    hat = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    half = np.sinc(angle / 2 / np.pi)
    return np.eye(3) + np.sinc(angle / np.pi) * hat + 0.5 * half * half * hat @ hat


def _random_transform(rng, turn, shift, least=0.0):
    """A random transform [R | t] of at most a turn in degrees and of a shift in metres."""
    axis, direction = (x / np.linalg.norm(x) for x in rng.normal(size=(2, 3)))
    matrix = rotation(np.radians(turn * rng.uniform(least, 1)) * axis)
    return np.hstack([matrix, (shift * rng.uniform(0.3, 1) * direction)[:, None]])


def _random_intrinsics(rng, size):
    height, width = size
    fx = width * rng.uniform(0.9, 1.4)
    fy = fx * rng.uniform(0.8, 1.25)
    cx, cy = (np.array([width, height]) - 1) * rng.uniform(0.4, 0.6, 2)
    return sf3d.Camera.pinhole(fx, fy, cx, cy, size, np.eye(3, 4))


def _with_pose(camera, transform):
    (fx, fy), (cx, cy) = camera.focal, camera.principal_point
    return sf3d.Camera.pinhole(fx, fy, cx, cy, camera.size, transform)


def _smooth(rng, size):
    """A smooth random function of the pixel, between about -1 and 1."""
    v, u = np.mgrid[: size[0], : size[1]] / max(size)
    waves = [
        np.cos(2 * np.pi * (a * u + b * v) + phase)
        for a, b, phase in rng.uniform([-2, -2, 0], [2, 2, 2 * np.pi], (_WAVES, 3))
    ]
    return np.sum(waves, axis=0) / np.sqrt(_WAVES)


def _random_labels(rng, size, moving, bodies):
    """0, or the body of a pixel; the bodies cover the given share of the pixels."""
    where = _smooth(rng, size)
    outside = where <= np.quantile(where, 1 - moving) if bodies else np.ones(size, bool)
    body = np.argmax([_smooth(rng, size) for _ in range(max(bodies, 1))], axis=0)
    return np.where(outside, 0, 1 + body)


def _unproject(inv_depth, camera):
    v, u = np.mgrid[: camera.size[0], : camera.size[1]]
    (fx, fy), (cx, cy) = camera.focal, camera.principal_point
    ray = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones(camera.size)], -1)
    return ray / inv_depth[..., None]


def _see(points, inv_depth, labels, transforms, camera, next_camera):
    own = transforms[labels]
    moved = np.einsum("...ij,...j->...i", own[..., :3], points) + own[..., 3]
    valid = moved[..., 2] > _NEAREST * points[..., 2]
    depth = np.where(valid, moved[..., 2], 1)
    v, u = np.mgrid[: camera.size[0], : camera.size[1]]
    pixels = moved[..., :2] / depth[..., None] * next_camera.focal + next_camera.principal_point
    flow = np.where(valid[..., None], pixels - np.stack([u, v], -1), 0)
    return RigidScene(
        flow=flow,
        inv_depth=inv_depth,
        change=np.where(valid, 1 / depth - inv_depth, 0),
        static=valid & (labels == 0),
        valid=valid,
        transform=transforms[0],
        labels=labels,
        transforms=transforms,
        camera=camera,
        next_camera=next_camera,
    )
