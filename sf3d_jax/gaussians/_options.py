"""What `render` and `render_motion` take beside the Gaussians: checks of it."""

import operator
from typing import SupportsIndex

from sf3d_jax._checks import check_array
from sf3d_jax._numerics import Array
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.gaussians._compositing import BACKENDS

MOST_INTERSECTIONS = 2**30 - 1  # so many pairs of a Gaussian and a tile have indices


def check_scene_camera(name: str, camera: Camera) -> None:
    """Checks that a camera is one pinhole.

    Args:
      name: the argument's name, for the message.
      camera: what was passed.

    Raises:
      TypeError: it is no camera.
      ValueError: it is a batch, or has a lens.
    """
    batch = check_camera(name, camera)
    if batch:
        raise ValueError(f"{name}: expected one camera, got a batch {batch}; use jax.vmap")
    if camera.model != "pinhole":
        raise ValueError(
            f"{name}: expected a pinhole, got the lens {camera.model!r}; draw with its focal "
            "length and sample the result where the lens looks"
        )


def check_background(background: Array | None, channels: int) -> None:
    """Checks a background colour.

    Args:
      background: what was passed; None is fine.
      channels: how many numbers a colour has.

    Raises:
      TypeError: it is no floating array.
      ValueError: it has another shape.
    """
    if background is None:
        return
    check_array("background", background)
    if background.shape != (channels,):
        raise ValueError(f"background: expected shape ({channels},), got {background.shape}")


def check_room(max_intersections: SupportsIndex) -> int:
    """Checks max_intersections.

    Args:
      max_intersections: what was passed.

    Returns:
      It as a Python integer.

    Raises:
      TypeError: it is no integer that is known when the program is compiled.
      ValueError: it is below 1, or no index can count so many.
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
      backend: what was passed.

    Raises:
      ValueError: there is none of this name.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend: expected one of {BACKENDS}, got {backend!r}")


def room_for(count: SupportsIndex) -> int:
    """Room for intersections that were counted, of few sizes, so that few programs are compiled.

    The size is 4, 5, 6 or 7 times a power of two, at least 1024, and at least 1/256 above the
    count, because another program may round otherwise at the border of a tile. To draw several
    frames with one program, take the largest of their counts.

    Args:
      count: number of intersections, as `intersections_needed` gives it: an integer, or an array
        () of integers, not traced.

    Returns:
      The number to pass to `render` or `render_motion` as `max_intersections`. It is at most
      2^30 - 1 if that is enough. Else it is above, up to 2^31 for the largest count, 2^31 - 1, and
      they refuse it: so many intersections cannot be drawn.

    Raises:
      TypeError: count is no integer, or it is traced.
      ValueError: it is below 0.
    """
    number = _read_integer("count", count)
    if number < 0:
        raise ValueError(f"count: expected 0 or more, got {number}")
    # The program that draws may round otherwise at a tile's border than the one that counts, which
    # ends at the largest integer.
    least = min(number + number // 256 + 16, 2**31 - 1)
    if least <= MOST_INTERSECTIONS:
        return min(round_up(least), MOST_INTERSECTIONS)
    return round_up(least)


def round_up(count: int) -> int:
    """The next of 4, 5, 6 and 7 times a power of two, 1024 at least.

    Args:
      count: a number.

    Returns:
      A number not below it.
    """
    count = max(count, 1024)
    unit = 1 << (count - 1).bit_length() - 3
    return -(-count // unit) * unit


def _read_integer(name: str, x: SupportsIndex) -> int:
    """An integer of Python, NumPy or JAX as one of Python; raises for any other thing."""
    try:
        if isinstance(x, bool) or getattr(x, "shape", ()) != ():
            raise TypeError
        return operator.index(x)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, not traced, got {x!r}") from None
