"""Lengths whose gradient at zero is 0; that of a plain square root would be infinite."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import mask


def root(squared: jax.Array) -> jax.Array:
    """The square root of non-negative numbers; its gradient at 0 is 0."""
    positive = squared > 0
    return mask(positive, jnp.sqrt(jnp.where(positive, squared, 1)))


def length(*parts: jax.Array) -> jax.Array:
    """The Euclidean length of vectors, or the magnitude of numbers; its gradient at 0 is 0.

    Args:
      *parts: one array per component.

    Returns:
      An array of their shape.
    """
    if len(parts) == 1:
        return parts[0] * lax.stop_gradient(jnp.sign(parts[0]))
    # The sum is written out because XLA on CPU is slow at sums over a short axis.
    return root(functools.reduce(jnp.add, [x * x for x in parts]))
