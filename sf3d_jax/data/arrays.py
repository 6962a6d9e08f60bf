"""What a caller hands over as a map: checked once, and turned into NumPy float32."""

import functools
import os

import numpy as np
import numpy.typing as npt


def real_map(name: str, value: npt.ArrayLike, channels: int | None = None) -> np.ndarray:
    """The argument as float32 [H, W], or [H, W, channels] where channels are given.

    Args:
      name: of the argument, for the error message.
      value: any real dtype, bfloat16 included.
      channels: the length of the last axis, if there should be one.

    Returns:
      The numbers; the same array where it is float32 already, so that it is not to be changed.

    Raises:
      ValueError: a wrong shape, an empty map, a dtype that is not real, a path, values and mask in
        one, or an array with a mask of its own, which would be lost.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"{name}: expected a plain array and its mask apart, got a masked array")
    _refuse_others(name, value)
    array = make_array(name, value)
    tail = () if channels is None else (channels,)
    if array.ndim != 2 + len(tail) or array.shape[2:] != tail or array.size == 0:
        expected = ", ".join(["H", "W", *map(str, tail)])
        raise ValueError(f"{name}: expected the shape [{expected}], got {list(array.shape)}")
    if not np.can_cast(array.dtype, np.float32, "same_kind"):  # knows bfloat16, too
        raise ValueError(f"{name}: expected real numbers, got {array.dtype}")

    with np.errstate(over="ignore"):  # a float64 beyond float32 is infinite: no value
        return array.astype(np.float32, copy=False)


def _refuse_others(name: str, value: object) -> None:
    """Raises for a path, and for values with their mask as readers return them."""
    if isinstance(value, (str, os.PathLike)):
        reader = "read_flow" if "flow" in name else "read_map or read_disparity"
        path = os.fspath(value)
        raise ValueError(f"{name}: expected an array, got the path {path!r}; use data.{reader}")
    if parts := getattr(value, "_fields", None):
        kind = type(value).__name__
        raise ValueError(f"{name}: expected an array, got {kind} of {', '.join(parts)}; give one")


def make_array(name: str, value: npt.ArrayLike) -> np.ndarray:
    """The argument as an array of its own dtype.

    Args:
      name: of the argument, for the error message.
      value: an array, a number, or lists of them.

    Raises:
      ValueError: lists of several lengths.
    """
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: expected an array, got {type(value).__name__}") from None


def valid_mask(valid: npt.ArrayLike | None, values: np.ndarray) -> np.ndarray:
    """Where a map has values: bool [H, W], False where the map is not finite.

    Args:
      valid: the caller's mask, bool [H, W]; all True where not given.
      values: [H, W] or [H, W, C], as `real_map` returns it.

    Raises:
      ValueError: the mask has another dtype or size, or a mask of its own.
    """
    size = values.shape[:2]
    if isinstance(valid, np.ma.MaskedArray):
        raise ValueError("valid: expected a plain array, got a masked array; use .filled(False)")
    mask = np.ones(size, bool) if valid is None else make_array("valid", valid)
    if mask.dtype != bool or mask.shape != size:
        got = f"{mask.dtype} {list(mask.shape)}"
        advice = "; pass valid > 0.5" if mask.dtype.kind in "iuf" else ""
        raise ValueError(f"valid: expected bool {list(size)}, as the map, got {got}{advice}")

    return mask & finite(values)


def finite(values: np.ndarray) -> np.ndarray:
    """The pixels all of whose numbers are finite.

    Args:
      values: [H, W] or [H, W, C].

    Returns:
      bool [H, W].
    """
    return in_all_channels(np.isfinite(values))


def in_all_channels(true: np.ndarray) -> np.ndarray:
    """The pixels all of whose channels are True.

    Args:
      true: bool [H, W] or [H, W, C].

    Returns:
      bool [H, W].
    """
    if true.ndim == 2:
        return true
    # One channel after the other: `all` over a short last axis takes twenty times as long.
    return functools.reduce(np.logical_and, np.moveaxis(true, -1, 0))


def zero_unless(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values where they are known, and 0 elsewhere.

    Args:
      known: bool [H, W].
      values: [H, W] or [H, W, C].

    Returns:
      The values, the same array if all are known.
    """
    if known.all():
        return values
    cleared = np.zeros_like(values)
    for channel in np.ndindex(values.shape[2:]):
        np.copyto(cleared[..., *channel], values[..., *channel], where=known)
    return cleared
