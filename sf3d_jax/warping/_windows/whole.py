"""Sums over windows in the forms that are fast on GPUs: one gather or scatter of all taps.

Each operation that is left over costs the launch of a kernel. So the taps of the windows are an
axis in front of the maps, (k, m, n), and neighbouring threads read neighbouring pixels.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import mask
from sf3d_jax.warping._windows.taps import (
    Maps,
    Totals,
    add_at,
    flatten,
    pixels_at,
    products,
    zero_non_finite,
)

# The most numbers that a GPU adds to memory in one instruction; one and two are fine as well.
_LANES = 4


def sum_windows_for_image_grad(
    image: jax.Array,
    first: jax.Array,
    across: Sequence[jax.Array],
    along: Sequence[jax.Array],
    valid: jax.Array,
) -> jax.Array:
    """Sums over windows in the form whose transpose with respect to the image is fast."""
    if len(across) + len(along) < len(across) * len(along):
        # There are fewer factors than products, so multiply inside the kernel: it reads less, and
        # stays short enough for XLA to add several numbers at a time.
        weights = (jnp.stack(across)[:, None] * jnp.stack(along)[None]).reshape(-1, *first.shape)
        weights = jnp.where(valid[None], weights, 0)
    else:
        weights = stack_taps(mask(valid, products(across, along)))
    return _sum_taps(image, first, weights, len(across))


def sum_windows_for_weight_grad(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """Sums over windows in the form whose transpose with respect to the weights is fast."""
    return _sum_taps(zero_non_finite(image), first, stack_taps(weights), len(weights))


def scatter(
    size: tuple[int, int], values: jax.Array, first: jax.Array, weights: Maps, areas: Maps | None
) -> Totals:
    """Adds values with weights, as `scatter_windows` does."""
    updates = make_updates(values, weights, areas)
    return split_totals(_add_updates(size, first, updates, len(weights)), areas)


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
    by_weights = make_updates(values, weights_dot, areas_dot)
    by_values = stack_taps(weights)[..., None] * values_dot[None]
    rest = by_weights.shape[-1] - by_values.shape[-1]
    updates = by_weights + _append_zeros(by_values, rest)
    return split_totals(_add_updates(size, first, updates, len(weights)), areas_dot)


def scatter_max(size: tuple[int, int], x: jax.Array, first: jax.Array, counts: Maps) -> jax.Array:
    """Finds the greatest x at each pixel of an image; -inf where none counts."""
    counting = stack_taps(counts)
    updates = jnp.where(counting, x[None], -jnp.inf)
    greatest = jnp.full(math.prod(size), -jnp.inf, x.dtype)
    index = find_index(first, len(counts), len(counting), size[1])
    return greatest.at[index].max(updates, mode="promise_in_bounds").reshape(size)


def find_index(first: jax.Array, rows: int, taps: int, width: int) -> jax.Array:
    """Finds the index of the pixel of each tap, (k, m, n), in windows of `rows` rows."""
    # Without divisions, which would be kernels of their own.
    shape = (rows, taps // rows, *first.shape)
    row, column = (lax.broadcasted_iota(first.dtype, shape, axis) for axis in (0, 1))
    return (first[None, None] + (row * width + column)).reshape(taps, *first.shape)


def stack_taps(maps: Maps) -> jax.Array:
    """Joins the maps of the taps, (k, m, n)."""
    return jnp.stack([x for row in maps for x in row])


def _sum_taps(image: jax.Array, first: jax.Array, weights: jax.Array, rows: int) -> jax.Array:
    """Sums over windows of an image (H, W, C) with weights (k, m, n)."""
    count = image.shape[-1]
    index = find_index(first, rows, len(weights), image.shape[1])
    taps = pixels_at(_fill_lanes(flatten(image)), index)
    return (weights[..., None] * taps).sum(0)[..., :count]


def make_updates(values: jax.Array, weights: Maps, areas: Maps | None) -> jax.Array:
    """What taps add to their pixels: values times weight, weight, area; (k, m, n, C + 2)."""
    weight = stack_taps(weights)[..., None]
    parts = [zero_non_finite(values)[None] * weight, weight]
    if areas is not None:
        parts.append(stack_taps(areas)[..., None])
    return jnp.concatenate(parts, axis=-1)


def _add_updates(
    size: tuple[int, int], first: jax.Array, updates: jax.Array, rows: int
) -> jax.Array:
    """Adds updates (k, m, n, C) to an image of zeros, (H, W, C)."""
    count = updates.shape[-1]
    index = find_index(first, rows, len(updates), size[1])
    updates = _fill_lanes(updates)
    total = add_at(jnp.zeros((math.prod(size), updates.shape[-1]), updates.dtype), index, updates)
    return total.reshape(*size, total.shape[-1])[..., :count]


def split_totals(total: jax.Array, areas: Maps | None) -> Totals:
    """Splits sums of updates; without areas, the sum of the weights takes the place of theirs."""
    return (total if areas is None else total[..., :-1]), total[..., -1]


def _fill_lanes(x: jax.Array) -> jax.Array:
    """Appends channels of zeros, so that the GPU adds several numbers at a time."""
    count = x.shape[-1]
    return _append_zeros(x, -count % _LANES if count > _LANES // 2 else 0)


def _append_zeros(x: jax.Array, count: int) -> jax.Array:
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, count)])
