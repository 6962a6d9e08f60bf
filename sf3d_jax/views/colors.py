"""Colours for flow, scalar maps and scene flow: uint8 RGB [H, W, 3], black where invalid.

Any input gives an image: non-finite pixels, NaN or infinite, are invalid. No valid pixel is black.
Maps are coloured in bands of rows in float64, so float32 cannot overflow and large images need
little memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from sf3d_jax.data.arrays import real_map, valid_mask

# Key colours of the Middlebury wheel's 55, and their places; the others lie evenly between.
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


# Cividis (Nunez, Anderton and Renslow, 2018) at sixteen equal steps: dark blue, grey, yellow.
_CIVIDIS = np.array(
    [
        [0x00, 0x22, 0x4E],
        [0x00, 0x2E, 0x6C],
        [0x1E, 0x3A, 0x6F],
        [0x35, 0x45, 0x6C],
        [0x47, 0x51, 0x6C],
        [0x57, 0x5D, 0x6D],
        [0x66, 0x69, 0x70],
        [0x75, 0x75, 0x75],
        [0x84, 0x82, 0x79],
        [0x94, 0x8E, 0x77],
        [0xA5, 0x9C, 0x74],
        [0xB7, 0xA9, 0x6E],
        [0xC8, 0xB8, 0x66],
        [0xDB, 0xC7, 0x5A],
        [0xEE, 0xD6, 0x49],
        [0xFE, 0xE8, 0x38],
    ],
    np.float64,
)

_BAND = 1 << 18  # pixels coloured at a time


def flow_to_color(
    flow: npt.ArrayLike, *, valid: npt.ArrayLike | None = None, max_flow: float | None = None
) -> np.ndarray:
    """Colours optical flow by the Middlebury wheel: hue is direction, saturation is length.

    White is still; red moves right, yellow down, cyan-blue left, purple up. With r = |flow| /
    max_flow, the colour is 1 - r (1 - hue) for r <= 1 and 0.75 hue beyond. The 55 colours are
    evenly spaced in angle from -pi to pi, as in the authors' code.

    S. Baker et al., A Database and Evaluation Methodology for Optical Flow, IJCV 2011.

    Args:
      flow: [H, W, 2], (u, v) in pixels.
      valid: bool [H, W]; all pixels if None.
      max_flow: length in pixels that gets the full colour; the largest if None.

    Returns:
      uint8 RGB [H, W, 3], black where invalid or non-finite.

    Raises:
      ValueError: a shape does not fit, or max_flow is not positive.
    """
    flow, known = _read_map("flow", flow, valid, channels=2)
    rim = _choose_scale("max_flow", max_flow, flow, known)

    def color(flow: np.ndarray) -> np.ndarray:
        radius = (np.hypot(flow[..., 0], flow[..., 1]) / rim)[..., None]
        hue = _wheel_hue(flow)
        return np.where(radius <= 1, 1 - radius * (1 - hue), 0.75 * hue)

    return _color_bands(color, flow, known)


def scalar_to_color(
    values: npt.ArrayLike,
    *,
    valid: npt.ArrayLike | None = None,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """Colours a scalar map by viridis: dark blue is low, yellow is high.

    Args:
      values: [H, W].
      valid: bool [H, W]; all pixels if None.
      limits: values of the first and last colour, to which others are clipped; the smallest and
        largest value if None. If both are equal, the map gets the middle colour.

    Returns:
      uint8 RGB [H, W, 3], black where invalid or non-finite.

    Raises:
      ValueError: a shape does not fit, or limits are not two finite numbers in order.
    """
    values, known = _read_map("values", values, valid)
    if limits is None:
        limits = _find_limits(values, known)
    low, high = limits
    if not -np.inf < low <= high < np.inf:
        raise ValueError(f"limits: expected two finite numbers in order, got {limits}")

    def color(values: np.ndarray) -> np.ndarray:
        span = high - low
        place = np.clip((values - low) / span, 0, 1) if span > 0 else np.full(values.shape, 0.5)
        return _interpolate(place, _VIRIDIS)

    return _color_bands(color, values, known)


def signed_to_color(
    values: npt.ArrayLike, *, valid: npt.ArrayLike | None = None, limit: float | None = None
) -> np.ndarray:
    """Colours a map of signed numbers by cividis: blue is negative, grey is 0, yellow is positive.

    Lightness rises with the value, so the sign is visible in grey prints and to colour-blind
    readers.

    J. R. Nunez, C. R. Anderton and R. S. Renslow, Optimizing colormaps with consideration for
    color vision deficiency, PLOS ONE 2018.

    Args:
      values: [H, W].
      valid: bool [H, W]; all pixels if None.
      limit: magnitude that gets the full colour, to which others are clipped; the largest if None.

    Returns:
      uint8 RGB [H, W, 3], black where invalid or non-finite.

    Raises:
      ValueError: a shape does not fit, or limit is not positive.
    """
    values, known = _read_map("values", values, valid)
    end = _choose_scale("limit", limit, values[..., None], known)
    color = lambda values: _interpolate(np.clip((values / end + 1) / 2, 0, 1), _CIVIDIS)
    return _color_bands(color, values, known)


def scene_flow_to_color(
    vectors: npt.ArrayLike, *, valid: npt.ArrayLike | None = None, max_length: float | None = None
) -> np.ndarray:
    """Colours 3D motion: red, green and blue are the three axes, and mid-grey is still.

    RGB = (1 + v / max_length) / 2, with x (right) in red, y (down) in green and z (away) in blue.
    Longer vectors are clipped to max_length.

    Args:
      vectors: [H, W, 3] in metres, axes x right, y down, z forward.
      valid: bool [H, W]; all pixels if None.
      max_length: length in metres that gets the full colour; the largest if None.

    Returns:
      uint8 RGB [H, W, 3], black where invalid or non-finite.

    Raises:
      ValueError: a shape does not fit, or max_length is not positive.
    """
    vectors, known = _read_map("vectors", vectors, valid, channels=3)
    longest = _choose_scale("max_length", max_length, vectors, known)

    def color(vectors: np.ndarray) -> np.ndarray:
        length = np.linalg.norm(vectors, axis=-1, keepdims=True)
        return (1 + vectors / np.maximum(length, longest)) / 2

    return _color_bands(color, vectors, known)


def lateral_to_color(
    vectors: npt.ArrayLike, *, valid: npt.ArrayLike | None = None, max_length: float
) -> np.ndarray:
    """Colours motion across the view by the hues of the flow wheel about mid-grey.

    Args:
      vectors: [H, W, 2], components right and down, in any unit.
      valid: bool [H, W]; all pixels if None.
      max_length: length that gets the full colour; longer vectors are clipped to it.

    Returns:
      uint8 RGB [H, W, 3], mid-grey where still, black where invalid or non-finite.

    Raises:
      ValueError: a shape does not fit, or max_length is not positive.
    """
    vectors, known = _read_map("vectors", vectors, valid, channels=2)
    longest = _choose_scale("max_length", max_length, vectors, known)

    def color(vectors: np.ndarray) -> np.ndarray:
        radius = np.minimum(np.hypot(vectors[..., 0], vectors[..., 1]) / longest, 1)[..., None]
        return 0.5 + radius * (_wheel_hue(vectors) - 0.5)

    return _color_bands(color, vectors, known)


def _read_map(
    name: str, value: npt.ArrayLike, valid: npt.ArrayLike | None, channels: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The map, and where it is known."""
    values = real_map(name, value, channels)
    return values, valid_mask(valid, values)


def _choose_scale(name: str, given: float | None, vectors: np.ndarray, known: np.ndarray) -> float:
    """The length with the full colour: as given, or the largest; 1 if nothing moves."""
    if given is None:
        largest = max(
            (np.linalg.norm(band, axis=-1).max() for band, _ in _iterate_bands(vectors, known)),
            default=0,
        )
        return float(largest) or 1.0
    if not 0 < given < np.inf:
        raise ValueError(f"{name}: expected a positive number, got {given}")
    return given


def _find_limits(values: np.ndarray, known: np.ndarray) -> tuple[float, float]:
    """The smallest and largest value; zeros if none is known."""
    low = values.min(initial=np.inf, where=known)
    high = values.max(initial=-np.inf, where=known)
    return (float(low), float(high)) if low <= high else (0.0, 0.0)


def _iterate_bands(values: np.ndarray, known: np.ndarray) -> Iterator[tuple[np.ndarray, slice]]:
    """Bands of rows in float64, 0 where unknown, each with its slice of rows."""
    rows = max(1, _BAND // max(1, values.shape[1]))
    for first in range(0, len(values), rows):
        band = slice(first, first + rows)
        known_here = known[band].reshape(*known[band].shape, *[1] * (values.ndim - 2))
        yield np.where(known_here, values[band].astype(np.float64), 0), band


def _color_bands(
    color: Callable[[np.ndarray], np.ndarray], values: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Bytes of the colours from 0 to 1 returned by a function; black where unknown."""
    image = np.zeros((*known.shape, 3), np.uint8)
    for band, rows in _iterate_bands(values, known):
        image[rows] = np.where(known[rows][..., None], np.rint(255 * color(band)), 0)
    return image


def _wheel_hue(vectors: np.ndarray) -> np.ndarray:
    """Full colours of directions on the Middlebury wheel, from 0 to 1."""
    turn = (np.arctan2(-vectors[..., 1], -vectors[..., 0]) / np.pi + 1) / 2
    return _interpolate_at(turn * 54, _WHEEL_PLACES, _WHEEL_COLORS)


def _interpolate(place: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Colours at places from 0 to 1 in a table of bytes with equal steps."""
    return _interpolate_at(place, np.linspace(0, 1, len(table)), table / 255)


def _interpolate_at(place: np.ndarray, places: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Colours at some places, interpolated linearly between given places."""
    return np.stack([np.interp(place, places, channel) for channel in colors.T], axis=-1)
