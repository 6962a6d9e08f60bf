"""The poses of the frames of a transforms.json, checked and converted as one array."""

import itertools

import numpy as np

from sf3d_jax.data._files import LARGEST, FormatError
from sf3d_jax.data._files.json import Json, matrix, outline
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.cameras.checks import check_rigid_pose, has_unit_last_row
from sf3d_jax.data.cameras.names import CONVENTIONS, read_convention, simplify
from sf3d_jax.data.cameras.transforms.columns import File, TreeLevel

KEY = "transform_matrix"


def read_poses(file: File) -> np.ndarray:
    """Reads the poses of the frames.

    Args:
      file: the frames and the root.

    Returns:
      World to camera, [N, 3, 4], in OpenCV's axes.

    Raises:
      FormatError: a pose is not a rotation and translation, or a convention is unknown.
    """
    values = file.either(KEY)
    found = _stack_poses(values)
    if found is None:
        found = np.stack([_read_pose(file, i, value) for i, value in enumerate(values)])
    turned = poses.from_camera_to_world(found)
    opencv = _find_opencv_axes(file)
    return np.where(opencv[:, None, None], turned, poses.OPENGL @ turned)


def is_convention(key: str) -> bool:
    """Whether a key names the convention of the poses."""
    return simplify(key) in CONVENTIONS


def _stack_poses(values: list[Json]) -> np.ndarray | None:
    """Stacks all poses into [N, 3, 4]; None if one is not a pose or their shapes differ."""
    try:
        rows = list(itertools.chain(*values))
        kinds = set(map(type, itertools.chain(*rows)))
        array = np.array(values, np.float64) if kinds <= {int, float} else np.empty(())
    except (TypeError, ValueError, OverflowError):
        return None
    if array.shape[1:] not in ((4, 4), (3, 4)) or not (np.abs(array) <= LARGEST).all():
        return None
    return array[:, :3] if has_unit_last_row(array) and poses.is_rigid(array) else None


def _read_pose(file: File, i: int, value: Json) -> np.ndarray:
    """Reads the pose of one frame."""
    name = f"{KEY} of {file.frames.where(i)}"
    return check_rigid_pose(file.path, name, matrix(file.path, name, value, (4, 4), (3, 4)))


def _find_opencv_axes(file: File) -> np.ndarray:
    """Whether the axes are OpenCV's, as stated by each frame or else by the root; [N]."""
    frames = (
        [_has_opencv_axes(file.frames, i) for i in range(file.length)]
        if any(map(is_convention, file.frames.keys))
        else [None] * file.length
    )
    root = bool(_has_opencv_axes(file.root, 0))
    return np.array([root if x is None else x for x in frames], bool)


def _has_opencv_axes(level: TreeLevel, i: int) -> bool | None:
    """Whether a node states OpenCV's axes; None if it states none."""
    found = None
    for key, text in level.nodes[i].items():
        if is_convention(key) and text:  # zero, false, null and "" say nothing
            said, direction = read_convention(text) if isinstance(text, str) else (None, None)
            if said is None or direction == "w2c":
                expected = f"OpenGL or OpenCV, camera to world, as {key} of {level.where(i)}"
                raise FormatError(level.path, expected, outline(text))
            found = said == "opencv"
    return found
