"""The motion of the camera from flow alone: rotation, and direction of translation.

Without depth, a pixel says one thing about the motion of a static scene: its flow ends on the
epipolar line. The fit begins at the best of many samples and minimises a robust function of the
distances from these lines.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax.camera import Camera
from sf3d_jax.rigid._ego.pixels import Entries, Pixels
from sf3d_jax.rigid._epipolar.lines import (
    Lines,
    Motion,
    find_distances,
    make_lines,
)
from sf3d_jax.rigid._epipolar.pixels import collect_flow
from sf3d_jax.rigid._epipolar.refinement import (
    differentiate_refined,
    find_static,
    refine,
    weigh_pixels,
)
from sf3d_jax.rigid._epipolar.side import find_side
from sf3d_jax.rigid._epipolar.start import find_start

# Fewer pixels allow several motions.
_FEWEST = 8


def estimate(
    flow: jax.Array,
    camera: Camera,
    next_camera: Camera | None,
    entries: Entries | None,
    valid: jax.Array | None,
    batch: tuple[int, ...],
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Finds the motion of the camera from checked arguments, float32 or wider.

    Args:
      flow: (*b, H, W, 2), pixels.
      camera: first camera; its batch axes broadcast against *b.
      next_camera: second camera, or None; its pose is not used.
      entries: covariance of (Fu, Fv, d, c) by (row, column), each (*b, H, W) or a number, or
        None; that of the flow counts.
      valid: (*b, H, W), bool, or None.
      batch: the common batch axes of all.

    Returns:
      transform (*b, 3, 4) with a translation of length 1, static (*b, H, W) and valid (*b).
    """
    pixels = collect_flow(flow, camera, next_camera, entries, valid, batch)
    merged = jax.tree.map(lambda x: x.reshape(math.prod(batch), *camera.size), pixels)
    found = jax.vmap(_estimate_one)(merged)
    transform, static, known = (x.reshape(*batch, *x.shape[1:]) for x in found)
    return transform, static, known


def _estimate_one(pixels: Pixels) -> tuple[jax.Array, jax.Array, jax.Array]:
    lines = jax.tree.map(lambda x: x.reshape(x.shape[0], -1), make_lines(pixels))
    known = pixels.known.astype(pixels.x.dtype)
    motion, side, usable = _solve(*lax.stop_gradient((pixels, lines, known)))
    motion = differentiate_refined(motion, lines, known, usable)
    static = find_static(find_distances(motion, lines), known)
    identity = jnp.eye(3, 4, dtype=known.dtype)
    turned = identity[:, :3] + motion.turn
    transform = jnp.concatenate([turned, side * motion.direction[:, None]], axis=1)
    return jnp.where(usable, transform, identity), jnp.where(usable, static, 0), usable


def _solve(pixels: Pixels, lines: Lines, known: jax.Array) -> tuple[Motion, jax.Array, jax.Array]:
    """The motion up to the side of t, this side, and whether the pixels determine it."""
    motion = refine(find_start(pixels), lines, known)
    weights = weigh_pixels(find_distances(motion, lines), known)
    side, has_depths = find_side(motion, lines, weights, known)
    usable = (
        has_depths
        & (jnp.sum(known) >= _FEWEST)
        & jnp.all(jnp.isfinite(motion.turn))
        & jnp.all(jnp.isfinite(motion.direction))
    )
    harmless = Motion(jnp.zeros_like(motion.turn), jnp.asarray([0, 0, 1], known.dtype))
    return jax.tree.map(lambda x, y: jnp.where(usable, x, y), motion, harmless), side, usable
