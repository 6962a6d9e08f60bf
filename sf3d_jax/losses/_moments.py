"""Means, variances and the covariance of two images in windows, without cancellation.

With differences to the middle pixel (index 0), in one pass along rows and one along columns:

    m' = m_0 + sum_k w_k (m_k - m_0)
    v' = sum_k w_k v_k + sum_k w_k (m_k - m_0)^2 - (m' - m_0)^2

and the same for the covariance. A bright, nearly flat window keeps its digits. The usual
E[x^2] - E[x]^2 loses them: in float32 its error is as large as SSIM's own constants. One pass over
all pixels of a window, whose own variances are 0, follows the same formulas.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import compute_once, is_positive_finite, mask
from sf3d_jax.losses._maps import taps, total

Weights = tuple[float, ...]
Pair = tuple[jax.Array, jax.Array]
# Two means, two variances, the covariance.
Moments = tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]

# Up to this many taps, recomputing the first pass is faster than storing it.
FEW = 3
# Constants of Wang et al. 2004, for brightness up to 1.
_C1, _C2 = 0.01**2, 0.03**2


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
def measure_windows(weights: Weights, image: jax.Array, other: jax.Array) -> Moments:
    """Moments of maps (*b, H, W), for the windows that lie inside them."""
    return reduce_windows(weights, (-2, -1), image, other)


def reduce_windows(
    weights: Weights, axes: tuple[int, int], image: jax.Array, other: jax.Array
) -> Moments:
    """Moments of windows over the axes of rows and columns."""
    rows, columns = axes
    along = _reduce_axis(weights, columns, (image, other))
    # With few taps, computing the first pass again for each is faster than storing it.
    return _reduce_axis(weights, rows, along if len(weights) <= FEW else compute_once(along))


def _reduce_axis(weights: Weights, axis: int, moments: tuple[jax.Array, ...]) -> Moments:
    """Moments of windows, from the moments, or the pixels, of their lines across this axis."""
    a, b, *seconds = (taps(x, len(weights), axis) for x in moments)
    mean_a, mean_b, *between = reduce_taps(weights, a, b)
    within = [sum_weighted(weights, x) for x in seconds] or [jnp.zeros((), mean_a.dtype)] * 3
    var_a, var_b, covariance = (x + y for x, y in zip(between, within, strict=True))
    return mean_a, mean_b, var_a, var_b, covariance


def reduce_taps(weights: Weights, a: list[jax.Array], b: list[jax.Array]) -> Moments:
    """Moments of the pixels of windows, one map for each pixel; the middle one is the origin."""
    middle = len(weights) // 2
    da, db = ([x - xs[middle] for x in xs] for xs in (a, b))
    ma, mb = sum_weighted(weights, da), sum_weighted(weights, db)
    var_a, var_b, covariance = (
        sum_weighted(weights, [p * q for p, q in zip(x, y, strict=True)]) - mx * my
        for x, y, mx, my in ((da, da, ma, ma), (db, db, mb, mb), (da, db, ma, mb))
    )
    return a[middle] + ma, b[middle] + mb, var_a, var_b, covariance


def sum_weighted(weights: Weights, xs: Sequence[jax.Array]) -> jax.Array:
    """The sum of maps, each times its weight."""
    return total([w * x for w, x in zip(weights, xs, strict=True)])


def _forward(
    weights: Weights, image: jax.Array, other: jax.Array
) -> tuple[Moments, tuple[jax.Array, ...]]:
    moments = measure_windows(weights, image, other)
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


measure_windows.defvjp(_forward, _backward)


def _transpose_windows(weights: Weights, x: jax.Array) -> jax.Array:
    """The weighted sum over all windows that contain a pixel."""
    beyond = len(weights) - 1
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(beyond, beyond)] * 2)
    along = compute_once(sum_weighted(weights, taps(x, len(weights), -1)))
    return sum_weighted(weights, taps(along, len(weights), -2))
