"""The angle of a ray by the slope of it, atan(r) / r of s = r^2, as fisheye lenses need it.

For plain numbers, for steps (numbers that change) and for double-floats.
"""

from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics import mask
from sf3d_jax._numerics.differences import Step, step
from sf3d_jax._numerics.double import Double

# A number a pixel: an array, a `Step` of arrays or a `Double`.
Scalar: TypeAlias = Any

# The series is at float64's rounding below twice this.
_SERIES_BELOW = 0.02
_ATAN_SERIES = tuple((-1) ** n / (2 * n + 1) for n in range(1, 13))


def angle_ratio(s: Scalar) -> Scalar:
    """atan(r) / r of s = r^2; a series near 0, where the derivative of the root is infinite."""
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
    """The change of atan(r) / r, which is `ratio` before.

    Between two ends far from 0 by atan b - atan a = atan((b - a) / (1 + a b)), near 0 that
    of the series; from near to far the change is not small, and the plain difference does.
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


# Slopes of so many angles between 0 and a right one, from each of which the remainder of any
# angle is so small that its series needs six terms.
_ANCHORS = np.tan(np.arange(8) * np.pi / 16).astype(np.float32)


def _double_angle_ratio(s: Double) -> Double:
    """The ratio with twice a float32's digits, or a float64's.

    atan(r) = atan(a) + atan((r - a) / (1 + a r)) with the anchor a nearest to r.
    """
    if s.hi.dtype != jnp.float32:
        return Double.of(angle_ratio(s.hi))
    r = _root(s)
    index = jnp.clip(jnp.round(jnp.arctan(r.hi) * (16 / np.pi)), 0, 7).astype(int)
    anchor = jnp.asarray(_ANCHORS, r.hi.dtype)[index]
    # The anchors are float32 numbers; NumPy knows their angles to float64.
    anchor_angle = Double.constant(np.arctan(np.float64(_ANCHORS)), r.hi.dtype)[index]
    rest = (r - anchor) / (r * anchor + 1.0)
    square = rest * rest
    q = square.hi
    # From the third term on q^2 < 1e-4 times a float's rounding is below a double-float's.
    tail = q * (1 / 5 - q * (1 / 7 - q * (1 / 9 - q * (1 / 11 - q / 13))))
    series = square * (Double.constant(-1 / 3, q.dtype) + tail) + 1.0
    centre = index == 0
    ratio = (anchor_angle + rest * series) / mask(centre, _one_like(r), r)
    return mask(centre, series, ratio)


def _double_angle_ratio_change(
    before: Double, after: Double, change: Double, ratio: Double
) -> Double:
    """As above between ends far from 0; the digits lost near it leave a float's."""
    r0, r1 = _root(before), _root(after)
    off_axis = r1.hi > 0
    total = r0 + r1
    growth = change / mask(total.hi > 0, total, _one_like(total))
    slope = growth / (r0 * r1 + 1.0)
    angle = slope * _double_angle_ratio(slope * slope)
    result = (angle - ratio * growth) / mask(off_axis, r1, _one_like(r1))
    # On the axis the ratio is 1.
    return mask(off_axis, result, _one_like(ratio) - ratio)


def _root(s: Double) -> Double:
    """The square root: one step of Heron's from the float's; 0 of what rounds to 0 or below."""
    positive = s.hi > 0
    root = jnp.sqrt(jnp.where(positive, s.hi, 1))
    rest = (s - Double.of(root) * root).hi / (2 * root)
    return mask(positive, Double.of(root) + rest)


def _one_like(x: Double) -> Double:
    return Double.of(jnp.ones_like(x.hi))
