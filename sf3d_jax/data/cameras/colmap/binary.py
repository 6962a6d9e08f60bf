"""COLMAP's cameras.bin and images.bin, little endian.

    cameras   u64 count; per camera: u32 id, i32 model, u64 width, u64 height, f64 parameters
    images    u64 count; per image: u32 id, f64 qw qx qy qz tx ty tz, u32 camera id, the name and a
              zero byte, u64 number of points; per point: f64 x, f64 y, i64 id

The points of images are skipped when reading, and none are written. The docstring of `colmap` gives
the conventions.
"""

import struct
from collections.abc import Iterator, Mapping

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.cameras.colmap.models import (
    MODELS,
    OTHERS,
    CameraRecord,
    ImageRecord,
    find_model,
)

_COUNT = struct.Struct("<Q")
_CAMERA = struct.Struct("<IiQQ")
_IMAGE = struct.Struct("<I7dI")
_POINT_SIZE = 24

_NAMES = {model.number: name for name, model in MODELS.items()} | OTHERS


class _Bytes:
    """The bytes of a file, consumed from the front."""

    def __init__(self, path: PathLike, data: bytes) -> None:
        self.path, self.data, self.at = path, data, 0

    def skip(self, count: int, what: str) -> int:
        """Skips bytes that must exist, and returns where they begin."""
        start, self.at = self.at, self.at + count
        if self.at > len(self.data):
            expected = f"{what}, {count} bytes from byte {start} on"
            raise FormatError(self.path, expected, f"the end after {len(self.data)} bytes")
        return start

    def take(self, form: struct.Struct, what: str) -> tuple[int | float, ...]:
        return form.unpack_from(self.data, self.skip(form.size, what))

    def name(self, what: str) -> str:
        """Takes the text up to a zero byte."""
        start, end = self.at, self.data.find(b"\0", self.at)
        self.at = end + 1
        try:
            text = self.data[start : max(end, start)].decode()
        except UnicodeDecodeError:
            text = ""
        if not text:  # also if there is no zero byte
            found = repr(self.data[start : start + 40])
            raise FormatError(self.path, f"{what} in UTF-8 and a zero byte", found)
        return text

    def finish(self) -> None:
        if self.at != len(self.data):
            raise FormatError(self.path, f"{self.at} bytes", f"{len(self.data)}")


def read_cameras(path: PathLike, data: bytes) -> Iterator[tuple[int, CameraRecord]]:
    """Reads the cameras of a cameras.bin.

    Args:
      path: file named in error messages.
      data: the whole file.

    Yields:
      (id, camera) in the order of the file.

    Raises:
      FormatError: the file is cut off or too long, or a model is unknown.
    """
    rest = _Bytes(path, data)
    (count,) = rest.take(_COUNT, "the number of cameras")
    for i in range(int(count)):
        what = f"camera {i} of {count}"
        camera_id, number, width, height = map(int, rest.take(_CAMERA, what))
        name = _NAMES.get(number, f"number {number}")
        form = struct.Struct(f"<{find_model(path, name).parameters}d")
        parameters = rest.take(form, what)
        yield camera_id, CameraRecord(name, width, height, list(parameters))
    rest.finish()


def read_images(path: PathLike, data: bytes) -> Iterator[tuple[int, ImageRecord]]:
    """Reads the images of an images.bin, without their points.

    Args:
      path: file named in error messages.
      data: the whole file.

    Yields:
      (id, image) in the order of the file.

    Raises:
      FormatError: the file is cut off or too long, or a name is not UTF-8 text.
    """
    rest = _Bytes(path, data)
    (count,) = rest.take(_COUNT, "the number of images")
    for i in range(int(count)):
        what = f"image {i} of {count}"
        image_id, *pose, camera_id = rest.take(_IMAGE, what)
        name = rest.name(f"the name of {what}")
        (points,) = rest.take(_COUNT, what)
        rest.skip(_POINT_SIZE * int(points), f"the points of {what}")
        yield int(image_id), ImageRecord(pose, int(camera_id), name)
    rest.finish()


def pack_cameras(cameras: Mapping[int, CameraRecord]) -> bytes:
    """Packs the bytes of a cameras.bin."""
    parts = [_COUNT.pack(len(cameras))]
    for camera_id, (model, width, height, parameters) in cameras.items():
        parts.append(_CAMERA.pack(camera_id, MODELS[model].number, width, height))
        parts.append(struct.pack(f"<{len(parameters)}d", *parameters))
    return b"".join(parts)


def pack_images(images: Mapping[int, ImageRecord]) -> bytes:
    """Packs the bytes of an images.bin, without points."""
    parts = [_COUNT.pack(len(images))]
    for image_id, (pose, camera_id, name) in images.items():
        parts += [_IMAGE.pack(image_id, *pose, camera_id), name.encode(), b"\0", _COUNT.pack(0)]
    return b"".join(parts)
