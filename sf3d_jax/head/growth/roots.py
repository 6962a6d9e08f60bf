"""Points that move with the triangles of the skin that they grow from.

A point has fixed coordinates in the frame of a triangle v0 v1 v2: its middle, the unit vector along
v1 - v0, the normal, and what is orthogonal to both. It is bound on the template, so it fits every
person and every expression.
"""

from typing import NamedTuple

import numpy as np

from sf3d_jax.head.growth.part import Ints
from sf3d_jax.head.person.landmarks import SKIN, Floats
from sf3d_jax.head.person.rounding import snap
from sf3d_jax.head.person.template.building import Template

_CHUNK = 128


class Roots(NamedTuple):
    """Points bound to triangles.

    Attributes:
      triangles: (N, 3), the vertices of the triangle of each point.
      places: (N, 3), coordinates in its frame.
    """

    triangles: Ints
    places: Floats

    def place(self, skin: Floats) -> Floats:
        """The points (N, 3) for the vertices of the skin (V, 3)."""
        middle, axes = _find_frames(skin, self.triangles)
        return middle + sum(self.places[:, k, None] * axes[k] for k in range(3))


def bind(template: Template, points: Floats, near: Ints) -> Roots:
    """Binds points (N, 3) near the template to its triangles `near` (N,)."""
    triangles = template.faces[near].astype(np.int64)
    middle, axes = _find_frames(template.vertices, triangles)
    away = points - middle
    return Roots(triangles, snap(np.stack([(away * axis).sum(1) for axis in axes], 1)))


def find_triangles(template: Template, points: Floats, chosen: Ints) -> Ints:
    """The triangle among the chosen ones whose middle is nearest to each point (N, 3): (N,)."""
    middles = template.vertices[template.faces[chosen]].mean(1)
    found = []
    for start in range(0, len(points), _CHUNK):
        away = points[start : start + _CHUNK, None] - middles
        found.append(chosen[snap((away * away).sum(-1)).argmin(1)])
    return np.concatenate(found)


def list_skin(template: Template) -> Ints:
    """The triangles of the skin: (M,)."""
    return np.flatnonzero((template.vertex_parts[template.faces] == SKIN).all(1))


def find_plane(template: Template, triangles: Ints) -> tuple[Floats, Floats]:
    """Middles and unit normals (N, 3) of triangles of the template."""
    middle, axes = _find_frames(template.vertices, template.faces[triangles].astype(np.int64))
    return middle, axes[1]


def _find_frames(vertices: Floats, triangles: Ints) -> tuple[Floats, tuple[Floats, ...]]:
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    first = normalize(b - a)
    normal = normalize(np.cross(b - a, c - a))
    return (a + b + c) / 3, (first, normal, np.cross(normal, first))


def normalize(x: Floats) -> Floats:
    """Vectors (N, 3) of length 1; 0 where they are 0."""
    return x / np.maximum(np.sqrt((x * x).sum(1, keepdims=True)), 1e-12)
