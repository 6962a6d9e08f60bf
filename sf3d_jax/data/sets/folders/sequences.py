"""Which frame follows each other one, told by the numbers in their names."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sf3d_jax.data.sets.folders.pairing import Name, parse, varying_numbers
from sf3d_jax.data.sets.folders.views import FRAME, VIEW

# The places of frames, in the list of their names, by the number of the frame.
Chain = dict[int, int]

# From this difference on, numbers may be times.
_LEAST_TIME = 10


class _Reading(NamedTuple):
    """One way to read names of the same texts.

    Attributes:
      place: of the frame's number in the name.
      chains: the frames of each sequence, whose names have all other numbers in common.
    """

    place: int
    chains: list[Chain]


def read_sequences(
    names: Sequence[str], begins: Collection[int] | None, step: int, *, is_partial: bool = False
) -> list[Chain]:
    """The frames of a folder by their numbers, each sequence apart.

    The number of a frame is the one that differs within a sequence, and the names of a sequence
    have all else in common. Where each of several numbers may be it, words such as frame_ and cam
    decide, and else the flows, if with one of the readings alone each flow leads to a frame. Where
    all numbers differ at once, it is the first one.

    Args:
      names: of the frames, without their endings.
      begins: the places of those with a flow; None if there is no flow at all.
      step: how far a flow leads; 0 if that is not known.
      is_partial: whether the flows may be some of many, such as those of one camera. Then a single
        one decides nothing, and a reading counts as well if its sequences have all their flows.

    Returns:
      The sequences; none where the names have no numbers.

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
    """How far the next frame is in sequences: their commonest difference, the least of several.

    Args:
      chains: the sequences of a folder.
      common: the step of all folders, which counts where no difference occurs twice.

    Returns:
      The step; 0 for irregular numbers, such as times, where each is followed by the next.
    """
    steps = Counter(b - a for chain in chains for a, b in itertools.pairwise(sorted(chain)))
    if not steps:
        return common or 1
    step = min(steps, key=lambda x: (-steps[x], x))
    if _is_irregular(steps, step):
        return 0
    return step if steps[step] > 1 or not common else common


def follow(chains: Sequence[Chain], step: int) -> dict[int, int]:
    """The place of the frame after each.

    Args:
      chains: the sequences.
      step: from number to number; 0 takes the next number, however far.
    """
    if not step:
        ordered = ([chain[n] for n in sorted(chain)] for chain in chains)
        return {a: b for places in ordered for a, b in itertools.pairwise(places)}
    return {i: chain[n + step] for chain in chains for n, i in chain.items() if n + step in chain}


def _is_irregular(steps: Counter[int], step: int) -> bool:
    """Whether numbers are times: large differences that are no multiples of one another."""
    least, count = min(steps), steps.total()
    if count < 2 or least < _LEAST_TIME or all(x % least == 0 for x in steps):
        return False
    is_rare = steps[step] == 1 or 2 * steps[step] < count
    return is_rare or any(0 < 5 * abs(x - step) <= step for x in steps)


def _list_readings(named: Sequence[tuple[Name, int]]) -> list[_Reading]:
    """The ways in which frames make sequences, that of the last number first."""
    varying = varying_numbers([name for name, _ in named])
    ways = [_Reading(i, _split(named, i, varying)) for i in reversed(varying)]
    ways = [way for way in ways if any(len(chain) > 1 for chain in way.chains)]
    if not ways and varying:
        ways = [_Reading(varying[0], _split(named, varying[0], []))]
    return [way for way in ways if any(len(chain) > 1 for chain in way.chains)]


def _split(named: Sequence[tuple[Name, int]], place: int, varying: Sequence[int]) -> list[Chain]:
    """The frames by the number at a place, apart by the others; none if one has decimals."""
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
    """The reading that the flows or the words in the names decide for."""
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
    """Whether each sequence with flows has one for every frame, or for every one but the last."""
    chains = [[chain[n] for n in sorted(chain)] for chain in reading.chains]
    return all({*chain[:-1]} <= {*begins} for chain in chains if {*chain} & {*begins})
