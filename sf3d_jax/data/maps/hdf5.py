"""The HDF5 files of the Spring benchmark: .flo5 of optical flow and .dsp5 of disparity.

A file holds one array, `flow` [H, W, 2] or `disparity` [H, W], of floats. The truth has twice the
rows and columns of the images, while its values are in pixels of the images. NaN is unknown; a
disparity of 0 is infinitely far away. The cameras are in text files: see `sets.spring.cameras`.
"""

import io
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, check_header_size, headers, write_bytes

_COMPRESSION = {"compression": "gzip", "compression_opts": 5}
_LARGEST_RATIO = 1032  # bytes that gzip can make of one


def read_flow(path: PathLike) -> np.ndarray:
    """Reads a .flo5 file.

    Args:
      path: of the file.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, as the file has them.

    Raises:
      FormatError: the file is not HDF5, or has no array `flow` of the shape [H, W, 2].
    """
    return _read(path, "flow", (2,))


def read_scalar(path: PathLike) -> np.ndarray:
    """Reads a .dsp5 file.

    Args:
      path: of the file.

    Returns:
      float32 [H, W], in pixels, as the file has them.

    Raises:
      FormatError: the file is not HDF5, or has no array `disparity` of the shape [H, W].
    """
    return _read(path, "disparity", ())


def write_flow(path: PathLike, flow: np.ndarray) -> None:
    """Writes a .flo5 file.

    Args:
      path: of the file.
      flow: float32 [H, W, 2], (u, v) in pixels, NaN where unknown.
    """
    _write(path, "flow", flow)


def write_scalar(path: PathLike, values: np.ndarray) -> None:
    """Writes a .dsp5 file.

    Args:
      path: of the file.
      values: float32 [H, W], in pixels, NaN where unknown.
    """
    _write(path, "disparity", values)


def _import_h5py() -> ModuleType:
    try:
        import h5py
    except ImportError as error:
        raise ImportError("HDF5 files need h5py: pip install 'sf3d_jax[data]'") from error
    return h5py


def _read(path: PathLike, key: str, tail: tuple[int, ...]) -> np.ndarray:
    h5py = _import_h5py()
    data = Path(path).read_bytes()
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            found = file.get(key)
            if not isinstance(found, h5py.Dataset):
                raise FormatError(path, f"an array `{key}`", f"{sorted(file)}")
            _check_array(path, key, found.shape, found.dtype, tail)
            _check_bytes(path, key, found, len(data))
            array = found[()]
    except FormatError:
        raise
    except Exception:  # a broken file raises half a dozen kinds
        what = f"{len(data)} bytes that HDF5 does not read"
        raise FormatError(path, "a whole HDF5 file", what) from None

    with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 is infinite: no value
        return np.ascontiguousarray(array, np.float32)


def _check_array(
    path: PathLike, key: str, shape: tuple[int, ...], dtype: np.dtype, tail: tuple[int, ...]
) -> None:
    """Refuses another shape or kind of number, before anything is allocated for it."""
    if len(shape) != 2 + len(tail) or shape[2:] != tail:
        expected = ", ".join(["H", "W", *map(str, tail)])
        raise FormatError(path, f"`{key}` of the shape [{expected}]", f"{list(shape)}")
    if not np.can_cast(dtype, np.float32, "same_kind"):
        raise FormatError(path, f"`{key}` of real numbers", f"the dtype {dtype}")
    check_header_size(path, shape[1], shape[0])


def _check_bytes(path: PathLike, key: str, found: Any, length: int) -> None:
    """Refuses more numbers than the file can hold: HDF5 makes up those that are not stored."""
    if found.is_virtual or found.external:
        raise FormatError(path, f"`{key}` in the file itself", "one that is stored in other files")
    stored = min(found.id.get_storage_size(), length)
    pieces = [found.shape, *([] if found.chunks is None else [found.chunks])]
    for height, width, *_ in pieces:
        if complaint := headers.size_complaint(int(width), int(height)):
            raise FormatError(path, *complaint)
    claimed = max(math.prod(map(int, piece)) * found.dtype.itemsize for piece in pieces)
    if claimed > (1 if found.chunks is None else _LARGEST_RATIO) * stored:
        raise FormatError(path, f"`{key}` as large as its file", f"{claimed} bytes in {stored}")
    if found.chunks is None:
        return
    count = math.prod(-(-n // chunk) for n, chunk in zip(found.shape, found.chunks, strict=True))
    if found.id.get_num_chunks() != count:
        written = f"{found.id.get_num_chunks()} of them"
        raise FormatError(path, f"all {count} chunks of `{key}`", written)


def _write(path: PathLike, key: str, values: np.ndarray) -> None:
    stream = io.BytesIO()
    with _import_h5py().File(stream, "w") as file:
        file.create_dataset(key, data=values.astype(np.float32), **_COMPRESSION)
    write_bytes(path, stream.getvalue())
