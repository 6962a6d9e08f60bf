"""The strips below the panels of a sheet: what a colour means, in words and units.

Everything is drawn on a white strip, uint8 RGB [LEGEND_HEIGHT, PANEL_WIDTH, 3]. OpenCV's letters
are ASCII only.
"""

import numpy as np

from sf3d_jax.data.opencv import import_cv2
from sf3d_jax.views.colors import flow_to_color, scalar_to_color, scene_flow_to_color

PANEL_WIDTH = 640
LEGEND_HEIGHT = 92
WHITE = 255

_INK = (30, 30, 30)
_LINES = (34, 70)  # the baselines of the two lines of text
_DIRECTIONS = {
    "right": (1, 0, 0),
    "left": (-1, 0, 0),
    "down": (0, 1, 0),
    "up": (0, -1, 0),
    "away": (0, 0, 1),
    "nearer": (0, 0, -1),
}


def write_text(canvas: np.ndarray, text: str, left: int, baseline: int, size: float = 0.6) -> None:
    """Writes one line on a canvas.

    Args:
      canvas: uint8 RGB [H, W, 3], written on.
      text: ASCII.
      left: the column where the text begins.
      baseline: the row on which it stands.
      size: of the letters; 0.6 makes capitals of about 13 pixels.
    """
    cv2 = import_cv2()
    cv2.putText(
        canvas, text, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA
    )


def text_legend(*lines: str) -> np.ndarray:
    """A strip with at most two lines of text.

    Args:
      *lines: the text.

    Returns:
      The strip.
    """
    strip = _blank_strip()
    for text, baseline in zip(lines, _LINES, strict=False):
        write_text(strip, text, 0, baseline)
    return strip


def flow_legend(max_flow: float) -> np.ndarray:
    """The colour wheel as a disc of motions.

    Args:
      max_flow: the length at the rim, in pixels.

    Returns:
      The strip.
    """
    strip = _blank_strip()
    radius = 38
    steps = np.arange(-radius, radius + 1) / radius
    disc = np.stack(np.meshgrid(steps, steps), axis=-1)
    inside = np.hypot(disc[..., 0], disc[..., 1]) <= 1
    disc = np.where(inside[..., None], flow_to_color(disc, max_flow=1), WHITE)
    strip[10 : 11 + 2 * radius, : 2 * radius + 1] = disc

    left = 2 * radius + 20
    write_text(strip, "a pixel moves from the centre to its colour", left, _LINES[0])
    write_text(strip, f"rim: {max_flow:.3g} px or more    black: unknown", left, _LINES[1])
    return strip


def depth_legend(limits: tuple[float, float]) -> np.ndarray:
    """The colour bar of inverse depth.

    Args:
      limits: the inverse depths at its ends, per metre, positive.

    Returns:
      The strip.
    """
    strip = _blank_strip()
    ramp = np.broadcast_to(np.linspace(0, 1, PANEL_WIDTH), (26, PANEL_WIDTH))
    strip[14:40] = scalar_to_color(ramp, limits=(0, 1))

    far, near = (f"{d:.3g} /m ({1 / d:.3g} m)" for d in limits)
    write_text(strip, far, 0, _LINES[1])
    cv2 = import_cv2()
    (width, _), _ = cv2.getTextSize(near, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)
    write_text(strip, near, PANEL_WIDTH - width, _LINES[1])
    return strip


def scene_flow_legend(max_length: float) -> np.ndarray:
    """The colours of the six directions.

    Args:
      max_length: the length of full brightness, in metres.

    Returns:
      The strip.
    """
    cv2 = import_cv2()
    strip = _blank_strip()
    for place, (name, direction) in enumerate(_DIRECTIONS.items()):
        left = place * PANEL_WIDTH // len(_DIRECTIONS)
        color = scene_flow_to_color(np.array([[direction]]))[0, 0]
        cv2.circle(strip, (left + 13, _LINES[0] - 6), 12, color.tolist(), -1, cv2.LINE_AA)
        write_text(strip, name, left + 32, _LINES[0])

    text = f"full brightness: {_format_length(max_length)} or more    black: still or unknown"
    write_text(strip, text, 0, _LINES[1])
    return strip


def _blank_strip() -> np.ndarray:
    return np.full((LEGEND_HEIGHT, PANEL_WIDTH, 3), WHITE, np.uint8)


def _format_length(metres: float) -> str:
    return f"{metres:.3g} m" if metres >= 0.1 else f"{1000 * metres:.3g} mm"
