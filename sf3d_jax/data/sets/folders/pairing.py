"""Which files belong together, told by their names.

A name is text and numbers, and numbers count by their value: 0001 is 1. A number with decimals,
such as the time 12.050, counts as it is written.
"""

import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import NamedTuple

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.sets.folders.views import are_two_cameras

Key = tuple[int | str, ...]

_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)")
# What stands between the two numbers of a flow that names both of its frames, as in 0001_0002.
_TO = re.compile(r"[_\-. ]*(to)?[_\-. ]*")
_MOST_LISTED = 5


class Name(NamedTuple):
    """A name in its parts.

    Attributes:
      texts: what stands before, between and behind the numbers.
      numbers: by their value; those with decimals as text.
    """

    texts: tuple[str, ...]
    numbers: tuple[int | str, ...]


class Paired(NamedTuple):
    """The files that belong to others.

    Attributes:
      files: one for each of the others, in their order.
      left_out: those that belong to none.
    """

    files: tuple[Path, ...]
    left_out: tuple[Path, ...]


def pair_files(flows: Sequence[PathLike], others: Sequence[PathLike]) -> Paired:
    """The file that belongs to each flow, such as its depth or its image, told by the names.

    1. Where names are the same but for their endings, they decide; 0001 is the same as 1.
    2. Else the numbers decide that differ from file to file: depth_2_v1 belongs to flow_0002. Of
       two numbers n_m in all names, as in 000000_000001_flow, the first one counts where the
       others have one number. Names of two cameras, such as flow_cam1_1 and depth_cam2_1 or
       those with left and right, do not belong together.
    3. Where the flows or the others have no numbers, they belong together in the order given, if
       there are equally many and numbers, if any, increase.

    Args:
      flows: the files that need a partner.
      others: the files among which it is; whether any file exists is found out when it is read.

    Returns:
      The partner of each flow, and the others that have no flow, such as the depth of a last frame.

    Raises:
      FileNotFoundError: flows have no partner; they are listed.
      ValueError: two files stand for the same, or the names do not say which belong together.
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
        raise FileNotFoundError(lack_partner(alone, seconds))
    used = dict.fromkeys(i for i in places if i is not None)
    left_out = (x for i, x in enumerate(seconds) if i not in used)
    return Paired(tuple(seconds[i] for i in used), tuple(left_out))


def lack_partner(alone: Sequence[Path], others: Sequence[Path]) -> str:
    """The message that some files have no partner among others."""
    listed = ", ".join(map(str, alone[:_MOST_LISTED]))
    more = f" and {len(alone) - _MOST_LISTED} more" if len(alone) > _MOST_LISTED else ""
    among = f"files such as {others[0]}" if others else "no files"
    have = "has" if len(alone) == 1 else "have"
    return f"{listed}{more}: {have} no partner among {among}"


def check_unique(
    named: Sequence[tuple[Hashable, Path]], advice: str = "take one of them away"
) -> None:
    """Refuses two files that stand for the same.

    Args:
      named: what each file stands for, and its path.
      advice: what to do, for the error.

    Raises:
      ValueError: two of them stand for the same.
    """
    seen: dict[Hashable, Path] = {}
    for name, path in named:
        if name in seen:
            same = " and ".join(sorted(map(str, (seen[name], path))))
            raise ValueError(f"names stand for the same in {same}; {advice}")
        seen[name] = path


def match_names(names: Sequence[str], others: Sequence[str]) -> list[int | None] | None:
    """The places of the names that belong to others; see `pair_files`.

    Args:
      names: those that need a partner, in order.
      others: those among which it is, in order.

    Returns:
      For each of the names a place in `others`, or None where there is no partner; None alone
      where the names do not decide.
    """
    if not names or not others:
        return [None] * len(names)
    first, second = [parse(x) for x in names], [parse(x) for x in others]
    if {*first} & {*second}:
        return _look_up(first, second)
    if _have_numbers(first) and _have_numbers(second):
        places = _match_numbers(first, second)
    else:
        in_order = _is_in_order(names) and _is_in_order(others)
        places = [*range(len(first))] if in_order and len(first) == len(second) else None
    pairs = zip(names, places or (), strict=False)
    across = any(i is not None and are_two_cameras(x, others[i]) for x, i in pairs)
    return None if across else places


def _match_numbers(first: Sequence[Name], second: Sequence[Name]) -> list[int | None] | None:
    keys, other_keys = _keys(first), _keys(second)
    if keys is None or other_keys is None:
        return None
    if _width(other_keys) == 1 and _step(first, keys):
        keys = [key[:1] for key in keys]
    if _width(keys) == 1 and _step(second, other_keys):
        other_keys = [key[:1] for key in other_keys]
    if _width(keys) != _width(other_keys):
        return None
    return _look_up(keys, [key or None for key in other_keys])


def step_of_names(names: Sequence[str], others: Sequence[str]) -> int:
    """How far the other frame is, where names such as 0003_0004 name both frames of a flow.

    Args:
      names: of the flows.
      others: of the frames.

    Returns:
      The step; 0 where `match_names` does not take the first of two numbers.
    """
    first, second = [parse(x) for x in names], [parse(x) for x in others]
    keys, other_keys = _keys(first), _keys(second)
    if {*first} & {*second} or not keys or not other_keys or _width(other_keys) != 1:
        return 0
    return _step(first, keys)


def parse(name: str) -> Name:
    """A name in its parts."""
    parts = _NUMBER.split(name)
    numbers = (x.lstrip("0") if "." in x else int(x) for x in parts[1::2])
    return Name(tuple(parts[::2]), tuple(numbers))


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """A key that puts frame_2 before frame_10."""
    parts = re.split(r"([0-9]+)", name)
    return [(1, int(p), p) if p.isdecimal() else (0, 0, p) for p in parts]


def varying_numbers(names: Sequence[Name]) -> list[int]:
    """Which of the numbers of names with the same texts differ from name to name."""
    columns = zip(*(name.numbers for name in names), strict=True)
    return [i for i, column in enumerate(columns) if len({*column}) > 1]


def _keys(names: Sequence[Name]) -> list[Key] | None:
    """The numbers that tell names apart, none for a name without; None where their texts differ."""
    numbered = [name for name in names if name.numbers]
    if len({name.texts for name in numbered}) > 1:
        return None
    varying = varying_numbers(numbered)
    if len(numbered) == 1:
        varying = [*range(len(numbered[0].numbers))]
    return [tuple(name.numbers[i] for i in varying) if name.numbers else () for name in names]


def _step(names: Sequence[Name], keys: Sequence[Key]) -> int:
    """m - n where names have two numbers n_m side by side, always the same step; else 0."""
    pairs = [key for key in keys if key]
    texts = {text for name in names if name.numbers for text in name.texts[1:-1]}
    if {*map(len, pairs)} != {2} or not all(map(_TO.fullmatch, texts)):
        return 0
    steps = {b - a if isinstance(a, int) and isinstance(b, int) else 0 for a, b in pairs}
    return steps.pop() if len(steps) == 1 else 0


def _width(keys: Sequence[Key]) -> int:
    return max(map(len, keys))


def _have_numbers(names: Sequence[Name]) -> bool:
    return any(name.numbers for name in names)


def _is_in_order(names: Sequence[str]) -> bool:
    """Whether the numbers of names, if they have any, increase."""
    order = [natural_order(name) for name in names]
    return not _have_numbers([*map(parse, names)]) or order == sorted(order)


def _look_up(keys: Sequence[Hashable], others: Sequence[Hashable]) -> list[int | None]:
    """The place of each key among others; None is no key."""
    places = {key: i for i, key in enumerate(others) if key is not None}
    return [places.get(key) for key in keys]
