"""The noise of an image motion, from the motion itself."""

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.rigid import _robust
from sf3d_jax.rigid._bodies.pixels import Noise, Pixels

# The lower quartile of the magnitude of a normal variable, in standard deviations.
_QUARTILE = 0.3186
# The deviation of a - 2 b + c, in deviations of a, b and c; for depth, those of a ratio of two.
_SECOND_DIFFERENCE = float(np.sqrt(6))
_RATIO = float(np.sqrt(2))
# What is left of exact inputs in float32: pixels, and relative depth.
_LEAST_FLOW, _LEAST_DEPTH = 0.002, 2e-5
# The median of the square of two normal numbers.
_MEDIAN = 1.386
# Numbers that a quantile is found of; more change little.
_MOST_VALUES = 1 << 15


def estimate_noise(pixels: Pixels, known: jax.Array, focal: Vector) -> Noise:
    """The noise of maps (H, W), from the lower quartile of their second differences along rows.

    Where a surface is smooth, its motion is; depth edges and the borders of bodies are rare.
    """
    row = lambda x: x[:, :-2] - 2 * x[:, 1:-1] + x[:, 2:]
    use = known[:, :-2] & known[:, 1:-1] & known[:, 2:]
    flow = jnp.stack([f * row(x) for f, x in zip(focal, pixels.change, strict=True)])
    flow_use = jnp.broadcast_to(use, flow.shape)
    scale = 1 / (_QUARTILE * _SECOND_DIFFERENCE)
    quarter = lambda x, use: scale * find_quantile(jnp.abs(x), use, 0.25)
    flow_noise = quarter(flow, flow_use)
    depth_noise = quarter(row(pixels.ratio), use) / _RATIO
    return Noise(jnp.maximum(flow_noise, _LEAST_FLOW), jnp.maximum(depth_noise, _LEAST_DEPTH))


def find_quantile(values: jax.Array, use: jax.Array, share: float) -> jax.Array:
    """A quantile of the values in use, which are not negative, from evenly spaced ones; else 0."""
    if not values.size:  # an image of one or two columns has no second differences
        return values.sum()
    step = -(-values.size // _MOST_VALUES)
    found = _robust.find_quantile(values.ravel()[::step], use.ravel()[::step], share)
    return jnp.where(jnp.isfinite(found), found, 0)


def count_alike(residual: Vector, known: jax.Array, radius: int) -> jax.Array:
    """How many pixels of a window have the same noise: 1 if neighbours are independent.

    sqrt(n) times the mean over a window's n pixels has the deviation of one pixel if all are
    independent, and that times sqrt(k) if each k are alike.

    Args:
      residual: components, (H, W) each, in units of the noise.
      known: (H, W), bool.
      radius: windows have 2 radius + 1 rows and columns.

    Returns:
      One number, from 1 to the number of pixels of a window.
    """
    median = lambda parts: find_quantile(sum(x * x for x in parts), known, 0.5)
    own = jnp.maximum(median(residual), _MEDIAN)
    counts = known.astype(own.dtype)
    pool = lambda x: _robust.pool(x, counts, jnp.sqrt(own / _MEDIAN), radius)
    return jnp.clip(median([pool(x) for x in residual]) / own, 1, (2 * radius + 1) ** 2)
