"""What age, sex and weight do to the skin of a head: bumps and furrows, in centimetres.

Ears lengthen by 0.17 mm a year (0.178 in men, 0.162 in women: Meijerman, van der Lugt and Maat,
Cross-sectional anthropometric study of the external ear, J. Forensic Sci. 52(2), 2007). What sags
and hollows follows the descriptions in Mendelson and Wong, Changes in the facial skeleton with
aging, Aesthetic Plast. Surg. 36(4), 2012: temples and cheeks hollow, cheeks and jowls sink to a
nasolabial and a marionette furrow, the tip of the nose falls, brows sink, lips thin.
"""

import numpy as np

from sf3d_jax.head.person.fields import bump, mirror, outward
from sf3d_jax.head.person.landmarks import EYE, Floats, smoothstep
from sf3d_jax.head.person.profile import Profile

# Millimetres of the ear's length by year, from the age of the template's ear, 20.
_EAR_GROWTH = 0.17
# Ages between which a face changes.
_YOUNG, _OLD = 28.0, 82.0

Bump = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
# Centre, radii and move (outwards, up, forward) at masculinity 1; the opposite at -1.
_MASCULINE: tuple[Bump, ...] = (
    ((2.2, 2.0, 8.0), (2.2, 0.9, 1.5), (0.05, -0.12, 0.26)),  # brow ridge
    ((0, 1.9, 8.8), (1.2, 0.9, 1.5), (0, 0, 0.1)),
    ((0, 6.0, 7.8), (3.5, 1.8, 2.5), (0, 0, -0.14)),  # forehead
    ((1.6, -10.2, 7.0), (1.1, 1.2, 1.6), (0.18, -0.05, 0.08)),  # chin
    ((3.6, -9.2, 4.0), (1.6, 1.4, 2.6), (0.14, -0.08, 0)),  # jaw line
    ((3.9, -3.4, 6.2), (1.7, 1.6, 1.8), (-0.04, 0, -0.16)),  # cheeks
    ((0, -6.2, 9.0), (1.8, 0.6, 1.1), (0, -0.08, -0.13)),  # lips
    ((0, -7.7, 8.9), (1.6, 0.6, 1.1), (0, 0.08, -0.13)),
    ((0, -1.8, 9.2), (0.9, 1.4, 1.3), (0, 0, 0.09)),  # back of the nose
    ((0.7, -1.6, 8.4), (0.7, 1.8, 1.2), (0.08, 0, 0)),
    ((0, -13.9, 2.9), (1.0, 1.1, 1.3), (0, 0, 0.35)),  # larynx
    ((5.6, -12.5, -2.5), (2.6, 3.6, 4.5), (0.45, 0, 0)),  # neck
    ((0, -12.5, -8.0), (4.0, 4.0, 2.5), (0, 0, -0.45)),
    ((8.5, -15.5, -5.0), (4.5, 2.5, 4.0), (0.2, 0.5, 0)),  # slope of the shoulders
)
# At fullness 1; the opposite at -1.
_FULL: tuple[Bump, ...] = (
    ((3.9, -5.8, 5.2), (1.9, 1.9, 2.4), (0.5, -0.1, 0.28)),  # cheeks
    ((4.9, -7.0, 2.4), (2.4, 2.6, 3.0), (0.34, -0.15, 0)),  # jaw line
    ((3.4, -9.4, 4.6), (1.6, 1.3, 2.2), (0.3, -0.25, 0.1)),
    ((0, -11.6, 3.8), (3.4, 1.3, 2.8), (0, -0.75, 0)),  # under the chin
    ((5.4, 2.0, 4.6), (1.4, 2.2, 2.2), (0.18, 0, 0)),  # temples
    ((1.6, -4.3, 8.9), (0.7, 0.8, 1.0), (0.07, 0, 0.03)),  # wings
    ((5.6, -12.5, -2.5), (2.8, 3.6, 4.5), (0.6, 0, 0.1)),  # neck
    ((0, -13.5, 1.8), (2.4, 2.4, 2.6), (0, 0, 0.35)),
    ((0, -10.3, 7.8), (1.6, 1.2, 1.4), (0.05, -0.05, 0.08)),  # chin
)
# A double chin, at fullness 1: it grows with the square of what is over 0.
_HEAVY: tuple[Bump, ...] = (
    ((0, -12.0, 4.6), (2.9, 0.9, 1.7), (0, -0.75, 0.75)),
    ((0, -11.3, 6.3), (2.2, 0.45, 0.8), (0, 0.3, -0.2)),
)
# Of an old face.
_OLD_BUMPS: tuple[Bump, ...] = (
    ((5.5, 2.0, 4.6), (1.3, 2.0, 2.0), (-0.3, 0, -0.05)),  # temples
    ((4.0, -5.2, 5.2), (1.3, 1.3, 1.8), (-0.22, 0, -0.12)),  # hollow of the cheeks
    ((3.0, -5.4, 7.0), (0.9, 1.2, 1.2), (0.1, -0.35, 0.16)),  # sunken cheeks
    ((3.1, -9.0, 5.4), (0.9, 0.9, 1.3), (0.25, -0.42, 0.08)),  # jowls
    ((2.1, -10.2, 6.6), (0.6, 0.7, 0.9), (-0.1, 0.12, -0.1)),  # notch before them
    ((3.4, 2.2, 7.4), (1.6, 0.9, 1.5), (0, -0.28, -0.02)),  # brows
    ((0, -4.2, 10.2), (1.0, 1.0, 1.1), (0, -0.28, 0.05)),  # tip of the nose
    ((0, -6.3, 9.0), (1.9, 0.5, 1.0), (0, -0.02, -0.16)),  # lips
    ((0, -7.6, 8.9), (1.7, 0.5, 1.0), (0, 0.02, -0.16)),
    ((2.6, -7.2, 7.3), (0.8, 0.8, 1.2), (0, -0.14, -0.06)),  # corners of the mouth
    ((0, -11.9, 3.8), (2.0, 1.0, 2.2), (0, -0.45, 0.1)),  # under the chin
    ((1.3, -13.5, 2.6), (0.45, 2.4, 1.2), (0, 0, 0.22)),  # bands of the neck
)
# Furrows of an old face: their ends, their half width, their depth, and the height of their bank.
_FURROWS = (
    ((1.75, -4.3, 8.7), (2.85, -6.7, 7.2), 0.3, 0.17, 0.13),  # from the nose to the mouth
    ((2.75, -7.4, 7.2), (2.5, -9.0, 7.0), 0.28, 0.12, 0.07),  # from the mouth to the chin
)


def shape_contours(points: Floats, profile: Profile) -> Floats:
    """Moves (V, 3) of the skin at points (V, 3) of the template that a profile gives."""
    age = _age_share(profile)
    heavy = max(profile.fullness, 0.0) ** 2
    moves = _add_bumps(points, _MASCULINE, profile.masculinity)
    moves += _add_bumps(points, _FULL, profile.fullness)
    moves += _add_bumps(points, _HEAVY, 1.6 * heavy)
    moves += _add_bumps(points, _OLD_BUMPS, age)
    for start, end, width, depth, bank in _FURROWS:
        moves += (
            age * (1 + 0.4 * profile.fullness) * _furrow(points, start, end, width, depth, bank)
        )
    # An ear grows most in its lobe.
    growth = _EAR_GROWTH / 10 * max(profile.age - 20, 0)
    moves[:, 1] -= growth * bump(points, (7.3, -4.2, -0.4), (1.2, 1.8, 1.6))
    return moves


def shape_lids(points: Floats, centers: Floats, profile: Profile) -> Floats:
    """Moves (V, 3) of the outer skin of the lids, away from the eyeballs: bags and heavy folds."""
    age = _age_share(profile)
    moves = np.zeros_like(points)
    for side, center in zip((1, -1), centers, strict=True):
        q = points - EYE * [side, 1, 1]
        away = np.sqrt((q * q).sum(1))
        free = smoothstep((away - 1.45) / 0.12) * smoothstep((3.0 - away) / 1.0)
        bag = bump(q, (0.1, -1.35, 0.9), (0.95, 0.36, 0.9))
        bag -= 0.6 * bump(q, (-0.3, -2.15, 0.7), (0.9, 0.35, 0.9))
        fold = bump(q * [side, 1, 1], (0.7, 1.1, 0.9), (0.9, 0.4, 0.8))
        out = free * (age * (0.17 * bag + 0.12 * fold) + 0.05 * profile.fullness * fold)
        moves += (
            out[:, None]
            * (points - center)
            / np.maximum(away, 0.1)[:, None]
            * (away < 3.0)[:, None]
        )
    return moves


def _age_share(profile: Profile) -> float:
    return float(smoothstep(np.asarray((profile.age - _YOUNG) / (_OLD - _YOUNG))))


def _add_bumps(points: Floats, bumps: tuple[Bump, ...], amount: float) -> Floats:
    out = outward(points[:, 0])
    moves = np.zeros_like(points)
    for center, radii, (wide, up, ahead) in bumps:
        weight = amount * bump(points, center, radii)
        moves[:, 0] += wide * weight * out
        moves[:, 1] += up * weight
        moves[:, 2] += ahead * weight
    return moves


def _furrow(
    points: Floats,
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    width: float,
    depth: float,
    bank: float,
) -> Floats:
    """A groove along a segment, with a bank at its outer side; moves go forward and outwards."""
    a, b = np.array(start), np.array(end)
    axis = b - a
    p = mirror(points)
    along = np.clip((p - a) @ axis / (axis @ axis), 0, 1)
    away = p - a - along[:, None] * axis
    # The side is that of x, across the segment as seen from the front.
    across = (away[:, 0] * -axis[1] + away[:, 1] * axis[0]) / np.hypot(axis[0], axis[1])
    square = (away * away).sum(1)
    fade = 0.3 + 0.7 * smoothstep(4 * along * (1 - along) + 0.2)
    groove = np.exp(-0.5 * square / width**2)
    outer = square - across**2 + (across - 2.0 * width) ** 2
    rise = np.exp(-0.5 * outer / (1.3 * width) ** 2)
    amount = fade * (bank * rise - depth * groove)
    return amount[:, None] * np.stack(
        [0.35 * outward(points[:, 0]), np.zeros(len(p)), np.ones(len(p))], 1
    )
