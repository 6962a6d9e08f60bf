"""Cameras and maps given by the flags of `sf3d convert` and `sf3d fit`."""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.cli.inputs import CameraFlags
from sf3d_jax.views import percent

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}

# A principal point belongs to a smaller image if it lies at the same fraction of width and height:
# the largest such fraction, doubled, and the largest relative difference between the two.
_SMALL, _ALIKE = 0.6, 0.1


class StereoCamera(NamedTuple):
    """A camera and the distance to its stereo partner in metres, or None if unknown."""

    camera: sf3d.Camera
    baseline: float | None


def read_camera(
    flags: CameraFlags, size: tuple[int, int], baseline: float | None = None
) -> StereoCamera:
    """Reads the camera given by the flags.

    Args:
      flags: flags of the camera.
      size: (height, width) of the images.
      baseline: metres, if given by a flag; overrides that of the calibration.

    Returns:
      The camera, and the baseline if known.

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
    """Reads one scalar map in the unit given by the flags.

    Args:
      name: kind of map, the field name of its flag.
      path: file to read.
      depth_unit: key of `METRES`.
      png_scale: divisor of the codes of a 16-bit .png; None if not given.

    Returns:
      Values (H, W), with depths in metres, and a mask of the known ones.

    Raises:
      ValueError: the file cannot be used, or its scale is not given.
      OSError: the file is missing.
    """
    if name.endswith("disparity"):
        return data.read_disparity(path, name=name)
    scale = png_scale if path.suffix.lower() == ".png" else None
    if path.suffix.lower() == ".png" and scale is None:
        raise ValueError(f"{path}: give --png-scale, the number to divide the codes by")
    values, known = data.read_map(path, scale=scale, name=name)
    unit = METRES[depth_unit] if name in ("depth", "next_depth") else 1.0
    return (values if unit == 1 else values * np.float32(unit)), known


def check_same_size(
    path: Path, shape: tuple[int, ...], first: Path, size: tuple[int, ...], what: str = "flow"
) -> None:
    """Refuses a map whose size differs from that of the first one.

    Args:
      path: file of the map.
      shape: (height, width) of the map.
      first: file of the first map.
      size: (height, width) of the first map.
      what: kind of the first map, used in messages.

    Raises:
      ValueError: the sizes differ.
    """
    if shape != size:
        found, wanted = (f"{w} x {h}" for h, w in (shape, size))
        raise ValueError(f"{path}: has {found} pixels, but the {what} {first} has {wanted}")


def say_if_off_centre(which: str, *cameras: sf3d.Camera) -> None:
    """Prints a note on the first camera that seems to belong to an image of another size.

    Its principal point lies outside the image, or at the centre of an image of about half the size
    or less. Crops of larger images have such cameras, so they are not refused.

    Args:
      which: flag that gives the cameras, for the note.
      *cameras: cameras to look at.
    """
    if where := next(filter(None, map(_find_off_centre, cameras)), None):
        advice = "unless this is a crop of a larger image, give the camera of this one"
        print(f"sf3d: {which}: the principal point {where}; {advice}", file=sys.stderr)


def _find_off_centre(camera: sf3d.Camera) -> str | None:
    """Describes where a principal point is, if it seems to belong to an image of another size."""
    height, width = camera.size
    x, y = (float(number) for number in camera.principal_point)
    # Both are 1 for a principal point at the centre of the image.
    low, high = sorted(((2 * x + 1) / width, (2 * y + 1) / height))
    if low < 0 or high > 2:
        return f"({x:g}, {y:g}) is outside the image of {width} x {height} pixels"
    if 0 < high <= _SMALL and high - low <= _ALIKE * high:
        centred = f"the centre of about {2 * x + 1:.0f} x {2 * y + 1:.0f} pixels"
        return f"({x:g}, {y:g}) is {centred}, but the image has {width} x {height}"
    return None


def describe_scene_flow(path: Path, maps: dict[str, np.ndarray], *, is_fixed: bool) -> str:
    """Describes a file of scene flow in one line.

    Args:
      path: file of scene flow.
      maps: vectors [H, W, 3] in metres, and valid, bool [H, W].
      is_fixed: whether the camera was taken as fixed.

    Returns:
      The path, the share of valid pixels, the median length of their vectors, and whether the
      motion of the camera was removed.
    """
    valid, vectors = maps["valid"], maps["vectors"]
    # Row by row, to save memory with large images.
    rows = [np.linalg.norm(x[known], axis=-1) for x, known in zip(vectors, valid, strict=True)]
    lengths = np.concatenate(rows)
    middle = np.median(lengths, overwrite_input=True) if lengths.size else 0
    median = f", median over all valid pixels {format_length(middle)}" if lengths.size else ""
    camera = "camera taken as fixed" if is_fixed else "camera motion removed"
    return f"{path}: {percent(valid.mean())} valid{median}; {camera}"


def format_length(metres: float) -> str:
    """Formats a length in the units of the figure.

    Args:
      metres: length in metres.

    Returns:
      Three digits, in metres or millimetres.
    """
    return f"{metres:.3g} m" if metres >= 0.1 else f"{1000 * metres:.3g} mm"
