"""Cameras that `write_json_cameras` wrote, read as arrays: faster than one by one."""

import re
from typing import TYPE_CHECKING

import numpy as np

from sf3d_jax.data._files import LARGEST, LARGEST_SIDE, PathLike
from sf3d_jax.data._files.frames import frame_of
from sf3d_jax.data._files.json import Json, format_json, to_array
from sf3d_jax.data.cameras.batches import make_batch, split_batch
from sf3d_jax.data.cameras.by_content.poses import OURS
from sf3d_jax.data.cameras.by_content.result import FrameCamera
from sf3d_jax.data.cameras.checks import Size, resize_camera
from sf3d_jax.data.cameras.poses import is_rigid

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

_KEYS = ("convention", "size", "frames")
# The bytes with which the file begins, before its size.
BEGINNING = format_json({"convention": OURS}).rstrip(b"\n}") + b","
_NUMBER = re.compile("[0-9]+")
_PARTS = ["K", "world_to_camera"]
_FORM = "K and world_to_camera (world to camera)"


def has_written_form(tree: Json) -> bool:
    """Whether `write_json_cameras` made the outer parts of a file: its keys and convention.

    Args:
      tree: contents of the file.
    """
    return isinstance(tree, dict) and (*tree,) == _KEYS and tree["convention"] == OURS


def read_written(path: PathLike, tree: Json, size: Size | None) -> tuple[FrameCamera, ...] | None:
    """Builds the cameras of `read_json_cameras` if all are pinholes as `write_json_cameras` writes.

    Args:
      path: file named in error messages.
      tree: contents of the file.
      size: requested (H, W); None keeps the file's size.

    Returns:
      The cameras by frame number; None if anything is not as it was written. The general rules then
      read it, or name what is wrong.

    Raises:
      SizeError: the sizes do not differ by a common factor.
    """
    if not has_written_form(tree) or not isinstance(tree["frames"], dict):
        return None
    # Other names may be those of parts, such as k1.
    found = [frame_of(key) for key in tree["frames"] if _NUMBER.fullmatch(key)]
    frames = [frame for frame in found if frame is not None]
    nodes = [*tree["frames"].values()]
    if not frames or len({frame.number for frame in frames}) != len(nodes):
        return None
    batch = _make_batch(tree["size"], nodes)
    if batch is None:
        return None
    if size is not None:
        first = min(frames, key=lambda frame: frame.number)
        batch = resize_camera(path, f"frame {first.name}", batch, size)
    pairs = sorted(zip(frames, split_batch(batch), strict=True), key=lambda pair: pair[0].number)
    return tuple(FrameCamera(frame.name, camera, _FORM) for frame, camera in pairs)


def _make_batch(size: Json, nodes: list[Json]) -> "Camera | None":
    """Makes the cameras of all frames; None if anything is not as it was written."""
    if not all(isinstance(node, dict) and [*node] == _PARTS for node in nodes):
        return None
    k = _to_matrices([node["K"] for node in nodes], (3, 3))
    pose = _to_matrices([node["world_to_camera"] for node in nodes], (3, 4))
    if k is None or pose is None or not _is_size(size):
        return None
    rest = k * [[0, 1, 0], [1, 0, 0], [1, 1, 1]] - np.diag([0.0, 0, 1])
    focal = k[:, [0, 1], [0, 1]]
    small = (np.abs(k) <= LARGEST).all() and (np.abs(pose) <= LARGEST).all()
    if rest.any() or not small or not (focal > 0).all() or not is_rigid(pose):
        return None
    return make_batch(focal, k[:, :2, 2], pose, (size[0], size[1]), "pinhole", None)


def _to_matrices(values: list[Json], shape: tuple[int, int]) -> np.ndarray | None:
    """Converts matrices of one shape to float64 [N, *shape]; None if they are anything else."""
    array = to_array(values)
    return array if array is not None and array.shape[1:] == shape else None


def _is_size(size: Json) -> bool:
    is_pair = isinstance(size, list) and len(size) == 2
    return is_pair and all(type(x) is int and 1 <= x <= LARGEST_SIDE for x in size)
