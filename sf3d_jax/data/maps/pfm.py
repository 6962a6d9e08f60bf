"""The portable float map: scalar maps (Pf) and flow (PF) as float32.

Three lines of text (Pf or PF; width and height; a scale), then the rows **from the bottom up**.
A negative scale means little endian. Its magnitude is ignored, as by all readers of scene-flow
data: values are in pixels or metres as stored.
"""

import math
import re
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, check_header_size, write_bytes

# FlyingThings3D puts a space at the end of its first two lines.
_HEADER = re.compile(rb"(PF|Pf)\s+(\d{1,9})\s+(\d{1,9})\s+(\S{1,32})[ \t]*\r?\n")


def read_flow(path: PathLike) -> np.ndarray:
    """Reads flow from a PFM with three channels; the third is ignored.

    Args:
      path: file to read.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, unchanged.

    Raises:
      FormatError: the file is not a PFM with three channels, or its length does not match its
        header.
    """
    return _read(path, "PF", 3)[..., :2].astype(np.float32)


def read_scalar(path: PathLike) -> np.ndarray:
    """Reads a scalar map from a PFM with one channel.

    Args:
      path: file to read.

    Returns:
      float32 [H, W], unchanged.

    Raises:
      FormatError: the file is not a PFM with one channel, or its length does not match its header.
    """
    return _read(path, "Pf", 1)[..., 0].astype(np.float32)


def write(path: PathLike, values: np.ndarray) -> None:
    """Writes a little-endian PFM.

    Args:
      path: file to write.
      values: float32, a scalar map [H, W] or flow [H, W, 2], which gets a third channel of 0.
    """
    height, width = values.shape[:2]
    kind = "Pf"
    if values.ndim == 3:
        kind, values = "PF", np.pad(values, ((0, 0), (0, 0), (0, 1)))
    header = f"{kind}\n{width} {height}\n-1.0\n".encode()
    write_bytes(path, header + values[::-1].astype("<f4").tobytes())


def _read(path: PathLike, kind: str, channels: int) -> np.ndarray:
    """Reads the values unchanged, rows from the top."""
    data = Path(path).read_bytes()
    header = _HEADER.match(data)
    if header is None:
        raise FormatError(path, "the header of a PFM file", f"{data[:40]!r} in {len(data)} bytes")
    found, width, height = header[1].decode(), int(header[2]), int(header[3])
    if found != kind:
        raise FormatError(path, f"a PFM of the kind {kind} ({channels} channel(s))", found)
    check_header_size(path, width, height)
    order = _parse_byte_order(path, header[4])
    length = header.end() + 4 * channels * width * height
    if len(data) != length:
        raise FormatError(path, f"{length} bytes for {width} x {height} pixels", f"{len(data)}")

    values = np.frombuffer(data, f"{order}f4", offset=header.end())
    return values.reshape(height, width, channels)[::-1]


def _parse_byte_order(path: PathLike, scale: bytes) -> str:
    try:
        number = float(scale)
    except ValueError:
        number = math.nan
    if not abs(number) > 0:
        raise FormatError(path, "a non-zero number as the scale of the PFM", repr(scale))
    return "<" if number < 0 else ">"
