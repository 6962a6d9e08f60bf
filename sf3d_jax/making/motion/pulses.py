"""Movements that begin, reach their height and end: their shape, and random sequences of them.

A movement that is as smooth as it can be follows s(u) = 10 u^3 - 15 u^4 + 6 u^5 (Flash and Hogan,
"The coordination of arm movements", J. Neurosci. 1985). Its greatest speed is 1.875 in the middle.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

# Sequences begin this long before time 0, in seconds, so that the first frame is like any other.
LEAD = 8.0
# The greatest slope of s(u).
STEEPEST = 1.875


class Pulse(NamedTuple):
    """A movement that rises from 0 to its height, stays there, and falls.

    Attributes:
      start: time at which it begins, seconds.
      onset: how long it rises.
      apex: how long it stays.
      offset: how long it falls.
      height: its height.
    """

    start: float
    onset: float
    apex: float
    offset: float
    height: float

    @property
    def end(self) -> float:
        """The time at which it is over."""
        return self.start + self.onset + self.apex + self.offset

    def at(self, time: float) -> float:
        """The value at a time in seconds."""
        if not self.start < time < self.end:
            return 0.0
        rise = ease((time - self.start) / self.onset)
        return self.height * min(rise, ease((self.end - time) / self.offset))


def ease(share: float) -> float:
    """The course from 0 to 1: s(u), 0 before and 1 after."""
    u = min(max(share, 0.0), 1.0)
    return u * u * u * (10 - 15 * u + 6 * u * u)


def scatter(
    generator: np.random.Generator, seconds: float, draw_gap: Callable[[np.random.Generator], float]
) -> Iterator[float]:
    """Random times, in order.

    The caller may draw from the generator between them. A longer sequence begins as a shorter one.

    Args:
      generator: source of chance.
      seconds: where the sequence ends.
      draw_gap: draws the time from one to the next.

    Yields:
      Times from -LEAD to the end.
    """
    time = -LEAD + draw_gap(generator) * float(generator.random())
    while time < seconds:
        yield time
        time += draw_gap(generator)


def stretch(low: float, high: float) -> Callable[[np.random.Generator], float]:
    """A function that draws a number between two, whose logarithm is uniform."""
    return lambda generator: low * (high / low) ** float(generator.random())
