"""The scale of SRFlow3D: depth times scaled inverse depth, one number."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError
from sf3d_jax.data.maps.masks import erode_cross

# The products do not have one scale if more than 1 % of them are off by more than the tolerance.
# Rounding both maps to float16 uses up half of it.
_TOLERANCE = 2e-3
_MOST_OFF = 0.01


class ScaleEvidence(NamedTuple):
    """The maps from which the scale is measured.

    Attributes:
      depth: float32 [H, W], as in the file.
      scaled_inv_depth: float32 [H, W], as in the file.
      mask: bool [H, W], or None.
      camera: camera of the frame, or None.
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
      mask: bool [H, W], where the face is; all pixels count if None. The mask is eroded by one
        pixel.

    Returns:
      The scale; None if no pixel has both maps, positive and finite.
    """
    products = _compute_products(depth, scaled_inv_depth, mask)
    return float(np.median(products)) if products.size else None


def check_scale(path: Path, evidence: ScaleEvidence, scale: float) -> None:
    """Refuses a frame with another scale or none; a frame without a pixel with both maps passes.

    Args:
      path: file of the depth, for the error.
      evidence: maps of the frame.
      scale: scale of the data set.

    Raises:
      FormatError: depth x scaled_inv_depth differs from the scale at more than 1 % of the pixels.
    """
    products = _compute_products(evidence.depth, evidence.scaled_inv_depth, evidence.mask)
    off = np.abs(products - scale) > _TOLERANCE * scale
    if off.sum() > _MOST_OFF * off.size:
        low, median, high = np.quantile(products, [0.01, 0.5, 0.99]).tolist()
        raise FormatError(
            path,
            f"depth x scaled_inv_depth to be {scale:.6g}, as in the first sample, or scale= from "
            "the caller",
            f"a median of {median:.6g}, {low:.6g} to {high:.6g}; run `sf3d check` to find the "
            "reason",
        )


def _compute_products(depth: np.ndarray, scaled: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Computes depth times scaled inverse depth where both are positive, inside the mask."""
    both = (depth > 0) & (scaled > 0)
    if mask is not None:
        both &= erode_cross(mask)
    with np.errstate(over="ignore"):
        products = depth[both] * scaled[both]
    return products[np.isfinite(products)]
