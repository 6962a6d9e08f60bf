"""OpenCV, imported when an image is read, written or drawn."""

from types import ModuleType


def import_cv2() -> ModuleType:
    """Imports OpenCV, which comes with the extra `data`.

    Returns:
      The module `cv2`.

    Raises:
      ImportError: OpenCV is not installed; the message says how to install it.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError("pictures need OpenCV: pip install 'sf3d_jax[data]'") from error
    return cv2
