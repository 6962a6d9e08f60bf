"""Flow and scalar maps from and to files, in whatever format.

The format is told by the ending of the file, or by `format=`:

    ending   format=   flow            disparity, other maps
    .flo     "flo"     Middlebury      -
    .png     "kitti"   16-bit KITTI    16-bit, a code is a value times 256 (disparity) or `scale`
    .pfm     "pfm"     PF              Pf
    .npy     "npy"     [H, W, 2]       [H, W] or [H, W, 1]
    .npz     "npz"     `flow`          one of that shape; with a mask `valid`, `valid_mask`, `mask`
    .flo5    "spring"  HDF5 `flow`     -
    .dsp5    "spring"  -               HDF5 `disparity`
    .dpt     "sintel"  -               depth, so that only `read_map` and `write_map` have it
    -        "vkitti2" Virtual KITTI 2 -
    -        "tartanair"               TartanAir V2: flow, and depth by `read_map` and `write_map`

A pixel without a value holds 0 and is False in `valid`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.arrays import finite, real_map, valid_mask, zero_unless
from sf3d_jax.data.maps import flo, hdf5, kitti_png, npy, npz, pfm, tartanair_png, vkitti2_png
from sf3d_jax.data.maps.kinds import FlowMap, ScalarMap


class _Format(NamedTuple):
    """A format of one kind of map, an array with NaN where there is no value."""

    ending: str | None
    read: Callable[[PathLike], np.ndarray]
    write: Callable[[PathLike, np.ndarray], None]


_FLOW_FORMATS = {
    "flo": _Format(".flo", flo.read, flo.write),
    "kitti": _Format(".png", kitti_png.read_flow, kitti_png.write_flow),
    "pfm": _Format(".pfm", pfm.read_flow, pfm.write),
    "npy": _Format(".npy", npy.read_flow, npy.write),
    "npz": _Format(".npz", npz.read_flow, partial(npz.write, name="flow")),
    "spring": _Format(".flo5", hdf5.read_flow, hdf5.write_flow),
    "vkitti2": _Format(None, vkitti2_png.read_flow, vkitti2_png.write_flow),
    "tartanair": _Format(None, tartanair_png.read_flow, tartanair_png.write_flow),
}

_DISPARITY_ARCHIVE = _Format(
    ".npz", partial(npz.read_scalar, name="disparity"), partial(npz.write, name="disparity")
)


def read_flow(path: PathLike, *, format: str | None = None) -> FlowMap:
    """Reads optical flow.

    Args:
      path: of the file.
      format: "flo", "kitti", "pfm", "npy", "npz", "spring", "vkitti2" or "tartanair"; by the ending
        of the file when not given, a .png as KITTI's.

    Returns:
      The flow. Invalid is what the format marks so (above 1e9 in .flo, no blue in a PNG, and red in
      one of TartanAir) and what is not finite.

    Raises:
      FormatError: the file does not hold flow in this format, or its ending is unknown.
    """
    flow = read_flow_numbers(path, format=format)
    valid = finite(flow)
    return FlowMap(zero_unless(valid, flow), valid)


def read_flow_numbers(path: PathLike, *, format: str | None = None) -> np.ndarray:
    """Reads optical flow as `read_flow`, with NaN where it is unknown.

    Args:
      path: of the file.
      format: as for `read_flow`.

    Returns:
      float32 [H, W, 2].

    Raises:
      FormatError: the file does not hold flow in this format, or its ending is unknown.
    """
    return _choose(path, format, _FLOW_FORMATS).read(path)


def write_flow(
    path: PathLike,
    flow: npt.ArrayLike,
    valid: npt.ArrayLike | None = None,
    *,
    format: str | None = None,
) -> None:
    """Writes optical flow.

    Args:
      path: of the file.
      flow: real [H, W, 2], (u, v) in pixels. What is not finite is written as invalid.
      valid: bool [H, W], all where not given.
      format: "flo", "kitti", "pfm", "npy", "npz", "spring", "vkitti2" or "tartanair"; by the ending
        of the file when not given, a .png as KITTI's.

    Raises:
      FormatError: the ending is unknown.
      ValueError: a wrong shape or dtype, or a value that a PNG cannot hold.
    """
    writer = _choose(path, format, _FLOW_FORMATS)
    flow = real_map("flow", flow, channels=2)
    known = valid_mask(valid, flow)
    writer.write(path, np.where(known[..., None], flow, np.float32(np.nan)))


def read_disparity(
    path: PathLike, *, format: str | None = None, name: str = "disparity"
) -> ScalarMap:
    """Reads disparity.

    Args:
      path: of the file.
      format: "kitti", "pfm", "npy", "npz" or "spring"; by the ending of the file when not given.
      name: of the array of an .npz, which may hold several.

    Returns:
      The disparity in pixels, positive: its sign is dropped, because both are in circulation.
      Invalid is what is 0 (no surface) or not finite.

    Raises:
      FormatError: the file does not hold disparity in this format, or its ending is unknown.
    """
    scale = kitti_png.DISPARITY_SCALE
    formats = _scalar_formats(scale, name)
    disparity = np.abs(_choose(path, format, formats).read(path))
    return _scalar_map(disparity, np.isfinite(disparity) & (disparity > 0))


def write_disparity(
    path: PathLike,
    disparity: npt.ArrayLike,
    valid: npt.ArrayLike | None = None,
    *,
    format: str | None = None,
) -> None:
    """Writes disparity, 0 where it is invalid.

    Args:
      path: of the file.
      disparity: real [H, W] in pixels. What is not positive and finite is written as invalid.
      valid: bool [H, W], all where not given.
      format: "kitti", "pfm", "npy", "npz" or "spring"; by the ending of the file when not given.

    Raises:
      FormatError: the ending is unknown.
      ValueError: a wrong shape or dtype, or a value that a KITTI PNG cannot hold (256 or more).
    """
    formats = {**_scalar_formats(kitti_png.DISPARITY_SCALE), "npz": _DISPARITY_ARCHIVE}
    writer = _choose(path, format, formats)
    disparity = real_map("disparity", disparity)
    known = valid_mask(valid, disparity) & (disparity > 0)
    writer.write(path, _scalar_map(disparity, known).values)


def read_map(
    path: PathLike,
    *,
    format: str | None = None,
    scale: float | None = None,
    name: str | None = None,
) -> ScalarMap:
    """Reads a scalar map of any meaning: depth, inverse depth, its change, motion in depth.

    Args:
      path: of the file.
      format: "kitti" (any 16-bit PNG), "pfm", "npy", "npz", "spring", "sintel" (depth) or
        "tartanair" (depth); by the ending of the file when not given.
      scale: for a PNG, and there required: a value is its code divided by this.
      name: what the map is, such as "depth", for an .npz: the array of this name, or else the only
        one whose name is not that of another kind, such as disparity.

    Returns:
      The map. Invalid is what is not finite and, in a PNG, 0; elsewhere 0 and negative numbers
      are values like any other.

    Raises:
      FormatError: the file does not hold a scalar map in this format, or its ending is unknown.
      ValueError: scale is missing, not positive, or given for another format than PNG.
    """
    values = _choose_scaled(path, format, scale, name).read(path)
    return _scalar_map(values, np.isfinite(values))


def write_map(
    path: PathLike,
    values: npt.ArrayLike,
    valid: npt.ArrayLike | None = None,
    *,
    format: str | None = None,
    scale: float | None = None,
) -> None:
    """Writes a scalar map of any meaning: depth, inverse depth, its change, motion in depth.

    Args:
      path: of the file.
      values: real [H, W]. What is not finite is written as invalid; so is 0 in a PNG, where a
        positive value gets at least the code 1.
      valid: bool [H, W], all where not given.
      format: "kitti" (any 16-bit PNG), "pfm", "npy", "npz", "spring", "sintel" (depth) or
        "tartanair" (depth); by the ending of the file when not given.
      scale: for a PNG, and there required: the code is the value times this, rounded.

    Raises:
      FormatError: the ending is unknown.
      ValueError: a wrong shape or dtype, a value that the PNG cannot hold (negative, or above
        65535 / scale), or a scale that is missing, not positive, or given for another format.
    """
    writer = _choose_scaled(path, format, scale)
    values = real_map("values", values)
    known = valid_mask(valid, values)
    writer.write(path, np.where(known, values, np.float32(np.nan)))


def _scalar_formats(scale: float, name: str | None = None) -> Mapping[str, _Format]:
    read_png = partial(kitti_png.read_scalar, scale=scale)
    write_png = partial(kitti_png.write_scalar, scale=scale)
    return {
        "kitti": _Format(".png", read_png, write_png),
        "pfm": _Format(".pfm", pfm.read_scalar, pfm.write),
        "npy": _Format(".npy", npy.read_scalar, npy.write),
        "npz": _Format(".npz", partial(npz.read_scalar, name=name), npz.write),
        "spring": _Format(".dsp5", hdf5.read_scalar, hdf5.write_scalar),
    }


def _map_formats(scale: float, name: str | None) -> Mapping[str, _Format]:
    depths = {
        "sintel": _Format(".dpt", flo.read_depth, flo.write_depth),
        "tartanair": _Format(None, tartanair_png.read_depth, tartanair_png.write_depth),
    }
    return {**_scalar_formats(scale, name), **depths}


def _choose(path: PathLike, format: str | None, formats: Mapping[str, _Format]) -> _Format:
    ending = Path(path).suffix.lower()
    for name, candidate in formats.items():
        if name == format or (format is None and candidate.ending == ending):
            return candidate

    endings = ", ".join(chosen.ending for chosen in formats.values() if chosen.ending)
    raise FormatError(
        path,
        f"one of the endings {endings} or a format= of {', '.join(map(repr, formats))}",
        f"the ending {ending!r}" if format is None else f"format={format!r}",
    )


def _choose_scaled(
    path: PathLike, format: str | None, scale: float | None, name: str | None = None
) -> _Format:
    chosen = _choose(path, format, _map_formats(1 if scale is None else scale, name))
    if (chosen.ending == ".png") != (scale is not None):
        need = "needs one" if scale is None else "has none"
        raise ValueError(
            f"scale: {path} as {chosen.ending or format} {need}; only a PNG of integers is scaled"
        )
    if scale is not None and not 0 < scale < np.inf:
        raise ValueError(f"scale: expected a positive number, got {scale}")
    return chosen


def _scalar_map(values: np.ndarray, valid: np.ndarray) -> ScalarMap:
    return ScalarMap(zero_unless(valid, values), valid)
