"""What per-pixel losses share: the result type, masks, and differences on a grid."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import align_ranks, and_valid, channels, is_in_range, mask, narrow
from sf3d_jax._numerics.lengths import length as length
from sf3d_jax._numerics.lengths import root as root


class LossMap(NamedTuple):
    """A loss per pixel, to be reduced by `masked_mean(loss_map)`.

    Attributes:
      values: (*b, H, W), finite; 0 where not valid.
      valid: (*b, H, W), bool, where the loss is defined. No gradient passes elsewhere.
    """

    values: jax.Array
    valid: jax.Array


def check_penalty(penalty: object) -> None:
    """Checks that a penalty is callable."""
    if not callable(penalty):
        raise TypeError(f"penalty: expected a function such as losses.l1, got {penalty!r}")


def check_same_channels(**images: jax.Array) -> None:
    """Checks that two images have the same number of channels."""
    (first, a), (second, b) = images.items()
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"{second}: expected {a.shape[-1]} channels as {first}, got {b.shape[-1]}")


def has_finite_channels(x: jax.Array) -> jax.Array:
    """Which pixels of an image (*b, H, W, C) are finite, below 3e9, in all channels: (*b, H, W)."""
    return functools.reduce(
        jnp.logical_and, map(is_in_range, channels(x)), jnp.ones(x.shape[:-1], bool)
    )


def find_usable_pixels(valid: jax.Array | None, *images: jax.Array) -> jax.Array:
    """Which pixels count: valid, and finite in all images."""
    finite = align_ranks(*map(has_finite_channels, images))
    return and_valid(functools.reduce(jnp.logical_and, finite), valid)


def mask_inputs(
    valid: jax.Array | None, *images: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """Which pixels count, and the images, 0 elsewhere and broadcast to one batch shape."""
    known = find_usable_pixels(valid, *images)
    spread = (jnp.broadcast_to(x, (*known.shape, x.shape[-1])) for x in images)
    return known, tuple(mask(known, x) for x in spread)


def loss_map(values: jax.Array, valid: jax.Array, dtype: jnp.dtype) -> LossMap:
    """The result in the dtype of the inputs; values that overflow it are not valid."""
    values, valid = jnp.broadcast_arrays(values, valid)
    return LossMap(*narrow(valid, mask(valid, values), dtype))


def total(parts: Sequence[jax.Array]) -> jax.Array:
    """The sum, written out because XLA on CPU is slow at summing over a short axis."""
    return functools.reduce(jnp.add, parts)


def absolute(x: jax.Array) -> jax.Array:
    """|x|, with gradient 0 at 0, where JAX would take 1."""
    return x * lax.stop_gradient(jnp.sign(x))


def taps(x: jax.Array, count: int, axis: int) -> list[jax.Array]:
    """`count` copies of a map, each shifted by one more along an axis, cropped to their overlap."""
    size = x.shape[axis] - count + 1
    return [lax.slice_in_dim(x, k, k + size, axis=axis) for k in range(count)]


def differences(
    function: Callable[..., jax.Array], known: jax.Array, count: int, axis: int, *maps: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """A function of neighbours along an axis, at the middle (or first) one, and where it counts.

    Args:
      function: takes one list of `count` neighbours per map and returns a map.
      known: (*b, H, W), the pixels that count.
      count: 2 or 3 neighbours.
      axis: -1 or -2 of the maps.
      *maps: (*b, H, W), 0 where not known.
    """
    size = known.shape[axis]
    if size < count:
        return jnp.zeros(known.shape, maps[0].dtype), jnp.zeros(known.shape, bool)
    padding = [(0, 0)] * known.ndim
    padding[axis] = ((count - 1) // 2, count // 2)
    counts = functools.reduce(jnp.logical_and, taps(known, count, axis))
    values = mask(counts, function(*(taps(x, count, axis) for x in maps)))
    return jnp.pad(values, padding), jnp.pad(counts, padding)
