"""Checks of the arguments that `render` and `render_motion` take besides the Gaussians."""

import operator
from typing import SupportsIndex

from sf3d_jax._checks import check_array, check_choice
from sf3d_jax._numerics import Array
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.gaussians._compositing import BACKENDS

MOST_INTERSECTIONS = 2**30 - 1  # pairs of a Gaussian and a tile that indices can count


def check_scene_camera(name: str, camera: Camera) -> None:
    """Checks that a camera is a single pinhole.

    Args:
      name: argument name used in error messages.
      camera: camera to check.

    Raises:
      TypeError: it is not a Camera.
      ValueError: it is a batch, or has a lens.
    """
    batch = check_camera(name, camera)
    if batch:
        raise ValueError(f"{name}: expected one camera, got a batch {batch}; use jax.vmap")
    if camera.model != "pinhole":
        raise ValueError(
            f"{name}: expected a pinhole, got the lens {camera.model!r}; draw with a pinhole "
            "of its focal length and sample the image at the lens's positions"
        )


def check_background(background: Array | None, channels: int) -> None:
    """Checks a background colour.

    Args:
      background: colour to check, or None.
      channels: number of channels of a colour.

    Raises:
      TypeError: it is not a floating-point array.
      ValueError: its shape is not (channels,).
    """
    if background is None:
        return
    check_array("background", background)
    if background.shape != (channels,):
        raise ValueError(f"background: expected shape ({channels},), got {background.shape}")


def check_room(max_intersections: SupportsIndex) -> int:
    """Checks max_intersections.

    Args:
      max_intersections: value to check.

    Returns:
      The value as a Python integer.

    Raises:
      TypeError: it is not an integer, or it is traced.
      ValueError: it is not between 1 and 2^30 - 1.
    """
    number = _read_integer("max_intersections", max_intersections)
    if not 1 <= number <= MOST_INTERSECTIONS:
        raise ValueError(
            f"max_intersections: expected 1 to 2^30 - 1, got {number}; "
            "a scene with more intersections cannot be drawn"
        )
    return number


def check_backend(backend: str) -> None:
    """Checks the name of a back end.

    Args:
      backend: name to check.

    Raises:
      ValueError: it is not one of BACKENDS.
    """
    check_choice("backend", backend, BACKENDS)


def room_for(count: SupportsIndex) -> int:
    """Rounds a count of intersections up to a buffer size, so that few programs are compiled.

    The size is 4, 5, 6 or 7 times a power of two, at least 1024 and at least 1/256 above the count,
    since another program may round differently at the border of a tile. To draw several frames with
    one program, pass the largest of their counts.

    Args:
      count: number of intersections, as returned by `intersections_needed`: an integer, or an
        integer array () that is not traced.

    Returns:
      The `max_intersections` of `render` and `render_motion`, at most 2^30 - 1 if that suffices.
      Larger counts give a larger size, up to 2^31, which they refuse: such a scene cannot be drawn.

    Raises:
      TypeError: count is not an integer, or is traced.
      ValueError: count is negative.
    """
    number = _read_integer("count", count)
    if number < 0:
        raise ValueError(f"count: expected 0 or more, got {number}")
    # The drawing program may round differently at a tile's border than the counting one. Counts
    # end at the largest integer.
    least = min(number + number // 256 + 16, 2**31 - 1)
    if least <= MOST_INTERSECTIONS:
        return min(round_up(least), MOST_INTERSECTIONS)
    return round_up(least)


def round_up(count: int) -> int:
    """Rounds up to 4, 5, 6 or 7 times a power of two, at least 1024.

    Args:
      count: number to round.

    Returns:
      The rounded number.
    """
    count = max(count, 1024)
    unit = 1 << (count - 1).bit_length() - 3
    return -(-count // unit) * unit


def _read_integer(name: str, x: SupportsIndex) -> int:
    """An integer of Python, NumPy or JAX as a Python integer; TypeError otherwise."""
    try:
        if isinstance(x, bool) or getattr(x, "shape", ()) != ():
            raise TypeError
        return operator.index(x)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, not traced, got {x!r}") from None
