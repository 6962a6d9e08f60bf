"""The mouth: teeth and gums, the tongue, the inside."""

import numpy as np

from sf3d_jax.head.person import landmarks
from sf3d_jax.head.skin.layers.complexion import paint_skin
from sf3d_jax.head.skin.layers.places import Array, Places, mix
from sf3d_jax.head.skin.noise import blend
from sf3d_jax.head.skin.traits import Traits

_INSIDE, _GUMS, _TEETH, _TONGUE, _PAPILLAE = range(30, 35)
_FLESH = np.array([0.30, 0.075, 0.065], np.float32)
_GUM = np.array([0.44, 0.16, 0.15], np.float32)
_WHITE_TOOTH = np.array([0.68, 0.64, 0.57], np.float32)
_YELLOW_TOOTH = np.array([0.62, 0.53, 0.39], np.float32)
_TONGUE_RED = np.array([0.46, 0.17, 0.16], np.float32)
# Where one tooth ends and the next begins, |x| of the upper (1) and the lower (-1) teeth: crowns of
# 8.5, 6.5, 7.5 and 7 mm above, and of 5, 5.5, 7 and 7 mm below (R. Wheeler, Dental anatomy).
_EDGES = {1: (0.0, 0.85, 1.46, 2.05, 2.4), -1: (0.0, 0.5, 1.03, 1.62, 2.1)}
# The roots begin so far from the line of the lips, and the mouth is dark from this z on backwards.
_ROOT = 0.62
_DARK, _LIT = 2.5, 8.0
# The red of the lips ends at z = END - BOW x^2 where they meet, and fades over this length behind.
_LIPS_END, _LIPS_BOW, _LIPS_FADE = 8.3, 0.19, 1.0


def paint_inside(at: Places, traits: Traits) -> Array:
    """Linear reflectance of the mouth's walls, (N, 3): the lips in front, and darker the deeper."""
    wet = 1 + 0.10 * at.noise(_INSIDE, 0.9, 3)
    flesh = _FLESH * (wet * _light(at))[:, None]
    x, _, z = at.axes
    depth = _LIPS_END - _LIPS_BOW * x * x - z
    lips = paint_skin(at, traits.skin, np.ones_like(z), traits.lips)
    return mix(flesh, blend(1 - depth / _LIPS_FADE), lips)


def paint_teeth(at: Places, yellow: float, side: int) -> Array:
    """Linear reflectance of a row of teeth with its gums, (N, 3).

    Args:
      at: points of one row.
      yellow: how yellow they are, 0 to 1.
      side: 1 for the upper teeth, -1 for the lower.
    """
    y = at.points[:, 1]
    root = side * (y - landmarks.MOUTH_HEIGHT) - _ROOT
    color = _WHITE_TOOTH + np.float32(yellow) * (_YELLOW_TOOTH - _WHITE_TOOTH)
    # A tooth is yellower at its neck and a little clearer at its edge.
    color = color * (1 + 0.03 * at.noise(_TEETH, 0.8, 2) - 0.16 * blend(1 + root / 0.5))[:, None]
    color = color * (1 - 0.5 * _find_gaps(at, side))[:, None]
    gum = _GUM * (1 + 0.08 * at.noise(_GUMS, 0.5, 3))[:, None]
    color = mix(color, at.soften(-root, 0.08), gum)
    return color * _light(at)[:, None]


def _find_gaps(at: Places, side: int) -> Array:
    """Between two teeth, 1 in the middle of a gap."""
    x, gap = at.axes[0], np.zeros(len(at.points), np.float32)
    wide = np.maximum(np.float32(0.05), at.spacing)
    for edge in _EDGES[side]:
        gap = np.maximum(gap, 0.05 / wide * np.maximum(1 - np.square((x - edge) / wide), 0))
    return gap


def paint_tongue(at: Places) -> Array:
    """Linear reflectance of the tongue, (N, 3): papillae, and a furrow in the middle."""
    x = np.abs(at.points[:, 0])
    tone = 1 + 0.10 * at.noise(_PAPILLAE, 0.13, 2) + 0.10 * at.noise(_TONGUE, 1.0, 3)
    tone = tone * (1 - 0.22 * blend(1 - x / 0.25))
    return _TONGUE_RED * (tone * _light(at))[:, None]


def _light(at: Places) -> Array:
    """The light that comes in between the lips, 1 in front to little at the back."""
    return 0.12 + 0.88 * blend((at.points[:, 2] - _DARK) / (_LIT - _DARK))
