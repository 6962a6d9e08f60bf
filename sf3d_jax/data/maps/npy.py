"""Maps in NumPy .npy files of any real dtype.

The format: the bytes \\x93NUMPY, a version of two bytes, the length of the header (two bytes, four
from version 2 on), the header (a Python dict of descr, fortran_order and shape as text), the data.
"""

import io
import math
import re
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import DtypeError, FormatError, PathLike, write_bytes

_MAGIC = b"\x93NUMPY"
_DTYPE = re.compile(rb"""['"]descr['"]\s*:\s*['"]([<>|=]?\w{1,20})['"]""")
_ORDER = re.compile(rb"""['"]fortran_order['"]\s*:\s*(True|False)\b""")
_SHAPE = re.compile(rb"""['"]shape['"]\s*:\s*\(([\d\s,L]{0,80})\)""")
_NUMBERS = re.compile(r"[<>|=]?[?biufc]\d{1,2}")
# Sizes of empty arrays with more or longer axes would overflow.
LONGEST_AXIS, _MOST_AXES = 2**19, 4


def read_flow(path: PathLike) -> np.ndarray:
    """Reads flow.

    Args:
      path: file to read.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, unchanged.

    Raises:
      FormatError: the file is not a complete .npy file of real numbers of the shape [H, W, 2].
    """
    flow = read_array(path)
    if flow.ndim != 3 or flow.shape[2] != 2 or flow.size == 0:
        raise FormatError(path, "an array of the shape [H, W, 2]", f"{list(flow.shape)}")
    return flow


def read_scalar(path: PathLike, *, floating: bool = False) -> np.ndarray:
    """Reads a scalar map.

    Args:
      path: file to read.
      floating: refuse integers, whose unit would be unknown.

    Returns:
      float32 [H, W], unchanged.

    Raises:
      FormatError: the file is not a complete .npy file of real numbers, [H, W] or [H, W, 1].
    """
    values = read_array(path, floating=floating)
    if values.shape[2:] not in [(), (1,)] or values.ndim < 2 or values.size == 0:
        expected = "an array of the shape [H, W] or [H, W, 1]"
        raise FormatError(path, expected, f"{list(values.shape)}")
    return values.reshape(values.shape[:2])


def write(path: PathLike, values: np.ndarray) -> None:
    """Writes a .npy file.

    Args:
      path: file to write.
      values: float32 [H, W] or [H, W, 2].
    """
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    write_bytes(path, stream.getvalue())


def read_array(
    path: PathLike, dtype: type[np.floating] = np.float32, *, floating: bool = False
) -> np.ndarray:
    """Reads an array of real numbers of any shape.

    NumPy's own reader allocates whatever the header claims, and evaluates it as Python.

    Args:
      path: file to read.
      dtype: dtype of the result, float32 or float64.
      floating: refuse integers.

    Returns:
      An array of the shape in the header.

    Raises:
      FormatError: the file is not a complete .npy file of real numbers.
    """
    return parse_array(path, Path(path).read_bytes(), dtype, floating=floating)


def parse_array(
    path: PathLike,
    data: bytes,
    dtype: type[np.floating] = np.float32,
    *,
    floating: bool = False,
    longest: int = LONGEST_AXIS,
) -> np.ndarray:
    """Parses the bytes of an .npy of real numbers of any shape.

    Args:
      path: file path used in error messages.
      data: all bytes of the file.
      dtype: dtype of the result, float32 or float64.
      floating: refuse integers.
      longest: largest allowed length of an axis.

    Returns:
      An array of the shape in the header.

    Raises:
      FormatError: the bytes are not a complete .npy file of real numbers.
    """
    kind, order, shape, start = _parse_header(path, data)
    real = _parse_dtype(path, kind)
    if floating and real.kind != "f":
        raise DtypeError(path, "floating-point numbers", f"the dtype {real}")

    length = start + real.itemsize * math.prod(shape)
    if max(shape, default=0) > longest or len(shape) > _MOST_AXES:
        raise FormatError(path, f"at most {_MOST_AXES} axes of {longest:,}", f"{list(shape)}")
    if len(data) != length:
        raise FormatError(path, f"{length} bytes for {list(shape)}", f"{len(data)}")
    array = np.frombuffer(data, real, offset=start).reshape(
        shape, order="F" if order == "True" else "C"
    )
    with np.errstate(over="ignore", invalid="ignore"):  # values beyond float32 become infinite
        return np.ascontiguousarray(array, dtype).reshape(shape)


def parse_shape(path: PathLike, data: bytes) -> tuple[int, ...]:
    """Parses the shape in the header of an .npy.

    Args:
      path: file path used in error messages.
      data: first bytes of the file, including the whole header.

    Raises:
      FormatError: the bytes are not the header of an .npy.
    """
    return _parse_header(path, data)[2]


def parse_length(path: PathLike, data: bytes) -> int:
    """Parses the length of an .npy in bytes from its header.

    Args:
      path: file path used in error messages.
      data: first bytes of the file, including the whole header.

    Raises:
      FormatError: the bytes are not the header of an .npy of real numbers.
    """
    kind, _, shape, start = _parse_header(path, data)
    return start + _parse_dtype(path, kind).itemsize * math.prod(shape)


def _parse_header(path: PathLike, data: bytes) -> tuple[str, str, tuple[int, ...], int]:
    """Parses the dtype, the order and the shape, and where the data begins."""
    header, start = _split_header(path, data)
    found = [pattern.search(header) for pattern in (_DTYPE, _ORDER, _SHAPE)]
    if not all(found):
        raise FormatError(path, "descr, fortran_order and shape in the header", f"{header[:80]!r}")
    kind, order, sizes = (match[1].decode("ascii", "replace") for match in found if match)
    return kind, order, tuple(int(size) for size in re.findall(r"\d+", sizes)), start


def _split_header(path: PathLike, data: bytes) -> tuple[bytes, int]:
    """Finds the text of the header, and where the data begins."""
    wide = 2 if data[6:7] == b"\x01" else 4
    start = 8 + wide + int.from_bytes(data[8 : 8 + wide], "little")
    if not data.startswith(_MAGIC) or data[6:7] not in (b"", b"\x01", b"\x02", b"\x03"):
        raise FormatError(path, f"a .npy file, which begins with {_MAGIC!r}", f"{data[:8]!r}")
    if start > len(data):
        raise FormatError(path, f"a header of {start} bytes", f"only {len(data)} bytes")
    return data[8 + wide : start], start


def _parse_dtype(path: PathLike, kind: str) -> np.dtype:
    try:
        found = np.dtype(kind) if _NUMBERS.fullmatch(kind) else None
    except TypeError:
        found = None
    if found is None or not np.can_cast(found, np.float32, "same_kind"):
        # NumPy saves bfloat16 as two bytes without meaning.
        expected = (
            "real numbers; save bfloat16 as float32" if kind.endswith("V2") else "real numbers"
        )
        raise DtypeError(path, expected, f"the dtype {kind if found is None else found}")
    return found
