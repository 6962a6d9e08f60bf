"""The formats of the KITTI 2015 benchmark: 16-bit PNG maps and the calibration.

Flow: u = (R - 2^15) / 64, v = (G - 2^15) / 64 pixels, valid where B > 0 and nowhere else: files
differ in what they put into R and G of an invalid pixel. Disparity: I / 256 pixels, 0 where there
is none; depth maps are written the same way with other divisors. In memory, a pixel without a
value is NaN.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, read_png16, write_png

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

_LARGEST_CODE = 65535
_FLOW_ZERO, _FLOW_SCALE = 32768, 64
DISPARITY_SCALE = 256


class Calibration(NamedTuple):
    """A rectified stereo pair.

    Attributes:
      camera: the left camera, pinhole, taken as the reference (no rotation, no translation).
      baseline: the distance of the right camera in metres.
    """

    camera: "Camera"
    baseline: float


def read_flow(path: PathLike) -> np.ndarray:
    """Reads a flow PNG.

    Args:
      path: of the file.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, NaN where invalid.

    Raises:
      FormatError: the file is not a 16-bit PNG of three channels.
    """
    codes = read_png16(path, 3, "KITTI flow")
    flow = (codes[..., :2].astype(np.float32) - _FLOW_ZERO) / _FLOW_SCALE
    flow[codes[..., 2] == 0] = np.nan
    return flow


def write_flow(path: PathLike, flow: np.ndarray) -> None:
    """Writes a flow PNG, rounding to the nearest 1/64 pixel.

    Args:
      path: of the file.
      flow: float32 [H, W, 2], (u, v) in pixels, NaN where invalid.

    Raises:
      ValueError: a valid pixel lies outside [-512, 511.98].
    """
    valid = np.isfinite(flow).all(-1, keepdims=True)
    codes = np.rint(flow.astype(np.float64) * _FLOW_SCALE) + _FLOW_ZERO
    bad = valid[..., 0] & ((codes < 0) | (codes > _LARGEST_CODE)).any(-1)
    if bad.any():
        raise ValueError(
            f"flow: {bad.sum()} valid pixels lie outside [-512, 511.98], the range of a KITTI PNG: "
            "mark them invalid, or write another format"
        )

    codes = np.where(valid, codes, 0)
    write_png(path, np.concatenate([codes, valid], axis=-1).astype(np.uint16))


def read_scalar(path: PathLike, scale: float) -> np.ndarray:
    """Reads a scalar PNG.

    Args:
      path: of the file.
      scale: the codes of one unit: a value is its code divided by this.

    Returns:
      float32 [H, W], NaN where the file has 0.

    Raises:
      FormatError: the file is not a 16-bit PNG of one channel.
    """
    codes = read_png16(path, 1, "a scalar map such as KITTI disparity")
    return np.where(codes > 0, codes / scale, np.nan).astype(np.float32)


def write_scalar(path: PathLike, values: np.ndarray, scale: float) -> None:
    """Writes a scalar PNG, rounding to the nearest code.

    Args:
      path: of the file.
      values: float32 [H, W]; 0 and NaN become 0, which means invalid. A positive value gets at
        least the code 1, as in the benchmark's own code, so that it stays valid.
      scale: the codes of one unit: a value times this is its code.

    Raises:
      ValueError: a value is negative or too large.
    """
    valid = np.isfinite(values)
    codes = np.rint(np.where(valid, values, 0).astype(np.float64) * scale)
    codes = np.where(values > 0, np.maximum(codes, 1), codes)
    bad = (values < 0) | (codes > _LARGEST_CODE)
    if bad.any():
        raise ValueError(
            f"{bad.sum()} valid pixels lie outside [0, {_LARGEST_CODE / scale:.6g}], the range of "
            f"a 16-bit PNG with scale {scale:g}: mark them invalid, or write another format"
        )

    write_png(path, codes.astype(np.uint16))


def read_kitti_calibration(
    path: PathLike, *, size: tuple[int, int] | None = None, camera: int = 2
) -> Calibration:
    """Reads the rectified cameras from a calib_cam_to_cam.txt or a file of P0 to P3.

    K is the left 3x3 of the left camera's projection P. As P[0, 3] = -fx times the camera's place
    to the right, the baseline is (P_left[0, 3] - P_right[0, 3]) / fx.

    Args:
      path: of the file.
      size: (height, width) of the images; needed where the file does not say it (S_rect).
      camera: the left camera of the pair, 2 for colour (2 and 3), 0 for grey (0 and 1).

    Returns:
      The left camera and the baseline in metres.

    Raises:
      FormatError: the file lacks the matrices, or the size while none is given, or its right
        camera is not to the right.
      ValueError: camera is neither 0 nor 2.
    """
    if camera not in (0, 2):
        raise ValueError(f"camera: expected 0 or 2, a left camera, got {camera}")
    from sf3d_jax.camera import Camera

    entries = _read_entries(path)
    left = _projection(path, entries, camera)
    right = _projection(path, entries, camera + 1)
    if size is None:
        size = _rectified_size(path, entries, camera)

    (fx, _, cx, _), (_, fy, cy, _) = left[:2].tolist()
    baseline = (left[0, 3] - right[0, 3]) / left[0, 0]
    if not baseline > 0:
        raise FormatError(
            path,
            f"P{camera + 1} to the right of P{camera}",
            f"a baseline of {baseline:g} m; are the two exchanged?",
        )
    return Calibration(Camera.pinhole(fx, fy, cx, cy, size), float(baseline))


def _read_entries(path: PathLike) -> dict[str, str]:
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    lines = [line.partition(":") for line in text.splitlines()]
    return {key.strip(): value for key, colon, value in lines if colon}


def _numbers(path: PathLike, key: str, text: str, count: int) -> np.ndarray:
    try:
        numbers = np.array(text.split(), np.float64)
    except ValueError:
        numbers = np.array([])
    if numbers.size != count or not np.isfinite(numbers).all():
        raise FormatError(path, f"{count} numbers after {key}:", repr(text.strip()[:60]))
    return numbers


def _projection(path: PathLike, entries: dict[str, str], camera: int) -> np.ndarray:
    """The 3x4 projection of a camera, in either layout."""
    names = f"P_rect_{camera:02d}", f"P{camera}"
    key = next((name for name in names if name in entries), None)
    if key is None:
        raise FormatError(path, f"a line {names[0]}: or {names[1]}:", f"{len(entries)} others")
    projection = _numbers(path, key, entries[key], 12).reshape(3, 4)
    if not (projection[0, 0] > 0 and projection[1, 1] > 0):
        raise FormatError(path, f"positive focal lengths in {key}", repr(entries[key].strip()))
    return projection


def _rectified_size(path: PathLike, entries: dict[str, str], camera: int) -> tuple[int, int]:
    """(height, width), which the file has the other way round."""
    key = f"S_rect_{camera:02d}"
    if key not in entries:
        raise FormatError(path, f"a line {key}: or size=(height, width) from the caller", "neither")
    width, height = _numbers(path, key, entries[key], 2)
    return int(height), int(width)
