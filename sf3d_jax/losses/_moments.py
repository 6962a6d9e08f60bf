"""Means, variances and the covariance of two images in windows, without cancellation.

One pass along rows, one along columns, with differences to the middle pixel (index 0):

    m' = m_0 + sum_k w_k (m_k - m_0)
    v' = sum_k w_k v_k + sum_k w_k (m_k - m_0)^2 - (m' - m_0)^2

and the same for the covariance. A bright, nearly flat window keeps its digits. The usual
E[x^2] - E[x]^2 loses them: in float32 its error is as large as SSIM's own constants.
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
# Two means, two variances, the covariance.
Moments = tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]

# Up to this many taps, recomputing the first pass is faster than storing it.
_FEW = 3
# Constants of Wang et al. 2004, for brightness up to 1.
_C1, _C2 = 0.01**2, 0.03**2


def map_windows(
    function: Callable[[Moments], tuple[jax.Array, jax.Array]],
    weights: Weights,
    known: jax.Array,
    image: jax.Array,
    other: jax.Array,
) -> tuple[jax.Array, jax.Array]:
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
    whole = known
    for axis in (-1, -2):
        whole = jnp.all(jnp.stack(taps(whole, len(weights), axis)), axis=0)
    # Channels first, because XLA does not vectorise a select between channels-last images.
    spread = (jnp.broadcast_to(x, (*known.shape, x.shape[-1])) for x in (image, other))
    planes = [jnp.where(known[None], jnp.moveaxis(x, -1, 0), 0) for x in spread]

    # One channel at a time stays in the cache. The derivative recomputes it.
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

    It uses 1 - L S = (1 - L) + L (1 - S), so nothing is subtracted from 1 where images agree.
    """
    a, b, var_a, var_b, covariance = moments
    luminance = jnp.square(a - b) / (a * a + b * b + _C1)
    structure = (var_a + var_b - 2 * covariance) / (var_a + var_b + _C2)
    unlike = luminance + (1 - luminance) * structure
    return jnp.clip(unlike / 2, 0, 1), jnp.ones(a.shape, bool)


def decorrelation(moments: Moments) -> tuple[jax.Array, jax.Array]:
    """1 - correlation, which counts where neither image is flat.

    Square roots and quotients are rounded the same way on every processor; reciprocal roots are
    not. This way the difference of an image to itself is exactly 0.
    """
    *_, var_a, var_b, covariance = moments
    counts = is_positive_finite(var_a) & is_positive_finite(var_b)
    var_a, var_b = mask(counts, (var_a, var_b), (1, 1))
    spread = jnp.sqrt(var_a * var_b)
    return jnp.clip((spread - covariance) / spread, 0, 2), counts


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _moments(weights: Weights, image: jax.Array, other: jax.Array) -> Moments:
    """Moments of maps (*b, H, W), for the windows that lie inside them."""
    nothing = (jnp.zeros((), image.dtype),) * 3
    along = _reduce_axis(weights, -1, (image, other, *nothing))
    # With few taps, computing the first pass again for each is faster than storing it.
    return _reduce_axis(weights, -2, along if len(weights) <= _FEW else compute_once(along))


def _reduce_axis(weights: Weights, axis: int, moments: Moments) -> Moments:
    """Moments of windows, from the moments of their lines across this axis."""
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
    """The derivative as sums over windows; XLA's transpose of shifts takes five times as long."""
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
    """The weighted sum over all windows that contain a pixel."""
    beyond = len(weights) - 1
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(beyond, beyond)] * 2)
    along = compute_once(_weighted_sum(weights, taps(x, len(weights), -1)))
    return _weighted_sum(weights, taps(along, len(weights), -2))


def _weighted_sum(weights: Weights, xs: Sequence[jax.Array]) -> jax.Array:
    return total([w * x for w, x in zip(weights, xs, strict=True)])
