"""Poses of cameras: in float64 if all are NumPy's, else by `se3`."""

import jax
import numpy as np

from sf3d_jax._numerics import Array, jit
from sf3d_jax.se3.transforms import between, compose, inverse


def find_center(pose: Array) -> Array:
    """-R^T t of poses (*b, 3, 4)."""
    if isinstance(pose, np.ndarray):
        wide = pose.astype(np.float64)
        return -(wide[..., :3].swapaxes(-1, -2) @ wide[..., 3:])[..., 0].astype(pose.dtype)
    return _find_center(pose)


@jit
def _find_center(pose: jax.Array) -> jax.Array:
    return inverse(pose)[..., 3]


def compose_poses(transform: Array, pose: Array) -> Array:
    """The pose by `pose`, then by `transform`, in the dtype of the pose."""
    if isinstance(transform, np.ndarray) and isinstance(pose, np.ndarray):
        second, first = transform.astype(np.float64), pose.astype(np.float64)
        product = second[..., :3] @ first
        product[..., 3] += second[..., 3]
        return product.astype(pose.dtype)
    moved = compose(*_place(transform, pose))
    return moved.astype(pose.dtype) if isinstance(pose, jax.Array) else moved


def relate_poses(pose: Array, other: Array) -> Array:
    """The transform from the axes of one pose to those of another."""
    if isinstance(pose, np.ndarray) and isinstance(other, np.ndarray):
        first, second = pose.astype(np.float64), other.astype(np.float64)
        change = second - first
        turn = change[..., :3] @ first[..., :3].swapaxes(-1, -2)
        shift = change[..., 3:] - turn @ first[..., 3:]
        relative = np.concatenate([turn + np.eye(3), shift], axis=-1)
        widest = max(pose.dtype, other.dtype, key=lambda dtype: dtype.itemsize)
        return relative.astype(widest)
    return between(*_place(pose, other))


def _place(*arrays: Array) -> list[jax.Array]:
    """Sends NumPy's arrays to the device explicitly, as a transfer guard may demand."""
    return [x if isinstance(x, jax.Array) else jax.device_put(x) for x in arrays]
