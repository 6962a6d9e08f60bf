"""The pose of one frame in a JSON file, by the rules listed in `by_content`."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, check_numbers
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.cameras.by_content.table import CONVENTION, Field, Fields
from sf3d_jax.data.cameras.checks import check_rigid_pose, has_unit_last_row
from sf3d_jax.data.cameras.names import (
    NAMES,
    POSES,
    ROTATION_AND_TRANSLATION,
    ROTATIONS,
    Name,
    read_convention,
)

# The marker that `write_json_cameras` puts into its files; nothing in them has to be guessed.
OURS = (
    "K in pixels, integers at pixel centres; size is [height, width]; world_to_camera is [R | t] "
    "in metres, X_camera = R X_world + t, with the axes x right, y down, z forward"
)

# Two poses of one frame may differ by rounding.
_AGREEMENT = 1e-3


class Part(NamedTuple):
    """A part of a camera, and the keys it was read from."""

    value: np.ndarray
    form: str


class Conventions(NamedTuple):
    """Conventions that the file states in words; None where it does not.

    Attributes:
      axes: "opencv" or "opengl".
      direction: "w2c" or "c2w", for poses whose names do not state one.
      ours: whether `write_json_cameras` wrote the file.
    """

    axes: str | None
    direction: str | None
    ours: bool


class FrameFields(NamedTuple):
    """Values of a frame, looked up by role."""

    path: PathLike
    where: str
    fields: Fields

    def all(self, *roles: str) -> list[tuple[str, Field]]:
        """Lists every value of the given roles, with its simplified name."""
        return [
            (name, field)
            for name, found in self.fields.items()
            if name in NAMES and NAMES[name].role in roles
            for field in found
        ]

    def one(self, role: str) -> Field | None:
        """Returns the value of a role, or None; several must agree."""
        found = [field for _, field in self.all(role)]
        if any(not np.array_equal(field.value, found[0].value) for field in found[1:]):
            places = ", ".join(field.place for field in found)
            raise FormatError(self.path, f"one {role} for {self.where}", f"several: {places}")
        if found:
            check_numbers(self.path, f"{found[0].place} of {self.where}", found[0].value)
        return found[0] if found else None

    def number(self, role: str) -> float | None:
        """Returns the number of a role, or None."""
        field = self.one(role)
        return None if field is None else float(field.value.flat[0])

    def texts(self, name: str) -> list[str]:
        """Lists all texts under a name."""
        return [str(field.value) for field in self.fields.get(name, [])]

    def under(self, pose: str | None) -> "FrameFields":
        """Selects the values that stand under the name of a pose."""
        kept = {name: [f for f in found if f.pose == pose] for name, found in self.fields.items()}
        return self._replace(fields=kept)


def read_stated_conventions(view: FrameFields) -> Conventions:
    """Reads the conventions that the file states in words.

    Args:
      view: all values that hold for the frame.

    Raises:
      FormatError: a text is not understood, or texts contradict each other.
    """
    texts = view.texts(CONVENTION)
    ours = OURS in texts
    found = [read_convention(text) for text in texts if text != OURS]
    axes = {pair[0] for pair in found if pair[0]}
    directions = {pair[1] for pair in found if pair[1]}
    if any(pair == (None, None) for pair in found) or len(axes) > 1 or len(directions) > 1:
        expected = f"a convention for {view.where}: OpenCV or OpenGL, w2c or c2w"
        raise FormatError(view.path, expected, ", ".join(repr(text[:40]) for text in texts[:4]))
    return Conventions(next(iter(axes), None), next(iter(directions), None), ours)


def read_pose(view: FrameFields, conventions: Conventions) -> Part | None:
    """Reads the pose under the most explicit names; less explicit ones are ignored.

    Args:
      view: the values of the frame.
      conventions: conventions stated by the file.

    Returns:
      World to camera (3, 4) with OpenCV's axes; None if there is no pose.

    Raises:
      FormatError: a pose is not a rotation and translation, or equally explicit ones disagree.
    """
    candidates: list[tuple[int, Callable[[], Part]]] = [
        (
            NAMES[name].rank,
            functools.partial(_read_matrix_pose, view, NAMES[name], field, conventions),
        )
        for name, field in view.all(*POSES)
    ]
    for pose in dict.fromkeys(field.pose for _, field in view.all(*ROTATIONS)):
        part, name = view.under(pose), ROTATION_AND_TRANSLATION if pose is None else NAMES[pose]
        if part.all("translation", "position"):
            make = functools.partial(_read_rotation_and_translation, part, name, conventions)
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


def _read_matrix_pose(
    view: FrameFields, name: Name, field: Field, conventions: Conventions
) -> Part:
    """Reads a pose from a matrix [3, 4] or [4, 4], or from its flattened entries."""
    pose = field.value
    pose = pose.reshape(-1, 4) if pose.ndim == 1 else pose
    # A translation in the last row means a transposed matrix, whatever its name.
    if len(pose) == 4 and has_unit_last_row(pose.T):
        pose = pose.T if name.role == "transposed" or not has_unit_last_row(pose) else pose
    pose = check_rigid_pose(view.path, f"{field.place} of {view.where}", pose)
    return _orient(
        pose, field.key, _choose_direction(name, conventions), conventions.axes or name.axes
    )


def _read_rotation_and_translation(view: FrameFields, name: Name, conventions: Conventions) -> Part:
    """Reads a pose from a rotation with a translation or the camera's position."""
    rotation, with_position = _read_rotation(view)
    position, translation = view.one("position"), view.one("translation")
    if translation is None and name is ROTATION_AND_TRANSLATION:
        name = name._replace(role=with_position)
    direction = _choose_direction(name, conventions)
    field = translation or position
    column = np.zeros((3, 1)) if field is None else field.value.reshape(3, 1)
    if translation is None and direction == "w2c":
        column = -rotation.value @ column
    where = f"{rotation.form} of {view.where}"
    pose = check_rigid_pose(view.path, where, np.c_[rotation.value, column])
    form = f"{rotation.form} and {'' if field is None else field.key}"
    return _orient(pose, form, direction, conventions.axes or name.axes)


def _choose_direction(name: Name, conventions: Conventions) -> str:
    """Returns the direction the name states, else the one stated in words, else the implied one."""
    implied = "c2w" if name.role in ("c2w", "opengl") else "w2c"
    return implied if name.rank == 0 else conventions.direction or implied


def _orient(pose: np.ndarray, form: str, direction: str, axes: str) -> Part:
    says = "camera to world" if direction == "c2w" else "world to camera"
    pose = poses.invert(pose) if direction == "c2w" else pose
    if axes == "opengl":
        return Part(poses.OPENGL @ pose, f"{form} ({says}, OpenGL)")
    return Part(pose, f"{form} ({says})")


def _read_rotation(view: FrameFields) -> tuple[Part, str]:
    """Reads the rotation, and the direction it has beside the camera's position."""
    role = next(role for role in ROTATIONS if view.all(role))
    [(name, _), *_], field = view.all(role), view.one(role)
    assert field is not None
    value = field.value
    if role == "rotation":
        value = value.reshape(3, 3)
    elif role == "rotationvector":
        value = _convert_rotation_vector(value.reshape(3))
    else:
        if not np.linalg.norm(value) > poses.SMALLEST_QUATERNION:
            expected = f"a quaternion in {field.place} of {view.where}"
            raise FormatError(view.path, expected, f"{value.tolist()}")
        value = poses.from_quaternion(value if role == "wxyz" else value[[3, 0, 1, 2]])
    return Part(value, field.key), NAMES[name].with_position


def _convert_rotation_vector(vector: np.ndarray) -> np.ndarray:
    """Returns the rotation about a vector by its length in radians (Rodrigues)."""
    angle = np.linalg.norm(vector)
    x, y, z = vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    # sin(a) / a, and (1 - cos a) / a^2; both are finite at 0.
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + first * cross + second * (cross @ cross)
