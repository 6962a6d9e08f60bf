"""Arrows that show a motion's direction and length without colours."""

import numpy as np

from sf3d_jax.data.opencv import import_cv2

LONGEST = 40  # panel pixels

_SPACING = 46
_SHORTEST = 3.0  # shorter arrows are drawn as dots
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_BITS = 4  # OpenCV takes positions in sixteenths of a pixel


def draw_arrows(canvas: np.ndarray, motion: np.ndarray, known: np.ndarray) -> None:
    """Draws one arrow per square of a grid, at the known pixel nearest to its middle.

    Args:
      canvas: uint8 RGB [height, width, 3], drawn on.
      motion: [h, w, 2], right and down, in units of the longest arrow; clipped to 1.
      known: bool [h, w].
    """
    pixels = np.argwhere(known)
    if not len(pixels):
        return
    places = (pixels + 0.5) * np.array(canvas.shape[:2]) / known.shape
    square, within = np.divmod(places, _SPACING)
    from_middle = np.square(within - _SPACING / 2).sum(-1)
    order = np.lexsort((from_middle, square[:, 1], square[:, 0]))
    _, first = np.unique(square[order], axis=0, return_index=True)
    for pixel, (row, column) in zip(pixels[order][first], places[order][first], strict=True):
        draw_arrow(canvas, (column - 0.5, row - 0.5), motion[tuple(pixel)])


def draw_arrow(canvas: np.ndarray, start: tuple[float, float], motion: np.ndarray) -> None:
    """Draws one arrow, black on white, or a dot if it would be too short.

    Args:
      canvas: uint8 RGB [height, width, 3], drawn on.
      start: (column, row) in pixels.
      motion: [2], right and down, in units of the longest arrow; clipped to 1.
    """
    cv2 = import_cv2()
    shaft = LONGEST * motion / max(1.0, float(np.linalg.norm(motion)))
    length = float(np.linalg.norm(shaft))
    if length < _SHORTEST:
        for radius, color in ((2, _WHITE), (1, _BLACK)):
            cv2.circle(
                canvas, _to_fixed_point(start), radius << _BITS, color, -1, cv2.LINE_AA, _BITS
            )
        return
    tip = max(5.0, 0.3 * length) / length
    ends = _to_fixed_point(start), _to_fixed_point(np.add(start, shaft))
    for thickness, color in ((4, _WHITE), (1, _BLACK)):
        cv2.arrowedLine(canvas, *ends, color, thickness, cv2.LINE_AA, _BITS, tip)


def _to_fixed_point(place: tuple[float, float] | np.ndarray) -> tuple[int, int]:
    """A position in OpenCV's fixed-point numbers."""
    column, row = np.rint(np.multiply(place, 1 << _BITS)).astype(int).tolist()
    return column, row
