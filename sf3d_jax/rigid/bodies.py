"""A segmentation of an image motion into few rigidly moving bodies."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import (
    align_ranks,
    channels,
    channels_last,
    is_positive_finite,
    jit,
    mask,
    result_type,
    widen,
)
from sf3d_jax._numerics.vectors import Vector, add, multiply, subtract
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.conversion._two_views import ray_change, two_views
from sf3d_jax.rigid._bodies.pixels import Motion, Pixels, lift
from sf3d_jax.rigid._bodies.segmentation import segment
from sf3d_jax.se3._turns import join


class Bodies(NamedTuple):
    labels: jax.Array
    transforms: jax.Array
    residual: jax.Array


@partial(jit, static=("most",))
def rigid_bodies(
    flow: jax.Array,
    inv_depth: jax.Array,
    inv_depth_change: jax.Array,
    camera: Camera,
    *,
    most: int = 8,
) -> Bodies:
    dtype = flow.dtype
    batch = check_batch(
        flow=flow.shape[:-3],
        inv_depth=inv_depth.shape[:-2],
        change=inv_depth_change.shape[:-2],
        camera=check_camera("camera", camera),
    )
    flow, d0, c, camera = widen(flow, inv_depth, inv_depth_change, camera)
    views = two_views(camera, None, len(batch))
    fu, fv, d0, c = align_ranks(*channels(flow), d0, c, rank=len(batch) + 2)
    dx, dy, seen = ray_change(fu, fv, views)
    known = seen & is_positive_finite(d0) & is_positive_finite(d0 + c)
    dx, dy, d0, c = mask(known, (dx, dy, d0, c), (0, 0, 1, 0))
    pixels = Pixels((views.x, views.y), d0, (dx, dy), -jnp.log1p(c / d0))
    size = camera.size
    whole = (*batch, *size)
    to_rows = lambda x: jnp.broadcast_to(x, whole).reshape(-1, *size)
    pixels, known = jax.tree.map(to_rows, (pixels, known))
    focal = channels(jnp.broadcast_to(camera.focal, (*batch, 2)).reshape(-1, 2))
    one = lambda x: _segment_one(*x, most)
    labels, transforms, residual = lax.map(one, (pixels, known, focal))
    return Bodies(
        labels.reshape(whole), transforms.reshape(*batch, most, 3, 4), residual.reshape(*whole, 3)
    )


def _segment_one(pixels, known, focal, most):
    found = segment(pixels, known, focal, most)
    transforms = join(found.motions.turn, found.motions.shift)
    at = jnp.maximum(found.labels, 0)
    own = jax.tree.map(lambda a: jnp.take(a, at), found.motions)
    points, moves = lift(pixels)
    left = subtract(moves, add(multiply(own.turn, points), own.shift))
    left = mask(found.labels >= 0, left)
    return found.labels, transforms, channels_last(*left)
