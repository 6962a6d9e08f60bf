"""Reading and writing flow and scalar maps in any of these formats.

The format is chosen by the ending of the file, or by `format=`:

    ending   format=   flow            disparity, other maps
    .flo     "flo"     Middlebury      -
    .png     "kitti"   16-bit KITTI    16-bit: code = value times 256 (disparity) or `scale`
    .pfm     "pfm"     PF              Pf
    .npy     "npy"     [H, W, 2]       [H, W] or [H, W, 1]
    .npz     "npz"     `flow`          an array [H, W]; mask `valid`, `valid_mask` or `mask`
    .flo5    "spring"  HDF5 `flow`     -
    .dsp5    "spring"  -               HDF5 `disparity`
    .dpt     "sintel"  -               depth, for `read_map` and `write_map` only
    -        "vkitti2" Virtual KITTI 2 -
    -        "tartanair"               TartanAir V2: flow, and depth for `read_map`, `write_map`

Invalid pixels hold 0 and are False in `valid`.
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
    """Reader and writer of one kind of map, an array with NaN at invalid pixels."""

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
    """Reads optical flow from .flo, PNG, .pfm, .npy, .npz or .flo5.

    Args:
      path: file to read.
      format: "flo", "kitti", "pfm", "npy", "npz", "spring", "vkitti2" or "tartanair"; None to
        choose by the ending of the file, "kitti" for .png.

    Returns:
      Flow (u, v) in pixels, float32 [H, W, 2], and valid, bool [H, W]. Pixels are invalid if the
      format marks them so (above 1e9 in .flo, 0 in the blue channel of a KITTI PNG, not 0 in the
      red one of TartanAir) or if they are not finite.

    Raises:
      FormatError: the file does not hold flow in this format, or its ending is unknown.
    """
    flow = read_flow_numbers(path, format=format)
    valid = finite(flow)
    return FlowMap(zero_unless(valid, flow), valid)


def read_flow_numbers(path: PathLike, *, format: str | None = None) -> np.ndarray:
    """Reads optical flow with NaN at unknown pixels.

    Args:
      path: file to read.
      format: a format of `read_flow`; None to choose by the ending.

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
    """Writes optical flow to .flo, PNG, .pfm, .npy, .npz or .flo5.

    Args:
      path: file to write.
      flow: real [H, W, 2], (u, v) in pixels. Non-finite pixels are written as invalid.
      valid: bool [H, W], mask of the valid pixels; None for all.
      format: "flo", "kitti", "pfm", "npy", "npz", "spring", "vkitti2" or "tartanair"; None to
        choose by the ending of the file, "kitti" for .png.

    Raises:
      FormatError: the ending is unknown.
      ValueError: the shape or dtype is wrong, or a PNG cannot hold a value.
    """
    writer = _choose(path, format, _FLOW_FORMATS)
    flow = real_map("flow", flow, channels=2)
    known = valid_mask(valid, flow)
    writer.write(path, np.where(known[..., None], flow, np.float32(np.nan)))


def read_disparity(
    path: PathLike, *, format: str | None = None, name: str = "disparity"
) -> ScalarMap:
    """Reads disparity from a 16-bit PNG, .pfm, .npy, .npz or .dsp5.

    Args:
      path: file to read.
      format: "kitti", "pfm", "npy", "npz" or "spring"; None to choose by the ending of the file.
      name: name of the array in an .npz that holds several.

    Returns:
      Disparity in pixels, float32 [H, W], and valid, bool [H, W]. The sign is dropped, because both
      signs are in use. Pixels are invalid if they are 0 (no surface) or not finite.

    Raises:
      FormatError: the file does not hold disparity in this format, or its ending is unknown.
    """
    scale = kitti_png.DISPARITY_SCALE
    formats = _make_scalar_formats(scale, name)
    disparity = np.abs(_choose(path, format, formats).read(path))
    return _make_scalar_map(disparity, np.isfinite(disparity) & (disparity > 0))


def write_disparity(
    path: PathLike,
    disparity: npt.ArrayLike,
    valid: npt.ArrayLike | None = None,
    *,
    format: str | None = None,
) -> None:
    """Writes disparity to a 16-bit PNG, .pfm, .npy, .npz or .dsp5, with 0 at invalid pixels.

    Args:
      path: file to write.
      disparity: real [H, W] in pixels. Pixels that are not positive and finite become invalid.
      valid: bool [H, W], mask of the valid pixels; None for all.
      format: "kitti", "pfm", "npy", "npz" or "spring"; None to choose by the ending of the file.

    Raises:
      FormatError: the ending is unknown.
      ValueError: the shape or dtype is wrong, or a value is 256 or more, which a PNG cannot hold.
    """
    formats = {**_make_scalar_formats(kitti_png.DISPARITY_SCALE), "npz": _DISPARITY_ARCHIVE}
    writer = _choose(path, format, formats)
    disparity = real_map("disparity", disparity)
    known = valid_mask(valid, disparity) & (disparity > 0)
    writer.write(path, _make_scalar_map(disparity, known).values)


def read_map(
    path: PathLike,
    *,
    format: str | None = None,
    scale: float | None = None,
    name: str | None = None,
) -> ScalarMap:
    """Reads a scalar map: depth, inverse depth, its change, motion in depth, or any other.

    Args:
      path: file to read.
      format: "kitti" (any 16-bit PNG), "pfm", "npy", "npz", "spring", "sintel" (depth) or
        "tartanair" (depth); None to choose by the ending of the file.
      scale: value = code / scale; required for a PNG, and not allowed for other formats.
      name: kind of map in an .npz, such as "depth": the array of that name is read, else the only
        one whose name does not denote another kind, such as disparity.

    Returns:
      Values, float32 [H, W], and valid, bool [H, W]. Pixels are invalid if they are not finite or,
      in a PNG, 0; elsewhere 0 and negative numbers are valid.

    Raises:
      FormatError: the file does not hold a scalar map in this format, or its ending is unknown.
      ValueError: scale is missing, not positive, or given for another format than PNG.
    """
    values = _choose_scaled(path, format, scale, name).read(path)
    return _make_scalar_map(values, np.isfinite(values))


def write_map(
    path: PathLike,
    values: npt.ArrayLike,
    valid: npt.ArrayLike | None = None,
    *,
    format: str | None = None,
    scale: float | None = None,
) -> None:
    """Writes a scalar map: depth, inverse depth, its change, motion in depth, or any other.

    Args:
      path: file to write.
      values: real [H, W]. Non-finite pixels are written as invalid; in a PNG so is 0, and a
        positive value gets at least the code 1.
      valid: bool [H, W], mask of the valid pixels; None for all.
      format: "kitti" (any 16-bit PNG), "pfm", "npy", "npz", "spring", "sintel" (depth) or
        "tartanair" (depth); None to choose by the ending of the file.
      scale: code = value * scale, rounded; required for a PNG, and not allowed for other formats.

    Raises:
      FormatError: the ending is unknown.
      ValueError: the shape or dtype is wrong; a PNG cannot hold a value (negative, or above
        65535 / scale); or the scale is missing, not positive, or given for another format.
    """
    writer = _choose_scaled(path, format, scale)
    values = real_map("values", values)
    known = valid_mask(valid, values)
    writer.write(path, np.where(known, values, np.float32(np.nan)))


def _make_scalar_formats(scale: float, name: str | None = None) -> Mapping[str, _Format]:
    read_png = partial(kitti_png.read_scalar, scale=scale)
    write_png = partial(kitti_png.write_scalar, scale=scale)
    return {
        "kitti": _Format(".png", read_png, write_png),
        "pfm": _Format(".pfm", pfm.read_scalar, pfm.write),
        "npy": _Format(".npy", npy.read_scalar, npy.write),
        "npz": _Format(".npz", partial(npz.read_scalar, name=name), npz.write),
        "spring": _Format(".dsp5", hdf5.read_scalar, hdf5.write_scalar),
    }


def _make_map_formats(scale: float, name: str | None) -> Mapping[str, _Format]:
    depths = {
        "sintel": _Format(".dpt", flo.read_depth, flo.write_depth),
        "tartanair": _Format(None, tartanair_png.read_depth, tartanair_png.write_depth),
    }
    return {**_make_scalar_formats(scale, name), **depths}


def _choose(path: PathLike, format: str | None, formats: Mapping[str, _Format]) -> _Format:
    ending = Path(path).suffix.lower()
    for name, candidate in formats.items():
        if name == format or (format is None and candidate.ending == ending):
            return candidate

    from sf3d_jax._checks import list_choices  # imports JAX, which takes a while

    endings = list_choices([chosen.ending for chosen in formats.values() if chosen.ending])
    raise FormatError(
        path,
        f"the ending {endings}, or format= with {list_choices(formats)}",
        f"the ending {ending!r}" if format is None else f"format={format!r}",
    )


def _choose_scaled(
    path: PathLike, format: str | None, scale: float | None, name: str | None = None
) -> _Format:
    chosen = _choose(path, format, _make_map_formats(1 if scale is None else scale, name))
    if (chosen.ending == ".png") != (scale is not None):
        need = "needs a scale" if scale is None else "takes no scale"
        raise ValueError(
            f"scale: {path}, read as {chosen.ending or format}, {need}; "
            "only the codes of a 16-bit PNG are scaled"
        )
    if scale is not None and not 0 < scale < np.inf:
        raise ValueError(f"scale: expected a positive number, got {scale}")
    return chosen


def _make_scalar_map(values: np.ndarray, valid: np.ndarray) -> ScalarMap:
    return ScalarMap(zero_unless(valid, values), valid)
