"""The robust fit of a motion to all pixels, its derivative, and what does not follow it."""

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax.rigid import _robust
from sf3d_jax.rigid._epipolar.lines import (
    COORDINATES,
    Lines,
    Motion,
    differentiate_distances,
    find_distances,
    move,
    step_towards,
)
from sf3d_jax.rigid._implicit import attach_derivative

_STEPS, _DAMPING = 20, 1e-6
# The radius of the windows whose means show what moves slowly.
_RADIUS = 2
# In pixels; without noise, rounding is below it.
_LEAST_SCALE = 1e-4


def refine(motion: Motion, lines: Lines, known: jax.Array) -> Motion:
    """The motion at which the weighted squared distances of all pixels are least.

    Args:
      motion: near the solution.
      lines: those of an image's pixels, row by row.
      known: (H, W), 1 where a pixel counts, and 0 elsewhere.
    """

    def step(_: jax.Array, motion: Motion) -> Motion:
        weights = _weigh(find_distances(motion, lines), known)
        return step_towards(motion, lines, weights, _DAMPING)

    return lax.fori_loop(0, _STEPS, step, motion)


def differentiate_refined(
    motion: Motion, lines: Lines, known: jax.Array, usable: jax.Array
) -> Motion:
    """The motion that `refine` found, with its derivative by the pixels where it is usable."""
    return attach_derivative(move, _sum_slopes, COORDINATES, motion, (lines, known), usable)


def _sum_slopes(motion: Motion, parameters: tuple[Lines, jax.Array]) -> jax.Array:
    """The sum of w e de/dx over all pixels, which vanishes at the solution."""
    lines, known = parameters
    distance, slopes = differentiate_distances(motion, lines)
    return jnp.sum(slopes * (_weigh(distance, known) * distance)[None], axis=-1)


def _weigh(distance: jax.Array, known: jax.Array) -> jax.Array:
    return weigh_pixels(distance, known).reshape(-1)


def weigh_pixels(distance: jax.Array, known: jax.Array) -> jax.Array:
    """The weight of each pixel, (H, W); 0 where not known.

    Args:
      distance: (H W,), from the epipolar lines.
      known: (H, W), 1 where a pixel counts, and 0 elsewhere.
    """
    distance = distance.reshape(known.shape)
    scale = _find_scale(distance, known)
    pooled = _robust.pool(distance, known, scale, _RADIUS)
    return known * _robust.weigh(distance, pooled, scale, _find_scale(pooled, known))


def find_static(distance: jax.Array, known: jax.Array) -> jax.Array:
    """How surely each pixel is static, (H, W); 0 where not known.

    Args:
      distance: (H W,), from the epipolar lines.
      known: (H, W), 1 where a pixel counts, and 0 elsewhere.
    """
    distance = distance.reshape(known.shape)
    scale = _find_scale(distance, known)
    (pooled,), alike = _robust.pool_alike((distance,), jnp.abs(distance), known, scale, _RADIUS)
    own = _robust.is_still(distance, scale)
    return known * own * _robust.is_still(pooled, _find_scale(pooled, alike))


def _find_scale(distance: jax.Array, known: jax.Array) -> jax.Array:
    return _robust.find_scale(distance, known, _LEAST_SCALE)
