"""The outer ear of the template: rim, inner fold, hollow, tragus and lobe.

It is 6.2 cm long and 3.5 cm wide, about the size at the age of 20; `contours` makes it grow.
"""

import numpy as np

from sf3d_jax.head.person.landmarks import EAR, Floats
from sf3d_jax.head.person.template.solids import blend, cut, ellipsoid, tube

# In the plane of the ear: outwards, up and forward from its middle.
_RIM = [
    *((0.0, 0.1, 0.75, 0.3), (0.0, 1.2, 1.2, 0.32), (0.06, 2.15, 0.9, 0.33)),
    *((0.16, 2.62, 0.05, 0.34), (0.24, 2.25, -0.85, 0.34), (0.26, 1.4, -1.3, 0.33)),
    *((0.22, 0.3, -1.4, 0.32), (0.16, -0.8, -1.2, 0.31), (0.1, -1.7, -0.85, 0.3)),
    *((0.05, -2.4, -0.5, 0.3),),
]
_FOLD = [
    *((0.12, -1.3, -0.15, 0.24), (0.24, -0.65, -0.6, 0.28), (0.3, 0.35, -0.66, 0.3)),
    *((0.26, 1.1, -0.45, 0.28), (0.14, 1.7, 0.05, 0.26)),
]


def ear_distance(p: Floats) -> Floats:
    """Distance estimate of points (N, 3) with x >= 0 to the ear."""
    q = p - EAR
    # Ears stand off the head towards the back, and lean back.
    q = np.stack([q[:, 0] + 0.45 * q[:, 2] + 0.15, q[:, 1], q[:, 2] + 0.2 * q[:, 1]], 1)
    d = ellipsoid(q, (-0.12, 0.25, -0.1), (0.42, 2.6, 1.45))
    d = blend(d, ellipsoid(q, (0.0, -2.3, -0.05), (0.34, 0.85, 0.7)), 0.6)  # lobe
    d = blend(d, ellipsoid(q, (-0.6, 0.0, 0.3), (0.65, 1.7, 0.9)), 0.5)  # its root
    d = blend(d, tube(q, _RIM, 0.3), 0.3)
    d = blend(d, tube(q, _FOLD, 0.3), 0.3)
    d = cut(d, ellipsoid(q, (0.5, -0.3, 0.2), (0.62, 0.85, 0.62)), 0.3)  # hollow
    d = cut(d, ellipsoid(q, (0.45, 1.05, 0.5), (0.45, 0.5, 0.4)), 0.3)
    d = blend(d, ellipsoid(q, (0.1, -0.55, 1.0), (0.34, 0.5, 0.36)), 0.25)  # tragus
    return blend(d, ellipsoid(q, (0.12, -1.45, 0.15), (0.3, 0.32, 0.42)), 0.3)  # before the fold
