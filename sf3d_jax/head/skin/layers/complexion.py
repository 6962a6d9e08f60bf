"""Skin: pigments that vary over the face at every scale, lips and make-up."""

import numpy as np

from sf3d_jax.head.person import landmarks
from sf3d_jax.head.skin.layers.folds import find_depth
from sf3d_jax.head.skin.layers.marks import find_marks, find_pimples, find_scar
from sf3d_jax.head.skin.layers.places import Array, Places
from sf3d_jax.head.skin.layers.relief import DEPTHS, find_pores
from sf3d_jax.head.skin.noise import blend
from sf3d_jax.head.skin.pigments import color_skin
from sf3d_jax.head.skin.traits import Complexion

_MELANIN_NOISE, _BLOOD_NOISE, _LIP_LINES, _LIP_NOISE = 0, 1, 5, 6
# Light that a fold of full depth keeps away, per centimetre of it; blood shows in what is left.
SHADE = np.array([2.4, 3.1, 3.3], np.float32)


def paint_skin(at: Places, skin: Complexion, lips: Array, redness: float) -> Array:
    """Paints bare skin: the person's melanin and blood, more or less by region and by noise.

    Args:
      at: where it is.
      skin: the person's.
      lips: (N,), 1 on the red of the lips, from `find_lips`.
      redness: blood in the lips beyond that of the skin.

    Returns:
      (N, 3) linear reflectance.
    """
    scar = find_scar(at, skin) * (1 - lips)
    bare = 1 - lips
    melanin = _vary_melanin(at, skin, bare) + find_marks(at, skin) * bare
    blood = skin.blood * (1 + skin.mottling * 0.32 * at.noise(_BLOOD_NOISE, 4.0, 7, 0.9))
    blood += _flush(at) * (0.03 + 0.16 * skin.flush) + 0.45 * find_pimples(at, skin) * bare
    blood += lips * (1 + 0.14 * _line_lips(at, lips)) * redness
    melanin += lips * (0.16 - 0.25 * skin.melanin)
    melanin, blood = melanin * (1 - 0.35 * scar), blood * (1 - 0.3 * scar)
    color = color_skin(melanin, blood, skin.carotene * bare)
    return color * (1 - _fold(at, skin)) * _shade(at)[:, None]


def find_lips(at: Places) -> Array:
    """The red of the lips: 1 on it, 0 beside it, a soft edge."""
    x, y, z = at.axes
    lips = np.zeros(len(x), np.float32)
    near = (np.abs(y - landmarks.MOUTH_HEIGHT) < 2) & (x < 4) & (z > 4)
    if not near.any():
        return lips
    here, x, y = at.choose(near), x[near], y[near]
    side = np.clip(x / landmarks.MOUTH_HALF_WIDTH, 0, 1.5)
    line = landmarks.mouth_line(x.astype(np.float64)).astype(np.float32)
    # The upper lip's edge is a bow with a dip in the middle; the lower lip is fuller and shorter.
    dip = 0.16 * np.square(np.maximum(1 - np.square(side / 0.22), 0))
    upper = landmarks.UPPER_LIP * np.maximum(1 - side**2, 0) * (1 - 0.25 * side) - dip
    lower = landmarks.LOWER_LIP * np.maximum(1 - np.square(side * 1.02), 0)
    out = np.where(y > line, y - line - upper, line - y - lower)
    out += 0.012 * here.noise(_LIP_NOISE, 0.6, 2)
    beyond = (side - 1) * landmarks.MOUTH_HALF_WIDTH
    lips[near] = here.soften(np.maximum(out, beyond) + 0.03, 0.2)
    return lips


def _vary_melanin(at: Places, skin: Complexion, bare: Array) -> Array:
    """Melanin by region, uneven, with pores."""
    _, y, z = at.axes
    around = at.bump(landmarks.EYE + np.array([0.0, -0.35, 0.5]), [2.3, 1.5, 2.2])
    below = at.bump(landmarks.EYE + np.array([-0.5, -1.4, 1.0]), [1.7, 0.9, 1.8])
    brow = blend((z - 3) / 3) * blend((y - 1) / 4) * 0.19
    # Equal changes are equally visible on pale and on dark skin, but pale skin is more even. All
    # octaves have as much of it: the power of an image falls with the square of its frequency.
    uneven = at.noise(_MELANIN_NOISE, 4.0, 7, 0.95)
    uneven *= (0.026 + 0.024 * skin.melanin) * (0.5 + 0.5 * skin.mottling)
    pores = (0.05 + 0.05 * skin.melanin) * find_pores(at, skin)
    region = 0.10 * around + 0.16 * skin.bags * below + brow - 0.06 * blend((-10 - y) / 4)
    return skin.melanin * (1 + region) + (uneven + pores) * bare


def _flush(at: Places) -> Array:
    """Where blood shows: cheeks, nose, chin, ears, the rims of the eyes."""
    cheek, nose = landmarks.CHEEKBONE - [0.7, 1.1, -0.5], landmarks.NOSE_TIP
    red = 0.9 * at.bump(cheek, [3.0, 2.8, 3.5]) + 0.9 * at.bump(nose, [1.7, 1.7, 2.4])
    red += 0.5 * at.bump(landmarks.CHIN, [1.9, 1.6, 2.0])
    red += 0.9 * at.bump(
        landmarks.EAR + np.array([0.6, 0, 0]), landmarks.EAR_EXTENT * [1.3, 1.2, 1.3]
    )
    rim = at.bump(landmarks.EYE + np.array([0, -0.1, 0.9]), [1.9, 1.1, 1.4])
    return red + 0.8 * rim


def _line_lips(at: Places, lips: Array) -> Array:
    """The fine lines across the lips."""
    lines = np.zeros(len(lips), np.float32)
    red = lips > 0
    if red.any():
        here = at.choose(red)
        across = here._replace(points=here.points * np.array([1, 0.12, 0.12], np.float32))
        lines[red] = across.noise(_LIP_LINES, 0.22, 2, 0.8)
    return lines


def _fold(at: Places, skin: Complexion) -> Array:
    """The light that folds at rest keep away, (N, 3), as a share."""
    depth = np.zeros(len(at.points), np.float32)
    for kind, (deep, young) in DEPTHS.items():
        amount = deep * (young + (1 - young) * skin.wrinkles)
        if amount:
            depth += np.float32(amount) * find_depth(at, kind)
    return np.minimum(depth[:, None] * SHADE, np.float32(0.6))


def _shade(at: Places) -> Array:
    """What no light reaches is dark: nostrils and the ears' canals."""
    nostril = at.bump(landmarks.NOSTRIL, [0.62, 0.62, 0.95])
    canal = at.bump(landmarks.EAR + np.array([-0.3, 0.1, 0.2]), [0.7, 0.8, 0.8])
    return 1 - 0.8 * blend(nostril * 2.2) - 0.5 * blend(canal * 2)
