"""Small motion that never stops: sums of sines.

w(t) = m + s sum_k a_k sin(2 pi f_k t + p_k),   k = 1 ... 4
"""

import dataclasses

import numpy as np

TERMS = 4
FREQUENCIES = (0.15, 0.9)  # Hz


@dataclasses.dataclass(frozen=True)
class Wave:
    """A band-limited function of time: w(t) in the formula above.

    Attributes:
      middle: m.
      amplitudes: [4], s a_k.
      frequencies: [4], f_k, Hz.
      phases: [4], p_k, radians.
    """

    middle: float
    amplitudes: np.ndarray
    frequencies: np.ndarray
    phases: np.ndarray

    def at(self, time: float) -> float:
        """The value at a time in seconds."""
        angles = 2 * np.pi * self.frequencies * time + self.phases
        return self.middle + float(self.amplitudes @ np.sin(angles))


def draw_wave(
    generator: np.random.Generator, middle: float, size: float, band: tuple[float, float]
) -> Wave:
    """Draws a wave.

    Args:
      generator: source of chance.
      middle: its middle.
      size: amplitude of one sine of the same power on average.
      band: least and largest frequency, Hz.

    Returns:
      The wave.
    """
    frequencies = generator.uniform(*band, TERMS)
    phases = generator.uniform(0, 2 * np.pi, TERMS)
    # The terms' powers add up to that of one sine of the size on average.
    amplitudes = size * generator.normal(size=TERMS) / np.sqrt(TERMS)
    return Wave(middle, amplitudes, frequencies, phases)
