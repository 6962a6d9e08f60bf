"""The template as an implicit function: a smooth union of ellipsoids and cones, minus holes.

All lengths are centimetres, see `landmarks`. Distances are estimates that are exact near the
surface only. Only x >= 0 is modelled; the other half is its mirror image.
"""

import numpy as np

from sf3d_jax.head.person.landmarks import (
    BOTTOM,
    EAR,
    EYE,
    EYE_RADIUS,
    FISSURE,
    LID_GAP,
    MOUTH_HALF_WIDTH,
    MOUTH_HEIGHT,
    Floats,
    almond,
    mouth_line,
)
from sf3d_jax.head.person.template.bust import bust_distance
from sf3d_jax.head.person.template.ear import ear_distance
from sf3d_jax.head.person.template.features import add_lips, add_nose, add_orbit
from sf3d_jax.head.person.template.solids import blend, cut, ellipsoid, length, near

# Half the height of the gap between the lips of the template.
LIP_GAP = 0.17

# The cavity of the mouth: an ellipsoid that holds the arches of the teeth.
CAVITY = (0.0, -6.9, 4.0), (3.1, 1.85, 3.6)

# The flesh in the inner corner of the eye: a sphere about a point from the centre of the eye.
_CARUNCLE = (-1.4, -0.05, 0.8), 0.5


def head_distance(points: Floats) -> Floats:
    """Signed distance estimate of points (N, 3) to skin and mouth, negative in the flesh."""
    p = np.concatenate([np.abs(points[:, :1]), points[:, 1:]], 1)
    d = bust_distance(p)
    d = near(p, d, EYE, 6.0, add_orbit)
    d = near(p, d, (0, -3.0, 8.6), 6.0, add_nose)
    d = near(p, d, (0, MOUTH_HEIGHT, 7.5), 6.0, add_lips)
    d = near(p, d, EAR, 4.5, lambda q, e: blend(e, ear_distance(q), 0.4))
    d = near(p, d, EYE, 4.0, lambda q, e: cut(e, _eye_holes(q), 0.12))
    d = cut(d, _mouth_holes(p), 0.16)
    return cut(d, points[:, 1] - BOTTOM, 1.0)


def edge_length(points: Floats) -> Floats:
    """Wanted edge length of the mesh at points (N, 3): fine at lids, lips and nostrils."""
    p = np.concatenate([np.abs(points[:, :1]), points[:, 1:]], 1)
    q = p - EYE
    r = length(q)
    front = q[:, 2] > 0.1
    x, y = (q / np.maximum(r, 1e-9)[:, None])[:, :2].T
    margin = np.abs(almond(x, y, *FISSURE)) * EYE_RADIUS
    lids = np.where(front & (r < 1.9), 0.11 + 0.35 * np.maximum(margin - 0.28, 0), 0.44)
    slit = np.hypot(
        np.maximum(p[:, 0] - MOUTH_HALF_WIDTH, 0),
        np.maximum(np.abs(p[:, 1] - mouth_line(p[:, 0])) - LIP_GAP, 0),
    )
    lips = np.where(p[:, 2] > 6.0, 0.11 + 0.35 * np.maximum(slit - 0.25, 0), 0.44)
    lips = np.where(slit < 3.0, lips, 0.5)
    nostril = length(p - [0.55, -4.65, 9.5])
    nose = length((p - [0, -3.8, 9.3]) / [1.0, 1.2, 1.0])
    ear = length((p - EAR) / [1.2, 3.1, 2.0])
    face = length((p - [0, -3, 7]) / [1.1, 1.5, 1.0])
    wanted = 0.45 + 0.25 * np.maximum(face - 5.0, 0)
    wanted = np.minimum(wanted, 0.15 + 0.25 * np.maximum(nostril - 0.5, 0))
    wanted = np.minimum(wanted, 0.22 + 0.25 * np.maximum(nose - 1.3, 0))
    wanted = np.minimum(wanted, np.where(ear < 1.2, 0.23, 1.0))
    wanted = np.minimum(
        wanted, np.where(r < 2.6, np.minimum(lids, 0.23 + 0.2 * np.maximum(r - 1.9, 0)), 1.0)
    )
    return np.minimum(wanted, np.where(slit < 3.0, lips, 1.0))


def cavity_distance(points: Floats) -> Floats:
    """Distance estimate of points (N, 3) to the wall of the cavity, negative in the cavity."""
    center, radii = CAVITY
    x, y, z = ((points - center) / radii).T
    # A power of four makes roof and floor flat, so that the arches have room.
    norm = ((x * x + z * z) ** 2 + y**4) ** 0.25
    return (norm - 1) * radii[1]


def slit_half_height(x: Floats) -> Floats:
    """Half the height of the gap between the template's lips at x (N,): an ellipse."""
    return LIP_GAP * np.sqrt(np.maximum(1 - (x / MOUTH_HALF_WIDTH) ** 2, 0))


def _eye_holes(p: Floats) -> Floats:
    """A gap about the eyeball, and the cone of directions between the lids."""
    q = p - EYE
    r = length(q)
    x, y = (q / np.maximum(r, 1e-9)[:, None])[:, :2].T
    fissure = np.maximum(almond(x, y, *FISSURE) * r, 0.2 - q[:, 2])
    # The inner corner holds a little flesh.
    fissure = cut(fissure, length(q - _CARUNCLE[0]) - _CARUNCLE[1], 0.1)
    return blend(r - (EYE_RADIUS + LID_GAP), np.maximum(fissure, r - 1.95), 0.06)


def _mouth_holes(p: Floats) -> Floats:
    height = p[:, 1] - mouth_line(p[:, 0])
    across = np.stack([p[:, 0], height, np.zeros_like(height)], 1)
    ellipse = ellipsoid(across, (0, 0, 0), (MOUTH_HALF_WIDTH, LIP_GAP, 1))
    # Deep inside so flat an ellipse, the estimate along its long axis is far too large.
    slit = np.maximum(np.maximum(ellipse, -LIP_GAP), 4.5 - p[:, 2])
    return np.minimum(cavity_distance(p), slit)
