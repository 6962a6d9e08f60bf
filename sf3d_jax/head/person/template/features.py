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
    brow = [(0.0, 1.75, 8.05, 0.75), (1.5, 1.85, 7.75, 0.85), (3.3, 2.2, 6.85, 0.75)]
    d = blend(d, tube(p, [*brow, (4.6, 1.7, 5.0, 0.65)], 0.8), 1.2)
    rim = [(4.2, 1.7, 5.5, 0.7), (4.4, 0.2, 5.6, 0.75), (4.5, -1.8, 5.4, 0.85)]
    d = blend(d, ellipsoid(p, (4.3, 0.4, 3.7), (1.5, 2.6, 2.3)), 1.6)  # temple
    d = blend(d, tube(p, rim, 0.8), 1.6)
    d = cut(d, ellipsoid(p, np.add(EYE, (0.05, -0.1, 2.5)), (1.9, 0.9, 1.25)), 1.0)
    d = blend(d, ellipsoid(p, np.add(EYE, (0.0, -1.55, 0.0)), (1.8, 0.8, 0.9)), 1.5)
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
    d = blend(d, ellipsoid(p, (0.2, -3.95, 9.98), (0.6, 0.62, 0.66)), 0.4)  # tip
    d = blend(d, ellipsoid(p, (0.65, -4.05, 9.4), (0.5, 0.5, 0.7)), 0.45)
    d = blend(d, ellipsoid(p, (1.18, -4.32, 8.95), (0.48, 0.5, 0.78)), 0.25)  # wings
    d = blend(d, tube(p, [(0, -4.45, 10.0, 0.28), (0, -4.85, 9.2, 0.24)], 0.3), 0.3)
    d = blend(
        d, cone(p, (0, -4.85, 9.2), (0, -4.95, 8.6), 0.24, 0.36), 0.3
    )  # foot of the columella
    nostril = [(0.42, -4.72, 9.7, 0.15), (0.74, -4.82, 9.15, 0.2)]
    d = cut(d, tube(p, nostril, 0.3), 0.14)
    return cut(d, cone(p, (0.62, -4.6, 9.35), (0.5, -4.1, 9.2), 0.2, 0.15), 0.14)


def add_lips(p: Floats, d: Floats) -> Floats:
    """The skin over the lips with its groove, both lips, and the fold above the chin."""
    d = blend(d, ellipsoid(p, (0, -5.6, 7.5), (2.6, 1.4, 1.1)), 1.4)
    d = blend(d, cone(p, (0.36, -5.0, 8.55), (0.55, -6.05, 8.68), 0.25, 0.3), 0.5)
    d = cut(d, cone(p, (0, -5.1, 9.1), (0, -6.05, 9.25), 0.2, 0.26), 0.35)
    upper = [(0.0, -6.52, 8.76, 0.44), (0.6, -6.42, 8.74, 0.46), (1.6, -6.6, 8.14, 0.41)]
    d = blend(d, tube(p, [*upper, (2.45, -6.86, 7.15, 0.3)], 0.3), 0.22)
    d = blend(d, ellipsoid(p, (0, -6.62, 8.88), (0.5, 0.32, 0.4)), 0.3)  # tubercle
    lower = [(0.0, -7.46, 8.56, 0.58), (0.75, -7.42, 8.48, 0.6), (1.65, -7.25, 7.95, 0.47)]
    d = blend(d, tube(p, [*lower, (2.42, -7.0, 7.15, 0.3)], 0.3), 0.28)
    d = blend(d, ellipsoid(p, (2.95, -7.1, 6.3), (0.8, 1.0, 0.8)), 1.0)  # beside the corners
    return cut(d, ellipsoid(p, (0, -8.75, 9.2), (1.8, 0.42, 0.85)), 0.8)
