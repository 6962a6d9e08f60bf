"""Which hypotheses explain what is wrong.

A hypothesis explains a fault if it makes a disagreement much smaller and none larger. Of those that
do, the one is taken that leaves the least over all kinds of evidence: with exact data the right one
brings all to rounding, and one that is only like it does not. What it leaves is then explained in
turn, as there may be several faults.

Noise makes a disagreement large, but no hypothesis makes it small, so noise alone is no finding.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sf3d_jax.data.checking.evidence import Levels, measured, unchanged
from sf3d_jax.data.checking.evidence.levels import Level, length
from sf3d_jax.data.checking.evidence.views import Case
from sf3d_jax.data.checking.faults.camera import camera_faults
from sf3d_jax.data.checking.faults.depth import depth_faults
from sf3d_jax.data.checking.faults.flow import flow_faults
from sf3d_jax.data.checking.faults.hypotheses import Hypothesis

_MOST_FAULTS = 4


class Rule(NamedTuple):
    """When a kind of evidence speaks for a hypothesis.

    Attributes:
      floor: the rounding and interpolation of exact data; what is below is as good.
      gain: how many times smaller the disagreement must get.
      after: what may be left of it.
    """

    floor: float
    gain: float
    after: float


RULES = {
    "surface": Rule(5e-3, 3, 0.3),
    "mask": Rule(2e-4, 3, 0.3),
    "depths": Rule(2e-5, 3, 0.2),
    "still_flow": Rule(1e-5, 4, 0.2),
    "still_change": Rule(1e-4, 4, 0.2),
    "still_depths": Rule(2e-5, 4, 0.2),
    "flow_back": Rule(1e-4, 3, 0.3),
    "change_back": Rule(1e-3, 3, 0.3),
    "same_depth": Rule(1e-6, 3, 0.2),
    "vectors": Rule(1e-5, 3, 0.3),
}
_IMAGES = ("images", "still_images")
_IMAGES_GAIN = 0.8
_SURE = 4.0
# The same between two explanations of which one must be the better one.
_LIKELY = 2.0
_MOVING = 0.75
# In floors: what agrees so well is not made worse by undoing a fault.
_AGREES = 100.0
# Evidence that is easily satisfied, and the faults for which it can speak alone.
_ONLY_FOR = {
    "surface": {"inv_depth_sign"},
    "mask": {"mask_inverted", "mask_shifted", "rows_reversed"},
}
# What may go without being missed.
_OPTIONAL = ("surface", "mask", "same_depth")
# In the score: of every further fault, and between those that explain about as much.
_WORTH_A_FAULT = 0.3
_ALIKE = 0.5
_FOLLOWED = 4
_OTHERS = 5
_OTHER_FLOWS = {"flow_order", "flow_sign", "flow_v_sign", "flow_direction"}
_FEWER = 0.5
_STRICT = Rule(0, 10, 0.1)


class Explanation(NamedTuple):
    """A hypothesis that explains something.

    Attributes:
      hypothesis: what is wrong.
      evidence: the kinds of evidence that speak for it.
      share: of their disagreement that it takes away.
      before, after: what disagrees without and with it.
    """

    hypothesis: Hypothesis
    evidence: tuple[str, ...]
    share: float
    before: Levels
    after: Levels


class State(NamedTuple):
    """What may be meant, and how one gets there.

    Attributes:
      case: what is meant.
      levels: what still disagrees.
      score: the sum of the logarithms of what is left of each disagreement, the lower the better.
      steps: the faults, in the order in which they are undone.
      alternatives: names of what explains the last fault about as well.
    """

    case: Case
    levels: Levels
    score: float = 0.0
    steps: tuple[Explanation, ...] = ()
    alternatives: tuple[str, ...] = ()


def hypotheses(case: Case) -> Iterator[Hypothesis]:
    """All that may be wrong.

    Args:
      case: what is given.

    Yields:
      The hypotheses.
    """
    yield from flow_faults(case)
    yield from depth_faults(case)
    yield from camera_faults(case)


def explained(case: Case) -> State:
    """What is wrong, fault by fault.

    A few of the best explanations are followed, since of two faults the one may hide the other.

    Args:
      case: what is given.

    Returns:
      The state that is meant; without steps if nothing is explained.
    """
    best = given = State(case, measured(case))
    states = [best]
    for step in range(_MOST_FAULTS):
        if _settled(states[0]):
            break
        found = [x for state in states for x in _next(state, given.levels)]
        found.sort(key=lambda x: x.score)
        states = found[:_FOLLOWED]
        if states and states[0].score < best.score - _WORTH_A_FAULT:
            best = states[0]
        elif step > 0:
            break
        # A wrong flow may show only when something else is right, too.
        blind = given.levels["images"] is None or not best.steps
        if step == 0 and blind and _suspicious(given, best):
            states = states + _other_flows(given)
        if not states:
            break
    return best


def _suspicious(given: State, best: State) -> bool:
    """Whether there is more to find: noise would differ from pixel to pixel."""
    if best.steps:
        return not _settled(best)
    shared = [
        level.level > _AGREES * RULES[name].floor and level.systematic > 0.6 * level.typical
        for name in ("depths", "flow_back", "change_back", "vectors")
        if (level := given.levels[name]) is not None
    ]
    return any(shared)


def _other_flows(given: State) -> list[State]:
    """The states with another flow, whether or not that alone explains anything."""
    states = []
    for hypothesis in flow_faults(given.case):
        if not set(hypothesis.names) <= _OTHER_FLOWS:
            continue
        with np.errstate(all="ignore"):
            meant = hypothesis.apply(given.case)
        if meant is None:
            continue
        after = measured(meant)
        if _images_gain(given.levels["images"], after["images"]) > 0:
            continue
        steps = (Explanation(hypothesis, (), 0.0, given.levels, after),)
        states.append(State(meant, after, _score(after, given.levels, steps), steps))
    return sorted(states, key=lambda x: x.score)[:_OTHERS]


def _settled(state: State) -> bool:
    """Whether there is nothing left to explain."""
    levels = state.levels.items()
    return not any(
        _bad(name, level) for name, level in levels if not (state.steps and name in _IMAGES)
    )


def _next(state: State, given: Levels) -> list[State]:
    """The states with one fault more undone."""
    still = without_flow(state.case)
    found = []
    for hypothesis in hypotheses(state.case):
        with np.errstate(all="ignore"):
            meant = hypothesis.apply(state.case)
        if meant is not None:
            judged = _judged(hypothesis, meant, state, still, given)
            if judged is not None:
                found.append(judged)
    found = _with_parsimony(found)
    result = []
    for one in found:
        near = [x.steps[-1].hypothesis for x in found if abs(x.score - one.score) < _ALIKE]
        mine = one.steps[-1].hypothesis.names
        names = [" and ".join(x.names) for x in near if x.names != mine]
        result.append(one._replace(alternatives=tuple(dict.fromkeys(names))))
    return result


def _score(levels: Levels, given: Levels, steps: tuple[Explanation, ...]) -> float:
    """The sum of the logarithms of what is left of each disagreement, and of what the faults cost.

    What cannot be measured counts as no agreement. Differences between images that may be chance
    do not count.
    """
    score = sum(0.1 * step.hypothesis.cost for step in steps)
    for name, rule in RULES.items():
        if levels[name] is None and name in _OPTIONAL:
            continue
        before, after = (1.0 if x is None else x.level for x in (given[name], levels[name]))
        score += float(np.log((after + rule.floor) / (before + rule.floor)))
    for name in _IMAGES:
        score += _images_gain(given[name], levels[name])
    return score


def _images_gain(before: Level | None, after: Level | None, sure: float = _SURE) -> float:
    if before is None or after is None or abs(certainty(before, after)) < sure:
        return 0.0
    return 2 * float(np.log(max(after.level, 1e-3) / max(before.level, 1e-3)))


def _with_parsimony(states: list[State]) -> list[State]:
    """The states with scores to which differences from the best one that are small do not count.

    Noise makes them: then the explanation that is less far-fetched is the better one.
    """
    if not states:
        return []
    best = min(states, key=lambda x: x.score)
    cost = lambda state: sum(0.1 * step.hypothesis.cost for step in state.steps)

    def corrected(state: State) -> float:
        score = best.score - cost(best) + cost(state)
        for name, rule in RULES.items():
            if state.levels[name] is None and name in _OPTIONAL:
                continue
            its, mine = best.levels[name], state.levels[name]
            if its is mine or (its and mine and abs(certainty(its, mine)) < _LIKELY):
                continue
            left, of_best = (1.0 if x is None else x.level for x in (mine, its))
            score += float(np.log((left + rule.floor) / (of_best + rule.floor)))
        pairs = ((best.levels[name], state.levels[name]) for name in _IMAGES)
        return score + sum(_images_gain(*pair, _LIKELY) for pair in pairs)

    return [state._replace(score=corrected(state)) for state in states]


def _bad(name: str, level: Level | None) -> bool:
    """Whether there is anything to explain."""
    if level is None:
        return False
    return name in _IMAGES or level.level > 2 * RULES[name].floor


def without_flow(case: Case) -> Level | None:
    """What the images say of no motion.

    Args:
      case: any.

    Returns:
      The level, if there are images and a flow.
    """
    if case.own.flow is None:
        return None
    nothing = lambda r, c: np.zeros((*r.shape, 2))
    view = dataclasses.replace(case.own, flow=nothing)
    return measured(dataclasses.replace(case, own=view), ("images",))["images"]


def certainty(before: Level, after: Level) -> float:
    """By how many standard errors two levels differ, from block to block of the image.

    Args:
      before: one of them.
      after: the other one.

    Returns:
      Positive where it is the lower one; 0 where there are too few blocks.
    """
    first, second = before.by_block, after.by_block
    if first is None or second is None:
        return float(np.sign(before.level - after.level)) * np.inf
    good = (first > 0) & (second > 0)
    gain = np.log(first[good]) - np.log(second[good])
    if len(gain) < 4:
        return 0.0
    error = gain.std() / np.sqrt(len(gain))
    return float(gain.mean() / error) if error > 0 else float(np.sign(gain.mean())) * np.inf


def _judged(
    hypothesis: Hypothesis, case: Case, state: State, still: Level | None, given: Levels
) -> State | None:
    """The state that a hypothesis leads to, if it explains anything."""
    before = state.levels
    known = {name: level for name, level in before.items() if level is not None}
    changed = [name for name in known if not unchanged(name, case, state.case)]
    if not any(_bad(name, known[name]) for name in changed):
        return None
    # What agrees now is most likely to speak against it: that ends the work.
    rank = lambda name: 1e4 if name in _IMAGES else known[name].level / RULES[name].floor
    after = dict(before)
    evidence, shares = [], []
    for name in sorted(changed, key=rank):
        left = after[name] = measured(case, (name,))[name]
        if name in _IMAGES:
            if case.own.flow is state.case.own.flow and not _sees_anew(case, state.case):
                continue  # other pixels only
            speaks = _images_verdict(known[name], left, still if name == "images" else None)
        elif left is None and name in _OPTIONAL:
            continue
        else:
            speaks = _verdict(RULES[name], known[name], left, hypothesis.strict)
        if speaks is None:
            return None
        if speaks and left is not None and _same_pixels_agree(name, known[name], left):
            evidence.append(name)
            shares.append(1 - left.level / known[name].level)
    if all(name in _ONLY_FOR and not _ONLY_FOR[name] & {*hypothesis.names} for name in evidence):
        return None
    # What could not be measured before may be now.
    after |= measured(case, [name for name in before if name not in known])
    step = Explanation(hypothesis, tuple(evidence), float(np.mean(shares)), before, after)
    steps = (*state.steps, step)
    if not all(x.evidence for x in steps) and not _worthwhile(given, after):
        return None
    score = _score(after, given, steps)
    return State(case, after, score, steps) if score < state.score - _WORTH_A_FAULT else None


def _same_pixels_agree(name: str, before: Level, after: Level) -> bool:
    """Whether the pixels that are left agree better, and not only those that disagreed are gone."""
    if before.difference is None or after.difference is None:
        return True
    first, second = length(before.difference), length(after.difference)
    if len(first) != len(second):  # of another mask
        return np.isfinite(second).sum() > _FEWER * np.isfinite(first).sum()
    both = np.isfinite(first) & np.isfinite(second)
    if not both.any():
        return False
    # Of a still world a quarter counts; see `_measures`.
    quantile = 0.25 if name.startswith("still") else 0.5
    old, new = (float(np.quantile(x[both], quantile)) for x in (first, second))
    return new < 0.7 * old


def _worthwhile(given: Levels, after: Levels) -> bool:
    """Whether anything is much better than at the beginning."""
    pairs = [(rule, given[name], after[name]) for name, rule in RULES.items()]
    return any(a and b and _verdict(rule, a, b, False) for rule, a, b in pairs)


def _sees_anew(case: Case, old: Case) -> bool:
    """Whether the same pixels are compared with others than before."""
    names = ("image", "next_image", "inv_depth", "camera", "next_camera")
    return any(getattr(case.own, name) is not getattr(old.own, name) for name in names)


def _verdict(rule: Rule, given: Level, left: Level | None, strict: bool) -> bool | None:
    """Whether it speaks for a hypothesis; None where it speaks against it."""
    level = max(1.0, given.level) if left is None else left.level
    if level > 1.3 * given.level + 5 * rule.floor and given.level < _AGREES * rule.floor:
        return None
    gain, most = (_STRICT.gain, _STRICT.after) if strict else (rule.gain, rule.after)
    return gain * (level + rule.floor) < given.level + rule.floor and level < most


def _images_verdict(given: Level, left: Level | None, still: Level | None) -> bool | None:
    """The same of the images."""
    if left is None:
        return None
    ratio, sure = left.level / max(given.level, 1e-6), certainty(given, left)
    if ratio > 1.02 and sure < -_SURE:
        return None
    # Less than a pixel of motion may be less than what images were shifted by when resized.
    moving = max(given.typical, left.typical) > _MOVING
    better = ratio < _IMAGES_GAIN and (still is None or left.level < 0.9 * still.level)
    return moving and better and sure > _SURE
