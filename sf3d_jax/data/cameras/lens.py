"""The lens that a JSON file states: its model, its coefficients, and the angle of its view."""

import math
from collections.abc import Callable, Iterable

from sf3d_jax.data._files import FormatError, PathLike

_PERSPECTIVE = "OPENCV PINHOLE SIMPLE_PINHOLE SIMPLE_RADIAL RADIAL FULL_OPENCV PERSPECTIVE".split()
_FISHEYE = "OPENCV_FISHEYE SIMPLE_RADIAL_FISHEYE RADIAL_FISHEYE FISHEYE".split()
COEFFICIENTS = {"opencv": ("k1", "k2", "p1", "p2", "k3"), "fisheye": ("k1", "k2", "k3", "k4")}
_RATIONAL = ("k4", "k5", "k6")
_OTHERS = {"opencv": _RATIONAL, "fisheye": ("p1", "p2", "k5", "k6")}
_SMALLEST_ANGLE = 1e-6


def lens_model(path: PathLike, where: str, names: Iterable[str]) -> str:
    """The model of a lens by the names that a file has for it.

    Args:
      path: of the file, for the error.
      where: the part of the file, for the error.
      names: such as OPENCV_FISHEYE; with none it is OpenCV's.

    Returns:
      "opencv", of which a pinhole is a case, or "fisheye".

    Raises:
      FormatError: a name is that of another model, or of a model that is not known.
    """
    model = "opencv"
    for name in names:
        upper = name.upper().replace("-", "_").replace(" ", "_")
        if upper not in (*_PERSPECTIVE, *_FISHEYE):
            expected = f"a camera_model {' or '.join([*_PERSPECTIVE, *_FISHEYE])} in {where}"
            raise FormatError(path, expected, repr(name[:40]))
        model = "fisheye" if upper in _FISHEYE else model
    return model


def coefficients(
    path: PathLike, where: str, model: str, number: Callable[[str], float | None]
) -> tuple[str, list[float] | None]:
    """The coefficients that stand one by one.

    OpenCV's k4, k5 and k6 are taken where all three are given: a k4 alone is that of other models.

    Args:
      path: of the file, for the error.
      where: the part of the file, for the error.
      model: "opencv" or "fisheye".
      number: gives the number of a name such as k1, or None.

    Returns:
      The model of `Camera` and its coefficients: a pinhole where all are zero, but for a fisheye.

    Raises:
      FormatError: another coefficient than those of the model is not zero.
    """
    names, others = COEFFICIENTS[model], _OTHERS[model]
    if model == "opencv" and all(number(name) is not None for name in _RATIONAL):
        names, others = (*names, *_RATIONAL), ()
    for name in others:
        if value := number(name):
            expected = f"a lens of {' '.join(names)} in {where}"
            raise FormatError(path, expected, f"{name} = {value:g}")
    values = [number(name) or 0.0 for name in names]
    if model == "fisheye":
        return model, values
    if not any(values):
        return "pinhole", None
    # OpenCV's model has 4, 5 or 8.
    return model, values[: next(n for n in (4, 5, 8) if not any(values[n:]))]


def params_by_name(params: Iterable[float]) -> dict[str, float]:
    """nerfstudio's `distortion_params` by the names of the coefficients.

    Args:
      params: k1 k2 k3 k4 p1 p2, in this order.

    Returns:
      The coefficients by name.
    """
    return dict(zip(("k1", "k2", "k3", "k4", "p1", "p2"), map(float, params), strict=True))


def focal_of_angle(path: PathLike, where: str, angle: float, side: int) -> float:
    """The focal length of an angle of view.

    Args:
      path: of the file, for the error.
      where: the part of the file, for the error.
      angle: in radians.
      side: of the image across which it is, in pixels.

    Returns:
      The focal length in pixels.

    Raises:
      FormatError: the angle is not between 0 and pi.
    """
    if not _SMALLEST_ANGLE < angle < math.pi:
        raise FormatError(path, f"an angle between 0 and pi as {where}", f"{angle:g}")
    return 0.5 * side / math.tan(angle / 2)
