"""16-bit PNG maps of KITTI.

Flow: u = (R - 2^15) / 64, v = (G - 2^15) / 64 pixels, valid only where B > 0; R and G of invalid
pixels differ between files. Disparity: I / 256 pixels, invalid where I = 0; depth maps are stored
in the same way with other divisors. In memory, invalid pixels are NaN.
"""

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.pictures import read_png16, write_png

_LARGEST_CODE = 65535
_FLOW_ZERO, _FLOW_SCALE = 32768, 64
DISPARITY_SCALE = 256
# Values of the valid flag in KITTI files.
_FLAGS = (0, 1, 255, _LARGEST_CODE)
# Mask codes of TartanAir V2 in the red channel: valid, hidden (1, 10), out of the image or range.
_MASK_CODES = (0, 1, 10, 100, 200)


def read_flow(path: PathLike) -> np.ndarray:
    """Reads a flow PNG.

    Args:
      path: file to read.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, NaN where invalid.

    Raises:
      FormatError: the file is not a 16-bit PNG with three channels, or is one of TartanAir V2.
    """
    codes = read_png16(path, 3, "KITTI flow")
    valid = codes[..., 2] != 0
    if _is_tartanair(codes, valid):
        expected = "KITTI flow, with u in the red channel and 1 in the blue one where it is valid"
        found = (
            "mask codes in red and other numbers than 1 in blue, as in TartanAir V2; "
            "use read_flow(path, format='tartanair')"
        )
        raise FormatError(path, expected, found)
    return decode_flow(codes[..., :2], valid)


def _is_tartanair(codes: np.ndarray, valid: np.ndarray) -> bool:
    """Whether red is a mask and blue is u; read as KITTI, u would be -512 to -508.9 everywhere."""
    if _is_flag(codes[..., 2]):
        return False
    return bool(valid.any()) and has_mask_codes(codes[..., 0])


def has_mask_codes(channel: np.ndarray) -> bool:
    """Whether a channel holds only mask codes of TartanAir V2."""
    return bool(np.isin(channel, _MASK_CODES).all())


def _is_flag(channel: np.ndarray) -> bool:
    """Whether a channel holds only flags: 1, 255 or 65535 where a flow is valid, and else 0."""
    return bool(channel.max() <= 1 or np.isin(channel, _FLAGS).all())


def write_flow(path: PathLike, flow: np.ndarray) -> None:
    """Writes a flow PNG, rounding to the nearest 1/64 pixel.

    Args:
      path: file to write.
      flow: float32 [H, W, 2], (u, v) in pixels, NaN where invalid.

    Raises:
      ValueError: a valid pixel lies outside [-512, 511.98].
    """
    codes, valid = encode_flow(flow, "a KITTI PNG")
    codes = np.where(valid, codes, 0)
    write_png(path, np.concatenate([codes, valid], axis=-1).astype(np.uint16))


def decode_flow(codes: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Decodes flow from 16-bit codes: (code - 2^15) / 64 pixels.

    Args:
      codes: uint16 [H, W, 2], codes of u and v.
      valid: bool [H, W].

    Returns:
      float32 [H, W, 2], NaN where invalid.
    """
    flow = codes.astype(np.float32)
    flow -= _FLOW_ZERO
    flow /= _FLOW_SCALE
    flow[~valid] = np.nan
    return flow


def encode_flow(flow: np.ndarray, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Encodes flow as 16-bit codes, rounded to the nearest 1/64 pixel.

    Args:
      flow: float32 [H, W, 2], NaN where invalid.
      target: name of the format, used in error messages.

    Returns:
      The codes in float64, [H, W, 2], those of zero flow where invalid; and valid, bool [H, W, 1].

    Raises:
      ValueError: a valid pixel lies outside [-512, 511.98].
    """
    valid = np.isfinite(flow).all(-1, keepdims=True)
    codes = np.rint(np.where(valid, flow, 0).astype(np.float64) * _FLOW_SCALE) + _FLOW_ZERO
    bad = ((codes < 0) | (codes > _LARGEST_CODE)).any(-1)
    if bad.any():
        raise ValueError(
            f"flow: {bad.sum()} valid pixels lie outside [-512, 511.98], the range of {target}; "
            "mark them invalid, or use another format"
        )
    return codes, valid


def read_scalar(path: PathLike, scale: float) -> np.ndarray:
    """Reads a scalar PNG.

    Args:
      path: file to read.
      scale: value = code / scale.

    Returns:
      float32 [H, W], NaN where the code is 0.

    Raises:
      FormatError: the file is not a 16-bit PNG with one channel.
    """
    codes = read_png16(path, 1, "a scalar map such as KITTI disparity")
    values = (codes / np.float64(scale)).astype(np.float32)
    values[codes == 0] = np.nan
    return values


def write_scalar(path: PathLike, values: np.ndarray, scale: float) -> None:
    """Writes a scalar PNG, rounding to the nearest code.

    Args:
      path: file to write.
      values: float32 [H, W]; 0 and NaN get the code 0, which means invalid. A positive value gets
        at least the code 1, as in the benchmark's own code, so that it stays valid.
      scale: code = value * scale.

    Raises:
      ValueError: a value is negative or too large.
    """
    valid = np.isfinite(values)
    codes = np.rint(np.where(valid, values, 0).astype(np.float64) * scale)
    codes = np.where(values > 0, np.maximum(codes, 1), codes)
    bad = (values < 0) | (codes > _LARGEST_CODE)
    if bad.any():
        raise ValueError(
            f"{bad.sum()} valid pixels lie outside [0, {_LARGEST_CODE / scale:.6g}], the range of "
            f"a 16-bit PNG with scale {scale:g}; mark them invalid, or use another format"
        )

    write_png(path, codes.astype(np.uint16))
