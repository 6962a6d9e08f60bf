"""The values that a JSON file has for one frame, as a camera. `camera_json` says the rules."""

import functools
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from sf3d_jax.data import _poses
from sf3d_jax.data._camera_names import (
    EXAMPLES,
    NAMES,
    POSES,
    ROTATION_AND_TRANSLATION,
    ROTATIONS,
    Name,
    stated,
)
from sf3d_jax.data._camera_table import CONVENTION, MODEL, Field, Fields
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
from sf3d_jax.data._json_lens import coefficients, focal_of_angle, lens_model

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

# What `write_json_cameras` says of its files. In them nothing has to be told by its looks.
OURS = (
    "K in pixels, integers at pixel centres; size is [height, width]; world_to_camera is [R | t] "
    "in metres, X_camera = R X_world + t, with the axes x right, y down, z forward"
)

# Focal lengths per width or height of the image, but for lenses of more than 168 degrees.
_SMALLEST_FOCAL = 0.05

# Twice the principal point per width and height, where nothing else tells the resolution. Of an
# image of half or twice the size it is about 2 and .5.
_CENTRED = (0.6, 1.5)

# Two poses of one frame may differ by rounding.
_AGREEMENT = 1e-3

_SMALLEST_QUATERNION = 1e-6
_COUNTS = {"opencv": (4, 5, 8, 12), "fisheye": (4,)}

_T = TypeVar("_T")


class MissingError(Exception):
    """A camera lacks a part, which is named."""

    def __init__(self, part: str, where: str) -> None:
        """Says which names the part might have."""
        super().__init__(f"{part} for {where} (such as {EXAMPLES[part]})")


class _Part(NamedTuple):
    """A part of a camera, and what it was made of."""

    value: np.ndarray
    form: str


class _Lens(NamedTuple):
    """Focal lengths and principal point, None being the centre; integers at pixel centres."""

    focal: np.ndarray
    point: np.ndarray | None
    form: str


class _Said(NamedTuple):
    """What the file says of its conventions in words; None where it does not.

    Attributes:
      axes: "opencv" or "opengl".
      direction: "w2c" or "c2w", which names that do not say one have.
      ours: it says that `write_json_cameras` wrote it.
    """

    axes: str | None
    direction: str | None
    ours: bool


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
            places = ", ".join(field.place for field in found)
            raise FormatError(self.path, f"one {role} for {self.where}", f"several: {places}")
        if found:
            check_numbers(self.path, f"{found[0].place} of {self.where}", found[0].value)
        return found[0] if found else None

    def number(self, role: str) -> float | None:
        field = self.one(role)
        return None if field is None else float(field.value.flat[0])

    def texts(self, name: str) -> list[str]:
        return [str(field.value) for field in self.fields.get(name, [])]

    def under(self, pose: str | None) -> "_View":
        """What stands under a name of a pose."""
        kept = {name: [f for f in found if f.pose == pose] for name, found in self.fields.items()}
        return self._replace(fields=kept)


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
    said = _said(every)
    pose = _first(views, lambda view: _pose(view, said))
    if pose is None:
        raise MissingError("a pose", where)
    found_size = _first(views, lambda view: _size(view, size, said.ours))
    file_size = found_size or size
    if file_size is None:
        raise MissingError("height and width", f"{where}, or size=(height, width) from the caller")
    lens = _first(views, lambda view: _lens(view, file_size))
    if lens is None:
        raise MissingError("intrinsics", where)
    height, width = file_size
    point = np.array([(width - 1) / 2, (height - 1) / 2]) if lens.point is None else lens.point
    if not said.ours:
        _check_fits(every, lens.focal, point, file_size, told=found_size is not None)
    model, distortion = _distortion(every)
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


def _said(view: _View) -> _Said:
    """What the file says of its conventions."""
    texts = view.texts(CONVENTION)
    ours = OURS in texts
    found = [stated(text) for text in texts if text != OURS]
    axes = {pair[0] for pair in found if pair[0]}
    directions = {pair[1] for pair in found if pair[1]}
    if any(pair == (None, None) for pair in found) or len(axes) > 1 or len(directions) > 1:
        expected = f"a convention for {view.where}: OpenCV or OpenGL, w2c or c2w"
        raise FormatError(view.path, expected, ", ".join(repr(text[:40]) for text in texts[:4]))
    return _Said(next(iter(axes), None), next(iter(directions), None), ours)


def _check_fits(
    view: _View, focal: np.ndarray, point: np.ndarray, size: Size, *, told: bool
) -> None:
    """Refuses intrinsics of another resolution or unit; `told` where the file says the size."""
    sides = np.array([size[1], size[0]])
    least, most = (0, 2) if told else _CENTRED
    ratio = (2 * point + 1) / sides
    if (
        (least <= ratio).all()
        and (ratio <= most).all()
        and (focal >= _SMALLEST_FOCAL * sides).all()
    ):
        return
    raise FormatError(
        view.path,
        f"intrinsics of an image of {size[1]} x {size[0]} pixels for {view.where}",
        f"focal lengths of {focal[0]:g} and {focal[1]:g} and the principal point "
        f"({point[0]:g}, {point[1]:g}); are they those of another size?",
    )


def _pose(view: _View, said: _Said) -> _Part | None:
    """The pose, by the names that say most about it; others are not looked at."""
    candidates: list[tuple[int, Callable[[], _Part]]] = [
        (NAMES[name].rank, functools.partial(_matrix_pose, view, NAMES[name], field, said))
        for name, field in view.all(*POSES)
    ]
    for pose in dict.fromkeys(field.pose for _, field in view.all(*ROTATIONS)):
        part, name = view.under(pose), ROTATION_AND_TRANSLATION if pose is None else NAMES[pose]
        if part.all("translation", "position"):
            make = functools.partial(_rotation_and_translation, part, name, said)
            candidates.append((name.rank, make))
    if not candidates:
        return None
    best = min(rank for rank, _ in candidates)
    first, *others = [make() for rank, make in candidates if rank == best]
    for other in others:
        gap = np.abs(other.value - first.value).max()
        if gap > _AGREEMENT * max(1, np.abs(first.value).max()):
            expected = f"poses that agree for {view.where}"
            raise FormatError(view.path, expected, f"{first.form}, and another {other.form}")
    return first


def _matrix_pose(view: _View, name: Name, field: Field, said: _Said) -> _Part:
    """A pose from a matrix [3, 4] or [4, 4], or from its numbers in a row."""
    pose = field.value
    pose = pose.reshape(-1, 4) if pose.ndim == 1 else pose
    # With the translation in the last row it is a transposed matrix, whatever its name.
    if len(pose) == 4 and ends_in_one(pose.T):
        pose = pose.T if name.role == "transposed" or not ends_in_one(pose) else pose
    pose = rigid_pose(view.path, f"{field.place} of {view.where}", pose)
    return _oriented(pose, field.key, _direction(name, said), said.axes or name.axes)


def _rotation_and_translation(view: _View, name: Name, said: _Said) -> _Part:
    """[R | t], or a rotation and the place of the camera."""
    rotation, with_position = _rotation(view)
    position, translation = view.one("position"), view.one("translation")
    if translation is None and name is ROTATION_AND_TRANSLATION:
        name = name._replace(role=with_position)
    direction = _direction(name, said)
    field = translation or position
    column = np.zeros((3, 1)) if field is None else field.value.reshape(3, 1)
    if translation is None and direction == "w2c":
        column = -rotation.value @ column
    where = f"{rotation.form} of {view.where}"
    pose = rigid_pose(view.path, where, np.c_[rotation.value, column])
    form = f"{rotation.form} and {'' if field is None else field.key}"
    return _oriented(pose, form, direction, said.axes or name.axes)


def _direction(name: Name, said: _Said) -> str:
    """That of the name if it says one, else what is said in words, else what the name implies."""
    implied = "c2w" if name.role in ("c2w", "opengl") else "w2c"
    return implied if name.rank == 0 else said.direction or implied


def _oriented(pose: np.ndarray, form: str, direction: str, axes: str) -> _Part:
    says = "camera to world" if direction == "c2w" else "world to camera"
    pose = _poses.inverse(pose) if direction == "c2w" else pose
    if axes == "opengl":
        return _Part(_poses.OPENGL @ pose, f"{form} ({says}, OpenGL)")
    return _Part(pose, f"{form} ({says})")


def _rotation(view: _View) -> tuple[_Part, str]:
    """The rotation, and its direction beside the place of the camera."""
    role = next(role for role in ROTATIONS if view.all(role))
    [(name, _), *_], field = view.all(role), view.one(role)
    assert field is not None
    value = field.value
    if role == "rotation":
        value = value.reshape(3, 3)
    elif role == "rotationvector":
        value = _turned(value.reshape(3))
    else:
        if not np.linalg.norm(value) > _SMALLEST_QUATERNION:
            expected = f"a quaternion in {field.place} of {view.where}"
            raise FormatError(view.path, expected, f"{value.tolist()}")
        value = _poses.from_quaternion(value if role == "wxyz" else value[[3, 0, 1, 2]])
    return _Part(value, field.key), NAMES[name].with_position


def _turned(vector: np.ndarray) -> np.ndarray:
    """The rotation about a vector by its length in radians (Rodrigues)."""
    angle = np.linalg.norm(vector)
    x, y, z = vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    # sin(a) / a, and (1 - cos a) / a^2; both are finite at 0.
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + first * cross + second * (cross @ cross)


def _size(view: _View, wanted: Size | None, ours: bool) -> Size | None:
    """(H, W) that the file says; of a pair, the order is the one that fits what is wanted."""
    height, width = view.number("height"), view.number("width")
    ordered = height is not None and width is not None
    for role, order in (("hw", 1), ("wh", -1), ("size", 1)):
        if (height is None or width is None) and (pair := view.one(role)) is not None:
            height, width = pair.value[::order].tolist()
            ordered = role != "size" or ours or height == width
    if height is None or width is None:
        return None
    if height != int(height) or width != int(width):
        raise FormatError(view.path, f"a size in whole pixels for {view.where}", f"{width:g}")
    check_size(view.path, int(width), int(height))
    size, other = (int(height), int(width)), (int(width), int(height))
    if ordered or (wanted is not None and same_shape(size, wanted)):
        return size
    if wanted is None:
        expected = f"height and width for {view.where}, or size=(height, width) from the caller"
        raise FormatError(view.path, expected, f"the pair {list(size)} in an order nobody says")
    return other if same_shape(other, wanted) else size


def _lens(view: _View, size: Size) -> _Lens | None:
    """The intrinsics: a matrix rather than numbers, those rather than an angle of view."""
    if (field := view.one("matrix")) is not None:
        where, matrix = f"{field.place} of {view.where}", field.value
        if matrix.shape == (4,):
            return _Lens(matrix[:2], matrix[2:], field.key)
        matrix = np.r_[matrix, [[0, 0, 1]]] if matrix.shape == (2, 3) else matrix
        matrix = matrix.reshape(3, 3) if matrix.size == 9 else matrix[:3, :3]
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
    return focal_of_angle(view.path, f"{field.place} of {view.where}", angle, side)


def _distortion(view: _View) -> tuple[str, np.ndarray | None]:
    """The model and its coefficients, with zeros for those that are not given."""
    model = lens_model(view.path, view.where, view.texts(MODEL))
    field = view.one("distortion")
    if field is None:
        model, numbers = coefficients(view.path, view.where, model, view.number)
        return model, None if numbers is None else np.array(numbers)
    found, counts = field.value.reshape(-1), _COUNTS[model]
    if found[counts[-1] :].any():
        where = f"{field.place} of {view.where}"
        expected = f"at most {counts[-1]} coefficients in {where}, model {model}"
        raise FormatError(view.path, expected, f"{len(found)}")
    found = found[: counts[-1]]
    count = next(n for n in counts if n >= len(found))
    return model, np.pad(found, (0, count - len(found)))
