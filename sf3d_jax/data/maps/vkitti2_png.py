"""16-bit flow PNGs of Virtual KITTI 2.

u = (2 R / 65535 - 1) (W - 1), v = (2 G / 65535 - 1) (H - 1) pixels, invalid where B = 0.
"""

import numpy as np

from sf3d_jax.data._files import PathLike
from sf3d_jax.data._files.pictures import read_png16, write_png

_LARGEST_CODE = 65535


def read_flow(path: PathLike) -> np.ndarray:
    """Reads a flow PNG.

    Args:
      path: file to read.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, NaN where invalid.

    Raises:
      FormatError: the file is not a 16-bit PNG with three channels.
    """
    codes = read_png16(path, 3, "Virtual KITTI 2 flow")
    # A table is faster than computing every pixel, as there are only 65536 codes.
    table = np.arange(_LARGEST_CODE + 1) * (2 / _LARGEST_CODE) - 1
    flow = np.empty((*codes.shape[:2], 2), np.float32)
    for channel, largest in enumerate(_compute_largest_flow(codes)):
        flow[..., channel] = (table * largest).astype(np.float32)[codes[..., channel]]
    flow[codes[..., 2] == 0] = np.nan
    return flow


def write_flow(path: PathLike, flow: np.ndarray) -> None:
    """Writes a flow PNG, rounding to the nearest of 65536 steps across the image.

    Args:
      path: file to write.
      flow: float32 [H, W, 2], (u, v) in pixels, NaN where invalid.

    Raises:
      ValueError: a valid pixel moves by more than W - 1 or H - 1 pixels.
    """
    largest = _compute_largest_flow(flow)
    valid = np.isfinite(flow).all(-1, keepdims=True)
    known = np.where(valid, flow, 0).astype(np.float64)
    codes = np.rint((known / np.maximum(largest, 1) + 1) * _LARGEST_CODE / 2)
    bad = (np.abs(known) > largest).any(-1)
    if bad.any():
        raise ValueError(
            f"flow: {bad.sum()} valid pixels lie outside +-{largest.tolist()}, the range of a "
            "Virtual KITTI 2 PNG of this size; mark them invalid, or use another format"
        )
    codes = np.concatenate([codes, np.full_like(codes[..., :1], _LARGEST_CODE)], axis=-1)
    write_png(path, np.where(valid, codes, 0).astype(np.uint16))


def _compute_largest_flow(pixels: np.ndarray) -> np.ndarray:
    """Computes the largest u and v that the format can hold, (W - 1, H - 1)."""
    height, width = pixels.shape[:2]
    return np.array([width - 1.0, height - 1.0])
