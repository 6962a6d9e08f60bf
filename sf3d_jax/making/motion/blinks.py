"""Blinks: lids close within about a third of a blink, and open more slowly.

A blink lasts 0.1 to 0.4 s. People blink 17 times a minute at rest and 26 times in talk (Bentivoglio
et al., "Analysis of blink rate patterns in normal subjects", Movement Disorders 1997), at irregular
times.
"""

import numpy as np

from sf3d_jax.making.motion.pulses import Pulse, scatter, stretch

LENGTH = stretch(0.1, 0.4)
# Blinks of a minute, and the shortest time from one to the next, in seconds.
RATE, SHORTEST = 20.0, 0.5
CLOSING, SHUT = 0.36, 0.12  # shares of the length
# Some blinks do not close the eye.
PARTIAL, LEAST_HEIGHT = 0.2, 0.4


def draw_blinks(generator: np.random.Generator, seconds: float) -> list[Pulse]:
    """Draws the blinks of a person.

    Args:
      generator: source of chance.
      seconds: length of the motion.

    Returns:
      Pulses of both lids, of height 1 where the eye closes, in order of their times.
    """
    mean = 60 / RATE - SHORTEST
    gap = lambda generator: SHORTEST + float(generator.exponential(mean))
    blinks = []
    for time in scatter(generator, seconds, gap):
        length, is_partial = LENGTH(generator), generator.random() < PARTIAL
        height = float(generator.uniform(LEAST_HEIGHT, 1))
        closing, shut = CLOSING * length, SHUT * length
        opening = length - closing - shut
        blinks.append(Pulse(time, closing, shut, opening, height if is_partial else 1.0))
    return blinks
