"""PNG maps of TartanAir V2.

Flow, 16 bits: u = (B - 2^15) / 64, v = (G - 2^15) / 64 pixels, and R is a mask code: 0 where the
flow is valid, 1 or 10 where the point is hidden in the next frame, 100 where it leaves the image,
200 where u or v is out of range. In KITTI's flow, by contrast, R is u and B is the mask.

Depth, 8 bits and four channels: the bytes B, G, R, A of a pixel are a little-endian float32 in
metres, so the format is lossless. In memory, invalid pixels are NaN.

Source: `flow16to32`, `flow32to16` and `depth_rgba_float32` in github.com/castacks/tartanairpy and
tartanvo, which use OpenCV's order of channels.
"""

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.pictures import read_png8, read_png16, write_png
from sf3d_jax.data.maps.kitti_png import decode_flow, encode_flow

# Written for every invalid pixel, as the reason is not known here.
_NOT_VALID = 1
# Largest mask code.
_LARGEST_MASK = 255
# Converts red, green, blue, alpha to the bytes of a number, and back.
_BYTES = [2, 1, 0, 3]


def read_flow(path: PathLike) -> np.ndarray:
    """Reads a flow PNG.

    Args:
      path: file to read.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, NaN where the mask code is not 0.

    Raises:
      FormatError: the file is not a 16-bit PNG with three channels, or is one of KITTI.
    """
    codes = read_png16(path, 3, "TartanAir V2 flow")
    largest = int(codes[..., 0].max())
    if largest > _LARGEST_MASK:
        expected = "TartanAir V2 flow, with u in the blue channel and a mask in the red one"
        found = f"codes up to {largest} in red, as in KITTI"
        raise FormatError(path, expected, f"{found}; use format='kitti'")
    return decode_flow(codes[..., :0:-1], codes[..., 0] == 0)


def write_flow(path: PathLike, flow: np.ndarray) -> None:
    """Writes a flow PNG, rounding to the nearest 1/64 pixel.

    Args:
      path: file to write.
      flow: float32 [H, W, 2], (u, v) in pixels, NaN where invalid.

    Raises:
      ValueError: a valid pixel lies outside [-512, 511.98].
    """
    codes, valid = encode_flow(flow, "a TartanAir V2 PNG")
    masked = np.where(valid, 0, _NOT_VALID)
    write_png(path, np.concatenate([masked, codes[..., ::-1]], axis=-1).astype(np.uint16))


def read_depth(path: PathLike) -> np.ndarray:
    """Reads a depth PNG.

    Args:
      path: file to read.

    Returns:
      float32 [H, W], in metres, unchanged.

    Raises:
      FormatError: the file is not an 8-bit PNG with four channels.
    """
    codes = read_png8(path, 4, "TartanAir V2 depth")
    return np.ascontiguousarray(codes[..., _BYTES]).view("<f4")[..., 0].astype(np.float32)


def write_depth(path: PathLike, depth: np.ndarray) -> None:
    """Writes a depth PNG without loss.

    Args:
      path: file to write.
      depth: float32 [H, W], in metres, NaN where unknown.
    """
    values = np.ascontiguousarray(depth, "<f4")[..., None]
    write_png(path, values.view(np.uint8)[..., _BYTES])
