"""The brightness of a lamp that flickers, as a smooth function of time.

    f(t) = 1 + sum_i a_i sin(2 pi nu_i t + phi_i)

with a slow wave, as of a television or a cloud, and a fast one: the beat of a lamp on the mains
with the frames of a camera. The sum of the a_i is below 1/2, so that the lamp never goes out.
"""

from typing import NamedTuple

import numpy as np

# Ranges of rates in Hz and of amplitudes: the slow wave, its ripple and the beat.
RATES = ((0.2, 0.7), (0.8, 2.0), (3.0, 6.0))
AMPLITUDES = ((0.05, 0.2), (0.02, 0.1), (0.02, 0.1))


class Flicker(NamedTuple):
    """Waves of the brightness of a lamp.

    Attributes:
      amplitudes: [W], shares of the mean brightness.
      rates: [W], Hz.
      phases: [W], radians.
    """

    amplitudes: np.ndarray
    rates: np.ndarray
    phases: np.ndarray

    def find_brightness(self, time: float) -> float:
        """Brightness at a time in seconds over the mean, by the formula above."""
        waves = np.sin(2 * np.pi * self.rates * time + self.phases)
        return float(1 + (self.amplitudes * waves).sum())


def draw_flicker(generator: np.random.Generator) -> Flicker:
    """Draws the flicker of a lamp at random.

    Args:
      generator: source of chance.

    Returns:
      The flicker.
    """
    draw = lambda ranges: np.array([generator.uniform(*x) for x in ranges])
    return Flicker(draw(AMPLITUDES), draw(RATES), generator.uniform(0, 2 * np.pi, len(RATES)))
