"""Colours for flow, scalar maps and scene flow: uint8 RGB [H, W, 3], black where invalid.

Whatever comes in, NaN and infinities included, a picture comes out: what is not finite is invalid.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sf3d_jax.data.arrays import real_map, valid_mask

# The Middlebury wheel has 55 colours. These stand at the given places, the others evenly between.
_WHEEL_PLACES = np.array([0, 15, 21, 25, 36, 49, 55])
_WHEEL_COLORS = np.array(
    [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0]], np.float64
)

# Viridis (van der Walt and Smith, 2015) at ten equal steps, dark to bright.
_VIRIDIS = np.array(
    [
        [0x44, 0x01, 0x54],
        [0x48, 0x28, 0x78],
        [0x3E, 0x49, 0x89],
        [0x31, 0x68, 0x8E],
        [0x26, 0x82, 0x8E],
        [0x1F, 0x9E, 0x89],
        [0x35, 0xB7, 0x79],
        [0x6E, 0xCE, 0x58],
        [0xB5, 0xDE, 0x2B],
        [0xFD, 0xE7, 0x25],
    ],
    np.float64,
)


def flow_to_color(
    flow: npt.ArrayLike, *, valid: npt.ArrayLike | None = None, max_flow: float | None = None
) -> np.ndarray:
    """Colours optical flow by the Middlebury wheel: hue is direction, saturation is length.

    White is no motion; red moves right, yellow down, cyan-blue left, purple up. The 55 colours
    stand evenly on the angle from -pi to pi, as in the authors' code. A flow longer than max_flow
    is darkened by a quarter.

    S. Baker et al., A Database and Evaluation Methodology for Optical Flow, IJCV 2011.

    Args:
      flow: [H, W, 2], (u, v) in pixels.
      valid: bool [H, W], all where not given.
      max_flow: the length in pixels that gets the full colour; the largest when not given.

    Returns:
      uint8 RGB [H, W, 3], black where invalid or not finite.

    Raises:
      ValueError: a wrong shape, or a max_flow that is not positive.
    """
    flow, known = _zero_unknown("flow", flow, valid, channels=2)
    length = np.hypot(flow[..., 0], flow[..., 1])
    radius = (length / _choose_scale("max_flow", max_flow, length))[..., None]

    turn = (np.arctan2(-flow[..., 1], -flow[..., 0]) / np.pi + 1) / 2
    hue = _interpolate(turn * 54, _WHEEL_PLACES, _WHEEL_COLORS)
    return _to_bytes(np.where(radius <= 1, 1 - radius * (1 - hue), 0.75 * hue), known)


def scalar_to_color(
    values: npt.ArrayLike,
    *,
    valid: npt.ArrayLike | None = None,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """Colours a scalar map by viridis: dark blue is low, yellow is high.

    Args:
      values: [H, W].
      valid: bool [H, W], all where not given.
      limits: the values of the first and the last colour, beyond which colours stay; the smallest
        and the largest value when not given. A map of one value gets the middle colour.

    Returns:
      uint8 RGB [H, W, 3], black where invalid or not finite.

    Raises:
      ValueError: a wrong shape, or limits that are not two finite numbers in order.
    """
    values, known = _zero_unknown("values", values, valid)
    if limits is None:
        limits = (values[known].min(), values[known].max()) if known.any() else (0, 0)
    low, high = limits
    if not -np.inf < low <= high < np.inf:
        raise ValueError(f"limits: expected two finite numbers in order, got {limits}")

    span = high - low
    place = np.clip((values - low) / span, 0, 1) if span > 0 else np.full(values.shape, 0.5)
    color = _interpolate(place, np.linspace(0, 1, len(_VIRIDIS)), _VIRIDIS / 255)
    return _to_bytes(color, known)


def scene_flow_to_color(
    vectors: npt.ArrayLike, *, valid: npt.ArrayLike | None = None, max_length: float | None = None
) -> np.ndarray:
    """Colours 3D motion: direction as colour, length as brightness.

    RGB = (direction + 1) / 2 * brightness with x (right) in red, y (down) in green and z (forward)
    in blue; brightness = length / max_length, at most 1.

    Args:
      vectors: [H, W, 3] in metres, axes x right, y down, z forward.
      valid: bool [H, W], all where not given.
      max_length: the length in metres that gets the full brightness; the largest when not given.

    Returns:
      uint8 RGB [H, W, 3], black where nothing moves and where invalid or not finite.

    Raises:
      ValueError: a wrong shape, or a max_length that is not positive.
    """
    vectors, known = _zero_unknown("vectors", vectors, valid, channels=3)
    length = np.linalg.norm(vectors, axis=-1)
    brightness = np.minimum(length / _choose_scale("max_length", max_length, length), 1)
    direction = vectors / np.where(length > 0, length, 1)[..., None]
    return _to_bytes((direction + 1) / 2 * brightness[..., None], known)


def _zero_unknown(
    name: str, value: npt.ArrayLike, valid: npt.ArrayLike | None, channels: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The map in float64, so that no float32 overflows, with 0 where it is not known."""
    values = real_map(name, value, channels)
    known = valid_mask(valid, values)
    values = values.astype(np.float64)
    values[~known] = 0
    return values, known


def _choose_scale(name: str, given: float | None, length: np.ndarray) -> float:
    """The length that gets the full colour: the given or the largest; 1 where nothing moves."""
    if given is None:
        return float(length.max()) or 1.0
    if not 0 < given < np.inf:
        raise ValueError(f"{name}: expected a positive number, got {given}")
    return given


def _interpolate(place: np.ndarray, places: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """The colours at some places, linear between those at the given ones."""
    return np.stack([np.interp(place, places, channel) for channel in colors.T], axis=-1)


def _to_bytes(color: np.ndarray, known: np.ndarray) -> np.ndarray:
    """From 0 to 1 to bytes, black where not known."""
    return np.where(known[..., None], np.rint(255 * color), 0).astype(np.uint8)
