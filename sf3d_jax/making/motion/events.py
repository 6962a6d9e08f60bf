"""Expressions of a face as events in time: everyday ones, and micro-expressions.

Smiles that are felt last 0.5 to 4 s (Ekman and Friesen, "Felt, false, and miserable smiles",
J. Nonverbal Behav. 1982), and so do the expressions here. Micro-expressions last at most 0.5 s in
all, and rise within 0.26 s (Yan, Wu, Liang, Chen and Fu, "How fast are the leaked facial
expressions", J. Nonverbal Behav. 2013); they are weak.

Both sides of a face move nearly alike: one is a little stronger, and a little earlier.
"""

from typing import NamedTuple

import numpy as np

from sf3d_jax.making.motion.actions import ALL, EMOTIONS, draw_units
from sf3d_jax.making.motion.pulses import Pulse, scatter, stretch

# Seconds from one expression to the next, and of their parts; two may overlap.
GAP = stretch(0.3, 2.5)
LENGTH = stretch(0.5, 4.0)
RISE, FALL = (0.2, 0.4), (0.25, 0.5)  # shares of the length
MICRO_GAP = stretch(0.7, 2.0)
MICRO_LENGTH = stretch(0.04, 0.5)
MICRO_RISE = (0.3, 0.5)
MICRO_HEIGHT = (0.08, 0.3)
# Weak expressions are more frequent than strong ones: heights are low + share^1.5 x (1 - low).
LEAST_HEIGHT, WEAKER = 0.2, 1.5
# Deviations of a side's strength, and of its time in seconds.
UNEVEN, LATE = 0.08, 0.02


class Event(NamedTuple):
    """An expression that comes and goes.

    Attributes:
      sides: its course on the left and on the right side.
      weights: weights of ARKit's units at a height of 1; "Side" stands for both sides.
    """

    sides: tuple[Pulse, Pulse]
    weights: dict[str, float]

    def add_to(self, total: dict[str, float], time: float, share: float = 1.0) -> None:
        """Adds a share of its weights at a time to those of all units."""
        left, right = (share * side.at(time) for side in self.sides)
        if left == right == 0:
            return
        for unit, weight in self.weights.items():
            if unit.endswith("Side"):
                base = unit.removesuffix("Side")
                total[f"{base}Left"] += weight * left
                total[f"{base}Right"] += weight * right
            else:
                total[unit] += weight * (left + right) / 2


def draw_expressions(generator: np.random.Generator, seconds: float) -> list[Event]:
    """Draws everyday expressions.

    Args:
      generator: source of chance.
      seconds: length of the motion.

    Returns:
      Events, in order of their times.
    """
    lean = float(generator.normal(0, UNEVEN))
    events = []
    for time in scatter(generator, seconds, GAP):
        height = LEAST_HEIGHT + (1 - LEAST_HEIGHT) * float(generator.random()) ** WEAKER
        pulse = _draw_pulse(generator, time, LENGTH(generator), height, RISE, FALL)
        events.append(_draw_event(generator, pulse, lean, draw_units(generator, ALL)))
    return events


def draw_micro_expressions(generator: np.random.Generator, seconds: float) -> list[Event]:
    """Draws micro-expressions: emotions that are weak and short; arguments as above."""
    events = []
    for time in scatter(generator, seconds, MICRO_GAP):
        height = float(generator.uniform(*MICRO_HEIGHT))
        pulse = _draw_pulse(
            generator, time, MICRO_LENGTH(generator), height, MICRO_RISE, MICRO_RISE
        )
        units = draw_units(generator, EMOTIONS)
        # Most show on one action unit or two, rarely on the whole face.
        kept = set(list(units)[: 1 + int(generator.integers(3))])
        units = {unit: weight for unit, weight in units.items() if unit in kept}
        events.append(_draw_event(generator, pulse, 0.0, units))
    return events


def _draw_pulse(
    generator: np.random.Generator,
    start: float,
    length: float,
    height: float,
    rise: tuple[float, float],
    fall: tuple[float, float],
) -> Pulse:
    onset, offset = (length * float(generator.uniform(*share)) for share in (rise, fall))
    return Pulse(start, onset, max(length - onset - offset, 0.0), offset, height)


def _draw_event(
    generator: np.random.Generator, pulse: Pulse, lean: float, weights: dict[str, float]
) -> Event:
    """The event with its two sides, the left stronger by `lean` and by chance."""
    uneven = lean + float(generator.normal(0, UNEVEN))
    late = min(abs(float(generator.normal(0, LATE))), 0.1 * pulse.onset)
    first = pulse._replace(height=pulse.height * (1 + abs(uneven)))
    second = pulse._replace(start=pulse.start + late, height=pulse.height * (1 - abs(uneven)))
    return Event((first, second) if uneven > 0 else (second, first), weights)
