"""The camera_path.json of nerfstudio's viewer and of its add-on for Blender.

    {"render_height": .., "render_width": .., "camera_type": "perspective",
     "camera_path": [{"camera_to_world": [16 numbers, row by row], "fov": 50, "aspect": 1.25}, ...],
     "keyframes": [{"matrix": [16 numbers], "fov": 50, "aspect": 1.25}, ...]}

The axes are OpenGL's (x right, y up, z back), `fov` spans the image's height in degrees, pixels are
square, and the principal point is the centre. `aspect` is ignored: the image has the file's render
size. Keyframes are the cameras placed by hand, which `camera_path` interpolates; they are read if
there is no path. Their matrix is row by row, or, in files of the first viewer and of the add-on, a
string with the numbers column by column. The world is that of nerfstudio's training: rotated, moved
and scaled as stated in its dataparser_transforms.json.
"""

import json
import math
from typing import TypeAlias

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, check_header_size
from sf3d_jax.data._files.frames import frame_of_number
from sf3d_jax.data._files.json import Json, matrix, outline
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.cameras.batches import make_batch, split_batch
from sf3d_jax.data.cameras.by_content.result import FrameCamera
from sf3d_jax.data.cameras.checks import Size, check_rigid_pose, has_unit_last_row, resize_camera
from sf3d_jax.data.cameras.keys import find_unknown_keys, refuse_unknown
from sf3d_jax.data.cameras.lens import compute_focal
from sf3d_jax.data.cameras.names import CONVENTIONS, read_convention, simplify

_SIDES = ("render_height", "render_width")
# The lists of cameras, the preferred one first, and the key of the pose in each.
_LISTS = {"camera_path": "camera_to_world", "keyframes": "matrix"}
_FORM = "camera_path.json (camera to world, OpenGL)"

_Node: TypeAlias = dict[str, Json]


def is_camera_path(tree: Json) -> bool:
    """Whether a file is a camera path: it has a render size and one of the lists.

    Args:
      tree: contents of a JSON file.
    """
    if not isinstance(tree, dict) or not all(key in tree for key in _SIDES):
        return False
    return any(isinstance(tree.get(key), list) for key in _LISTS)


def read_camera_path(path: PathLike, tree: _Node, size: Size | None) -> tuple[FrameCamera, ...]:
    """Reads the cameras of a camera path.

    Args:
      path: file named in error messages.
      tree: contents of the file.
      size: requested (H, W); None keeps the file's size.

    Returns:
      One camera per image of the path, or per keyframe if there is no path.

    Raises:
      FormatError: there is no camera, a camera is not perspective, a pose is not a rotation and
        translation, or a key is unknown.
    """
    height, width = (_read_whole_number(path, key, tree[key]) for key in _SIDES)
    check_header_size(path, width, height)
    _check_perspective(path, "the file", tree)
    _check_axes(path, "the file", tree)
    name = next((key for key in _LISTS if tree.get(key)), None)
    if name is None or not isinstance(nodes := tree[name], list):
        expected = "at least one camera in camera_path or keyframes"
        raise FormatError(path, expected, outline(tree))
    key, understood = _LISTS[name], (*_SIDES, *_LISTS, "camera_type", "default_fov")
    focal, found = np.empty((len(nodes), 2)), np.empty((len(nodes), 3, 4))
    for i, node in enumerate(nodes):
        where = f"{name}/{i}"
        if not isinstance(node, dict):
            raise FormatError(path, f"an object as {where}", outline(node))
        _check_perspective(path, where, node)
        _check_axes(path, where, node)
        found[i] = _read_pose(path, f"{key} of {where}", node.get(key))
        focal[i] = _read_focal(path, where, node, height)
        refuse_unknown(path, where, find_unknown_keys(node, (key, "fov", "camera_type")))
    refuse_unknown(path, "the file", find_unknown_keys(tree, understood))
    world_to_camera = poses.from_camera_to_world(found, poses.OPENGL)
    centre = np.broadcast_to([(width - 1) / 2, (height - 1) / 2], focal.shape)
    batch = make_batch(focal, centre, world_to_camera, (height, width), "pinhole", None)
    batch = resize_camera(path, "the file", batch, size or (height, width))
    return tuple(
        FrameCamera(frame_of_number(i).name, camera, _FORM, named=False)
        for i, camera in enumerate(split_batch(batch))
    )


def _read_whole_number(path: PathLike, key: str, value: Json) -> int:
    number = float(matrix(path, key, value, ()))
    if number != int(number):
        raise FormatError(path, f"a whole number as {key}", f"{number:g}")
    return int(number)


def _check_perspective(path: PathLike, where: str, node: _Node) -> None:
    """Refuses a camera type other than perspective; a node without one has the file's type."""
    kind = node.get("camera_type")
    if kind is not None and (not isinstance(kind, str) or kind.lower() != "perspective"):
        raise FormatError(path, f"perspective as camera_type of {where}", outline(kind))


def _check_axes(path: PathLike, where: str, node: _Node) -> None:
    """Refuses a text that states conventions other than nerfstudio's."""
    for key, text in node.items():
        if simplify(key) in CONVENTIONS and isinstance(text, str) and text:
            axes, direction = read_convention(text)
            if axes != "opengl" or direction == "w2c":
                expected = f"OpenGL, camera to world, as {key} of {where}"
                raise FormatError(path, expected, repr(text[:40]))


def _read_pose(path: PathLike, where: str, value: Json) -> np.ndarray:
    """Reads a camera-to-world pose (3, 4).

    At the origin both layouts look valid; then only a string is taken to be column by column.
    """
    in_columns = isinstance(value, str)
    if in_columns:
        try:
            value = json.loads(value[:2000])
        except (ValueError, RecursionError):
            raise FormatError(path, f"16 numbers in {where}", outline(value)) from None
    pose = matrix(path, where, value, (16,), (4, 4)).reshape(4, 4)
    if has_unit_last_row(pose.T) and (in_columns or not has_unit_last_row(pose)):
        pose = pose.T
    return check_rigid_pose(path, where, pose)


def _read_focal(path: PathLike, where: str, node: _Node, height: int) -> float:
    angle = math.radians(float(matrix(path, f"fov of {where}", node.get("fov"), ())))
    return compute_focal(path, f"fov of {where}", angle, height)
