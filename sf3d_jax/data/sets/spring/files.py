"""The match maps of Spring: which points of a frame have no match in the other image.

A match map is an image: red points are hidden in the other image, green points lie outside it, and
black points have a match. Maps of twice the size of the images belong to the ground truth, which
has that size, too.

Source: Mehl et al., "Spring" (CVPR 2023), and the code published with it (spring-benchmark.org).
"""

import numpy as np

from sf3d_jax.data._files import PathLike
from sf3d_jax.data._files.pictures import read_picture
from sf3d_jax.data.opencv import import_cv2


def read_match_map(path: PathLike) -> np.ndarray:
    """Reads a match map.

    Args:
      path: file to read.

    Returns:
      bool [H, W], at the size of the file: True where red or green is set, or grey is not black,
      which means no match.

    Raises:
      FormatError: the file is not an image.
      OSError: the file is missing.
    """
    colors = read_picture(path, import_cv2().IMREAD_UNCHANGED)
    return np.asarray(colors > 0 if colors.ndim == 2 else (colors[..., :2] > 0).any(-1))
