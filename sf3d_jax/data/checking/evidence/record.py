"""What a kind of evidence is, and how it judges a hypothesis."""

import dataclasses
import enum
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case
from sf3d_jax.data.checking.evidence.levels import Level, certainty, length

# In floors: what agrees as well as this must not be made worse by undoing a fault.
AGREES = 100.0
# A hypothesis with fitted numbers has to explain nearly everything.
_STRICT_GAIN, _STRICT_LEAVES = 10.0, 0.1
# Of the pixels that could be compared, the share that has to be left under another mask.
_FEWER = 0.5
_AGREE_BETTER = 0.7
# Of images: how much smaller the difference must get, in standard errors of how many.
_IMAGES_GAIN = 0.8
_SURE = 4.0
# Pixels. Images may have been shifted by less when they were resized.
_MOVING = 0.75
# Images are tried after what agrees, and before what disagrees by more floors than this.
_FLOORS_OF_IMAGES = 1e4
# These decide which pixels are compared, and not what is found there.
_MASKS = frozenset({"valid", "occlusion"})


class Verdict(enum.Enum):
    """What a kind of evidence says of a hypothesis."""

    FOR = enum.auto()
    AGAINST = enum.auto()
    SILENT = enum.auto()


class Trial(NamedTuple):
    """A hypothesis that is tried.

    Attributes:
      given: the case without it.
      meant: the case with it.
      is_strict: whether it has to explain nearly everything.
      without_flow: what the images of `given` say of no motion.
    """

    given: Case
    meant: Case
    is_strict: bool
    without_flow: Level | None


@dataclasses.dataclass(frozen=True)
class Unexplained:
    """The finding of a disagreement that no fault explains.

    Attributes:
      name: of the finding.
      message: what was seen.
      explanation: what may be wrong.
      limits: the level, and the part in its own unit that neighbours share, that are too much.
      exact_limits: the same of data that is exact in another respect.
      unit: of the level's typical difference, for the message.
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

    It speaks for a hypothesis if the number becomes `gain` times smaller and at most `leaves`, and
    against it if something that agreed gets worse.

    Attributes:
      name: in the numbers of a finding.
      words: what is compared, for people.
      measure: gives the level of a case; None where it cannot be measured.
      reads: the parts of the sample that it depends on.
      reads_other: the same of the sample of the other direction.
      floor: the rounding and interpolation of exact data; what is below is as good.
      gain: how many times smaller the level must get.
      leaves: the level that may be left.
      quantile: of the pixels, which counts; of a still world less than half.
      is_optional: whether it may go without being missed.
      alone_for: the faults for which it suffices; all if None. For what is easily satisfied.
      is_of_exact_data: whether a tiny level shows that a sample is no estimate of a network.
      unexplained: the finding of what is left of it; none if None.
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
        """How many floors a level is: what is near 1 is most likely to speak against."""
        return level.level / self.floor

    def speaks_alone_for(self, faults: tuple[str, ...]) -> bool:
        """Whether it suffices for a hypothesis of these faults."""
        return self.alone_for is None or not self.alone_for.isdisjoint(faults)

    def find_changes(self, trial: Trial) -> frozenset[str]:
        """The names of what it depends on and a hypothesis changes; empty if its level stays."""
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
        """The logarithm of what is left of a disagreement; None counts as no agreement.

        Differences of fewer standard errors than `sure` count as none.
        """
        if before is after or (after is None and self.is_optional):
            return 0.0
        if before and after and sure and abs(certainty(before, after)) < sure:
            return 0.0
        old, new = (1.0 if x is None else x.level for x in (before, after))
        return float(np.log((new + self.floor) / (old + self.floor)))

    def is_much_better(self, before: Level, after: Level, *, is_strict: bool = False) -> bool:
        """Whether a disagreement got so small that this is explained."""
        gain, leaves = (_STRICT_GAIN, _STRICT_LEAVES) if is_strict else (self.gain, self.leaves)
        left = gain * (after.level + self.floor) < before.level + self.floor
        return left and after.level < leaves

    def judge(self, trial: Trial, before: Level, after: Level | None) -> Verdict:
        """What it says of a hypothesis, from the levels without and with it."""
        if after is None and self.is_optional:
            return Verdict.SILENT
        level = max(1.0, before.level) if after is None else after.level
        worse = level > 1.3 * before.level + 5 * self.floor
        if worse and self.floors(before) < AGREES:
            return Verdict.AGAINST
        if after is None or not self.is_much_better(before, after, is_strict=trial.is_strict):
            return Verdict.SILENT
        return Verdict.FOR if self._agrees_at_same_pixels(before, after) else Verdict.SILENT

    def _agrees_at_same_pixels(self, before: Level, after: Level) -> bool:
        """Whether the pixels that are left agree better, and the others are not only gone."""
        if before.difference is None or after.difference is None:
            return True
        first, second = length(before.difference), length(after.difference)
        if len(first) != len(second):  # of another mask
            return bool(np.isfinite(second).sum() > _FEWER * np.isfinite(first).sum())
        both = np.isfinite(first) & np.isfinite(second)
        if not both.any():
            return False
        old, new = (float(np.quantile(x[both], self.quantile)) for x in (first, second))
        return new < _AGREE_BETTER * old


class ImageEvidence(Evidence):
    """Images: they never agree to a floor, so that differences are compared with their chance."""

    def is_disagreement(self, level: Level | None) -> bool:
        """Whether there are images: their noise is not known."""
        return level is not None

    def floors(self, level: Level) -> float:
        """The place of all images among what is tried."""
        return _FLOORS_OF_IMAGES

    def log_ratio(self, before: Level | None, after: Level | None, sure: float = _SURE) -> float:
        """The same, but what cannot be measured does not count."""
        if before is None or after is None or abs(certainty(before, after)) < sure:
            return 0.0
        return 2 * float(np.log(max(after.level, 1e-3) / max(before.level, 1e-3)))

    def judge(self, trial: Trial, before: Level, after: Level | None) -> Verdict:
        """The same; images must agree better than without any motion, too."""
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
