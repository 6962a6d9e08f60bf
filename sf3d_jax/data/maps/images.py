"""Pictures, 8 bits a channel and channels last: images in colour, and masks."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import FormatError, PathLike, headers
from sf3d_jax.data._files.pictures import (
    decode_picture,
    read_picture,
    write_jpeg,
    write_png,
)
from sf3d_jax.data.opencv import import_cv2

_JPEG_ENDINGS = (".jpg", ".jpeg")
_IMAGE_QUALITY, _MASK_QUALITY = 95, 100
_MIDDLE = 128  # the least code that is white rather than black


def read_image(path: PathLike) -> np.ndarray:
    """Reads a PNG, a JPEG, a PPM or whatever else OpenCV reads.

    Pixels stay where the file has them: an orientation tag (EXIF) is ignored, as flow and depth
    beside the image know nothing of it. Grey becomes three equal channels; alpha is dropped.

    Args:
      path: of the file.

    Returns:
      uint8 RGB [H, W, 3].

    Raises:
      FormatError: the file does not decode, or has more than 8 bits a channel.
    """
    cv2 = import_cv2()
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    return _check_depth(path, read_picture(path, flags))


def read_unit_image(path: PathLike) -> np.ndarray:
    """Reads an image of 8 or 16 bits a channel as brightness from 0 to 1.

    Args:
      path: of the file; as for `read_image`.

    Returns:
      float32 RGB [H, W, 3], the codes divided by 255 or 65535.

    Raises:
      FormatError: the file does not decode, or holds other numbers.
    """
    cv2 = import_cv2()
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    picture = read_picture(path, flags)
    if picture.dtype not in (np.uint8, np.uint16):
        raise FormatError(path, "an image of 8 or 16 bits", f"one of {picture.dtype}")
    return picture / np.float32(np.iinfo(picture.dtype).max)


def write_image(path: PathLike, image: npt.ArrayLike) -> None:
    """Writes a PNG, or a JPEG of quality 95 with colour at full resolution.

    Args:
      path: of the file, ending in .png, .jpg or .jpeg.
      image: uint8, RGB [H, W, 3] or grey [H, W].

    Raises:
      ValueError: the path ends otherwise, the image has another dtype or shape, or is too large
        for the format.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise ValueError(f"image: expected uint8, got {image.dtype}")
    if image.shape[2:] not in [(), (3,)] or image.ndim < 2 or image.size == 0:
        raise ValueError(f"image: expected [H, W, 3] or [H, W], got {list(image.shape)}")
    _write(path, image, _IMAGE_QUALITY)


def read_mask(path: PathLike, *, threshold: int | None = None) -> np.ndarray:
    """Reads a picture of black and white as a mask.

    A JPEG does not keep black and white apart exactly, so that a pixel counts by its brightness; in
    other pictures that is the largest of its channels, so that any bright colour counts. Some masks
    are made of 0 and 1: in a picture that is no JPEG and has no brightness above 1, 1 is True.

    Args:
      path: of a PNG, a JPEG or whatever else OpenCV reads, grey or in colour, without alpha or with
        the same alpha everywhere.
      threshold: the least brightness that is True, from 1 to 255. 128 unless given, when a picture
        that is no JPEG has to reach it somewhere, or to be black: one of small codes or dark
        colours would come out as False everywhere.

    Returns:
      bool [H, W].

    Raises:
      FormatError: the file does not decode, has more than 8 bits a channel, alpha that varies and
        may be the mask, or is darker than the threshold that was not given.
      ValueError: the threshold is out of range.
    """
    if threshold is not None and not 1 <= threshold <= 255:
        raise ValueError(f"threshold: expected a number from 1 to 255, got {threshold}")
    cv2 = import_cv2()
    data = Path(path).read_bytes()
    if data.startswith(headers.JPEG):
        flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
        return _check_depth(path, decode_picture(path, data, flags)) >= (threshold or _MIDDLE)
    picture = _check_depth(path, decode_picture(path, data, cv2.IMREAD_UNCHANGED))
    brightness = _brightness(path, picture)
    largest = brightness.max()
    if threshold is None and 1 < largest < _MIDDLE:
        expected = f"black and white, a mask that reaches {_MIDDLE} (pass threshold=)"
        raise FormatError(path, expected, f"a brightness of {largest} at most")
    return brightness >= (1 if largest <= 1 else threshold or _MIDDLE)


def write_mask(path: PathLike, mask: npt.ArrayLike) -> None:
    """Writes a mask as a grey picture, 0 and 255; a JPEG in quality 100, so that it reads the same.

    Args:
      path: of the file, ending in .png, .jpg or .jpeg.
      mask: bool [H, W].

    Raises:
      ValueError: the path ends otherwise, the mask has another dtype or shape, or is too large for
        the format.
    """
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"mask: expected bool [H, W], got {mask.dtype} {list(mask.shape)}")
    _write(path, np.where(mask, np.uint8(255), np.uint8(0)), _MASK_QUALITY)


def _brightness(path: PathLike, picture: np.ndarray) -> np.ndarray:
    """The largest channel of each pixel, without alpha."""
    if picture.ndim == 2:
        return picture
    *colours, last = np.moveaxis(picture, -1, 0)
    if len(colours) != 3:  # the last is no alpha
        colours.append(last)
    elif last.min() != last.max():
        raise FormatError(path, "a mask in black and white", "alpha that varies, too")
    return functools.reduce(np.maximum, colours)


def _check_depth(path: PathLike, picture: np.ndarray) -> np.ndarray:
    if picture.dtype != np.uint8:
        raise FormatError(path, "an 8-bit image", f"one of {8 * picture.itemsize} bits")
    return picture


def _write(path: PathLike, picture: np.ndarray, quality: int) -> None:
    ending = Path(path).suffix.lower()
    if ending == ".png":
        write_png(path, picture)
    elif ending in _JPEG_ENDINGS:
        write_jpeg(path, picture, quality)
    else:
        raise ValueError(f"path: expected an ending of .png, .jpg or .jpeg, got {path}")
