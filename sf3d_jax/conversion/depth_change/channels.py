"""The third channel of motion: inverse-depth change, and conversions from and to alternatives.

A surface point has depth z0 in the first camera and z1 in the second. Its inverse-depth change
is c = 1/z1 - 1/z0 = d1 - d0, on the grid of the first image. Also in use are

    depths                  z0, z1                         d0 = 1/z0, c = (z0 - z1) d0 d1
    disparities             e0 = fb d0, e1 = fb d1         fb: focal length x baseline, px m
    scaled inverse depth    s d0, s c                      s: a constant of the data set
    motion in depth         tau = z1/z0                    c = d0 (1 - tau) / tau
    log motion in depth     L = log tau                    c = d0 expm1(-L)
    time to contact         T = z0 dt / (z0 - z1)          c = d0 dt / (T - dt)
    optical expansion       growth of a patch's image      1 / tau if it faces the camera

Every conversion is exact near zero motion: none subtracts two nearly equal numbers that it has
computed.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import (
    align_ranks,
    is_in_range,
    is_positive_finite,
    jit,
    narrow,
    result_type,
    where_valid,
    widen,
)


class InverseDepths(NamedTuple):
    """Inverse depth and its change, the two channels that this library uses.

    Attributes:
      inv_depth: (...), d0, per metre; 0 where not valid.
      inv_depth_change: (...), c, per metre; 0 where not valid.
      valid: (...), bool.
    """

    inv_depth: jax.Array
    inv_depth_change: jax.Array
    valid: jax.Array


class Pair(NamedTuple):
    """A quantity of one surface point at both times, on the first image's grid.

    Attributes:
      first: (...), value in the first camera; 0 where not valid.
      second: (...), value of the same point in the second camera; 0 where not valid.
      valid: (...), bool.
    """

    first: jax.Array
    second: jax.Array
    valid: jax.Array


class Channel(NamedTuple):
    """One map.

    Attributes:
      values: (...); 0 where not valid.
      valid: (...), bool.
    """

    values: jax.Array
    valid: jax.Array


@jit
def from_depths(depth: jax.Array, next_depth: jax.Array) -> InverseDepths:
    """Converts two depths to inverse depth and its change: d0 = 1/z0, c = (z0 - z1) / (z0 z1).

    Args:
      depth: (...), z0, metres.
      next_depth: (...), z1 of the same surface point, metres (not the second depth map at the
        same pixel).

    Returns:
      Per metre; valid where both depths are between 3e-10 and 3e9 m (float32).
    """
    convert = lambda z0, z1: (1 / z0, (z0 - z1) / (z0 * z1))
    usable = lambda z0, z1: _is_all_positive(z0, z1)
    maps = {"depth": depth, "next_depth": next_depth}
    return InverseDepths(*_convert(convert, usable, (1.0, 1.0), maps))


@jit
def to_depths(inv_depth: jax.Array, inv_depth_change: jax.Array) -> Pair:
    """Converts inverse depth and its change to two depths: z0 = 1/d0, z1 = 1/(d0 + c).

    Args:
      inv_depth: (...), d0, per metre.
      inv_depth_change: (...), c of the same surface point, per metre.

    Returns:
      Metres; valid where both depths are between 3e-10 and 3e9 m (float32).
    """
    convert = lambda d0, c: (1 / d0, 1 / (d0 + c))
    maps = {"inv_depth": inv_depth, "inv_depth_change": inv_depth_change}
    return Pair(*_convert(convert, _has_two_surfaces, (1.0, 0.0), maps))


@jit
def from_disparities(
    disparity: jax.Array, next_disparity: jax.Array, focal_baseline: jax.Array
) -> InverseDepths:
    """Converts two disparities to inverse depth and its change: d0 = e0 / fb, c = (e1 - e0) / fb.

    Args:
      disparity: (...), e0, positive, pixels.
      next_disparity: (...), e1 of the same surface point, on the first image's grid, pixels.
      focal_baseline: (...) or a number, fb = focal length (pixels) x baseline (metres), positive.

    Returns:
      Per metre; valid where both disparities, fb and both depths are between 3e-10 and 3e9
      (float32).
    """
    convert = lambda e0, e1, fb: (e0 / fb, (e1 - e0) / fb)
    usable = lambda e0, e1, fb: _is_all_positive(e0, e1, fb, e0 / fb, e1 / fb)
    maps = {"disparity": disparity, "next_disparity": next_disparity}
    parameters = {"focal_baseline": focal_baseline}
    return InverseDepths(*_convert(convert, usable, (1.0, 1.0, 1.0), maps, parameters))


@jit
def to_disparities(
    inv_depth: jax.Array, inv_depth_change: jax.Array, focal_baseline: jax.Array
) -> Pair:
    """Converts inverse depth and its change to two disparities: e0 = fb d0, e1 = fb (d0 + c).

    Args:
      inv_depth: (...), d0, per metre.
      inv_depth_change: (...), c of the same surface point, per metre.
      focal_baseline: (...) or a number, fb = focal length (pixels) x baseline (metres), positive.

    Returns:
      Pixels; valid where both depths and fb are between 3e-10 and 3e9 (float32).
    """
    convert = lambda d0, c, fb: (fb * d0, fb * (d0 + c))
    usable = lambda d0, c, fb: _has_two_surfaces(d0, c) & is_positive_finite(fb)
    maps = {"inv_depth": inv_depth, "inv_depth_change": inv_depth_change}
    parameters = {"focal_baseline": focal_baseline}
    return Pair(*_convert(convert, usable, (1.0, 0.0, 1.0), maps, parameters))


@jit
def from_scaled(
    scaled_inv_depth: jax.Array, scaled_inv_depth_change: jax.Array, scale: jax.Array
) -> InverseDepths:
    """Converts a data set's scaled inverse depth s / z and its change to 1 / z and its change.

    d0 = (s d0) / s, c = (s c) / s, per metre.

    Args:
      scaled_inv_depth: (...), s d0.
      scaled_inv_depth_change: (...), s c of the same surface point.
      scale: (...) or a number, s, positive, metres; a constant of the data set.

    Returns:
      Per metre; valid where s and the depths in both frames, scaled or not, are between 3e-10
      and 3e9 (float32).
    """
    convert = lambda d0, c, s: (d0 / s, c / s)
    usable = lambda d0, c, s: _is_all_positive(s, d0, d0 + c, d0 / s, d0 / s + c / s)
    maps = dict(scaled_inv_depth=scaled_inv_depth, scaled_inv_depth_change=scaled_inv_depth_change)
    return InverseDepths(*_convert(convert, usable, (1.0, 0.0, 1.0), maps, {"scale": scale}))


@jit
def to_scaled(inv_depth: jax.Array, inv_depth_change: jax.Array, scale: jax.Array) -> InverseDepths:
    """Converts metric inverse depth and its change to scaled ones: s d0 and s c.

    Args:
      inv_depth: (...), d0, per metre.
      inv_depth_change: (...), c of the same surface point, per metre.
      scale: (...) or a number, s, positive, metres; a constant of the data set.

    Returns:
      Both inputs multiplied by s; valid where s and the depths in both frames, scaled or not, are
      between 3e-10 and 3e9 (float32).
    """
    convert = lambda d0, c, s: (d0 * s, c * s)
    usable = lambda d0, c, s: _is_all_positive(s, d0, d0 + c, d0 * s, d0 * s + c * s)
    maps = {"inv_depth": inv_depth, "inv_depth_change": inv_depth_change}
    return InverseDepths(*_convert(convert, usable, (1.0, 0.0, 1.0), maps, {"scale": scale}))


@jit
def from_motion_in_depth(motion_in_depth: jax.Array, inv_depth: jax.Array) -> Channel:
    """Converts motion in depth tau = z1/z0 to inverse-depth change: c = d0 (1 - tau) / tau.

    Args:
      motion_in_depth: (...), tau, positive; 1 where nothing moves in depth.
      inv_depth: (...), d0, per metre.

    Returns:
      c per metre; valid where both depths are between 3e-10 and 3e9 m (float32).
    """
    convert = lambda tau, d0: d0 * ((1 - tau) / tau)
    usable = lambda tau, d0: _is_all_positive(tau, d0, d0 / tau)
    maps = {"motion_in_depth": motion_in_depth, "inv_depth": inv_depth}
    return Channel(*_convert(convert, usable, (1.0, 1.0), maps))


@jit
def to_motion_in_depth(inv_depth: jax.Array, inv_depth_change: jax.Array) -> Channel:
    """Converts inverse-depth change to motion in depth: tau = z1/z0 = d0 / (d0 + c).

    Args:
      inv_depth: (...), d0, per metre.
      inv_depth_change: (...), c of the same surface point, per metre.

    Returns:
      tau, dimensionless; valid where both depths are between 3e-10 and 3e9 m (float32).
    """
    convert = lambda d0, c: d0 / (d0 + c)
    maps = {"inv_depth": inv_depth, "inv_depth_change": inv_depth_change}
    return Channel(*_convert(convert, _has_two_surfaces, (1.0, 0.0), maps))


@jit
def from_log_motion_in_depth(log_motion_in_depth: jax.Array, inv_depth: jax.Array) -> Channel:
    """Converts log motion in depth L = log(z1/z0) to inverse-depth change: c = d0 expm1(-L).

    Args:
      log_motion_in_depth: (...), L, natural logarithm; positive where the point recedes.
      inv_depth: (...), d0, per metre.

    Returns:
      c per metre; valid where both depths are between 3e-10 and 3e9 m (float32).
    """
    convert = lambda log_tau, d0: d0 * jnp.expm1(-log_tau)
    usable = lambda log_tau, d0: is_in_range(log_tau) & _is_all_positive(d0, d0 * jnp.exp(-log_tau))
    maps = {"log_motion_in_depth": log_motion_in_depth, "inv_depth": inv_depth}
    return Channel(*_convert(convert, usable, (0.0, 1.0), maps))


@jit
def to_log_motion_in_depth(inv_depth: jax.Array, inv_depth_change: jax.Array) -> Channel:
    """Converts inverse-depth change to log motion in depth: L = log(z1/z0) = -log1p(c / d0).

    Args:
      inv_depth: (...), d0, per metre.
      inv_depth_change: (...), c of the same surface point, per metre.

    Returns:
      L, natural logarithm; valid where both depths are between 3e-10 and 3e9 m (float32).
    """
    convert = lambda d0, c: -jnp.log1p(c / d0)
    maps = {"inv_depth": inv_depth, "inv_depth_change": inv_depth_change}
    return Channel(*_convert(convert, _has_two_surfaces, (1.0, 0.0), maps))


@jit
def from_time_to_contact(
    time_to_contact: jax.Array, inv_depth: jax.Array, interval: jax.Array
) -> Channel:
    """Converts time to contact T to inverse-depth change: c = d0 dt / (T - dt).

    Args:
      time_to_contact: (...), T, seconds from the first image until the point would reach the
        camera's plane at constant speed; negative where the point recedes, infinite where its depth
        is constant.
      inv_depth: (...), d0, per metre.
      interval: (...) or a number, dt, seconds between the images, positive.

    Returns:
      c per metre; valid where both depths are between 3e-10 and 3e9 m (float32), so not for
      0 <= T <= dt.
    """
    convert = lambda t, d0, dt: d0 * (dt / (t - dt))

    def usable(t: jax.Array, d0: jax.Array, dt: jax.Array) -> jax.Array:
        # Where T is 0, d0 + c would be 0 but for a rounded quotient.
        arrives = (t >= 0) & (t <= dt)
        return is_positive_finite(dt) & ~arrives & _has_two_surfaces(d0, convert(t, d0, dt))

    maps = {"time_to_contact": time_to_contact, "inv_depth": inv_depth}
    return Channel(*_convert(convert, usable, (2.0, 1.0, 1.0), maps, {"interval": interval}))


@jit
def to_time_to_contact(
    inv_depth: jax.Array, inv_depth_change: jax.Array, interval: jax.Array
) -> Channel:
    """Converts inverse-depth change to time to contact: T = dt (d0 + c) / c.

    Args:
      inv_depth: (...), d0, per metre.
      inv_depth_change: (...), c of the same surface point, per metre.
      interval: (...) or a number, dt, seconds between the images, positive.

    Returns:
      T in seconds from the first image, negative where the point recedes; valid where both
      depths are between 3e-10 and 3e9 m (float32) and |T| is below 3e9 s, so not where c = 0.
    """
    convert = lambda d0, c, dt: dt * ((d0 + c) / c)
    usable = lambda d0, c, dt: _is_all_positive(d0, d0 + c, dt) & is_in_range(convert(d0, c, dt))
    maps = {"inv_depth": inv_depth, "inv_depth_change": inv_depth_change}
    return Channel(*_convert(convert, usable, (1.0, 1.0, 1.0), maps, {"interval": interval}))


def _has_two_surfaces(d0: jax.Array, c: jax.Array) -> jax.Array:
    return _is_all_positive(d0, d0 + c)


def _is_all_positive(*numbers: jax.Array) -> jax.Array:
    return functools.reduce(jnp.logical_and, map(is_positive_finite, numbers))


def _convert(
    function: Callable[..., jax.Array | tuple[jax.Array, ...]],
    usable: Callable[..., jax.Array],
    otherwise: tuple[float, ...],
    maps: dict[str, jax.Array],
    parameters: dict[str, jax.Array] | None = None,
) -> tuple[jax.Array, ...]:
    """Checks the arguments, converts where usable, and returns the results and the validity.

    Args:
      function: elementwise function of maps and parameters; returns an array or a tuple of arrays.
      usable: elementwise function of the same arguments; returns which pixels are valid.
      otherwise: for each argument a value at which the function is smooth.
      maps: arrays by name; the result has their dtype.
      parameters: arrays or numbers by name, which all pixels may share.
    """
    # Accept Python integers, such as a scale of 1.
    real = lambda x: x.astype(float) if x.ndim == 0 and jnp.issubdtype(x.dtype, jnp.integer) else x
    parameters = {name: real(x) for name, x in (parameters or {}).items()}
    for name, x in (maps | parameters).items():
        check_array(name, x)
    check_batch(**{name: x.shape for name, x in (maps | parameters).items()})
    dtype = result_type(*(x.dtype for x in maps.values()))
    arrays = align_ranks(*widen(*[*maps.values(), *parameters.values()]))
    valid = usable(*arrays)
    values = where_valid(lambda *x: function(*x[:-1]), otherwise, valid, arrays, None)
    values, valid = narrow(valid, values, dtype)
    return (*values, valid) if isinstance(values, tuple) else (values, valid)
