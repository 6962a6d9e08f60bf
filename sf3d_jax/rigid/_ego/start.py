"""Starts: motions from samples of few pixels, of which the best are refined on more.

The samples are fixed ranks among the pixels that count, so that they depend neither on the batch
nor on what the other pixels hold.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._numerics.vectors import scale, subtract
from sf3d_jax.rigid import _kabsch
from sf3d_jax.rigid._ego.fit import LEAST_SCALE, find_scale, refine_few
from sf3d_jax.rigid._ego.motion import Motion, find_centre, linearize, move, step, still
from sf3d_jax.rigid._ego.pixels import Pixels, unit_rays
from sf3d_jax.se3 import _turns
from sf3d_jax.warping._windows import match_varying_axes

# Samples and pixels of each, with the change and without. Three points determine a motion; four
# pixels determine it up to few solutions.
_TRIPLES, _QUADRUPLES = (256, 3), (1024, 4)
# Gauss-Newton steps from no motion for a sample of pixels.
_STEPS, _DAMPING = 12, 1e-3
# Samples that are refined, and the pixels that they are scored and refined on.
_BEST, _SCORED = 8, 1024
# The squared residual, in squared pixels, of a point that is predicted behind the camera.
_WORST = 1e8


def find_start(pixels: Pixels) -> Motion:
    """The motion that most pixels of an image follow, from samples."""
    ranks = _take_ranks(pixels.known, _spread_ranks())
    scored = pixels.take(ranks)
    if pixels.change is None:
        sampled = pixels.take(_take_ranks(pixels.known, _draw_ranks(*_QUADRUPLES)))
        motions = jax.vmap(_solve_sample)(sampled)
    else:
        motions = _fit_points(pixels.take(_take_ranks(pixels.known, _draw_ranks(*_TRIPLES))))
    plain = jax.vmap(functools.partial(_score, scored))(motions)
    _, best = lax.top_k(-plain, _BEST)
    motions = jax.tree.map(lambda x: x[best], motions)
    motions = jax.vmap(functools.partial(refine_few, scored))(motions)
    least = jnp.min(jax.vmap(functools.partial(_find_scale, scored))(motions))
    scores = jax.vmap(lambda motion: _score(scored, motion, least))(motions)
    return jax.tree.map(lambda x: x[jnp.argmin(scores)], motions)


@functools.cache
def _draw_ranks(count: int, size: int) -> np.ndarray:
    """Ranks from 0 to 1 of the pixels of samples."""
    return np.random.default_rng(0).uniform(size=(count, size)).astype(np.float32)


@functools.cache
def _spread_ranks() -> np.ndarray:
    """Ranks from 0 to 1, one in each of equal intervals."""
    offsets = np.random.default_rng(1).uniform(size=_SCORED)
    return ((np.arange(_SCORED) + offsets) / _SCORED).astype(np.float32)


def _take_ranks(known: jax.Array, ranks: np.ndarray) -> jax.Array:
    """The places of the known pixels with the given ranks among them."""
    counts = jnp.cumsum(known.reshape(-1), dtype=jnp.int32)
    total = counts[-1]
    rank = jnp.minimum((ranks * total.astype(ranks.dtype)).astype(jnp.int32), total - 1)
    # Unrolled: on a GPU, a loop launches kernels at each step.
    place = jnp.searchsorted(counts, rank.reshape(-1), side="right", method="scan_unrolled")
    return jnp.minimum(place, counts.size - 1).reshape(ranks.shape)


def _solve_sample(pixels: Pixels) -> Motion:
    """The motion of four pixels, by Gauss-Newton from no motion."""
    pixels = dataclasses.replace(pixels, change=None, entries=None)

    def advance(_: jax.Array, motion: Motion) -> Motion:
        centre = find_centre(pixels, motion)
        rows = linearize(pixels, motion, centre)
        twist, _ = step(rows, rows.seen.astype(pixels.x.dtype), _DAMPING)
        return move(motion, twist, centre)

    start = match_varying_axes(still((), pixels.x.dtype), pixels.x)
    return lax.fori_loop(0, _STEPS, advance, start)


def _fit_points(pixels: Pixels) -> Motion:
    """The motions of sets of points along the last axis, from where both frames show them."""
    assert pixels.change is not None
    before, after = unit_rays(pixels)
    points = scale(1 / pixels.inv_depth, before)
    moved = scale(1 / (pixels.inv_depth + pixels.change), after)
    fit, _ = _kabsch.fit(points, subtract(moved, points), jnp.ones_like(pixels.x))
    quaternion = jnp.stack(_turns.to_quaternion(fit.linear), -1)
    return Motion(quaternion, jnp.stack(fit.shift, -1))


def _score(pixels: Pixels, motion: Motion, floor: jax.Array | float = LEAST_SCALE) -> jax.Array:
    """The mean of log(floor^2 + |r|^2), which is low if many residuals are small."""
    rows = linearize(pixels, motion, find_centre(pixels, motion))
    square = jnp.where(rows.seen, sum(r * r for r in rows.residual), jnp.inf)
    worst = jnp.asarray(_WORST, square.dtype)
    score = jnp.mean(jnp.log(floor * floor + jnp.minimum(square, worst)))
    return jnp.where(jnp.isfinite(score), score, jnp.inf)


def _find_scale(pixels: Pixels, motion: Motion) -> jax.Array:
    rows = linearize(pixels, motion, find_centre(pixels, motion))
    size = jnp.sqrt(sum(r * r for r in rows.residual))
    return find_scale(size, rows)
