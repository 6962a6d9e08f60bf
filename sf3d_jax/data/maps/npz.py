"""Maps as one array of a NumPy archive (.npz).

Flow is the array `flow`, disparity is `disparity`; else it is the only array of its shape, so that
one file may hold all maps of a frame. A mask `valid`, bool or 0 and 1, says where they are known.
"""

import contextlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, replace_file
from sf3d_jax.data.maps import npy

# What damaged archives raise: of RuntimeError those with a password or an unknown compression.
_BROKEN = zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, MemoryError
_MASK = "valid"

Shape = tuple[int, ...]
Test = Callable[[Shape], bool]


def read_flow(path: PathLike) -> np.ndarray:
    """Reads flow.

    Args:
      path: of the file.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, NaN where the mask of the file is False.

    Raises:
      FormatError: the file is no whole archive, or does not say which array is the flow.
    """
    return _read(path, "flow", "[H, W, 2]", lambda shape: len(shape) == 3 and shape[2] == 2)


def read_scalar(path: PathLike, name: str | None = None) -> np.ndarray:
    """Reads a scalar map.

    Args:
      path: of the file.
      name: of the array that is preferred, if any.

    Returns:
      float32 [H, W], NaN where the mask of the file is False.

    Raises:
      FormatError: the file is no whole archive, or does not say which array is the map.
    """
    is_map = lambda shape: len(shape) == 2 or (len(shape) == 3 and shape[2] == 1)
    values = _read(path, name, "[H, W]", is_map)
    return values.reshape(values.shape[:2])


def write(path: PathLike, values: np.ndarray, name: str = "values") -> None:
    """Writes an archive of one array.

    Args:
      path: of the file.
      values: float32 [H, W] or [H, W, 2].
      name: of the array.
    """
    with (
        replace_file(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{name}.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array(member, values, allow_pickle=False)


def _read(path: PathLike, name: str | None, shape: str, fits: Test) -> np.ndarray:
    with _open(path) as archive:
        shapes = {x: _shape(path, archive, x) for x in _names(archive)}
        chosen = _choose(path, name, shape, shapes, fits)
        values = npy.parse_array(path, archive.read(f"{chosen}.npy"))
        if shapes.get(_MASK) == shapes[chosen][:2]:
            mask = npy.parse_array(path, archive.read(f"{_MASK}.npy"))
            if not np.isin(mask, (0, 1)).all():
                raise FormatError(path, f"0 and 1 in {_MASK}", "other numbers")
            values = values.copy()
            values[mask == 0] = np.nan
    return values


def _choose(
    path: PathLike, name: str | None, shape: str, shapes: Mapping[str, Shape], fits: Test
) -> str:
    fitting = [x for x, found in shapes.items() if x != _MASK and fits(found) and 0 not in found]
    if name is not None and name in fitting:
        return name
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{x} {list(found)}" for x, found in shapes.items()) or "no array"
    named = f", or one named {name}" if name else ""
    raise FormatError(path, f"one array of the shape {shape}{named}", listed)


@contextlib.contextmanager
def _open(path: PathLike) -> Iterator[zipfile.ZipFile]:
    content = io.BytesIO(Path(path).read_bytes())
    try:
        with zipfile.ZipFile(content) as archive:
            yield archive
    except _BROKEN:
        raise FormatError(path, "an archive of NumPy's arrays (.npz)", "no whole one") from None


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [x.removesuffix(".npy") for x in archive.namelist() if x.endswith(".npy")]


def _shape(path: PathLike, archive: zipfile.ZipFile, name: str) -> Shape:
    with archive.open(f"{name}.npy") as file:
        return npy.parse_shape(path, file.read(4096))
