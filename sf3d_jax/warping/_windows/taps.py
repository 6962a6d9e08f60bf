"""The pixels of windows: what every form of a sum over windows uses."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import Array

# Rows of maps (m, n), one map for each pixel of a window.
Maps: TypeAlias = Sequence[Sequence[jax.Array]]
# What a splat adds up: values and weights (H, W, C + 1), and areas (H, W).
Totals: TypeAlias = tuple[jax.Array, jax.Array]


def products(across: Sequence[jax.Array], along: Sequence[jax.Array]) -> Maps:
    """Combines weights of rows and of columns into weights of a window's pixels."""
    return [[a * b for b in along] for a in across]


def list_taps(maps: Maps, width: int) -> Iterator[tuple[int, jax.Array]]:
    """Yields (offset from the first pixel, map) for each pixel of a window."""
    for i, row in enumerate(maps):
        for j, x in enumerate(row):
            yield i * width + j, x


def flatten(image: jax.Array) -> jax.Array:
    """Reshapes an image to its pixels, (H W, C)."""
    height, width, count = image.shape
    return image.reshape(height * width, count)


def pixels_at(image: jax.Array, index: Array) -> jax.Array:
    """Gathers the pixels of a flat image; the indices must lie in it."""
    return jnp.asarray(image).at[index].get(mode="promise_in_bounds")


def add_at(image: jax.Array, index: jax.Array, updates: jax.Array) -> jax.Array:
    """Adds updates to the pixels of a flat image; the indices must lie in it."""
    return image.at[index].add(updates, mode="promise_in_bounds")


def zero_non_finite(x: jax.Array) -> jax.Array:
    """Replaces non-finite numbers by 0."""
    return jnp.where(jnp.isfinite(x), x, 0)


def append_one(values: jax.Array) -> jax.Array:
    """Appends a channel of ones to values, of which the non-finite count as 0."""
    ones = jnp.ones((*values.shape[:-1], 1), values.dtype)
    return jnp.concatenate([zero_non_finite(values), ones], axis=-1)
