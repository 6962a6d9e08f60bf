"""The transfer function of sRGB (IEC 61966-2-1): light to the numbers of an image and back."""

import numpy as np
import numpy.typing as npt

_KNEE, _SLOPE, _OFFSET, _EXPONENT = 0.0031308, 12.92, 0.055, 2.4


def linear_to_srgb(linear: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """Encodes linear values for an image.

    Args:
      linear: array of any shape; clipped to 0 to 1.

    Returns:
      `12.92 x` up to x = 0.0031308, `1.055 x^(1/2.4) - 0.055` beyond, in the floating-point dtype
      of the input. NaN stays NaN.
    """
    x = np.clip(_as_floats(linear), 0, 1)
    bright = (1 + _OFFSET) * np.power(np.maximum(x, _KNEE), 1 / _EXPONENT) - _OFFSET
    return np.where(x <= _KNEE, _SLOPE * x, bright)


def srgb_to_linear(encoded: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """Decodes the values of an image, the inverse of `linear_to_srgb`.

    Args:
      encoded: array of any shape: uint8 from 0 to 255, or floats, which are clipped to 0 to 1.

    Returns:
      `x / 12.92` up to x = 0.04045, `((x + 0.055) / 1.055)^2.4` beyond; float32 for uint8, else in
      the dtype of the input. NaN stays NaN.
    """
    encoded = np.asarray(encoded)
    if encoded.dtype == np.uint8:
        return _BYTES[encoded]
    return _decode(_as_floats(encoded))


def _decode(x: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    x = np.clip(x, 0, 1)
    dark = _SLOPE * _KNEE
    bright = np.power((np.maximum(x, dark) + _OFFSET) / (1 + _OFFSET), _EXPONENT)
    return np.where(x <= dark, x / _SLOPE, bright)


def _as_floats(x: npt.ArrayLike) -> npt.NDArray[np.floating]:
    x = np.asarray(x)
    return x if np.issubdtype(x.dtype, np.floating) else x.astype(np.float64)


_BYTES = _decode(np.arange(256) / 255).astype(np.float32)
