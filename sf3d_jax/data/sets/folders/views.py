"""Recognises names of two cameras or two sequences, between which there is no motion."""

import re
from collections.abc import Collection
from pathlib import PurePath
from typing import TypeAlias

# The text before a frame number, and before the number of a camera or a sequence.
FRAME = re.compile(r"(?:^|.*[^a-z])(?:f|fr|frame|t|time|timestep|step|img|image)[_\-. ]*", re.I)
VIEW = re.compile(
    r"(?:^|.*[^a-z])(?:c|cam|camera|v|view|s|seq|sequence|scene|shot|take|subject)[_\-. ]*", re.I
)
# Those among them that mean nothing else.
_FRAME = re.compile(r"(?:^|.*[^a-z])(?:fr|frame|time|timestep|step)[_\-. ]*", re.I)
_CAMERA = re.compile(r"(?:^|.*[^a-z])(?:cam|camera|view)[_\-. ]*", re.I)
_TIME = re.compile(r"(?:^|.*[^a-z])(?:frame|time|timestep)[_\-. ]*", re.I)
# R200 and L515 are models of cameras.
_SIDE = re.compile(r"(?<![a-z])((?:left|right)(?![a-z])|[lr](?![a-z]|[0-9]{2}))", re.I)
_NUMBER = re.compile(r"([0-9]+)")
_PLAIN = re.compile(r"[_\-. ]*")
# A day, with or without the time of day; it is the same for all frames of a recording.
_DATE = re.compile(
    r"(?<![0-9])(?:19|20)[0-9]{2}[-_.]?[01][0-9][-_.]?[0-3][0-9](?:[-_. T]*[0-9]{6})?(?![0-9])"
)
# A frame number has at least as many digits as that of a view, as in 0001_cam1; the 01 of
# 01_cam_0001 may be something else. Serial numbers of cameras, as in 0001_cam_220700191, are long.
_SERIAL_DIGITS, _FRAME_DIGITS = 6, 3


# Texts of a name around its numbers, and the index of one of the numbers.
Counter: TypeAlias = tuple[tuple[str, ...], int]


def are_two_views(name: str, other: str, counters: Collection[Counter] = ()) -> bool:
    """Whether names such as 0001_cam1 and 0001_cam2 belong to two cameras or sequences.

    They do if a number after such a word differs and another number is the frame, or if one name
    says left and the other right. A date is not a frame.

    Args:
      name: name of a frame without its extension.
      other: name of another frame.
      counters: numbers that count frames, whatever word is before them; see `find_counters`.
    """
    if _are_two_sides(name, other):
        return True
    first, second = _split(name), _split(other)
    texts = tuple(first[::2])
    if texts != tuple(second[::2]):
        return False
    return any(
        int(first[i]) != int(second[i])
        and VIEW.fullmatch(first[i - 1])
        and (texts, i) not in counters
        and _has_time(first, i)
        for i in range(1, len(first), 2)
    )


def find_counters(names: Collection[str]) -> set[Counter]:
    """Finds numbers that count together in at least three names: shot_0001 in frame_0001_shot_0001.

    Args:
      names: names of the frames of a folder without their extensions.
    """
    by_texts: dict[tuple[str, ...], list[list[str]]] = {}
    for parts in map(_split, {*names}):
        by_texts.setdefault(tuple(parts[::2]), []).append(parts)
    found = set()
    for texts, listed in by_texts.items():
        columns = {i: {int(p[i]) for p in listed} for i in range(1, 2 * len(texts) - 1, 2)}
        counting = [i for i, values in columns.items() if len(values) == len(listed) >= 3]
        if len(counting) > 1:
            found |= {(texts, i) for i in counting}
    return found


def are_two_cameras(name: str, other: str) -> bool:
    """Whether names such as flow_cam1 and depth_cam2, with any other words, say two cameras.

    Args:
      name: name of a folder, or of a file without its extension.
      other: another such name.
    """
    sides = [{x.lower()[0] for x in _SIDE.findall(text)} for text in (name, other)]
    numbers = [_find_camera_numbers(text) for text in (name, other)]
    return any(len(a) == len(b) == 1 and a != b for a, b in (sides, numbers))


def is_of_time(path: PurePath) -> bool:
    """Whether a folder names a time and the file in it a camera, as in frame_0001/cam_2.

    Args:
      path: path relative to the root.
    """
    *texts, _ = _NUMBER.split(path.stem)[::2]
    folders = (_NUMBER.split(part) for part in path.parent.parts)
    of_camera = bool(texts) and all(map(_CAMERA.fullmatch, texts))
    return of_camera and any(len(parts) > 1 and _TIME.fullmatch(parts[-3]) for parts in folders)


def _split(name: str) -> list[str]:
    """A name without its dates, split into texts and numbers in turn."""
    return _NUMBER.split(_DATE.sub("", name))


def _are_two_sides(name: str, other: str) -> bool:
    texts = [_NUMBER.sub("0", x).lower() for x in (name, other)]
    bare = {_SIDE.sub("", text) for text in texts}
    return texts[0] != texts[1] and len(bare) == 1


def _find_camera_numbers(text: str) -> set[int]:
    parts = _NUMBER.split(text)
    return {int(parts[i]) for i in range(1, len(parts), 2) if _CAMERA.fullmatch(parts[i - 1])}


def _has_time(parts: list[str], view: int) -> bool:
    """Whether a name has a frame number besides the number of a view."""
    return any(_is_time(parts, i, len(parts[view])) for i in range(1, len(parts), 2) if i != view)


def _is_time(parts: list[str], i: int, digits_of_view: int) -> bool:
    before, number, after = parts[i - 1 : i + 2]
    if _FRAME.fullmatch(before):
        return True
    is_long = len(number) >= (digits_of_view if digits_of_view < _SERIAL_DIGITS else _FRAME_DIGITS)
    is_plain = bool(_PLAIN.fullmatch(before)) and not after[:1].isalpha()
    return is_long and (is_plain or bool(FRAME.fullmatch(before)))
