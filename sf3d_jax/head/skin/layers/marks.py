"""Marks of the skin: freckles, moles, spots of age, pimples and scars."""

import numpy as np

from sf3d_jax.head.skin.layers.places import Array, Places
from sf3d_jax.head.skin.noise import blend, draw_spots, hash_cells
from sf3d_jax.head.skin.traits import Complexion

_FRECKLES, _MOLES, _STAINS, _PIMPLES, _SCAR, _RAGGED = 3, 4, 64, 65, 66, 67
# Where scars are: (|x|, y) of the middle and the direction along it.
_SCARS = (
    ((2.0, 4.0), (0.8, 0.6)),
    ((4.6, -3.4), (0.6, -0.8)),
    ((1.2, -9.6), (0.96, 0.28)),
    ((4.4, 2.1), (0.28, 0.96)),
)


def find_marks(at: Places, skin: Complexion) -> Array:
    """Melanin of freckles, moles and spots of age, (N,), to be added to that of the skin."""
    melanin = np.zeros(len(at.points), np.float32)
    sunny = at.bump([2.2, -2.4, 8.0], [5.0, 4.6, 6.0])
    if skin.freckles:
        spots = np.zeros_like(melanin)
        for i, cell in enumerate((0.26, 0.42, 0.7)):
            spots += draw_spots(
                at.points,
                cell,
                at.key(_FRECKLES) + i,
                at.spacing,
                share=skin.freckles,
                radius=0.32 * cell,
            )
        melanin += 0.42 * spots * np.minimum(sunny + 0.12, 1)
    if skin.stains:
        # Ragged, so that they are not discs.
        bent = at.points + np.float32(0.12) * at.noise(_RAGGED, 0.5, 2)[:, None]
        high = np.maximum(sunny, at.bump([4.5, 2.5, 5.5], [3.5, 3.5, 5.0]))
        for i, cell in enumerate((0.8, 1.5)):
            spots = draw_spots(
                bent,
                cell,
                at.key(_STAINS) + i,
                at.spacing,
                share=skin.stains,
                radius=0.30 * cell,
            )
            melanin += (0.16 + 0.06 * skin.melanin) * blend(1.6 * spots) * high
    moles = draw_spots(at.points, 1.3, at.key(_MOLES), at.spacing, share=skin.moles, radius=0.15)
    return melanin + 1.1 * moles


def find_pimples(at: Places, skin: Complexion) -> Array:
    """Red spots on forehead, cheeks and chin, (N,), 0 to 1."""
    if not skin.pimples:
        return np.zeros(len(at.points), np.float32)
    where = at.bump([0, 4, 8], [4, 2, 4]) + at.bump([4, -4.5, 6], [2.4, 3.4, 4])
    where += at.bump([0, -9.6, 8], [2, 1.6, 3])
    spots = draw_spots(
        at.points, 0.9, at.key(_PIMPLES), at.spacing, share=skin.pimples, radius=0.17
    )
    return np.minimum(where, 1) * spots


def find_scar(at: Places, skin: Complexion) -> Array:
    """A scar, 0 to 1, (N,): one thin line on one side, of those who have one."""
    share = np.zeros(len(at.points), np.float32)
    if not skin.scar:
        return share
    one = np.ones(1, np.uint32)
    bits = int(hash_cells(one, one, one, at.key(_SCAR))[0])
    (x, y), (dx, dy) = _SCARS[bits % len(_SCARS)]
    side = 1 if bits >> 8 & 1 else -1
    px, py, pz = side * at.points[:, 0] - x, at.points[:, 1] - y, at.points[:, 2]
    along, across = px * dx + py * dy, py * dx - px * dy
    near = (np.abs(along) < 1.2) & (np.abs(across) < 0.6) & (pz > 2)
    if near.any():
        here = at.choose(near)
        bent = across[near] + 0.08 * here.noise(_SCAR, 0.9, 2)
        wide = np.maximum(np.float32(0.09), 2 * here.spacing)
        line = 0.09 / wide * np.maximum(1 - np.square(bent / wide), 0)
        share[near] = skin.scar * line * blend((0.9 - np.abs(along[near])) / 0.4)
    return share
