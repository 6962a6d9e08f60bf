"""The lens stated by a JSON file: its model, its coefficients and its angle of view."""

import math
from collections.abc import Callable, Iterable

from sf3d_jax.data._files import FormatError, PathLike

_PERSPECTIVE = "OPENCV PINHOLE SIMPLE_PINHOLE SIMPLE_RADIAL RADIAL FULL_OPENCV PERSPECTIVE".split()
_FISHEYE = "OPENCV_FISHEYE SIMPLE_RADIAL_FISHEYE RADIAL_FISHEYE FISHEYE".split()
COEFFICIENTS = {"opencv": ("k1", "k2", "p1", "p2", "k3"), "fisheye": ("k1", "k2", "k3", "k4")}
_RATIONAL = ("k4", "k5", "k6")
_OTHERS = {"opencv": _RATIONAL, "fisheye": ("p1", "p2", "k5", "k6")}
_SMALLEST_ANGLE = 1e-6


def find_lens_model(path: PathLike, where: str, names: Iterable[str]) -> str:
    """Finds the model of a lens from the names a file gives it.

    Args:
      path: file named in error messages.
      where: part of the file named in error messages.
      names: model names such as OPENCV_FISHEYE; if empty, the model is OpenCV's.

    Returns:
      "opencv", which includes pinholes, or "fisheye".

    Raises:
      FormatError: a name denotes an unsupported or unknown model.
    """
    model = "opencv"
    for name in names:
        upper = name.upper().replace("-", "_").replace(" ", "_")
        if upper not in (*_PERSPECTIVE, *_FISHEYE):
            from sf3d_jax._checks import list_choices  # imports JAX, which takes a while

            known = list_choices([*_PERSPECTIVE, *_FISHEYE])
            expected = f"the camera_model {known} in {where}"
            raise FormatError(path, expected, repr(name[:40]))
        model = "fisheye" if upper in _FISHEYE else model
    return model


def read_coefficients(
    path: PathLike, where: str, model: str, number: Callable[[str], float | None]
) -> tuple[str, list[float] | None]:
    """Reads coefficients stored one by one.

    OpenCV's k4, k5 and k6 are used only if all three are given: a lone k4 belongs to other models.

    Args:
      path: file named in error messages.
      where: part of the file named in error messages.
      model: "opencv" or "fisheye".
      number: look-up from a name such as k1 to its number, or None.

    Returns:
      The model of `Camera` and its coefficients: a pinhole if all are zero, unless it is a fisheye.

    Raises:
      FormatError: a coefficient that the model lacks is not zero.
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
    # OpenCV's model has 4, 5 or 8 coefficients.
    return model, values[: next(n for n in (4, 5, 8) if not any(values[n:]))]


def name_params(params: Iterable[float]) -> dict[str, float]:
    """Maps nerfstudio's `distortion_params` to the names of the coefficients.

    Args:
      params: k1 k2 k3 k4 p1 p2, in this order.
    """
    return dict(zip(("k1", "k2", "k3", "k4", "p1", "p2"), map(float, params), strict=True))


def compute_focal(path: PathLike, where: str, angle: float, side: int) -> float:
    """Converts an angle of view to a focal length, side / (2 tan(angle / 2)).

    Args:
      path: file named in error messages.
      where: part of the file named in error messages.
      angle: angle of view in radians.
      side: side of the image that the angle spans, in pixels.

    Returns:
      The focal length in pixels.

    Raises:
      FormatError: the angle is not between 0 and pi.
    """
    if not _SMALLEST_ANGLE < angle < math.pi:
        raise FormatError(path, f"an angle between 0 and pi as {where}", f"{angle:g}")
    return 0.5 * side / math.tan(angle / 2)
