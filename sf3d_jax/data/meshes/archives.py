"""Arrays of meshes in an .npz: real numbers of known names and shapes."""

import zipfile

import numpy as np

from sf3d_jax.data._files import LARGEST, FormatError, PathLike, check_numbers
from sf3d_jax.data.maps.archives import read_values

_LARGEST_INDEX = 2**31 - 1


def read_numbers(
    path: PathLike,
    archive: zipfile.ZipFile,
    name: str,
    *,
    axes: int | None = None,
    largest: float = LARGEST,
) -> np.ndarray:
    """Reads an array of finite numbers.

    Args:
      path: file path used in error messages.
      archive: open archive.
      name: name of the array.
      axes: expected number of axes; None for any.
      largest: largest allowed magnitude.

    Returns:
      A float64 array that is not empty.

    Raises:
      FormatError: the array is not one of finite real numbers up to the largest, or has another
        number of axes.
    """
    try:
        values = read_values(path, archive, name, np.float64, longest=_LARGEST_INDEX)
    except FormatError as error:
        raise FormatError(path, f"{error.expected} in {name}", error.found) from None
    if not values.size or (axes is not None and values.ndim != axes):
        expected = "numbers" if axes is None else f"numbers of {axes} axes"
        raise FormatError(path, f"{expected} in {name}", f"the shape {list(values.shape)}")
    check_numbers(path, name, values, largest)
    return values


def check_shape(path: PathLike, name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuses an array of another shape."""
    if array.shape != shape:
        raise FormatError(path, f"the shape {list(shape)} of {name}", f"{list(array.shape)}")


def to_indices(path: PathLike, name: str, values: np.ndarray, count: int) -> np.ndarray:
    """Converts numbers that are whole and below a count to int32.

    Raises:
      FormatError: a number is negative, not below the count, or not whole.
    """
    good = (values >= 0) & (values < min(count, _LARGEST_INDEX)) & (values == np.floor(values))
    if not good.all():
        expected = f"whole numbers from 0 to {count - 1} in {name}"
        raise FormatError(path, expected, f"{values[~good].flat[0]:g}")
    return values.astype(np.int32)
