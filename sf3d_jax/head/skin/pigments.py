"""Colours of skin and hair from the amounts of their pigments.

Light that crosses a pigment falls by exp(-amount x absorption), which differs between red, green
and blue. A power replaces the exponential: it is rounded exactly, and so equal on every machine.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

# Fitted: the colours of melanin from 0.1 to 2.2 follow those measured on faces: L* from 76 to
# 27, a* from 10 on the palest to 12 on brown skin, b* from 14 over 17 in the middle to 12. See
# `tones` for the sources. Blood of 1 is the colour of lips.
_BARE_SKIN = np.array([0.76, 0.648, 0.49], np.float32)
_MELANIN = np.array([1.0, 1.30, 1.56], np.float32)
_BLOOD = np.array([0.10, 1.0, 0.80], np.float32)
_CAROTENE = np.array([0.0, 0.12, 1.0], np.float32)
_SURFACE = 0.018
_BARE_HAIR = np.array([0.46, 0.40, 0.31], np.float32)
_BROWN = np.array([1.0, 1.25, 1.6], np.float32)
_RED = np.array([0.30, 1.25, 2.1], np.float32)
# (1 - x / 32)^32 is exp(-x) to 2 % at 1 and keeps falling up to 32.
_SQUARINGS = 5


def absorb(amount: npt.ArrayLike) -> Array:
    """The share of light that is left, (1 - x / 32)^32, close to exp(-x).

    Args:
      amount: array of any shape, clipped to 0 to 32.
    """
    steps = 2**_SQUARINGS
    left = 1 - np.clip(np.asarray(amount, np.float32), 0, steps) * np.float32(1 / steps)
    for _ in range(_SQUARINGS):
        left = left * left
    return left


def color_skin(melanin: npt.ArrayLike, blood: npt.ArrayLike, carotene: npt.ArrayLike) -> Array:
    """Linear reflectance of skin.

    Args:
      melanin: scalar or (N,), brown pigment, 0.1 (pale) to 2.4 (dark).
      blood: scalar or (N,), 0.15 to 0.35 on a face, about 1 on lips.
      carotene: scalar or (N,), yellow pigment, -0.1 to 0.2.

    Returns:
      (N, 3) or (3,), `.018 + bare skin x exp(-(melanin, blood and carotene) x their absorptions)`.
    """
    m, h, c = (np.asarray(x, np.float32)[..., None] for x in (melanin, blood, carotene))
    return _SURFACE + _BARE_SKIN * absorb(m * _MELANIN + h * _BLOOD + c * _CAROTENE)


def color_hair(brown: float, red: float) -> Array:
    """Linear reflectance of hair.

    Args:
      brown: amount of brown pigment, 0.2 (blond) to 4 (black).
      red: amount of red pigment, 0 to 1.

    Returns:
      (3,) reflectance.
    """
    return _BARE_HAIR * absorb(brown * _BROWN + red * _RED)
