"""Checks of what a camera is made of; each error names the field, what fits and what came."""

import operator
from collections.abc import Mapping
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from sf3d_jax._checks import check_array
from sf3d_jax._numerics import Leaf
from sf3d_jax._numerics.concrete import read_known
from sf3d_jax._rotations import TOLERANCE, find_pose_fault
from sf3d_jax.camera._lens import COEFFICIENTS

Size = tuple[int, int]
T = TypeVar("T")


_TRAILING = {"focal": (2,), "principal_point": (2,), "world_to_camera": (3, 4), "distortion": ()}


# The axes behind those of the batch.
AXES = {"focal": 1, "principal_point": 1, "world_to_camera": 2, "distortion": 1}


def check_size(size: Size) -> Size:
    """Checks the size of an image.

    Args:
      size: (height, width).

    Returns:
      The size in Python integers.

    Raises:
      ValueError: it is no pair of integers, or a side is below 1.
    """
    try:
        height, width = map(operator.index, size)
    except (TypeError, ValueError):
        height = width = 0
    if height < 1 or width < 1:
        raise ValueError(f"size: expected two integers (height, width), at least 1, got {size}")
    return height, width


def check_window(name: str, top: ArrayLike, left: ArrayLike, inner: Size, outer: Size) -> None:
    """Raises where a window of known position does not fit; traced positions pass."""
    for start, part, whole in ((top, inner[0], outer[0]), (left, inner[1], outer[1])):
        known = read_known(start) if isinstance(start, jax.Array) else np.asarray(start)
        if known is not None and (np.any(known < 0) or np.any(known + part > whole)):
            raise ValueError(
                f"{name}: {inner} at top {top}, left {left} does not fit into {outer} (H, W)"
            )


def check_lens(name: str, model: str, distortion: Leaf) -> None:
    """Raises where the model is unknown or has another number of coefficients."""
    if model not in COEFFICIENTS:
        raise ValueError(f"{name}model: expected {set(COEFFICIENTS)}, got {model!r}")
    count = 0 if distortion is None else distortion.shape[-1]
    if count not in COEFFICIENTS[model]:
        fits = " or ".join(map(str, COEFFICIENTS[model]))
        raise ValueError(f"{name}distortion: model {model!r} has {fits} coefficients, got {count}")


def edit(camera: T, **changes: Leaf) -> T:
    """dataclasses.replace without the checks, for a camera that stays as valid as it was."""
    edited = object.__new__(type(camera))
    edited.__dict__.update(camera.__dict__, **changes)
    return edited


def check_fields(fields: Mapping[str, Leaf], model: str) -> None:
    """Checks the fields of a camera that a caller makes; what is no array passes.

    A tree of axes, shardings or booleans in the shape of a camera holds no arrays.

    Args:
      fields: those of `Camera` that are arrays, by name.
      model: its model.

    Raises:
      TypeError: a field is a list or a number instead of an array, or has no floating numbers.
      ValueError: a field has a wrong shape; or its numbers are known, and a focal length is not
        positive, one is not finite, or world_to_camera is no rotation and translation.
    """
    for name, x in fields.items():
        if isinstance(x, float) or type(x) in (list, tuple):
            raise TypeError(f"{name}: expected an array, got {type(x).__name__}")
    arrays = {name: x for name, x in fields.items() if hasattr(x, "shape") and hasattr(x, "dtype")}
    for name, x in arrays.items():
        if name == "world_to_camera" and x.shape[-2:] == (4, 4):
            message = "expected shape (..., 3, 4), got (..., 4, 4); leave out the row 0 0 0 1"
            raise ValueError(f"{name}: {message}")
        check_array(name, x, _TRAILING[name])
    if arrays and ("distortion" in arrays or fields["distortion"] is None):
        check_lens("", model, fields["distortion"])
    _check_numbers(arrays)


def _check_numbers(arrays: Mapping[str, ArrayLike]) -> None:
    for name, x in arrays.items():
        known = read_known(x)
        if known is None:
            continue
        if name == "world_to_camera":
            _check_pose(known)
            continue
        if not np.isfinite(known).all():
            raise ValueError(f"{name}: expected finite numbers, got {known.tolist()}")
        if name == "focal" and not (known > 0).all():
            message = "expected positive focal lengths (fx, fy) in pixels"
            raise ValueError(f"{name}: {message}, got {known.tolist()}")


def _check_pose(pose: np.ndarray) -> None:
    # The entries of a rotation in bfloat16 are off by 2^-9 of themselves.
    tolerance = max(TOLERANCE, float(jnp.finfo(pose.dtype).eps))
    if fault := find_pose_fault(pose, tolerance):
        expected = "expected a rotation and a translation [R | t] with X_camera = R X_world + t"
        raise ValueError(f"world_to_camera: {expected}, got {fault}")
