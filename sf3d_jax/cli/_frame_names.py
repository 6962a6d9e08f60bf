"""Names for the files of frames, from the names of their images."""

import itertools
import re
from collections import Counter

# What no name may have on Windows, NTFS or exFAT, and what no name may have anywhere.
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f\ud800-\udfff]')
# A name has up to 255 bytes, with an ending and what keeps two names apart.
_MOST_BYTES = 200


def name_frames(images: list[str | None]) -> list[str]:
    """The names of the frames' files.

    A frame is called as its image, without the ending and without the folders where the images
    have names of their own, else with those of its folders that are not common to all: x_a for
    x/a.png.

    Args:
      images: the name of each frame's image, with folders, or None.

    Returns:
      As many names, no two alike, whatever case the letters have. What a file system cannot hold is
      replaced in that name alone: a character by _, what is too long by its beginning, and an image
      without a name by the frame's number in four digits, which also tells names apart.
    """
    paths = [_split(image) for image in images]
    levels = zip(*(path[:-1] for path in paths if path), strict=False)
    common = len([*itertools.takewhile(lambda level: len(set(level)) == 1, levels)])
    stems = [path[-1] for path in paths if path]
    start = -1 if len({x.casefold() for x in stems}) == len(stems) else common
    names = [_fit("_".join(path[start:])) for path in paths]
    names = [name or f"{i:04d}" for i, name in enumerate(names)]
    while len(counts := Counter(map(str.casefold, names))) < len(names):
        names = [f"{x}_{i:04d}" if counts[x.casefold()] > 1 else x for i, x in enumerate(names)]
    return names


def is_called_as(name: str, image: str) -> bool:
    """Whether a frame's name is that of its image, with or without folders."""
    return "_".join(_split(image)).endswith(name)


def _split(image: str | None) -> list[str]:
    """The folders and the stem of a path, without what would lead out of a folder."""
    parts = [x for x in re.split(r"[/\\]", image or "") if x.strip(". ")]
    return [*parts[:-1], re.sub(r"(?<=.)\.[A-Za-z]\w*$", "", parts[-1])] if parts else []


def _fit(name: str) -> str:
    """The name as every file system takes it."""
    name = _FORBIDDEN.sub("_", name).strip()
    return name.encode()[:_MOST_BYTES].decode(errors="ignore")
