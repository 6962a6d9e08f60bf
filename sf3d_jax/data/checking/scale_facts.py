"""Checks that depth times scaled inverse depth is one number: the scale of the data set.

If it varies, one of the maps may hold distances along the ray: with |r| the length of the ray
(X/Z, Y/Z, 1), the product times |r| or divided by |r| is then constant.
"""

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data.checking.evidence.numpy_camera import NumpyCamera
from sf3d_jax.data.checking.report import Finding
from sf3d_jax.data.maps.masks import erode_cross

# Relative spread of the middle 98 % of the pixels: 16-bit rounding stays below the first limit,
# 32-bit rounding below the second.
_CONSTANT = 2e-3
_EXACT = 1e-5
# Factors by which an explanation must reduce the spread: the usual one, and a stricter one for a
# spread that is small enough to be tolerated.
_EXPLAINED = 3.0
_CLEAR = 20.0
_FEWEST = 30


def check_scale(
    depth: np.ndarray,
    scaled_inv_depth: np.ndarray,
    camera: Camera | None = None,
    *,
    mask: np.ndarray | None = None,
    scale: float | None = None,
) -> list[Finding]:
    """Finds faults of the scale of one frame.

    Args:
      depth: [H, W], in metres.
      scaled_inv_depth: [H, W], s / z.
      camera: camera of the frame; None skips the test for ray lengths.
      mask: bool [H, W], pixels with a surface; None takes those where both maps are nonzero.
      scale: s of the data set, if known.

    Returns:
      At most one finding.
    """
    depth, scaled = depth.astype(np.float64), scaled_inv_depth.astype(np.float64)
    both = has_both(depth, scaled)
    both &= True if mask is None else erode_cross(mask)
    if both.sum() < _FEWEST:
        return []
    product = depth[both] * scaled[both]
    numbers = {"median": float(np.median(product)), "spread": _measure_spread(product)}
    if min(np.median(depth[both]), np.median(scaled[both])) < 0:
        which = "depth" if np.median(depth[both]) < 0 else "scaled_inv_depth"
        return [Finding("inv_depth_sign", f"{which} is negative", numbers, f"negate {which}")]
    if numbers["spread"] > _EXACT:
        finding = _report_ray_lengths(product, _compute_ray_lengths(camera, both), numbers)
        if finding is not None:
            return [finding]
    if numbers["spread"] > _CONSTANT:
        return [_report_variation(depth[both], scaled[both], numbers)]
    if scale is None or abs(numbers["median"] / scale - 1) <= _CONSTANT:
        return []
    numbers["scale of the data set"] = scale
    message = f"depth x scaled_inv_depth is {numbers['median']:.6g}, elsewhere {scale:.6g}"
    why = "the frame was scaled by a different factor than the data set"
    return [Finding("scale", message, numbers, why)]


def has_both(depth: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    """Whether both maps are finite and nonzero, per pixel."""
    return np.isfinite(depth) & np.isfinite(scaled) & (depth != 0) & (scaled != 0)


def _report_ray_lengths(
    product: np.ndarray, length: np.ndarray | None, numbers: dict[str, float]
) -> Finding | None:
    """Reports that one map was taken along the rays, if that explains the spread."""
    if length is None:
        return None
    spreads = {
        "times": _measure_spread(product * length),
        "over": _measure_spread(product / length),
    }
    best = min(spreads, key=lambda name: spreads[name])
    gain = _EXPLAINED if numbers["spread"] > _CONSTANT else _CLEAR
    if spreads[best] * gain > numbers["spread"]:
        return None
    why = {
        "over": "depth holds ray lengths, not z: divide it by |ray|",
        "times": "scaled_inv_depth was computed from ray lengths, not z: multiply it by |ray|",
    }[best]
    numbers = {**numbers, f"spread {best} the length of the ray": spreads[best]}
    sure = 1 - spreads[best] / numbers["spread"]
    return Finding("ray_length", _format_message(numbers), numbers, why, sure)


def _report_variation(depth: np.ndarray, scaled: np.ndarray, numbers: dict[str, float]) -> Finding:
    ratio = _measure_spread(depth / scaled)
    if ratio * _EXPLAINED < numbers["spread"]:
        why = "scaled_inv_depth holds depths, not their inverses"
        sure = 1 - ratio / numbers["spread"]
        return Finding("inv_depth_is_depth", _format_message(numbers), numbers, why, sure)
    why = "the scale differs from pixel to pixel, or the maps belong to different frames"
    return Finding("scale", _format_message(numbers), numbers, why)


def _format_message(numbers: dict[str, float]) -> str:
    return f"depth x scaled_inv_depth varies by {numbers['spread']:.2%} in the frame"


def _measure_spread(x: np.ndarray) -> float:
    """Computes the range of the middle 98 % over the median."""
    low, middle, high = np.quantile(x, [0.01, 0.5, 0.99])
    return float((high - low) / abs(middle)) if middle else float("inf")


def _compute_ray_lengths(camera: Camera | None, pixels: np.ndarray) -> np.ndarray | None:
    if camera is None or camera.size != pixels.shape:
        return None
    rows, columns = np.nonzero(pixels)
    return NumpyCamera.of(camera).stretch(np.stack([columns, rows], -1).astype(np.float64))
