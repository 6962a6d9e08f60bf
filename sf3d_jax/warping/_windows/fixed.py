"""Splats whose sums do not depend on the order in which a GPU adds: the same bits each time.

Sums of integers do not depend on their order, those of floating numbers do. So each number x that
is added to a pixel is written in fixed point, as two integers of b bits,

    x = (high + low 2^-b) 2^(e - b)

with the exponent e of the greatest number that is added there, |x| < 2^e. The more numbers are
added, the smaller is b, so that the integers do not overflow: in float32, b is 27 for seven numbers
and 16 for ten thousand. Each number is cut off below 2^(e - 2b), which is less than rounding loses.
Source: Demmel and Nguyen, "Fast reproducible floating-point summation" (ARITH 2013), round to a
common unit before they add, too.
"""

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax.warping._windows.taps import Maps, Totals, add_at, pixels_at
from sf3d_jax.warping._windows.whole import find_index, make_updates, split_totals


def scatter(
    size: tuple[int, int], values: jax.Array, first: jax.Array, weights: Maps, areas: Maps | None
) -> Totals:
    """Adds values with weights, as `scatter_windows` does."""
    updates = make_updates(values, weights, areas)
    index = find_index(first, len(weights), len(updates), size[1])
    total = _add_in_fixed_point(size[0] * size[1], index, updates)
    return split_totals(total.reshape(*size, total.shape[-1]), areas)


def _add_in_fixed_point(pixels: int, index: jax.Array, updates: jax.Array) -> jax.Array:
    """Adds updates (k, m, n, C) at an index (k, m, n); returns the sums, (pixels, C)."""
    whole = jnp.int32 if updates.dtype == jnp.float32 else jnp.int64
    lowest = _find_lowest_exponent(updates.dtype)
    exponent = jnp.full((pixels, updates.shape[-1]), lowest, whole)
    exponent = exponent.at[index].max(_find_exponent(updates), mode="promise_in_bounds")
    # The last channel is the greatest weight: where it is 0, the others are.
    count = add_at(jnp.zeros(pixels, whole), index, (updates[..., -1] != 0).astype(whole))
    # The sums stay below a quarter of the integers' range.
    bits = (lax.clz(count) - 2)[:, None]

    scaled = updates * _power_of_two(pixels_at(bits - exponent, index), updates.dtype)
    high = jnp.round(scaled)
    low = jnp.round((scaled - high) * _power_of_two(pixels_at(bits, index), updates.dtype))
    parts = jnp.concatenate([high, low], axis=-1).astype(whole)
    sums = add_at(jnp.zeros((pixels, parts.shape[-1]), whole), index, parts)
    high, low = jnp.split(sums.astype(updates.dtype), 2, axis=-1)
    total = high + low * _power_of_two(-bits, updates.dtype)
    return total * _power_of_two(exponent - bits, updates.dtype)


def _find_lowest_exponent(dtype: jnp.dtype) -> int:
    """The least exponent for which the units of all bits and their reciprocals are normal."""
    return int(jnp.finfo(dtype).minexp) + jnp.finfo(dtype).bits


def _find_exponent(x: jax.Array) -> jax.Array:
    """The integer e for which |x| < 2^e; for x = 0 a very small one."""
    kind = jnp.finfo(x.dtype)
    bits = lax.bitcast_convert_type(jnp.abs(x), jnp.int32 if kind.bits == 32 else jnp.int64)
    return (bits >> kind.nmant) + int(kind.minexp)


def _power_of_two(exponent: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """2^exponent to the bit, which exp2 is not on GPUs; it must be a normal number."""
    kind = jnp.finfo(dtype)
    return lax.bitcast_convert_type((exponent + (1 - int(kind.minexp))) << kind.nmant, dtype)
