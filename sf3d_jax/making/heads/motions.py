"""Where motions come from: drawn at random, or from an .npz with one row for each frame.

For the procedural person, and for a mesh with morph targets:

    NAME         [F], the weight of the expression or the target of that name, 0 if it is missing;
                 from 0 to 1 for the person
    rotation     [F, 3], yaw, pitch and roll of the head in radians, 0 if missing; positive ones
                 turn the face to the subject's left, turn it up, and lift its left side

For any mesh, instead of these:

    vertices     [F, V, 3], the vertices of the mesh, in its unit and order
    faces        [T, 3], optional: the faces of the mesh, as `data.read_mesh_sequence` needs them

For a face model, with the names of FLAME's trackers; missing ones are 0:

    expr         [F, E'], the first E' expression coefficients
    rotation, neck_pose, jaw_pose     [F, 3], axis times angle in radians, in the model's axes
    eyes_pose    [F, 6], the left and the right eye
    translation  [F, 3], in the model's unit
    shape        [S'] or [1, S'], the first S' shape coefficients; they replace the drawn ones
    static_offset    [V, 3] or [1, V, 3], in the model's unit, added to the template

There have to be as many rows as frames are made, or more. Any other array is refused.
"""

import difflib
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.data.maps.archives import list_names, open_archive
from sf3d_jax.data.meshes.archives import read_numbers
from sf3d_jax.making.motion.curves import Curves
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan, clip_seconds

# Arrays of angles, none of which is more than a full turn.
ANGLES = ("rotation", "neck_pose", "jaw_pose", "eyes_pose")
FULL_TURN = float(np.float32(2 * np.pi))  # as files have it, a little more than 2 pi


class Pose(NamedTuple):
    """How a head looks at one time.

    Attributes:
      expression: weights by name.
      rotation: yaw, pitch and roll in radians.
    """

    expression: dict[str, float]
    rotation: tuple[float, float, float]


def draw_poses(
    subject: SubjectPlan, options: Options, names: Iterable[str]
) -> Callable[[int], Pose]:
    """Draws a motion at random.

    Args:
      subject: the subject.
      options: options of the data set.
      names: names of the expressions.

    Returns:
      A function from the number of a frame to the pose.
    """
    seconds = options.frames / options.fps
    draw = functools.partial(subject.draw_from, "motion")
    curves = Curves(draw, names, seconds, clip_seconds(options.fps))

    def find_pose(frame: int) -> Pose:
        time = frame / options.fps
        return Pose(curves.expression(time), curves.rotation(time))

    return find_pose


def read_poses(
    path: str, frames: int, names: Iterable[str], *, is_face: bool = False
) -> Callable[[int], Pose]:
    """Reads a motion of expressions and turns.

    Args:
      path: .npz file.
      frames: number of frames that are needed.
      names: names of the expressions that the head has.
      is_face: whether weights have to be from 0 to 1.

    Returns:
      A function from the number of a frame to the pose.

    Raises:
      FormatError: see `read_motion`; or a weight is not from 0 to 1.
      OSError: the file cannot be opened.
    """
    rows: dict[str, tuple[int, ...]] = {"rotation": (3,)}
    rows |= dict.fromkeys(names, ())
    arrays = read_motion(path, frames, rows)
    rotation = arrays.pop("rotation", np.zeros((frames, 3)))
    for name, x in arrays.items():
        if is_face and not 0 <= x.min() <= x.max() <= 1:
            raise FormatError(
                path, f"weights from 0 to 1 in {name!r}", f"{x.min():g} to {x.max():g}"
            )

    def find_pose(frame: int) -> Pose:
        yaw, pitch, roll = rotation[frame].tolist()
        return Pose({name: float(x[frame]) for name, x in arrays.items()}, (yaw, pitch, roll))

    return find_pose


def list_arrays(path: str) -> list[str]:
    """Lists the names of the arrays in a motion.

    Args:
      path: .npz file.

    Returns:
      The names.

    Raises:
      FormatError: it is not an .npz file.
      OSError: it cannot be opened.
    """
    with open_archive(path) as archive:
        return list_names(archive)


def read_motion(
    path: str,
    frames: int,
    rows: Mapping[str, tuple[int | None, ...]],
    fixed: Mapping[str, tuple[int | None, ...]] | None = None,
) -> dict[str, np.ndarray]:
    """Reads a motion.

    Args:
      path: .npz file.
      frames: number of frames that are needed.
      rows: {name: shape after the first axis} of the arrays with a row for each frame; None for an
        axis of any size.
      fixed: {name: shape} of the arrays for the whole motion; a further first axis of size 1 is
        left out.

    Returns:
      {name: array}, float64, of the arrays in the file.

    Raises:
      FormatError: it is not an .npz file, has no arrays, one of another name or shape, too few
        rows, a non-finite number, or an angle of more than a full turn.
      OSError: it cannot be opened.
    """
    fixed = fixed or {}
    arrays = {}
    with open_archive(path) as archive:
        names = list_names(archive)
        for name in names:
            if name not in rows and name not in fixed:
                hint = _suggest_name(name, [*rows, *fixed])
                raise FormatError(path, f"arrays named {_list(rows, fixed)}", repr(name) + hint)
            arrays[name] = read_numbers(path, archive, name)
    if not arrays:
        raise FormatError(path, f"arrays named {_list(rows, fixed)}", "none")
    for name, x in arrays.items():
        if name in fixed:
            arrays[name] = _check_fixed(path, name, x, fixed[name])
        else:
            _check_shape(path, name, x, (None, *rows[name]))
            if len(x) < frames:
                raise FormatError(path, f"{frames} frames or more in {name!r}", f"{len(x)}")
            # A target of a mesh may have the name of angles, but its rows are single weights.
            if rows[name] and name in ANGLES:
                _check_angles(path, name, x)
    return arrays


def _check_fixed(path: str, name: str, x: np.ndarray, shape: tuple[int | None, ...]) -> np.ndarray:
    if x.ndim == len(shape) + 1 and len(x) == 1:
        x = x[0]
    _check_shape(path, name, x, shape)
    return x


def _check_shape(path: str, name: str, x: np.ndarray, shape: tuple[int | None, ...]) -> None:
    wanted = [n if s is None else s for n, s in zip(x.shape, shape, strict=False)]
    if x.ndim != len(shape) or list(x.shape) != wanted:
        words = ", ".join("any" if s is None else str(s) for s in shape)
        raise FormatError(path, f"the shape [{words}] of {name!r}", f"{list(x.shape)}")


def _check_angles(path: str, name: str, x: np.ndarray) -> None:
    if np.abs(x).max(initial=0) > FULL_TURN:
        found = f"{x.min():g} to {x.max():g}; these look like degrees"
        raise FormatError(path, f"radians, from -2 pi to 2 pi, in {name!r}", found)


def _suggest_name(name: str, known: list[str]) -> str:
    """A question for the name that was meant, empty if none is near."""
    small = {x.lower(): x for x in known}
    # Half of the letters, as "expression" and "expr" share no more.
    near = difflib.get_close_matches(name.lower(), small, 1, cutoff=0.5)
    return f"; did you mean {small[near[0]]!r}?" if near else ""


def _list(*names: Mapping[str, object]) -> str:
    """Some of the names, as a text."""
    found = [name for part in names for name in part]
    most = 12
    text = ", ".join(found[:most])
    return f"{text} or {len(found) - most} more" if len(found) > most else text
