"""Converts parsed JSON into a table of cameras: values shared by all frames, and values of each.

Keys are classified by their name and their value:

- the name of a part of a camera (`cameras.names`), with one value, a column of values, or values
  under further keys such as "0000"; an unnamed matrix below it is that part;
- a frame, such as "0000", "frame_0000" or "render/031/0000.jpg", with its camera below it;
- any other key with an object or a list below it is a wrapper, and is searched.

Each object in a list of objects is one camera; its frame is named by one of its values, or is its
position. If a frame contains frames, the inner ones count and the outer one is a wrapper. At most
one of several wrappers side by side may hold poses, since they would be separate sequences.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.frames import Frame, frame_of, frame_of_number
from sf3d_jax.data._files.json import Json, outline, shorten, to_array
from sf3d_jax.data.cameras.by_content.labels import find_labels, find_named_frames
from sf3d_jax.data.cameras.keys import UnknownKey, find_unknown_below, is_harmless
from sf3d_jax.data.cameras.names import (
    CONVENTIONS,
    INTRINSICS,
    MODELS,
    NAMES,
    POSE_SHAPES,
    POSES,
    ROTATIONS,
    SAYS_NOTHING,
    TYPES,
    find_name,
    read_convention,
    simplify,
)

_DEEPEST = 10
# Objects in a file; converting one takes far more time and memory than its text.
_MOST_OBJECTS = 300_000

# Names under which a table holds texts.
MODEL, CONVENTION = "model", "convention"


class Field(NamedTuple):
    """One value of a camera.

    Attributes:
      key: key as spelled in the file.
      place: path of keys leading to the value, for error messages.
      value: array, or text.
      pose: name of the enclosing pose, which states the direction; or None.
      rows: length of the column that the value comes from, or could itself be; or 0.
    """

    key: str
    place: str
    value: Any
    pose: str | None = None
    rows: int = 0


# Values by simplified name.
Fields = dict[str, list[Field]]


class Table(NamedTuple):
    """The cameras in a tree.

    Attributes:
      shared: values shared by all frames.
      frames: values of each frame, by frame number.
      unknown: keys beside cameras that are neither understood nor harmless.
    """

    shared: Fields
    frames: dict[int, tuple[Frame, Fields]]
    unknown: tuple[UnknownKey, ...] = ()


class _Place(NamedTuple):
    """A position in the tree.

    Attributes:
      path: file named in error messages.
      keys: keys leading to the position.
      part: name of the nearest enclosing part of a camera.
      key: that name as spelled in the file.
      pose: name of the nearest enclosing pose.
      labels: frames of the rows of columns.
    """

    path: PathLike
    keys: tuple[str, ...] = ()
    part: str | None = None
    key: str = ""
    pose: str | None = None
    labels: Sequence[Frame] = ()

    def under(self, key: str) -> "_Place":
        return self._replace(keys=(*self.keys, key))

    def __str__(self) -> str:
        return "/".join(map(shorten, self.keys))


class _Child(NamedTuple):
    """The table under a key; `wraps` if the key is neither a part nor a frame."""

    key: str
    wraps: bool
    table: Table


def collect(path: PathLike, tree: Json) -> Table:
    """Collects the cameras of a tree.

    Args:
      path: file named in error messages.
      tree: contents of the file.

    Returns:
      The table; empty if the tree holds no part of a camera.

    Raises:
      FormatError: there are several sequences, a frame is repeated or has no value, a column
        differs in length from its frame names or could be a single value, or there are too many
        objects.
    """
    if not _is_small(tree):
        raise FormatError(path, f"at most {_MOST_OBJECTS:,} objects, such as cameras", "more")
    table = _collect(_Place(path), tree)
    counts = {field.rows for _, fields in table.frames.values() for field in _list_fields(fields)}
    for field in _list_fields(table.shared):
        if field.rows and field.rows in counts:
            expected = f"{field.place} as clearly one value, or one per frame for {field.rows}"
            raise FormatError(path, expected, f"{field.value.tolist()}")
    return table


def _is_small(tree: Json) -> bool:
    """Whether a tree has at most _MOST_OBJECTS objects."""
    count, rest = 0, [[tree]]
    while rest and count <= _MOST_OBJECTS:
        for x in rest.pop():
            if isinstance(x, dict):
                count += 1
                rest.append([*x.values()])
            elif isinstance(x, list):
                rest.append(x)
    return count <= _MOST_OBJECTS


def _collect(place: _Place, node: Json) -> Table:
    if len(place.keys) >= _DEEPEST:  # no camera is this deep, but keys of a lens count anywhere
        found = find_unknown_below(place.keys, node) if place.keys else ()
        return Table({}, {}, tuple(key for key in found if key.is_of_a_lens))
    if isinstance(node, dict):
        place = place._replace(labels=find_labels(node) or place.labels)
        bare = _collect_bare_frames(place, node)
        others = [_collect_child(place, key, x) for key, x in node.items() if key not in bare]
        return _merge(place, [*others, *bare.values()])
    if _is_list_of_objects(node) and (len(node) > 1 or find_named_frames(place.path, node)):
        return _merge(place, _collect_list(place, node))
    if isinstance(node, list) and len(node) == 1:
        return _collect(place.under("0"), node[0])
    return Table({}, {})


def _collect_list(place: _Place, items: list[dict[str, Json]]) -> list[_Child]:
    """Collects a list of objects; if one is a camera, every object counts as a frame."""
    frames = find_named_frames(place.path, items)
    frames = frames or [frame_of_number(i, named=False) for i in range(len(items))]
    inner = [_collect(place.under(str(i)), x) for i, x in enumerate(items)]
    cameras = any(table.shared for table in inner)
    return [
        _Child(str(i), bool(table.frames), _put_under_frame(table, frame, keep=cameras))
        for i, (table, frame) in enumerate(zip(inner, frames, strict=True))
    ]


def _collect_child(place: _Place, key: str, value: Json) -> _Child:
    """Collects the value under a key, except frames with a bare value."""
    frame = frame_of(key)
    if simplify(key).startswith("flame") and frame is None:  # the pose of a head, not of a camera
        return _Child(key, False, Table({}, {}))
    inside, is_tree = place.under(key), isinstance(value, dict) or _is_list_of_objects(value)
    if text := _read_text(inside, key, value):
        return _Child(key, False, Table(text, {}))
    if (known := find_name(key)) is not None:
        part = _enter_part(inside, key, *known)
        table = _collect(part, value) if is_tree else _read_field(part, value)
        return _Child(
            key, False, table if _is_used(table) else _make_unknown(inside, _parse_number(value))
        )
    if frame is None and not isinstance(value, dict | list):
        return _Child(
            key, False, Table({}, {}) if is_harmless(key) else _make_unknown(inside, value)
        )
    if frame is None:
        table = _collect(inside, value)
        if is_harmless(key) and not table.shared and not table.frames:
            return _Child(key, True, Table({}, {}))
        return _Child(
            key, True, table if is_tree or _is_used(table) else _make_unknown(inside, value)
        )
    if is_tree:
        inner = _collect(inside, value)
    else:  # a column
        inner = _read_field(
            inside._replace(part=inside.part or "matrix", key=inside.key or key), value
        )
    inner = inner if is_tree or _is_used(inner) else _make_unknown(inside, value)
    return _Child(key, bool(inner.frames), _put_under_frame(inner, frame))


def _make_unknown(inside: _Place, value: Json) -> Table:
    """Makes a table of unknown keys: the key of the place, and those in a list under it."""
    if isinstance(value, dict):  # its keys were examined already
        return Table({}, {})
    return Table({}, {}, tuple(find_unknown_below(inside.keys, value)))


def _parse_number(value: Json) -> Json:
    """Converts a number spelled as text, so that a part of a camera is not lost as text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _is_used(table: Table) -> bool:
    """Whether a table holds a part of a camera or an unknown key."""
    return bool(table.shared or table.frames or table.unknown)


def _enter_part(inside: _Place, key: str, name: str, direction: str | None) -> _Place:
    """Returns the place below the name of a part."""
    says_nothing = NAMES[name].rank == SAYS_NOTHING
    if says_nothing and inside.part is not None:
        return inside._replace(key=f"{inside.key} {key}")
    is_pose = NAMES[name].role in POSES and not says_nothing
    return inside._replace(part=name, key=key, pose=direction or (name if is_pose else inside.pose))


def _read_text(inside: _Place, key: str, value: Json) -> Fields:
    """Reads a text or a flag that states a lens model or a convention."""
    name = simplify(key)
    if name == "isfisheye" and value in (True, False):  # also accepts 1 and 0
        return {MODEL: [Field(key, str(inside), "fisheye" if value else "perspective")]}
    if not isinstance(value, str):
        return {}
    if name in MODELS:
        return {MODEL: [Field(key, str(inside), value)]}
    if name in CONVENTIONS or (name in TYPES and any(read_convention(value))):
        return {CONVENTION: [Field(key, str(inside), value)]}
    return {}


def _collect_bare_frames(place: _Place, node: dict[str, Json]) -> dict[str, _Child]:
    """Collects frames whose value is that of the enclosing part, or a bare matrix."""
    found: dict[str, _Child] = {}
    missing: list[str] = []
    frames: dict[int, str] = {}
    inside = place if place.part else place._replace(part="matrix")
    for key, value in node.items():
        frame = frame_of(key)
        if frame is None or find_name(key) or isinstance(value, dict):
            continue
        inner = _read_field(inside.under(key)._replace(labels=(), key=place.key or key), value)
        if inner.shared:
            found[key] = _Child(key, False, _put_under_frame(inner, frame))
            if frames.setdefault(frame.number, key) != key:
                twice = f"{frames[frame.number]} and {key}"
                raise FormatError(place.path, f"every frame of {place} once", twice)
        elif not _is_list_of_objects(value):
            missing.append(key)
    if found and missing and place.part:
        where, key = place.under(missing[0]), missing[0]
        raise FormatError(place.path, f"a value as {where}", outline(node[key]))
    return found


def _read_field(place: _Place, value: Json) -> Table:
    """Reads a value of the enclosing part, or a column of such values."""
    array, name = to_array(value), place.part
    if array is None or name is None:
        return Table({}, {})
    if array.ndim > 1 and len(array) == 1 and array.shape[1:] in NAMES[name].shapes:
        array = array[0]
    is_one, rows = _count_values(name, array)
    if not is_one and rows == 0:
        return Table({}, {})
    role = NAMES[name].role
    if role == "translation" and array.shape[not is_one :] in POSE_SHAPES:
        name = place.pose or "matrix"
    pose = place.pose if role in (*ROTATIONS, "translation", "position") else None
    make = lambda x, rows: {name: [Field(place.key, str(place), x, pose, rows)]}
    if is_one:
        return Table(make(array, 0 if role == "matrix" else rows), {})
    frames = place.labels or [frame_of_number(i, named=False) for i in range(rows)]
    if len(frames) != rows:
        expected = f"{len(frames)} of {place}, one per name"
        raise FormatError(place.path, expected, f"{rows}")
    pairs = zip(frames, array, strict=True)
    return Table({}, {frame.number: (frame, make(x, rows)) for frame, x in pairs})


def _count_values(name: str, array: np.ndarray) -> tuple[bool, int]:
    """Whether an array fits as one value of a part, and its length as a column (0: not one)."""
    role, shapes = NAMES[name].role, NAMES[name].shapes
    # The last row of a 4 x 4 matrix K starts with zeros; that of a column of fx fy cx cy does not.
    rows_of_four = role == "matrix" and array.shape == (4, 4) and bool(array[3, :3].any())
    is_one = array.shape in shapes and not rows_of_four
    is_column = array.ndim > 0 and array.shape[1:] in shapes
    return is_one, len(array) if is_column else 0


def _put_under_frame(inner: Table, frame: Frame, *, keep: bool = False) -> Table:
    """Attaches a subtree to its frame, copying values shared by nested frames into each of them."""
    if not inner.frames:
        frames = {frame.number: (frame, inner.shared)} if inner.shared or keep else {}
        return Table({}, frames, inner.unknown)
    for _, fields in inner.frames.values():
        for name, found in inner.shared.items():
            fields.setdefault(name, found)
    return Table({}, inner.frames, inner.unknown)


def _merge(place: _Place, children: list[_Child]) -> Table:
    """Merges the children of a place; at most one of them may be a sequence."""
    for roles in (POSES, INTRINSICS):
        holders = [
            c for c in children if any(_has_role(f, roles) for _, f in c.table.frames.values())
        ]
        if len(holders) > 1 and any(child.wraps for child in holders):
            _refuse(place, "sequence", holders)
    poses = (*POSES, *ROTATIONS)
    holders = [c for c in children if c.wraps and _has_role(c.table.shared, poses)]
    if len(holders) > 1:
        _refuse(place, "camera", holders)
    table = Table({}, {})
    for child in children:
        _extend(table.shared, child.table.shared)
        for number, (frame, fields) in child.table.frames.items():
            known, own = table.frames.get(number, (frame, {}))
            _extend(own, fields)
            table.frames[number] = (known if known.named else frame), own
    unknown: Iterable[UnknownKey] = itertools.chain(*(child.table.unknown for child in children))
    if not table.shared and not table.frames:  # without a camera only keys of a lens count
        unknown = [key for key in unknown if key.is_of_a_lens]
    return table._replace(unknown=tuple(unknown))


def _refuse(place: _Place, kind: str, holders: list[_Child]) -> None:
    found = ", ".join(str(place.under(child.key)) for child in holders[:8])
    expected = f"one {kind}, or names of frames that end in digits"
    raise FormatError(place.path, expected, f"{len(holders)} {kind}s: {found}")


def _list_fields(fields: Fields) -> list[Field]:
    return list(itertools.chain(*fields.values()))


def _has_role(fields: Fields, roles: tuple[str, ...]) -> bool:
    return any(name in NAMES and NAMES[name].role in roles for name in fields)


def _extend(fields: Fields, others: Fields) -> None:
    for name, found in others.items():
        fields[name] = fields.get(name, []) + found


def _is_list_of_objects(node: Json) -> bool:
    return isinstance(node, list) and len(node) > 0 and all(isinstance(x, dict) for x in node)
