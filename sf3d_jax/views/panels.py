"""One panel of a sheet: a title, a picture as wide as the panel, and its legend.

Unknown pixels are hatched. Arrows repeat in black and white what the colours of a motion say.
"""

import numpy as np

from sf3d_jax.views import legends
from sf3d_jax.views.arrows import draw_arrows
from sf3d_jax.views.resolution import enlarge, panel_size, resize_picture

MARGIN = 20
TITLE_HEIGHT = 36
LARGEST_HEIGHT = 512

_PAPER = 225  # the grey beside a tall picture
_HATCH = 74, 106  # two greys, in stripes of some pixels
_STRIPE = 5


def fit(size: tuple[int, ...]) -> tuple[int, int]:
    """The size that a map of some size has in a panel.

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
      title: of the panel.
      colors: uint8 RGB [h, w, 3].
      known: bool [h, w]; other pixels are hatched.
      size: (height, width) in the panel, not smaller than (h, w).
      legend: the strip below.
      arrows: [h, w, 2], right and down, as a share of the longest arrow; none where not given.

    Returns:
      The panel, uint8 RGB.
    """
    picture = np.where(enlarge(known, size)[..., None], enlarge(colors, size), _make_hatch(size))
    if arrows is not None:
        draw_arrows(picture, arrows, known)
    return _frame(title, picture, legend)


def image_panel(title: str, image: np.ndarray, legend: np.ndarray) -> np.ndarray:
    """Draws an image.

    Args:
      title: of the panel.
      image: uint8 RGB [H, W, 3].
      legend: the strip below.

    Returns:
      The panel, uint8 RGB.
    """
    return _frame(title, resize_picture(image, fit(image.shape)), legend)


def _make_hatch(size: tuple[int, int]) -> np.ndarray:
    """Diagonal stripes of two greys."""
    diagonal = np.add.outer(np.arange(size[0]), np.arange(size[1])) // _STRIPE % 2
    return np.array(_HATCH, np.uint8)[diagonal][..., None]


def _frame(title: str, picture: np.ndarray, legend: np.ndarray) -> np.ndarray:
    """Title, picture and legend one above the other, with a margin on the left."""
    heading = np.full((TITLE_HEIGHT, legends.PANEL_WIDTH, 3), legends.WHITE, np.uint8)
    legends.write_text(heading, title, 0, 26, size=0.7)
    left = (legends.PANEL_WIDTH - picture.shape[1]) // 2
    right = legends.PANEL_WIDTH - picture.shape[1] - left
    centred = np.pad(picture, ((0, 0), (left, right), (0, 0)), constant_values=_PAPER)
    panel = np.vstack([heading, centred, legend])
    return np.pad(panel, ((0, 0), (MARGIN, 0), (0, 0)), constant_values=legends.WHITE)
