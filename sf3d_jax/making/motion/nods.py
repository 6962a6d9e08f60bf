"""Nods and shakes of the head: a few swings that die away.

Nods of listeners have 1 to 4 cycles at 1 to 4 Hz, of a few degrees (Hadar, Steiner and Rose, "Head
movement during listening turns in conversation", J. Nonverbal Behav. 1985).
"""

from typing import NamedTuple

import numpy as np

from sf3d_jax.making.motion.pulses import ease, scatter, stretch

GAP = stretch(3.0, 15.0)
FREQUENCY = stretch(1.0, 3.0)  # Hz
CYCLES = (1, 4)
SWING = (0.02, 0.07)  # radians
SHAKE = 0.25  # share of shakes


class Nod(NamedTuple):
    """Swings about one axis.

    Attributes:
      start: time at which they begin, seconds.
      length: how long they last.
      frequency: Hz.
      swing: radians.
      axis: 0 for a shake (yaw), 1 for a nod (pitch).
    """

    start: float
    length: float
    frequency: float
    swing: float
    axis: int

    def at(self, time: float) -> float:
        """The angle at a time in seconds."""
        since = time - self.start
        if not 0 < since < self.length:
            return 0.0
        quarter = 0.25 / self.frequency
        fade = ease(since / quarter) * ease((self.length - since) / (0.6 * self.length))
        return -self.swing * fade * float(np.sin(2 * np.pi * self.frequency * since))


def draw_nods(generator: np.random.Generator, seconds: float) -> list[Nod]:
    """Draws nods and shakes.

    Args:
      generator: source of chance.
      seconds: length of the motion.

    Returns:
      Nods, in order of their times.
    """
    nods = []
    for time in scatter(generator, seconds, GAP):
        frequency = FREQUENCY(generator)
        length = int(generator.integers(*CYCLES, endpoint=True)) / frequency
        axis = 0 if generator.random() < SHAKE else 1
        nods.append(Nod(time, length, frequency, float(generator.uniform(*SWING)), axis))
    return nods
