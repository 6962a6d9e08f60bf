"""The scale of SRFlow3D: depth times scaled inverse depth, one number."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError

# A product that is off by more, in more than a pixel of a hundred, is no scale; numbers of 16 bits
# are off by half of this.
SCALE_TOLERANCE = 2e-3


class ScaleEvidence(NamedTuple):
    """From what the scale is measured.

    Attributes:
      depth: float32 [H, W], as the file has it.
      scaled_inv_depth: float32 [H, W], as the file has it.
      mask: bool [H, W], or None.
      camera: of the frame, or None.
    """

    depth: np.ndarray
    scaled_inv_depth: np.ndarray
    mask: np.ndarray | None
    camera: Camera | None


def measured_scale(path: Path, evidence: ScaleEvidence, *, constant: bool = False) -> float:
    """The median of depth times scaled inverse depth.

    Args:
      path: of the depth, for the error.
      evidence: of one frame.
      constant: refuse a product that is not one number.

    Returns:
      The scale.

    Raises:
      FormatError: no pixel has both, or the product varies although it should not.
    """
    depth, scaled = (x.astype(np.float64) for x in (evidence.depth, evidence.scaled_inv_depth))
    both = np.isfinite(depth) & np.isfinite(scaled) & (depth > 0) & (scaled > 0)
    if not both.any():
        expected = "a pixel with a depth and a scaled inverse depth"
        raise FormatError(path, expected, "none")
    products = depth[both] * scaled[both]
    low, scale, high = np.quantile(products, [0.005, 0.5, 0.995]).tolist()
    if constant and high - low > 2 * SCALE_TOLERANCE * scale:
        expected = "depth x scaled_inv_depth to be one number in all pixels"
        found = f"{low:.6g} to {high:.6g}; `sf3d check` looks for the reason"
        raise FormatError(path, expected, found)
    return scale
