"""Images and PNG maps, decoded and encoded with OpenCV."""

from pathlib import Path

import numpy as np

from sf3d_jax.data._files import DtypeError, FormatError, PathLike, headers, write_bytes
from sf3d_jax.data.opencv import import_cv2


def read_picture(path: PathLike, flags: int) -> np.ndarray:
    """Decodes an image with OpenCV.

    Args:
      path: file to read.
      flags: sum of cv2.IMREAD_* flags.

    Returns:
      [H, W] or [H, W, C], channels in the order red, green, blue, alpha.

    Raises:
      FormatError: the file is truncated or not an image.
    """
    return decode_picture(path, Path(path).read_bytes(), flags)


def decode_picture(path: PathLike, data: bytes, flags: int) -> np.ndarray:
    """Decodes the bytes of an image file; the path is used in error messages."""
    cv2 = import_cv2()
    if problem := headers.find_problem(data):
        raise FormatError(path, *problem)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # an empty file, or an absurd size
        picture = None
    if picture is None:
        raise FormatError(path, "a complete image", f"{len(data)} bytes that cannot be decoded")
    return _swap_red_and_blue(picture)


def read_png16(path: PathLike, channels: int, content: str) -> np.ndarray:
    """Reads the codes of a 16-bit PNG.

    Args:
      path: file to read.
      channels: 1 or 3.
      content: expected content, used in error messages.

    Returns:
      uint16 [H, W] or [H, W, 3], channels in the order of the file.

    Raises:
      FormatError: the file has another bit depth or number of channels, or cannot be decoded.
    """
    return _read_codes(path, np.dtype(np.uint16), channels, content)


def read_png8(path: PathLike, channels: int, content: str) -> np.ndarray:
    """Reads the codes of an 8-bit PNG, uint8 [H, W] or [H, W, channels]."""
    return _read_codes(path, np.dtype(np.uint8), channels, content)


def _read_codes(path: PathLike, dtype: np.dtype, channels: int, content: str) -> np.ndarray:
    picture = read_picture(path, import_cv2().IMREAD_UNCHANGED)
    found = picture.shape[2] if picture.ndim == 3 else 1
    if picture.dtype != dtype or found != channels:
        raise DtypeError(
            path,
            f"{content}, a PNG of {8 * dtype.itemsize} bits and {channels} channel(s)",
            f"{8 * picture.itemsize} bits and {found} channel(s)",
        )
    return picture


def write_png(path: PathLike, picture: np.ndarray) -> None:
    """Writes [H, W] or RGB [H, W, 3] of uint8 or uint16 as a PNG."""
    write_bytes(path, encode_png(path, picture))


def encode_png(path: PathLike, picture: np.ndarray) -> bytes:
    """Encodes [H, W] or RGB [H, W, 3] as the bytes of a PNG; the path is used in error messages."""
    return _encode_picture(path, picture, ".png", [])


def write_jpeg(path: PathLike, picture: np.ndarray, quality: int) -> None:
    """Writes [H, W] or RGB [H, W, 3] of uint8 as a JPEG, with colour at full resolution.

    Args:
      path: file to write.
      picture: image to write.
      quality: JPEG quality from 1 to 100.
    """
    cv2 = import_cv2()
    full = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, *full]
    write_bytes(path, _encode_picture(path, picture, ".jpg", options))


def _encode_picture(path: PathLike, picture: np.ndarray, kind: str, options: list[int]) -> bytes:
    cv2 = import_cv2()
    try:
        done, data = cv2.imencode(kind, _swap_red_and_blue(picture), options)
    except cv2.error:
        done = False
    if not done:
        height, width = picture.shape[:2]
        raise ValueError(f"{path}: OpenCV cannot write {width} x {height} pixels as {kind}")
    return bytes(data.tobytes())


def _swap_red_and_blue(picture: np.ndarray) -> np.ndarray:
    """Converts between OpenCV's order of channels (BGR) and that of the file (RGB)."""
    cv2 = import_cv2()
    # The same code converts in both directions.
    swaps = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
    if picture.ndim == 2 or picture.shape[2] not in swaps:
        return picture
    return cv2.cvtColor(picture, swaps[picture.shape[2]])
