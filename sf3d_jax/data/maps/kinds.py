"""Maps as files hold them: numbers, and which pixels have one."""

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
    """One number a pixel.

    Attributes:
      values: float32 [H, W], 0 where invalid.
      valid: bool [H, W].
    """

    values: np.ndarray
    valid: np.ndarray
