"""Proportions of the head: moves of the template that change one measured distance each.

The moves that give a person its distances are found by two steps of Newton's method with the
differences of the template; so features may move landmarks too, and the distances still are those
drawn.
"""

import functools
from typing import NamedTuple

import numpy as np

from sf3d_jax.head.person.fields import bump
from sf3d_jax.head.person.landmarks import EYE, LEFT_EYE, RIGHT_EYE, SKIN, Floats, smoothstep
from sf3d_jax.head.person.mouth import MouthWeights
from sf3d_jax.head.person.survey import SURVEY
from sf3d_jax.head.person.template.building import Template
from sf3d_jax.head.person.template.meshing import Ints

_STEPS = 3
# Ends of each distance on the template; one place stands for it and its mirror image.
_ENDS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "head breadth": ((7.3, 3.9, -1.4),),
    "head length": ((0.0, 1.7, 9.0), (0.0, 3.2, -10.3)),
    "bizygomatic breadth": ((7.0, -1.6, 1.6),),
    "bigonial breadth": ((5.7, -6.9, 0.6),),
    "minimum frontal breadth": ((5.2, 2.7, 5.6),),
    "menton-sellion length": ((0.0, 0.4, 8.5), (0.0, -11.4, 7.0)),
    "subnasale-sellion length": ((0.0, 0.4, 8.5), (0.0, -4.85, 8.85)),
    "nose breadth": ((1.72, -4.15, 8.9),),
    "nose protrusion": ((0.0, -4.85, 8.85), (0.0, -3.9, 10.65)),
    "lip length": ((2.5, -6.9, 7.2),),
}


class Proportions(NamedTuple):
    """How the distances are measured and changed.

    Attributes:
      ends: (10, 2), the vertices at the ends of all distances but that of the pupils.
      balls: the vertices of the left and of the right eyeball.
      moves: (11, V, 3), a move of all vertices for each distance.
      inverse: (11, 11), amounts of the moves by changes of the distances.
    """

    ends: Ints
    balls: tuple[Ints, Ints]
    moves: Floats
    inverse: Floats


def find_proportions(template: Template, mouth: MouthWeights) -> Proportions:
    """The moves for the template, whose lips are closed by the mouth's weights."""
    points = template.vertices + mouth.closing
    skin = np.flatnonzero(template.vertex_parts == SKIN)

    def nearest(place: Floats) -> int:
        return int(skin[((points[skin] - place) ** 2).sum(1).argmin()])

    ends = []
    for places in _ENDS.values():
        first = np.array(places[0])
        second = np.array(places[1]) if len(places) == 2 else first * [-1, 1, 1]
        ends.append((nearest(first), nearest(second)))
    balls = tuple(np.flatnonzero(template.vertex_parts == part) for part in (LEFT_EYE, RIGHT_EYE))
    moves = _make_moves(points, mouth.skin)
    whole = Proportions(np.array(ends), (balls[0], balls[1]), moves, np.eye(len(SURVEY)))
    rest = measure(whole, points)
    jacobian = np.stack([measure(whole, points + 0.1 * move) - rest for move in moves], 1) / 0.1
    return whole._replace(inverse=np.linalg.inv(jacobian).astype(np.float64))


def measure(proportions: Proportions, points: Floats) -> Floats:
    """The distances (11,) of vertices (V, 3), in the order of `SURVEY`."""
    first, second = points[proportions.ends.T]
    left, right = (points[ball].mean(0) for ball in proportions.balls)
    return np.sqrt((np.vstack([first - second, left - right]) ** 2).sum(1))


def fit(proportions: Proportions, points: Floats, distances: Floats) -> Floats:
    """Moves (V, 3) after which vertices (V, 3) have the wanted distances (11,)."""
    moves = np.zeros_like(points)
    for _ in range(_STEPS):
        amounts = proportions.inverse @ (distances - measure(proportions, points + moves))
        moves += np.einsum("k,kvc->vc", amounts, proportions.moves)
    return moves


def _make_moves(points: Floats, skin: Floats) -> Floats:
    x, y, z = points.T
    none = np.zeros_like(x)
    above = smoothstep((y + 15.0) / 6.0)
    front = smoothstep(z / 6.0)
    at = functools.partial(bump, points)

    def band(height: float, spread: float) -> Floats:
        return np.exp(-0.5 * ((y - height) / spread) ** 2) * above

    # What is below the nose follows its length; neck and shoulders follow the chin a little.
    nose = smoothstep((0.2 - y) / 5.0) * above
    lower = np.clip((-4.8 - y) / 6.4, 0.0, 1.0) * above
    # The back of the nose rises evenly from its root to its tip.
    bridge = smoothstep((0.6 - y) / 4.2) * smoothstep((y + 5.3) / 0.9)
    bridge = bridge * smoothstep((z - 8.2) / 1.6)
    eyes = at(EYE, (2.2, 2.6, 2.6)) * np.tanh(x)
    moves = (
        (band(5.0, 3.4) * x / 7, none, none),
        (none, none, -smoothstep((2.0 - z) / 9.0) * smoothstep((y + 9.0) / 8.0)),
        (band(-1.6, 2.3) * x / 7, none, none),
        (band(-7.6, 2.6) * (1 - 0.5 * smoothstep((z - 4) / 4)) * x / 6, none, none),
        (band(2.7, 1.6) * front * x / 5, none, none),
        (none, -lower, none),
        (none, -nose, none),
        (skin * at((1.45, -4.15, 8.9), (0.75, 0.9, 1.0)) * np.tanh(2 * x), none, none),
        (none, none, skin * bridge * np.exp(-0.5 * x**2)),
        (at((2.5, -6.9, 7.2), (1.3, 1.2, 1.8)) * x / 2.5, none, none),
        (eyes, none, none),
    )
    return np.stack([np.stack(move, 1) for move in moves])
