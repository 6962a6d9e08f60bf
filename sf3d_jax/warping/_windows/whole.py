"""Sums over windows in the forms that are fast on GPUs: one gather or scatter of all taps.

Each operation that is left over costs the launch of a kernel. So the taps are an axis in front of
the maps, and neighbouring threads read neighbouring pixels.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax.warping._windows.taps import Maps, Totals, add_at, flatten, pixels_at, zero_non_finite

# The most numbers that a GPU adds to memory in one instruction; one and two are fine as well.
_LANES = 4


def sum_windows(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """Sums over windows, with fast transposes with respect to the image and to the weights."""
    count = image.shape[-1]
    taps = pixels_at(_pad_channels(flatten(image)), find_index(first, weights, image.shape[1]))
    return (join_taps(weights)[..., None] * taps).sum(0)[..., :count]


def sum_finite_windows(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """Sums over windows; non-finite values count as 0."""
    return sum_windows(zero_non_finite(image), first, weights)


def scatter(
    size: tuple[int, int], values: jax.Array, first: jax.Array, weights: Maps, areas: Maps | None
) -> Totals:
    """Adds values with weights, as `scatter_windows` does."""
    index = find_index(first, weights, size[1])
    return split_totals(_add_updates(size, index, make_updates(values, weights, areas)), areas)


def scatter_tangents(
    size: tuple[int, int],
    values: jax.Array,
    first: jax.Array,
    weights: Maps,
    values_dot: jax.Array,
    weights_dot: Maps,
    areas_dot: Maps | None,
) -> Totals:
    """The tangent of `scatter`."""
    updates = make_updates(values, weights_dot, areas_dot)
    by_values = join_taps(weights)[..., None] * values_dot[None]
    rest = updates.shape[-1] - values.shape[-1]
    updates = updates + jnp.pad(by_values, [(0, 0)] * (updates.ndim - 1) + [(0, rest)])
    index = find_index(first, weights, size[1])
    return split_totals(_add_updates(size, index, updates), areas_dot)


def scatter_max(size: tuple[int, int], x: jax.Array, first: jax.Array, counts: Maps) -> jax.Array:
    """Finds the greatest x at each pixel of an image; -inf where none counts."""
    updates = jnp.where(join_taps(counts), x[None], -jnp.inf)
    greatest = jnp.full(math.prod(size), -jnp.inf, x.dtype)
    index = find_index(first, counts, size[1])
    return greatest.at[index].max(updates, mode="promise_in_bounds").reshape(size)


def make_updates(values: jax.Array, weights: Maps, areas: Maps | None) -> jax.Array:
    """What each tap adds to its pixel: values times weight, weight, area; (taps, m, n, C + 2)."""
    weight = join_taps(weights)[..., None]
    parts = [zero_non_finite(values)[None] * weight, weight]
    if areas is not None:
        parts.append(join_taps(areas)[..., None])
    return jnp.concatenate(parts, axis=-1)


def split_totals(total: jax.Array, areas: Maps | None) -> Totals:
    """Splits the sum of the updates, (H, W, C + 1) or (H, W, C + 2)."""
    return (total, total[..., -1]) if areas is None else (total[..., :-1], total[..., -1])


def find_index(first: jax.Array, maps: Maps, width: int) -> jax.Array:
    """Finds the index of the pixel of each tap, (taps, m, n)."""
    shape = (len(maps), len(maps[0]), *first.shape)
    row, column = (lax.broadcasted_iota(first.dtype, shape, axis) for axis in (0, 1))
    return (first[None, None] + (row * width + column)).reshape(-1, *first.shape)


def join_taps(maps: Maps) -> jax.Array:
    """Joins the maps of the taps along a new first axis, (taps, m, n)."""
    return jnp.stack([x for row in maps for x in row])


def _add_updates(size: tuple[int, int], index: jax.Array, updates: jax.Array) -> jax.Array:
    """Adds the updates of all taps to an image of zeros, (H, W, C)."""
    count = updates.shape[-1]
    updates = _pad_channels(updates)
    total = jnp.zeros((math.prod(size), updates.shape[-1]), updates.dtype)
    total = add_at(total, index, updates)
    return total.reshape(*size, total.shape[-1])[..., :count]


def _pad_channels(x: jax.Array) -> jax.Array:
    """Appends channels of zeros, so that the GPU adds several at a time."""
    count = x.shape[-1]
    lacking = -count % _LANES if count > _LANES // 2 else 0
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, lacking)])
