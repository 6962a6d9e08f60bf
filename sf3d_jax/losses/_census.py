"""The soft census of two images and its derivative, each as one loop over the neighbours.

XLA's transpose of the loop adds into a shifted image for every neighbour, which takes six times as
long. But each pixel is its neighbours' neighbour, and their differences only change sign, so the
derivative gathers the neighbours' cotangents just as the value gathers their brightness.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import mask
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

    def add(sums: Sums, counts: jax.Array, differences: Maps, _: Maps) -> Sums:
        a, b = (_soft_sign(x)[0] for x in differences)
        unlike = (a - b) * (a - b)
        total = sums[0] + mask(counts, unlike / (_SOFT_COUNT + unlike))
        return total, sums[1] + counts.astype(sums[1].dtype)

    zeros = jnp.zeros_like(image), jnp.zeros(known.shape, jnp.int16)
    total, count = _over_neighbours(add, zeros, radius, known, (image, other), ())
    return total / jnp.maximum(count, 1).astype(total.dtype), count


def _forward(
    radius: int, image: jax.Array, other: jax.Array, known: jax.Array
) -> tuple[Sums, Saved]:
    values, count = compare_neighbours(radius, image, other, known)
    return (values, count), (image, other, known, count)


def _backward(radius: int, saved: Saved, cotangents: Sums) -> tuple[jax.Array, jax.Array, None]:
    image, other, known, count = saved
    share = mask(known, cotangents[0] / jnp.maximum(count, 1).astype(image.dtype))

    def add(sums: Sums, counts: jax.Array, differences: Maps, plain: Maps) -> Sums:
        (a, slope_a), (b, slope_b) = map(_soft_sign, differences)
        rest = 1 / (_SOFT_COUNT + (a - b) * (a - b))
        # The pixel is part of its own mean and of the neighbour's.
        shares = mask(counts, share + plain[0])
        by_sign = -2 * _SOFT_COUNT * shares * (a - b) * rest * rest
        return sums[0] + by_sign * slope_a, sums[1] - by_sign * slope_b

    zeros = jnp.zeros_like(image), jnp.zeros_like(other)
    by_image, by_other = _over_neighbours(add, zeros, radius, known, (image, other), (share,))
    return mask(known, by_image), mask(known, by_other), None


compare_neighbours.defvjp(_forward, _backward)


def _soft_sign(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """x / sqrt(0.81 + x^2), and its derivative.

    A quotient is rounded before it is subtracted from another. A product could be fused into the
    subtraction, and two equal images would then differ by its rounding.
    """
    square = _SOFT_SIGN + x * x
    root = jnp.sqrt(square)
    return x / root, _SOFT_SIGN / (square * root)


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
