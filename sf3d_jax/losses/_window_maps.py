"""A function of the moments of two images' windows, summed over channels, in two forms.

On CPUs one channel at a time, which stays in the cache. Elsewhere all channels at once, in few
passes over memory: there, pixels that do not count are NaN, so that the moments of a window say
whether all its pixels count. Both are differentiated by computing the moments again.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import align_ranks, channels, mask
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.losses._maps import taps, total
from sf3d_jax.losses._moments import (
    FEW,
    Moments,
    Pair,
    Weights,
    measure_windows,
    reduce_taps,
    reduce_windows,
    sum_weighted,
)
from sf3d_jax.warping._windows import match_varying_axes

# Takes moments; returns values and which of them count.
Function = Callable[[Moments], Pair]

# Rows and columns of images.
_ROWS, _COLUMNS = -3, -2
# The type of numbers of channels.
_COUNT = jnp.int16


def map_windows(
    function: Function, weights: Weights, known: jax.Array, image: jax.Array, other: jax.Array
) -> Pair:
    """The mean over channels of a function of each window's moments, and where it is defined.

    Args:
      function: takes moments; returns values and which of them count.
      weights: window weights, used along rows and columns; odd length, symmetric, sum 1.
      known: (*b, H, W), bool.
      image: (*b, H, W, C), any values where not known.
      other: (*b, H, W, C), any values where not known.

    Returns:
      (*b, H, W) each; False where the window leaves the image or has unknown pixels, and where
      no channel counts.
    """
    radius = len(weights) // 2
    if min(known.shape[-2:]) < len(weights):
        return jnp.zeros(known.shape, image.dtype), jnp.zeros(known.shape, bool)
    images = (jnp.broadcast_to(x, (*known.shape, x.shape[-1])) for x in (image, other))
    values, count = _sum_channels(function, weights, known, *images)
    margin = [(0, 0)] * (known.ndim - 2) + [(radius, radius)] * 2
    mean = values / jnp.maximum(count, 1).astype(values.dtype)
    return jnp.pad(mean, margin), jnp.pad(count, margin) > 0


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _sum_channels(
    function: Function, weights: Weights, known: jax.Array, image: jax.Array, other: jax.Array
) -> Pair:
    """The sum over the channels that count, and their number, for the windows in the image."""
    forms = partial(_sum_in_loop, function, weights), partial(_sum_at_once, function, weights)
    return choose_by_platform(*forms, known, image, other)


def _forward(
    function: Function, weights: Weights, known: jax.Array, image: jax.Array, other: jax.Array
) -> tuple[Pair, tuple[jax.Array, ...]]:
    return _sum_channels(function, weights, known, image, other), (known, image, other)


def _backward(
    function: Function, weights: Weights, saved: tuple[jax.Array, ...], cotangents: Pair
) -> tuple[None, jax.Array, jax.Array]:
    known, image, other = saved
    in_loop = partial(_differentiate_in_loop, function, weights)
    at_once = partial(_differentiate_at_once, function, weights)
    by_pair = choose_by_platform(in_loop, at_once, cotangents[0], known, image, other)
    return None, *by_pair


_sum_channels.defvjp(_forward, _backward)


def _sum_in_loop(
    function: Function, weights: Weights, known: jax.Array, image: jax.Array, other: jax.Array
) -> Pair:
    whole, planes = _split_into_planes(weights, known, image, other)

    def add(sums: Pair, pair: Pair) -> tuple[Pair, None]:
        values, counts = _apply(function, whole, measure_windows(weights, *pair))
        return (sums[0] + values, sums[1] + counts.astype(sums[1].dtype)), None

    sums = jnp.zeros(whole.shape, image.dtype), jnp.zeros(whole.shape, _COUNT)
    return lax.scan(add, match_varying_axes(sums, (known, *planes)), planes)[0]


def _differentiate_in_loop(
    function: Function, weights: Weights, cotangent: jax.Array, known: jax.Array, *images: jax.Array
) -> Pair:
    whole, planes = _split_into_planes(weights, known, *images)

    def differentiate(pair: Pair) -> Pair:
        apply = lambda *pair: _apply(function, whole, measure_windows(weights, *pair))[0]
        return jax.vjp(apply, *pair)[1](cotangent)

    by_image, by_other = (jnp.moveaxis(x, 0, -1) for x in lax.map(differentiate, planes))
    return by_image, by_other


def _split_into_planes(
    weights: Weights, known: jax.Array, image: jax.Array, other: jax.Array
) -> tuple[jax.Array, Pair]:
    """Which windows count, and the images with channels first, 0 where not known."""
    whole = known
    for axis in (-1, -2):
        whole = jnp.all(jnp.stack(taps(whole, len(weights), axis)), axis=0)
    # Channels first, because XLA does not vectorise a select between channels-last images.
    first = lambda x: jnp.where(known[None], jnp.moveaxis(x, -1, 0), 0)
    return whole, (first(image), first(other))


def _apply(function: Function, whole: jax.Array, moments: Moments) -> Pair:
    """The values of a function of moments, 0 where they do not count, and where they count."""
    values, counts = function(moments)
    counts = counts & whole
    return mask(counts, values), counts


def _sum_at_once(
    function: Function, weights: Weights, known: jax.Array, image: jax.Array, other: jax.Array
) -> Pair:
    moments = _measure_channels(weights, *_mark(known, image, other))
    values, counts = _apply_to_marked(function, moments)
    # Written out, because XLA computes a sum over channels that several kernels use by itself.
    return total(channels(mask(counts, values))), total(channels(counts.astype(_COUNT)))


def _differentiate_at_once(
    function: Function, weights: Weights, cotangent: jax.Array, known: jax.Array, *images: jax.Array
) -> Pair:
    def apply(*images: jax.Array) -> jax.Array:
        moments, counts = _measure_at_once(function, weights, known, *images)
        return mask(counts, function(moments)[0])

    values, pull = jax.vjp(apply, *images)
    return pull(jnp.broadcast_to(cotangent[..., None], values.shape))


def _measure_channels(weights: Weights, image: jax.Array, other: jax.Array) -> Moments:
    """Moments of images (*b, H, W, C), for the windows that lie inside them."""
    if len(weights) > FEW:
        return reduce_windows(weights, (_ROWS, _COLUMNS), image, other)
    # All pixels of a window at once, because XLA would store what the first pass returns.
    split = lambda x, axis: taps(x, len(weights), axis)
    pixels = lambda x: [pixel for line in split(x, _ROWS) for pixel in split(line, _COLUMNS)]
    products = tuple(across * along for across in weights for along in weights)
    return reduce_taps(products, pixels(image), pixels(other))


def _apply_to_marked(function: Function, moments: Moments) -> Pair:
    """A function of moments that are NaN where a pixel of the window is not known."""
    values, counts = function(moments)
    # Not `~isnan`, which XLA would compute in a kernel of its own, as it would `count > 0` above.
    return values, counts & (values == values)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _measure_at_once(
    function: Function, weights: Weights, known: jax.Array, image: jax.Array, other: jax.Array
) -> tuple[Moments, jax.Array]:
    """Moments of the windows that lie in the image, and where a function of them counts.

    Args:
      function: takes moments; returns values and which of them count.
      weights: window weights.
      known: (*b, H, W), bool.
      image: (*b, H, W, C), any values where not known.
      other: (*b, H, W, C), any values where not known.

    Returns:
      Means, variances, covariance, (*b, h, w, C), or 1, 1, 1, 1, 0 where they do not count; and
      where they count, of the same shape.
    """
    moments = _measure_channels(weights, *_mark(known, image, other))
    _, counts = _apply_to_marked(function, moments)
    return mask(counts, moments, (1, 1, 1, 1, 0)), counts


def _measure_at_once_forward(
    function: Function, weights: Weights, known: jax.Array, image: jax.Array, other: jax.Array
) -> tuple[tuple[Moments, jax.Array], tuple[jax.Array, ...]]:
    moments, counts = _measure_at_once(function, weights, known, image, other)
    return (moments, counts), (known, image, other, *moments[:2], counts)


def _measure_at_once_backward(
    function: Function,
    weights: Weights,
    saved: tuple[jax.Array, ...],
    cotangents: tuple[Moments, jax.Array],
) -> tuple[None, jax.Array, jax.Array]:
    del function
    *images, mean_a, mean_b, counts = saved
    # No window with an unknown pixel counts, so its derivative is 0 without a mask.
    a, b = (jnp.where(jnp.isnan(x), 0, x) for x in _mark(*images))
    by_a, by_b, by_var_a, by_var_b, by_covariance = mask(counts, cotangents[0])

    def differentiate(
        x: jax.Array, y: jax.Array, by_mean: jax.Array, by_variance: jax.Array
    ) -> jax.Array:
        sums = _transpose_windows(weights, by_mean, by_variance, by_covariance)
        return sums[0] + 2 * x * sums[1] + y * sums[2]

    by_image = differentiate(a, b, by_a - 2 * by_var_a * mean_a - by_covariance * mean_b, by_var_a)
    by_other = differentiate(b, a, by_b - 2 * by_var_b * mean_b - by_covariance * mean_a, by_var_b)
    return None, by_image, by_other


_measure_at_once.defvjp(_measure_at_once_forward, _measure_at_once_backward)


def _mark(known: jax.Array, image: jax.Array, other: jax.Array) -> list[jax.Array]:
    """Both images, NaN where not known."""
    # As one array: otherwise XLA would compute and store what is known by itself.
    pair = jnp.concatenate([image, other], axis=-1)
    return jnp.split(jnp.where(known[..., None], pair, jnp.nan), 2, axis=-1)


def _transpose_windows(weights: Weights, *xs: jax.Array) -> list[jax.Array]:
    """The weighted sums of maps (*b, h, w, C) over all windows that contain a pixel."""
    count, last = len(weights), len(weights) - 1
    margin = [(0, 0)] * (xs[0].ndim - 3) + [(last, last), (last, last), (0, 0)]
    padded = [jnp.pad(x, margin) for x in xs]
    # One reduction of all maps along the rows, which is one kernel.
    column = jnp.asarray(weights, xs[0].dtype)[:, None]
    (column,) = align_ranks(column, rank=xs[0].ndim)
    products = tuple(_shift(x, count) * column for x in padded)
    add = lambda a, b: tuple(x + y for x, y in zip(a, b, strict=True))
    zeros = tuple(jnp.zeros((), x.dtype) for x in xs)
    along = lax.reduce(products, zeros, add, (products[0].ndim - 2,))
    width, depth = padded[0].shape[-2] - last, xs[0].shape[-1]
    along = [x.reshape(*x.shape[:-1], width, depth) for x in along]
    return [sum_weighted(weights, taps(x, count, _ROWS)) for x in along]


def _shift(x: jax.Array, count: int) -> jax.Array:
    """`count` copies of rows (*b, H, W, C), shifted by one pixel more each: (*b, H, count, w C).

    The copies are rows that are read one pixel beyond their end, and so begin one pixel later. XLA
    computes this in the kernel that uses it, which it does with few gathers and no concatenation.
    """
    *lines, width, depth = x.shape
    size = width * depth
    copies = jnp.broadcast_to(x.reshape(*lines, 1, size), (*lines, count + 1, size))
    long = copies.reshape(*lines, (count + 1) * size)[..., : count * (size + depth)]
    return long.reshape(*lines, count, size + depth)[..., : size - (count - 1) * depth]
