"""Finds files by patterns with wildcards."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sf3d_jax.data.sets._listing import PICTURES
from sf3d_jax.data.sets.folders.pairing import check_unique, make_natural_key, parse

# Adjacent wildcards count as one: ???? is a four-digit number. Adjacent digits belong to it, too:
# the number of a name that matches 1*.png includes the 1.
_WILDCARDS = re.compile(r"([0-9*?]*[*?][0-9*?]*)")


class Match(NamedTuple):
    """A file that matches a pattern.

    Attributes:
      path: path of the file.
      folder: folder of the file, relative to the root, with slashes.
      group: text matched by the wildcards in folder names, with adjacent digits.
      name: text matched by the wildcards in the file name, without the extension.
      is_of_all: whether the pattern has no wildcards, so that the file belongs to all others.
    """

    path: Path
    folder: str
    group: str
    name: str
    is_of_all: bool


def find(root: Path, pattern: str, *, pictures: bool = False) -> list[Match]:
    """Finds the files that match a pattern, sorted by folder and name, with numbers by value.

    Args:
      root: folder that the pattern is relative to.
      pattern: path below the root, in which `*` matches any part of a name and `?` one character.
      pictures: whether only images match if the pattern leaves the extension open.

    Raises:
      FileNotFoundError: no file matches.
      ValueError: the pattern leaves the root or has other wildcards, or two files have equivalent
        names.
    """
    parts = Path(pattern).parts
    if "**" in pattern or "[" in pattern or ".." in parts or Path(pattern).is_absolute():
        raise ValueError(f"{pattern}: expected a path below {root}, with only * and ? as wildcards")
    matches = list(_list_matches(root, "/".join(parts), pictures))
    if not matches:
        raise FileNotFoundError(f"{root / pattern}: no file matches this pattern")
    try:
        check_unique([((parse(m.group), parse(m.name)), m.path) for m in matches])
    except ValueError as error:
        raise ValueError(f"{pattern}: {error}") from None
    return sorted(
        matches, key=lambda m: (make_natural_key(m.folder), make_natural_key(m.path.name))
    )


def _list_matches(root: Path, pattern: str, pictures: bool) -> Iterator[Match]:
    """Yields the files that match a pattern, in any order, without hidden ones."""
    stem, ending = os.path.splitext(pattern)
    is_open = bool(_WILDCARDS.search(ending or stem[-1:]))
    tokens = _WILDCARDS.split(stem if is_open else pattern)
    regex = re.compile("".join(map(_to_regex, tokens)))
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


def _to_regex(token: str) -> str:
    """Returns the regular expression for wildcards, or for the text between them."""
    if not _WILDCARDS.fullmatch(token):
        return re.escape(token)
    return f"({token.replace('*', '[^/]*').replace('?', '[^/]')})"
