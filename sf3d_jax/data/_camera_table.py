"""A tree of JSON as a table of cameras: what is said of all frames, and what of each.

Keys are told apart by what they are called and what stands under them:

- a name of a part of a camera, with one value, a column of values, or one value a frame under
  keys such as "0000" (`_camera_names`);
- a frame, such as "0000", "frame_0000" or "render/031/0000.jpg", with its camera under it;
- anything else with an object or a list under it is a wrapper, and is entered.

A list of objects is one camera an object: the frame is named by one of the object's values, or is
its position. A frame in a frame counts, the outer one is then a wrapper.
"""

from typing import Any, NamedTuple

import numpy as np

from sf3d_jax.data._camera_names import FRAME_NAMES, MODELS, NAMES, OTHER_NAMES, simple
from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._frames import Frame, frame_of, frame_of_value, numbered
from sf3d_jax.data._json import numbers, outline

_DEEPEST = 10


class Field(NamedTuple):
    """One value of a camera.

    Attributes:
      key: as it stands in the file.
      value: an array, or text.
    """

    key: str
    value: Any


# By simple names.
Fields = dict[str, list[Field]]


class Table(NamedTuple):
    """What a tree says.

    Attributes:
      shared: of all frames.
      frames: of each, by number.
    """

    shared: Fields
    frames: dict[int, tuple[Frame, Fields]]


def collect(path: PathLike, node: Any, depth: int = _DEEPEST) -> Table:
    """The table of a tree.

    Args:
      path: of the file, for the error.
      node: the tree.
      depth: of the levels that are entered.

    Returns:
      The table; empty where there is nothing of a camera.

    Raises:
      FormatError: objects of a list name the same frame, or columns have other names than rows.
    """
    table = Table({}, {})
    if depth == 0:
        return table
    if isinstance(node, dict):
        labels = _labels(node)
        for key, value in node.items():
            _merge(table, _child(path, key, value, labels, depth - 1))
    elif _is_list_of_objects(node):
        names = named_frames(path, node)
        if names is None and len(node) == 1:
            return collect(path, node[0], depth - 1)
        for i, value in enumerate(node):
            frame = numbered(i) if names is None else names[i]
            _merge(table, _framed(collect(path, value, depth - 1), frame))
    return table


def named_frames(path: PathLike, items: list[dict[str, Any]]) -> list[Frame] | None:
    """The frames that objects of a list name by one of their values.

    Args:
      path: of the file, for the error.
      items: the objects.

    Returns:
      A frame for each, all different; None where they name none.

    Raises:
      FormatError: several say that they are the same frame.
    """
    twice = None
    simplified = [{simple(key): x for key, x in item.items()} for item in items]
    for name in (*FRAME_NAMES, *OTHER_NAMES):
        found = [frame_of_value(item.get(name)) for item in simplified]
        frames = [frame for frame in found if frame is not None]
        if len(frames) < len(items):
            continue
        if len({frame.number for frame in frames}) == len(items):
            return frames
        if name in FRAME_NAMES:
            twice = name
    if twice is not None:
        raise FormatError(path, f"another {twice} in each camera", outline(items))
    return None


def _child(path: PathLike, key: str, value: Any, labels: list[Frame], depth: int) -> Table:
    """What stands under a key."""
    name = simple(key)
    if name.startswith("flame"):  # the pose of a head, not of a camera
        return Table({}, {})
    if name in MODELS and isinstance(value, str):
        return Table({name: [Field(key, value)]}, {})
    is_tree = isinstance(value, dict) or _is_list_of_objects(value)
    if name in NAMES:
        by_frame = _by_frame(key, name, value)
        if by_frame is not None:
            return by_frame
        return collect(path, value, depth) if is_tree else _field(path, key, name, value, labels)
    if not isinstance(value, dict | list):
        return Table({}, {})
    frame = frame_of(key)
    if frame is None:
        return collect(path, value, depth)
    if not is_tree:  # a bare matrix, of which nothing says the direction
        return _framed(_field(path, key, "matrix", value, []), frame)
    inner = collect(path, value, depth)
    return _framed(inner, frame)


def _field(path: PathLike, key: str, name: str, value: Any, labels: list[Frame]) -> Table:
    """A value, or a column of them."""
    array = numbers(value)
    if array is None:
        return Table({}, {})
    shapes = NAMES[name].shapes
    if array.ndim > 1 and len(array) == 1 and array.shape[1:] in shapes:
        array = array[0]
    if _is_one(name, array):
        return Table({name: [Field(key, array)]}, {})
    if array.shape[1:] not in shapes or len(array) == 0:
        return Table({}, {})
    frames = labels or [numbered(i) for i in range(len(array))]
    if len(frames) != len(array):
        raise FormatError(path, f"{len(frames)} of {key}, as there are names", f"{len(array)}")
    pairs = zip(frames, array, strict=True)
    return Table({}, {f.number: (f, {name: [Field(key, x)]}) for f, x in pairs})


def _is_one(name: str, array: np.ndarray) -> bool:
    """Whether it is the value of one camera, and no column of four (fx, fy, cx, cy)."""
    of_four = NAMES[name].role == "matrix" and array.shape == (4, 4) and array[3, :3].any()
    return array.shape in NAMES[name].shapes and not of_four


def _by_frame(key: str, name: str, value: Any) -> Table | None:
    """The values of a part of the camera by frame; None where they are something else."""
    if not isinstance(value, dict) or not value:
        return None
    frames: dict[int, tuple[Frame, Fields]] = {}
    for label, x in value.items():
        frame, array = frame_of(label), numbers(x)
        if frame is None or array is None or not _is_one(name, array) or frame.number in frames:
            return None
        frames[frame.number] = (frame, {name: [Field(f"{key} {label}", array)]})
    return Table({}, frames)


def _framed(inner: Table, frame: Frame) -> Table:
    """What stands under a frame; what is said of all frames in it is so of each."""
    if not inner.frames:
        return Table({}, {frame.number: (frame, inner.shared)} if inner.shared else {})
    for _, fields in inner.frames.values():
        for name, found in inner.shared.items():
            fields.setdefault(name, found)
    return Table({}, inner.frames)


def _merge(table: Table, other: Table) -> None:
    _extend(table.shared, other.shared)
    for number, (frame, fields) in other.frames.items():
        _extend(table.frames.setdefault(number, (frame, {}))[1], fields)


def _extend(fields: Fields, others: Fields) -> None:
    for name, found in others.items():
        fields[name] = fields.get(name, []) + found


def _is_list_of_objects(node: Any) -> bool:
    return isinstance(node, list) and len(node) > 0 and all(isinstance(x, dict) for x in node)


def _labels(node: dict[str, Any]) -> list[Frame]:
    """The frames that a list of names says columns beside it have, if there is one."""
    for value in node.values():
        if isinstance(value, list) and value and all(isinstance(x, str) for x in value):
            found = [frame for x in value if (frame := frame_of(x)) is not None]
            if len({frame.number for frame in found}) == len(value):
                return found
    return []
