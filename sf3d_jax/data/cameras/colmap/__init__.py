"""The cameras and images of a COLMAP model, as text or binary.

cameras.txt has one line per camera, CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]. images.txt has two lines
per image: IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, and the image's points (an empty line if
there are none). Lines that begin with # are comments. `binary` describes the .bin files.

The pose of an image is world to camera with OpenCV's axes, a quaternion and a translation in the
unit of the model, which is metres only if the model was aligned. Principal points are counted from
the image's edge: the first pixel's centre is at 0.5, which is subtracted here. COLMAP's models map
to those of `Camera`, with zeros for the coefficients that they lack:

    SIMPLE_PINHOLE, PINHOLE                                 pinhole
    SIMPLE_RADIAL, RADIAL, OPENCV, FULL_OPENCV              opencv, 4 or 8 coefficients
    SIMPLE_RADIAL_FISHEYE, RADIAL_FISHEYE, OPENCV_FISHEYE   fisheye

An opencv camera whose coefficients are all 0 is read as a pinhole.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sf3d_jax.data._files import FormatError, PathLike, write_bytes
from sf3d_jax.data.cameras.colmap import binary, text
from sf3d_jax.data.cameras.colmap.models import ColmapImage as ColmapImage
from sf3d_jax.data.cameras.colmap.models import (
    collect_by_id,
    convert_camera_record,
    convert_image_record,
    make_camera_record,
    make_image_record,
)

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

_LARGEST_ID = 2**32 - 1
_ENDINGS = {".bin": binary, ".txt": text}


def read_colmap_cameras(path: PathLike) -> dict[int, "Camera"]:
    """Reads COLMAP's cameras.bin or cameras.txt.

    Args:
      path: file to read; with another extension, it is binary if it contains a zero byte.

    Returns:
      The cameras by id, float64, with the identity as pose and integers at pixel centres.

    Raises:
      FormatError: the file is malformed, or has a lens model that `Camera` does not support.
    """
    data = Path(path).read_bytes()
    records = collect_by_id(path, "camera", _select_format(path, data).read_cameras(path, data))
    return {key: convert_camera_record(path, key, record) for key, record in records.items()}


def read_colmap_images(path: PathLike) -> dict[int, ColmapImage]:
    """Reads COLMAP's images.bin or images.txt; the points of the images are skipped.

    Args:
      path: file to read; with another extension, it is binary if it contains a zero byte.

    Returns:
      The images by id, with poses world to camera, OpenCV's axes, in the unit of the model.

    Raises:
      FormatError: the file is malformed.
    """
    data = Path(path).read_bytes()
    records = collect_by_id(path, "image", _select_format(path, data).read_images(path, data))
    return {key: convert_image_record(path, key, record) for key, record in records.items()}


def read_colmap(folder: PathLike) -> dict[str, "Camera"]:
    """Reads the cameras of a COLMAP model, one per image.

    Args:
      folder: folder with cameras and images, both .bin or both .txt; .bin is preferred, as in
        COLMAP.

    Returns:
      The cameras by image name, float64, with poses world to camera, OpenCV's axes, in the unit of
      the model.

    Raises:
      FormatError: a file is malformed, an image refers to a missing camera, or two images have the
        same name.
      FileNotFoundError: the folder does not contain a model.
    """
    folder = Path(folder)
    kinds = [
        e for e in _ENDINGS if all((folder / f"{n}{e}").is_file() for n in ("cameras", "images"))
    ]
    if not kinds:
        expected = "cameras.bin and images.bin, or cameras.txt and images.txt"
        raise FileNotFoundError(f"{folder}: there are no {expected}")
    cameras = read_colmap_cameras(folder / f"cameras{kinds[0]}")
    path = folder / f"images{kinds[0]}"
    found: dict[str, Camera] = {}
    for image in read_colmap_images(path).values():
        if image.camera_id not in cameras:
            expected = f"a camera of {sorted(cameras)[:8]} for {image.name[:80]!r}"
            raise FormatError(path, expected, f"{image.camera_id}")
        if image.name in found:
            raise FormatError(path, "every name once", f"{image.name[:80]!r} twice")
        camera = cameras[image.camera_id]
        found[image.name] = dataclasses.replace(camera, world_to_camera=image.world_to_camera)
    return found


def write_colmap_cameras(path: PathLike, cameras: Mapping[int, "Camera"]) -> None:
    """Writes cameras as PINHOLE, OPENCV, FULL_OPENCV or OPENCV_FISHEYE, without their poses.

    `read_colmap_cameras` restores all values exactly, except that adding 0.5 may round a principal
    point once; those read from such a file are restored exactly.

    Args:
      path: file to write, ending in .bin or .txt.
      cameras: cameras by id, an integer from 0 to 2^32 - 1.

    Raises:
      ValueError: the path has another extension, or the format cannot hold a camera.
    """
    kind = _select_format_to_write(path)
    _check_ids("cameras", cameras)
    records = {key: make_camera_record(key, camera) for key, camera in cameras.items()}
    write_bytes(path, kind.pack_cameras(records))


def write_colmap_images(path: PathLike, images: Mapping[int, ColmapImage]) -> None:
    """Writes COLMAP's images.bin or images.txt, without points.

    Rotations are stored as quaternions, and restored to a few units in the last place of 1;
    translations are restored exactly.

    Args:
      path: file to write, ending in .bin or .txt.
      images: images by id, an integer from 0 to 2^32 - 1.

    Raises:
      ValueError: the path has another extension, or the format cannot hold an image.
    """
    kind = _select_format_to_write(path)
    _check_ids("images", images)
    _check_ids("images' cameras", {image.camera_id: image for image in images.values()})
    records = {key: make_image_record(key, image) for key, image in images.items()}
    write_bytes(path, kind.pack_images(records))


def _select_format(path: PathLike, data: bytes) -> ModuleType:
    """Selects the module that reads a file."""
    by_content = binary if b"\0" in data else text
    return _ENDINGS.get(Path(path).suffix.lower(), by_content)


def _select_format_to_write(path: PathLike) -> ModuleType:
    ending = Path(path).suffix.lower()
    if ending not in _ENDINGS:
        raise ValueError(f"path: expected the extension .bin or .txt, got {path}")
    return _ENDINGS[ending]


def _check_ids(name: str, things: Mapping[int, object]) -> None:
    bad = [key for key in things if not 0 <= key <= _LARGEST_ID]
    if bad:
        raise ValueError(f"{name}: expected ids from 0 to {_LARGEST_ID:,}, got {bad[0]}")
