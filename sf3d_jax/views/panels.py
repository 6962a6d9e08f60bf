"""One panel of a sheet: a title, an image as wide as the panel, and its legend.

Unknown pixels are hatched. Arrows show in black and white what the colours of a motion show.
"""

import numpy as np

from sf3d_jax.views import legends
from sf3d_jax.views.arrows import draw_arrows
from sf3d_jax.views.resolution import enlarge, panel_size, resize_image

MARGIN = 20
TITLE_HEIGHT = 36
LARGEST_HEIGHT = 512

_PAPER = 225  # grey beside a tall image
_HATCH = 74, 106  # two greys, in stripes
_STRIPE = 5


def fit(size: tuple[int, ...]) -> tuple[int, int]:
    """The size of a map in a panel.

    Args:
      size: (H, W) of the map.

    Returns:
      (height, width) in pixels.
    """
    return panel_size((size[0], size[1]), legends.PANEL_WIDTH, LARGEST_HEIGHT)


def map_panel(
    title: str,
    colors: np.ndarray,
    known: np.ndarray,
    size: tuple[int, int],
    legend: np.ndarray,
    *,
    arrows: np.ndarray | None = None,
) -> np.ndarray:
    """Draws a map.

    Args:
      title: title of the panel.
      colors: uint8 RGB [h, w, 3].
      known: bool [h, w]; other pixels are hatched.
      size: (height, width) in the panel, not smaller than (h, w).
      legend: strip below the map.
      arrows: [h, w, 2], right and down, in units of the longest arrow; no arrows if None.

    Returns:
      The panel, uint8 RGB.
    """
    image = np.where(enlarge(known, size)[..., None], enlarge(colors, size), _make_hatch(size))
    if arrows is not None:
        draw_arrows(image, arrows, known)
    return _stack_panel(title, image, legend)


def image_panel(title: str, image: np.ndarray, legend: np.ndarray) -> np.ndarray:
    """Draws an image.

    Args:
      title: title of the panel.
      image: uint8 RGB [H, W, 3].
      legend: strip below the image.

    Returns:
      The panel, uint8 RGB.
    """
    return _stack_panel(title, resize_image(image, fit(image.shape)), legend)


def _make_hatch(size: tuple[int, int]) -> np.ndarray:
    """Diagonal stripes of two greys."""
    diagonal = np.add.outer(np.arange(size[0]), np.arange(size[1])) // _STRIPE % 2
    return np.array(_HATCH, np.uint8)[diagonal][..., None]


def _stack_panel(title: str, image: np.ndarray, legend: np.ndarray) -> np.ndarray:
    """Title, image and legend stacked, with a margin on the left."""
    heading = np.full((TITLE_HEIGHT, legends.PANEL_WIDTH, 3), legends.WHITE, np.uint8)
    legends.write_text(heading, title, 0, 26, size=0.7)
    left = (legends.PANEL_WIDTH - image.shape[1]) // 2
    right = legends.PANEL_WIDTH - image.shape[1] - left
    centred = np.pad(image, ((0, 0), (left, right), (0, 0)), constant_values=_PAPER)
    panel = np.vstack([heading, centred, legend])
    return np.pad(panel, ((0, 0), (MARGIN, 0), (0, 0)), constant_values=legends.WHITE)
