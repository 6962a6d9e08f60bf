"""Searches for the hypotheses that explain the disagreements in a sample.

A hypothesis explains a disagreement if it makes that much smaller and none larger. Among those, the
one with the smallest total residual over all kinds of evidence is chosen: on exact data the true
cause drives every residual to rounding error, and a look-alike does not. The remaining disagreement
is then explained in turn, since there may be several faults.

Noise also makes a disagreement large, but no hypothesis makes it small, so noise is not reported.
"""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case
from sf3d_jax.data.checking.evidence.kinds import EVIDENCE, IMAGES, Levels, measure_all
from sf3d_jax.data.checking.evidence.levels import Level
from sf3d_jax.data.checking.evidence.record import AGREES, Evidence, ImageEvidence, Trial, Verdict
from sf3d_jax.data.checking.evidence.within import measure_images_without_flow
from sf3d_jax.data.checking.faults import list_hypotheses
from sf3d_jax.data.checking.faults.fault import Hypothesis
from sf3d_jax.data.checking.faults.flow import list_flow_faults

_OF_MAPS = tuple(evidence for evidence in EVIDENCE if not isinstance(evidence, ImageEvidence))
_MOST_FAULTS = 4
# Score differences: the gain required of a further fault, and the gap between equal explanations.
_WORTH_A_FAULT = 0.3
_ALIKE = 0.5
# Standard errors by which one of two explanations must be better than the other.
_LIKELY = 2.0
# Number of best states that are followed, and of states with another flow.
_FOLLOWED = 4
_OTHERS = 5
_OTHER_FLOWS = {"flow_order", "flow_sign", "flow_v_sign", "flow_direction"}
# A disagreement of which neighbours share a larger part than this is not noise.
_SHARED = 0.6


class Explanation(NamedTuple):
    """A hypothesis that explains a disagreement.

    Attributes:
      hypothesis: the fault.
      evidence: kinds of evidence that support it.
      before, after: levels of disagreement without and with it.
    """

    hypothesis: Hypothesis
    evidence: tuple[Evidence, ...]
    before: Levels
    after: Levels

    @property
    def changes(self) -> list[tuple[Evidence, Level, Level]]:
        """Levels of its evidence without and with the hypothesis."""
        pairs = [(e, self.before[e], self.after[e]) for e in self.evidence]
        return [(e, old, new) for e, old, new in pairs if old is not None and new is not None]

    @property
    def share(self) -> float:
        """Share of the disagreement that it removes."""
        shares = [1 - new.level / old.level for _, old, new in self.changes]
        return float(np.mean(shares)) if shares else 0.0


@dataclasses.dataclass(frozen=True)
class State:
    """A case after undoing some faults.

    Attributes:
      case: the repaired case.
      levels: the remaining disagreements.
      score: sum of the log ratios of remaining to original disagreement; lower is better.
      steps: the faults, in the order in which they are undone.
      alternatives: names of faults that explain as much as the last step.
    """

    case: Case
    levels: Levels
    score: float = 0.0
    steps: tuple[Explanation, ...] = ()
    alternatives: tuple[str, ...] = ()

    @property
    def given(self) -> Levels:
        """Disagreements before any fault is undone."""
        return self.steps[0].before if self.steps else self.levels

    @property
    def cost(self) -> float:
        """Penalty for far-fetched faults, in the unit of the score."""
        return sum(0.1 * step.hypothesis.cost for step in self.steps)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to explain; images alone do not justify a second step."""
        kinds = _OF_MAPS if self.steps else EVIDENCE
        return not any(evidence.is_disagreement(self.levels[evidence]) for evidence in kinds)

    @functools.cached_property
    def without_flow(self) -> Level | None:
        """Level of the images for zero flow, if there are images and a flow."""
        return measure_images_without_flow(self.case)

    def after(self, step: Explanation, case: Case) -> "State":
        """Returns the state after a further step.

        Evidence that cannot be measured counts as total disagreement. Differences between images
        that may be chance do not count.
        """
        state = State(case, step.after, steps=(*self.steps, step))
        ratios = [e.log_ratio(self.given[e], step.after[e]) for e in EVIDENCE]
        return dataclasses.replace(state, score=sum(ratios, state.cost))


def explain(case: Case) -> State:
    """Explains the disagreements of a case, fault by fault.

    Follows several of the best explanations, since one fault may hide another. The resulting state
    has no steps if nothing is explained.
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
        # A wrong flow may only become visible once another fault is undone.
        is_blind = given.levels[IMAGES] is None or not best.steps
        if step == 0 and is_blind and _is_suspicious(given, best):
            states = states + _undo_flow_faults(given)
        if not states:
            break
    return best


def _undo_a_fault(state: State) -> list[State]:
    """Lists the states with one more fault undone."""
    tried = [try_hypothesis(hypothesis, state) for hypothesis in list_hypotheses(state.case)]
    found = _discount_chance([after for after in tried if after is not None])
    return [dataclasses.replace(x, alternatives=_name_equals(x, found)) for x in found]


def try_hypothesis(hypothesis: Hypothesis, state: State) -> State | None:
    """Applies a hypothesis; None if it explains nothing or any evidence speaks against it."""
    meant = hypothesis.repair(state.case)
    if meant is None:
        return None
    is_exact = any(evidence.is_exact(level) for evidence, level in state.levels.items())
    trial = Trial(state.case, meant, hypothesis.strict, state.without_flow, is_exact)
    before = {e: x for e, x in state.levels.items() if x is not None and e.find_changes(trial)}
    if not any(evidence.is_disagreement(level) for evidence, level in before.items()):
        return None

    after, supporting = dict(state.levels), []
    # Evidence that agrees now is most likely to reject the hypothesis, so it is measured first.
    for evidence in sorted(before, key=lambda e: e.floors(before[e])):
        after[evidence] = evidence.measure(meant)
        verdict = evidence.judge(trial, before[evidence], after[evidence])
        if verdict is Verdict.AGAINST:
            return None
        if verdict is Verdict.FOR:
            supporting.append(evidence)
    if not any(evidence.speaks_alone_for(hypothesis.names) for evidence in supporting):
        return None

    # Evidence that could not be measured before may be measurable now.
    after |= {e: e.measure(meant) for e, level in state.levels.items() if level is None}
    found = state.after(Explanation(hypothesis, tuple(supporting), state.levels, after), meant)
    if not all(step.evidence for step in found.steps) and not _is_worthwhile(found):
        return None
    return found if found.score < state.score - _WORTH_A_FAULT else None


def _is_worthwhile(state: State) -> bool:
    """Whether any evidence is much better than at the beginning."""
    pairs = [(e, state.given[e], state.levels[e]) for e in _OF_MAPS]
    return any(old and new and e.is_much_better(old, new) for e, old, new in pairs)


def _discount_chance(states: list[State]) -> list[State]:
    """Rescores the states, ignoring differences from the best one that may be noise.

    Among states that differ by noise only, the least far-fetched explanation then wins.
    """
    if not states:
        return []
    best = min(states, key=lambda x: x.score)
    scores = []
    for state in states:
        ratios = [e.log_ratio(best.levels[e], state.levels[e], _LIKELY) for e in EVIDENCE]
        scores.append(sum(ratios, best.score - best.cost + state.cost))
    return [dataclasses.replace(x, score=y) for x, y in zip(states, scores, strict=True)]


def _name_equals(state: State, found: list[State]) -> tuple[str, ...]:
    """Names the other faults that explain about as much as the last one of a state."""
    near = [x.steps[-1].hypothesis.names for x in found if abs(x.score - state.score) < _ALIKE]
    others = [" and ".join(x) for x in near if x != state.steps[-1].hypothesis.names]
    return tuple(dict.fromkeys(others))


def _is_suspicious(given: State, best: State) -> bool:
    """Whether there is more to find, because neighbours share a disagreement (unlike noise)."""
    if best.steps:
        return not best.is_settled
    # Still-world evidence is left out, since moving objects are not a fault.
    levels = {e: given.levels[e] for e in EVIDENCE if "flow" in e.reads and e.quantile == 0.5}
    return any(
        level and e.floors(level) > AGREES and level.systematic > _SHARED * level.typical
        for e, level in levels.items()
    )


def _undo_flow_faults(given: State) -> list[State]:
    """Lists the best states with another flow, whether or not that alone explains anything."""
    states = []
    for hypothesis in list_flow_faults(given.case):
        if not set(hypothesis.names) <= _OTHER_FLOWS:
            continue
        meant = hypothesis.repair(given.case)
        if meant is None:
            continue
        after = measure_all(meant)
        if IMAGES.log_ratio(given.levels[IMAGES], after[IMAGES]) <= 0:
            states.append(given.after(Explanation(hypothesis, (), given.levels, after), meant))
    return sorted(states, key=lambda x: x.score)[:_OTHERS]
