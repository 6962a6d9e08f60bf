"""Which hypotheses explain what is wrong.

A hypothesis explains a fault if it makes a disagreement much smaller and none larger. Of those that
do, the one is taken that leaves the least over all kinds of evidence: with exact data the right one
brings all to rounding, and one that is only like it does not. What it leaves is then explained in
turn, as there may be several faults.

Noise makes a disagreement large, but no hypothesis makes it small, so noise alone is no finding.
"""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case
from sf3d_jax.data.checking.evidence.kinds import EVIDENCE, IMAGES, Levels, measure_all
from sf3d_jax.data.checking.evidence.levels import Level
from sf3d_jax.data.checking.evidence.record import AGREES, Evidence, ImageEvidence, Trial, Verdict
from sf3d_jax.data.checking.evidence.within import images_without_flow
from sf3d_jax.data.checking.faults import all_hypotheses
from sf3d_jax.data.checking.faults.fault import Hypothesis
from sf3d_jax.data.checking.faults.flow import flow_faults

_OF_MAPS = tuple(evidence for evidence in EVIDENCE if not isinstance(evidence, ImageEvidence))
_MOST_FAULTS = 4
# In the score: what a further fault must gain, and between those that explain about as much.
_WORTH_A_FAULT = 0.3
_ALIKE = 0.5
# Of two explanations of which one must be the better one: standard errors.
_LIKELY = 2.0
# How many of the best states are followed, and how many with another flow.
_FOLLOWED = 4
_OTHERS = 5
_OTHER_FLOWS = {"flow_order", "flow_sign", "flow_v_sign", "flow_direction"}
# The part of a disagreement that neighbours share, above which it is no noise.
_SHARED = 0.6


class Explanation(NamedTuple):
    """A hypothesis that explains something.

    Attributes:
      hypothesis: what is wrong.
      evidence: the kinds of evidence that speak for it.
      before, after: what disagrees without and with it.
    """

    hypothesis: Hypothesis
    evidence: tuple[Evidence, ...]
    before: Levels
    after: Levels

    @property
    def changes(self) -> list[tuple[Evidence, Level, Level]]:
        """The levels of its evidence without and with it."""
        pairs = [(e, self.before[e], self.after[e]) for e in self.evidence]
        return [(e, old, new) for e, old, new in pairs if old is not None and new is not None]

    @property
    def share(self) -> float:
        """The share of the disagreement that it takes away."""
        shares = [1 - new.level / old.level for _, old, new in self.changes]
        return float(np.mean(shares)) if shares else 0.0


@dataclasses.dataclass(frozen=True)
class State:
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

    @property
    def given(self) -> Levels:
        """What disagrees before anything is undone."""
        return self.steps[0].before if self.steps else self.levels

    @property
    def cost(self) -> float:
        """How far-fetched its faults are, in the unit of the score."""
        return sum(0.1 * step.hypothesis.cost for step in self.steps)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to explain; images alone are no reason for a second step."""
        kinds = _OF_MAPS if self.steps else EVIDENCE
        return not any(evidence.is_disagreement(self.levels[evidence]) for evidence in kinds)

    @functools.cached_property
    def without_flow(self) -> Level | None:
        """What the images say of no motion, if there are images and a flow."""
        return images_without_flow(self.case)

    def after(self, step: Explanation, case: Case) -> "State":
        """The state after a further step.

        What cannot be measured counts as no agreement. Differences between images that may be
        chance do not count.
        """
        state = State(case, step.after, steps=(*self.steps, step))
        ratios = [e.log_ratio(self.given[e], step.after[e]) for e in EVIDENCE]
        return dataclasses.replace(state, score=sum(ratios, state.cost))


def explain(case: Case) -> State:
    """What is wrong, fault by fault.

    A few of the best explanations are followed, since of two faults the one may hide the other.
    The state that is meant has no steps if nothing is explained.
    """
    best = given = State(case, measure_all(case))
    states = [best]
    for step in range(_MOST_FAULTS):
        if states[0].is_settled:
            break
        found = [after for state in states for after in _undo_a_fault(state)]
        found.sort(key=lambda x: x.score)
        states = found[:_FOLLOWED]
        if states and states[0].score < best.score - _WORTH_A_FAULT:
            best = states[0]
        elif step > 0:
            break
        # A wrong flow may show only when something else is right, too.
        is_blind = given.levels[IMAGES] is None or not best.steps
        if step == 0 and is_blind and _is_suspicious(given, best):
            states = states + _undo_flow_faults(given)
        if not states:
            break
    return best


def _undo_a_fault(state: State) -> list[State]:
    """The states with one fault more undone."""
    tried = [try_hypothesis(hypothesis, state) for hypothesis in all_hypotheses(state.case)]
    found = _discount_chance([after for after in tried if after is not None])
    return [dataclasses.replace(x, alternatives=_names_of_equals(x, found)) for x in found]


def try_hypothesis(hypothesis: Hypothesis, state: State) -> State | None:
    """The state after a hypothesis; None if it explains nothing or anything speaks against it."""
    meant = hypothesis.repair(state.case)
    if meant is None:
        return None
    trial = Trial(state.case, meant, hypothesis.strict, state.without_flow)
    before = {e: x for e, x in state.levels.items() if x is not None and e.find_changes(trial)}
    if not any(evidence.is_disagreement(level) for evidence, level in before.items()):
        return None

    after, supporting = dict(state.levels), []
    # What agrees now is most likely to speak against it: that ends the work.
    for evidence in sorted(before, key=lambda e: e.floors(before[e])):
        after[evidence] = evidence.measure(meant)
        verdict = evidence.judge(trial, before[evidence], after[evidence])
        if verdict is Verdict.AGAINST:
            return None
        if verdict is Verdict.FOR:
            supporting.append(evidence)
    if not any(evidence.speaks_alone_for(hypothesis.names) for evidence in supporting):
        return None

    # What could not be measured before may be now.
    after |= {e: e.measure(meant) for e, level in state.levels.items() if level is None}
    found = state.after(Explanation(hypothesis, tuple(supporting), state.levels, after), meant)
    if not all(step.evidence for step in found.steps) and not _is_worthwhile(found):
        return None
    return found if found.score < state.score - _WORTH_A_FAULT else None


def _is_worthwhile(state: State) -> bool:
    """Whether anything is much better than at the beginning."""
    pairs = [(e, state.given[e], state.levels[e]) for e in _OF_MAPS]
    return any(old and new and e.is_much_better(old, new) for e, old, new in pairs)


def _discount_chance(states: list[State]) -> list[State]:
    """The states with scores to which small differences from the best one do not count.

    Noise makes them: then the explanation that is less far-fetched is the better one.
    """
    if not states:
        return []
    best = min(states, key=lambda x: x.score)
    scores = []
    for state in states:
        ratios = [e.log_ratio(best.levels[e], state.levels[e], _LIKELY) for e in EVIDENCE]
        scores.append(sum(ratios, best.score - best.cost + state.cost))
    return [dataclasses.replace(x, score=y) for x, y in zip(states, scores, strict=True)]


def _names_of_equals(state: State, found: list[State]) -> tuple[str, ...]:
    """The names of the other faults that explain about as much as the last one of a state."""
    near = [x.steps[-1].hypothesis.names for x in found if abs(x.score - state.score) < _ALIKE]
    others = [" and ".join(x) for x in near if x != state.steps[-1].hypothesis.names]
    return tuple(dict.fromkeys(others))


def _is_suspicious(given: State, best: State) -> bool:
    """Whether there is more to find: noise would differ from pixel to pixel."""
    if best.steps:
        return not best.is_settled
    # A still world is left out: what moves in it is no fault.
    levels = {e: given.levels[e] for e in EVIDENCE if "flow" in e.reads and e.quantile == 0.5}
    return any(
        level and e.floors(level) > AGREES and level.systematic > _SHARED * level.typical
        for e, level in levels.items()
    )


def _undo_flow_faults(given: State) -> list[State]:
    """The best states with another flow, whether or not that alone explains anything."""
    states = []
    for hypothesis in flow_faults(given.case):
        if not set(hypothesis.names) <= _OTHER_FLOWS:
            continue
        meant = hypothesis.repair(given.case)
        if meant is None:
            continue
        after = measure_all(meant)
        if IMAGES.log_ratio(given.levels[IMAGES], after[IMAGES]) <= 0:
            states.append(given.after(Explanation(hypothesis, (), given.levels, after), meant))
    return sorted(states, key=lambda x: x.score)[:_OTHERS]
