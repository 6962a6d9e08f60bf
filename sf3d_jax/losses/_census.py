"""The soft census of two images and its derivative, each as one pass over the neighbours.

XLA's transpose of the pass adds into a shifted image for every neighbour, which takes six times as
long. But each pixel is its neighbours' neighbour, and their differences only change sign, so the
derivative gathers the neighbours' cotangents just as the value gathers their brightness.

On CPUs the pass is a loop over the neighbours, whose maps stay in the cache. Elsewhere it is a sum
over two axes of neighbours; XLA computes them inside the sum and never stores them.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import mask
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.warping._windows import match_varying_axes

Maps: TypeAlias = tuple[jax.Array, ...]
Sums: TypeAlias = tuple[jax.Array, jax.Array]
# The arguments, and the number of neighbours.
Saved: TypeAlias = tuple[jax.Array, jax.Array, jax.Array, jax.Array]

# Constants of SMURF's soft census (Zach, Pock and Bischof), for grey values up to 255.
_SOFT_SIGN, _SOFT_COUNT = 0.81, 0.1


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def compare_neighbours(
    radius: int, image: jax.Array, other: jax.Array, known: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The mean soft difference in order to the known neighbours.

    Args:
      radius: the window has 2 radius + 1 pixels a side.
      image: (*b, H, W), grey values up to 255, 0 where not known.
      other: (*b, H, W), grey values of the other image, 0 where not known.
      known: (*b, H, W), bool.

    Returns:
      The mean, 0 without neighbours, and the number of known neighbours, both (*b, H, W).
    """
    forms = partial(_sum_in_loop, radius), partial(_sum_at_once, radius)
    total, count = choose_by_platform(*forms, image, other, known)
    return total / jnp.maximum(count, 1).astype(total.dtype), count


def _forward(
    radius: int, image: jax.Array, other: jax.Array, known: jax.Array
) -> tuple[Sums, Saved]:
    values, count = compare_neighbours(radius, image, other, known)
    return (values, count), (image, other, known, count)


def _backward(radius: int, saved: Saved, cotangents: Sums) -> tuple[jax.Array, jax.Array, None]:
    image, other, known, count = saved
    share = mask(known, cotangents[0] / jnp.maximum(count, 1).astype(image.dtype))
    forms = partial(_differentiate_in_loop, radius), partial(_differentiate_at_once, radius)
    return *choose_by_platform(*forms, image, other, known, share), None


compare_neighbours.defvjp(_forward, _backward)


def _sum_in_loop(radius: int, image: jax.Array, other: jax.Array, known: jax.Array) -> Sums:
    """The sum over the known neighbours, and their number."""

    def add(sums: Sums, counts: jax.Array, differences: Maps, _: Maps) -> Sums:
        total = sums[0] + mask(counts, _unlikeness(*differences))
        return total, sums[1] + counts.astype(sums[1].dtype)

    zeros = jnp.zeros_like(image), jnp.zeros(known.shape, jnp.int16)
    return _over_neighbours(add, zeros, radius, known, (image, other), ())


def _differentiate_in_loop(
    radius: int, image: jax.Array, other: jax.Array, known: jax.Array, share: jax.Array
) -> Sums:
    """The derivatives of the sums, with the cotangent `share`, 0 where not known."""

    def add(sums: Sums, counts: jax.Array, differences: Maps, plain: Maps) -> Sums:
        by_image, by_other = _slopes(mask(counts, share + plain[0]), *differences)
        return sums[0] + by_image, sums[1] + by_other

    zeros = jnp.zeros_like(image), jnp.zeros_like(other)
    return mask(known, _over_neighbours(add, zeros, radius, known, (image, other), (share,)))


def _sum_at_once(radius: int, image: jax.Array, other: jax.Array, known: jax.Array) -> Sums:
    """`_sum_in_loop` as one reduction."""
    total = _unlikeness(*_differences_at_once(radius, known, image, other)).sum((-2, -1))
    # By itself: a reduction of both would keep XLA from computing the neighbours inside.
    ones = known.astype(jnp.int16)
    window = (1,) * (known.ndim - 2) + (2 * radius + 1,) * 2
    around = lax.reduce_window(ones, jnp.int16(0), lax.add, window, (1,) * known.ndim, "SAME")
    return total, around - ones


def _differentiate_at_once(radius: int, *maps: jax.Array) -> Sums:
    """`_differentiate_in_loop` as one reduction for each image; slopes are 0 where not known."""

    def by(which: int) -> jax.Array:
        # What two kernels share, XLA stores, and here that would be maps of all neighbours.
        image, other, known, share = lax.optimization_barrier(maps)
        shares = share[..., None, None] + _neighbours(radius, share, beyond=0.0)
        differences = _differences_at_once(radius, known, image, other)
        return _slopes(shares, *differences)[which].sum((-2, -1))

    return by(0), by(1)


def _differences_at_once(radius: int, known: jax.Array, *images: jax.Array) -> Maps:
    """Differences to all neighbours, for which unknown pixels are alike in all images.

    The square of a difference to an unknown pixel is infinite, so its soft sign is 0 with slope 0.
    A mask would be one more map to gather.
    """
    far = 4 * float(jnp.finfo(images[0].dtype).max) ** 0.5
    marked = (jnp.where(known, x, far) for x in images)
    return tuple(_neighbours(radius, x, beyond=far) - x[..., None, None] for x in marked)


def _neighbours(radius: int, x: jax.Array, *, beyond: float) -> jax.Array:
    """The window around each pixel, `beyond` outside the image: (*b, H, W, rows, columns)."""
    *batch, height, width = x.shape
    margin = [(0, 0)] * len(batch) + [(radius, radius)] * 2
    padded = jnp.pad(x, margin, constant_values=beyond)
    flat = padded.reshape(*batch, padded.shape[-2] * padded.shape[-1])
    shape = height, width, 2 * radius + 1, 2 * radius + 1
    # Unsigned: the test whether an index counts from the end would be a map of all neighbours.
    row, column, i, j = (lax.broadcasted_iota(jnp.uint32, shape, axis) for axis in range(4))
    # One flat index, because XLA stores pairs of indices.
    index = (row + i) * padded.shape[-1] + (column + j)
    return flat.at[..., index].get(mode="promise_in_bounds")


def _unlikeness(x: jax.Array, y: jax.Array) -> jax.Array:
    """How unlike the differences of two images to a neighbour are, from 0 to 1."""
    unlike = jnp.square(_soft_sign(x) - _soft_sign(y))
    return unlike / (_SOFT_COUNT + unlike)


def _slopes(shares: jax.Array, x: jax.Array, y: jax.Array) -> Sums:
    """The derivatives by both images, with the cotangents of a pixel and its neighbour added.

    The pixel is part of its own mean and of the neighbour's.
    """
    unlike = _soft_sign(x) - _soft_sign(y)
    rest = 1 / (_SOFT_COUNT + unlike * unlike)
    by_sign = -2 * _SOFT_COUNT * shares * unlike * rest * rest
    return by_sign * _soft_slope(x), -by_sign * _soft_slope(y)


def _soft_sign(x: jax.Array) -> jax.Array:
    """x / sqrt(0.81 + x^2).

    A quotient is rounded before it is subtracted from another. A product could be fused into the
    subtraction, and two equal images would then differ by its rounding.
    """
    return x / jnp.sqrt(_SOFT_SIGN + x * x)


def _soft_slope(x: jax.Array) -> jax.Array:
    """The derivative of the soft sign, 0.81 / sqrt(0.81 + x^2)^3.

    By a reciprocal root of its own: if the two shared a root, XLA for GPUs would round the soft
    sign of the image whose slope is needed in another way than that of the other image.
    """
    inverse = lax.rsqrt(_SOFT_SIGN + x * x)
    return _SOFT_SIGN * inverse * inverse * inverse


def _over_neighbours(
    add: Callable[[Sums, jax.Array, Maps, Maps], Sums],
    sums: Sums,
    radius: int,
    known: jax.Array,
    centred: Maps,
    plain: Maps,
) -> Sums:
    """Folds `add` over all neighbours.

    Each step calls add(sums, known neighbours, differences to `centred`, neighbours of `plain`).
    This is a loop because XLA takes a quarter of a minute to compile all 48 neighbours unrolled.
    """
    height, width = known.shape[-2:]
    margin = [(0, 0)] * (known.ndim - 2) + [(radius, radius)] * 2
    padded = jax.tree.map(lambda x: jnp.pad(x, margin), (known, centred, plain))
    window = range(2 * radius + 1)
    places = jnp.array([(i, j) for i in window for j in window if (i, j) != (radius, radius)])

    def step(sums: Sums, place: jax.Array) -> tuple[Sums, None]:
        def at(x: jax.Array) -> jax.Array:
            rows = lax.dynamic_slice_in_dim(x, place[0], height, x.ndim - 2)
            return lax.dynamic_slice_in_dim(rows, place[1], width, x.ndim - 1)

        counts, neighbours, others = jax.tree.map(at, padded)
        differences = tuple(x - y for x, y in zip(neighbours, centred, strict=True))
        return add(sums, counts, differences, others), None

    return lax.scan(step, match_varying_axes(sums, (known, centred, plain)), places)[0]
