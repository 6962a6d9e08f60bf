"""Matches files by their names.

A name consists of text and numbers. Numbers are compared by value, so 0001 equals 1; a number with
decimals, such as the time 12.050, is compared as text.
"""

import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import NamedTuple

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.sets.folders.views import are_two_cameras

Key = tuple[int | str, ...]

_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)")
# The text between the two numbers of a flow that names both of its frames, as in 0001_0002.
_TO = re.compile(r"[_\-. ]*(to)?[_\-. ]*")
_MOST_LISTED = 5


class Name(NamedTuple):
    """A name split into its parts.

    Attributes:
      texts: text before, between and after the numbers.
      numbers: values of the numbers; those with decimals are text.
    """

    texts: tuple[str, ...]
    numbers: tuple[int | str, ...]


class Paired(NamedTuple):
    """Files that were matched with other files.

    Attributes:
      files: partner of each of the other files, in their order.
      left_out: files without a partner.
    """

    files: tuple[Path, ...]
    left_out: tuple[Path, ...]


def pair_files(flows: Sequence[PathLike], others: Sequence[PathLike]) -> Paired:
    """Finds the file that belongs to each flow, such as its depth or image, by their names.

    1. If some names are the same up to their extensions, they decide; 0001 equals 1.
    2. Otherwise the numbers that vary from file to file decide: depth_2_v1 belongs to flow_0002. If
       all names on one side have two numbers n_m, as in 000000_000001_flow, and those on the other
       side have one, the first counts. Names of two cameras, such as flow_cam1_1 and depth_cam2_1
       or left and right, do not match.
    3. If the flows or the others have no numbers, they are matched in the given order, provided
       that the counts match and any numbers are increasing.

    Args:
      flows: files that need a partner.
      others: files to match them with; no file needs to exist.

    Returns:
      The partner of each flow, and the others without a flow, such as the depth of a last frame.

    Raises:
      FileNotFoundError: flows have no partner; the message lists them.
      ValueError: two files have equivalent names, or the names do not say which belong together.
    """
    firsts, seconds = [Path(x) for x in flows], [Path(x) for x in others]
    for paths in (firsts, seconds):
        check_unique([(parse(x.stem), x) for x in paths])
    places = match_names([x.stem for x in firsts], [x.stem for x in seconds])
    if places is None:
        raise ValueError(
            f"{firsts[0].parent}, {seconds[0].parent}: {len(firsts)} files such as "
            f"{firsts[0].name} and {len(seconds)} such as {seconds[0].name}: their names do not "
            "say which belong together; give both the same names, or the same numbers"
        )
    if alone := [x for x, i in zip(firsts, places, strict=True) if i is None]:
        raise FileNotFoundError(make_lack_message(alone, seconds))
    used = dict.fromkeys(i for i in places if i is not None)
    left_out = (x for i, x in enumerate(seconds) if i not in used)
    return Paired(tuple(seconds[i] for i in used), tuple(left_out))


def make_lack_message(alone: Sequence[Path], others: Sequence[Path]) -> str:
    """Makes the message that some files have no partner among others."""
    listed = ", ".join(map(str, alone[:_MOST_LISTED]))
    more = f" and {len(alone) - _MOST_LISTED} more" if len(alone) > _MOST_LISTED else ""
    among = f"files such as {others[0]}" if others else "no files"
    have = "has" if len(alone) == 1 else "have"
    return f"{listed}{more}: {have} no partner among {among}"


def check_unique(
    named: Sequence[tuple[Hashable, Path]], advice: str = "remove one of them"
) -> None:
    """Refuses two files with equivalent names.

    Args:
      named: parsed name and path of each file.
      advice: what to do about it, for the error.

    Raises:
      ValueError: two files have equivalent names.
    """
    seen: dict[Hashable, Path] = {}
    for name, path in named:
        if name in seen:
            same = " and ".join(sorted(map(str, (seen[name], path))))
            raise ValueError(f"equivalent names: {same}; {advice}")
        seen[name] = path


def match_names(names: Sequence[str], others: Sequence[str]) -> list[int | None] | None:
    """Matches names by the rules of `pair_files`.

    Args:
      names: names that need a partner, in order.
      others: names to match them with, in order.

    Returns:
      The index in `others` for each name, or None if it has no partner. A single None if the names
      do not decide.
    """
    if not names or not others:
        return [None] * len(names)
    first, second = [parse(x) for x in names], [parse(x) for x in others]
    if {*first} & {*second}:
        return _look_up(first, second)
    if _has_numbers(first) and _has_numbers(second):
        places = _match_numbers(first, second)
    else:
        in_order = _is_in_order(names) and _is_in_order(others)
        places = [*range(len(first))] if in_order and len(first) == len(second) else None
    pairs = zip(names, places or (), strict=False)
    across = any(i is not None and are_two_cameras(x, others[i]) for x, i in pairs)
    return None if across else places


def _match_numbers(first: Sequence[Name], second: Sequence[Name]) -> list[int | None] | None:
    keys, other_keys = _list_keys(first), _list_keys(second)
    if keys is None or other_keys is None:
        return None
    if _count_numbers(other_keys) == 1 and _find_step(first, keys):
        keys = [key[:1] for key in keys]
    if _count_numbers(keys) == 1 and _find_step(second, other_keys):
        other_keys = [key[:1] for key in other_keys]
    if _count_numbers(keys) != _count_numbers(other_keys):
        return None
    return _look_up(keys, [key or None for key in other_keys])


def read_step_of_names(names: Sequence[str], others: Sequence[str]) -> int:
    """Reads the step to the other frame from names such as 0003_0004, which have both frames.

    Args:
      names: names of the flows.
      others: names of the frames.

    Returns:
      The step; 0 if `match_names` does not use the first of two numbers.
    """
    first, second = [parse(x) for x in names], [parse(x) for x in others]
    keys, other_keys = _list_keys(first), _list_keys(second)
    if {*first} & {*second} or not keys or not other_keys or _count_numbers(other_keys) != 1:
        return 0
    return _find_step(first, keys)


def parse(name: str) -> Name:
    """Splits a name into its parts."""
    parts = _NUMBER.split(name)
    numbers = (x.lstrip("0") if "." in x else int(x) for x in parts[1::2])
    return Name(tuple(parts[::2]), tuple(numbers))


def make_natural_key(name: str) -> list[tuple[int, int, str]]:
    """Returns a sort key that puts frame_2 before frame_10."""
    parts = re.split(r"([0-9]+)", name)
    return [(1, int(p), p) if p.isdecimal() else (0, 0, p) for p in parts]


def find_varying_numbers(names: Sequence[Name]) -> list[int]:
    """Finds which numbers vary among names with the same texts."""
    columns = zip(*(name.numbers for name in names), strict=True)
    return [i for i, column in enumerate(columns) if len({*column}) > 1]


def _list_keys(names: Sequence[Name]) -> list[Key] | None:
    """Returns the varying numbers of each name, () if it has none; None if the texts differ."""
    numbered = [name for name in names if name.numbers]
    if len({name.texts for name in numbered}) > 1:
        return None
    varying = find_varying_numbers(numbered)
    if len(numbered) == 1:
        varying = [*range(len(numbered[0].numbers))]
    return [tuple(name.numbers[i] for i in varying) if name.numbers else () for name in names]


def _find_step(names: Sequence[Name], keys: Sequence[Key]) -> int:
    """Returns m - n if all names have two adjacent numbers n_m with the same step, else 0."""
    pairs = [key for key in keys if key]
    texts = {text for name in names if name.numbers for text in name.texts[1:-1]}
    if {*map(len, pairs)} != {2} or not all(map(_TO.fullmatch, texts)):
        return 0
    steps = {b - a if isinstance(a, int) and isinstance(b, int) else 0 for a, b in pairs}
    return steps.pop() if len(steps) == 1 else 0


def _count_numbers(keys: Sequence[Key]) -> int:
    return max(map(len, keys))


def _has_numbers(names: Sequence[Name]) -> bool:
    return any(name.numbers for name in names)


def _is_in_order(names: Sequence[str]) -> bool:
    """Whether the numbers of names, if any, increase."""
    order = [make_natural_key(name) for name in names]
    return not _has_numbers([*map(parse, names)]) or order == sorted(order)


def _look_up(keys: Sequence[Hashable], others: Sequence[Hashable]) -> list[int | None]:
    """Finds the index of each key among the others; None among the others is not a key."""
    places = {key: i for i, key in enumerate(others) if key is not None}
    return [places.get(key) for key in keys]
