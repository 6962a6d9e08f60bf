"""Maps as plain NumPy .npy files, of any real dtype.

The letters \\x93NUMPY, two bytes of a version, the length of the header (two bytes, from version
2 on four), the header, a Python dict of descr, fortran_order and shape as text, and the numbers.
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
_LARGEST = 2**19, 4  # of an axis, and of their number: beyond, the sizes of nothing overflow


def read_flow(path: PathLike) -> np.ndarray:
    """Reads flow.

    Args:
      path: of the file.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, as the file has them.

    Raises:
      FormatError: the file is no whole .npy file of real numbers of the shape [H, W, 2].
    """
    flow = read_array(path)
    if flow.ndim != 3 or flow.shape[2] != 2 or flow.size == 0:
        raise FormatError(path, "an array of the shape [H, W, 2]", f"{list(flow.shape)}")
    return flow


def read_scalar(path: PathLike, *, floating: bool = False) -> np.ndarray:
    """Reads a scalar map.

    Args:
      path: of the file.
      floating: refuse integers, as they would leave the unit open.

    Returns:
      float32 [H, W], as the file has them.

    Raises:
      FormatError: the file is no whole .npy file of real numbers of the shape [H, W] or [H, W, 1].
    """
    values = read_array(path, floating=floating)
    if values.shape[2:] not in [(), (1,)] or values.ndim < 2 or values.size == 0:
        expected = "an array of the shape [H, W] or [H, W, 1]"
        raise FormatError(path, expected, f"{list(values.shape)}")
    return values.reshape(values.shape[:2])


def write(path: PathLike, values: np.ndarray) -> None:
    """Writes a .npy file.

    Args:
      path: of the file.
      values: float32 [H, W] or [H, W, 2].
    """
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    write_bytes(path, stream.getvalue())


def read_array(
    path: PathLike, dtype: type[np.floating] = np.float32, *, floating: bool = False
) -> np.ndarray:
    """Reads real numbers of any shape.

    NumPy's own reader allocates what the header claims, and evaluates it as Python.

    Args:
      path: of the file.
      dtype: of the result, float32 or float64.
      floating: refuse integers.

    Returns:
      The numbers, of the shape that the file says.

    Raises:
      FormatError: the file is no whole .npy file, or holds something else than real numbers.
    """
    return parse_array(path, Path(path).read_bytes(), dtype, floating=floating)


def parse_array(
    path: PathLike, data: bytes, dtype: type[np.floating] = np.float32, *, floating: bool = False
) -> np.ndarray:
    """Takes real numbers of any shape from the bytes of an .npy.

    Args:
      path: of the file that they are from, for the error.
      data: all of the bytes.
      dtype: as in `read_array`.
      floating: as in `read_array`.

    Returns:
      As `read_array`.

    Raises:
      FormatError: as in `read_array`.
    """
    kind, order, shape, start = _parse_header(path, data)
    real = _real_dtype(path, kind)
    if floating and real.kind != "f":
        raise DtypeError(path, "floating numbers", f"the dtype {real}")

    length = start + real.itemsize * math.prod(shape)
    if max(shape, default=0) > _LARGEST[0] or len(shape) > _LARGEST[1]:
        raise FormatError(path, f"at most {_LARGEST[1]} axes of {_LARGEST[0]:,}", f"{list(shape)}")
    if len(data) != length:
        raise FormatError(path, f"{length} bytes for {list(shape)}", f"{len(data)}")
    array = np.frombuffer(data, real, offset=start).reshape(
        shape, order="F" if order == "True" else "C"
    )
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 is infinite: no value
        return np.ascontiguousarray(array, dtype).reshape(shape)


def parse_shape(path: PathLike, data: bytes) -> tuple[int, ...]:
    """The shape that an .npy says it has.

    Args:
      path: of the file, for the error.
      data: the first bytes, at least all of the header.

    Raises:
      FormatError: it is no header of an .npy.
    """
    return _parse_header(path, data)[2]


def parse_length(path: PathLike, data: bytes) -> int:
    """The bytes of an .npy, by its header.

    Args:
      path: of the file, for the error.
      data: the first bytes, at least all of the header.

    Raises:
      FormatError: it is no header of an .npy of real numbers.
    """
    kind, _, shape, start = _parse_header(path, data)
    return start + _real_dtype(path, kind).itemsize * math.prod(shape)


def _parse_header(path: PathLike, data: bytes) -> tuple[str, str, tuple[int, ...], int]:
    """The dtype, the order and the shape, and where the numbers begin."""
    header, start = _header(path, data)
    found = [pattern.search(header) for pattern in (_DTYPE, _ORDER, _SHAPE)]
    if not all(found):
        raise FormatError(path, "descr, fortran_order and shape in the header", f"{header[:80]!r}")
    kind, order, sizes = (match[1].decode("ascii", "replace") for match in found if match)
    return kind, order, tuple(int(size) for size in re.findall(r"\d+", sizes)), start


def _header(path: PathLike, data: bytes) -> tuple[bytes, int]:
    """The text of the header, and where the numbers begin."""
    wide = 2 if data[6:7] == b"\x01" else 4
    start = 8 + wide + int.from_bytes(data[8 : 8 + wide], "little")
    if not data.startswith(_MAGIC) or data[6:7] not in (b"", b"\x01", b"\x02", b"\x03"):
        raise FormatError(path, f"a .npy file, which begins with {_MAGIC!r}", f"{data[:8]!r}")
    if start > len(data):
        raise FormatError(path, f"a header of {start} bytes", f"{len(data)} bytes in all")
    return data[8 + wide : start], start


def _real_dtype(path: PathLike, kind: str) -> np.dtype:
    try:
        found = np.dtype(kind) if _NUMBERS.fullmatch(kind) else None
    except TypeError:
        found = None
    if found is None or not np.can_cast(found, np.float32, "same_kind"):
        # NumPy saves bfloat16 as two bytes of no meaning.
        expected = (
            "real numbers; save bfloat16 as float32" if kind.endswith("V2") else "real numbers"
        )
        raise DtypeError(path, expected, f"the dtype {kind if found is None else found}")
    return found
