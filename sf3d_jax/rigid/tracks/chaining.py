"""Two steps of motion made one.

A point at p moves by F1 to q = p + F1, where the second step takes it on. With m = d (X1 - X0) of
the second step sampled at q, the ray r1 of q and the inverse depth d1 = d + c1 of the point,

    F = F1 + (the motion of the pixel q whose ray changes by (m_xy - r1_xy m_z) / (1 + m_z)),
    c = c1 - d1 m_z / (1 + m_z).
"""

import jax.numpy as jnp

from sf3d_jax._checks import check_batch
from sf3d_jax._numerics import (
    align_ranks,
    and_valid,
    channels,
    channels_last,
    is_in_range,
    is_positive_finite,
    jit,
    mask,
    narrow,
    result_type,
    widen,
)
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.rigid.tracks._following import Place, follow, widen_tolerance
from sf3d_jax.rigid.tracks.motion import Motion, check_motion
from sf3d_jax.warping.sampling import positions


@jit
def chain(
    first: Motion,
    second: Motion,
    camera: Camera,
    next_camera: Camera | None = None,
    *,
    tolerance: float = 1e-3,
) -> Motion:
    """Makes one step of two: the motion from the first frame to the third.

    F = F1 + f (m_xy - r1_xy m_z) / (1 + m_z) and c = c1 - d1 m_z / (1 + m_z). Sampled at p + F1 is
    m = d (X1 - X0) of the second step, the displacement between the axes of its cameras times its
    inverse depth; r1 is the ray of p + F1, and d1 = d + c1. f stands for the lens, which may bend,
    and change between the frames. On planes in rigid motion, seen by pinholes, m is affine in the
    pixel, so this is exact. On smooth surfaces the error in pixels halves when the width doubles.

    Sampling is bilinear where the four pixels around show the surface of the point: their inverse
    depths differ from d1 by no more than twice the local slope per pixel, and the tolerance.
    Elsewhere the nearest of the four that does is taken.

    Args:
      first: step from the first frame to the second.
      second: step from the second frame to the third; batch axes of both broadcast.
      camera: camera of the second frame. Only its intrinsics are used: image motion is relative to
        the camera, so poses do not matter, and neither does the first camera.
      next_camera: camera of the third frame, for its intrinsics; those of `camera` if None.
      tolerance: relative difference of d1 and the inverse depth of the second frame up to which
        both are of one surface; rounding of the dtype comes on top. For estimates, their error.

    Returns:
      The step from the first frame to the third, on the first frame's grid, in the dtype of the
      maps. A pixel is valid if both steps are valid there and the second frame shows the point:
      what `first.hidden` marks, what lies behind another surface at p + F1 or lands outside of the
      second image is not valid, since the second step there is that of another point. `hidden` is
      that of the second step; None if it has none. Invalid pixels have zero motion and pass no
      gradient; `inv_depth` is kept where it is that of a surface, so that results can be chained.

    Raises:
      TypeError: a step is not a `Motion`.
      ValueError: maps of one step differ in size, or the second's is not that of its camera.
    """
    shape, dtype, eps = _check_steps(first, second, camera, next_camera)
    first, second, camera, next_camera = widen(first, second, camera, next_camera)
    rank = len(shape)
    fu, fv, depth, change = align_ranks(
        *channels(first.flow), first.inv_depth, first.inv_depth_change, rank=rank
    )
    u, v = positions(fu, fv)
    next_depth = depth + change
    there = is_positive_finite(depth)
    known = there & is_positive_finite(next_depth) & is_in_range(fu) & is_in_range(fv)
    known = and_valid(known, first.valid)
    if first.hidden is not None:
        known = and_valid(known, ~first.hidden)
    place = Place(u, v, next_depth, known)
    after = follow(place, second, camera, next_camera, widen_tolerance(tolerance, eps, depth.dtype))

    # Pixels that are not known may hold NaN, which must not reach the sum.
    own = mask(after.valid, tuple(jnp.broadcast_arrays(fu, fv, change, after.valid)[:3]))
    fu, fv, change = (a + b for a, b in zip(own, (*after.flow, after.change), strict=True))
    (flow, change), valid = narrow(after.valid, (channels_last(fu, fv), change), dtype)
    depth = jnp.broadcast_to(mask(there, depth), shape).astype(dtype)
    hidden = None if second.hidden is None else valid & after.hidden
    return Motion(flow, depth, change, valid, hidden)


def _check_steps(
    first: Motion, second: Motion, camera: Camera, next_camera: Camera | None
) -> tuple[tuple[int, ...], jnp.dtype, float]:
    """Checks the arguments; returns the shape and dtype of the result, and the inputs' rounding."""
    shape, dtype = check_motion("first", first)
    next_shape, next_dtype = check_motion("second", second)
    batches = {"camera": check_camera("camera", camera)}
    if next_camera is not None:
        batches["next_camera"] = check_camera("next_camera", next_camera)
    if next_shape[-2:] != camera.size:
        wanted = f"maps of the camera's size (H, W), {camera.size}"
        raise ValueError(f"second: expected {wanted}, got {next_shape[-2:]}")
    batch = check_batch(first=shape[:-2], second=next_shape[:-2], **batches)
    eps = max(float(jnp.finfo(x).eps) for x in (dtype, next_dtype))
    return (*batch, *shape[-2:]), result_type(dtype, next_dtype), eps
