"""Imports OpenCV when an image is read, written or drawn."""

from types import ModuleType


def import_cv2() -> ModuleType:
    """Imports OpenCV, which the extra `data` installs.

    Returns:
      The module `cv2`.

    Raises:
      ImportError: OpenCV is missing; the message says how to install it.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError("images need OpenCV: pip install 'sf3d_jax[data]'") from error
    return cv2
