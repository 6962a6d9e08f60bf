"""Pictures: 8-bit RGB, channels last."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import FormatError, PathLike, import_cv2, read_picture, write_png


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
    image = read_picture(path, flags)
    if image.dtype != np.uint8:
        raise FormatError(path, "an 8-bit image", f"one of {8 * image.itemsize} bits")
    return image


def write_image(path: PathLike, image: npt.ArrayLike) -> None:
    """Writes a PNG.

    Args:
      path: of the file, ending in .png.
      image: uint8, RGB [H, W, 3] or grey [H, W].

    Raises:
      ValueError: the path ends otherwise, or the image has another dtype or shape.
    """
    image = np.asarray(image)
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"path: expected an ending of .png, got {path}")
    if image.dtype != np.uint8:
        raise ValueError(f"image: expected uint8, got {image.dtype}")
    if image.shape[2:] not in [(), (3,)] or image.ndim < 2 or image.size == 0:
        raise ValueError(f"image: expected [H, W, 3] or [H, W], got {list(image.shape)}")

    write_png(path, image)
