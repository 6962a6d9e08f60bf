"""Defines a kind of evidence, and how it judges a hypothesis."""

import dataclasses
import enum
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case
from sf3d_jax.data.checking.evidence.levels import Level, certainty, length

# Level, in floors, below which evidence counts as agreeing; a repair must not make it worse.
AGREES = 100.0
# A hypothesis with fitted numbers has to explain nearly everything.
_STRICT_GAIN, _STRICT_LEAVES = 10.0, 0.1
# Exact data leave this much of a still world's motion at most once the fault is undone. A moving
# object leaves more: another focal length or scale explains its motion only in part.
_EXACT, _EXACT_LEAVES = 1e-3, 2e-3
# Share of the compared pixels that another mask must leave.
_FEWER = 0.5
_AGREE_BETTER = 0.7
# Images: ratio by which the difference must shrink, and by how many standard errors.
_IMAGES_GAIN = 0.8
_SURE = 4.0
# Smallest motion in pixels that counts; resizing may have shifted images by less.
_MOVING = 0.75
# Images are tried after evidence that agrees, and before evidence that disagrees by more floors.
_FLOORS_OF_IMAGES = 1e4
# Masks decide which pixels are compared, not which values are found there.
_MASKS = frozenset({"valid", "occlusion"})


class Verdict(enum.Enum):
    """The judgement of a kind of evidence about a hypothesis."""

    FOR = enum.auto()
    AGAINST = enum.auto()
    SILENT = enum.auto()


class Trial(NamedTuple):
    """A hypothesis on trial.

    Attributes:
      given: the case as it is.
      meant: the case with the fault undone.
      is_strict: whether the hypothesis must explain nearly everything.
      without_flow: level of the images of `given` for zero flow.
      is_exact: whether `given` is too exact for the estimate of a network.
    """

    given: Case
    meant: Case
    is_strict: bool
    without_flow: Level | None
    is_exact: bool = False


@dataclasses.dataclass(frozen=True)
class Unexplained:
    """The finding of a disagreement that no fault explains.

    Attributes:
      name: name of the finding.
      message: what was observed.
      explanation: what may be wrong.
      limits: largest acceptable level, and largest part shared by neighbours in its own unit.
      exact_limits: the same limits for data that is exact in another respect.
      unit: unit of the typical difference, shown in the message.
    """

    name: str
    message: str
    explanation: str
    limits: tuple[float, float]
    exact_limits: tuple[float, float]
    unit: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """A kind of evidence: one number for how far parts of a sample disagree.

    It supports a hypothesis if the level becomes `gain` times smaller and is below `leaves`, and
    contradicts it if the level was low and gets worse.

    Attributes:
      name: key in the numbers of a finding.
      words: human-readable name of what is compared.
      measure: measures the level of a case; None if it cannot be measured.
      reads: parts of the sample that it depends on.
      reads_other: parts of the other direction's sample that it depends on.
      floor: level due to rounding and interpolation of exact data; lower levels are equally good.
      gain: factor by which the level must shrink.
      leaves: largest remaining level.
      quantile: quantile over the pixels; less than half for still-world evidence.
      is_optional: whether losing it does not count against a hypothesis.
      alone_for: faults for which it suffices (it is easily satisfied for others); None for all.
      is_of_exact_data: whether a tiny level shows that no network estimated the sample.
      unexplained: finding to report if a disagreement remains; None for no finding.
    """

    name: str
    words: str
    measure: Callable[[Case], Level | None]
    reads: frozenset[str]
    reads_other: frozenset[str] = frozenset()
    floor: float = 1e-5
    gain: float = 3.0
    leaves: float = 0.3
    quantile: float = 0.5
    is_optional: bool = False
    alone_for: frozenset[str] | None = None
    is_of_exact_data: bool = False
    unexplained: Unexplained | None = None

    def is_disagreement(self, level: Level | None) -> bool:
        """Whether there is anything to explain."""
        return level is not None and level.level > 2 * self.floor

    def floors(self, level: Level) -> float:
        """Returns a level in floors; evidence near 1 is most likely to reject a hypothesis."""
        return level.level / self.floor

    def speaks_alone_for(self, faults: tuple[str, ...]) -> bool:
        """Whether this evidence alone suffices for a hypothesis of these faults."""
        return self.alone_for is None or not self.alone_for.isdisjoint(faults)

    def is_exact(self, level: Level | None) -> bool:
        """Whether a level shows that no network estimated the sample."""
        return self.is_of_exact_data and level is not None and level.level < _EXACT

    def find_changes(self, trial: Trial) -> frozenset[str]:
        """Names the changed parts that it depends on; empty if its level stays the same."""
        given, meant = trial.given, trial.meant
        if meant.same_way != given.same_way or (meant.other is None) != (given.other is None):
            return self.reads | self.reads_other
        pairs = (given.own, meant.own, self.reads), (given.other, meant.other, self.reads_other)
        return frozenset(
            name
            for old, new, names in pairs
            for name in names
            if getattr(old, name, None) is not getattr(new, name, None)
        )

    def log_ratio(self, before: Level | None, after: Level | None, sure: float = 0.0) -> float:
        """Returns the log ratio of two levels; None counts as total disagreement.

        Differences of fewer than `sure` standard errors count as zero.
        """
        if before is after or (after is None and self.is_optional):
            return 0.0
        if before and after and sure and abs(certainty(before, after)) < sure:
            return 0.0
        old, new = (1.0 if x is None else x.level for x in (before, after))
        return float(np.log((new + self.floor) / (old + self.floor)))

    def is_much_better(self, before: Level, after: Level, *, is_strict: bool = False) -> bool:
        """Whether a disagreement shrank so much that it is explained."""
        gain, leaves = (_STRICT_GAIN, _STRICT_LEAVES) if is_strict else (self.gain, self.leaves)
        left = gain * (after.level + self.floor) < before.level + self.floor
        return left and after.level < leaves

    def judge(self, trial: Trial, before: Level, after: Level | None) -> Verdict:
        """Judges a hypothesis by the levels without and with it."""
        if after is None and self.is_optional:
            return Verdict.SILENT
        level = max(1.0, before.level) if after is None else after.level
        worse = level > 1.3 * before.level + 5 * self.floor
        if worse and self.floors(before) < AGREES:
            return Verdict.AGAINST
        if after is None or not self.is_much_better(before, after, is_strict=trial.is_strict):
            return Verdict.SILENT
        if trial.is_exact and self.quantile < 0.5 and after.level > _EXACT_LEAVES:
            return Verdict.SILENT
        return Verdict.FOR if self._agrees_at_same_pixels(before, after) else Verdict.SILENT

    def _agrees_at_same_pixels(self, before: Level, after: Level) -> bool:
        """Whether the common pixels agree better, not merely fewer pixels are compared."""
        if before.difference is None or after.difference is None:
            return True
        first, second = length(before.difference), length(after.difference)
        if len(first) != len(second):  # the mask changed
            return bool(np.isfinite(second).sum() > _FEWER * np.isfinite(first).sum())
        both = np.isfinite(first) & np.isfinite(second)
        if not both.any():
            return False
        old, new = (float(np.quantile(x[both], self.quantile)) for x in (first, second))
        return new < _AGREE_BETTER * old


class ImageEvidence(Evidence):
    """Evidence from images: they never agree exactly, so changes are tested for significance."""

    def is_disagreement(self, level: Level | None) -> bool:
        """Whether there are images; their noise is unknown, so any level may be a disagreement."""
        return level is not None

    def floors(self, level: Level) -> float:
        """Returns a constant that sets when images are tried."""
        return _FLOORS_OF_IMAGES

    def log_ratio(self, before: Level | None, after: Level | None, sure: float = _SURE) -> float:
        """Returns twice the log ratio of two levels; 0 if not significant or not measured."""
        if before is None or after is None or abs(certainty(before, after)) < sure:
            return 0.0
        return 2 * float(np.log(max(after.level, 1e-3) / max(before.level, 1e-3)))

    def judge(self, trial: Trial, before: Level, after: Level | None) -> Verdict:
        """Judges a hypothesis; images must also agree better than with zero flow."""
        if self.find_changes(trial) <= _MASKS:
            return Verdict.SILENT
        if after is None:
            return Verdict.AGAINST
        ratio, sure = after.level / max(before.level, 1e-6), certainty(before, after)
        if ratio > 1.02 and sure < -_SURE:
            return Verdict.AGAINST
        still, moving = trial.without_flow, max(before.typical, after.typical) > _MOVING
        better = ratio < _IMAGES_GAIN and (still is None or after.level < 0.9 * still.level)
        return Verdict.FOR if moving and better and sure > _SURE else Verdict.SILENT
