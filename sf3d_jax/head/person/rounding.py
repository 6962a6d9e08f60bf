"""Numbers that do not depend on the instructions of the processor.

NumPy's sums of products and its functions differ in the last bit between processors; sums,
products, quotients and roots of arrays do not. So what is computed once is rounded to a grid far
coarser than that bit, and what is computed for each frame uses sums and products alone.
"""

import math

import numpy as np

from sf3d_jax.head.person.landmarks import Floats

# A hundred-millionth of a metre, in centimetres, as a power of two.
_GRID = 2.0**-20

# Angles are divided by 2^_HALVINGS, where nine terms of the series are exact to the last bits.
_HALVINGS = 3
_TERMS = 9


def snap(values: Floats) -> Floats:
    """The nearest multiples of 2^-20: of a length in centimetres, or of a weight."""
    return np.rint(values / _GRID) * _GRID


def cos_sin(angle: Floats) -> tuple[Floats, Floats]:
    """Cosine and sine of angles in radians, by Taylor's series and three doublings."""
    x = np.remainder(np.asarray(angle, float) + np.pi, 2 * np.pi) - np.pi
    x = x / 2**_HALVINGS
    square = x * x
    # 1 - cos is kept instead of the cosine, whose digits the doublings would lose.
    versed, sine = np.zeros_like(x), np.zeros_like(x)
    for n in reversed(range(_TERMS)):
        sine = (-1) ** n / math.factorial(2 * n + 1) + square * sine
        versed = (-1) ** n / math.factorial(2 * n + 2) + square * versed
    sine, versed = x * sine, square * versed
    for _ in range(_HALVINGS):
        # sin 2x = 2 sin x cos x, 1 - cos 2x = 2 sin^2 x.
        sine, versed = 2 * sine * (1 - versed), 2 * sine * sine
    return 1 - versed, sine


def turn(points: Floats, rotation: Floats) -> Floats:
    """Points (N, 3) after a rotation (3, 3)."""
    x, y, z = points.T
    return np.stack([x * row[0] + y * row[1] + z * row[2] for row in rotation], 1)
