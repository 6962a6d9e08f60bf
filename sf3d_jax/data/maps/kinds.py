"""Maps with a mask of the valid pixels."""

from typing import NamedTuple

import numpy as np


class FlowMap(NamedTuple):
    """Optical flow.

    Attributes:
      flow: float32 [H, W, 2], (u, v) in pixels, 0 where invalid.
      valid: bool [H, W].
    """

    flow: np.ndarray
    valid: np.ndarray


class ScalarMap(NamedTuple):
    """One value per pixel.

    Attributes:
      values: float32 [H, W], 0 where invalid.
      valid: bool [H, W].
    """

    values: np.ndarray
    valid: np.ndarray
