"""Focal lengths and principal points of the frames of a transforms.json.

A frame's own values replace the root's as a whole: a frame with one focal length or angle of its
own ignores all of the root's. The root's pixels refer to the root's w x h and are scaled to each
frame's size.
"""

import math
from typing import NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.data._files.json import shorten
from sf3d_jax.data.cameras.checks import check_fits, is_same_shape
from sf3d_jax.data.cameras.lens import compute_focal
from sf3d_jax.data.cameras.transforms.columns import File, TreeLevel, convert_size, find_true

# Along x and y: in pixels, in degrees (instant-ngp), in radians.
_FOCAL, _DEGREES, _ANGLES = (
    ("fl_x", "fl_y"),
    ("x_fov", "y_fov"),
    ("camera_angle_x", "camera_angle_y"),
)
FOCAL_KEYS = (*_FOCAL, *_DEGREES, *_ANGLES)
# NeRFace: fx, fy in pixels, cx, cy as fractions of width and height.
RELATIVE = "intrinsics"
_POINT = ("cx", "cy")
KEYS = (*FOCAL_KEYS, RELATIVE, *_POINT, "w", "h")


class Intrinsics(NamedTuple):
    """The intrinsics of all frames.

    Attributes:
      sizes: [N, 2], (h, w).
      focal: [N, 2], (fx, fy); negative where an axis of the camera is reversed.
      point: [N, 2], (cx, cy), integers at pixel centres.
      relative: [N], whether they come from NeRFace's `intrinsics`.
    """

    sizes: np.ndarray
    focal: np.ndarray
    point: np.ndarray
    relative: np.ndarray


class _Part(NamedTuple):
    """The values of one level, broadcast to all frames; NaN where they are missing."""

    focal: np.ndarray
    in_pixels: np.ndarray
    point: np.ndarray
    relative: np.ndarray


def read_intrinsics(file: File, sizes: np.ndarray, told: np.ndarray) -> Intrinsics:
    """Reads the intrinsics of all frames.

    Args:
      file: the frames and the root.
      sizes: [N, 2], (h, w) of each frame.
      told: [N], whether the file states the size.

    Raises:
      FormatError: a frame has no intrinsics, or they belong to an image of another size.
    """
    common = file.root.sizes()[0]
    own = _read_part(file.frames, sizes)
    root = _read_root_part(file, own, sizes, common)

    says_focal = ~np.isnan(own.focal).any(-1)
    focal = np.where(says_focal[:, None], own.focal, root.focal)
    relative = np.where(says_focal, own.relative, root.relative)
    for i in find_true(np.isnan(focal).any(-1)):
        keys = ", ".join(map(shorten, {**file.frames.nodes[i], **file.root.nodes[0]}))
        expected = f"fl_x or camera_angle_x of {file.frames.where(i)}"
        raise FormatError(file.path, expected, keys[:200])
    says_point = ~np.isnan(own.point).all(-1)
    _check_halves(file, own.point, root.point)
    edge = np.where(says_point[:, None], own.point, root.point)
    edge = np.where(np.isnan(edge), sizes[:, ::-1] / 2, edge)
    found = Intrinsics(sizes, focal, edge - 0.5, relative)
    _check_sizes(file, found, told)
    return found


def _read_part(level: TreeLevel, sizes: np.ndarray) -> _Part:
    """Reads a level for images of given sizes; the point is counted from the image's edge."""
    sides = sizes[:, ::-1]
    given = level.vectors(RELATIVE, 4)
    relative = ~np.isnan(given).any(-1)
    for i in find_true(relative & ~((given[:, 2:] > 0) & (given[:, 2:] < 1)).all(-1)):
        expected = f"{RELATIVE} of {level.where(i)} as fx, fy, and cx, cy per width and height"
        raise FormatError(level.path, expected, f"{given[i].tolist()}")
    pixels = np.stack([level.read_numbers(key) for key in _FOCAL], -1)
    pixels = np.where(relative[:, None], given[:, :2], pixels)
    in_pixels = ~np.isnan(pixels).all(-1)
    degrees = _convert_angles(level, _DEGREES, sides, math.radians(1))
    angles = np.where(np.isnan(degrees), _convert_angles(level, _ANGLES, sides, 1.0), degrees)
    focal = np.where(np.isnan(pixels), angles, pixels)
    # Pixels are square, but the sign of the given axis says nothing about that of the other.
    focal = np.where(np.isnan(focal), np.abs(focal[:, ::-1]), focal)
    point = np.stack([level.read_numbers(key) for key in _POINT], -1)
    point = np.where(relative[:, None] & np.isnan(point), given[:, 2:] * sides, point)
    count = len(sides)
    return _Part(
        *(np.broadcast_to(x, (count, *x.shape[1:])) for x in (focal, in_pixels, point, relative))
    )


def _convert_angles(
    level: TreeLevel, keys: tuple[str, str], sides: np.ndarray, unit: float
) -> np.ndarray:
    """Converts the angles across the image to focal lengths, [N, 2]; the sign is kept."""
    angles = unit * np.stack([level.read_numbers(key) for key in keys], -1)
    bad = ~np.isnan(angles) & ~((np.abs(angles) > 1e-6) & (np.abs(angles) < math.pi))
    for i, axis in np.argwhere(bad):
        where = f"{keys[axis]} of {level.where(i)}"
        compute_focal(level.path, where, float(angles[i, axis]), 1)
    with np.errstate(divide="ignore"):
        return np.asarray(0.5 * sides / np.tan(np.where(bad, np.nan, angles) / 2))


def _read_root_part(file: File, own: _Part, sizes: np.ndarray, common: np.ndarray) -> _Part:
    """Reads the root's values, scaled to the frames' sizes; an angle spans an image of any size."""
    root = _read_part(file.root, sizes)
    inherits = np.isnan(own.focal).any(-1) & root.in_pixels
    inherits |= np.isnan(own.point).all(-1) & ~np.isnan(root.point).all(-1) & ~root.relative
    if np.isnan(common).any():
        _check_one_size(file, sizes[inherits])
        return root
    for row in np.unique(sizes[inherits & (sizes != common).any(-1)], axis=0):
        if not is_same_shape(convert_size(row), convert_size(common)):
            i = find_true(inherits & (sizes == row).all(-1))[0]
            expected = f"intrinsics in {file.frames.where(i)}, of {_format_size(row)}"
            found = f"only those shared by all frames, of {_format_size(common)}"
            raise FormatError(file.path, expected, found)
    of_common = _read_part(file.root, np.broadcast_to(common, sizes.shape))
    factor = (sizes / common)[:, ::-1]
    in_pixels = root.in_pixels[:, None]
    focal = np.where(in_pixels, of_common.focal * factor, root.focal)
    return root._replace(focal=focal, point=of_common.point * factor)


def _check_one_size(file: File, sizes: np.ndarray) -> None:
    """Refuses root values in pixels if image sizes differ by more than a turn by 90 degrees."""
    found = np.unique(np.sort(sizes, -1), axis=0)
    if len(found) > 1:
        shown = " and ".join(_format_size(row) for row in found[:3])
        expected = "w and h beside fl_x, cx and cy, or these in each frame"
        raise FormatError(file.path, expected, f"images of {shown}, upright or turned")


def _check_halves(file: File, own: np.ndarray, root: np.ndarray) -> None:
    """Refuses a principal point with one half in a frame and the other in the root."""
    mixed = (np.isnan(own).sum(-1) == 1) & (np.isnan(own) & ~np.isnan(root)).any(-1)
    for i in find_true(mixed):
        found = _POINT[int(np.isnan(own[i, 0]))]
        expected = f"cx and cy of {file.frames.where(i)}, or neither"
        raise FormatError(file.path, expected, f"only {found}, and both for all frames")


def _check_sizes(file: File, found: Intrinsics, told: np.ndarray) -> None:
    """Refuses intrinsics that do not fit an image of the frame's size."""
    rows = np.concatenate([found.focal, found.point, found.sizes, told[:, None]], -1)
    for i in sorted(np.unique(rows, axis=0, return_index=True)[1].tolist()):
        size, focal = convert_size(found.sizes[i]), np.abs(found.focal[i])
        where = file.frames.where(i)
        check_fits(file.path, where, focal, found.point[i], size, told=bool(told[i]))


def _format_size(size: np.ndarray) -> str:
    """Formats a size for an error message."""
    height, width = convert_size(size)
    return f"{width} x {height} pixels"
