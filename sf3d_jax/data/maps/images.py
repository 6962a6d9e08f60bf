"""Colour images and masks, channels last."""

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
from sf3d_jax.data.maps.kitti_png import has_mask_codes
from sf3d_jax.data.opencv import import_cv2

_JPEG_ENDINGS = (".jpg", ".jpeg")
_IMAGE_QUALITY, _MASK_QUALITY = 95, 100
_MIDDLE = 128  # smallest code that counts as white


def read_image(path: PathLike) -> np.ndarray:
    """Reads an 8-bit image: a PNG, a JPEG, a PPM or any other format that OpenCV reads.

    Pixels keep their places in the file: an orientation tag (EXIF) is ignored, because flow and
    depth files do not follow it. Grey becomes three equal channels; alpha is dropped.

    Args:
      path: file to read.

    Returns:
      uint8 RGB [H, W, 3].

    Raises:
      FormatError: the file cannot be decoded, or has more than 8 bits per channel.
    """
    cv2 = import_cv2()
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    return _check_depth(path, read_picture(path, flags))


def read_unit_image(path: PathLike) -> np.ndarray:
    """Reads an image of 8 or 16 bits per channel, scaled to 0..1.

    An orientation tag (EXIF) is ignored. Grey becomes three equal channels; alpha is dropped.

    Args:
      path: file to read, in any format that OpenCV reads.

    Returns:
      float32 RGB [H, W, 3], the codes divided by 255 or 65535.

    Raises:
      FormatError: the file cannot be decoded, has another bit depth, or holds flow.
    """
    cv2 = import_cv2()
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    picture = read_picture(path, flags)
    if picture.dtype not in (np.uint8, np.uint16):
        raise FormatError(path, "an image of 8 or 16 bits", f"an image of {picture.dtype}")
    if picture.dtype == np.uint16 and _is_flow(picture):
        raise FormatError(path, "an image", "a 16-bit flow PNG; read it with read_flow")
    return picture / np.float32(np.iinfo(picture.dtype).max)


def _is_flow(picture: np.ndarray) -> bool:
    """Whether 16-bit RGB codes are KITTI's flow, with 0 or 1 in blue, or TartanAir V2's."""
    red, green, blue = (picture[..., i] for i in range(3))
    is_kitti = blue.max() == 1 and max(red.max(), green.max()) > 1
    is_tartanair = red.max() > 0 and blue.max() > 255 and has_mask_codes(red)
    return bool(is_kitti or is_tartanair)


def write_image(path: PathLike, image: npt.ArrayLike) -> None:
    """Writes a PNG, or a JPEG of quality 95 with colour at full resolution.

    Args:
      path: file to write, ending in .png, .jpg or .jpeg.
      image: uint8, RGB [H, W, 3] or grey [H, W].

    Raises:
      ValueError: the ending is another one, the dtype or shape is wrong, or the image is too large
        for the format.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise ValueError(f"image: expected uint8, got {image.dtype}")
    if image.shape[2:] not in [(), (3,)] or image.ndim < 2 or image.size == 0:
        raise ValueError(f"image: expected [H, W, 3] or [H, W], got {list(image.shape)}")
    _write(path, image, _IMAGE_QUALITY)


def read_mask(path: PathLike, *, threshold: int | None = None) -> np.ndarray:
    """Reads a black and white image as a mask: True where brightness >= threshold.

    The brightness of a pixel is its largest channel, so any bright colour counts; in a JPEG it is
    the grey value. If no pixel of an image other than a JPEG is brighter than 1, it is a mask of 0
    and 1, and 1 is True.

    Args:
      path: PNG, JPEG or any other format that OpenCV reads, grey or in colour, without alpha or
        with constant alpha.
      threshold: smallest brightness that is True, from 1 to 255; None for 128. Without it, an image
        other than a JPEG must be black or reach 128 somewhere: small codes or dark colours would
        all be read as False.

    Returns:
      bool [H, W].

    Raises:
      FormatError: the file cannot be decoded, has more than 8 bits per channel, has varying alpha,
        which may be the mask, or does not reach the default threshold.
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
    brightness = _compute_brightness(path, picture)
    largest = brightness.max()
    if threshold is None and 1 < largest < _MIDDLE:
        expected = f"a mask that reaches a brightness of {_MIDDLE} (or pass threshold=)"
        raise FormatError(path, expected, f"at most {largest}")
    return brightness >= (1 if largest <= 1 else threshold or _MIDDLE)


def write_mask(path: PathLike, mask: npt.ArrayLike) -> None:
    """Writes a mask as a grey image of 0 and 255; a JPEG gets quality 100 and is read back exactly.

    Args:
      path: file to write, ending in .png, .jpg or .jpeg.
      mask: bool [H, W].

    Raises:
      ValueError: the ending is another one, the dtype or shape is wrong, or the mask is too large
        for the format.
    """
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"mask: expected bool [H, W], got {mask.dtype} {list(mask.shape)}")
    _write(path, np.where(mask, np.uint8(255), np.uint8(0)), _MASK_QUALITY)


def _compute_brightness(path: PathLike, picture: np.ndarray) -> np.ndarray:
    """Computes the largest channel of each pixel, without alpha."""
    if picture.ndim == 2:
        return picture
    *colours, last = np.moveaxis(picture, -1, 0)
    if len(colours) != 3:  # the last channel is not alpha
        colours.append(last)
    elif last.min() != last.max():
        raise FormatError(path, "a black and white mask without alpha", "varying alpha")
    return functools.reduce(np.maximum, colours)


def _check_depth(path: PathLike, picture: np.ndarray) -> np.ndarray:
    if picture.dtype != np.uint8:
        raise FormatError(path, "an 8-bit image", f"{8 * picture.itemsize} bits")
    return picture


def _write(path: PathLike, picture: np.ndarray, quality: int) -> None:
    ending = Path(path).suffix.lower()
    if ending == ".png":
        write_png(path, picture)
    elif ending in _JPEG_ENDINGS:
        write_jpeg(path, picture, quality)
    else:
        raise ValueError(f"path: expected an ending of .png, .jpg or .jpeg, got {path}")
