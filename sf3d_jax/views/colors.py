"""Colours for flow, scalar maps and scene flow: uint8 RGB [H, W, 3], black where invalid.

A picture comes out whatever comes in, NaN and infinities included: a non-finite pixel is invalid.
No picture uses black for a valid pixel. Maps are coloured in bands of rows, in float64, so that no
float32 overflows and a large picture needs little memory.
"""

from collections.abc import Callable, Iterator

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

_BAND = 1 << 18  # pixels that are coloured at a time


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
      uint8 RGB [H, W, 3], black where invalid or non-finite.

    Raises:
      ValueError: a wrong shape, or a max_flow that is not positive.
    """
    flow, known = _read("flow", flow, valid, channels=2)
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
      valid: bool [H, W], all where not given.
      limits: the values of the first and the last colour, beyond which colours stay; the smallest
        and the largest value when not given. A map of one value gets the middle colour.

    Returns:
      uint8 RGB [H, W, 3], black where invalid or non-finite.

    Raises:
      ValueError: a wrong shape, or limits that are not two finite numbers in order.
    """
    values, known = _read("values", values, valid)
    if limits is None:
        limits = _limits_of(values, known)
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

    The lightness rises with the value, so a print in grey and colour-blind people keep the sign.

    J. R. Nunez, C. R. Anderton and R. S. Renslow, Optimizing colormaps with consideration for
    color vision deficiency, PLOS ONE 2018.

    Args:
      values: [H, W].
      valid: bool [H, W], all where not given.
      limit: the size that gets the full colour, beyond which colours stay; the largest when not
        given.

    Returns:
      uint8 RGB [H, W, 3], black where invalid or non-finite.

    Raises:
      ValueError: a wrong shape, or a limit that is not positive.
    """
    values, known = _read("values", values, valid)
    end = _choose_scale("limit", limit, values[..., None], known)
    color = lambda values: _interpolate(np.clip((values / end + 1) / 2, 0, 1), _CIVIDIS)
    return _color_bands(color, values, known)


def scene_flow_to_color(
    vectors: npt.ArrayLike, *, valid: npt.ArrayLike | None = None, max_length: float | None = None
) -> np.ndarray:
    """Colours 3D motion: the three axes are red, green and blue, and mid-grey is no motion.

    RGB = (1 + v / max_length) / 2, with x (right) in red, y (down) in green and z (away) in blue;
    a longer vector gets the colour of its direction at max_length.

    Args:
      vectors: [H, W, 3] in metres, axes x right, y down, z forward.
      valid: bool [H, W], all where not given.
      max_length: the length in metres that gets the full colour; the largest when not given.

    Returns:
      uint8 RGB [H, W, 3], black where invalid or non-finite.

    Raises:
      ValueError: a wrong shape, or a max_length that is not positive.
    """
    vectors, known = _read("vectors", vectors, valid, channels=3)
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
      vectors: [H, W, 2], the components right and down, in any unit.
      valid: bool [H, W], all where not given.
      max_length: the length that gets the full colour; a longer vector stays there.

    Returns:
      uint8 RGB [H, W, 3], mid-grey where nothing moves, black where invalid or non-finite.

    Raises:
      ValueError: a wrong shape, or a max_length that is not positive.
    """
    vectors, known = _read("vectors", vectors, valid, channels=2)
    longest = _choose_scale("max_length", max_length, vectors, known)

    def color(vectors: np.ndarray) -> np.ndarray:
        radius = np.minimum(np.hypot(vectors[..., 0], vectors[..., 1]) / longest, 1)[..., None]
        return 0.5 + radius * (_wheel_hue(vectors) - 0.5)

    return _color_bands(color, vectors, known)


def _read(
    name: str, value: npt.ArrayLike, valid: npt.ArrayLike | None, channels: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The map, and where it is known."""
    values = real_map(name, value, channels)
    return values, valid_mask(valid, values)


def _choose_scale(name: str, given: float | None, vectors: np.ndarray, known: np.ndarray) -> float:
    """The length that gets the full colour: the given or the largest; 1 where nothing moves."""
    if given is None:
        largest = max(
            (np.linalg.norm(band, axis=-1).max() for band, _ in _bands(vectors, known)), default=0
        )
        return float(largest) or 1.0
    if not 0 < given < np.inf:
        raise ValueError(f"{name}: expected a positive number, got {given}")
    return given


def _limits_of(values: np.ndarray, known: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest value; zeros where none is known."""
    low = values.min(initial=np.inf, where=known)
    high = values.max(initial=-np.inf, where=known)
    return (float(low), float(high)) if low <= high else (0.0, 0.0)


def _bands(values: np.ndarray, known: np.ndarray) -> Iterator[tuple[np.ndarray, slice]]:
    """Bands of rows in float64, 0 where unknown, each with the rows that it is of."""
    rows = max(1, _BAND // max(1, values.shape[1]))
    for first in range(0, len(values), rows):
        band = slice(first, first + rows)
        known_here = known[band].reshape(*known[band].shape, *[1] * (values.ndim - 2))
        yield np.where(known_here, values[band].astype(np.float64), 0), band


def _color_bands(
    color: Callable[[np.ndarray], np.ndarray], values: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """The bytes of the colours from 0 to 1 that a function gives; black where unknown."""
    picture = np.zeros((*known.shape, 3), np.uint8)
    for band, rows in _bands(values, known):
        picture[rows] = np.where(known[rows][..., None], np.rint(255 * color(band)), 0)
    return picture


def _wheel_hue(vectors: np.ndarray) -> np.ndarray:
    """The full colours of directions on the Middlebury wheel, from 0 to 1."""
    turn = (np.arctan2(-vectors[..., 1], -vectors[..., 0]) / np.pi + 1) / 2
    return _interpolate_at(turn * 54, _WHEEL_PLACES, _WHEEL_COLORS)


def _interpolate(place: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The colours at places from 0 to 1 of a table of bytes with equal steps."""
    return _interpolate_at(place, np.linspace(0, 1, len(table)), table / 255)


def _interpolate_at(place: np.ndarray, places: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """The colours at some places, linear between those at the given ones."""
    return np.stack([np.interp(place, places, channel) for channel in colors.T], axis=-1)
