"""Cameras and maps as the flags of `sf3d convert` and `sf3d fit` say them."""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.cli.inputs import CameraFlags
from sf3d_jax.views import percent

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}

# Of a principal point as of a smaller image: its parts per width and height, twice, and how much
# they differ at most.
_SMALL, _ALIKE = 0.6, 0.1


class StereoCamera(NamedTuple):
    """A camera and, where it is known, the distance of its stereo partner in metres."""

    camera: sf3d.Camera
    baseline: float | None


def read_camera(
    flags: CameraFlags, size: tuple[int, int], baseline: float | None = None
) -> StereoCamera:
    """Reads the camera that the flags say.

    Args:
      flags: the flags.
      size: (height, width) of the images.
      baseline: in metres, if a flag says it; goes before that of the calibration.

    Returns:
      The camera, and the baseline where it is known.

    Raises:
      ValueError: the calibration cannot be used.
      OSError: the calibration is missing.
    """
    if flags.calibration is None:
        numbers = flags.fx, flags.fy, flags.cx, flags.cy
        return StereoCamera(sf3d.Camera.pinhole(*numbers, size), baseline)
    camera, measured = data.read_kitti_calibration(flags.calibration, size=size)
    return StereoCamera(camera, measured if baseline is None else baseline)


def read_map(
    name: str, path: Path, depth_unit: str, png_scale: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Reads one scalar map in the unit that the flags say.

    Args:
      name: kind of map, as its flag is called.
      path: file to read.
      depth_unit: a key of `METRES`.
      png_scale: value of a 16-bit .png = code / this; None if no flag says it.

    Returns:
      Values, (H, W), depths in metres, and which are known.

    Raises:
      ValueError: the file cannot be used, or flags lack its scale.
      OSError: the file is missing.
    """
    if name.endswith("disparity"):
        return data.read_disparity(path, name=name)
    scale = png_scale if path.suffix.lower() == ".png" else None
    if path.suffix.lower() == ".png" and scale is None:
        raise ValueError(f"{path}: say with --png-scale what a code of 1 means (code / scale)")
    values, known = data.read_map(path, scale=scale, name=name)
    unit = METRES[depth_unit] if name in ("depth", "next_depth") else 1.0
    return (values if unit == 1 else values * np.float32(unit)), known


def check_same_size(
    path: Path, shape: tuple[int, ...], first: Path, size: tuple[int, ...], what: str = "flow"
) -> None:
    """Refuses a map of another size than the first one.

    Args:
      path: file of the map.
      shape: (height, width) of the map.
      first: file of the first map.
      size: (height, width) of the first map.
      what: kind of the first map, for the message.

    Raises:
      ValueError: the sizes differ.
    """
    if shape != size:
        found, wanted = (f"{w} x {h}" for h, w in (shape, size))
        raise ValueError(f"{path}: has {found} pixels, but the {what} {first} has {wanted}")


def say_if_off_centre(which: str, *cameras: sf3d.Camera) -> None:
    """Notes the first camera whose principal point is as of an image of another size.

    That is one outside of the image, or at the centre of an image of about half the size or less.
    Windows of larger images have such ones, so that they are not refused.

    Args:
      which: the flag that says the cameras, as it is told.
      *cameras: that it says.
    """
    if where := next(filter(None, map(_find_off_centre, cameras)), None):
        advice = "unless this is a window of a larger one, give its own camera"
        print(f"sf3d: {which}: the principal point {where}; {advice}", file=sys.stderr)


def _find_off_centre(camera: sf3d.Camera) -> str | None:
    """Where a principal point is, if as of an image of another size."""
    height, width = camera.size
    x, y = (float(number) for number in camera.principal_point)
    # Of the centre of an image both parts are 1.
    low, high = sorted(((2 * x + 1) / width, (2 * y + 1) / height))
    if low < 0 or high > 2:
        return f"({x:g}, {y:g}) is outside of the image of {width} x {height} pixels"
    if 0 < high <= _SMALL and high - low <= _ALIKE * high:
        centred = f"the centre of about {2 * x + 1:.0f} x {2 * y + 1:.0f} pixels"
        return f"({x:g}, {y:g}) is {centred}, but the image has {width} x {height}"
    return None


def describe_scene_flow(path: Path, maps: dict[str, np.ndarray], *, is_fixed: bool) -> str:
    """One line on a file of scene flow.

    Args:
      path: of the file.
      maps: vectors [H, W, 3] in metres, and valid, bool [H, W].
      is_fixed: whether the camera was taken as fixed.

    Returns:
      The path, the share of valid pixels, the median length of their vectors, and whether the
      motion of the camera is part of them.
    """
    valid, vectors = maps["valid"], maps["vectors"]
    # Row by row: large images have little memory to spare.
    rows = [np.linalg.norm(x[known], axis=-1) for x, known in zip(vectors, valid, strict=True)]
    lengths = np.concatenate(rows)
    middle = np.median(lengths, overwrite_input=True) if lengths.size else 0
    # The units of the picture.
    length = f"{middle:.3g} m" if middle >= 0.1 else f"{1000 * middle:.3g} mm"
    median = f", median over all valid pixels {length}" if lengths.size else ""
    camera = "camera taken as fixed" if is_fixed else "camera motion removed"
    return f"{path}: {percent(valid.mean())} valid{median}; {camera}"
