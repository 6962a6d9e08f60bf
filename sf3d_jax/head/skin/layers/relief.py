"""Height of the skin over the smooth mesh, for the shading of what is too fine for the mesh."""

import numpy as np

from sf3d_jax.head.skin.layers.folds import find_depth
from sf3d_jax.head.skin.layers.places import Array, Places
from sf3d_jax.head.skin.noise import blend, draw_spots
from sf3d_jax.head.skin.traits import Complexion

_GRAIN, _PORES = 70, 71
# How deep the folds at rest are when `wrinkles` is 1, in centimetres; and when it is 0, as a share.
DEPTHS = {
    "forehead": (0.045, 0.06),
    "frown": (0.05, 0.05),
    "crow": (0.03, 0.0),
    "lid": (0.02, 0.12),
    "trough": (0.05, 0.15),
    "cheek": (0.075, 0.14),
    "mouth": (0.06, 0.05),
    "nose": (0.0, 0.0),
    "lips": (0.018, 0.0),
    "chin": (0.012, 0.1),
    "neck": (0.05, 0.15),
}
_GRAIN_HEIGHT, _PORE_DEPTH = 0.0018, 0.006


def find_height(at: Places, skin: Complexion) -> Array:
    """Height of the skin at rest, (N,), centimetres: minus folds and pores, plus grain."""
    rough = 1 - 0.5 * at.bump([0, 0, 0], [4, 30, 30])
    height = _GRAIN_HEIGHT * (0.6 + 0.8 * skin.wrinkles) * rough * at.noise(_GRAIN, 0.5, 4, 0.55)
    height -= _PORE_DEPTH * find_pores(at, skin)
    for kind, (deep, young) in DEPTHS.items():
        amount = deep * (young + (1 - young) * skin.wrinkles)
        if amount:
            height -= np.float32(amount) * find_depth(at, kind)
    return height


def find_pores(at: Places, skin: Complexion) -> Array:
    """Pores, (N,), 0 to 1: dense and wide on the nose and beside it, few elsewhere."""
    place = at.bump([1.6, -3.3, 8.4], [2.6, 2.6, 3.6]) + 0.25 * at.bump([0, 4, 7], [4, 2.5, 5])
    place = np.minimum(0.15 + place, 1) * np.float32(0.25 + 0.75 * skin.pores)
    front = blend(at.points[:, 2] / 4)
    spots = draw_spots(at.points, 0.13, at.key(_PORES), at.spacing, share=0.7, radius=0.045)
    return spots * place * front
