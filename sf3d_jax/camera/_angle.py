"""The angle of a ray over its slope, atan(r) / r as a function of s = r^2, for fisheye lenses.

Works for plain numbers, for steps (numbers that change) and for double-floats.
"""

from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics import mask
from sf3d_jax._numerics.differences import Step, step
from sf3d_jax._numerics.double import Double

# One number per pixel: an array, a `Step` of arrays or a `Double`.
Scalar: TypeAlias = Any

# Up to twice this, the series is exact to float64 rounding.
_SERIES_BELOW = 0.02
_ATAN_SERIES = tuple((-1) ** n / (2 * n + 1) for n in range(1, 13))


def angle_ratio(s: Scalar) -> Scalar:
    """atan(r) / r for s = r^2; a series near 0, where the root has an infinite derivative."""
    if isinstance(s, Step):
        ratio = angle_ratio(s.value)
        return Step(ratio, _angle_ratio_change(s, ratio))
    if isinstance(s, Double):
        return _double_angle_ratio(s)
    r = jnp.sqrt(jnp.maximum(s, _SERIES_BELOW))
    return jnp.where(s < _SERIES_BELOW, power_series(_ATAN_SERIES, s), jnp.arctan(r) / r)


def power_series(coefficients: tuple[Scalar, ...], s: Scalar) -> Scalar:
    """1 + c1 s + c2 s^2 + ..."""
    total: Scalar = 0.0
    for c in reversed(coefficients):
        total = s * (total + c)
    return total + 1.0


def _angle_ratio_change(s: Step, ratio: Scalar) -> Scalar:
    """The change of atan(r) / r, whose value before the change is `ratio`.

    If both ends are far from 0, it uses atan b - atan a = atan((b - a) / (1 + a b)); if both are
    near 0, the change of the series. Otherwise the change is large, so a plain difference is exact
    enough.
    """
    if isinstance(s.value, Double):
        return _double_angle_ratio_change(s.value, s.after, s.change, ratio)
    before, after, change = jnp.asarray(s.value), jnp.asarray(s.after), jnp.asarray(s.change)
    near = jnp.maximum(before, after) < 2 * _SERIES_BELOW
    far = jnp.minimum(before, after) > _SERIES_BELOW
    series = power_series(_ATAN_SERIES, Step(*mask(near, (before, change))))

    r0, r1 = (jnp.sqrt(x) for x in mask(far, (before, after), (1, 1)))
    growth = jnp.where(far, change, 0) / (r0 + r1)
    angle = jnp.arctan(growth / (1 + r0 * r1))
    far_change = (angle - ratio * growth) / r1

    between = angle_ratio(after) - ratio
    return jnp.where(near, step(series).change, jnp.where(far, far_change, between))


# Slopes of eight angles from 0 to 7/16 pi. Every angle below pi/2 is close enough to one of them
# that six terms of the series suffice for the difference.
_ANCHORS = np.tan(np.arange(8) * np.pi / 16).astype(np.float32)


def _double_angle_ratio(s: Double) -> Double:
    """atan(r) / r with twice the digits of float32; for float64 with the digits of float64.

    atan(r) = atan(a) + atan((r - a) / (1 + a r)) with the anchor a nearest to r.
    """
    if s.hi.dtype != jnp.float32:
        return Double.of(angle_ratio(s.hi))
    r = _square_root(s)
    index = jnp.clip(jnp.round(jnp.arctan(r.hi) * (16 / np.pi)), 0, 7).astype(int)
    anchor = jnp.asarray(_ANCHORS, r.hi.dtype)[index]
    # The anchors are exact in float32; NumPy computes their angles in float64.
    anchor_angle = Double.constant(np.arctan(np.float64(_ANCHORS)), r.hi.dtype)[index]
    rest = (r - anchor) / (r * anchor + 1.0)
    square = rest * rest
    q = square.hi
    # From the third term on, plain floats suffice: q^2 < 1e-4 scales their rounding down to that
    # of double-floats.
    tail = q * (1 / 5 - q * (1 / 7 - q * (1 / 9 - q * (1 / 11 - q / 13))))
    series = square * (Double.constant(-1 / 3, q.dtype) + tail) + 1.0
    centre = index == 0
    ratio = (anchor_angle + rest * series) / mask(centre, _one_like(r), r)
    return mask(centre, series, ratio)


def _double_angle_ratio_change(
    before: Double, after: Double, change: Double, ratio: Double
) -> Double:
    """The change of atan(r) / r in double-floats; near 0 only the digits of a float are right."""
    r0, r1 = _square_root(before), _square_root(after)
    off_axis = r1.hi > 0
    total = r0 + r1
    growth = change / mask(total.hi > 0, total, _one_like(total))
    slope = growth / (r0 * r1 + 1.0)
    angle = slope * _double_angle_ratio(slope * slope)
    result = (angle - ratio * growth) / mask(off_axis, r1, _one_like(r1))
    # On the axis the ratio is 1.
    return mask(off_axis, result, _one_like(ratio) - ratio)


def _square_root(s: Double) -> Double:
    """Heron's step from the root in floats; 0 if s rounds to 0 or below."""
    positive = s.hi > 0
    root = jnp.sqrt(jnp.where(positive, s.hi, 1))
    rest = (s - Double.of(root) * root).hi / (2 * root)
    return mask(positive, Double.of(root) + rest)


def _one_like(x: Double) -> Double:
    return Double.of(jnp.ones_like(x.hi))
