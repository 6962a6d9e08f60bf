"""3D scene flow from optical flow, inverse depth and its change, and back.

The pixel (u, v) of inverse depth d moves by the flow (Fu, Fv) while the inverse depth of its
surface point changes by c. With r = (x, y, 1) the ray of the pixel, dr the change of the ray,
z0 = 1/d and z1 = 1/(d + c), the point is displaced between the axes of the two cameras by

    s = X1 - X0 = (x dz + dx z1, y dz + dy z1, dz),    dz = -c z0 z1,

where dx = Fu/fx, dy = Fv/fy for one pinhole. All of it is products: z1 - z0 and the difference
of two unprojected points lose the digits of a small motion. With a second camera whose axes
are R, t from the first's, a still point is displaced by m = (R - I) X0 + t, and

    scene flow = R^-1 (s - m),    s = R (scene flow) + m.

Without one the camera is the reference, and scene flow = s.

Formulas: Vedula et al., "Three-dimensional scene flow" (PAMI 2005); inverse-depth change as
the third channel: Teed and Deng, "RAFT-3D" (CVPR 2021).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import (
    align_ranks,
    channels,
    channels_last,
    is_in_range,
    is_positive_finite,
    jit,
    mask,
    narrow,
    reciprocal,
    where_valid,
    widen,
)
from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.camera import Camera
from sf3d_jax.camera._maps import check_maps_of
from sf3d_jax.conversion._two_views import (
    TwoViews,
    move_still,
    pixel_change,
    ray_change,
    rotate,
    two_views,
)


class SceneFlow(NamedTuple):
    """The 3D motion of the surface point seen at each pixel of the first image.

    Attributes:
      vectors: (*b, H, W, 3), metres, in the axes of the first camera; 0 where not valid.
      valid: (*b, H, W), bool.
    """

    vectors: jax.Array
    valid: jax.Array


class ImageMotion(NamedTuple):
    """The image motion of surface points, on the grid of the first image.

    Attributes:
      flow: (*b, H, W, 2), pixels; 0 where not valid.
      inv_depth_change: (*b, H, W), 1/z1 - 1/z0 of the same point, per metre; 0 where not valid.
      valid: (*b, H, W), bool.
    """

    flow: jax.Array
    inv_depth_change: jax.Array
    valid: jax.Array


# A pixel (dx, dy, d, c) at which every formula is smooth: at rest, one metre away.
_STILL = (0.0, 0.0, 1.0, 0.0)


@jit
def scene_flow(
    flow: jax.Array,
    inv_depth: jax.Array,
    inv_depth_change: jax.Array,
    camera: Camera,
    next_camera: Camera | None = None,
) -> SceneFlow:
    """Lifts image motion to 3D: scene flow = R^-1 (s - m).

    s = X1 - X0 = (x dz + dx z1, y dz + dy z1, dz), with the ray (x, y, 1), its change (dx, dy)
    (Fu/fx, Fv/fy for one pinhole) and dz = -c z0 z1. (R, t) is the second camera's pose relative
    to the first, and m = (R - I) X0 + t the displacement of a static point.
    Source: Vedula et al. (PAMI 2005); Teed and Deng, "RAFT-3D" (CVPR 2021).

    Args:
      flow: (*b, H, W, 2), (Fu, Fv) in pixels, on the first image's grid.
      inv_depth: (*b, H, W), d = 1/z0, per metre.
      inv_depth_change: (*b, H, W), c = 1/z1 - 1/z0 of the same surface point, per metre.
      camera: first camera; its batch axes broadcast against *b.
      next_camera: second camera; its motion is removed, so a static world has zero scene flow. If
        None, the motion is relative to the camera (R = I, t = 0).

    Returns:
      The motion in metres, in the axes of the first camera and the dtype of the maps. A pixel is
      valid if its inputs are finite, both depths are between 3e-10 and 3e9 m (float32) and the
      lens is one-to-one at both ends. Invalid pixels are zero and pass no gradient; non-finite
      values in a camera make all pixels invalid.
    """
    dtype, batch = _check_motion(flow, inv_depth, inv_depth_change, camera, next_camera)
    flow, d0, c, camera, next_camera = widen(flow, inv_depth, inv_depth_change, camera, next_camera)
    between = two_views(camera, next_camera, len(batch))
    fu, fv, d0, c = align_ranks(*channels(flow), d0, c, rank=len(batch) + len(camera.size))
    parts, valid = lift(fu, fv, d0, c, between)
    vectors, valid = narrow(valid, channels_last(*parts), dtype)
    return SceneFlow(vectors, valid)


def lift(
    fu: jax.Array, fv: jax.Array, d0: jax.Array, c: jax.Array, between: TwoViews
) -> tuple[Vector, jax.Array]:
    """Lifts pixels; returns the three coordinates of scene flow and the validity."""
    dx, dy, seen = ray_change(fu, fv, between)
    valid = seen & is_positive_finite(d0) & is_positive_finite(d0 + c)
    return where_valid(_lift_pixel, _STILL, valid, (dx, dy, d0, c), between), valid


def _lift_pixel(
    dx: jax.Array, dy: jax.Array, d0: jax.Array, c: jax.Array, between: TwoViews
) -> Vector:
    both = reciprocal(d0 * (d0 + c))
    z0, z1, dz = (d0 + c) * both, d0 * both, -c * both
    seen = (between.x * dz + dx * z1, between.y * dz + dy * z1, dz)
    if between.motion is None:
        return seen
    moved = tuple(s - z0 * m for s, m in zip(seen, move_still(d0, between.motion), strict=True))
    return rotate(moved, between.motion.back)


@jit
def image_motion(
    vectors: jax.Array,
    inv_depth: jax.Array,
    camera: Camera,
    next_camera: Camera | None = None,
) -> ImageMotion:
    """Projects 3D motion into the image; the inverse of `scene_flow`.

    With s = R (scene flow) + m and e = d s_z: c = -d e / (1 + e), and the ray r = (x, y, 1) changes
    by dr = (dx, dy, 0) = d (s - r s_z) / (1 + e). Without distortion and with equal intrinsics,
    Fu = fx dx. (R, t) is the second camera's pose relative to the first, and m = (R - I) X0 + t.

    Args:
      vectors: (*b, H, W, 3), scene flow in metres, in the axes of the first camera.
      inv_depth: (*b, H, W), d = 1/z0, per metre.
      camera: first camera; its batch axes broadcast against *b.
      next_camera: second camera; if None, the motion is relative to the camera (R = I, t = 0).

    Returns:
      Flow in pixels and inverse-depth change per metre, in the dtype of the maps. A pixel is
      valid if its inputs are finite, both depths are between 3e-10 and 3e9 m (float32) and the
      lens is one-to-one at both ends, even if the point leaves the image. Invalid pixels are zero
      and pass no gradient.
    """
    dtype, batch = check_maps_of(
        camera, next_camera, vectors=(vectors, 3), inv_depth=(inv_depth, 0)
    )
    vectors, d0, camera, next_camera = widen(vectors, inv_depth, camera, next_camera)
    between = two_views(camera, next_camera, len(batch))
    rank = len(batch) + len(camera.size)
    d0, finite = align_ranks(d0, is_in_range(vectors).all(-1), rank=rank)
    moved = align_ranks(*channels(vectors), rank=rank)
    usable = is_positive_finite(d0) & finite & between.valid
    moved, d0 = mask(usable, (moved, d0), ((0, 0, 0), 1))
    if between.motion is not None:
        moved = rotate(moved, between.motion.turn)
    scaled = tuple(d0 * a for a in moved)
    if between.motion is not None:
        scaled = tuple(a + b for a, b in zip(scaled, move_still(d0, between.motion), strict=True))
    return project_scaled(scaled, d0, usable, between, dtype)


@jit
def rigid_motion(inv_depth: jax.Array, camera: Camera, next_camera: Camera) -> ImageMotion:
    """The image motion of a static scene between two cameras: X1 = R X0 + t, projected.

    (R, t) is the second camera's pose relative to the first, and X0 = (x, y, 1) / d. This equals
    `image_motion` of zero scene flow.

    Args:
      inv_depth: (*b, H, W), d = 1/z0, per metre.
      camera: first camera; its batch axes broadcast against *b.
      next_camera: second camera.

    Returns:
      Flow in pixels and inverse-depth change per metre, in the dtype of inv_depth. A pixel is
      valid if both depths are between 3e-10 and 3e9 m (float32) and the lens is one-to-one at
      both ends, even if the point leaves the image. Invalid pixels are zero and pass no gradient.
    """
    dtype, batch = check_maps_of(camera, next_camera, inv_depth=(inv_depth, 0))
    d0, camera, next_camera = widen(inv_depth, camera, next_camera)
    between = two_views(camera, next_camera, len(batch))
    assert between.motion is not None
    (d0,) = align_ranks(d0, rank=len(batch) + len(camera.size))
    usable = is_positive_finite(d0) & between.valid
    d0 = mask(usable, d0, 1)
    return project_scaled(move_still(d0, between.motion), d0, usable, between, dtype)


def project_scaled(
    scaled: Vector, d0: jax.Array, usable: jax.Array, between: TwoViews, dtype: jnp.dtype
) -> ImageMotion:
    """Projects d s, the displacement times the inverse depth, to image motion."""
    # The ratio of the depths is negative for points behind the second camera.
    ratio = 1 + scaled[2]
    valid = usable & is_positive_finite(ratio) & is_positive_finite(d0 * reciprocal(ratio))
    if between.has_distortion:
        sx, sy, sz, safe_d0 = mask(valid, (*scaled, d0), _PROJECTED_STILL)
        dx, dy, _ = _project_displacement(sx, sy, sz, safe_d0, between)
        valid = valid & between.after.is_one_to_one(between.x + dx, between.y + dy)
    fu, fv, change = where_valid(_move_pixel, _PROJECTED_STILL, valid, (*scaled, d0), between)
    (flow, change), valid = narrow(valid, (channels_last(fu, fv), change), dtype)
    return ImageMotion(flow, change, valid)


# (d sx, d sy, d sz, d) of the same pixel.
_PROJECTED_STILL = (0.0, 0.0, 0.0, 1.0)


def _project_displacement(
    sx: jax.Array, sy: jax.Array, sz: jax.Array, d0: jax.Array, between: TwoViews
) -> Vector:
    """The changes of ray and inverse depth caused by d s, displacement times inverse depth."""
    nearer = reciprocal(1 + sz)
    return (sx - between.x * sz) * nearer, (sy - between.y * sz) * nearer, -sz * (d0 * nearer)


def _move_pixel(
    sx: jax.Array, sy: jax.Array, sz: jax.Array, d0: jax.Array, between: TwoViews
) -> Vector:
    dx, dy, change = _project_displacement(sx, sy, sz, d0, between)
    return *pixel_change(dx, dy, between), change


@jit
def scene_flow_covariance(
    flow: jax.Array,
    inv_depth: jax.Array,
    inv_depth_change: jax.Array,
    camera: Camera,
    covariance: jax.Array,
    next_camera: Camera | None = None,
) -> jax.Array:
    """Propagates a covariance of the inputs to the scene flow, to first order: J covariance J^T.

    J (3 x 4) is the derivative of `scene_flow` by (Fu, Fv, d, c).

    Args:
      flow: (*b, H, W, 2), (Fu, Fv) in pixels.
      inv_depth: (*b, H, W), d = 1/z0, per metre.
      inv_depth_change: (*b, H, W), c = 1/z1 - 1/z0 of the same surface point, per metre.
      camera: first camera; its batch axes broadcast against *b.
      covariance: covariance of (Fu, Fv, d, c), (*b, H, W, 4, 4) or one (4, 4) for all pixels; or
        its diagonal alone, the variances, (*b, H, W, 4) or one (4,).
      next_camera: second camera; if None, the motion is relative to the camera.

    Returns:
      (*b, H, W, 3, 3) in square metres, symmetric, in the dtype of the maps. Zero, and without a
      gradient, where `scene_flow` is not valid or the covariance is not finite.
    """
    dtype, maps = _check_motion(flow, inv_depth, inv_depth_change, camera, next_camera)
    check_array("covariance", covariance)
    entries, batch = _split_covariance(covariance, camera.size, flow.ndim)
    batch = check_batch(**{"maps and cameras": maps, "covariance": batch})
    entries, flow, d0, c, camera, next_camera = widen(
        entries, flow, inv_depth, inv_depth_change, camera, next_camera
    )
    between = two_views(camera, next_camera, len(batch))
    rank = len(batch) + len(camera.size)
    entries = dict(zip(entries, align_ranks(*entries.values(), rank=rank), strict=True))
    of_pixels = lambda fu, fv, d0, c: lift(fu, fv, d0, c, between)
    fu, fv, d0, c = align_ranks(*channels(flow), d0, c, rank=rank)
    pixels = fu, fv, *jnp.broadcast_arrays(d0, c)
    _, push, valid = jax.linearize(of_pixels, *pixels, has_aux=True)
    for entry in jax.tree.leaves(entries):
        valid = valid & is_in_range(entry)
    entries = mask(valid, entries)

    unit = lambda k: [jnp.full_like(x, i == k) for i, x in enumerate(pixels)]
    columns = [mask(valid, push(*unit(k))) for k in range(4)]
    spread = {
        (i, j): sum(a * columns[k][i] * columns[m][j] for (k, m), a in entries.items())
        for i in range(3)
        for j in range(i, 3)
    }
    result = channels_last(*(spread[min(i, j), max(i, j)] for i in range(3) for j in range(3)))
    result, _ = narrow(valid, result, dtype)
    return result.reshape(*result.shape[:-1], 3, 3)


def _split_covariance(
    covariance: jax.Array, size: tuple[int, int], flow_axes: int
) -> tuple[dict[tuple[int, int], jax.Array], tuple[int, ...]]:
    """Splits a covariance into entries by (row, column); returns them and its batch shape.

    Variances give the entries of the diagonal. For an image of 4 x 4 pixels, variances and
    covariances can have the same shape; then an array with as many axes as the flow is variances.
    """
    shape = covariance.shape
    full = shape == (4, 4) or shape[-4:] == (*size, 4, 4)
    variances = shape == (4,) or shape[-3:] == (*size, 4)
    if variances and (not full or len(shape) == flow_axes):
        return {(k, k): covariance[..., k] for k in range(4)}, shape[:-3]
    if full:
        entries = {(k, m): covariance[..., k, m] for k in range(4) for m in range(4)}
        return entries, shape[:-4]
    height, width = size
    raise ValueError(
        f"covariance: expected shape (..., {height}, {width}, 4, 4) or (..., {height}, {width}, 4),"
        f" or one (4, 4) or (4,) for all pixels, got {shape}"
    )


def _check_motion(
    flow: jax.Array,
    inv_depth: jax.Array,
    inv_depth_change: jax.Array,
    camera: Camera,
    next_camera: Camera | None,
) -> tuple[jnp.dtype, tuple[int, ...]]:
    """Checks the inputs of `scene_flow`; returns the dtype and the batch shape of its result."""
    return check_maps_of(
        camera,
        next_camera,
        flow=(flow, 2),
        inv_depth=(inv_depth, 0),
        inv_depth_change=(inv_depth_change, 0),
    )
