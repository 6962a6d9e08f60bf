"""Where motions come from: drawn at random, or from an .npz with one row for each frame.

For the procedural person, and for a mesh with morph targets:

    NAME         [F], the weight of the expression or the target of that name, 0 if it is missing
    rotation     [F, 3], yaw, pitch and roll of the head in radians, 0 if missing

For any mesh, alone:

    vertices     [F, V, 3], the vertices of the mesh, in its unit and order

For a face model, with the names of FLAME's trackers; missing ones are 0:

    expr         [F, E'], the first E' expression coefficients; or `expression`
    rotation, neck_pose, jaw_pose     [F, 3], axis times angle in radians, in the model's axes
    eyes_pose    [F, 6], the left and the right eye
    translation  [F, 3], metres
    shape        [S'] or [1, S'], the first S' shape coefficients; they replace the drawn ones
    static_offset    [V, 3] or [1, V, 3], metres, added to the template

There have to be as many rows as frames are made, or more. Any other array is refused.
"""

import functools
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.making.curves import Curves
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan


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
    curves = Curves(functools.partial(subject.draw_from, "motion"), names, seconds)

    def find_pose(frame: int) -> Pose:
        time = frame / options.fps
        return Pose(curves.expression(time), curves.rotation(time))

    return find_pose


def read_poses(path: str, frames: int, names: Iterable[str]) -> Callable[[int], Pose]:
    """Reads a motion of expressions and turns.

    Args:
      path: .npz file.
      frames: number of frames that are needed.
      names: names of the expressions that the head has.

    Returns:
      A function from the number of a frame to the pose.

    Raises:
      FormatError: see `read_motion`.
      OSError: the file cannot be opened.
    """
    rows: dict[str, tuple[int, ...]] = {"rotation": (3,)}
    rows |= dict.fromkeys(names, ())
    arrays = read_motion(path, frames, rows)
    rotation = arrays.pop("rotation", np.zeros((frames, 3)))

    def find_pose(frame: int) -> Pose:
        yaw, pitch, roll = rotation[frame].tolist()
        return Pose({name: float(x[frame]) for name, x in arrays.items()}, (yaw, pitch, roll))

    return find_pose


def read_motion(
    path: str,
    frames: int,
    rows: Mapping[str, tuple[int | None, ...]],
    fixed: Mapping[str, int] = {},
) -> dict[str, np.ndarray]:
    """Reads a motion.

    Args:
      path: .npz file.
      frames: number of frames that are needed.
      rows: {name: shape after the first axis} of the arrays with a row for each frame; None for an
        axis of any size.
      fixed: {name: number of axes} of the arrays of the whole motion; a first axis of size 1 is
        left out.

    Returns:
      {name: array}, float64, of the arrays in the file.

    Raises:
      FormatError: it is not an .npz file, has an array of another name or shape, has too few rows,
        or a number that is not finite.
      OSError: it cannot be opened.
    """
    arrays, fixed = _load(path), fixed or {}
    if not arrays:
        raise FormatError(path, f"arrays named {_list(rows, fixed)}", "no array")
    for name, x in arrays.items():
        if name not in rows and name not in fixed:
            raise FormatError(path, f"arrays named {_list(rows, fixed)}", f"{name!r}")
        if not np.isfinite(x).all():
            raise FormatError(path, f"finite numbers in {name!r}", "NaN or infinity")
        if name in fixed:
            arrays[name] = _check_fixed(path, name, x, fixed[name])
        else:
            _check_rows(path, name, x, rows[name], frames)
    return arrays


def _load(path: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name], np.float64) for name in file.files}
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise FormatError(path, "an .npz file of real arrays", str(error)) from None


def _check_rows(
    path: str, name: str, x: np.ndarray, wanted: tuple[int | None, ...], frames: int
) -> None:
    shape = ", ".join(["F", *("any" if n is None else str(n) for n in wanted)])
    if x.ndim != 1 + len(wanted) or any(
        n not in (None, got) for n, got in zip(wanted, x.shape[1:], strict=True)
    ):
        raise FormatError(path, f"{name!r} of shape [{shape}]", f"{list(x.shape)}")
    if len(x) < frames:
        raise FormatError(path, f"{name!r} with {frames} frames or more", f"{len(x)}")


def _check_fixed(path: str, name: str, x: np.ndarray, axes: int) -> np.ndarray:
    if x.ndim == axes + 1 and len(x) == 1:
        x = x[0]
    if x.ndim != axes:
        raise FormatError(path, f"{name!r} with {axes} axes", f"shape {list(x.shape)}")
    return x


def _list(*names: Mapping[str, object]) -> str:
    """Some of the names, as a text."""
    found = [name for part in names for name in part]
    most = 12
    text = ", ".join(found[:most])
    return f"{text} or {len(found) - most} more" if len(found) > most else text
