"""The poses of the frames of a transforms.json, checked and turned all at once."""

import itertools

import numpy as np

from sf3d_jax.data._files import LARGEST, FormatError
from sf3d_jax.data._files.json import Json, matrix, outline
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.cameras.checks import ends_in_one, rigid_pose
from sf3d_jax.data.cameras.names import CONVENTIONS, read_convention, simple
from sf3d_jax.data.cameras.transforms.columns import File, Level

KEY = "transform_matrix"


def read_poses(file: File) -> np.ndarray:
    """The poses of the frames.

    Args:
      file: the frames and the root.

    Returns:
      World to camera, [N, 3, 4], in OpenCV's axes.

    Raises:
      FormatError: one is not a rotation and a translation, or a convention is not known.
    """
    values = file.either(KEY)
    found = _stack(values)
    if found is None:
        found = np.stack([_pose(file, i, value) for i, value in enumerate(values)])
    turned = poses.from_camera_to_world(found)
    opencv = _are_opencvs(file)
    return np.where(opencv[:, None, None], turned, poses.OPENGL @ turned)


def is_convention(key: str) -> bool:
    """Whether a key names the convention of the poses."""
    return simple(key) in CONVENTIONS


def _stack(values: list[Json]) -> np.ndarray | None:
    """All poses as one array [N, 3, 4]; None where one is not a pose, or has another shape."""
    try:
        rows = list(itertools.chain(*values))
        kinds = set(map(type, itertools.chain(*rows)))
        array = np.array(values, np.float64) if kinds <= {int, float} else np.empty(())
    except (TypeError, ValueError, OverflowError):
        return None
    if array.shape[1:] not in ((4, 4), (3, 4)) or not (np.abs(array) <= LARGEST).all():
        return None
    return array[:, :3] if ends_in_one(array) and poses.is_rigid(array) else None


def _pose(file: File, i: int, value: Json) -> np.ndarray:
    """The pose of one frame."""
    name = f"{KEY} of {file.frames.where(i)}"
    return rigid_pose(file.path, name, matrix(file.path, name, value, (4, 4), (3, 4)))


def _are_opencvs(file: File) -> np.ndarray:
    """Where the axes are OpenCV's, as a frame or else the root says; [N]."""
    frames = (
        [_says_opencv(file.frames, i) for i in range(file.length)]
        if any(map(is_convention, file.frames.keys))
        else [None] * file.length
    )
    root = bool(_says_opencv(file.root, 0))
    return np.array([root if x is None else x for x in frames], bool)


def _says_opencv(level: Level, i: int) -> bool | None:
    """Whether a node says that the axes are OpenCV's; None where it says nothing."""
    found = None
    for key, text in level.nodes[i].items():
        if is_convention(key) and text:  # zero, false, null and "" say nothing
            said, direction = read_convention(text) if isinstance(text, str) else (None, None)
            if said is None or direction == "w2c":
                expected = f"OpenGL or OpenCV, camera to world, as {key} of {level.where(i)}"
                raise FormatError(level.path, expected, outline(text))
            found = said == "opencv"
    return found
