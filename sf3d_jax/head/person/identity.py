"""Persons: random displacements of the template, in centimetres.

Proportions are warps of the whole head, so teeth and tongue stay where they belong; features are
bumps of the skin; `contours` adds what age, sex and weight do, and `proportions` brings the
distances between landmarks to those drawn from a survey. About each eye the displacement is one
translation, so that the lids keep their distance from the ball, and lids differ by rotations about
its centre.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sf3d_jax.head.person.contours import shape_contours, shape_lids
from sf3d_jax.head.person.fields import bump, outward
from sf3d_jax.head.person.landmarks import EYE, LEFT_EYE, RIGHT_EYE, Floats, smoothstep
from sf3d_jax.head.person.mouth import MouthWeights
from sf3d_jax.head.person.profile import draw_profile
from sf3d_jax.head.person.proportions import Proportions, fit
from sf3d_jax.head.person.rounding import snap
from sf3d_jax.head.person.survey import draw_distances
from sf3d_jax.head.person.template.building import Template


class Identity(NamedTuple):
    """A person at rest, with open mouth and lids.

    Attributes:
      vertices: (V, 3), in centimetres.
      openness: how much of the template's fissure is open at rest.
      slant: radians by which the outer corners of the lids are raised.
    """

    vertices: Floats
    openness: float
    slant: float


# Warps of all parts: (height, its spread, front only, standard deviations in x by x, y, z); x is
# scaled, y and z are shifted.
_WARPS = (
    (6.0, 3.5, False, (0.015, 0.0, 0.0)),
    (-2.0, 2.5, False, (0.015, 0.0, 0.0)),
    (-8.5, 3.0, False, (0.015, 0.0, 0.0)),
    (7.0, 4.5, True, (0.0, 0.0, 0.34)),
    (-3.0, 4.5, True, (0.0, 0.0, 0.5)),
    (-4.0, 2.8, True, (0.0, 0.2, 0.2)),
    (-7.0, 2.4, True, (0.0, 0.26, 0.42)),
    (-10.5, 3.5, True, (0.0, 0.0, 0.62)),
    (2.0, 1.8, False, (0.01, 0.0, 0.0)),
    (-5.5, 2.4, False, (0.045, 0.0, 0.0)),
    (1.6, 2.6, True, (0.0, 0.34, 0.3)),
    (-1.5, 2.6, True, (0.0, 0.18, 0.2)),
    (-4.6, 1.6, True, (0.0, 0.12, 0.0)),
    (-8.8, 1.7, True, (0.0, 0.16, 0.16)),
)
# Bumps of the skin: (centre, radii, standard deviations of the move outwards, up, forward).
_BUMPS = (
    ((0, -3.9, 9.9), (1.0, 0.9, 1.2), (0, 0.16, 0.1)),  # tip of the nose
    ((0, -1.8, 9.2), (0.8, 1.2, 1.2), (0, 0, 0.17)),  # its back: hooked or hollow
    ((0, 0.4, 8.4), (0.9, 1.0, 1.2), (0, 0, 0.17)),  # its root
    ((1.1, -4.2, 9.1), (0.8, 0.9, 1.2), (0.04, 0.1, 0.06)),  # its wings
    ((0.7, -1.5, 8.6), (0.6, 1.8, 1.2), (0.09, 0, 0)),  # width of its back
    ((0.5, -3.9, 10.0), (0.5, 0.6, 0.7), (0.07, 0.04, 0)),  # width of its tip
    ((4.6, -2.4, 5.2), (1.9, 1.6, 2.2), (0.2, 0.15, 0.18)),  # cheekbones
    ((3.6, -5.2, 5.8), (1.9, 2.0, 2.0), (0.36, 0.1, 0.2)),  # cheeks
    ((4.7, -7.0, 1.6), (2.4, 2.6, 3.2), (0.08, 0.22, 0)),  # corners of the jaw
    ((0, -10.3, 7.3), (1.8, 1.5, 1.9), (0, 0.1, 0.28)),  # chin
    ((1.6, -10.2, 6.8), (1.2, 1.4, 1.6), (0.2, 0, 0)),  # width of the chin
    ((0, -10.2, 8.6), (0.4, 0.7, 0.8), (0, 0, 0.06)),  # its cleft
    ((0, -12.0, 4.6), (2.4, 1.6, 2.4), (0, 0.25, 0.15)),  # under the chin
    ((2.2, 1.9, 8.0), (2.2, 0.8, 1.4), (0, 0.15, 0.15)),  # brows
    ((0, 2.4, 8.9), (1.4, 1.2, 1.6), (0, 0, 0.12)),  # between the brows
    ((5.6, 2.2, 4.6), (1.6, 2.4, 2.4), (0.1, 0, 0)),  # temples
    ((0, -6.2, 8.9), (2.0, 0.6, 1.1), (0, 0.08, 0.13)),  # upper lip
    ((0, -7.6, 8.8), (1.7, 0.6, 1.1), (0, 0.08, 0.14)),  # lower lip
    ((0, -5.6, 9.0), (1.3, 0.7, 1.2), (0, 0, 0.1)),  # above the upper lip
    ((7.6, -1.0, -0.9), (1.0, 2.6, 1.8), (0.3, 0.2, -0.15)),  # ears
    ((7.3, -3.6, -0.7), (0.9, 1.0, 1.2), (0.08, 0.18, 0)),  # lobes
    ((5.6, -12, -2), (3.0, 3.5, 4.0), (0.25, 0, 0)),  # neck
    ((0, -14, 2.9), (1.1, 1.3, 1.4), (0, 0.3, 0.12)),  # larynx
)
_LENGTHS = (0.01, 0.03)  # of the face below, and of the head above the eyes
_SCALES = (0.01, 0.0, 0.03)  # of width and depth
_ROUNDNESS = 0.7
_EYE_MOVES = (0.0, 0.12, 0.07)
_MOUTH_WIDTH = 0.05
_ASYMMETRY = 0.15  # of a bump's move, in its own standard deviations
_SWAY = (0.06, 0.05)  # sideways waves over height and depth
_OPENNESS = (0.80, 1.0)
# Women's eyes are open wider than men's, and those of the young wider than those of the old.
_OPENNESS_BY_SEX, _OPENNESS_BY_AGE = 0.04, 0.0016
# The outer corners are a little higher than the inner ones.
_SLANT, _SLANTED = 0.045, 0.05
# Rigid within the first distance from the centre of an eye, free beyond the second.
_EYE_SOCKET = 1.65, 4.2


def make_identity(
    template: Template, mouth: MouthWeights, proportions: Proportions, seed: int
) -> Identity:
    """The person of a seed, from the numbers of its own stream and its profile."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    profile = draw_profile(seed)

    def draw(deviation: float) -> float:
        # A uniform distribution spreads people further apart than a normal one of the same
        # deviation.
        return deviation * rng.uniform(-np.sqrt(3), np.sqrt(3))

    # Moves are taken where the lips are closed, so that both edges of the slit move alike.
    points = template.vertices + mouth.closing
    features = _draw_features(points, draw) + shape_contours(points, profile)
    moves = _warp(points, draw) + mouth.skin[:, None] * features
    moves += fit(proportions, points + moves, draw_distances(seed, profile))
    moved = _hold_eyes(template, template.vertices + moves, moves, draw)
    centers = np.stack(
        [moved[template.vertex_parts == part].mean(0) for part in (LEFT_EYE, RIGHT_EYE)]
    )
    moved += mouth.skin[:, None] * shape_lids(template.vertices, centers, profile)
    openness = rng.uniform(*_OPENNESS)
    openness -= _OPENNESS_BY_SEX * profile.masculinity + _OPENNESS_BY_AGE * (profile.age - 49)
    return Identity(snap(moved), float(openness), draw(_SLANT) + _SLANTED)


Draw = Callable[[float], float]


def _warp(points: Floats, draw: Draw) -> Floats:
    """Moves of all parts: proportions of the head."""
    x, y, z = points.T
    front = smoothstep(z / 6.0)
    above_neck = smoothstep((y + 15.0) / 6.0)
    moves = np.zeros_like(points)
    for height, spread, is_frontal, (wide, up, ahead) in _WARPS:
        weight = np.exp(-0.5 * ((y - height) / spread) ** 2) * above_neck
        weight = weight * front if is_frontal else weight
        moves += weight[:, None] * np.stack(
            [draw(wide) * x, np.full_like(x, draw(up)), np.full_like(x, draw(ahead))], 1
        )
    moves[:, 1] += draw(_LENGTHS[0]) * np.minimum(y, 0) + draw(_LENGTHS[1]) * np.maximum(y, 0)
    moves[:, 0] += above_neck * draw(_SCALES[0]) * x
    moves[:, 2] += above_neck * draw(_SCALES[2]) * z
    # Faces are flat or rounded from side to side.
    moves[:, 2] += draw(_ROUNDNESS) * (0.5 - x * x / 25) * front * np.exp(-x * x / 40) * above_neck
    # Nobody is symmetric.
    moves[:, 0] += draw(_SWAY[0]) * np.sin(0.35 * y + draw(2.0)) * above_neck
    moves[:, 0] += draw(_SWAY[1]) * np.sin(0.4 * z + draw(2.0)) * above_neck
    return moves


def _draw_features(points: Floats, draw: Draw) -> Floats:
    """Moves of the skin: features of the face."""
    x = points[:, 0]
    moves = np.zeros_like(points)
    out = outward(x)
    for center, radii, (wide, up, ahead) in _BUMPS:
        weight = bump(points, center, radii) * (1 + draw(_ASYMMETRY) * out)
        moves += weight[:, None] * np.stack(
            [draw(wide) * out, np.full_like(x, draw(up)), np.full_like(x, draw(ahead))], 1
        )
    corners = bump(points, (2.3, -6.9, 7.4), (1.2, 1.2, 1.6))
    moves[:, 0] += draw(_MOUTH_WIDTH) * x * corners
    return moves


def _hold_eyes(template: Template, moved: Floats, moves: Floats, draw: Draw) -> Floats:
    """Makes the moves rigid about both eyes."""
    eye_moves = np.array([draw(deviation) for deviation in _EYE_MOVES])
    points, part = template.vertices, template.vertex_parts
    for side, ball in ((1, LEFT_EYE), (-1, RIGHT_EYE)):
        center = EYE * [side, 1, 1]
        away = np.linalg.norm(points - center, axis=1)
        inner, outer = _EYE_SOCKET
        weight = smoothstep((outer - away) / (outer - inner))
        weight[part == ball] = 1.0
        # What happens to the ball, had it been a point, happens to its surroundings.
        move = moves[part == ball].mean(0) + eye_moves * [side, 1, 1]
        moved = moved + weight[:, None] * (points + move - moved)
    return moved
