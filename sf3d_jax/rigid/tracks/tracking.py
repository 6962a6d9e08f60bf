"""Following points through a clip of annotations.

In each frame the displacement m of the step to the next is sampled where the point is, and moves
the point's own ray and inverse depth, as in `chain`.
"""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import (
    Leaf,
    align_ranks,
    channels,
    channels_last,
    is_in_range,
    jit,
    mask,
    narrow,
    result_type,
    widen,
)
from sf3d_jax.camera import Camera, align_camera, check_camera
from sf3d_jax.camera._fields import AXES, edit
from sf3d_jax.camera.projection import project, unproject
from sf3d_jax.rigid.tracks._following import (
    SOMEWHERE,
    Place,
    find_inv_depth,
    follow,
    widen_tolerance,
)
from sf3d_jax.rigid.tracks.motion import Motion, check_motion
from sf3d_jax.warping._windows import match_varying_axes
from sf3d_jax.warping.sampling import is_within


class Tracks(NamedTuple):
    """Points followed through T + 1 frames.

    Attributes:
      pixels: (*b, T + 1, n, 2), where the points are in each frame; 0 where not valid.
      inv_depth: (*b, T + 1, n), their inverse depths in the axes of each camera, per metre.
      points: (*b, T + 1, n, 3), metres, in world axes; 0 where not valid.
      visible: (*b, T + 1, n), bool, whether the frame shows the point.
      valid: (*b, T + 1, n), bool, whether its position is known.
    """

    pixels: jax.Array
    inv_depth: jax.Array
    points: jax.Array
    visible: jax.Array
    valid: jax.Array


@jit
def track(
    points: jax.Array, motions: Motion, cameras: Camera, *, tolerance: float = 1e-3
) -> Tracks:
    """Follows pixels of the first frame, or 3D points, through a clip of T steps.

    Each step samples m = d (X1 - X0) at the point's position, bilinearly where the four pixels
    around show its surface, else at the nearest pixel that does, and moves the point's own ray and
    inverse depth: exact on planes in rigid motion, seen by pinholes. On smooth surfaces the errors
    of T steps add up, each as that of `chain`.

    Args:
      points: (*b, n, 2), pixels (u, v) of the first frame, or (*b, n, 3), points in metres, in
        world axes (those of the first camera if its pose is the identity).
      motions: T steps of consecutive frames, with an axis of T before H and W: flow (*b, T, H, W,
        2), and so on: `jax.tree.map(lambda *x: jnp.stack(x), *steps)` stacks a list of steps.
      cameras: cameras of all frames, as in a `Sequence`: batch axes that broadcast against
        (*b, T + 1). Motion is relative to the cameras; poses only give points of the world.
      tolerance: relative difference of a point's inverse depth and the frame's up to which the
        frame shows the point; rounding of the dtype comes on top. For estimates, their error.

    Returns:
      Tracks, in the dtype of the points and maps. A track ends where nothing more is known. In a
      frame that hides the point or does not contain it, its position is still valid, but not
      visible, and later frames are not valid: the motion there is that of another surface. The same
      holds for a 3D point that the first frame does not show. A point is visible if it lies in the
      image, the inverse depth there is its own, and `motions.hidden` does not mark it; for the last
      frame, whose depth is not given, the last is all that tells. Invalid entries are 0 and pass no
      gradient. A bad query, with NaN or without a surface, is not valid in any frame.

    Raises:
      TypeError: motions are not a `Motion`.
      ValueError: maps or points have the wrong shape, or there is no axis of steps.
    """
    batch, dtype, eps = _check_clip(points, motions, cameras)
    points, motions, cameras = widen(points, motions, cameras)
    frames = _lead_with_frames(cameras, len(batch), motions.flow.shape[-4] + 1)
    steps = _lead_with_steps(motions, len(batch))
    allowed = widen_tolerance(tolerance, eps, points.dtype)
    (queries,) = align_ranks(points, rank=len(batch) + 2)
    shape = (*batch, points.shape[-2], 1)
    take = lambda tree, index: jax.tree.map(lambda x: x[index], tree)
    start = _start(queries[..., None, :], take(steps, 0), take(frames, 0), allowed)
    start = Place(*(jnp.broadcast_to(x, shape) for x in start))

    def move(state: _State, step: tuple[Motion, Camera, Camera]) -> tuple[_State, _State]:
        place, shown = state
        after = follow(place, *step, allowed)
        valid = shown & after.valid
        flow, change = after.flow, after.change
        u, v, inv_depth = mask(
            valid, (place.u + flow[0], place.v + flow[1], place.inv_depth + change), SOMEWHERE
        )
        return (Place(u, v, inv_depth, valid), valid & ~after.hidden), (place, shown & after.seen)

    now, then = (take(frames, part) for part in (slice(None, -1), slice(1, None)))
    state = match_varying_axes((start, jnp.ones(shape, bool)), (start, steps, frames))
    (last, shown), (places, visible) = lax.scan(jax.checkpoint(move), state, (steps, now, then))
    shown = shown & last.known & is_within(last.u, last.v, cameras.size)
    path, visible = jax.tree.map(
        lambda x, y: jnp.moveaxis(jnp.concatenate([x, y[None]])[..., 0], 0, -2),
        (places, visible),
        (last, shown),
    )
    return _collect(path, visible, cameras, dtype)


# Points in the first of some frames, and which of them no other surface hides there.
_State: TypeAlias = tuple[Place, jax.Array]


def _start(queries: jax.Array, motion: Motion, camera: Camera, tolerance: jax.Array) -> Place:
    """The places of queries (*b, n, 1, 2 or 3) in the first frame."""
    if queries.shape[-1] == 2:
        u, v = channels(queries)
        finite = is_in_range(u) & is_in_range(v)
        u, v = mask(finite, (u, v))
        return find_inv_depth(Place(u, v, jnp.ones_like(u), finite), motion, tolerance)
    pixels, inv_depth, valid = project(queries, camera)
    u, v = channels(pixels)
    return Place(u, v, mask(valid, inv_depth, 1), valid)


def _collect(path: Place, visible: jax.Array, cameras: Camera, dtype: jnp.dtype) -> Tracks:
    """The result, of maps (*b, T + 1, n)."""
    pixels = channels_last(path.u, path.v)
    lifted = unproject(pixels, path.inv_depth, align_camera(cameras, path.u.ndim - 1))
    valid = path.known & lifted.valid
    parts = mask(valid, (pixels, path.inv_depth, lifted.points))
    (pixels, inv_depth, points), valid = narrow(valid, parts, dtype)
    return Tracks(pixels, inv_depth, points, visible & valid, valid)


def _lead_with_steps(motions: Motion, batch_axes: int) -> Motion:
    """The steps with their axis of T first, then *b and the pixels."""
    rank, steps = batch_axes + 3, motions.flow.shape[-4]

    def lead(x: jax.Array, behind: int) -> jax.Array:
        (x,) = align_ranks(x, rank=rank + behind)
        axis = x.ndim - 3 - behind
        shape = (*x.shape[:axis], steps, *x.shape[axis + 1 :])
        return jnp.moveaxis(jnp.broadcast_to(x, shape), axis, 0)

    flow, inv_depth, change, *masks = motions
    valid, hidden = (None if x is None else lead(x, 0) for x in masks)
    return Motion(lead(flow, 1), lead(inv_depth, 0), lead(change, 0), valid, hidden)


def _lead_with_frames(cameras: Camera, batch_axes: int, frames: int) -> Camera:
    """The cameras with their axis of T + 1 first, then *b."""
    cameras = align_camera(cameras, batch_axes + 1)

    def lead(x: Leaf, behind: int) -> Leaf:
        if x is None:
            return None
        axis = x.ndim - 1 - behind
        shape = (*x.shape[:axis], frames, *x.shape[axis + 1 :])
        return jnp.moveaxis(jnp.broadcast_to(x, shape), axis, 0)

    fields: dict[str, Leaf] = {n: lead(getattr(cameras, n), k) for n, k in AXES.items()}
    return edit(cameras, **fields)


def _check_clip(
    points: jax.Array, motions: Motion, cameras: Camera
) -> tuple[tuple[int, ...], jnp.dtype, float]:
    """Checks the arguments; returns the batch shape and dtype of the result, and the rounding."""
    check_array("points", points)
    if points.ndim < 2 or points.shape[-1] not in (2, 3):
        wanted = "pixels (..., n, 2) of the first frame, or points (..., n, 3)"
        raise ValueError(f"points: expected {wanted}, got shape {points.shape}")
    shape, motion_dtype = check_motion("motions", motions)
    if motions.flow.ndim < 4:
        wanted = "an axis of steps, flow (..., T, H, W, 2)"
        raise ValueError(f"motions: expected {wanted}, got {motions.flow.shape}")
    *_, steps, height, width = shape
    if steps != motions.flow.shape[-4] or not steps:
        wanted = "as many steps as flow, and one at least"
        raise ValueError(f"motions: expected {wanted}, got maps (..., T, H, W) of {shape}")
    of_cameras = check_camera("cameras", cameras)
    if (height, width) != cameras.size:
        wanted = f"maps of the cameras' size (H, W), {cameras.size}"
        raise ValueError(f"motions: expected {wanted}, got {(height, width)}")
    if of_cameras[-1:] not in ((), (1,), (steps + 1,)):
        wanted = f"batch axes (..., {steps + 1}), one camera for each frame of {steps} steps"
        raise ValueError(f"cameras: expected {wanted}, got {of_cameras}")
    batch = check_batch(points=points.shape[:-2], motions=shape[:-3], cameras=of_cameras[:-1])
    eps = max(float(jnp.finfo(x).eps) for x in (points.dtype, motion_dtype))
    return batch, result_type(points.dtype, motion_dtype), eps
