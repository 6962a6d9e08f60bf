"""Clips of a sequence in JSON, such as SRFlow3D's `camera/ID/clip.json`.

SRFlow3D does not publish the format of this file. The form is recognised by the content:

    [0, 20]                              the first and the last frame of one clip
    {"start": 0, "end": 20}              the same, by name (begin, first; stop, last)
    {"start": 0, "num_frames": 20}       a number of frames from a start (length, count)
    [0, 1, 2, 3]                         the frames of one clip, listed one by one
    ["0000", "0001"], ["0000.jpg"]       the same, by file names
    [[0, 20], [30, 50]]                  clips, each in any form above
    {"smile": [0, 20], "jaw": {...}}     clips with names
    {"clips": ...}                       any form above (clip, segments, sequences)

Two increasing numbers are the first and the last frame. So are two names of frames with others
between them, except in {"frames": [...]}, where `write_clips` lists frames one by one. The file
does not say whether the last frame belongs to the clip; `clip_frames` decides that. A step of more
than one frame is refused.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.frames import frame_of_number, frame_of_value
from sf3d_jax.data._files.json import Json, outline, read_json, write_json
from sf3d_jax.data.cameras.names import simplify

# Names in the form that `simplify` returns.
_WRAPPERS = {"clip", "segment", "sequence"}
_START = set("start begin first startframe framestart beginframe framebegin firstframe".split())
_START |= {"startindex", "startidx"}
_END = {
    "end",
    "stop",
    "last",
    "endframe",
    "frameend",
    "stopframe",
    "lastframe",
    "endindex",
    "endidx",
}
_LENGTH = {"length", "count", "numframe", "nframe", "framecount"}
_STEP = {"step", "stride", "framestep", "interval"}
_FRAMES = {"frame", "frameid", "indice"}
_LONGEST = 1_000_000  # frames
_DEEPEST = 6


class Clip(NamedTuple):
    """A part of a sequence, given by its start and end or by a list of frames.

    Attributes:
      name: name of the clip, or None.
      start: number of the first frame, or None.
      end: as written in the file, or None. It is inclusive, unless the end of some clip equals the
        frame count: then all ends are exclusive; see `clip_frames`.
      frames: increasing numbers of the frames, or None if there are a start and an end.
    """

    name: str | None = None
    start: int | None = None
    end: int | None = None
    frames: tuple[int, ...] | None = None


def read_clips(path: PathLike) -> tuple[Clip, ...]:
    """Reads a JSON file of clips in any known form.

    Args:
      path: file to read.

    Returns:
      At least one clip, in the order of the file.

    Raises:
      FormatError: the file is not JSON, or does not have a known form.
    """
    tree = read_json(path)
    clips = _parse_clips(tree, _DEEPEST)
    if not clips:
        expected = 'clips, such as [[0, 20], [30, 50]] or {"name": {"start": 0, "end": 20}}'
        raise FormatError(path, expected, outline(tree))
    return clips


def clip_frames(clips: Clip | Sequence[Clip], count: int) -> tuple[tuple[int, ...], ...]:
    """Lists the frames of clips.

    A clip includes its end, unless the end of some clip equals `count`. Then all ends are
    exclusive, as in Python's `range`.

    Args:
      clips: one clip, or several from the same file.
      count: number of frames, which are numbered from 0.

    Returns:
      The frame numbers of each clip.

    Raises:
      ValueError: a clip has no frames, or frames that do not exist.
    """
    clips = (clips,) if isinstance(clips, Clip) else tuple(clips)
    past = 0 if any(clip.end == count for clip in clips) else 1
    return tuple(_list_frames(clip, count, past) for clip in clips)


def write_clips(path: PathLike, clips: Sequence[Clip]) -> None:
    """Writes clips as {"clips": [{"name": ..., "start": ..., "end": ...}, ...]}.

    Args:
      path: file to write.
      clips: clips to write, at least one.

    Raises:
      ValueError: there are no clips, or a clip could not be read back.
    """
    if not clips:
        raise ValueError("clips: expected at least one, got none")
    tree = [_encode_clip(clip) for clip in clips]
    for clip, written in zip(clips, tree, strict=True):
        if _parse_clips(written, _DEEPEST) != (clip,):
            expected = "a start before an end, or frames that increase"
            raise ValueError(f"clips: expected {expected}, got {clip}")
    write_json(path, {"clips": tree})


def _encode_clip(clip: Clip) -> dict[str, Json]:
    name = {} if clip.name is None else {"name": clip.name}
    if clip.frames is None:
        ends = {"start": clip.start, "end": clip.end}
        return {**name, **{key: None if x is None else int(x) for key, x in ends.items()}}
    # Frames are written as names, because two numbers would be read as the start and the end.
    return {**name, "frames": [frame_of_number(int(frame)).name for frame in clip.frames]}


def _list_frames(clip: Clip, count: int, past: int) -> tuple[int, ...]:
    if clip.frames is None and clip.start is not None and clip.end is not None:
        first, after = clip.start, clip.end + past
    elif clip.frames:
        first, after = min(clip.frames), max(clip.frames) + 1
    else:
        first = after = 0
    if not 0 <= first < after <= count:
        raise ValueError(f"clips: expected frames from 0 to {count - 1}, got {clip}")
    return tuple(range(first, after)) if clip.frames is None else clip.frames


def _parse_clips(node: Json, depth: int) -> tuple[Clip, ...] | None:
    """Reads the clips from JSON or a part of it; None if the form is unknown."""
    if depth == 0:
        return None
    if (clip := _parse_clip(node)) is not None:
        return (clip,)
    if isinstance(node, list):
        return _join(
            [_parse_clips(x, depth - 1) if isinstance(x, dict | list) else None for x in node]
        )
    if not isinstance(node, dict):
        return None
    inside = {key: x for key, x in node.items() if isinstance(x, dict | list)}
    for key in inside:
        if simplify(key) in _WRAPPERS:
            return _parse_clips(inside[key], depth - 1)
    return _join([_name_clip(key, _parse_clips(x, depth - 1)) for key, x in inside.items()])


def _join(parts: list[tuple[Clip, ...] | None]) -> tuple[Clip, ...] | None:
    found = [part for part in parts if part is not None]
    return tuple(itertools.chain(*found)) if len(found) == len(parts) else None


def _name_clip(key: str, clips: tuple[Clip, ...] | None) -> tuple[Clip, ...] | None:
    """Names a single clip by its key; with several clips the key is not a name."""
    if clips is None or len(clips) != 1 or clips[0].name is not None:
        return clips
    return (clips[0]._replace(name=key),)


def _parse_clip(node: Json) -> Clip | None:
    """Reads a value as a single clip; None if it has another form."""
    if isinstance(node, list):
        return _parse_frames(node)
    if not isinstance(node, dict):
        return None
    fields = {simplify(key): x for key, x in node.items()}
    name = fields.get("name")
    name = name if isinstance(name, str) else None
    kinds = (_START, _END, _LENGTH, _FRAMES, _STEP)
    start, end, length, frames, step = (_get_any(fields, keys) for keys in kinds)
    if step not in (None, 1):
        return None
    if start is not None and end is not None:
        clip = _parse_ends(start, end)
    elif start is not None and length is not None:
        clip = _parse_length(start, length)
    elif isinstance(frames, list):
        clip = _parse_frames(frames, names_are_ends=False)
    else:
        return None
    return None if clip is None else clip._replace(name=name)


def _get_any(fields: dict[str, Json], keys: set[str]) -> Json:
    return next((x for key, x in fields.items() if key in keys), None)


def _parse_frames(values: list[Json], *, names_are_ends: bool = True) -> Clip | None:
    """Reads a list of frames, or of the first and the last one."""
    if not values or isinstance(values[0], dict | list):
        return None
    found = [frame_of_value(x) for x in values]
    frames = tuple(frame.number for frame in found if frame is not None)
    if len(frames) < len(values) or any(a >= b for a, b in itertools.pairwise(frames)):
        return None
    if len(frames) == 2:
        named = any(isinstance(x, str) for x in values)
        if not named or (names_are_ends and frames[1] > frames[0] + 1):
            return Clip(start=frames[0], end=frames[1])
    return Clip(frames=frames)


def _parse_ends(start: object, end: object) -> Clip | None:
    first, last = frame_of_value(start), frame_of_value(end)
    if first is None or last is None or first.number > last.number:
        return None
    return Clip(start=first.number, end=last.number)


def _parse_length(start: object, length: object) -> Clip | None:
    """Lists the frames one by one, so that `clip_frames` need not decide about an end."""
    first = frame_of_value(start)
    if first is None or type(length) is not int or not 1 <= length <= _LONGEST:
        return None
    return Clip(frames=tuple(range(first.number, first.number + length)))
