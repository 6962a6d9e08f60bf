"""A segmentation of an image motion into few rigidly moving bodies, for evaluation.

Bodies are found one after the other as in sequential RANSAC, and then exchange pixels, move to the
best fit of theirs, and join where one motion explains both, as in mixtures of motions (Torr,
"Geometric motion segmentation and model selection", 1998).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import (
    align_ranks,
    channels,
    channels_last,
    is_positive_finite,
    jit,
    mask,
    narrow,
    widen,
)
from sf3d_jax._numerics.vectors import Vector, add, multiply, subtract
from sf3d_jax.camera import Camera
from sf3d_jax.camera._maps import check_maps_of
from sf3d_jax.conversion._two_views import ray_change, two_views
from sf3d_jax.rigid._bodies.pixels import Pixels, lift
from sf3d_jax.rigid._bodies.segmentation import segment
from sf3d_jax.se3._turns import join

_IMAGE_AXES = 2


class Bodies(NamedTuple):
    """Pixels by the body that they move with, and the motions of the bodies.

    Attributes:
      labels: (*b, H, W), int32; 0 for the body with the most pixels, then 1 and so on; -1 for
        pixels that move with no body or are not valid. labels.max() + 1 is the number of bodies.
      transforms: (*b, most, 3, 4), [R | t] of each body: its points go from X to R X + t, in the
        axes of the camera. The identity for bodies that are not there.
      residual: (*b, H, W, 3), what the motion of its body leaves of each pixel's scene flow, in
        metres; 0 where the label is -1.
    """

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
    """Segments image motion into few rigidly moving bodies; the static scene is one of them.

    What is compared is the flow in pixels and the logarithm of the ratio of the depths, each
    divided by its noise. The noise is estimated: that of neighbouring pixels, or, if larger, that
    of the pixels of the bodies. A pixel takes the label of the motion that explains it and the
    5 x 5 pixels around it best, and none if the squared residual is above 12 (99 % of normal noise
    in three numbers are below). Noise may be alike in neighbouring pixels, as in the output of a
    network: how many pixels of a window are alike is measured, and bodies must differ by more the
    more there are. Then borders are less exact, and small bodies are lost.

    Args:
      flow: (*b, H, W, 2), in pixels.
      inv_depth: (*b, H, W), d = 1/z0, per metre.
      inv_depth_change: (*b, H, W), c = 1/z1 - 1/z0 of the same surface point, per metre.
      camera: camera of both images, which is taken as the reference: if it moves, so does the
        static scene. Its batch axes broadcast against *b.
      most: largest number of bodies.

    Returns:
      Bodies(labels, transforms, residual) in the dtype of the maps. A body has at least 1/200 of
      the valid pixels, and 25; parts of the scene that bend, or are smaller, have the label -1,
      and so have non-finite pixels and those without depth. The samples of the search are those
      of fixed numbers: the result depends on the input alone. Nothing passes a gradient.

    Raises:
      ValueError: `most` is not a positive integer.
    """
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise ValueError(f"most: expected a positive integer, got {most!r}")
    dtype, batch = check_maps_of(
        camera,
        None,
        flow=(flow, 2),
        inv_depth=(inv_depth, 0),
        inv_depth_change=(inv_depth_change, 0),
    )
    inputs = widen(*lax.stop_gradient((flow, inv_depth, inv_depth_change, camera)))
    pixels, known = _measure(*inputs, batch)
    whole = (*batch, *camera.size)
    rows = lambda x: jnp.broadcast_to(x, whole).reshape(-1, *camera.size)
    focal = channels(jnp.broadcast_to(inputs[-1].focal, (*batch, 2)).reshape(-1, 2))
    segment_one = lambda x: _segment_one(x[0], x[1], x[2], most)
    found = lax.map(segment_one, (*jax.tree.map(rows, (pixels, known)), focal))
    return _shape(found, dtype, whole)


def _measure(
    flow: jax.Array,
    inv_depth: jax.Array,
    inv_depth_change: jax.Array,
    camera: Camera,
    batch: tuple[int, ...],
) -> tuple[Pixels, jax.Array]:
    """What is compared, and where it is known."""
    views = two_views(camera, None, len(batch))
    fu, fv, d0, c = align_ranks(
        *channels(flow), inv_depth, inv_depth_change, rank=len(batch) + _IMAGE_AXES
    )
    dx, dy, seen = ray_change(fu, fv, views)
    known = seen & is_positive_finite(d0) & is_positive_finite(d0 + c)
    dx, dy, d0, c = mask(known, (dx, dy, d0, c), (0, 0, 1, 0))
    return Pixels((views.x, views.y), d0, (dx, dy), -jnp.log1p(c / d0)), known


def _segment_one(
    pixels: Pixels, known: jax.Array, focal: Vector, most: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Labels, transforms, and what these leave of the scene flow, of one image."""
    labels, motions = segment(pixels, known, focal, most)
    own = jax.tree.map(lambda a: jnp.take(a, jnp.maximum(labels, 0)), motions)
    points, moves = lift(pixels)
    left = subtract(moves, add(multiply(own.turn, points), own.shift))
    left = mask(labels >= 0, left)
    return labels, join(motions.turn, motions.shift), channels_last(*left)


def _shape(
    found: tuple[jax.Array, jax.Array, jax.Array], dtype: jnp.dtype, whole: tuple[int, ...]
) -> Bodies:
    """The results with their batch axes, in the dtype of the inputs; what overflows it is 0."""
    labels, transforms, residual = found
    labels = labels.reshape(whole)
    residual, kept = narrow(labels >= 0, residual.reshape(*whole, 3), dtype)
    batch = whole[:-_IMAGE_AXES]
    transforms = transforms.reshape(*batch, *transforms.shape[1:])
    fits = jnp.ones(transforms.shape[:-2], bool)
    narrowed, fits = narrow(fits, transforms, dtype)
    still = jnp.broadcast_to(jnp.eye(3, 4, dtype=dtype), narrowed.shape)
    return Bodies(
        jnp.where(kept, labels, -1), jnp.where(fits[..., None, None], narrowed, still), residual
    )
