"""Finds the frame that follows each frame, by the numbers in their names."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sf3d_jax.data.sets.folders.pairing import Name, find_varying_numbers, parse
from sf3d_jax.data.sets.folders.views import FRAME, VIEW

# The indices of frames in the list of their names, by frame number.
Chain = dict[int, int]

# Numbers that differ by at least this much may be times.
_LEAST_TIME = 10


class _Reading(NamedTuple):
    """One way to interpret names with the same texts.

    Attributes:
      place: index of the frame number among the numbers of a name.
      chains: frames of each sequence, whose names have all other numbers in common.
    """

    place: int
    chains: list[Chain]


def read_sequences(
    names: Sequence[str], begins: Collection[int] | None, step: int, *, is_partial: bool = False
) -> list[Chain]:
    """Groups the frames of a folder into sequences, each indexed by frame number.

    The frame number varies within a sequence, while the rest of the name stays the same. If several
    numbers could be the frame number, words such as frame_ and cam decide. Failing that, the flows
    decide, if only one reading lets each flow lead to a frame. If all numbers vary at once, the
    first one is the frame number.

    Args:
      names: names of the frames without extensions.
      begins: indices of the frames with a flow; None if there are no flows.
      step: step of a flow in frame numbers; 0 if unknown.
      is_partial: whether some flows may be missing, such as those of other cameras. Then a single
        flow decides nothing, and a reading also counts if its sequences have all their flows.

    Returns:
      The sequences; empty if the names have no numbers.

    Raises:
      ValueError: the names do not say which of their numbers is the frame.
    """
    by_texts: dict[tuple[str, ...], list[tuple[Name, int]]] = defaultdict(list)
    for place, name in enumerate(map(parse, names)):
        by_texts[name.texts].append((name, place))
    chains = []
    for texts, named in by_texts.items():
        readings = _list_readings(named)
        if is_partial and len(texts) > 2:  # 0001_cam2 does not follow 0001_cam1
            readings = [x for x in readings if not VIEW.fullmatch(texts[x.place])]
        if len(readings) > 1:
            own = None if begins is None else [i for _, i in named if i in begins]
            readings = [_choose(readings, names, own, step, is_partial)]
        chains += readings[0].chains if readings else []
    return chains


def find_step(chains: Sequence[Chain], common: int = 0) -> int:
    """Finds the step between frames: the most common difference, the smallest in a tie.

    Args:
      chains: sequences of a folder.
      common: step of all folders, used if no difference occurs twice.

    Returns:
      The step; 0 for irregular numbers such as times, each of which is followed by the next.
    """
    steps = Counter(b - a for chain in chains for a, b in itertools.pairwise(sorted(chain)))
    if not steps:
        return common or 1
    step = min(steps, key=lambda x: (-steps[x], x))
    if _is_irregular(steps, step):
        return 0
    return step if steps[step] > 1 or not common else common


def follow(chains: Sequence[Chain], step: int) -> dict[int, int]:
    """Finds the index of the frame that follows each frame.

    Args:
      chains: sequences of frames.
      step: difference of their numbers; 0 takes the next number at any distance.
    """
    if not step:
        ordered = ([chain[n] for n in sorted(chain)] for chain in chains)
        return {a: b for places in ordered for a, b in itertools.pairwise(places)}
    return {i: chain[n + step] for chain in chains for n, i in chain.items() if n + step in chain}


def _is_irregular(steps: Counter[int], step: int) -> bool:
    """Whether numbers are times: their differences are large and not multiples of the least."""
    least, count = min(steps), steps.total()
    if count < 2 or least < _LEAST_TIME or all(x % least == 0 for x in steps):
        return False
    is_rare = steps[step] == 1 or 2 * steps[step] < count
    return is_rare or any(0 < 5 * abs(x - step) <= step for x in steps)


def _list_readings(named: Sequence[tuple[Name, int]]) -> list[_Reading]:
    """Lists the ways to split frames into sequences, beginning with the last number."""
    varying = find_varying_numbers([name for name, _ in named])
    ways = [_Reading(i, _split(named, i, varying)) for i in reversed(varying)]
    ways = [way for way in ways if any(len(chain) > 1 for chain in way.chains)]
    if not ways and varying:
        ways = [_Reading(varying[0], _split(named, varying[0], []))]
    return [way for way in ways if any(len(chain) > 1 for chain in way.chains)]


def _split(named: Sequence[tuple[Name, int]], place: int, varying: Sequence[int]) -> list[Chain]:
    """Splits frames by all varying numbers but that at `place`; [] if that one has decimals."""
    chains: dict[tuple[int | str, ...], Chain] = defaultdict(dict)
    for name, i in named:
        number = name.numbers[place]
        if not isinstance(number, int):
            return []
        chains[tuple(name.numbers[k] for k in varying if k != place)][number] = i
    return list(chains.values())


def _choose(
    readings: list[_Reading],
    names: Sequence[str],
    begins: Sequence[int] | None,
    step: int,
    is_partial: bool,
) -> _Reading:
    """Chooses the reading that the words in the names, or the flows, support."""
    if begins is not None and not begins:
        return readings[0]  # no flow leads from any of these frames
    texts = parse(names[next(i for x in readings[0].chains for i in x.values())]).texts
    for meant in (
        [x for x in readings if FRAME.fullmatch(texts[x.place])],
        [x for x in readings if not VIEW.fullmatch(texts[x.place])],
    ):
        if len(meant) == 1:
            return meant[0]
    after = {x.place: follow(x.chains, step or find_step(x.chains)) for x in readings}
    if begins and (len(begins) > 1 or not is_partial):
        leading = [x for x in readings if all(i in after[x.place] for i in begins)]
        whole = [x for x in readings if is_partial and _has_all_flows(x, begins)]
        meant = [x[0] for x in (leading, whole) if len(x) == 1]
        if meant and meant[0] is meant[-1]:
            return meant[0]
    leads = lambda i: [names[x[i]] for x in after.values() if i in x]
    most = max(begins or range(len(names)), key=lambda i: len(leads(i)))
    listed = " or ".join(leads(most)) + (" or by none" if len(leads(most)) == 1 else "")
    raise ValueError(f"the names do not say whether {names[most]} is followed by {listed}")


def _has_all_flows(reading: _Reading, begins: Sequence[int]) -> bool:
    """Whether each sequence with flows has one for every frame, except perhaps the last."""
    chains = [[chain[n] for n in sorted(chain)] for chain in reading.chains]
    return all({*chain[:-1]} <= {*begins} for chain in chains if {*chain} & {*begins})
