"""What every file format here needs: whole files in and out, and one error for a bad file.

Files are read and written as a whole, as bytes, so that a codec never sees a path: names in any
alphabet work, a writer that fails leaves no half-written file, and a broken file is an error that
names it.
"""

import os
import secrets
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np

PathLike = str | os.PathLike[str]

LARGEST_SIDE = 100_000

_PNG = b"\x89PNG\r\n\x1a\n"


class FormatError(ValueError):
    """A file does not hold what its name, or the caller, says it holds.

    Attributes:
      path: the file.
      expected: what should have been there.
      found: what is there instead.
    """

    def __init__(self, path: PathLike, expected: str, found: str) -> None:
        """Keeps the three parts apart, so that the error also survives pickling."""
        super().__init__(path, expected, found)
        self.path, self.expected, self.found = path, expected, found

    def __str__(self) -> str:
        """The message: the path, what was expected and what was found."""
        return f"{os.fspath(self.path)}: expected {self.expected}, found {self.found}"


def check_size(path: PathLike, width: int, height: int) -> None:
    """Refuses the image size of a header, before anything is allocated for it."""
    if not (1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE):
        raise FormatError(
            path,
            f"a width and a height of 1 to {LARGEST_SIDE:,}",
            f"a header that says {width} x {height}",
        )


def write_bytes(path: PathLike, data: bytes) -> None:
    """Writes a whole file or, when that fails or is interrupted, leaves what was there before."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}")

    # Opened like any other new file, and not by tempfile, which makes it private to its owner.
    temporary = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno:  # it names the temporary file, if any
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def import_cv2() -> ModuleType:
    """OpenCV, which only pictures and PNG maps need."""
    try:
        import cv2
    except ImportError as error:
        raise ImportError("pictures need OpenCV: pip install 'sf3d_jax[data]'") from error
    return cv2


def read_picture(path: PathLike, flags: int) -> np.ndarray:
    """Decodes a picture with OpenCV.

    Args:
      path: of the file.
      flags: a sum of cv2.IMREAD_* flags.

    Returns:
      [H, W] or [H, W, C], channels in the order red, green, blue, alpha.

    Raises:
      FormatError: the file is cut off, or no picture at all.
    """
    cv2 = import_cv2()
    data = Path(path).read_bytes()

    if data[:2] == b"\xff\xd8" and not _jpeg_is_whole(data):
        raise FormatError(path, "a whole JPEG", f"{len(data)} bytes without an end marker")
    if data[:8] == _PNG and not _png_is_whole(data):
        raise FormatError(path, "a whole PNG", f"{len(data)} bytes, cut off or damaged")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # an empty file, or one of an absurd size
        picture = None
    if picture is None:
        raise FormatError(path, "a whole picture", f"{len(data)} bytes that do not decode")
    return _swap_red_and_blue(picture)


def read_png16(path: PathLike, channels: int, content: str) -> np.ndarray:
    """Reads a 16-bit picture without touching its numbers.

    Args:
      path: of the file.
      channels: 1 or 3.
      content: what the picture should be, for the error message.

    Returns:
      uint16 [H, W] or [H, W, 3], in the order of the file.

    Raises:
      FormatError: the file has other bits or channels, or does not decode.
    """
    picture = read_picture(path, import_cv2().IMREAD_UNCHANGED)
    found = picture.shape[2] if picture.ndim == 3 else 1
    if picture.dtype != np.uint16 or found != channels:
        raise FormatError(
            path,
            f"{content}, a 16-bit PNG with {channels} channel(s)",
            f"a {8 * picture.itemsize}-bit picture with {found} channel(s)",
        )
    return picture


def write_png(path: PathLike, picture: np.ndarray) -> None:
    """Writes [H, W] or RGB [H, W, 3] of uint8 or uint16 as a PNG."""
    _, data = import_cv2().imencode(".png", _swap_red_and_blue(picture))
    write_bytes(path, data.tobytes())


def _swap_red_and_blue(picture: np.ndarray) -> np.ndarray:
    """From OpenCV's order of the channels (BGR) to that of the file (RGB), or back."""
    if picture.ndim == 2:
        return picture
    return np.ascontiguousarray(picture[..., [2, 1, 0, 3][: picture.shape[2]]])


def _jpeg_is_whole(data: bytes) -> bool:
    """Whether the end marker follows the picture; OpenCV 4 fills missing rows with grey."""
    at = 2
    # The header's segments are skipped by their lengths: a thumbnail in one has an end of its own.
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda":
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return b"\xff\xd9" in data[at:]


def _png_is_whole(data: bytes) -> bool:
    """Whether all chunks are there and undamaged; of others the decoder prints complaints."""
    rest = memoryview(data)[len(_PNG) :]
    kind = b""
    # A chunk is a length, a kind, its content, and a checksum of the last two.
    while len(rest) >= 12 and kind != b"IEND":
        end = 8 + int.from_bytes(rest[:4], "big")
        kind, checksum = bytes(rest[4:8]), rest[end : end + 4]
        # Without a chunk whose kind begins with a small letter the picture is the same.
        if kind[:1].isupper() and zlib.crc32(rest[4:end]) != int.from_bytes(checksum, "big"):
            return False
        rest = rest[end + 4 :]
    return kind == b"IEND"
