"""The estimate of images with depth, with batch axes."""

import math
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import align_ranks, channels, channels_last, mask
from sf3d_jax.camera import Camera
from sf3d_jax.conversion._two_views import TwoViews, add_motion, two_views
from sf3d_jax.conversion.scene_flow import lift
from sf3d_jax.rigid._ego.fit import differentiate_refined, find_static, refine
from sf3d_jax.rigid._ego.motion import Motion, find_centre, linearize, predict, still
from sf3d_jax.rigid._ego.pixels import Entries, Pixels, collect_pixels, drop_pose
from sf3d_jax.rigid._ego.start import find_start
from sf3d_jax.se3 import _turns

T = TypeVar("T")
# Three points fix a rigid motion.
_FEWEST = 3


def estimate(
    flow: jax.Array,
    inv_depth: jax.Array,
    change: jax.Array | None,
    entries: Entries | None,
    camera: Camera,
    next_camera: Camera | None,
    valid: jax.Array | None,
    batch: tuple[int, ...],
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Finds the motion of the camera from checked arguments, float32 or wider.

    Args:
      flow: (*b, H, W, 2), pixels.
      inv_depth: (*b, H, W), per metre.
      change: (*b, H, W), per metre, or None.
      entries: covariance of (Fu, Fv, d, c) by (row, column), each (*b, H, W) or a number, or None.
      camera: first camera.
      next_camera: second camera, or None; its pose is not used.
      valid: (*b, H, W), bool, or None.
      batch: the common batch axes of all.

    Returns:
      transform (*b, 3, 4), static (*b, H, W), residual (*b, H, W, 3) and valid (*b).
    """
    views = _face(camera, next_camera, len(batch))
    pixels = collect_pixels(flow, inv_depth, change, entries, valid, views, batch)
    motion, static, usable = _map_over(batch, _estimate_one, pixels)
    turn = motion.turn
    transform = _turns.join(turn, channels(motion.translation))
    residual = _find_residual(pixels, flow, motion, views, usable)
    return transform, static, residual, usable


def estimate_change(
    flow: jax.Array,
    inv_depth: jax.Array,
    camera: Camera,
    valid: jax.Array | None,
    batch: tuple[int, ...],
) -> tuple[jax.Array, jax.Array]:
    """The change (*b, H, W) of what moves rigidly, and where it is valid."""
    views = _face(camera, None, len(batch))
    pixels = collect_pixels(flow, inv_depth, None, None, valid, views, batch)
    motion, _, usable = _map_over(batch, _estimate_one, pixels)
    (_, _, change), before = _predict(pixels, motion)
    known = pixels.known & before & usable[..., None, None]
    return mask(known, change), known


def _face(camera: Camera, next_camera: Camera | None, batch_axes: int) -> TwoViews:
    """Both cameras in one place; a second camera is always there, so that it can be moved."""
    camera = drop_pose(camera)
    next_camera = camera if next_camera is None else drop_pose(next_camera)
    return two_views(camera, next_camera, batch_axes)


def _map_over(batch: tuple[int, ...], function: Callable[[Pixels], T], pixels: Pixels) -> T:
    """A function of the pixels of one image, for each image of a batch."""
    merge = lambda x: x.reshape(math.prod(batch), *x.shape[len(batch) :])
    found = jax.vmap(function)(jax.tree.map(merge, pixels))
    return jax.tree.map(lambda x: x.reshape(*batch, *x.shape[1:]), found)


def _estimate_one(pixels: Pixels) -> tuple[Motion, jax.Array, jax.Array]:
    motion, usable = _solve(lax.stop_gradient(pixels))
    motion = differentiate_refined(pixels, motion, usable)
    static = find_static(linearize(pixels, motion, find_centre(pixels, motion)))
    return motion, mask(usable, static), usable


def _solve(pixels: Pixels) -> tuple[Motion, jax.Array]:
    motion, determined = refine(pixels, find_start(pixels))
    finite = jnp.all(jnp.isfinite(jnp.concatenate(motion)))
    usable = determined & finite & (pixels.known.sum() >= _FEWEST)
    return mask(usable, motion, still((), pixels.x.dtype)), usable


def _predict(pixels: Pixels, motion: Motion) -> tuple[tuple[jax.Array, ...], jax.Array]:
    spread = lambda x: x[..., None, None]
    turn, t = jax.tree.map(spread, (motion.turn, channels(motion.translation)))
    change, _, before = predict(pixels, turn, t)
    return change, before


def _find_residual(
    pixels: Pixels, flow: jax.Array, motion: Motion, views: TwoViews, usable: jax.Array
) -> jax.Array:
    """The scene flow between the first camera and the second one, moved as found."""
    known = pixels.known & usable[..., None, None]
    change = pixels.change
    if change is None:
        (_, _, change), before = _predict(pixels, motion)
        known = known & before
    turn = jnp.stack([jnp.stack(row, -1) for row in motion.turn], -2)
    views = add_motion(views, turn, motion.translation)
    fu, fv = align_ranks(*channels(flow), rank=known.ndim)
    fu, fv, _ = jnp.broadcast_arrays(fu, fv, known)
    maps = fu, fv, pixels.inv_depth, change
    vectors, lifted = lift(*mask(known, maps, (0.0, 0.0, 1.0, 0.0)), views)
    return channels_last(*mask(known & lifted, vectors))
