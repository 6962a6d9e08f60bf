"""Maps as arrays of a NumPy archive (.npz).

Flow is read from the array `flow`, disparity from `disparity`, or else from the only array of the
right shape whose name does not denote another kind, so one file may hold all maps of a frame. An
array `valid`, `valid_mask` or `mask`, bool or 0 and 1, masks the valid pixels.
"""

import math
import re
import zipfile
from collections.abc import Callable, Mapping

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, SizeError, replace_file
from sf3d_jax.data._files.headers import LARGEST_PICTURE
from sf3d_jax.data.maps.archives import list_names, open_archive, read_shape, read_values

_MASKS = "valid", "valid_mask", "mask"
# Kinds of maps by words in the name of an array; the first match counts.
_KINDS = {
    "change": r"change|delta",
    "backward flow": r"backward|bwd?|flow ?bwd?",
    "flow": r"flow|forward|fwd?",
    "inverse depth": r"(inv|inverse) ?depth|idepth",
    "disparity": r"disparity|disp",
    "depth": r"depth",
}

Shape = tuple[int, ...]
Test = Callable[[Shape], bool]


def read_flow(path: PathLike) -> np.ndarray:
    """Reads flow.

    Args:
      path: file to read.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, NaN where the mask of the file is False.

    Raises:
      FormatError: the file is not a complete archive, or it is unclear which array is the flow.
    """
    return _read(path, "flow", "[H, W, 2]", lambda shape: len(shape) == 3 and shape[2] == 2)


def read_scalar(path: PathLike, name: str | None = None) -> np.ndarray:
    """Reads a scalar map.

    Args:
      path: file to read.
      name: name of the preferred array, or None.

    Returns:
      float32 [H, W], NaN where the mask of the file is False.

    Raises:
      FormatError: the file is not a complete archive, or it is unclear which array is the map.
    """
    is_map = lambda shape: len(shape) == 2 or (len(shape) == 3 and shape[2] == 1)
    values = _read(path, name, "[H, W]", is_map)
    return values.reshape(values.shape[:2])


def write(path: PathLike, values: np.ndarray, name: str = "values") -> None:
    """Writes an archive of one array.

    Args:
      path: file to write.
      values: float32 [H, W] or [H, W, 2].
      name: name of the array.
    """
    with (
        replace_file(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{name}.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array(member, values, allow_pickle=False)


def _read(path: PathLike, name: str | None, shape: str, fits: Test) -> np.ndarray:
    with open_archive(path) as archive:
        shapes = {x: read_shape(path, archive, x) for x in list_names(archive)}
        chosen = _choose(path, name, shape, shapes, fits)
        values = _read_map(path, archive, chosen)
        for mask in (x for x in _MASKS if x in shapes):
            known = _read_mask(path, archive, mask, shapes[chosen][:2])
            values = values.copy()
            values[known == 0] = np.nan
    return values


def _read_mask(
    path: PathLike, archive: zipfile.ZipFile, name: str, size: tuple[int, ...]
) -> np.ndarray:
    shape = read_shape(path, archive, name)
    if shape not in (size, (*size, 1), (1, *size)):
        raise SizeError(path, f"the shape {list(size)} of {name}", f"{list(shape)}")
    mask = _read_map(path, archive, name)
    if not np.isin(mask, (0, 1)).all():
        raise FormatError(path, f"0 and 1 in {name}", "other numbers")
    return mask.reshape(size)


def _read_map(path: PathLike, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Reads an array, if it is not larger than the largest image."""
    shape = read_shape(path, archive, name)
    if math.prod(shape[:2]) > LARGEST_PICTURE:
        raise FormatError(path, f"at most {LARGEST_PICTURE:,} pixels in {name}", f"{list(shape)}")
    return read_values(path, archive, name)


def _choose(
    path: PathLike, name: str | None, shape: str, shapes: Mapping[str, Shape], fits: Test
) -> str:
    fitting = [
        x for x, found in shapes.items() if x not in _MASKS and fits(found) and 0 not in found
    ]
    if name is not None and name in fitting:
        return name
    meant = [x for x in fitting if name is None or not _is_other(x, name)]
    if len(meant) == 1:
        return meant[0]
    listed = ", ".join(f"{x} {list(found)}" for x, found in shapes.items()) or "no array"
    named = f", or one named {name}" if name else ""
    named = f" that may be {name}" if fitting and not meant else named
    raise FormatError(path, f"one array of the shape {shape}{named}", listed)


def _is_other(found: str, name: str) -> bool:
    """Whether the name of an array denotes another kind of map than `name`, or the next frame's."""
    kind = _find_kind(found)
    if kind is not None and kind != _find_kind(name):
        return True
    return bool(re.search("next", found, re.I)) and "next" not in name


def _find_kind(name: str) -> str | None:
    words = re.sub(r"[^a-z]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return next((x for x, p in _KINDS.items() if re.search(rf"\b({p})s?\b", words)), None)
