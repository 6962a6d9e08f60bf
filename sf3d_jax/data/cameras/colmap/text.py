"""COLMAP's cameras.txt and images.txt; the docstring of `colmap` describes their lines."""

import re
from collections.abc import Iterator, Mapping

from sf3d_jax.data._files import FormatError, PathLike, text
from sf3d_jax.data.cameras.colmap.models import CameraRecord, ImageRecord, find_model

_CAMERAS = "# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"
_IMAGES = (
    "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME\n# POINTS2D[] as (X, Y, POINT3D_ID)"
)
# Points are matched as one text and not parsed, since there may be millions.
_POINTS = re.compile(r"[-+.\deE\s]*", re.ASCII)


def read_cameras(path: PathLike, data: bytes) -> Iterator[tuple[int, CameraRecord]]:
    """Reads the cameras of a cameras.txt.

    Args:
      path: file named in error messages.
      data: the whole file.

    Yields:
      (id, camera) in the order of the file.

    Raises:
      FormatError: a line does not describe a camera, or a model is unknown.
    """
    for number, line in _split_lines(path, data):
        if not _has_data(line):
            continue
        where, words = f"in line {number}", line.split()
        if len(words) < 4:
            raise FormatError(path, f"CAMERA_ID MODEL WIDTH HEIGHT {where}", repr(line[:60]))
        camera_id, width, height = (text.index(path, words[i], where) for i in (0, 2, 3))
        count = find_model(path, words[1]).parameters
        parameters = text.parse_numbers(path, words[4:], count, where)
        yield camera_id, CameraRecord(words[1], width, height, parameters.tolist())


def read_images(path: PathLike, data: bytes) -> Iterator[tuple[int, ImageRecord]]:
    """Reads the images of an images.txt, without their points.

    Args:
      path: file named in error messages.
      data: the whole file.

    Yields:
      (id, image) in the order of the file.

    Raises:
      FormatError: a line does not describe an image, or is not followed by points or an empty line.
    """
    lines = _split_lines(path, data)
    for number, line in lines:
        if not _has_data(line):
            continue
        where, words = f"in line {number}", line.split(maxsplit=9)
        if len(words) < 10:
            expected = f"IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME {where}"
            raise FormatError(path, expected, repr(line[:60]))
        image_id, camera_id = (text.index(path, words[i], where) for i in (0, 8))
        pose = text.parse_numbers(path, words[1:8], 7, where)
        _, points = next(lines, (number, ""))
        if not _POINTS.fullmatch(points) or len(points.split()) % 3:
            expected = f"the points of image {image_id} (may be an empty line) in line {number + 1}"
            raise FormatError(path, expected, repr(points[:60]))
        yield image_id, ImageRecord(pose.tolist(), camera_id, words[9])


def pack_cameras(cameras: Mapping[int, CameraRecord]) -> bytes:
    """Formats the bytes of a cameras.txt."""
    lines = [
        f"{camera_id} {model} {width} {height} {' '.join(map(repr, parameters))}"
        for camera_id, (model, width, height, parameters) in cameras.items()
    ]
    return "\n".join([_CAMERAS, *lines, ""]).encode()


def pack_images(images: Mapping[int, ImageRecord]) -> bytes:
    """Formats the bytes of an images.txt, without points.

    Raises:
      ValueError: a name has a space, which only a binary file can hold.
    """
    lines = []
    for image_id, (pose, camera_id, name) in images.items():
        if len(name.split()) != 1:
            raise ValueError(f"images[{image_id}]: a text file cannot hold spaces in {name!r}")
        lines += [f"{image_id} {' '.join(map(repr, pose))} {camera_id} {name}", ""]
    return "\n".join([_IMAGES, *lines, ""]).encode()


def _split_lines(path: PathLike, data: bytes) -> Iterator[tuple[int, str]]:
    """Iterates over (number, line)."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(path, "text in UTF-8", f"{error}") from None
    return enumerate(map(str.strip, text.split("\n")), 1)


def _has_data(line: str) -> bool:
    """Whether a line is neither empty nor a comment."""
    return bool(line) and not line.startswith("#")
