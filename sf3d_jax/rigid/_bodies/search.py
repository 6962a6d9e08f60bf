"""Bodies one after the other: each is the motion that most of the pixels agree with that are left.

Motions are guessed from small samples of pixels close to each other, as in RANSAC. The samples are
those of fixed numbers, so the result depends on the input alone.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.rigid._bodies.noise import find_quantile
from sf3d_jax.rigid._bodies.pixels import (
    Motion,
    Noise,
    Pixels,
    expand,
    improve,
    square_residual,
)

# Guesses for each body, the pixels of each, and how far they are from the first of them, as shares
# of the larger side of the image: the closest are on one body, the widest tell its motion best.
_GUESSES, _SAMPLE = 192, 16
_NEAREST_SPREAD, _WIDEST_SPREAD = 0.01, 0.15
# Pixels that judge a guess, the guesses that are refined, and the steps of either.
_JUDGES = 2048
_KEPT = 8
_SAMPLE_STEPS, _STEPS = 8, 10
# The squared residual, of three numbers in units of the noise, at which a pixel weighs a quarter;
# while it is refined it falls from the larger.
_HALF_WEIGHT, _FIRST_WEIGHT = 9.0, 400.0
# A pixel of a body is below this squared residual: all but 1 in 1000 of three normal numbers.
MEMBER = 16.0
# The first decile of the square of three normal numbers.
_DECILE = 0.584


class Found(NamedTuple):
    """Bodies in the order of their discovery: motions of shape (most,), and the noise."""

    motions: Motion
    noise: Noise


def find_bodies(pixels: Pixels, known: jax.Array, focal: Vector, noise: Noise, most: int) -> Found:
    """Finds bodies in maps (H, W), each among the pixels that the earlier ones left."""
    height, width = known.shape
    flat = jax.tree.map(jnp.ravel, pixels)
    zero = jnp.zeros_like(jnp.broadcast_to(noise.flow, (most,)))
    motions = Motion(((zero,) * 3,) * 3, (zero,) * 3)

    def step(
        k: jax.Array, state: tuple[Motion, Noise, jax.Array]
    ) -> tuple[Motion, Noise, jax.Array]:
        motions, noise, free = state
        motion, decile = _find_body(flat, free, focal, noise, (height, width))
        # The first body tells how large the noise of its pixels is.
        factor = jnp.where(k == 0, jnp.sqrt(jnp.maximum(decile / _DECILE, 1)), 1)
        noise = jax.tree.map(lambda a: a * factor, noise)
        square = square_residual(flat, motion, focal, noise)
        motions = jax.tree.map(lambda a, b: a.at[k].set(b), motions, motion)
        return motions, noise, free & (square > MEMBER)

    motions, noise, _ = lax.fori_loop(0, most, step, (motions, noise, known.ravel()))
    return Found(motions, noise)


def _find_body(
    pixels: Pixels, free: jax.Array, focal: Vector, noise: Noise, size: tuple[int, int]
) -> tuple[Motion, jax.Array]:
    """The motion that most free pixels agree with, and the first decile of its squared residual."""
    anchors, offsets = _draw_samples(size)
    count = jnp.cumsum(free.astype(jnp.int32))
    judges = _take(pixels, _pick(count, (np.arange(_JUDGES) + 0.5) / _JUDGES))
    any_left = count[-1] > 0
    at = _spread(_pick(count, anchors), offsets, size)
    sample, share = _take(pixels, at), jnp.take(free, at)
    guesses = _guess(sample, share, focal, noise)
    best = lax.top_k(-_score(judges, guesses, focal, noise), _KEPT)[1]
    guesses = jax.tree.map(lambda a: jnp.take(a, best), guesses)
    kept = jax.tree.map(lambda a: jnp.broadcast_to(a, (_KEPT, _JUDGES)), judges)

    def refine(i: jax.Array, motion: Motion) -> Motion:
        fall = (_FIRST_WEIGHT / _HALF_WEIGHT) ** (1 - (i + 1) / _STEPS)
        square = square_residual(kept, expand(motion), focal, noise)
        weights = weigh(square, _HALF_WEIGHT * jnp.asarray(fall, square.dtype))
        return improve(kept, motion, weights, focal, noise)

    guesses = lax.fori_loop(0, _STEPS, refine, guesses)
    first = jnp.argmin(_score(judges, guesses, focal, noise))
    motion = jax.tree.map(lambda a: jnp.where(any_left, jnp.take(a, first), 0), guesses)
    square = square_residual(judges, motion, focal, noise)
    return motion, find_quantile(square, jnp.broadcast_to(any_left, square.shape), 0.1)


def weigh(square: jax.Array, half: jax.Array | float) -> jax.Array:
    """The weights of Geman and McClure, 1 / (1 + square / half)^2."""
    return 1 / jnp.square(1 + square / half)


def _score(judges: Pixels, motions: Motion, focal: Vector, noise: Noise) -> jax.Array:
    """The mean of square / (square + half), which is least where most pixels agree."""
    judges = jax.tree.map(lambda a: a[None], judges)
    square = square_residual(judges, expand(motions), focal, noise)
    return (square / (square + _HALF_WEIGHT)).mean(-1)


def _guess(sample: Pixels, share: jax.Array, focal: Vector, noise: Noise) -> Motion:
    """The motions of samples (guesses, n), by Gauss-Newton steps from rest."""
    used = share.astype(sample.inv_depth.dtype)
    zero = jnp.zeros_like(used[..., 0])
    start = Motion(((zero,) * 3,) * 3, (zero,) * 3)
    step = lambda _, motion: improve(sample, motion, used, focal, noise)
    return lax.fori_loop(0, _SAMPLE_STEPS, step, start)


def _draw_samples(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where the samples are, as shares of the free pixels, and their offsets from there."""
    rng = np.random.default_rng(0)
    anchors = (rng.permutation(_GUESSES) + 0.5) / _GUESSES
    shares = np.geomspace(_NEAREST_SPREAD, _WIDEST_SPREAD, _GUESSES)
    radius = np.maximum(max(size) * shares, 1.5)
    offsets = radius[:, None, None] * rng.normal(size=(_GUESSES, _SAMPLE, 2))
    offsets[:, 0] = 0
    return anchors, np.rint(offsets).astype(np.int32)


def _pick(count: jax.Array, shares: np.ndarray) -> jax.Array:
    """The free pixels at shares of their number, given how many there are up to each pixel."""
    ranks = (jnp.asarray(shares, jnp.float32) * count[-1].astype(jnp.float32)).astype(jnp.int32)
    return jnp.minimum(jnp.searchsorted(count, ranks, side="right"), count.size - 1)


def _spread(anchors: jax.Array, offsets: np.ndarray, size: tuple[int, int]) -> jax.Array:
    """The pixels at offsets (n, m, 2) from the anchors (n,), inside of the image."""
    row, column = anchors[:, None] // size[1], anchors[:, None] % size[1]
    row = jnp.clip(row + offsets[..., 0], 0, size[0] - 1)
    return row * size[1] + jnp.clip(column + offsets[..., 1], 0, size[1] - 1)


def _take(pixels: Pixels, at: jax.Array) -> Pixels:
    return jax.tree.map(lambda a: jnp.take(a, at), pixels)
