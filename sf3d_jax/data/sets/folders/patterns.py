"""Files by patterns with wildcards, and which of them belong together."""

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sf3d_jax.data.sets._listing import PICTURES

# Wildcards side by side are one: ???? is a number of four digits.
_WILDCARDS = re.compile(r"([*?]+)")


class Match(NamedTuple):
    """A file that fits a pattern.

    Attributes:
      path: of the file.
      folder: that it lies in, below the root, with slashes.
      key: what the wildcards stood for, but for the ending; numbers by their value.
    """

    path: Path
    folder: str
    key: tuple[str | int, ...]


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
    by_key: dict[tuple[str | int, ...], Match] = {}
    for match in matches:
        if match.key in by_key:
            paths = (by_key[match.key].path, match.path)
            same = " and ".join(sorted(map(str, paths)))
            raise ValueError(f"{pattern}: its wildcards stand for the same in {same}")
        by_key[match.key] = match
    return sorted(matches, key=lambda m: (_natural(m.folder), _natural(m.path.name)))


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
            yield Match(path, inside.parent.as_posix(), tuple(map(_value, fits.groups())))


def _part(token: str) -> str:
    """The regular expression of wildcards, or of what is between them."""
    if not _WILDCARDS.fullmatch(token):
        return re.escape(token)
    return f"({token.replace('*', '[^/]*').replace('?', '[^/]')})"


def _value(name: str) -> str | int:
    return int(name) if name.isascii() and name.isdecimal() else name


def partners(of: Sequence[Match], among: Sequence[Match], matches: Sequence[Match]) -> list[Path]:
    """The file that belongs to each of others.

    It is the one of which the wildcards stood for the same; the file of a pattern without wildcards
    belongs to all. Where no wildcards stood for the same, the files belong together in their order,
    folder by folder, if there are equally many.

    Args:
      of: those that need a partner.
      among: those that may have one; `of` is a part of them.
      matches: the partners, as `find` gives them.

    Returns:
      As many files as there are in `of`.

    Raises:
      FileNotFoundError: one has no partner, on either side.
    """
    if matches[0].key == ():
        return [matches[0].path] * len(of)
    by_key = {match.key: match.path for match in matches}
    keys = {match.key for match in among}
    if by_key.keys() & keys:
        for match in of:
            if match.key not in by_key:
                raise _alone(match, matches)
        for match in matches:
            if match.key not in keys:
                raise _alone(match, among)
        return [by_key[match.key] for match in of]
    return _in_order(of, among, matches)


def _in_order(of: Sequence[Match], among: Sequence[Match], matches: Sequence[Match]) -> list[Path]:
    groups = _by_folder(matches)
    sizes = [len(group) for group in groups]
    for wanted in (of, among):
        others = _by_folder(wanted)
        if sizes == [len(other) for other in others]:
            paired = zip(itertools.chain(*others), itertools.chain(*groups), strict=True)
            by_partner = {match.path: partner.path for match, partner in paired}
            return [by_partner[match.path] for match in of]
    raise FileNotFoundError(
        f"{of[0].path}: has no partner of its name in {matches[0].path.parent}, and in their order "
        f"{len(of)} files cannot be matched with {len(matches)}"
    )


def _alone(match: Match, others: Sequence[Match]) -> FileNotFoundError:
    place = others[0].path
    return FileNotFoundError(f"{match.path}: has no partner among files such as {place}")


def _by_folder(matches: Sequence[Match]) -> list[list[Match]]:
    return [list(group) for _, group in itertools.groupby(matches, key=lambda m: m.folder)]


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key that puts frame_2 before frame_10."""
    parts = re.split(r"([0-9]+)", name)
    return [(1, int(p), p) if p.isdecimal() else (0, 0, p) for p in parts]
