"""NumPy archives (.npz), array by array, with sizes checked before memory is allocated."""

import contextlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.maps import npy

# Errors raised for damaged archives; RuntimeError for a password or an unknown compression.
_BROKEN = zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, MemoryError
_HEADER = 4096  # bytes that include the header of an array


@contextlib.contextmanager
def open_archive(path: PathLike) -> Iterator[zipfile.ZipFile]:
    """Opens an archive; errors of the block that mean a damaged one become a FormatError."""
    content = io.BytesIO(Path(path).read_bytes())
    try:
        with zipfile.ZipFile(content) as archive:
            yield archive
    except _BROKEN:
        expected, found = "an archive of NumPy arrays (.npz)", "a damaged archive, or another file"
        raise FormatError(path, expected, found) from None


def list_names(archive: zipfile.ZipFile) -> list[str]:
    """Lists the names of the arrays."""
    return [x.removesuffix(".npy") for x in archive.namelist() if x.endswith(".npy")]


def read_shape(path: PathLike, archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    """Reads the shape of an array."""
    return npy.parse_shape(path, _read_start(archive, name))


def read_values(
    path: PathLike,
    archive: zipfile.ZipFile,
    name: str,
    dtype: type[np.floating] = np.float32,
    *,
    longest: int = npy.LONGEST_AXIS,
) -> np.ndarray:
    """Reads an array of real numbers.

    Args:
      path: file path used in error messages.
      archive: open archive.
      name: name of the array.
      dtype: dtype of the result, float32 or float64.
      longest: largest allowed length of an axis.

    Raises:
      FormatError: the member is not a complete array of real numbers, or too large.
    """
    start, member = _read_start(archive, name), archive.getinfo(f"{name}.npy")
    shape, length = npy.parse_shape(path, start), npy.parse_length(path, start)
    if member.file_size != length:
        raise FormatError(
            path, f"{length} bytes for {list(shape)} in {name}", f"{member.file_size}"
        )
    return npy.parse_array(path, _read_member(archive, name), dtype, longest=longest)


def _read_start(archive: zipfile.ZipFile, name: str) -> bytes:
    """Reads the first bytes of an array, which include its header."""
    return _read_member(archive, name, _HEADER)


def _read_member(archive: zipfile.ZipFile, name: str, count: int = -1) -> bytes:
    """Reads the first bytes of a member, or all of them."""
    try:
        with archive.open(f"{name}.npy") as file:
            return file.read(count)
    except ValueError:  # a damaged place, before the beginning of the file
        raise zipfile.BadZipFile from None
