"""File names of frames, made from the names of their images in a camera file."""

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

# Not allowed in names on Windows. Linux forbids slashes, at which paths are split beforehand.
_IMPOSSIBLE = re.compile(r'[\x00-\x1f\x7f<>:"|?*]|[\ud800-\udfff]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
# File systems allow 255 bytes, which must include the ending and the number of a duplicate.
_LONGEST = 200
_SHOWN = 3


class FrameNames(NamedTuple):
    """The names of frames.

    Attributes:
      names: one per frame, all different even if case is ignored.
      notes: one line for each name that differs from that of its image.
    """

    names: list[str]
    notes: list[str]


def name_frames(images: Sequence[str | None]) -> FrameNames:
    """Makes file names for frames: the names of their images without folders and ending.

    If images share a name, all names include the folders: x_a for x/a.png. Characters that a file
    system does not allow are replaced. A frame without an image is named after its position.

    Args:
      images: path of each frame's image, or None.

    Returns:
      The names, and notes on those that were changed.
    """
    # Drop the ending, and parts such as .. that would lead out of a folder.
    paths = [[x for x in re.split(r"[/\\]", image or "") if x.strip(".")] for image in images]
    paths = [[*path[:-1], _remove_ending(path[-1])] if path else [] for path in paths]
    names = ["_".join(path[-1:]) for path in paths]
    if len({name.casefold() for name in names if name}) < sum(map(bool, names)):
        levels = zip(*(path[:-1] for path in paths if path), strict=False)
        common = len([*itertools.takewhile(lambda level: len(set(level)) == 1, levels)])
        names = ["_".join(path[common:]) for path in paths]
    return _make_possible(images, names)


def _remove_ending(name: str) -> str:
    """Removes the ending of a name, unless it is a number or the whole name."""
    return re.sub(r"(?<=.)\.[A-Za-z]\w*$", "", name, flags=re.DOTALL)


def _make_possible(images: Sequence[str | None], names: list[str]) -> FrameNames:
    """Changes names that a file system does not allow or that occur twice."""
    known: set[str] = set()
    found, changes = [], []
    for i, name in enumerate(names):
        new = _IMPOSSIBLE.sub("_", name)
        new = f"{new}_" if _RESERVED.fullmatch(new) else new
        if not new or len(new.encode()) > _LONGEST:
            new = f"{new.encode()[:_LONGEST].decode(errors='ignore')}_{i:04d}".removeprefix("_")
        while new.casefold() in known:
            new = f"{new}_{i:04d}"
        known.add(new.casefold())
        found.append(new)
        if images[i] is not None and new != name:
            changes.append(f"frame {i}, image {images[i]!a:.60}, is written as {new:.60}")
    notes = [f"{change}: its name is not allowed or is taken" for change in changes[:_SHOWN]]
    if len(changes) > _SHOWN:
        notes.append(f"{len(changes) - _SHOWN} more frames are not named after their images")
    return FrameNames(found, notes)
