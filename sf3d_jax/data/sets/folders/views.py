"""Recognises names of two cameras or two sequences, between which there is no motion."""

import re
from pathlib import PurePath

# The text before a frame number, and before the number of a camera or a sequence.
FRAME = re.compile(r"(?:^|.*[^a-z])(?:f|fr|frame|t|time|timestep|step|img|image)[_\-. ]*", re.I)
VIEW = re.compile(
    r"(?:^|.*[^a-z])(?:c|cam|camera|v|view|s|seq|sequence|scene|shot|take|subject)[_\-. ]*", re.I
)
# The unambiguous ones among them.
_CAMERA = re.compile(r"(?:^|.*[^a-z])(?:cam|camera|view)[_\-. ]*", re.I)
_TIME = re.compile(r"(?:^|.*[^a-z])(?:frame|time|timestep)[_\-. ]*", re.I)
_SIDE = re.compile(r"(?<![a-z])(left|right|l|r)(?![a-z])", re.I)
_NUMBER = re.compile(r"([0-9]+)")
_PLAIN = re.compile(r"[_\-. ]*")
_DATE = re.compile(r"(?:19|20)[0-9]{6}")
# A number of at least this many digits is a frame, as in 0001_cam_220700191; the 01 of
# 01_cam_0001 may be something else.
_FRAME_DIGITS = 3


def are_two_views(name: str, other: str) -> bool:
    """Whether names such as 0001_cam1 and 0001_cam2 belong to two cameras or sequences.

    They do if a number after such a word differs and another number is the frame, or if one name
    says left and the other right.

    Args:
      name: name of a frame without its extension.
      other: name of another frame.
    """
    if _are_two_sides(name, other):
        return True
    first, second = _NUMBER.split(name), _NUMBER.split(other)
    if first[::2] != second[::2]:
        return False
    return any(
        int(first[i]) != int(second[i]) and VIEW.fullmatch(first[i - 1]) and _has_time(first, i)
        for i in range(1, len(first), 2)
    )


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
    if FRAME.fullmatch(before):
        return True
    is_long = len(number) >= min(_FRAME_DIGITS, digits_of_view)
    is_other = _DATE.fullmatch(number) or after[:1].isalpha()
    return bool(_PLAIN.fullmatch(before)) and is_long and not is_other
