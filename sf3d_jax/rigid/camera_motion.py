"""The motion of the camera, from the image motion of a scene in which some things move.

A static point goes from X0 to X1 = R X0 + t between the axes of the two cameras. With the ray r of
its pixel, its inverse depth d and D = R - I,

    m = D r + d t,    dr = (m_xy - r_xy m_z) / (1 + m_z),

is the change of its ray. (R, t) minimises a robust function of the difference between the ray
change of the flow and dr, in pixels of the second camera.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, check_batch, check_mask
from sf3d_jax._numerics import jit, widen
from sf3d_jax.camera import Camera
from sf3d_jax.camera._maps import check_maps_of
from sf3d_jax.conversion.scene_flow import split_covariance
from sf3d_jax.rigid import _epipolar


class EgoMotion(NamedTuple):
    """The motion of the camera between two frames, and what does not follow from it.

    Attributes:
      transform: (*b, 3, 4), [R | t], from the first camera's axes to the second's: X1 = R X0 + t;
        t in metres. [I | 0] where not valid.
      static: (*b, H, W), how surely a pixel shows what does not move, from 0 to 1; `static > 0.5`
        is the mask.
      residual: (*b, H, W, 3), metres, the scene flow that is left, in the axes of the first camera.
      valid: (*b), bool, whether the pixels determine the motion.
    """

    transform: jax.Array
    static: jax.Array
    residual: jax.Array | None
    valid: jax.Array


@jit
def ego_motion(
    flow: jax.Array,
    inv_depth: jax.Array | None,
    camera: Camera,
    next_camera: Camera | None = None,
    *,
    inv_depth_change: jax.Array | None = None,
    covariance: jax.Array | None = None,
    valid: jax.Array | None = None,
) -> EgoMotion:
    """Finds the motion of the camera."""
    maps = {
        "flow": (flow, 2),
        "inv_depth": (inv_depth, 0),
        "inv_depth_change": (inv_depth_change, 0),
    }
    dtype, batch = check_maps_of(
        camera, next_camera, **{name: (x, n) for name, (x, n) in maps.items() if x is not None}
    )
    entries = None
    batches = {"maps and cameras": batch}
    if covariance is not None:
        check_array("covariance", covariance)
        entries, batches["covariance"] = split_covariance(covariance, camera.size, flow.ndim)
    if valid is not None:
        check_mask("valid", valid, camera.size)
        batches["valid"] = valid.shape[:-2]
    batch = check_batch(**batches)
    if inv_depth is None:
        wide = widen(flow, camera, next_camera, entries)
        transform, static, known = _epipolar.estimate(*wide, valid, batch)
        return EgoMotion(transform.astype(dtype), static.astype(dtype), None, known)
    raise NotImplementedError
