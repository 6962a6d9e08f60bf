"""The names of the files of frames, after the images that a camera file names."""

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

# No file of Windows has these in its name, none of Linux a slash, by which paths are split before.
_IMPOSSIBLE = re.compile(r'[\x00-\x1f\x7f<>:"|?*]|[\ud800-\udfff]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
# A file system holds 255 bytes, of which the ending and what tells names apart take some.
_LONGEST = 200
_SHOWN = 3


class FrameNames(NamedTuple):
    """The names of frames.

    Attributes:
      names: one a frame, all different, also where capitals do not count.
      notes: what is said of names that are not those of the images, a line each.
    """

    names: list[str]
    notes: list[str]


def name_frames(images: Sequence[str | None]) -> FrameNames:
    """Makes names for the files of frames: those of the images, without folders and ending.

    Where images share a name, all get their folders too: x_a for x/a.png. What a file system cannot
    hold is replaced in that name alone; a frame without an image is called by its position.

    Args:
      images: the paths of the images, or None where a frame has none.

    Returns:
      The names, and what is said of those that were changed.
    """
    # Without what would lead out of a folder, and without the ending.
    paths = [[x for x in re.split(r"[/\\]", image or "") if x.strip(".")] for image in images]
    paths = [[*path[:-1], _stem(path[-1])] if path else [] for path in paths]
    names = ["_".join(path[-1:]) for path in paths]
    if len({name.casefold() for name in names if name}) < sum(map(bool, names)):
        levels = zip(*(path[:-1] for path in paths if path), strict=False)
        common = len([*itertools.takewhile(lambda level: len(set(level)) == 1, levels)])
        names = ["_".join(path[common:]) for path in paths]
    return _make_possible(images, names)


def _stem(name: str) -> str:
    """A name without its ending, which is no number and not all of the name."""
    return re.sub(r"(?<=.)\.[A-Za-z]\w*$", "", name, flags=re.DOTALL)


def _make_possible(images: Sequence[str | None], names: list[str]) -> FrameNames:
    """Names that a file system can hold, and that differ."""
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
            changes.append(f"{images[i]!a:.60} of frame {i} is called {new:.60}")
    notes = [
        f"{change}: no file can have its name, or another has it" for change in changes[:_SHOWN]
    ]
    if len(changes) > _SHOWN:
        notes.append(f"and so are {len(changes) - _SHOWN} more, by other names than their images")
    return FrameNames(found, notes)
