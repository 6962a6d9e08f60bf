"""The robust fit of a motion to the pixels, its derivative, and what does not follow it."""

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import channels, mask
from sf3d_jax._numerics.lengths import length
from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.rigid import _robust
from sf3d_jax.rigid._ego.motion import Motion, Rows, find_centre, linearize, move, step
from sf3d_jax.rigid._ego.pixels import Pixels
from sf3d_jax.rigid._implicit import attach_derivative
from sf3d_jax.warping._windows import match_varying_axes

_STEPS = 25
# Steps without pooled weights, for a few pixels.
_FEW_STEPS = 20
_DAMPING = 1e-6
# The radius of the windows whose means show what moves slowly.
_RADIUS = 2
# In pixels, or in standard deviations; without noise, rounding is below it.
LEAST_SCALE = 2e-3
# Lower quartiles of the lengths of standard normal vectors of two and of three components.
_QUARTILES = {2: 0.7585276, 3: 1.1011532}
# Scales at which the weights of a residual have fallen to exp(-1/2).
_OWN = 3.0


def find_scale(size: jax.Array, rows: Rows) -> jax.Array:
    """The standard deviation of the components of vectors with the given lengths."""
    return _find_scale(size, rows.seen.astype(size.dtype), len(rows.residual))


def _find_scale(size: jax.Array, known: jax.Array, components: int) -> jax.Array:
    return _robust.find_scale(size, known, LEAST_SCALE, _QUARTILES[components])


def refine_few(pixels: Pixels, motion: Motion) -> Motion:
    """Refines a motion on few pixels, without windows."""

    def advance(_: jax.Array, motion: Motion) -> Motion:
        centre = find_centre(pixels, motion)
        rows = linearize(pixels, motion, centre)
        size = length(*rows.residual)
        weights = jnp.exp(-0.5 * jnp.square(size / (_OWN * find_scale(size, rows))))
        twist, _ = step(rows, mask(rows.seen, weights), _DAMPING)
        return move(motion, twist, centre)

    return lax.fori_loop(0, _FEW_STEPS, advance, motion)


def refine(pixels: Pixels, motion: Motion) -> tuple[Motion, jax.Array]:
    """The motion at which the weighted squares of an image are least; whether it is determined."""

    def advance(_: jax.Array, carried: tuple[Motion, jax.Array]) -> tuple[Motion, jax.Array]:
        motion, _ = carried
        centre = find_centre(pixels, motion)
        rows = linearize(pixels, motion, centre)
        weights = weigh_pixels(rows)
        flat = jax.tree.map(lambda x: x.reshape(-1), rows)
        twist, determined = step(flat, weights.reshape(-1), _DAMPING)
        return move(motion, twist, centre), determined

    # In a shard_map, the start of a loop varies as its results do.
    start = match_varying_axes((motion, jnp.asarray(False)), pixels.x)
    return lax.fori_loop(0, _STEPS, advance, start)


def weigh_pixels(rows: Rows) -> jax.Array:
    """The weight of each pixel; 0 where not seen."""
    residual, size, known, scale = _measure(rows)
    mean = length(*(_robust.pool(r, known, scale, _RADIUS) for r in residual))
    return known * _robust.weigh(size, mean, scale, find_scale(mean, rows))


def find_static(rows: Rows) -> jax.Array:
    """How surely each pixel is static; 0 where not seen."""
    residual, size, known, scale = _measure(rows)
    pooled, alike = _robust.pool_alike(residual, size, known, scale, _RADIUS)
    mean = length(*pooled)
    pooled_scale = _find_scale(mean, alike, len(residual))
    return known * _robust.is_still(size, scale) * _robust.is_still(mean, pooled_scale)


def _measure(rows: Rows) -> tuple[Vector, jax.Array, jax.Array, jax.Array]:
    """The residuals, their lengths, 1 where they count and 0 elsewhere, and their scale."""
    residual = mask(rows.seen, rows.residual)
    size = length(*residual)
    return residual, size, rows.seen.astype(size.dtype), find_scale(size, rows)


def differentiate_refined(pixels: Pixels, motion: Motion, usable: jax.Array) -> Motion:
    """The motion that `refine` found, with its derivative by the pixels where it is usable."""
    centre = find_centre(*lax.stop_gradient((pixels, motion)))
    motion, _ = attach_derivative(_move_about, _sum_slopes, 6, (motion, centre), pixels, usable)
    return motion


def _move_about(solution: tuple[Motion, Vector], twist: jax.Array) -> tuple[Motion, Vector]:
    motion, centre = solution
    return move(motion, channels(twist), centre), centre


def _sum_slopes(solution: tuple[Motion, Vector], pixels: Pixels) -> jax.Array:
    """The sum of w J^T r over all pixels, which vanishes at the solution."""
    rows = linearize(pixels, *solution)
    weights = weigh_pixels(rows)
    weighted = [mask(rows.seen, weights * r) for r in rows.residual]
    by_twist = zip(*rows.derivative, strict=True)
    return jnp.stack([_sum_products(weighted, column) for column in by_twist])


def _sum_products(a: list[jax.Array], b: Vector) -> jax.Array:
    return jnp.sum(sum(x * y for x, y in zip(a, b, strict=True)))
