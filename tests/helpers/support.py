"""What several tests share: float64, cameras, the definition of scene flow, the scenes."""

import copy
import dataclasses

import cv2
import jax
import jax.experimental
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.assets import rendered

import sf3d_jax as sf3d

# JAX moved it out of jax.experimental.
_enable_x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64


def float64():
    return _enable_x64(True)


SIZE = (24, 32)
MATRIX = np.array([[28.0, 0, 15.3], [0, 27.0, 11.8], [0, 0, 1]])
LENSES = {
    "pinhole": (None, None),
    "opencv": ([-0.3, 0.1, 0.001, -0.002, 0.02], "opencv"),
    "rational": (
        [0.1, -0.2, 0.001, -0.002, 0.02, 0.5, -0.1, 0.01, 0.001, 0.002, -0.001, 5e-4],
        "opencv",
    ),
    "fisheye": ([0.05, -0.01, 0.003, -0.001], "fisheye"),
}


def camera(lens="pinhole", pose=None, matrix=MATRIX, size=SIZE):
    distortion, model = LENSES[lens]
    return sf3d.Camera.from_matrix(
        matrix, size, world_to_camera=pose, distortion=distortion, model=model
    )


def unchecked(camera, **changes):
    """A camera with fields that its constructor refuses; JAX's functions of trees make such."""
    changed = copy.copy(camera)
    changed.__dict__.update(changes)
    return changed


def pose(rotation, translation):
    return np.c_[cv2.Rodrigues(np.array(rotation, float))[0], translation]


def chain(second, first):
    """The pose (3, 4) that does the first and then the second."""
    return np.c_[second[:, :3] @ first[:, :3], second[:, :3] @ first[:, 3] + second[:, 3]]


NEAR = pose([0.02, -0.03, 0.01], [0.05, -0.02, 0.03])


def cast(tree, dtype):
    return jax.tree.map(lambda x: jnp.asarray(x, dtype), tree)


def motion(size=SIZE, seed=0, batch=()):
    """Random (flow, inverse depth, change): float32 numbers, whatever the type wanted."""
    rng = np.random.default_rng(seed)
    shape = (*batch, *size)
    flow = rng.normal(size=(*shape, 2))
    inv_depth = rng.uniform(0.3, 1, size=shape)
    change = rng.uniform(-0.1, 0.1, size=shape)
    return tuple(np.float32(x) for x in (flow, inv_depth, change))


def opencv_matrix(camera):
    """K of a camera, for OpenCV."""
    matrix = np.diag([*np.float64(camera.focal), 1.0])
    matrix[:2, 2] = camera.principal_point
    return matrix


def opencv_rays(pixels, camera):
    """(x, y, 1) of pixels, by OpenCV; NaN where its iteration does not arrive."""
    matrix = opencv_matrix(camera)
    points = np.float64(pixels).reshape(-1, 1, 2)
    coefficients = None if camera.distortion is None else np.float64(camera.distortion)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-14)
    if camera.model == "fisheye":
        rays = cv2.fisheye.undistortPoints(points, matrix, coefficients, criteria=criteria)
    else:
        # OpenCV 5 folded the function with stopping criteria into undistortPoints.
        undistort = getattr(cv2, "undistortPointsIter", cv2.undistortPoints)
        names = {"R": None, "P": None, "criteria": criteria}
        rays = undistort(points, matrix, coefficients, **names)
    lifted = np.concatenate([rays, np.ones_like(rays[..., :1])], -1)
    project = cv2.fisheye.projectPoints if camera.model == "fisheye" else cv2.projectPoints
    back, _ = project(lifted, np.zeros(3), np.zeros(3), matrix, coefficients)
    missed = np.abs(back.reshape(points.shape) - points).max(-1) > 1e-9
    rays[missed] = np.nan
    rays = rays.reshape(*np.shape(pixels)[:-1], 2)
    return np.concatenate([rays, np.ones_like(rays[..., :1])], -1)


def grid(size=SIZE):
    return np.stack(np.meshgrid(np.arange(size[1]), np.arange(size[0])), -1).astype(float)


def definition(flow, inv_depth, change, camera, next_camera=None):
    """Scene flow as it is defined: lift both ends to the world in float64 and subtract."""
    flow, inv_depth, change = (np.float64(x) for x in (flow, inv_depth, change))
    start = opencv_rays(grid(camera.size), camera) / inv_depth[..., None]
    after = camera if next_camera is None else next_camera
    end = opencv_rays(grid(camera.size) + flow, after) / (inv_depth + change)[..., None]
    if next_camera is None:
        return end - start
    poses = [np.float64(c.world_to_camera) for c in (camera, next_camera)]
    world = [(x - p[:, 3]) @ p[:, :3] for x, p in zip((start, end), poses, strict=True)]
    return (world[1] - world[0]) @ poses[0][:, :3].T


def displacement(flow, inv_depth, change, camera, next_camera=None):
    """The length of X1 - X0 between the axes of the two cameras, in float64."""
    still = lambda c: dataclasses.replace(c, world_to_camera=np.eye(3, 4))
    other = None if next_camera is None else still(next_camera)
    return np.linalg.norm(definition(flow, inv_depth, change, still(camera), other), axis=-1)


def scene(name):
    """A rendered scene with exact truth: maps, cameras with the world at the first camera."""
    data = rendered(name)
    size = data["depth0"].shape
    relative = data["world_to_camera1"] @ np.linalg.inv(data["world_to_camera0"])
    first = sf3d.Camera.from_matrix(data["K0"], size)
    second = sf3d.Camera.from_matrix(data["K1"], size, world_to_camera=relative)
    valid = data["valid"]
    with np.errstate(divide="ignore"):
        inv_depth = np.where(valid, 1 / data["depth0"].astype(np.float64), 0)
    maps = data["flow_fw"], np.float32(inv_depth), data["inv_depth_change_fw"]
    return data, maps, first, second


def require_float16():
    """Skips a test where XLA has no float16: on x86 processors without F16C, from before 2012."""
    try:
        jax.jit(lambda x: x.astype(jnp.float16))(jnp.ones(3))
    except jax.errors.JaxRuntimeError:
        pytest.skip("XLA cannot convert to float16 on this processor")


def length(vectors):
    return np.linalg.norm(np.asarray(vectors, np.float64), axis=-1)


def as_numpy(tree):
    """The arrays of a result as NumPy's: JAX's of float64 are of no use outside `float64`."""
    return jax.tree.map(np.array, tree)
