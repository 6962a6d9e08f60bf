"""The Middlebury .flo format of optical flow.

Little endian: the float32 202021.25 (the letters PIEH), width and height as int32, then
u, v of each pixel as float32, row by row from the top. A component beyond 1e9 means unknown.
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
      path: file to read.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, both NaN where the flow is unknown.

    Raises:
      FormatError: the file is not a .flo file, or its length does not match its header.
    """
    flow = read_floats(path, 2, ".flo")
    known = in_all_channels(np.abs(flow) <= _LARGEST_KNOWN)  # False for NaN, too
    if not known.all():
        flow[~known] = np.nan
    return flow


def write(path: PathLike, flow: np.ndarray) -> None:
    """Writes a .flo file.

    Args:
      path: file to write.
      flow: float32 [H, W, 2], (u, v) in pixels, NaN where unknown.
    """
    write_floats(path, np.where(finite(flow)[..., None], flow, _UNKNOWN))


def read_floats(path: PathLike, channels: int, ending: str) -> np.ndarray:
    """Reads a .flo file, or one with another number of channels.

    Args:
      path: file to read.
      channels: number of values per pixel.
      ending: ending of such files, used in error messages.

    Returns:
      float32 [H, W, channels], unchanged.

    Raises:
      FormatError: the file has another header, or its length does not match it.
    """
    data = Path(path).read_bytes()
    if not data.startswith(MAGIC):
        found = f"{data[:4]!r} in {len(data)} bytes"
        raise FormatError(path, f"a {ending} file, which begins with {MAGIC!r}", found)
    if len(data) < _HEADER.size:
        raise FormatError(path, f"a header of {_HEADER.size} bytes", f"only {len(data)} bytes")
    _, width, height = _HEADER.unpack_from(data)
    check_header_size(path, width, height)
    length = _HEADER.size + 4 * channels * width * height
    if len(data) != length:
        raise FormatError(path, f"{length} bytes for {width} x {height} pixels", f"{len(data)}")

    values = np.frombuffer(data, "<f4", offset=_HEADER.size).reshape(height, width, channels)
    return values.astype(np.float32)


def write_floats(path: PathLike, values: np.ndarray) -> None:
    """Writes a .flo file, or one with another number of channels.

    Args:
      path: file to write.
      values: array [H, W, channels].
    """
    height, width = values.shape[:2]
    write_bytes(path, _HEADER.pack(MAGIC, width, height) + values.astype("<f4").tobytes())


def read_depth(path: PathLike) -> np.ndarray:
    """Reads a .dpt file of Sintel: a .flo file with one channel.

    Args:
      path: file to read.

    Returns:
      float32 [H, W], unchanged.

    Raises:
      FormatError: the file is not a .dpt file, or its length does not match its header.
    """
    return read_floats(path, 1, ".dpt")[..., 0]


def write_depth(path: PathLike, depth: np.ndarray) -> None:
    """Writes a .dpt file of Sintel: a .flo file with one channel.

    Args:
      path: file to write.
      depth: float32 [H, W], NaN where unknown.
    """
    write_floats(path, depth[..., None])
