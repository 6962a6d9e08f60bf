"""The start of the fit: the best of many motions, each fitted to a few windows of the image.

The noise of one pixel is too much for samples of six. So the samples are of windows: e and n are
linear in sums over a window's pixels, and the noise of the mean over 5 x 5 pixels is a fifth.
"""

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax.rigid import _robust
from sf3d_jax.rigid._ego.pixels import Pixels
from sf3d_jax.rigid._epipolar.lines import (
    Lines,
    Motion,
    find_distances,
    make_lines,
    step_towards,
)
from sf3d_jax.rigid._epipolar.side import find_parallax, vote
from sf3d_jax.warping._windows import match_varying_axes

T = TypeVar("T")

_WINDOWS = 1024
_RADIUS = 2
_SAMPLES, _WINDOWS_OF_SAMPLE = 1024, 6
# Steps on a sample: at first damped strongly, since a motion is far from R = I.
_STEPS = 12
_DAMPING, _LATE_DAMPING = 1e-2, 1e-4
# The best samples are fitted to all windows, with weights exp(-(distance / 2.5 scales)^2 / 2).
_BEST, _FIT_STEPS, _FIT_DAMPING, _WEIGHT_SCALES = 32, 10, 1e-6, 2.5
# In pixels: the least scale of the score, and that of the weights, for flow without noise.
_LEAST_SCORE_SCALE, _LEAST_SCALE = 2e-3, 1e-4
# The distance, in scales, that counts half in the score.
_SCORE_SCALES = 3.0


def find_start(pixels: Pixels) -> Motion:
    """The motion that fits the windows of one pair of images best, by a robust score."""
    lines, known = _sum_windows(pixels)
    samples = _fit_samples(lines)
    misfits, _ = _find_misfits(samples, lines, known)
    best = _take(samples, lax.top_k(-_average(misfits), _BEST)[1])
    fitted = jax.vmap(lambda motion: _fit(motion, lines, known))(best)
    misfits, scale = _find_misfits(fitted, lines, known)
    behind = jax.vmap(lambda motion: _is_behind(motion, lines, known, scale))(fitted)
    return _take(fitted, jnp.argmin(_average(jnp.where(behind, 1, misfits))))


def _sum_windows(pixels: Pixels) -> tuple[Lines, jax.Array]:
    """The means of windows whose middle pixels are known, and 1 for each window, 0 without any.

    V is that of a mean of independent pixels.
    """
    height, width = pixels.known.shape
    middle = _choose_pixels(pixels.known)
    around = np.arange(-_RADIUS, _RADIUS + 1, dtype=np.int32)
    rows = (middle // width)[:, None] + np.repeat(around, len(around))[None]
    columns = (middle % width)[:, None] + np.tile(around, len(around))[None]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    index = jnp.where(inside, rows * width + columns, 0)
    pixels = pixels.take(index)
    counts = (pixels.known & inside).astype(pixels.x.dtype)
    whole = jnp.maximum(counts.sum(-1), 1)
    lines = make_lines(pixels)
    mean = lambda x: (x * counts[None]).sum(-1) / whole[None]
    return (
        Lines(mean(lines.products), mean(lines.ray), mean(lines.spread) / whole[None]),
        (counts.sum(-1) > 0).astype(whole.dtype),
    )


def _choose_pixels(known: jax.Array) -> jax.Array:
    """Indices of known pixels all over the image, (_WINDOWS,); repeated if there are too few.

    Each pixel has its random number, and the known ones with the largest are taken, so that a pixel
    that is not known leaves the others chosen.
    """
    order = lax.bitcast_convert_type(_scramble(jnp.arange(known.size)) >> 1, jnp.int32)
    chosen = lax.top_k(jnp.where(known.reshape(-1), order, -1), min(known.size, _WINDOWS))[1]
    count = jnp.clip(jnp.sum(known), 1, len(chosen))
    return chosen[jnp.arange(_WINDOWS, dtype=count.dtype) % count]


def _scramble(x: jax.Array) -> jax.Array:
    """A random number of 32 bits for each integer (the finaliser of MurmurHash3)."""
    x = x.astype(jnp.uint32)
    x = (x ^ (x >> 16)) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * np.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


def _fit_samples(lines: Lines) -> Motion:
    """A motion for each sample: Gauss-Newton steps from R = I and a random direction."""
    random = np.random.default_rng(0)
    index = np.argsort(random.random((_SAMPLES, _WINDOWS)), axis=1)[:, :_WINDOWS_OF_SAMPLE]
    directions = random.normal(size=(_SAMPLES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    dtype = lines.ray.dtype
    start = Motion(jnp.zeros((_SAMPLES, 3, 3), dtype), jnp.asarray(directions, dtype))
    samples = jax.tree.map(lambda x: jnp.moveaxis(x[:, index], 1, 0), lines)
    weights = jnp.ones(_WINDOWS_OF_SAMPLE, dtype)

    def step(i: jax.Array, motions: Motion) -> Motion:
        damping = jnp.where(i < _STEPS // 2, _DAMPING, _LATE_DAMPING).astype(dtype)
        return jax.vmap(lambda a, b: step_towards(a, b, weights, damping))(motions, samples)

    return lax.fori_loop(0, _STEPS, step, match_varying_axes(start, lines.ray))


def _find_misfits(motions: Motion, lines: Lines, known: jax.Array) -> tuple[jax.Array, jax.Array]:
    """e^2 / (e^2 + (3 s)^2) for each motion and window, and s, the smallest scale of any motion.

    Its mean counts the windows that do not fit (Geman and McClure). A score without bound, such as
    the logarithm, prefers motions between those of two bodies, which fit neither.
    """
    distances = jax.vmap(lambda motion: find_distances(motion, lines))(motions)
    find_scale = lambda x: _robust.find_scale(x, known, _LEAST_SCORE_SCALE)
    scale = jnp.min(jax.vmap(find_scale)(distances))
    squares = distances * distances
    return squares / (squares + jnp.square(_SCORE_SCALES * scale)), scale


def _is_behind(motion: Motion, lines: Lines, known: jax.Array, scale: jax.Array) -> jax.Array:
    """Where the depth is negative beyond doubt if that of most windows is positive.

    A plane has a second motion with the same lines, but it puts a part of the plane behind the
    camera.
    """
    parallax = find_parallax(motion, lines)
    return vote(parallax, known, scale) * parallax < -_SCORE_SCALES * scale


def _average(misfits: jax.Array) -> jax.Array:
    score = jnp.mean(misfits, axis=-1)
    return jnp.where(jnp.isfinite(score), score, jnp.inf)


def _fit(motion: Motion, lines: Lines, known: jax.Array) -> Motion:
    """The motion after some robust steps on all windows."""

    def step(_: jax.Array, motion: Motion) -> Motion:
        distance = find_distances(motion, lines)
        scale = _robust.find_scale(distance, known, _LEAST_SCALE)
        weights = known * jnp.exp(-0.5 * jnp.square(distance / (_WEIGHT_SCALES * scale)))
        return step_towards(motion, lines, weights, _FIT_DAMPING)

    return lax.fori_loop(0, _FIT_STEPS, step, motion)


def _take(tree: T, index: jax.Array) -> T:
    return jax.tree.map(lambda x: x[index], tree)
