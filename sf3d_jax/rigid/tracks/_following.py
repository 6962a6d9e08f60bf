"""Following surface points that lie between the pixels of a frame through one step of motion.

With the ray r = (x, y, 1) of a pixel, its change dr, the inverse depth d and its change c, the
displacement between the axes of the two cameras, times d, is

    m = d (X1 - X0),    m_z = -c / (d + c),    m_xy = r_xy m_z + dr d / (d + c).

On a plane that moves rigidly, or by any affine map, m is affine in the ray, and so in the pixel of
a pinhole. Sampling m bilinearly is exact there; sampling flow and change is not. The sampled m then
moves the point's own ray and inverse depth, which are not sampled.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from sf3d_jax._numerics import (
    align_ranks,
    and_valid,
    channels,
    is_positive_finite,
    mask,
)
from sf3d_jax.camera import Camera
from sf3d_jax.conversion._two_views import grid_lenses, two_lenses
from sf3d_jax.conversion.scene_flow import lift, project_scaled
from sf3d_jax.rigid.tracks._surfaces import (
    choose_weights,
    find_corners,
    find_fits,
    find_nearest,
    gather,
    is_at,
    take,
)
from sf3d_jax.rigid.tracks.motion import Motion
from sf3d_jax.warping._surfaces import rise
from sf3d_jax.warping.sampling import is_within

# Codes of a pixel in one map: whether its motion is known, and whether it is hidden afterwards.
_KNOWN, _HIDDEN = 1, 2


# Where points are put whose place is not known: (u, v, inverse depth).
SOMEWHERE = (0.0, 0.0, 1.0)
# Of two inverse depths and what they are computed from.
_ROUNDINGS = 4


class Place(NamedTuple):
    """Surface points in one frame.

    Attributes:
      u: (*b, h, w), columns in pixels.
      v: (*b, h, w), rows in pixels.
      inv_depth: (*b, h, w), per metre.
      known: (*b, h, w), bool, which points are known. Others may hold any finite numbers.
    """

    u: jax.Array
    v: jax.Array
    inv_depth: jax.Array
    known: jax.Array


class Followed(NamedTuple):
    """What one step does with surface points.

    Attributes:
      flow: flow of the points in pixels, two maps (*b, h, w); 0 where not valid.
      change: change of their inverse depths, (*b, h, w), per metre; 0 where not valid.
      seen: bool, whether the frame shows the surface of the point there.
      valid: bool, whether the point is seen and its motion known.
      hidden: bool, whether another surface hides it in the next frame.
    """

    flow: tuple[jax.Array, ...]
    change: jax.Array
    seen: jax.Array
    valid: jax.Array
    hidden: jax.Array


def follow(
    place: Place,
    motion: Motion,
    camera: Camera,
    next_camera: Camera | None,
    tolerance: jax.Array,
) -> Followed:
    """Follows points through one step.

    Args:
      place: the points, with the rank of the maps of the motion.
      motion: the step, at least float32.
      camera: camera of the frame of the points; poses are not used.
      next_camera: camera of the next frame; the same lens if None.
      tolerance: relative difference of inverse depths up to which two are of one surface.
    """
    place = _keep_inside(place, camera.size)
    depth, slope = _find_surface(motion, place.u.ndim)
    scaled, code = _scale(motion, depth, camera, next_camera)
    depth, slope, code = jnp.broadcast_arrays(depth, slope, code)
    corners = find_corners(place.u, place.v, depth.shape[:-2], camera.size)
    depths, slopes, codes = gather(corners, [depth, slope, code])
    fits = find_fits(corners, place.inv_depth, depths, slopes, tolerance)
    codes = [jnp.round(x).astype(jnp.int32) for x in codes]
    moving = [ok & (code & _KNOWN > 0) for ok, code in zip(fits, codes, strict=True)]
    weights = choose_weights(corners, moving)
    nearest = find_nearest(corners, moving)

    seen = place.known & functools.reduce(jnp.logical_or, fits)
    usable = place.known & functools.reduce(jnp.logical_or, moving)
    lenses = two_lenses(place.u, place.v, camera, next_camera)
    usable = usable & lenses.valid
    sampled = mask(usable, take(corners, weights, scaled))
    inv_depth = jnp.broadcast_to(place.inv_depth, usable.shape)
    flow, change, valid = project_scaled(sampled, inv_depth, usable, lenses, inv_depth.dtype)
    hidden = is_at(nearest, [code & _HIDDEN > 0 for code in codes])
    return Followed(channels(flow), change, seen, valid, valid & hidden)


def widen_tolerance(tolerance: ArrayLike, eps: float, dtype: jnp.dtype) -> jax.Array:
    """The tolerance of inverse depths that were rounded to numbers of a spacing `eps`."""
    return jnp.asarray(tolerance, dtype) + _ROUNDINGS * eps


def find_inv_depth(place: Place, motion: Motion, tolerance: jax.Array) -> Place:
    """The points with the inverse depths that the frame shows there.

    Bilinear where the four pixels around are of one surface, else that of the nearest pixel.
    """
    height, width = motion.inv_depth.shape[-2:]
    place = _keep_inside(place, (height, width))
    depth, slope = _find_surface(motion, place.u.ndim)
    corners = find_corners(place.u, place.v, depth.shape[:-2], (height, width))
    depths, slopes = gather(corners, [depth, slope])
    nearest = find_nearest(corners, [w != 0 for w in corners.weights])
    own = sum(mask(one, x) for one, x in zip(nearest, depths, strict=True))
    known = place.known & (own > 0)
    fits = find_fits(corners, jnp.where(known, own, 1), depths, slopes, tolerance)
    (found,) = take(corners, choose_weights(corners, fits), [depth])
    return Place(place.u, place.v, jnp.where(known, found, 1), known)


def _keep_inside(place: Place, size: tuple[int, ...]) -> Place:
    """The points within an image; others become one that harms no formula, and unknown."""
    inside = place.known & is_within(place.u, place.v, size)
    inside, u, v, inv_depth = jnp.broadcast_arrays(inside, *place[:3])
    u, v, inv_depth = mask(inside, (u, v, inv_depth), SOMEWHERE)
    return Place(u, v, inv_depth, inside)


def _find_surface(motion: Motion, rank: int) -> tuple[jax.Array, jax.Array]:
    """The inverse depths of a frame, 0 without a surface, and their local slope."""
    (depth,) = align_ranks(motion.inv_depth, rank=rank)
    there = is_positive_finite(depth)
    return mask(there, depth), rise(depth, there)


def _scale(
    motion: Motion, depth: jax.Array, camera: Camera, next_camera: Camera | None
) -> tuple[tuple[jax.Array, ...], jax.Array]:
    """m of every pixel, 0 where unknown, and the code of what is known of it."""
    lenses = grid_lenses(camera, next_camera, depth.ndim - 2)
    fu, fv, change = align_ranks(*channels(motion.flow), motion.inv_depth_change, rank=depth.ndim)
    vectors, known = lift(fu, fv, depth, change, lenses)
    known = and_valid(known, motion.valid)
    code = jnp.where(known, _KNOWN, 0)
    if motion.hidden is not None:
        code = code + jnp.where(align_ranks(motion.hidden, rank=depth.ndim)[0], _HIDDEN, 0)
    scaled = mask(known, tuple(depth * x for x in vectors))
    return scaled, code.astype(depth.dtype)
