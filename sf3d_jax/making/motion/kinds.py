"""Clips of several kinds: everyday expressions, speech, and micro-expressions.

A motion is a row of clips of one length. Each has a kind of its own, which says what a person does
in it: in everyday clips, expressions come and go; in clips of speech the person talks, with
expressions, too; in clips of micro-expressions, the face is at rest but for these, and the head
does not turn.
"""

from collections.abc import Callable

import numpy as np

EVERYDAY, SPEECH, MICRO = KINDS = ("everyday", "speech", "micro")
# How often each is drawn.
FREQUENCIES = (0.4, 0.35, 0.25)


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
            last = len(self._kinds) - 1
            first, after = (
                min(max(int(np.floor(t / self._clip_seconds)), 0), last) for t in (start, end)
            )
            return all(kind in kinds for kind in self._kinds[first : after + 1])

        return is_allowed
