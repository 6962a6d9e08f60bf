"""Strands of hair: which way they lie, and their colours.

Hair falls from a line on the top of the head, the parting, or from a short one, the whorl. The
strands are where the nearest point of this line, and the direction from it, are the same.
"""

from typing import NamedTuple

import numpy as np

from sf3d_jax.head.growth.styles import CURLY, Cut
from sf3d_jax.head.person.landmarks import Floats
from sf3d_jax.head.skin.noise import Array, blend, draw_noise

_STRANDS, _LOCKS, _WHITE_HAIRS, _WAVES = range(940, 944)
_TOP = 10.5  # height of the parting
_RADIUS = 6.5  # of the head, as far as the width of strands is concerned
_GREY = np.array([0.55, 0.54, 0.52], np.float32)


class HairColor(NamedTuple):
    """What hair is painted by.

    Attributes:
      color: (3,) linear reflectance.
      cut: the cut, for the curl and the share of grey hairs.
      pattern: number of the person's noise.
    """

    color: Array
    cut: Cut
    pattern: int


def comb(points: Floats, cut: Cut) -> tuple[Floats, Floats]:
    """Coordinates of hair: (N, 2) across the strands, and (N,) along them, in centimetres."""
    start, end = (-5.0, 5.5) if cut.has_parting else (-4.6, -4.0)
    x, y, z = points.T
    nearest = np.clip(z, start, end)
    # The line bends to the middle at its back end.
    line = cut.parting * np.clip((nearest - start) / 6, 0.15, 1)
    a, b = x - line, z - nearest
    far = np.sqrt(a * a + b * b + 0.05)
    across = np.stack([nearest + _RADIUS * b / far, _RADIUS * a / far], 1)
    drop = np.maximum(_TOP - y, 0)
    return across, np.sqrt(far * far + drop * drop)


def paint_strands(hair: HairColor, coordinates: Array, spacing: Array) -> Array:
    """Linear reflectance of hair (N, 3).

    Args:
      hair: what it looks like.
      coordinates: (N, 8): across (2), along, position (3), relief, and distance from the hairline.
      spacing: (N,), distance between samples.
    """
    x = np.asarray(coordinates, np.float32)
    across, along, place, relief, rise = x[:, :2], x[:, 2:3], x[:, 3:6], x[:, 6], x[:, 7]
    if hair.cut.kind == CURLY:
        lines, fine = place * np.float32(1.0), 0.5
    else:
        bend = np.float32(hair.cut.curl + 0.1) * _noise(hair, _WAVES, place, 2.2, 0, 2)[:, None]
        lines, fine = np.concatenate([across + bend, 0.07 * along], 1), 0.4
    narrow = fine * spacing
    strands = _noise(hair, _STRANDS, lines, 0.42, narrow, 4, 0.95)
    locks = _noise(hair, _LOCKS, lines, 1.7, narrow, 2)
    # Light does not reach between the locks; the tips are bleached.
    depth = 0.45 + 0.55 * blend((relief + 0.9) / 1.5)
    tips = 0.9 + 0.12 * blend((along[:, 0] - 8) / 14)
    shine = 1 + 0.35 * blend(1 - np.abs(place[:, 1] - 7.3 - 0.35 * locks) / 2.6)
    tone = depth * tips * shine * np.maximum(1 + 0.30 * strands + 0.14 * locks, 0.25)
    white = np.float32(0.6 * hair.cut.grey) * blend(
        0.5 + 0.8 * _noise(hair, _WHITE_HAIRS, lines, 0.3, narrow, 2)
    )
    color = hair.color + white[:, None] * (_GREY - hair.color)
    return color * (tone * (0.75 + 0.25 * blend(rise / 1.5)))[:, None]


def _noise(
    hair: HairColor,
    key: int,
    at: Array,
    wavelength: float,
    spacing: Array | float,
    octaves: int,
    gain: float = 0.6,
) -> Array:
    return draw_noise(
        np.ascontiguousarray(at, np.float32),
        wavelength,
        hair.pattern + 16 * key,
        spacing,
        octaves=octaves,
        gain=gain,
    )
