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
    LID_THICKNESS,
    MOUTH_HALF_WIDTH,
    Floats,
    almond,
    mouth_line,
)

# Half the height of the gap between the lips of the template.
LIP_GAP = 0.17

# The cavity of the mouth: an ellipsoid that holds the arches of the teeth.
CAVITY = (0.0, -6.9, 4.0), (2.95, 1.85, 3.6)

# The flesh in the inner corner of the eye: a sphere about a point from the centre of the eye.
_CARUNCLE = (-1.4, -0.05, 0.8), 0.5


def head_distance(points: Floats) -> Floats:
    """Signed distance estimate of points (N, 3) to skin and mouth, negative in the flesh."""
    p = np.concatenate([np.abs(points[:, :1]), points[:, 1:]], 1)
    d = _skull(p)
    d = _orbits(p, d)
    d = _nose(p, d)
    d = _lips(p, d)
    d = _neck(p, d)
    d = _blend(d, _ear(p), 0.5)
    d = _cut(d, _eye_holes(p), 0.12)
    d = _cut(d, _mouth_holes(p), 0.16)
    return _cut(d, points[:, 1] - BOTTOM, 2.5)


def edge_length(points: Floats) -> Floats:
    """Wanted edge length of the mesh at points (N, 3): fine at lids, lips and nostrils."""
    p = np.concatenate([np.abs(points[:, :1]), points[:, 1:]], 1)
    q = p - EYE
    r = _length(q)
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
    nostril = _length(p - [0.55, -4.85, 9.5])
    nose = _length((p - [0, -3.9, 9.3]) / [1.0, 1.2, 1.0])
    ear = _length((p - EAR) / [1.2, 3.1, 2.0])
    face = _length((p - [0, -3, 7]) / [1.1, 1.5, 1.0])
    wanted = 0.45 + 0.12 * np.maximum(face - 5.0, 0)
    wanted = np.minimum(wanted, 0.15 + 0.25 * np.maximum(nostril - 0.5, 0))
    wanted = np.minimum(wanted, 0.22 + 0.25 * np.maximum(nose - 1.3, 0))
    wanted = np.minimum(wanted, np.where(ear < 1.1, 0.23, 1.0))
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


def _skull(p: Floats) -> Floats:
    d = _ellipsoid(p, (0, 3.4, -1.2), (7.3, 8.0, 9.2))  # cranium
    d = _blend(d, _ellipsoid(p, (0, 3.8, 2.9), (6.0, 5.0, 5.4)), 2.0)  # forehead
    d = _blend(d, _ellipsoid(p, (0, -3.0, 1.6), (6.1, 7.0, 6.1)), 2.0)  # middle of the face
    d = _blend(d, _cone(p, (1.0, -9.2, 5.8), (4.3, -6.3, 0.4), 1.9, 1.5), 2.4)  # jaw
    d = _blend(d, _ellipsoid(p, (0, -6.8, 5.3), (3.2, 3.2, 3.1)), 1.6)  # muzzle
    d = _blend(d, _ellipsoid(p, (0, -9.9, 6.9), (1.7, 1.2, 1.45)), 1.4)  # chin
    d = _blend(d, _ellipsoid(p, (4.3, -2.2, 4.8), (2.1, 1.3, 2.0)), 1.6)  # cheekbone
    return _blend(d, _ellipsoid(p, (3.3, -4.6, 5.1), (2.1, 2.4, 2.2)), 2.0)  # cheek


def _orbits(p: Floats, d: Floats) -> Floats:
    d = _blend(d, _cone(p, (0.9, 1.75, 7.75), (4.4, 1.9, 5.9), 0.9, 0.75), 1.1)  # brow ridge
    d = _cut(d, _ellipsoid(p, np.add(EYE, (0.1, 0.3, 2.45)), (2.0, 1.0, 1.3)), 1.2)
    d = _blend(d, _ellipsoid(p, np.add(EYE, (0.0, -1.5, -0.1)), (1.7, 0.9, 0.9)), 1.7)  # below it
    lids = _length(p - EYE) - (EYE_RADIUS + LID_GAP + LID_THICKNESS)
    d = _blend(d, lids, 0.35)
    # The fold over the upper lid: a larger sphere above a plane through the axis of the eyes.
    q = p - EYE
    fold = _join(_length(q) - 1.66, 0.62 * q[:, 2] - 0.79 * q[:, 1], 0.2)
    return _blend(d, fold, 0.15)


def _nose(p: Floats, d: Floats) -> Floats:
    d = _blend(d, _cone(p, (0, 0.2, 7.3), (0, -3.9, 8.4), 0.7, 1.1), 1.1)  # base
    d = _blend(d, _cone(p, (0, 1.1, 7.85), (0, -3.5, 9.8), 0.45, 0.66), 0.9)  # bridge
    d = _blend(d, _ellipsoid(p, (0, -3.95, 9.95), (0.88, 0.78, 0.82)), 0.45)  # tip
    d = _blend(d, _ellipsoid(p, (1.05, -4.3, 9.05), (0.62, 0.6, 0.9)), 0.4)  # wings
    d = _blend(d, _cone(p, (0, -4.5, 9.8), (0, -5.0, 8.9), 0.3, 0.4), 0.3)  # septum
    d = _cut(d, _ellipsoid(p, (0.55, -4.9, 9.4), (0.27, 0.45, 0.55)), 0.2)  # nostrils
    return _cut(d, _cone(p, (0, -5.2, 9.45), (0, -6.0, 9.3), 0.16, 0.22), 0.35)  # philtrum


def _lips(p: Floats, d: Floats) -> Floats:
    d = _blend(d, _cone(p, (0, -6.42, 8.5), (0.7, -6.36, 8.45), 0.47, 0.47), 0.4)
    d = _blend(d, _cone(p, (0.7, -6.36, 8.45), (1.65, -6.58, 8.0), 0.47, 0.4), 0.35)
    d = _blend(d, _cone(p, (1.65, -6.58, 8.0), (2.5, -6.88, 7.2), 0.4, 0.28), 0.35)
    d = _blend(d, _cone(p, (0, -7.5, 8.36), (1.0, -7.42, 8.2), 0.6, 0.58), 0.4)
    d = _blend(d, _cone(p, (1.0, -7.42, 8.2), (1.7, -7.25, 7.9), 0.58, 0.46), 0.35)
    d = _blend(d, _cone(p, (1.7, -7.25, 7.9), (2.45, -7.0, 7.2), 0.46, 0.28), 0.35)
    return _cut(d, _ellipsoid(p, (0, -8.7, 9.15), (1.8, 0.45, 0.7)), 0.7)  # fold above the chin


def _neck(p: Floats, d: Floats) -> Floats:
    d = _blend(d, _ellipsoid(p, (0, -22.0, -3.5), (18.0, 8.5, 6.6)), 3.5)  # shoulders
    d = _blend(d, _cone(p, (0, -6, -2.2), (0, -20, -3.5), 4.9, 5.7), 1.6)
    d = _blend(
        d, _cone(p, (5.2, -5.5, -3.0), (1.3, -15.4, 2.2), 0.9, 0.7), 1.6
    )  # muscle to the breastbone
    return _cut(d, _ellipsoid(p, (0, -14.8, 3.9), (2.2, 3.0, 1.7)), 1.5)  # pit of the throat


def _ear(p: Floats) -> Floats:
    q = p - [6.95, -1.2, -0.7]
    # Ears stand off the head towards the back, and lean back.
    q = np.stack([q[:, 0] + 0.42 * q[:, 2], q[:, 1] + 0.22 * q[:, 2], q[:, 2]], 1)
    d = _ellipsoid(q, (0.3, 0, 0), (0.6, 2.8, 1.6))
    d = _cut(d, _ellipsoid(q, (0.85, 0.35, 0.25), (0.6, 1.75, 0.95)), 0.3)  # shell
    d = _blend(d, _cone(q, (0.35, 1.2, -0.3), (0.4, -0.9, -0.35), 0.26, 0.24), 0.35)  # inner fold
    return _blend(d, _ellipsoid(q, (0.45, -0.2, 1.05), (0.35, 0.6, 0.4)), 0.3)  # tragus


def _eye_holes(p: Floats) -> Floats:
    """A gap about the eyeball, and the cone of directions between the lids."""
    q = p - EYE
    r = _length(q)
    x, y = (q / np.maximum(r, 1e-9)[:, None])[:, :2].T
    fissure = np.maximum(almond(x, y, *FISSURE) * r, 0.2 - q[:, 2])
    # The inner corner holds a little flesh.
    fissure = _cut(fissure, _length(q - _CARUNCLE[0]) - _CARUNCLE[1], 0.1)
    return _blend(r - (EYE_RADIUS + LID_GAP), np.maximum(fissure, r - 1.95), 0.06)


def _mouth_holes(p: Floats) -> Floats:
    height = p[:, 1] - mouth_line(p[:, 0])
    across = np.stack([p[:, 0], height, np.zeros_like(height)], 1)
    ellipse = _ellipsoid(across, (0, 0, 0), (MOUTH_HALF_WIDTH, LIP_GAP, 1))
    # Deep inside so flat an ellipse, the estimate along its long axis is far too large.
    slit = np.maximum(np.maximum(ellipse, -LIP_GAP), 4.5 - p[:, 2])
    return np.minimum(cavity_distance(p), slit)


def _ellipsoid(p: Floats, center: object, radii: object) -> Floats:
    """Distance to an ellipsoid: k0 (k0 - 1) / k1 with k0 = |q / r|, k1 = |q / r^2|."""
    scaled = (p - np.asarray(center)) / np.asarray(radii)
    k0, k1 = _length(scaled), _length(scaled / np.asarray(radii))
    return k0 * (k0 - 1) / np.maximum(k1, 1e-9)


def _cone(p: Floats, start: object, end: object, first: float, last: float) -> Floats:
    """Distance to spheres whose radius goes from `first` to `last` along a segment."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    along = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    away = p - a - along[:, None] * (b - a)
    return _length(away) - (first + along * (last - first))


def _length(p: Floats) -> Floats:
    # NumPy's sum over so short an axis takes several times as long.
    return np.sqrt(np.einsum("ij,ij->i", p, p))


def _blend(a: Floats, b: Floats, width: float) -> Floats:
    """Union of two solids, rounded over `width` (quadratic smooth minimum)."""
    overlap = np.maximum(width - np.abs(a - b), 0) / width
    return np.minimum(a, b) - overlap * overlap * width / 4


def _join(a: Floats, b: Floats, width: float) -> Floats:
    """What two solids have in common, rounded over `width`."""
    return -_blend(-a, -b, width)


def _cut(a: Floats, b: Floats, width: float) -> Floats:
    """Solid a without solid b, rounded over `width`."""
    return -_blend(-a, b, width)
