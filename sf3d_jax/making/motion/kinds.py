"""Clips of several kinds: everyday expressions, speech, and micro-expressions.

A motion is a row of clips of one length. Each has a kind of its own, which says what a person does
in it: in everyday clips, expressions come and go; in clips of speech the person talks, with
expressions, too; in clips of micro-expressions, the face is at rest but for these, and the head
does not turn.
"""

from collections.abc import Callable

import numpy as np

from sf3d_jax.making.motion.pulses import ease

EVERYDAY, SPEECH, MICRO = KINDS = ("everyday", "speech", "micro")
# How often each is drawn.
FREQUENCIES = (0.4, 0.35, 0.25)
# Time in which what a clip does not have fades out before it, and comes back after it, in seconds.
FADE = 0.4


def draw_kinds(generator: np.random.Generator, count: int) -> list[str]:
    """Draws the kinds of the first clips of a motion; more of them do not change the first ones."""
    bounds = np.cumsum(FREQUENCIES)
    return [KINDS[int((generator.random() * bounds[-1] > bounds[:-1]).sum())] for _ in range(count)]


class Schedule:
    """Which kind of clip there is at which time."""

    def __init__(self, kinds: list[str], clip_seconds: float) -> None:
        """Makes the schedule.

        Args:
          kinds: kinds of the clips; the first is also what comes before it, and the last what comes
            after it.
          clip_seconds: length of each.
        """
        self._kinds, self._clip_seconds = kinds, clip_seconds

    def allow(self, *kinds: str) -> Callable[[float, float], bool]:
        """A function: whether all clips from one time to another have one of the kinds."""

        def is_allowed(start: float, end: float) -> bool:
            clips = range(self._find_clip(start), self._find_clip(end) + 1)
            return all(self._kinds[i] in kinds for i in clips)

        return is_allowed

    def find_share(self, kinds: tuple[str, ...], time: float) -> float:
        """1 in clips of these kinds, 0 in others; it fades within the former, at their ends."""
        own = self._find_clip(time)
        if self._kinds[own] not in kinds:
            return 0.0
        since = time - own * self._clip_seconds
        share = 1.0
        for other, away in ((own - 1, since), (own + 1, self._clip_seconds - since)):
            if 0 <= other < len(self._kinds) and self._kinds[other] not in kinds:
                share *= ease(away / min(FADE, 0.4 * self._clip_seconds))
        return share

    def _find_clip(self, time: float) -> int:
        return min(max(int(np.floor(time / self._clip_seconds)), 0), len(self._kinds) - 1)
