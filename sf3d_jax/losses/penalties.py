"""Penalties of a residual x, element by element; the result has the shape of x.

    l1                       |x|
    l2                       x^2
    charbonnier              sqrt(x^2 + s^2)
    generalized_charbonnier  (|x| + e)^q
    general_robust           |a - 2| / a (((x / s)^2 / |a - 2| + 1)^(a / 2) - 1)
    huber                    x^2 / 2 for |x| < h, else h (|x| - h / 2)

Values and gradients are finite; the gradient at x = 0 is 0. Where a residual is NaN or at
least 3e9 in magnitude (float32), the penalty is 0 and passes no gradient. Values too large for the
dtype are clipped to its largest number.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import align_ranks, is_in_range, jit, mask, widen
from sf3d_jax.losses._maps import absolute, root

# Below this |t|, the series of (e^t - 1) / t is exact to the last place of float64.
_SMALL = 0.01


@jit
def l1(x: jax.Array) -> jax.Array:
    """The absolute value |x|, with gradient 0 at 0.

    Args:
      x: residuals, any shape.

    Returns:
      The penalty, in the shape and dtype of x; 0 where x is NaN or |x| >= 3e9 (float32).
    """
    return _apply_penalty(absolute, x)


@jit
def l2(x: jax.Array) -> jax.Array:
    """The square x^2.

    Args:
      x: residuals, any shape.

    Returns:
      The penalty, in the shape and dtype of x; 0 where x is NaN or |x| >= 3e9 (float32).
    """
    return _apply_penalty(jnp.square, x)


@jit
def charbonnier(x: jax.Array, *, scale: float = 1e-3) -> jax.Array:
    """The absolute value smoothed at 0, sqrt(x^2 + s^2) (SMURF's `robust_l1`).

    Args:
      x: residuals, any shape.
      scale: s, in the unit of x.

    Returns:
      The penalty, in the shape and dtype of x; 0 where x is NaN or |x| >= 3e9 (float32).
    """
    return _apply_penalty(lambda x, scale: root(x * x + scale * scale), x, scale)


@jit
def generalized_charbonnier(
    x: jax.Array, *, epsilon: float = 0.01, exponent: float = 0.4
) -> jax.Array:
    """(|x| + e)^q, which discounts large residuals for q < 1 (Sun et al. 2010, M-FUSE).

    Args:
      x: residuals, any shape.
      epsilon: e, not negative, in the unit of x.
      exponent: q, positive.

    Returns:
      The penalty, in the shape and dtype of x; 0 where x is NaN or |x| >= 3e9 (float32).
    """

    def power(x: jax.Array, epsilon: jax.Array, exponent: jax.Array) -> jax.Array:
        base = absolute(x) + epsilon
        positive = base > 0
        return mask(positive, jnp.where(positive, base, 1) ** exponent)

    return _apply_penalty(power, x, epsilon, exponent)


@jit
def huber(x: jax.Array, *, delta: float = 1.0) -> jax.Array:
    """Huber's loss, x^2 / 2 for |x| < h, else h (|x| - h / 2): `optax.losses.huber_loss`.

    Args:
      x: residuals, any shape.
      delta: h, positive, in the unit of x.

    Returns:
      The penalty, in the shape and dtype of x; 0 where x is NaN or |x| >= 3e9 (float32).
    """
    return _apply_penalty(lambda x, delta: optax.losses.huber_loss(x, delta=delta), x, delta)


@jit
def general_robust(x: jax.Array, *, alpha: ArrayLike, scale: ArrayLike = 1.0) -> jax.Array:
    """Barron's general and adaptive robust loss (CVPR 2019).

        |a - 2| / a (((x / s)^2 / |a - 2| + 1)^(a / 2) - 1)

    It is exact in its limits: a = 2 is half the square, 0 is Cauchy's log((x/s)^2 / 2 + 1), -inf is
    Welsch's 1 - exp(-(x/s)^2 / 2). a = 1 is Charbonnier minus its minimum, -2 is Geman and
    McClure's. a can be learned: the gradient with respect to a is unbounded only at a = 2, where
    that at a distance of one unit of rounding is returned.

    Args:
      x: residuals, any shape.
      alpha: a, the shape parameter; a number, or an array that broadcasts against x.
      scale: s, positive, in the unit of x; a number, or an array that broadcasts against x.

    Returns:
      The loss in the dtype of x, broadcast; 0 at x = 0 and where x / s is NaN or |x / s| >= 3e9
      (float32). It grows fast for a > 2 and is clipped before it overflows.
    """
    check_array("x", x)
    check_batch(x=x.shape, alpha=jnp.shape(alpha), scale=jnp.shape(scale))
    dtype = x.dtype
    (x,) = widen(x)
    x, shape, s = align_ranks(x, *(jnp.asarray(option, x.dtype) for option in (alpha, scale)))
    known = is_in_range(x / jnp.where(s > 0, s, 1)) & (s > 0) & ~jnp.isnan(shape)
    x, s, shape = mask(known, tuple(jnp.broadcast_arrays(x, s, shape)), (0, 1, 1))
    return narrow_or_clip(known, _barron_loss(jnp.square(x / s), shape), dtype)


def _barron_loss(s: jax.Array, alpha: jax.Array) -> jax.Array:
    """Barron's loss of s = (x / scale)^2.

    With b = |a - 2| and y = log(1 + s / b): for a <= 1 it is b y / 2 times (e^t - 1) / t with
    t = a y / 2, smooth at 0; for a > 1 it is (s e^t + b (e^t - 1)) / a with t = (a - 2) y / 2,
    which does not cancel near 2. Beyond the limit of |a| the loss is the same to rounding.
    """
    limit = 1 / jnp.finfo(s.dtype).eps ** 2
    alpha = jnp.clip(alpha, -limit, limit)
    # The slope at a = 2 is infinite; that beside it stands for it.
    b = jnp.where(alpha == 2, jnp.finfo(s.dtype).eps, jnp.abs(alpha - 2))
    y = jnp.log1p(s / b)

    low = alpha <= 1
    lower = 0.5 * b * y * _expm1_ratio(0.5 * jnp.where(low, alpha, 1) * y)
    # Bounds e^t so that its product with squares below 1e19, and its derivatives, are finite.
    most = 0.43 * math.log(float(jnp.finfo(s.dtype).max))
    t = jnp.minimum(0.5 * (jnp.where(low, 2, alpha) - 2) * y, most)
    upper = (s * jnp.exp(t) + b * jnp.expm1(t)) / jnp.where(low, 1, alpha)
    return jnp.where(low, lower, upper)


def _expm1_ratio(t: jax.Array) -> jax.Array:
    """(e^t - 1) / t, 1 at 0."""
    small = jnp.abs(t) < _SMALL
    near, far = jnp.where(small, t, 0), jnp.where(small, 1, t)
    series = jnp.ones_like(t)
    for n in (7, 6, 5, 4, 3, 2):
        series = 1 + near / n * series
    return jnp.where(small, series, jnp.expm1(far) / far)


def _apply_penalty(
    function: Callable[..., jax.Array], x: jax.Array, *options: ArrayLike
) -> jax.Array:
    """Applies a function to a residual and its options, all in the dtype of the computation."""
    check_array("x", x)
    dtype = x.dtype

    def apply(x: jax.Array, *options: ArrayLike) -> jax.Array:
        (x,) = widen(x)
        known = is_in_range(x)
        values = function(mask(known, x), *(jnp.asarray(option, x.dtype) for option in options))
        return narrow_or_clip(known, values, dtype)

    # For the derivative, what is stored is the residual in its own dtype, not what is computed.
    return (jax.checkpoint(apply) if dtype.itemsize < 4 else apply)(x, *options)


def narrow_or_clip(known: jax.Array, values: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """The values in a narrower dtype, clipped to its largest number; 0 where unknown."""
    largest = float(jnp.finfo(dtype).max)
    return mask(known, jnp.clip(values, -largest, largest)).astype(dtype)
