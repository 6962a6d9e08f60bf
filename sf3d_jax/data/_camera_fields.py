"""The values that a JSON file has for one frame, as a camera. `camera_json` says the rules."""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from sf3d_jax.data import _poses
from sf3d_jax.data._camera_names import MODELS, NAMES
from sf3d_jax.data._camera_table import Field, Fields
from sf3d_jax.data._cameras import (
    Size,
    ends_in_one,
    intrinsics,
    make_camera,
    resized,
    rigid_pose,
    same_shape,
)
from sf3d_jax.data._files import FormatError, PathLike, check_size
from sf3d_jax.data._json import check_numbers

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

# Intrinsics per width and height of the image are no more than that.
_FEW_PIXELS = 20

# Two poses of one frame may differ by rounding.
_AGREEMENT = 1e-3

_OPENCV = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
_FISHEYE = ("k1", "k2", "k3", "k4")
_SMALLEST_QUATERNION = 1e-6
_SMALLEST_ANGLE = 1e-6

_T = TypeVar("_T")

_COUNTS = {"opencv": (4, 5, 8, 12), "fisheye": (4,)}


class MissingError(Exception):
    """A camera lacks a part, which is named."""


class _Part(NamedTuple):
    """A part of a camera, and what it was made of."""

    value: np.ndarray
    form: str


class _Lens(NamedTuple):
    """Focal lengths and principal point, None being the centre; integers at pixel centres."""

    focal: np.ndarray
    point: np.ndarray | None
    form: str


class _View(NamedTuple):
    """Some values of a frame, by their roles."""

    path: PathLike
    where: str
    fields: Fields

    def all(self, *roles: str) -> list[tuple[str, Field]]:
        """Every value of some roles, with its simple name."""
        return [
            (name, field)
            for name, found in self.fields.items()
            if name in NAMES and NAMES[name].role in roles
            for field in found
        ]

    def one(self, role: str) -> Field | None:
        """The value of a role."""
        found = [field for _, field in self.all(role)]
        if any(not np.array_equal(field.value, found[0].value) for field in found[1:]):
            keys = ", ".join(field.key for field in found)
            raise FormatError(self.path, f"one {role} for {self.where}", f"several: {keys}")
        if found:
            check_numbers(self.path, f"{found[0].key} of {self.where}", found[0].value)
        return found[0] if found else None

    def number(self, role: str) -> float | None:
        field = self.one(role)
        return None if field is None else float(field.value.flat[0])


def camera_of(
    path: PathLike, where: str, own: Fields, shared: Fields, size: Size | None
) -> tuple["Camera", str]:
    """The camera of a frame.

    Args:
      path: of the file, for the error.
      where: the frame, for the error.
      own: what the file says of the frame.
      shared: what the file says of all frames.
      size: (H, W) that is wanted; None takes that of the file.

    Returns:
      The camera and its form, such as "K and w2c (world to camera)".

    Raises:
      MissingError: there is no pose or no size, or there are no intrinsics.
      FormatError: a part makes no sense.
    """
    every = _View(path, where, {**shared, **own})
    views = _View(path, where, own), every
    pose = _first(views, _pose)
    if pose is None:
        raise MissingError(f"a pose for {where}")
    said = _first(views, lambda view: _size(view, size))
    file_size = said or size
    if file_size is None:
        raise MissingError(f"height and width for {where}, or size=(height, width) from the caller")
    lens = _first(views, lambda view: _lens(view, file_size))
    if lens is None:
        raise MissingError(f"intrinsics for {where}")
    height, width = file_size
    point = np.array([(width - 1) / 2, (height - 1) / 2]) if lens.point is None else lens.point
    if said is None:
        _check_fits(every, lens.focal, point, file_size)
    model, distortion = _distortion(every) or ("pinhole", None)
    camera = make_camera(
        path,
        where,
        focal=lens.focal,
        principal_point=point,
        size=file_size,
        world_to_camera=pose.value,
        distortion=distortion,
        model=model,
    )
    return resized(path, where, camera, size or file_size), f"{lens.form} and {pose.form}"


def _first(views: Iterable[_View], part: Callable[[_View], _T | None]) -> _T | None:
    """A part by what the frame says itself or, failing that, by what all frames have too."""
    found = (part(view) for view in views)
    return next((x for x in found if x is not None), None)


def _check_fits(view: _View, focal: np.ndarray, point: np.ndarray, size: Size) -> None:
    """Refuses intrinsics of another resolution where the file does not say of which."""
    height, width = size
    inside = -0.5 <= point[0] <= width - 0.5 and -0.5 <= point[1] <= height - 0.5
    per_image = (0 < point).all() and (point <= 1).all() and (focal < _FEW_PIXELS).all()
    if not inside or (per_image and max(size) > _FEW_PIXELS):
        raise FormatError(
            view.path,
            f"intrinsics of an image of {width} x {height} pixels for {view.where}",
            f"focal lengths of {focal[0]:g} and {focal[1]:g} and the principal point "
            f"({point[0]:g}, {point[1]:g}); are they those of another size?",
        )


def _pose(view: _View) -> _Part | None:
    """The pose, by the names that say most about it."""
    found: list[tuple[int, _Part]] = []
    for name, field in view.all("w2c", "c2w", "opengl", "transposed", "translation"):
        if field.value.size < 12:
            continue
        role, rank = NAMES[name].role, NAMES[name].rank
        role, rank = ("w2c", 3) if role == "translation" else (role, rank)
        found.append((rank, _matrix_pose(view, field, role)))
    if (parts := _rotation_and_translation(view)) is not None:
        found.append((2, parts))
    if not found:
        return None
    best = min(rank for rank, _ in found)
    parts_of_best = [part for rank, part in found if rank == best]
    first = parts_of_best[0]
    for part in parts_of_best[1:]:
        gap = np.abs(part.value - first.value).max()
        if gap > _AGREEMENT * max(1, np.abs(first.value).max()):
            expected = f"poses that agree for {view.where}"
            raise FormatError(view.path, expected, f"{first.form}, and another {part.form}")
    return first


def _matrix_pose(view: _View, field: Field, role: str) -> _Part:
    """A pose from a matrix [3, 4] or [4, 4], or from its numbers in a row."""
    where = f"{field.key} of {view.where}"
    pose = field.value
    pose = pose.reshape(-1, 4) if pose.ndim == 1 else pose
    # With the translation in the last row it is a transposed matrix, whatever its name.
    if len(pose) == 4 and ends_in_one(pose.T) and (role == "transposed" or not ends_in_one(pose)):
        pose = pose.T
    pose = rigid_pose(view.path, where, pose)
    if role in ("c2w", "opengl"):
        axes = _poses.OPENGL if role == "opengl" else None
        says = "camera to world, OpenGL" if role == "opengl" else "camera to world"
        return _Part(_poses.from_camera_to_world(pose, axes), f"{field.key} ({says})")
    return _Part(pose, f"{field.key} (world to camera)")


def _rotation_and_translation(view: _View) -> _Part | None:
    """[R | t], or the rotation and the position of a camera as 3D Gaussian Splatting has them."""
    rotation = _rotation(view)
    if rotation is None:
        return None
    small = {
        name: [field for field in found if field.value.size == 3]
        for name, found in view.fields.items()
        if name in NAMES and NAMES[name].role in ("translation", "position")
    }
    vectors = _View(view.path, view.where, {name: found for name, found in small.items() if found})
    where = f"{rotation.form} of {view.where}"
    if (translation := vectors.one("translation")) is not None:
        pose = np.c_[rotation.value, translation.value.reshape(3, 1)]
        form = f"{rotation.form} and {translation.key} (world to camera)"
        return _Part(rigid_pose(view.path, where, pose), form)
    position = vectors.one("position")
    if position is None or "rotation" not in view.fields:
        return None
    pose = rigid_pose(view.path, where, np.c_[rotation.value, position.value.reshape(3, 1)])
    return _Part(_poses.inverse(pose), "rotation and position (camera to world)")


def _rotation(view: _View) -> _Part | None:
    if (field := view.one("rotation")) is not None:
        return _Part(field.value.reshape(3, 3), field.key)
    if (field := view.one("rotationvector")) is not None:
        return _Part(_turned(field.value.reshape(3)), field.key)
    for role, order in (("wxyz", [0, 1, 2, 3]), ("xyzw", [3, 0, 1, 2])):
        if (field := view.one(role)) is not None:
            quaternion = field.value[order]
            if not np.linalg.norm(quaternion) > _SMALLEST_QUATERNION:
                expected = f"a quaternion in {field.key} of {view.where}"
                raise FormatError(view.path, expected, f"{field.value.tolist()}")
            return _Part(_poses.from_quaternion(quaternion), field.key)
    return None


def _turned(vector: np.ndarray) -> np.ndarray:
    """The rotation about a vector by its length in radians (Rodrigues)."""
    angle = np.linalg.norm(vector)
    x, y, z = vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    # sin(a) / a, and (1 - cos a) / a^2; both are finite at 0.
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + first * cross + second * (cross @ cross)


def _size(view: _View, wanted: Size | None) -> Size | None:
    """(H, W) that the file says; of a pair, the order is the one that fits what is wanted."""
    height, width = view.number("height"), view.number("width")
    pair = view.one("size")
    if height is not None and width is not None:
        pair = None
    elif pair is None:
        return None
    else:
        height, width = pair.value.tolist()
    if height != int(height) or width != int(width):
        raise FormatError(view.path, f"a size in whole pixels for {view.where}", f"{width:g}")
    check_size(view.path, int(width), int(height))
    size, other = (int(height), int(width)), (int(width), int(height))
    if pair is None or wanted is None or same_shape(size, wanted):
        return size
    return other if same_shape(other, wanted) else size


def _lens(view: _View, size: Size) -> _Lens | None:
    """The intrinsics: a matrix rather than numbers, those rather than an angle of view."""
    if (field := view.one("matrix")) is not None:
        where = f"{field.key} of {view.where}"
        if field.value.shape == (4,):
            return _Lens(field.value[:2], field.value[2:], field.key)
        matrix = field.value.reshape(3, 3) if field.value.size == 9 else field.value[:3, :3]
        return _Lens(*intrinsics(view.path, where, matrix), field.key)
    cx, cy, pair = view.number("cx"), view.number("cy"), view.one("principalpoint")
    point = None if pair is None else pair.value
    point = point if cx is None or cy is None else np.array([cx, cy])
    for first, second, form in (("flx", "fly", "fl_x"), ("fx", "fy", "fx")):
        if (fx := view.number(first)) is not None:
            fy = view.number(second)
            point = point - 0.5 if point is not None and first == "flx" else point
            return _Lens(np.array([fx, fx if fy is None else fy]), point, form)
    if (field := view.one("focal")) is not None:
        return _Lens(np.broadcast_to(field.value, 2), point, field.key)
    return _lens_of_angles(view, size, point)


def _lens_of_angles(view: _View, size: Size, point: np.ndarray | None) -> _Lens | None:
    """The intrinsics by the angle of view across the image, or up and down."""
    x, y = (
        None if (field := view.one(role)) is None else _focal(view, field, side)
        for role, side in (("fovx", size[1]), ("fovy", size[0]))
    )
    x, y = (y if x is None else x), (x if y is None else y)
    return None if x is None or y is None else _Lens(np.array([x, y]), point, "angle of view")


def _focal(view: _View, field: Field, side: int) -> float:
    """The focal length of an angle; beyond pi it is in degrees."""
    angle = float(field.value)
    angle = math.radians(angle) if angle > math.pi else angle
    if not _SMALLEST_ANGLE < angle < math.pi:
        expected = f"an angle of view in {field.key} of {view.where}"
        raise FormatError(view.path, expected, f"{float(field.value):g}")
    return 0.5 * side / math.tan(angle / 2)


def _distortion(view: _View) -> tuple[str, np.ndarray] | None:
    """The model and its coefficients, with zeros for those that are not given."""
    texts = [str(f.value) for name in MODELS for f in view.fields.get(name, [])]
    model = "fisheye" if any("fisheye" in text.lower() for text in texts) else "opencv"
    field = view.one("distortion")
    if field is not None:
        key, coefficients = field.key, field.value.reshape(-1)
    else:
        names = _FISHEYE if model == "fisheye" else _OPENCV
        key, coefficients = "k1", np.array([view.number(name) or 0.0 for name in names])
        if model == "opencv" and not coefficients.any():
            return None
        while len(coefficients) > 4 and coefficients[-1] == 0:
            coefficients = coefficients[:-1]
    counts = _COUNTS[model]
    if coefficients[counts[-1] :].any():
        expected = f"at most {counts[-1]} coefficients in {key} of {view.where}, model {model}"
        raise FormatError(view.path, expected, f"{len(coefficients)}")
    coefficients = coefficients[: counts[-1]]
    count = next(n for n in counts if n >= len(coefficients))
    return model, np.pad(coefficients, (0, count - len(coefficients)))
