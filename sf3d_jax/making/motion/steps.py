"""What rests and moves on: gaze in saccades, and the head in turns, nods and a slow drift.

A saccade by A degrees takes 21 + 2.2 A ms (Carpenter, "Movements of the eyes", 1988). Amplitudes
are those of Lee, Badler and Badler, "Eyes alive", SIGGRAPH 2002: -6.9 log(p / 15.7) degrees for p
uniform from 0 to 15, in eight directions, of which left, right, up and down are the most frequent.
"""

import bisect
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sf3d_jax.making.motion.pulses import LEAD, ease, scatter, stretch

FIXATION = stretch(0.2, 2.5)  # seconds
# Shares of the directions, from the right counterclockwise by 45 degrees ("Eyes alive", table 1).
DIRECTIONS = np.array([15.54, 6.46, 17.69, 7.44, 16.80, 7.89, 20.38, 7.79]) / 99.99
LARGEST = np.radians(25.0)  # from straight ahead; beyond, people turn their heads
REST = stretch(0.8, 5.0)  # seconds from one turn of the head to the next
# Deviations of yaw, pitch and roll of a turned head, radians, and how long a turn takes, seconds.
POSTURE = np.array([0.16, 0.07, 0.05])
FARTHEST = np.array([0.6, 0.3, 0.2])
TURNING = (0.4, 1.1)


# Whether something may happen from one time to another.
Allowed = Callable[[float, float], bool]


class Steps(NamedTuple):
    """A vector that rests at places and moves between them.

    Attributes:
      starts: times at which it begins to move, in order; the first place is reached at once.
      lengths: how long each movement takes.
      places: (n, k), where each leads.
    """

    starts: list[float]
    lengths: list[float]
    places: np.ndarray

    def at(self, time: float) -> np.ndarray:
        """The vector at a time in seconds."""
        i = max(bisect.bisect_right(self.starts, time) - 1, 0)
        before = self.places[max(i - 1, 0)]
        share = ease((time - self.starts[i]) / self.lengths[i])
        return before + share * (self.places[i] - before)


def draw_gaze(generator: np.random.Generator, seconds: float) -> Steps:
    """Draws the directions that a person looks in.

    Args:
      generator: source of chance.
      seconds: length of the motion.

    Returns:
      Radians (to the subject's left, up) from straight ahead, at rest from saccade to saccade.
    """
    starts, lengths, places = [-LEAD], [1.0], [np.zeros(2)]
    for time in scatter(generator, seconds, FIXATION):
        amplitude = np.radians(-6.9 * np.log(generator.uniform(1e-3, 15) / 15.7))
        angle = np.pi / 4 * int(generator.choice(len(DIRECTIONS), p=DIRECTIONS))
        # Half of the way back to straight ahead comes with each saccade: people look at someone.
        place = 0.5 * places[-1] + amplitude * np.array([np.cos(angle), np.sin(angle)])
        place = place * min(1.0, LARGEST / max(float(np.hypot(*place)), 1e-9))
        degrees = np.degrees(np.hypot(*(place - places[-1])))
        # One after another: a movement does not begin before the last has ended.
        starts.append(max(time, starts[-1] + lengths[-1]))
        lengths.append(0.021 + 0.0022 * float(degrees))
        places.append(place)
    return Steps(starts, lengths, np.array(places))


def draw_postures(generator: np.random.Generator, seconds: float, is_allowed: Allowed) -> Steps:
    """Draws where a head turns to.

    Args:
      generator: source of chance.
      seconds: length of the motion.
      is_allowed: whether it may turn from one time to another.

    Returns:
      Yaw, pitch and roll in radians.
    """
    starts, lengths = [-LEAD], [1.0]
    places = [np.clip(POSTURE * generator.normal(size=3), -FARTHEST, FARTHEST)]
    for time in scatter(generator, seconds, REST):
        place = np.clip(POSTURE * generator.normal(size=3), -FARTHEST, FARTHEST)
        start, length = max(time, starts[-1] + lengths[-1]), float(generator.uniform(*TURNING))
        # A movement that is left out still takes its time, so that later ones stay as they are.
        starts.append(start)
        lengths.append(length)
        places.append(place if is_allowed(start, start + length) else places[-1])
    return Steps(starts, lengths, np.array(places))
