"""Erosion of masks; pixels outside the image count as True."""

import numpy as np


def erode_cross(mask: np.ndarray) -> np.ndarray:
    """Removes a border of one pixel from a mask, where surface and background may be mixed.

    Args:
      mask: bool [H, W].

    Returns:
      bool [H, W], True where the pixel and its four neighbours are True.
    """
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    return inner


def erode_square(mask: np.ndarray, radius: int) -> np.ndarray:
    """Removes a border of some pixels from a mask, including diagonal neighbours.

    Args:
      mask: bool [H, W].
      radius: width of the border in pixels.

    Returns:
      bool [H, W], True where all pixels up to `radius` rows and columns away are True.
    """
    padded = np.pad(mask, radius, constant_values=True)
    side = 2 * radius + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    return np.asarray(windows.all(axis=(2, 3)))
