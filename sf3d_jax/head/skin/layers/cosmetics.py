"""Make-up on the skin: lipstick, shadow and a line on the lids, blush on the cheekbones."""

import numpy as np

from sf3d_jax.head.person import landmarks
from sf3d_jax.head.skin.layers.places import Array, Places, mix
from sf3d_jax.head.skin.makeup import Makeup
from sf3d_jax.head.skin.noise import blend

_SMEAR = 68
_INK = np.array([0.02, 0.016, 0.014], np.float32)
# What a blush of 1 takes of the light.
_BLUSH = np.array([0.10, 0.90, 0.72], np.float32)


def apply_makeup(color: Array, at: Places, makeup: Makeup, lips: Array) -> Array:
    """Covers skin with make-up.

    Args:
      color: (N, 3) reflectance of the skin.
      at: where it is.
      makeup: the person's.
      lips: (N,), 1 on the red of the lips.

    Returns:
      (N, 3) reflectance.
    """
    if makeup.lips:
        # Some of the lips' own lines and light stay.
        own = color / np.maximum(color.mean(1, keepdims=True), np.float32(1e-3))
        tone = (0.7 + 0.3 * own) * (0.93 + 0.07 * at.noise(_SMEAR, 0.3, 2))[:, None]
        color = mix(color, makeup.lips * blend(2 * lips - 0.7), makeup.lipstick * tone)
    if makeup.blush:
        cheek = at.bump(landmarks.CHEEKBONE + np.array([-0.2, -0.1, 0.8]), [2.3, 1.5, 3.0])
        color = color * (1 - makeup.blush * cheek[:, None] * _BLUSH)
    if makeup.lids or makeup.liner:
        color = _paint_lids(color, at, makeup)
    return color


def _paint_lids(color: Array, at: Places, makeup: Makeup) -> Array:
    q = at.points - landmarks.EYE.astype(np.float32)
    q[:, 0] = np.abs(at.points[:, 0]) - np.float32(landmarks.EYE[0])
    near = (np.abs(q) < 2.4).all(axis=1) & (q[:, 2] > 0.2)
    if not near.any():
        return color
    lid, (x, y, z) = at.choose(near), q[near].T
    length = np.sqrt(x * x + y * y + z * z)
    x, y = x / length, y / length
    rim = landmarks.EYE_RADIUS * landmarks.almond(x, y, *landmarks.FISSURE).astype(np.float32)
    upper = blend(0.5 + y / 0.1)
    shadow = upper * blend((0.95 - rim) / 0.75) * blend((1.25 - np.abs(x)) / 0.4)
    line = lid.soften(np.abs(rim) - 0.07, 0.08) * (0.25 + 0.75 * upper) * blend((x + 0.95) / 0.6)
    color = color.copy()
    color[near] = mix(color[near], makeup.lids * shadow, makeup.shadow)
    color[near] = mix(color[near], makeup.liner * line, _INK)
    return color
