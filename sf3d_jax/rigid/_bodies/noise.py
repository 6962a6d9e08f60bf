"""The noise of an image motion, from the motion itself."""

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.rigid._bodies.pixels import Noise, Pixels

# The lower quartile of the magnitude of a normal variable, in standard deviations.
_QUARTILE = 0.3186
# The deviation of a - 2 b + c, in deviations of a, b and c; for depth, those of a ratio of two.
_SECOND_DIFFERENCE = float(np.sqrt(6))
_RATIO = float(np.sqrt(2))
# What is left of exact inputs in float32: pixels, and relative depth.
_LEAST_FLOW, _LEAST_DEPTH = 0.002, 2e-5
# Numbers that are sorted for a quantile; more change little.
_MOST_SORTED = 1 << 15


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
    """A quantile of the values in use, from evenly spaced ones; 0 if none is."""
    step = -(-values.size // _MOST_SORTED)
    values, use = values.ravel()[::step], use.ravel()[::step]
    ordered = jnp.sort(jnp.where(use, values, jnp.inf))
    count = use.sum()
    at = jnp.clip((share * count.astype(values.dtype)).astype(jnp.int32), 0, values.size - 1)
    return jnp.where(count > 0, jnp.take(ordered, at), 0)
