"""The scale of SRFlow3D: depth times scaled inverse depth, one number."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError
from sf3d_jax.data.maps.masks import erode_cross

# A product that is off by more, in more than a pixel of a hundred, is no scale; numbers of 16 bits
# are off by half of this.
_TOLERANCE = 2e-3
_MOST_OFF = 0.01


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


def measure_scale(
    depth: np.ndarray, scaled_inv_depth: np.ndarray, mask: np.ndarray | None = None
) -> float | None:
    """Measures the scale of one frame: the median of depth times scaled inverse depth.

    Args:
      depth: float32 [H, W] in metres.
      scaled_inv_depth: float32 [H, W].
      mask: bool [H, W], where the face is; all pixels count if None. Of the mask, the border of a
        pixel does not count.

    Returns:
      The scale; None if no pixel has both maps, positive and finite.
    """
    products = _products(depth, scaled_inv_depth, mask)
    return float(np.median(products)) if products.size else None


def check_scale(path: Path, evidence: ScaleEvidence, scale: float) -> None:
    """Refuses a frame of another scale, or of none; one that has no pixel with both passes.

    Args:
      path: of the depth, for the error.
      evidence: of the frame.
      scale: of the data set.

    Raises:
      FormatError: the product of a pixel in a hundred is another.
    """
    products = _products(evidence.depth, evidence.scaled_inv_depth, evidence.mask)
    off = np.abs(products - scale) > _TOLERANCE * scale
    if off.sum() > _MOST_OFF * off.size:
        low, median, high = np.quantile(products, [0.01, 0.5, 0.99]).tolist()
        raise FormatError(
            path,
            f"depth x scaled_inv_depth to be {scale:.6g}, as in the first sample, or scale= from "
            "the caller",
            f"{median:.6g} in the median, {low:.6g} to {high:.6g}; `sf3d check` looks for the "
            "reason",
        )


def _products(depth: np.ndarray, scaled: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Depth times scaled inverse depth of the pixels that have both, inside the mask."""
    both = (depth > 0) & (scaled > 0)
    if mask is not None:
        both &= erode_cross(mask)
    with np.errstate(over="ignore"):
        products = depth[both] * scaled[both]
    return products[np.isfinite(products)]
