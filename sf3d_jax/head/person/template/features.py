"""Eyes, nose and lips of the template, on its bust.

The nose is 5.0 cm long, 3.5 cm wide at its wings and stands 2.0 cm off the lip, the mouth is
4.95 cm wide and the pupils are 6.3 cm apart: means of men and women in Zhuang and Bradtmiller
(2005), see `bust`.
"""

import numpy as np

from sf3d_jax.head.person.landmarks import (
    EYE,
    EYE_RADIUS,
    LID_GAP,
    LID_THICKNESS,
    Floats,
    smoothstep,
)
from sf3d_jax.head.person.template.solids import blend, cone, cut, ellipsoid, join, length, tube


def add_orbit(p: Floats, d: Floats) -> Floats:
    """Brow ridge, socket, lids with a fold over them, and the pad below: distances (N,)."""
    brow = [(0.0, 1.85, 7.95, 0.72), (1.5, 1.95, 7.62, 0.8), (3.3, 2.3, 6.72, 0.72)]
    d = blend(d, tube(p, [*brow, (4.6, 1.7, 5.0, 0.65)], 0.8), 1.2)
    rim = [(4.2, 1.7, 5.5, 0.7), (4.4, 0.2, 5.6, 0.75), (4.5, -1.8, 5.4, 0.85)]
    d = blend(d, ellipsoid(p, (4.3, 0.4, 3.7), (1.5, 2.6, 2.3)), 1.6)  # temple
    d = blend(d, tube(p, rim, 0.8), 1.6)
    d = cut(d, ellipsoid(p, np.add(EYE, (0.05, -0.1, 2.5)), (1.9, 0.9, 1.25)), 1.0)
    d = blend(d, ellipsoid(p, np.add(EYE, (0.0, -1.75, -0.1)), (2.0, 1.15, 1.1)), 1.5)
    # The fold over the upper lid: skin of the brow that hangs over it, lowest at its outer end.
    q = p - EYE
    crease = 0.60 * q[:, 2] - 0.80 * q[:, 1] - 0.05 * q[:, 0] + 0.03
    fold = join(ellipsoid(q, (0.0, 1.1, 0.42), (1.6, 1.25, 1.0)), crease, 0.16)
    d = blend(d, fold, 0.7)
    # The crease is sharp, and the lower lid goes softly into the cheek.
    lids = length(q) - (EYE_RADIUS + LID_GAP + LID_THICKNESS)
    upper = smoothstep(0.5 + q[:, 1] / 0.8)
    return upper * blend(d, lids, 0.12) + (1 - upper) * blend(d, lids, 0.45)


def add_nose(p: Floats, d: Floats) -> Floats:
    """Bridge, tip, wings, columella and nostrils: distances (N,)."""
    side = [(0.2, 0.9, 7.4, 0.6), (0.32, -1.5, 7.9, 0.72), (0.55, -3.7, 8.4, 0.8)]
    d = blend(d, tube(p, side, 0.5), 1.0)
    ridge = [(0, 1.0, 7.95, 0.5), (0, 0.1, 8.02, 0.47), (0, -1.7, 8.82, 0.45), (0, -3.5, 9.8, 0.5)]
    d = blend(d, tube(p, ridge, 0.5), 0.9)
    d = blend(d, ellipsoid(p, (0.2, -3.86, 9.98), (0.6, 0.6, 0.66)), 0.4)  # tip
    d = blend(d, ellipsoid(p, (0.65, -3.95, 9.4), (0.5, 0.48, 0.7)), 0.45)
    d = blend(d, ellipsoid(p, (1.18, -4.18, 8.95), (0.48, 0.48, 0.78)), 0.25)  # wings
    d = blend(d, tube(p, [(0, -4.3, 10.0, 0.28), (0, -4.62, 9.2, 0.24)], 0.3), 0.3)
    d = blend(
        d, cone(p, (0, -4.62, 9.2), (0, -4.72, 8.6), 0.24, 0.36), 0.3
    )  # foot of the columella
    nostril = [(0.42, -4.52, 9.64, 0.17), (0.74, -4.54, 9.15, 0.22)]
    return cut(d, tube(p, nostril, 0.3), 0.16)


def add_lips(p: Floats, d: Floats) -> Floats:
    """The skin over the lips with its groove, both lips, and the fold above the chin."""
    d = blend(d, ellipsoid(p, (0, -5.6, 7.5), (2.6, 1.4, 1.1)), 1.4)
    d = blend(d, cone(p, (0.36, -4.85, 8.55), (0.55, -6.05, 8.68), 0.25, 0.3), 0.5)
    d = cut(d, cone(p, (0, -4.95, 9.1), (0, -6.05, 9.25), 0.2, 0.26), 0.35)
    upper = [(0.0, -6.5, 8.8, 0.46), (0.6, -6.4, 8.78, 0.48), (1.6, -6.57, 8.16, 0.43)]
    d = blend(d, tube(p, [*upper, (2.45, -6.86, 7.15, 0.3)], 0.3), 0.22)
    d = blend(d, ellipsoid(p, (0, -6.62, 8.88), (0.5, 0.32, 0.4)), 0.3)  # tubercle
    lower = [(0.0, -7.48, 8.6, 0.6), (0.75, -7.45, 8.52, 0.62), (1.65, -7.28, 7.98, 0.5)]
    d = blend(d, tube(p, [*lower, (2.42, -7.0, 7.15, 0.3)], 0.3), 0.28)
    d = blend(d, ellipsoid(p, (2.95, -7.1, 6.3), (0.8, 1.0, 0.8)), 1.0)  # beside the corners
    return cut(d, ellipsoid(p, (0, -8.75, 9.2), (1.8, 0.42, 0.85)), 0.8)
