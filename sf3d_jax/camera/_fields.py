"""Checks of a camera's fields. Errors name the field, what was expected, and what came."""

import operator
from collections.abc import Mapping
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from sf3d_jax._checks import check_array, check_choice
from sf3d_jax._numerics import Leaf
from sf3d_jax._numerics.concrete import read_known
from sf3d_jax._rotations import TOLERANCE, find_pose_fault
from sf3d_jax.camera._lens import COEFFICIENTS

Size = tuple[int, int]
T = TypeVar("T")


_TRAILING = {"focal": (2,), "principal_point": (2,), "world_to_camera": (3, 4), "distortion": ()}


# Number of axes after the batch axes.
AXES = {"focal": 1, "principal_point": 1, "world_to_camera": 2, "distortion": 1}


def check_size(size: Size) -> Size:
    """Checks the size of an image.

    Args:
      size: (height, width).

    Returns:
      The size as Python integers.

    Raises:
      ValueError: size is not a pair of integers, or a side is below 1.
    """
    try:
        height, width = map(operator.index, size)
    except (TypeError, ValueError):
        height = width = 0
    if height < 1 or width < 1:
        raise ValueError(f"size: expected two integers (height, width), at least 1, got {size}")
    return height, width


def check_window(name: str, top: ArrayLike, left: ArrayLike, inner: Size, outer: Size) -> None:
    """Raises if a window does not fit; a traced position is not checked."""
    for start, part, whole in ((top, inner[0], outer[0]), (left, inner[1], outer[1])):
        known = read_known(start) if isinstance(start, jax.Array) else np.asarray(start)
        if known is not None and (np.any(known < 0) or np.any(known + part > whole)):
            raise ValueError(
                f"{name}: {inner} at top {top}, left {left} does not fit into {outer} (H, W)"
            )


def check_lens(name: str, model: str, distortion: Leaf) -> None:
    """Raises if the model is unknown or does not have this number of coefficients."""
    check_choice(f"{name}model", model, COEFFICIENTS)
    count = 0 if distortion is None else distortion.shape[-1]
    if count not in COEFFICIENTS[model]:
        fits = " or ".join(map(str, COEFFICIENTS[model]))
        raise ValueError(f"{name}distortion: model {model!r} has {fits} coefficients, got {count}")


def check_pose(name: str, pose: object) -> None:
    """Checks the shape of a transform, and its values where they are known.

    Args:
      name: argument name used in error messages.
      pose: (*b, 3, 4).

    Raises:
      ValueError: the shape is wrong, or the transform is not a rotation and a translation.
    """
    _check_no_four_rows(name, pose)
    check_array(name, pose, (3, 4))
    known = read_known(pose)
    if known is not None:
        _check_rotation(name, known)


def edit(camera: T, **changes: Leaf) -> T:
    """dataclasses.replace without checks, for edits that cannot make a camera invalid."""
    edited = object.__new__(type(camera))
    edited.__dict__.update(camera.__dict__, **changes)
    return edited


def check_fields(fields: Mapping[str, Leaf], model: str) -> None:
    """Checks the fields of a camera that the user makes.

    Other objects than arrays, lists and numbers pass: a pytree of axes, shardings or booleans may
    have the structure of a camera.

    Args:
      fields: the array fields of `Camera` by name.
      model: the lens model.

    Raises:
      ValueError: a shape is wrong; or a known value is bad: a focal length that is not positive, a
        non-finite value, or a world_to_camera that is not a rotation and a translation.
    """
    for name, x in fields.items():
        if isinstance(x, float) or type(x) in (list, tuple):
            raise TypeError(f"{name}: expected an array, got {type(x).__name__}")
    arrays = {name: x for name, x in fields.items() if hasattr(x, "shape") and hasattr(x, "dtype")}
    for name, x in arrays.items():
        if name == "world_to_camera":
            _check_no_four_rows(name, x)
        check_array(name, x, _TRAILING[name])
    if arrays and ("distortion" in arrays or fields["distortion"] is None):
        check_lens("", model, fields["distortion"])
    _check_numbers(arrays)


def _check_no_four_rows(name: str, x: object) -> None:
    if getattr(x, "shape", ())[-2:] == (4, 4):
        message = "expected shape (..., 3, 4), got (..., 4, 4); remove the last row 0 0 0 1"
        raise ValueError(f"{name}: {message}")


def _check_numbers(arrays: Mapping[str, ArrayLike]) -> None:
    for name, x in arrays.items():
        known = read_known(x)
        if known is None:
            continue
        if name == "world_to_camera":
            _check_rotation(name, known)
            continue
        if not np.isfinite(known).all():
            raise ValueError(f"{name}: expected finite numbers, got {known.tolist()}")
        if name == "focal" and not (known > 0).all():
            message = "expected positive focal lengths (fx, fy) in pixels"
            raise ValueError(f"{name}: {message}, got {known.tolist()}")


def _check_rotation(name: str, pose: np.ndarray) -> None:
    # Rounding to bfloat16 changes an entry by up to 2^-9 of its size.
    tolerance = max(TOLERANCE, float(jnp.finfo(pose.dtype).eps))
    if fault := find_pose_fault(pose, tolerance):
        before, after = ("world", "camera") if name == "world_to_camera" else ("old", "new")
        expected = (
            f"expected a rotation and a translation [R | t] with X_{after} = R X_{before} + t"
        )
        raise ValueError(f"{name}: {expected}, got {fault}")
