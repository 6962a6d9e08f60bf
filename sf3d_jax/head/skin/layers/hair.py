"""Hair: the cap on the scalp, brows, lashes and the shaved beard.

Hair is painted as a share of the skin that it hides. Strands are noise along stretched coordinates,
fine across the hair and long along it; what is too fine for the samples leaves the share itself.
"""

import numpy as np

from sf3d_jax.head.person import landmarks
from sf3d_jax.head.skin.layers.places import Array, Places, mix
from sf3d_jax.head.skin.noise import blend
from sf3d_jax.head.skin.traits import Hair

_STRANDS, _WAVES, _LINE, _TUFTS, _BROW, _BROW_EDGE, _STUBBLE, _BEARD, _LASHES = range(40, 49)
# The hair grows away from a whorl at the back of the crown, about the axis `up`.
_RIGHT, _UP, _AHEAD = ((1, 0, 0), (0, 0.8, -0.6), (0, 0.6, 0.8))
# Distance from the axis at which the strands have their nominal width; they converge at the whorl.
_WIDEST = 8.0
_BROW_PEAK = 0.62


def paint_hair(color: Array, at: Places, hair: Hair, lips: Array) -> Array:
    """Covers skin with hair.

    Args:
      color: (N, 3) reflectance of the skin.
      at: where it is.
      hair: the person's.
      lips: (N,), 1 on the red of the lips, where no beard grows.

    Returns:
      (N, 3) reflectance.
    """
    if hair.beard:
        color = _shave(color, at, hair, 1 - lips)
    for grow in (_grow_brows, _grow_lashes, _grow_cap):
        color = grow(color, at, hair)
    return color


def _shave(color: Array, at: Places, hair: Hair, bare: Array) -> Array:
    x, y, _ = at.axes
    jaw = at.bump([0, -9.5, 4.5], [8.5, 4.6, 8.5])
    lip = at.bump([0, -5.9, 8.8], [3.0, 1.0, 2.6])
    area = bare * blend(1.8 * np.maximum(jaw, lip)) * blend((-4.6 - y - 0.15 * x) / 1.4)
    share = area * (0.20 + 0.05 * at.noise(_BEARD, 1.2, 3) + 0.14 * at.noise(_STUBBLE, 0.11, 2))
    return mix(color, hair.beard * share, hair.color * np.float32(0.6) + np.float32(0.01))


def _grow_brows(color: Array, at: Places, hair: Hair) -> Array:
    ends, peak_height = landmarks.BROW[[0, 2], 0].tolist(), float(landmarks.BROW[1, 1])
    x, y, z = at.axes
    along = (x - ends[0]) / (ends[1] - ends[0])
    near = (along > -0.2) & (along < 1.2) & (np.abs(y - peak_height) < 1.8)
    near &= z > landmarks.FACE_DEPTH
    if not near.any():
        return color
    brow, t, x, y = at.choose(near), along[near], x[near], y[near]
    off = y - find_brow(t, hair)
    width = hair.brow_width * blend(0.55 + 1.5 * t) * (1 - 0.75 * blend((t - 0.35) / 0.65))
    # The hairs stand up at the inner end and lie along the brow at the outer end.
    rise = np.clip(0.9 - 0.9 * t, 0, 0.9)
    lie = np.sqrt(1 - rise * rise)
    side = np.sign(brow.points[:, 0])  # another pattern on either side
    lines = np.stack([lie * off - rise * x, 0.1 * (lie * x + rise * off), side], axis=-1)
    strands = brow._replace(points=lines).noise(_BROW, 0.26, 4, 0.9)
    edge = np.abs(off) - width + 0.05 * brow.noise(_BROW_EDGE, 0.4, 2)
    tips = blend(t / 0.16 + 0.4) * blend((1.05 - t) / 0.3)
    share = brow.soften(edge, 0.36) * tips * hair.brow_density * (0.60 + 0.35 * strands)
    return _cover(color, near, share, hair.color * np.float32(0.75))


def find_brow(t: Array, hair: Hair) -> Array:
    """Height of the middle of the brow, t from 0 at its inner to 1 at its outer end."""
    inner, peak, outer = landmarks.BROW[:, 1].tolist()
    rising = np.square((t - _BROW_PEAK) / _BROW_PEAK) * (peak - inner)
    falling = np.square((t - _BROW_PEAK) / (1 - _BROW_PEAK)) * (peak - outer)
    drop = np.where(t < _BROW_PEAK, rising, falling)
    return inner + hair.brow_height + hair.brow_arch * (peak - inner - drop)


def _grow_lashes(color: Array, at: Places, hair: Hair) -> Array:
    """A dark rim on the lids: dense above, thin below, none at the corners."""
    q = at.points - landmarks.EYE.astype(np.float32)
    q[:, 0] = np.abs(at.points[:, 0]) - np.float32(landmarks.EYE[0])
    near = (np.abs(q[:, :2]) < 1.6).all(axis=1) & (q[:, 2] > 0.2)
    if not near.any():
        return color
    lid, (x, y, z) = at.choose(near), q[near].T
    length = np.sqrt(x * x + y * y + z * z)
    x, y = x / length, y / length
    rim = landmarks.EYE_RADIUS * landmarks.almond(x, y, *landmarks.FISSURE).astype(np.float32)
    taper = np.clip(1 - np.square(x / landmarks.FISSURE[0]), 0, 1)
    reach = np.where(y > 0, 0.07, 0.02) * np.sqrt(taper)
    share = lid.soften(np.abs(rim) - reach, 0.12) * np.where(y > 0, 0.9, 0.4) * blend(taper * 2)
    return _cover(color, near, share, hair.color * np.float32(0.2))


def _grow_cap(color: Array, at: Places, hair: Hair) -> Array:
    if not hair.cover:
        return color
    height = rise_over_hairline(at, hair)
    grown = height > -0.8
    if not grown.any():
        return color
    scalp = at.choose(grown)
    strands = _follow_strands(scalp, hair)
    edge = blend((height[grown] + 0.8) / 2.2)
    share = hair.cover * edge * (1 + 0.7 * (1 - edge) * strands)
    tone = np.maximum(0.85 + 0.26 * strands + 0.10 * scalp.noise(_TUFTS, 2.5, 2), 0.2)
    return _cover(color, grown, share, hair.color * tone[:, None])


def rise_over_hairline(at: Places, hair: Hair) -> Array:
    """How far points are above a person's hairline, in centimetres, roughly: (N,)."""
    x, y, z = at.axes
    front = hair.hairline - 0.035 * np.square(np.minimum(x, 5))
    temple = hair.temples * np.square(np.maximum(1 - np.square((x - 4.2) / 2.4), 0))
    # From the temples down before the ears, then behind the ears to the nape.
    drop = 6.4
    side = drop * blend((4.9 - z) / 3.4)
    back = (landmarks.NAPE - hair.hairline + drop) * blend((-1.6 - z) / 3.5)
    line = front + temple - side + back
    ear = sum(
        np.square((u - c) / (1.1 * r))
        for u, c, r in zip(
            at.axes, landmarks.EAR.tolist(), landmarks.EAR_EXTENT.tolist(), strict=True
        )
    )
    on_ear = blend(2.4 - 2 * np.asarray(ear, np.float32))
    return y - line + 0.30 * at.noise(_LINE, 2.2, 3) - 12 * on_ear


def _follow_strands(scalp: Places, hair: Hair) -> Array:
    """Noise that is fine across the hair and long along it."""
    bent = scalp.points + np.float32(hair.curl) * scalp.noise(_WAVES, 3.0, 2)[:, None]
    x, y, z = bent.T
    right, up, ahead = (x * a + y * b + z * c for a, b, c in (_RIGHT, _UP, _AHEAD))
    # The whorl turns with the way from the crown.
    right, ahead = right - 0.04 * up * ahead, ahead + 0.04 * up * right
    scale = _WIDEST / np.maximum(np.sqrt(right * right + ahead * ahead), 0.3)
    lines = np.stack([right * scale, ahead * scale, 0.14 * up], axis=-1)
    across = scalp._replace(points=lines, spacing=scalp.spacing * scale)
    return across.noise(_STRANDS, 1.0, 5, 0.9)


def _cover(color: Array, where: np.ndarray, share: Array, hair: Array) -> Array:
    color = color.copy()
    color[where] = mix(color[where], share, hair)
    return color
