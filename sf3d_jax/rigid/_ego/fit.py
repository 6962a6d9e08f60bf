"""The robust fit of a motion to the pixels, its derivative, and what does not follow it."""

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import mask
from sf3d_jax._numerics.lengths import length
from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.rigid import _robust
from sf3d_jax.rigid._ego.motion import Motion, Rows, find_centre, linearize, move, step
from sf3d_jax.rigid._ego.pixels import Pixels
from sf3d_jax.rigid._implicit import attach_derivative

_STEPS = 25
# Steps without pooled weights, for a few pixels.
_FEW_STEPS = 20
_DAMPING = 1e-6
# Of the windows whose means show what moves slowly.
_RADIUS = 2
# In pixels, or in standard deviations; without noise, rounding is below it.
LEAST_SCALE = 2e-3
# Lower quartiles of the lengths of standard normal vectors of two and of three components.
_QUARTILES = {2: 0.7585276, 3: 1.1011532}
# Scales at which the weights of a residual have fallen to exp(-1/2).
_OWN = 3.0


def find_scale(size: jax.Array, rows: Rows) -> jax.Array:
    """The standard deviation of the components of vectors with the given lengths."""
    known = rows.seen.astype(size.dtype)
    return _robust.find_scale(size, known, LEAST_SCALE, _QUARTILES[len(rows.residual)])


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
        weights, _ = weigh_pixels(rows)
        flat = jax.tree.map(lambda x: x.reshape(-1), rows)
        twist, determined = step(flat, weights.reshape(-1), _DAMPING)
        return move(motion, twist, centre), determined

    return lax.fori_loop(0, _STEPS, advance, (motion, jnp.asarray(False)))


def weigh_pixels(rows: Rows) -> tuple[jax.Array, jax.Array]:
    """The weight of each pixel, and how surely it is static; 0 where not seen."""
    residual = mask(rows.seen, rows.residual)
    known = rows.seen.astype(residual[0].dtype)
    size = length(*residual)
    scale = find_scale(size, rows)
    mean = length(*(_robust.pool(r, known, scale, _RADIUS) for r in residual))
    mean_scale = find_scale(mean, rows)
    weights = _robust.weigh(size, mean, scale, mean_scale)
    return known * weights, known * _robust.is_still(mean, mean_scale)


def differentiate_refined(pixels: Pixels, motion: Motion, usable: jax.Array) -> Motion:
    """The motion that `refine` found, with its derivative by the pixels where it is usable."""
    centre = find_centre(*lax.stop_gradient((pixels, motion)))

    def advance(motion: Motion, twist: jax.Array) -> Motion:
        return move(motion, tuple(twist), centre)

    def sum_slopes(motion: Motion, pixels: Pixels) -> jax.Array:
        rows = linearize(pixels, motion, centre)
        weights, _ = weigh_pixels(rows)
        by_twist = zip(*rows.derivative, strict=True)
        weighted: Vector = tuple(mask(rows.seen, weights * r) for r in rows.residual)
        return jnp.stack(
            [sum(jnp.sum(w * d) for w, d in zip(weighted, column, strict=True)) for column in by_twist]
        )

    return attach_derivative(advance, sum_slopes, 6, motion, pixels, usable)
