"""Legends below the panels of a sheet: what a colour means, in words and units.

Legends are drawn on a white strip, uint8 RGB [LEGEND_HEIGHT, PANEL_WIDTH, 3]. OpenCV draws ASCII
only.
"""

from collections.abc import Callable

import numpy as np

from sf3d_jax.data.opencv import import_cv2
from sf3d_jax.views.arrows import LONGEST, draw_arrow
from sf3d_jax.views.colors import flow_to_color

PANEL_WIDTH = 640
LEGEND_HEIGHT = 112
WHITE = 255

_INK = (30, 30, 30)
_LINES = (28, 60, 92)  # baselines of the three lines of text
_SIZE = 0.6
_RADIUS = 38  # radius of the colour wheel
_FINER = 4  # the wheel is drawn this many times larger, then shrunk


def write_text(
    canvas: np.ndarray, text: str, left: int, baseline: int, size: float = _SIZE
) -> None:
    """Writes one line on a canvas.

    Args:
      canvas: uint8 RGB [H, W, 3], written on.
      text: ASCII.
      left: column where the text begins.
      baseline: row of its baseline.
      size: font scale; 0.6 makes capitals about 13 pixels high.
    """
    cv2 = import_cv2()
    cv2.putText(
        canvas, text, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA
    )


def text_legend(*lines: str) -> np.ndarray:
    """A strip with up to three lines of text.

    Args:
      *lines: lines of text.

    Returns:
      The strip.
    """
    strip = _blank_strip()
    for text, baseline in zip(lines, _LINES, strict=False):
        write_text(strip, text, 0, baseline)
    return strip


def wheel_legend(
    full: str | None, *lines: str, color: Callable[..., np.ndarray] = flow_to_color
) -> np.ndarray:
    """The colour wheel as a disc of motions, and an arrow of full length.

    Args:
      full: length at the rim of the wheel and of the longest arrow, with its unit; None if nothing
        moves.
      *lines: up to two lines of text.
      color: function from vectors [h, w, 2], with full length 1, to colours.

    Returns:
      The strip.
    """
    strip = _blank_strip()
    disc = _draw_wheel(color)
    strip[4 : 4 + len(disc), : disc.shape[1]] = disc
    write_text(strip, "right", disc.shape[1] + 5, 4 + _RADIUS + 6)
    write_text(strip, "down", 14, len(disc) + 22)

    left = disc.shape[1] + 80
    for text, baseline in zip(lines, _LINES, strict=False):
        write_text(strip, text, left, baseline)
    if full is not None:
        draw_arrow(strip, (left, _LINES[-1] - 5), np.array([1.0, 0.0]))
        write_text(strip, f"{full} = full colour, longest arrow", left + LONGEST + 12, _LINES[-1])
    return strip


def bar_legend(
    ramp: np.ndarray, low: str, high: str, *, middle: str = "", text: str = ""
) -> np.ndarray:
    """A colour bar with the meaning of its ends.

    Args:
      ramp: uint8 RGB [1, PANEL_WIDTH, 3], colours from left to right.
      low: meaning of the left end.
      high: meaning of the right end.
      middle: meaning of the middle, if any.
      text: one more line.

    Returns:
      The strip.
    """
    strip = _blank_strip()
    strip[12:34] = ramp
    write_text(strip, low, 0, _LINES[1])
    write_text(strip, middle, (PANEL_WIDTH - _text_width(middle)) // 2, _LINES[1])
    write_text(strip, high, PANEL_WIDTH - 2 - _text_width(high), _LINES[1])
    write_text(strip, text, 0, _LINES[2])
    return strip


def _draw_wheel(color: Callable[..., np.ndarray]) -> np.ndarray:
    """The disc on white, with smooth edges."""
    cv2 = import_cv2()
    n = 2 * _RADIUS * _FINER
    steps = (2 * np.arange(n) + 1) / n - 1
    motion = np.stack(np.meshgrid(steps, steps), axis=-1)
    inside = np.linalg.norm(motion, axis=-1) <= 1
    disc = np.where(inside[..., None], color(motion), WHITE).astype(np.uint8)
    return cv2.resize(disc, (2 * _RADIUS, 2 * _RADIUS), interpolation=cv2.INTER_AREA)


def _text_width(text: str) -> int:
    cv2 = import_cv2()
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, _SIZE, 1)
    return width


def _blank_strip() -> np.ndarray:
    return np.full((LEGEND_HEIGHT, PANEL_WIDTH, 3), WHITE, np.uint8)
