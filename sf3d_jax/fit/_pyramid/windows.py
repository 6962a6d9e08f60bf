"""Windows of maps: weighted sums, slopes, samples and medians, which read each pixel many times.

A CPU is fast if each shift of a map is a slice of a padded copy. A GPU is fast if one reduction
reads the pixels of a window at computed indices, and keeps no copy.
"""

import math
from collections.abc import Sequence
from functools import partial, reduce
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._numerics import align_ranks, channels, compute_once
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.fit._pyramid.maps import Size, extend, extend_axis, pad, swap
from sf3d_jax.warping._windows import fold_batch_into_rows, products, window_sum
from sf3d_jax.warping.sampling import Method, sample_at

# Weights of the derivative of the polynomial through five pixels.
_SLOPE = np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / 12

T = TypeVar("T")


def weigh(x: jax.Array, weights: Sequence[float], axis: int, size: Size) -> jax.Array:
    """Sums over the neighbours of each pixel along an axis, -2 or -1, with weights."""
    length = jnp.asarray(size[axis], jnp.int32)
    by_shifts = partial(_weigh_shifts, weights=weights, axis=axis)
    by_reads = partial(_weigh_reads, weights=weights, axis=axis)
    return choose_by_platform(by_shifts, by_reads, x, length)


def _weigh_shifts(
    x: jax.Array, length: jax.Array, *, weights: Sequence[float], axis: int
) -> jax.Array:
    count = len(weights)
    margin, none = (count // 2, count // 2), (0, 0)
    wide = pad(extend_axis(x, axis, length), *((margin, none) if axis == -2 else (none, margin)))
    cut = lambda i: lax.slice_in_dim(wide, i, i + x.shape[axis], axis=x.ndim + axis)
    total = reduce(jnp.add, (weights[i] * cut(i) for i in range(count)))
    # Otherwise XLA would compute the sum again for every pixel of the next window.
    result: jax.Array = compute_once(total)
    return result


def _weigh_reads(
    x: jax.Array, length: jax.Array, *, weights: Sequence[float], axis: int
) -> jax.Array:
    *more, height, width = x.shape
    grids = jnp.arange(height, dtype=jnp.int32), jnp.arange(width, dtype=jnp.int32)
    rows, columns = grids[0][:, None, None], grids[1][None, :, None]
    taps = jnp.arange(len(weights), dtype=jnp.int32)[None, None] - len(weights) // 2
    if axis == -2:
        rows = jnp.clip(rows + taps, 0, length - 1)
    else:
        columns = jnp.clip(columns + taps, 0, length - 1)
    each = jnp.arange(math.prod(more), dtype=jnp.int32).reshape(*more, 1, 1, 1)
    each, rows, columns, factors = align_ranks(each, rows, columns, jnp.asarray(weights, x.dtype))
    return (_take(x, (each * height + rows) * width + columns) * factors).sum(-1)


def _take(x: jax.Array, at: jax.Array) -> jax.Array:
    """Reads the entries of an array at indices of the flat array, all in bounds."""
    return x.ravel().at[at].get(mode="promise_in_bounds", wrap_negative_indices=False)


def blur(x: jax.Array, deviation: float, size: Size) -> jax.Array:
    """Blurs a map by a Gaussian over 7 x 7 pixels."""
    bell = np.exp(-0.5 * (np.arange(-3, 4) / deviation) ** 2)
    return _weigh_square(x, [float(w) for w in bell / bell.sum()], size)


def mean(x: jax.Array, radius: int, size: Size) -> jax.Array:
    """Averages over a square window."""
    return _weigh_square(x, [1 / (2 * radius + 1)] * (2 * radius + 1), size)


def _weigh_square(x: jax.Array, weights: Sequence[float], size: Size) -> jax.Array:
    rows = compute_on_gpu_once(weigh(x, weights, -2, size))
    return compute_on_gpu_once(weigh(rows, weights, -1, size))


def slopes(x: jax.Array, size: Size) -> tuple[jax.Array, jax.Array]:
    """Computes the derivatives along u and v."""
    weights = list(map(float, _SLOPE))
    both = weigh(x, weights, -1, size), weigh(x, weights, -2, size)
    return compute_on_gpu_once(both)


def compute_on_gpu_once(tree: T) -> T:
    """Returns the tree unchanged, but keeps a GPU from recomputing it for every consumer."""
    return choose_by_platform(lambda tree: tree, lax.optimization_barrier, tree)


def sample(
    maps: Sequence[jax.Array], u: jax.Array, v: jax.Array, size: Size, method: Method
) -> tuple[jax.Array, ...]:
    """Samples maps (n, h, w) at positions (n, h, w), which are clipped to the image."""
    u, v = jnp.clip(u, 0, size[1] - 1), jnp.clip(v, 0, size[0] - 1)
    return channels(sample_at("flow", jnp.stack(maps, -1), u, v, method, "clamp").values)


def sample_other_smoothly(x: jax.Array, u: jax.Array, v: jax.Array, size: Size) -> jax.Array:
    """Samples the other frames' maps (2n, C, h, w) at positions (2n, h, w), by Catmull-Rom.

    Positions are clipped to the image; a single frame is its own other. This is Keys' kernel with
    a = -1/2, which reproduces a linear ramp. The usual -3/4 would shift the ramp by up to 0.03
    pixels.
    """
    return choose_by_platform(_sample_padded, _sample_by_reads, x, u, v, tuple(size))


def _sample_padded(x: jax.Array, u: jax.Array, v: jax.Array, size: Size) -> jax.Array:
    image = pad(extend(swap(x), size), (1, 2), (1, 2))
    count, _, height, width = image.shape
    u, v = jnp.clip(u, 0, size[1] - 1), jnp.clip(v, 0, size[0] - 1)
    left, top = jnp.floor(u), jnp.floor(v)
    above = jnp.arange(count, dtype=jnp.int32)[:, None, None] * height
    first = (above + top.astype(jnp.int32)) * width + left.astype(jnp.int32)
    windows = products(_weigh_cubic(v - top), _weigh_cubic(u - left))
    image = fold_batch_into_rows(jnp.moveaxis(image, 1, -1), -3)
    first, windows = fold_batch_into_rows((first, windows), -2)
    values = compute_once(window_sum(image, first, windows))
    return jnp.moveaxis(values.reshape(*u.shape, -1), -1, 1)


def _sample_by_reads(x: jax.Array, u: jax.Array, v: jax.Array, size: Size) -> jax.Array:
    last = jnp.stack([jnp.asarray(n, jnp.int32) - 1 for n in size[::-1]])[:, None, None, None]
    position = jnp.clip(jnp.stack([u, v]), 0, last.astype(u.dtype))
    first = jnp.floor(position)
    taps = jnp.arange(-1, 3, dtype=jnp.int32).reshape(-1, 1, 1, 1, 1)
    columns, rows = jnp.clip(first.astype(jnp.int32)[None] + taps, 0, last[None]).swapaxes(0, 1)
    across, down = jnp.stack(_weigh_cubic(position - first), 1)
    # Axes of the windows: along v, along u, frames, channels, rows, columns.
    along_v, along_u = (lambda x: x[:, None, :, None]), (lambda x: x[None, :, :, None])
    plane = swap(jnp.arange(x.shape[0] * x.shape[1], dtype=jnp.int32).reshape(*x.shape[:2], 1, 1))
    at = (plane[None, None] * x.shape[2] + along_v(rows)) * x.shape[3] + along_u(columns)
    values = _take(x, at) * along_v(down) * along_u(across)
    return lax.optimization_barrier(values.sum((0, 1)))


def _weigh_cubic(f: jax.Array) -> tuple[jax.Array, ...]:
    return (
        ((2 - f) * f - 1) * f / 2,
        ((3 * f - 5) * f * f + 2) / 2,
        ((4 - 3 * f) * f + 1) * f / 2,
        (f - 1) * f * f / 2,
    )


def median(x: jax.Array, size: Size) -> jax.Array:
    """The median over windows of 5 x 5 pixels.

    Among any 14 of the remaining numbers, the least and the greatest cannot be the median, so both
    are dropped. This network of minima and maxima is a hundred times as fast as a sort.
    """
    wide = pad(extend(x, size), (2, 2), (2, 2))
    height, width = x.shape[-2:]
    rest = [wide[..., i : i + height, j : j + width] for i in range(5) for j in range(5)]
    held, rest = rest[:14], rest[14:]

    def order(i: int, j: int) -> None:
        held[i], held[j] = jnp.minimum(held[i], held[j]), jnp.maximum(held[i], held[j])

    while len(held) > 1:
        last = len(held) - 1
        for i in range(len(held) // 2):
            order(i, last - i)
        for i in range(1, len(held) // 2 + len(held) % 2):
            order(0, i)
            order(last - i, last)
        held = held[1:-1] + rest[:1]
        rest = rest[1:]
    return held[0]
