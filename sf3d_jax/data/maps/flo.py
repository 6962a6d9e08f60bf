"""The Middlebury .flo format of optical flow.

Little endian: the float32 202021.25 (the letters PIEH), the int32 width and height, then
float32 u, v of each pixel, row by row from the top. A component beyond 1e9 means unknown.
"""

import struct
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, check_header_size, write_bytes
from sf3d_jax.data.arrays import finite, in_all_channels

MAGIC = b"PIEH"
_HEADER = struct.Struct("<4sii")
_LARGEST_KNOWN = 1e9
_UNKNOWN = 1e10


def read(path: PathLike) -> np.ndarray:
    """Reads a .flo file.

    Args:
      path: of the file.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, both NaN where the flow is unknown.

    Raises:
      FormatError: the file is not a .flo file, or not of the length its header says.
    """
    flow = read_floats(path, 2, ".flo")
    known = in_all_channels(np.abs(flow) <= _LARGEST_KNOWN)  # False for NaN, too
    if not known.all():
        flow[~known] = np.nan
    return flow


def write(path: PathLike, flow: np.ndarray) -> None:
    """Writes a .flo file.

    Args:
      path: of the file.
      flow: float32 [H, W, 2], (u, v) in pixels, NaN where unknown.
    """
    write_floats(path, np.where(finite(flow)[..., None], flow, _UNKNOWN))


def read_floats(path: PathLike, channels: int, ending: str) -> np.ndarray:
    """Reads the header and the numbers of a .flo file, or of one made like it.

    Args:
      path: of the file.
      channels: numbers a pixel.
      ending: of such files, for the error.

    Returns:
      float32 [H, W, channels], as the file has them.

    Raises:
      FormatError: the file begins otherwise, or is not of the length its header says.
    """
    data = Path(path).read_bytes()
    if not data.startswith(MAGIC):
        found = f"{data[:4]!r} in {len(data)} bytes"
        raise FormatError(path, f"a {ending} file, which begins with {MAGIC!r}", found)
    if len(data) < _HEADER.size:
        raise FormatError(path, f"a header of {_HEADER.size} bytes", f"{len(data)} bytes in all")
    _, width, height = _HEADER.unpack_from(data)
    check_header_size(path, width, height)
    length = _HEADER.size + 4 * channels * width * height
    if len(data) != length:
        raise FormatError(path, f"{length} bytes for {width} x {height} pixels", f"{len(data)}")

    values = np.frombuffer(data, "<f4", offset=_HEADER.size).reshape(height, width, channels)
    return values.astype(np.float32)


def write_floats(path: PathLike, values: np.ndarray) -> None:
    """Writes the header and the numbers of a .flo file, or of one made like it.

    Args:
      path: of the file.
      values: [H, W, channels].
    """
    height, width = values.shape[:2]
    write_bytes(path, _HEADER.pack(MAGIC, width, height) + values.astype("<f4").tobytes())


def read_depth(path: PathLike) -> np.ndarray:
    """Reads a .dpt file.

    Args:
      path: of the file.

    Returns:
      float32 [H, W], as the file has them.

    Raises:
      FormatError: the file is not a .dpt file, or not of the length its header says.
    """
    return read_floats(path, 1, ".dpt")[..., 0]


def write_depth(path: PathLike, depth: np.ndarray) -> None:
    """Writes a .dpt file.

    Args:
      path: of the file.
      depth: float32 [H, W], NaN where unknown.
    """
    write_floats(path, depth[..., None])
