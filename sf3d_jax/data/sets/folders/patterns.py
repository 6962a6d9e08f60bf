"""Files by patterns with wildcards."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sf3d_jax.data.sets._listing import PICTURES
from sf3d_jax.data.sets.folders.pairing import check_unique, natural_order, parse

# Wildcards side by side are one: ???? is a number of four digits. So are digits beside them: the
# number of a name that fits 1*.png is not what the wildcard alone stands for.
_WILDCARDS = re.compile(r"([0-9*?]*[*?][0-9*?]*)")


class Match(NamedTuple):
    """A file that fits a pattern.

    Attributes:
      path: file to read.
      folder: that it lies in, below the root, with slashes.
      group: what the wildcards in the names of folders stand for, with the digits beside them.
      name: what those in the name of the file stand for, but for the ending.
      is_of_all: whether the pattern has no wildcards, so that the file belongs to all others.
    """

    path: Path
    folder: str
    group: str
    name: str
    is_of_all: bool


def find(root: Path, pattern: str, *, pictures: bool = False) -> list[Match]:
    """The files that fit a pattern, by folder, then by name, numbers by their value.

    Args:
      root: the folder that the pattern begins in.
      pattern: a path below it, in which `*` stands for any part of a name and `?` for one letter.
      pictures: whether it is pictures alone that fit, where the pattern leaves the ending open.

    Raises:
      FileNotFoundError: no file fits.
      ValueError: the pattern leaves the root, has other wildcards, or two files stand for the same.
    """
    parts = Path(pattern).parts
    if "**" in pattern or "[" in pattern or ".." in parts or Path(pattern).is_absolute():
        raise ValueError(f"{pattern}: expected a path below {root}, with no wildcards but * and ?")
    matches = list(_matches(root, "/".join(parts), pictures))
    if not matches:
        raise FileNotFoundError(f"{root / pattern}: no file fits")
    try:
        check_unique([((parse(m.group), parse(m.name)), m.path) for m in matches])
    except ValueError as error:
        raise ValueError(f"{pattern}: {error}") from None
    return sorted(matches, key=lambda m: (natural_order(m.folder), natural_order(m.path.name)))


def _matches(root: Path, pattern: str, pictures: bool) -> Iterator[Match]:
    """The files that fit a pattern, in any order; hidden ones are left out."""
    stem, ending = os.path.splitext(pattern)
    is_open = bool(_WILDCARDS.search(ending or stem[-1:]))
    tokens = _WILDCARDS.split(stem if is_open else pattern)
    regex = re.compile("".join(map(_part, tokens)))
    for path in root.glob(pattern):
        inside = path.relative_to(root)
        is_hidden = any(part.startswith(".") for part in inside.parts)
        is_other_kind = is_open and pictures and path.suffix.lower() not in PICTURES
        if is_hidden or is_other_kind or path.is_dir():
            continue
        name = inside.as_posix()
        if fits := regex.fullmatch(os.path.splitext(name)[0] if is_open else name):
            parts, count = fits.groups(), len(_WILDCARDS.findall(os.path.dirname(pattern)))
            group, own = "/".join(parts[:count]), "/".join(parts[count:])
            yield Match(path, inside.parent.as_posix(), group, own, not parts)


def _part(token: str) -> str:
    """The regular expression of wildcards, or of what is between them."""
    if not _WILDCARDS.fullmatch(token):
        return re.escape(token)
    return f"({token.replace('*', '[^/]*').replace('?', '[^/]')})"
