"""The HDF5 files of the Spring benchmark: .flo5 for optical flow and .dsp5 for disparity.

A file holds one floating-point array, `flow` [H, W, 2] or `disparity` [H, W]. The ground truth has
twice the rows and columns of the images, but its values are in pixels of the images. NaN means
unknown; a disparity of 0 is infinitely far away.
"""

import io
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, check_header_size, headers, write_bytes

_COMPRESSION = {"compression": "gzip", "compression_opts": 5}
_LARGEST_RATIO = 1032  # largest compression ratio of gzip


def read_flow(path: PathLike) -> np.ndarray:
    """Reads a .flo5 file.

    Args:
      path: file to read.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, unchanged.

    Raises:
      FormatError: the file is not HDF5, or has no array `flow` of the shape [H, W, 2].
    """
    return _read(path, "flow", (2,))


def read_scalar(path: PathLike) -> np.ndarray:
    """Reads a .dsp5 file.

    Args:
      path: file to read.

    Returns:
      float32 [H, W], in pixels, unchanged.

    Raises:
      FormatError: the file is not HDF5, or has no array `disparity` of the shape [H, W].
    """
    return _read(path, "disparity", ())


def write_flow(path: PathLike, flow: np.ndarray) -> None:
    """Writes a .flo5 file.

    Args:
      path: file to write.
      flow: float32 [H, W, 2], (u, v) in pixels, NaN where unknown.
    """
    _write(path, "flow", flow)


def write_scalar(path: PathLike, values: np.ndarray) -> None:
    """Writes a .dsp5 file.

    Args:
      path: file to write.
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
    except Exception:  # broken files raise errors of many kinds
        what = f"{len(data)} bytes that HDF5 cannot read"
        raise FormatError(path, "a complete HDF5 file", what) from None

    with np.errstate(over="ignore", invalid="ignore"):  # values beyond float32 become infinite
        return np.ascontiguousarray(array, np.float32)


def _check_array(
    path: PathLike, key: str, shape: tuple[int, ...], dtype: np.dtype, tail: tuple[int, ...]
) -> None:
    """Refuses a wrong shape or dtype before memory is allocated for it."""
    if len(shape) != 2 + len(tail) or shape[2:] != tail:
        expected = ", ".join(["H", "W", *map(str, tail)])
        raise FormatError(path, f"`{key}` of the shape [{expected}]", f"{list(shape)}")
    if not np.can_cast(dtype, np.float32, "same_kind"):
        raise FormatError(path, f"`{key}` of real numbers", f"the dtype {dtype}")
    check_header_size(path, shape[1], shape[0])


def _check_bytes(path: PathLike, key: str, found: Any, length: int) -> None:
    """Refuses arrays larger than the file can hold: HDF5 fills in values that are not stored."""
    if found.is_virtual or found.external:
        raise FormatError(path, f"`{key}` in the file itself", "an array stored in other files")
    stored = min(found.id.get_storage_size(), length)
    pieces = [found.shape, *([] if found.chunks is None else [found.chunks])]
    for height, width, *_ in pieces:
        if problem := headers.find_size_problem(int(width), int(height)):
            raise FormatError(path, *problem)
    claimed = max(math.prod(map(int, piece)) * found.dtype.itemsize for piece in pieces)
    if claimed > (1 if found.chunks is None else _LARGEST_RATIO) * stored:
        raise FormatError(
            path, f"`{key}` of a size that fits the file", f"{claimed} bytes in {stored}"
        )
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
