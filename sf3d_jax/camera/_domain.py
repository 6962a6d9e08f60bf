"""The rays at which a lens model is one-to-one: up to where its radial part stops growing."""

from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics import align_ranks
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.camera._angle import Scalar, power_series

Coefficients: TypeAlias = tuple[Scalar, ...]

# The angles at which the slope is sampled: every 0.02 degrees up to the last, in radians.
_STEEPEST = float(np.deg2rad(89.0))
_SAMPLES = 4450


def radial_slope(model: str, t: jax.Array, k: Coefficients) -> jax.Array:
    """The slope of the radial part by the radius at s = t; for a fisheye, by the angle at t^0.5."""
    if model == "fisheye":
        k1, k2, k3, k4 = k
        return power_series((3 * k1, 5 * k2, 7 * k3, 9 * k4), t)
    k1, k2, _, _, k3, k4, k5, k6 = (k + (0.0,) * 8)[:8]
    top, bottom = power_series((k1, k2, k3), t), power_series((k4, k5, k6), t)
    top_slope = k1 + t * (2 * k2 + t * 3 * k3)
    bottom_slope = k4 + t * (2 * k5 + t * 3 * k6)
    slope = top * bottom + 2 * t * (top_slope * bottom - top * bottom_slope)
    return jnp.where(bottom > 0, slope, -1.0)


def domain_limit(model: str, k: Coefficients) -> jax.Array:
    """The largest x^2 + y^2 up to which the radial part grows; inf if it grows everywhere.

    The sign of the slope is sampled every 0.02 degrees from 0 to 89, then the first change of
    sign is sought between two samples, to the last digit.
    """
    k = tuple(jax.lax.stop_gradient(jnp.asarray(c)[..., None]) for c in k)
    limit = choose_by_platform(partial(_bisect_limit, model), partial(_sample_limit, model), k)
    return limit[..., 0]


def _is_growing(model: str, angle: jax.Array, k: Coefficients) -> jax.Array:
    """Whether the radial part grows at an angle from the axis."""
    t = angle * angle if model == "fisheye" else jnp.tan(angle) ** 2
    return radial_slope(model, t, k) > 0


def _bisect_limit(model: str, k: Coefficients) -> jax.Array:
    angles = jnp.linspace(0.0, _STEEPEST, _SAMPLES, dtype=k[0].dtype)
    falling = ~_is_growing(model, align_ranks(angles, rank=k[0].ndim)[0], k)
    first = jnp.argmax(falling, axis=-1, keepdims=True)
    inside, outside = angles[jnp.maximum(first - 1, 0)], angles[first]

    def bisect(_: int, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        middle = 0.5 * (ends[0] + ends[1])
        up = _is_growing(model, middle, k)
        return jnp.where(up, middle, ends[0]), jnp.where(up, ends[1], middle)

    inside, _ = jax.lax.fori_loop(0, 40, bisect, (inside, outside))
    return jnp.where(falling.any(-1, keepdims=True), jnp.tan(inside) ** 2, jnp.inf)


# A round of the search divides the interval by 2 to the power of this.
_ROUND_BITS = 12


def _sample_limit(model: str, k: Coefficients) -> jax.Array:
    """The same in rounds of samples, each of which is one reduction on a GPU.

    In float32, two rounds after the first divide 0.02 degrees by 2^24, which is closer than
    neighbouring floats are there.
    """
    spacing = _STEEPEST / (_SAMPLES - 1)
    inside, is_endless = _find_last_growing(model, k, jnp.zeros_like(k[0]), spacing, _SAMPLES)
    for _ in range(1 + jnp.finfo(k[0].dtype).nmant // _ROUND_BITS):
        spacing = spacing / 2**_ROUND_BITS
        inside, _ = _find_last_growing(model, k, inside, spacing, 2**_ROUND_BITS + 1)
    return jnp.where(is_endless, jnp.inf, jnp.tan(inside) ** 2)


def _find_last_growing(
    model: str, k: Coefficients, start: jax.Array, spacing: float, count: int
) -> tuple[jax.Array, jax.Array]:
    """The last sample before the first that falls, and whether none of them falls."""
    place = lambda i: start + i.astype(start.dtype) * jnp.asarray(spacing, start.dtype)
    (index,) = align_ranks(jnp.arange(count), rank=start.ndim)
    falling = ~_is_growing(model, place(index), k)
    first = jnp.where(falling, index, count).min(-1, keepdims=True)
    return place(jnp.maximum(first - 1, 0)), first == count
