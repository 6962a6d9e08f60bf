"""The motion of the camera, from the image motion of a scene in which some things move.

A static point goes from X0 to X1 = R X0 + t between the axes of the two cameras. With the ray r of
its pixel, its inverse depth d and D = R - I,

    m = D r + d t,    dr = (m_xy - r_xy m_z) / (1 + m_z),    c = -d m_z / (1 + m_z)

are the changes of its ray and of its inverse depth. (R, t) minimises a robust function of the
difference between the ray change of the flow and dr, in pixels of the second camera.
"""

from typing import NamedTuple

import jax

from sf3d_jax._checks import check_array, check_batch, check_mask
from sf3d_jax._numerics import jit, narrow, widen
from sf3d_jax.camera import Camera
from sf3d_jax.camera._maps import check_maps_of
from sf3d_jax.conversion.scene_flow import split_covariance
from sf3d_jax.rigid import _ego, _epipolar


class EgoMotion(NamedTuple):
    """The motion of the camera between two frames, and what does not follow from it.

    Attributes:
      transform: (*b, 3, 4), [R | t], from the first camera's axes to the second's: X1 = R X0 + t;
        t in metres, or of length 1 without depth. [I | 0] where not valid. The camera of the
        second image is `camera.moved(transform)`, if its intrinsics are the same.
      static: (*b, H, W), how surely a pixel shows what does not move, from 0 to 1; `static > 0.5`
        is the mask of static pixels. 0 where a pixel does not count, and where not valid: so the
        moving ones are those of `static <= 0.5` that count, such as those with depth.
      residual: (*b, H, W, 3), metres, the scene flow that is left, in the axes of the first camera;
        0 where a pixel does not count, and where not valid. None without depth.
      valid: (*b), bool, whether the pixels determine the motion.
    """

    transform: jax.Array
    static: jax.Array
    residual: jax.Array | None
    valid: jax.Array


class RigidChange(NamedTuple):
    """The inverse-depth change of a body that moves rigidly.

    Attributes:
      inv_depth_change: (*b, H, W), per metre; 0 where not valid.
      valid: (*b, H, W), bool, the given pixels with depth, if they determine the motion.
    """

    inv_depth_change: jax.Array
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
    """Finds the motion of the camera, X1 = R X0 + t, that most pixels follow.

    The residual e of a pixel is the difference between its flow and that of a static point, in
    pixels. (R, t) solves sum(w J^T e) = 0 with the weights

        w = exp(-|e|^2 / 2 (3 s)^2 - |p|^2 / 2 (2 s_p)^2),

    where p is the mean of e over 5 x 5 pixels times the root of their number, which shows what
    moves slowly, and s and s_p are standard deviations from lower quartiles, at least 0.002 px.
    A pixel is static with exp2(-|p|^2 / (3.5 s_p)^2 - |e|^2 / (3.5 s)^2). Starts are the best of
    fixed samples: 1024 of 4 pixels, or 256 of 3 points with the change. Up to 45 % of the pixels
    may move.

    Args:
      flow: (*b, H, W, 2), (Fu, Fv) in pixels, on the first image's grid.
      inv_depth: (*b, H, W), d = 1/z0, per metre. If None, the motion is found from epipolar lines;
        the length of t is then unknown and stated as 1.
      camera: first camera; its batch axes broadcast against *b.
      next_camera: camera with the intrinsics of the second image; its pose is not used. If None,
        they are those of the first.
      inv_depth_change: (*b, H, W), c, per metre; helps to find the start, and with a covariance
        it is a third residual. If None, `residual` takes the change of a static point.
      covariance: covariance of (Fu, Fv, d, c), (*b, H, W, 4, 4) or (4, 4), or variances,
        (*b, H, W, 4) or (4,); a common factor does not matter. It whitens e; then s is at least
        0.002 standard deviations. Pass the exp of a network's log-variances: where the covariance
        of e is not positive definite, as with a negative variance, the pixel does not count. If
        None, both components of the flow have the same variance.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      EgoMotion in the dtype of the maps. A pixel counts if its inputs are finite, its depths are
      between 3e-10 and 3e9 m (float32) and the lens is one-to-one at both ends; others are as if
      absent. The estimate is valid if three or more pixels count and fix all six degrees of
      freedom. Derivatives are those of the solution (implicit function theorem), not of the steps.
      Without depth, e is the distance from the epipolar line in the second image, n . r1 / sqrt(n^T
      V n) with n = t x R r0 and V the covariance of the ray r1. Then `residual` is None, eight
      pixels must count, variances of the flow count from 3e-10 px^2, and a mere turn, which has no
      direction of t, is not valid; nor is a translation that moves pixels by less than the noise,
      or than about 0.004 px. Two motions fit a scene that is one plane. If one of them puts a part
      of the plane behind the camera, the result is the other one; if not, it is either, degrees
      from the other, and valid. With depth, a plane has one motion.
    """
    optional = {"inv_depth": inv_depth, "inv_depth_change": inv_depth_change}
    given = {name: (x, 0) for name, x in optional.items() if x is not None}
    dtype, batch = check_maps_of(camera, next_camera, flow=(flow, 2), **given)
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
        if inv_depth_change is not None:
            raise ValueError("inv_depth_change: expected None without inv_depth, got an array")
        wide = widen(flow, camera, next_camera, entries)
        transform, static, known = _epipolar.estimate(*wide, valid, batch)
        return EgoMotion(transform.astype(dtype), static.astype(dtype), None, known)
    maps_and_cameras = widen(flow, inv_depth, inv_depth_change, entries, camera, next_camera)
    found = _ego.estimate(*maps_and_cameras, valid, batch)
    transform, static, residual = (x.astype(dtype) for x in found[:3])
    return EgoMotion(transform, static, residual, found[3])


@jit
def rigid_change(
    flow: jax.Array, inv_depth: jax.Array, camera: Camera, *, valid: jax.Array | None = None
) -> RigidChange:
    """The inverse-depth change of a rigid body, such as a moving head, from flow and first depth.

    This is the change c = -d m_z / (1 + m_z) of the motion (R, t) that `ego_motion` finds for the
    given pixels, m = (R - I) r + d t.

    Args:
      flow: (*b, H, W, 2), (Fu, Fv) in pixels, on the first image's grid.
      inv_depth: (*b, H, W), d = 1/z0, per metre.
      camera: camera of both images; its batch axes broadcast against *b.
      valid: (*b, H, W), bool, the pixels of the body; all if None. Up to 45 % of them may not
        follow it, and get its change too.

    Returns:
      RigidChange in the dtype of the maps, with the derivative of the motion. A pixel is valid if
      it counts for `ego_motion` and its point stays before the camera; none is where the pixels
      do not determine a motion.
    """
    dtype, batch = check_maps_of(camera, None, flow=(flow, 2), inv_depth=(inv_depth, 0))
    if valid is not None:
        check_mask("valid", valid, camera.size)
        batch = check_batch(**{"maps and cameras": batch, "valid": valid.shape[:-2]})
    flow, inv_depth, camera = widen(flow, inv_depth, camera)
    change, known = _ego.estimate_change(flow, inv_depth, camera, valid, batch)
    change, known = narrow(known, change, dtype)
    return RigidChange(change, known)
