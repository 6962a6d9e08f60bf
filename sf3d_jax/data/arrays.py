"""Checks maps passed by the caller and converts them to NumPy float32."""

import functools
import os

import numpy as np
import numpy.typing as npt


def real_map(name: str, value: npt.ArrayLike, channels: int | None = None) -> np.ndarray:
    """Converts an argument to float32 [H, W], or [H, W, channels] if channels are given.

    Args:
      name: argument name used in error messages.
      value: array of any real dtype, including bfloat16.
      channels: length of the last axis; None if there is no such axis.

    Returns:
      The values; the same array if it is float32 already, so do not write to it.

    Raises:
      ValueError: wrong shape, empty, not real, a path, a tuple of values and mask, or a masked
        array, whose mask would be lost.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"{name}: expected a plain array, got a masked array; pass its mask apart")
    _refuse_others(name, value)
    array = make_array(name, value)
    tail = () if channels is None else (channels,)
    if array.ndim != 2 + len(tail) or array.shape[2:] != tail or array.size == 0:
        expected = ", ".join(["H", "W", *map(str, tail)])
        raise ValueError(f"{name}: expected the shape [{expected}], got {list(array.shape)}")
    if not np.can_cast(array.dtype, np.float32, "same_kind"):  # handles bfloat16, too
        raise ValueError(f"{name}: expected real numbers, got {array.dtype}")

    with np.errstate(over="ignore"):  # values beyond float32 become infinite, which is invalid
        return array.astype(np.float32, copy=False)


def _refuse_others(name: str, value: object) -> None:
    """Raises for a path, and for a tuple of values and mask as returned by the readers."""
    if isinstance(value, (str, os.PathLike)):
        reader = "read_flow" if "flow" in name else "read_map or read_disparity"
        path = os.fspath(value)
        raise ValueError(f"{name}: expected an array, got the path {path!r}; use data.{reader}")
    if parts := getattr(value, "_fields", None):
        kind = type(value).__name__
        advice = "pass one of them"
        raise ValueError(f"{name}: expected an array, got {kind} of {', '.join(parts)}; {advice}")


def make_array(name: str, value: npt.ArrayLike) -> np.ndarray:
    """Converts an argument to an array without changing its dtype.

    Args:
      name: argument name used in error messages.
      value: array, number, or nested lists of numbers.

    Raises:
      ValueError: the lists are ragged.
    """
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: expected an array, got {type(value).__name__}") from None


def valid_mask(valid: npt.ArrayLike | None, values: np.ndarray) -> np.ndarray:
    """Checks the caller's mask and clears it where the map is not finite.

    Args:
      valid: mask, bool [H, W]; None for all True.
      values: map [H, W] or [H, W, C], from `real_map`.

    Returns:
      bool [H, W].

    Raises:
      ValueError: the mask has another dtype or size, or is a masked array.
    """
    size = values.shape[:2]
    if isinstance(valid, np.ma.MaskedArray):
        raise ValueError("valid: expected a plain array, got a masked array; use .filled(False)")
    mask = np.ones(size, bool) if valid is None else make_array("valid", valid)
    if mask.dtype != bool or mask.shape != size:
        got = f"{mask.dtype} {list(mask.shape)}"
        advice = "; pass valid > 0.5" if mask.dtype.kind in "iuf" else ""
        raise ValueError(f"valid: expected bool {list(size)} like the map, got {got}{advice}")

    return mask & finite(values)


def finite(values: np.ndarray) -> np.ndarray:
    """Finds the pixels whose channels are all finite.

    Args:
      values: map [H, W] or [H, W, C].

    Returns:
      bool [H, W].
    """
    return in_all_channels(np.isfinite(values))


def in_all_channels(true: np.ndarray) -> np.ndarray:
    """Finds the pixels whose channels are all True.

    Args:
      true: bool [H, W] or [H, W, C].

    Returns:
      bool [H, W].
    """
    if true.ndim == 2:
        return true
    # Channel by channel, as `all` over a short last axis takes twenty times as long.
    return functools.reduce(np.logical_and, np.moveaxis(true, -1, 0))


def zero_unless(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sets unknown pixels to 0.

    Args:
      known: bool [H, W].
      values: map [H, W] or [H, W, C].

    Returns:
      A new array, or the same one if all pixels are known.
    """
    if known.all():
        return values
    cleared = np.zeros_like(values)
    for channel in np.ndindex(values.shape[2:]):
        np.copyto(cleared[..., *channel], values[..., *channel], where=known)
    return cleared
