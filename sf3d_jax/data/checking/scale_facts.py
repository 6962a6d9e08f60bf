"""The scale of a data set of scaled inverse depths: depth times scaled inverse depth, one number.

Where it is not, a depth that was taken along the ray, or divided by it, may be why: with |r| the
length of the ray (X/Z, Y/Z, 1), the product times |r| or over |r| is one number then.
"""

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data.checking.evidence.numpy_camera import NumpyCamera
from sf3d_jax.data.checking.report import Finding
from sf3d_jax.data.maps.masks import erode_cross

# Of the middle 98 % of the pixels, relative: rounding of 16 bits is below the first; what is below
# the second is rounding of 32 bits.
_CONSTANT = 2e-3
_EXACT = 1e-5
# How many times smaller the spread must get; it must be very clear below what is tolerated.
_EXPLAINED = 3.0
_CLEAR = 20.0
_FEWEST = 30


def scale_facts(
    depth: np.ndarray,
    scaled_inv_depth: np.ndarray,
    camera: Camera | None = None,
    *,
    mask: np.ndarray | None = None,
    scale: float | None = None,
) -> list[Finding]:
    """What is wrong with the scale of one frame.

    Args:
      depth: [H, W], in metres.
      scaled_inv_depth: [H, W], s / z.
      camera: of the frame; without it, ray lengths are not looked for.
      mask: bool [H, W], where there is a surface; where both maps are not 0 if None.
      scale: s of the data set, if it is known.

    Returns:
      At most one finding.
    """
    depth, scaled = depth.astype(np.float64), scaled_inv_depth.astype(np.float64)
    both = has_both(depth, scaled)
    both &= True if mask is None else erode_cross(mask)
    if both.sum() < _FEWEST:
        return []
    product = depth[both] * scaled[both]
    numbers = {"median": float(np.median(product)), "spread": _spread(product)}
    if min(np.median(depth[both]), np.median(scaled[both])) < 0:
        which = "depth" if np.median(depth[both]) < 0 else "scaled_inv_depth"
        return [Finding("inv_depth_sign", f"{which} is negative", numbers, f"negate {which}")]
    if numbers["spread"] > _EXACT:
        finding = _ray_finding(product, _ray_lengths(camera, both), numbers)
        if finding is not None:
            return [finding]
    if numbers["spread"] > _CONSTANT:
        return [_varying_finding(depth[both], scaled[both], numbers)]
    if scale is None or abs(numbers["median"] / scale - 1) <= _CONSTANT:
        return []
    numbers["scale of the data set"] = scale
    message = f"depth x scaled_inv_depth is {numbers['median']:.6g}, elsewhere {scale:.6g}"
    why = "the frame was scaled by another number than the data set"
    return [Finding("scale", message, numbers, why)]


def has_both(depth: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    """Where both maps are finite and not 0."""
    return np.isfinite(depth) & np.isfinite(scaled) & (depth != 0) & (scaled != 0)


def _ray_finding(
    product: np.ndarray, length: np.ndarray | None, numbers: dict[str, float]
) -> Finding | None:
    """The finding that one of the maps was taken along the rays, if that makes it one number."""
    if length is None:
        return None
    spreads = {"times": _spread(product * length), "over": _spread(product / length)}
    best = min(spreads, key=lambda name: spreads[name])
    gain = _EXPLAINED if numbers["spread"] > _CONSTANT else _CLEAR
    if spreads[best] * gain > numbers["spread"]:
        return None
    why = {
        "over": "depth holds ray lengths and not z: divide it by |ray|",
        "times": "scaled_inv_depth was made of ray lengths and not of z: multiply it by |ray|",
    }[best]
    numbers = {**numbers, f"spread {best} the length of the ray": spreads[best]}
    sure = 1 - spreads[best] / numbers["spread"]
    return Finding("ray_length", _message(numbers), numbers, why, sure)


def _varying_finding(depth: np.ndarray, scaled: np.ndarray, numbers: dict[str, float]) -> Finding:
    ratio = _spread(depth / scaled)
    if ratio * _EXPLAINED < numbers["spread"]:
        why = "scaled_inv_depth holds depths, not their inverses"
        sure = 1 - ratio / numbers["spread"]
        return Finding("inv_depth_is_depth", _message(numbers), numbers, why, sure)
    why = "the scale differs from pixel to pixel, or the maps belong to different frames"
    return Finding("scale", _message(numbers), numbers, why)


def _message(numbers: dict[str, float]) -> str:
    return f"depth x scaled_inv_depth varies by {numbers['spread']:.2%} in the frame"


def _spread(x: np.ndarray) -> float:
    """The middle 98 % over the median."""
    low, middle, high = np.quantile(x, [0.01, 0.5, 0.99])
    return float((high - low) / abs(middle)) if middle else float("inf")


def _ray_lengths(camera: Camera | None, pixels: np.ndarray) -> np.ndarray | None:
    if camera is None or camera.size != pixels.shape:
        return None
    rows, columns = np.nonzero(pixels)
    return NumpyCamera.of(camera).stretch(np.stack([columns, rows], -1).astype(np.float64))
