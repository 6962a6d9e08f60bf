"""Scene flow of one image with its camera in an .npz, the output of `sf3d convert` and `sf3d fit`.

It holds these arrays for an image of H x W pixels, and any further maps of the same image:

    vectors                   [H, W, 3]   scene flow in metres, in the axes of the camera
    points                    [H, W, 3]   the surface in metres, in the axes of the camera
    valid                     [H, W]      bool; elsewhere the other maps are 0
    camera_focal              [2]         fx, fy in pixels
    camera_principal_point    [2]         cx, cy; integers are pixel centres
    camera_world_to_camera    [3, 4]
    camera_size               [2]         H, W
    camera_model              text        "pinhole"
    camera_baseline           a number    distance of the stereo cameras in metres, if known

If the motion of the camera was removed, next_camera_focal and so on hold the camera of the next
image, in the same world.
"""

from __future__ import annotations

import io
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import (
    LARGEST,
    LARGEST_SIDE,
    DtypeError,
    FormatError,
    PathLike,
    SizeError,
    check_header_size,
    check_numbers,
    replace_file,
)
from sf3d_jax.data.arrays import make_array
from sf3d_jax.data.cameras.checks import check_camera_argument, check_rigid_pose

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

_RESULT = "a result of `sf3d convert` (.npz)"
_PREFIX, _NEXT_PREFIX = "camera_", "next_camera_"
_CAMERA_PARTS = ("focal", "principal_point", "world_to_camera", "size", "model")


class _Kind(NamedTuple):
    """Dtype and shape of a map.

    Attributes:
      letter: `np.dtype.kind` of the dtype.
      words: human-readable name of the dtype.
      channels: axes after those of the image.
    """

    letter: str
    words: str
    channels: tuple[int, ...]


_MAPS = {
    "vectors": _Kind("f", "floating-point numbers", (3,)),
    "points": _Kind("f", "floating-point numbers", (3,)),
    "valid": _Kind("b", "bool", ()),
}
# Kinds of dtypes that survive the file: bfloat16 does not, and objects would be pickled code.
_SAVED = "biufcUS"

# Errors raised for damaged archives (RuntimeError: a password or an unknown compression) and for
# damaged array headers, which NumPy parses as Python.
_BROKEN_ARCHIVE = zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError
_BROKEN_HEADER = ValueError, TypeError, OverflowError, SyntaxError, tokenize.TokenError


class SceneFlowMaps(NamedTuple):
    """Scene flow of one image.

    Attributes:
      vectors: [H, W, 3], scene flow in metres, in the axes of the camera.
      points: [H, W, 3], the surface in metres, in the axes of the camera.
      valid: bool [H, W].
      camera: camera of the image.
      baseline: distance of the stereo cameras in metres, or None.
      next_camera: camera of the next image, in the same world; None if the camera is taken as
        fixed.
    """

    vectors: np.ndarray
    points: np.ndarray
    valid: np.ndarray
    camera: Camera
    baseline: float | None = None
    next_camera: Camera | None = None


def write_scene_flow_npz(
    path: PathLike,
    maps: Mapping[str, npt.ArrayLike],
    camera: Camera,
    *,
    baseline: float | None = None,
    next_camera: Camera | None = None,
) -> None:
    """Writes the maps of an image and its camera to an .npz, for `read_scene_flow_npz`.

    Args:
      path: file to write.
      maps: arrays by name: vectors and points, floating-point [H, W, 3]; valid, bool [H, W]; and
        any others of numbers, bool or text, whose names do not begin with "camera_" or
        "next_camera_".
      camera: camera of the image, one pinhole.
      baseline: distance of the stereo cameras in metres, if known.
      next_camera: camera of the next image, one pinhole in the same world; None if the camera is
        taken as fixed.

    Raises:
      TypeError: the maps are not a mapping, a camera is not a `Camera`, the baseline is not a
        number, or a map has the wrong dtype.
      ValueError: a camera is a batch, has a lens, or has impossible values; a map is missing,
        differs in size from the camera, or has a reserved name; or the baseline is not positive.
      FileNotFoundError: the folder of the file does not exist.
    """
    arrays = _make_camera_arrays("camera", camera)
    if next_camera is not None:
        arrays |= _make_camera_arrays("next_camera", next_camera)
    if baseline is not None:
        arrays["camera_baseline"] = np.array(check_baseline(baseline))
    checked = _check_maps(maps, camera.size)
    _pack(path, checked | arrays)


def _make_camera_arrays(name: str, camera: Camera) -> dict[str, np.ndarray]:
    """Checks a camera and makes its arrays, by their names in the file."""
    from sf3d_jax.camera import check_size

    check_camera_argument(name, camera)
    if camera.distortion is not None:
        raise ValueError(f"{name}: expected a pinhole camera, got the lens {camera.model!r}")
    try:
        size = check_size(camera.size)
    except ValueError as error:
        raise ValueError(f"{name}.{error}") from None
    if max(size) > LARGEST_SIDE:
        raise ValueError(f"{name}.size: expected sides up to {LARGEST_SIDE:,}, got {size}")
    return {
        f"{name}_focal": _make_storable(camera.focal),
        f"{name}_principal_point": _make_storable(camera.principal_point),
        f"{name}_world_to_camera": _make_storable(camera.world_to_camera),
        f"{name}_size": np.array(size),
        f"{name}_model": np.array(camera.model),
    }


def _make_storable(numbers: npt.ArrayLike) -> np.ndarray:
    """Converts bfloat16, which an .npz cannot hold, and integers to float32."""
    array = np.asarray(numbers)
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def check_baseline(baseline: float) -> float:
    """Checks the distance of two stereo cameras and converts it to a float.

    Args:
      baseline: distance in metres.

    Raises:
      TypeError: the baseline is not a number.
      ValueError: the baseline is not positive, or above 1e9.
    """
    number = make_array("baseline", baseline)
    if number.ndim or number.dtype.kind not in "iuf":
        raise TypeError(f"baseline: expected a number of metres, got {baseline!r}")
    if not 0 < number <= LARGEST:
        raise ValueError(f"baseline: expected a positive number up to {LARGEST:g}, got {baseline}")
    return float(number)


def _check_maps(maps: Mapping[str, npt.ArrayLike], size: tuple[int, int]) -> dict[str, np.ndarray]:
    if not isinstance(maps, Mapping):
        raise TypeError(f"maps: expected arrays by name, got {type(maps).__name__}")
    for name in maps:
        if not isinstance(name, str):
            raise TypeError(f"maps: expected names that are text, got {name!r}")
        for prefix in (_PREFIX, _NEXT_PREFIX):
            if name.startswith(prefix):
                expected = f"expected names that do not begin with {prefix!r}"
                raise ValueError(f"maps: {expected}, got {name!r}")
    if lacking := [name for name in _MAPS if name not in maps]:
        raise ValueError(f"maps: expected {', '.join(_MAPS)}; missing {', '.join(lacking)}")
    arrays = {name: make_array(f"maps[{name!r}]", values) for name, values in maps.items()}
    for name, array in arrays.items():
        _check_map(f"maps[{name!r}]", array, _MAPS.get(name), size)
    return arrays


def _check_map(name: str, array: np.ndarray, kind: _Kind | None, size: tuple[int, int]) -> None:
    """Checks a map passed by the caller; the kind of further maps is None."""
    words = "numbers, bool or text" if kind is None else kind.words
    if array.dtype.kind not in (_SAVED if kind is None else kind.letter):
        raise TypeError(f"{name}: expected an array of {words}, got {array.dtype}")
    if kind is not None and array.shape != (*size, *kind.channels):
        wanted = [*size, *kind.channels]
        raise ValueError(f"{name}: expected the shape {wanted}, got {list(array.shape)}")


def _pack(path: PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an .npz array by array; `np.savez` reserves some keywords, such as `file`."""
    with replace_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read_scene_flow_npz(path: PathLike) -> SceneFlowMaps:
    """Reads the scene flow and the camera from an .npz written by `write_scene_flow_npz`.

    Args:
      path: file to read.

    Returns:
      The maps and the camera in the dtypes of the file.

    Raises:
      FileNotFoundError: the file does not exist.
      FormatError: the file is not a complete .npz, lacks an array, has an impossible camera, or has
        maps of the wrong size or dtype.
    """
    arrays = _unpack(path, Path(path).read_bytes())
    camera = _make_camera(path, arrays, _PREFIX)
    is_moving = any(name.startswith(_NEXT_PREFIX) for name in arrays)
    next_camera = _make_camera(path, arrays, _NEXT_PREFIX) if is_moving else None
    if next_camera is not None and next_camera.size != camera.size:
        raise SizeError(path, f"{camera.size} in next_camera_size", f"{next_camera.size}")
    for name, kind in _MAPS.items():
        array, wanted = arrays[name], (*camera.size, *kind.channels)
        _check_dtype(path, name, array, kind.letter, kind.words)
        if array.shape != wanted:
            expected = f"maps of the size of the camera: {name} {list(wanted)}"
            raise SizeError(path, expected, f"{list(array.shape)}")
    baseline = _make_baseline(path, arrays)
    vectors, points, valid = (arrays[name] for name in _MAPS)
    return SceneFlowMaps(vectors, points, valid, camera, baseline, next_camera)


def _unpack(path: PathLike, content: bytes) -> dict[str, np.ndarray]:
    """Unpacks the arrays of a result; the baseline and the next camera are optional."""
    needed = [*_MAPS, *(f"{_PREFIX}{part}" for part in _CAMERA_PARTS)]
    of_next = [f"{_NEXT_PREFIX}{part}" for part in _CAMERA_PARTS]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            there = set(archive.namelist())
            needed += of_next if there.intersection(f"{x}.npy" for x in of_next) else []
            names = [x for x in (*needed, "camera_baseline") if f"{x}.npy" in there]
            arrays = {name: _read_array(archive, name) for name in names}
    except MemoryError:
        raise FormatError(path, _RESULT, "an array larger than the memory") from None
    except (*_BROKEN_ARCHIVE, *_BROKEN_HEADER):
        raise FormatError(path, _RESULT, "a damaged archive, or another file") from None
    if lacking := [name for name in needed if name not in arrays]:
        raise FormatError(path, _RESULT, f"no array {lacking[0]!r}")
    return arrays


def _read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _make_camera(path: PathLike, arrays: Mapping[str, np.ndarray], prefix: str) -> Camera:
    from sf3d_jax.camera import Camera

    focal = _take_numbers(path, arrays, f"{prefix}focal", (2,))
    if not (focal > 0).all():
        raise FormatError(path, f"positive focal lengths in {prefix}focal", f"{focal.tolist()}")
    point = _take_numbers(path, arrays, f"{prefix}principal_point", (2,))
    pose = _take_numbers(path, arrays, f"{prefix}world_to_camera", (3, 4))
    check_rigid_pose(path, f"{prefix}world_to_camera", pose)
    model = arrays[f"{prefix}model"]
    if model.shape != () or model.dtype.kind != "U" or model.item() != "pinhole":
        found = f"{model.tolist()!r:.80}"
        raise FormatError(path, f"the text 'pinhole' in {prefix}model", found)
    return Camera(focal, point, pose, size=_take_size(path, arrays, f"{prefix}size"))


def _take_numbers(
    path: PathLike, arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]
) -> np.ndarray:
    array = arrays[name]
    _check_dtype(path, name, array, "f", "floating-point numbers")
    _check_shape(path, name, array, shape)
    check_numbers(path, name, array)
    return array


def _take_size(path: PathLike, arrays: Mapping[str, np.ndarray], name: str) -> tuple[int, int]:
    _check_dtype(path, name, arrays[name], "iu", "integers")
    _check_shape(path, name, arrays[name], (2,))
    height, width = arrays[name].tolist()
    check_header_size(path, width, height)
    return height, width


def _make_baseline(path: PathLike, arrays: Mapping[str, np.ndarray]) -> float | None:
    array = arrays.get("camera_baseline")
    if array is None:
        return None
    _check_dtype(path, "camera_baseline", array, "iuf", "a number")
    _check_shape(path, "camera_baseline", array, ())
    if not 0 < array <= LARGEST:
        expected = f"a positive number up to {LARGEST:g} in camera_baseline"
        raise FormatError(path, expected, f"{array}")
    return float(array)


def _check_dtype(path: PathLike, name: str, array: np.ndarray, letters: str, words: str) -> None:
    if array.dtype.kind not in letters:
        raise DtypeError(path, f"{words} in {name}", f"the dtype {array.dtype}")


def _check_shape(path: PathLike, name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise FormatError(path, f"the shape {list(shape)} of {name}", f"{list(array.shape)}")
