"""Means, variances and the covariance of two images in windows, without cancellation.

Along rows, then along columns, with differences to the pixel in the middle (index 0):

    m' = m_0 + sum_k w_k (m_k - m_0)
    v' = sum_k w_k v_k + sum_k w_k (m_k - m_0)^2 - (m' - m_0)^2

and for the covariance likewise. So a window that is bright and nearly flat keeps its digits, which
the usual E[x^2] - E[x]^2 loses: in float32 that is wrong by as much as SSIM's own constants.
"""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import compute_once, is_positive_finite, mask
from sf3d_jax.losses._maps import taps, total
from sf3d_jax.warping._windows import match_varying_axes

Weights = tuple[float, ...]
Pair = tuple[jax.Array, jax.Array]
# Means of both, variances of both, covariance.
Moments = tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]

# So many taps are computed anew for all that use them.
_FEW = 3
# Of Wang et al. 2004, for brightness up to 1.
_C1, _C2 = 0.01**2, 0.03**2


def of_windows(
    function: Callable[[Moments], tuple[jax.Array, jax.Array]],
    weights: Weights,
    known: jax.Array,
    image: jax.Array,
    other: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """The mean over channels of a function of windows' moments, and where windows are whole.

    Args:
      function: of moments; returns values and which of them count.
      weights: along a row, and along a column; of odd number, symmetric, their sum 1.
      known: (*b, H, W), bool.
      image: (*b, H, W, C), anything where not known.
      other: likewise.

    Returns:
      (*b, H, W) each; false where the window leaves the image or has unknown pixels, and where no
      channel counts.
    """
    radius = len(weights) // 2
    if min(known.shape[-2:]) < len(weights):
        return jnp.zeros(known.shape, image.dtype), jnp.zeros(known.shape, bool)
    whole = known
    for axis in (-1, -2):
        whole = jnp.all(jnp.stack(taps(whole, len(weights), axis)), axis=0)
    # As planes, because a select between images of channels is not vectorised.
    spread = (jnp.broadcast_to(x, (*known.shape, x.shape[-1])) for x in (image, other))
    planes = [jnp.where(known[None], jnp.moveaxis(x, -1, 0), 0) for x in spread]

    # A channel at a time, to stay in the cache; nothing is kept for the derivative.
    @partial(jax.checkpoint, prevent_cse=False)
    def add(sums: Pair, pair: Pair) -> tuple[Pair, None]:
        values, counts = function(_moments(weights, *pair))
        counts = counts & whole
        return (sums[0] + mask(counts, values), sums[1] + counts.astype(sums[1].dtype)), None

    sums = jnp.zeros(whole.shape, image.dtype), jnp.zeros(whole.shape, jnp.int16)
    (values, count), _ = lax.scan(add, match_varying_axes(sums, (known, *planes)), planes)
    margin = [(0, 0)] * (known.ndim - 2) + [(radius, radius)] * 2
    mean = values / jnp.maximum(count, 1).astype(values.dtype)
    return jnp.pad(mean, margin), jnp.pad(count > 0, margin)


def dissimilarity(moments: Moments) -> tuple[jax.Array, jax.Array]:
    """(1 - SSIM) / 2, which counts everywhere.

    1 - L S = (1 - L) + L (1 - S), so that nothing is subtracted from 1 where images are alike.
    """
    a, b, var_a, var_b, covariance = moments
    luminance = jnp.square(a - b) / (a * a + b * b + _C1)
    structure = (var_a + var_b - 2 * covariance) / (var_a + var_b + _C2)
    unlike = luminance + (1 - luminance) * structure
    return jnp.clip(unlike / 2, 0, 1), jnp.ones(a.shape, bool)


def decorrelation(moments: Moments) -> tuple[jax.Array, jax.Array]:
    """One less the correlation, which counts where neither image is flat.

    A square root and a quotient are rounded alike on every processor, a reciprocal root is not:
    of two images that are the same the difference below is 0.
    """
    *_, var_a, var_b, covariance = moments
    counts = is_positive_finite(var_a) & is_positive_finite(var_b)
    var_a, var_b = mask(counts, (var_a, var_b), (1, 1))
    spread = jnp.sqrt(var_a * var_b)
    return jnp.clip((spread - covariance) / spread, 0, 2), counts


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _moments(weights: Weights, image: jax.Array, other: jax.Array) -> Moments:
    """Of maps (*b, H, W), on the windows that lie in them."""
    nothing = (jnp.zeros((), image.dtype),) * 3
    along = _pass(weights, -1, (image, other, *nothing))
    # Of three taps it is faster to compute the first pass thrice than to write and read it.
    return _pass(weights, -2, along if len(weights) <= _FEW else compute_once(along))


def _pass(weights: Weights, axis: int, moments: Moments) -> Moments:
    """Moments of windows, from those of their lines across this axis."""
    count, middle = len(weights), len(weights) // 2
    a, b = (taps(x, count, axis) for x in moments[:2])
    da, db = ([x - xs[middle] for x in xs] for xs in (a, b))
    ma, mb = _weighted_sum(weights, da), _weighted_sum(weights, db)
    seconds = []
    pairs = (da, da, ma, ma), (db, db, mb, mb), (da, db, ma, mb)
    for second, (x, y, mx, my) in zip(moments[2:], pairs, strict=True):
        between = _weighted_sum(weights, [p * q for p, q in zip(x, y, strict=True)]) - mx * my
        within = _weighted_sum(weights, taps(second, count, axis)) if second.ndim else second
        seconds.append(between + within)
    var_a, var_b, covariance = seconds
    return a[middle] + ma, b[middle] + mb, var_a, var_b, covariance


def _forward(
    weights: Weights, image: jax.Array, other: jax.Array
) -> tuple[Moments, tuple[jax.Array, ...]]:
    moments = _moments(weights, image, other)
    return moments, (image, other, *moments[:2])


def _backward(weights: Weights, saved: tuple[jax.Array, ...], cotangents: Moments) -> Pair:
    """The derivative in sums over windows; XLA's transpose of shifts takes five times as long."""
    a, b, mean_a, mean_b = saved
    by_a, by_b, by_var_a, by_var_b, by_covariance = cotangents
    of = partial(_transpose_windows, weights)
    both = of(by_covariance)
    return (
        of(by_a - 2 * by_var_a * mean_a - by_covariance * mean_b) + 2 * a * of(by_var_a) + b * both,
        of(by_b - 2 * by_var_b * mean_b - by_covariance * mean_a) + 2 * b * of(by_var_b) + a * both,
    )


_moments.defvjp(_forward, _backward)


def _transpose_windows(weights: Weights, x: jax.Array) -> jax.Array:
    """The weighted sum over the windows that a pixel is part of."""
    beyond = len(weights) - 1
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(beyond, beyond)] * 2)
    along = compute_once(_weighted_sum(weights, taps(x, len(weights), -1)))
    return _weighted_sum(weights, taps(along, len(weights), -2))


def _weighted_sum(weights: Weights, xs: Sequence[jax.Array]) -> jax.Array:
    return total([w * x for w, x in zip(weights, xs, strict=True)])
