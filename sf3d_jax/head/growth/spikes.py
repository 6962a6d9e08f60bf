"""Single hairs and wisps: thin cones along bent lines, open at the root."""

import numpy as np

from sf3d_jax.head.growth.part import Ints
from sf3d_jax.head.person.landmarks import Floats

_SIDES = 3


def make_spikes(
    roots: Floats, ahead: Floats, bend: Floats, length: Floats, width: Floats, rings: int = 2
) -> tuple[Floats, Ints, Floats]:
    """Makes cones along parabolas.

    Args:
      roots: (N, 3).
      ahead: (N, 3), unit directions at the roots.
      bend: (N, 3), by how much the tips leave these directions, as a share of the length.
      length: (N,), of the hairs.
      width: (N,), at their roots; they end in points.
      rings: number of triangles of vertices before the point, R.

    Returns:
      Vertices ((3 R + 1) N, 3), faces ((6 R - 3) N, 3) oriented outwards, and the place of each
      vertex from its root, 0, to its tip, 1.
    """
    helper = np.where(np.abs(ahead[:, :1]) < 0.8, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    first = np.cross(ahead, helper)
    first /= np.sqrt((first * first).sum(1, keepdims=True))
    second = np.cross(ahead, first)
    rows, places = [], []
    for ring in range(rings):
        t = ring / rings
        middle = _follow(roots, ahead, bend, length, t)
        for angle in 2 * np.pi / _SIDES * np.arange(_SIDES):
            off = np.cos(angle) * first + np.sin(angle) * second
            rows.append(middle + 0.5 * (1 - t * t) * width[:, None] * off)
            places.append(t)
    rows.append(_follow(roots, ahead, bend, length, 1.0))
    places.append(1.0)
    vertices = np.stack(rows, 1)
    faces = _list_faces(rings)[None] + vertices.shape[1] * np.arange(len(roots))[:, None, None]
    return vertices.reshape(-1, 3), faces.reshape(-1, 3), np.tile(places, len(roots))


def _follow(roots: Floats, ahead: Floats, bend: Floats, length: Floats, t: float) -> Floats:
    return roots + length[:, None] * (t * ahead + t * t * bend)


def _list_faces(rings: int) -> Ints:
    faces = []
    for ring in range(rings):
        for k in range(_SIDES):
            a, b = _SIDES * ring + k, _SIDES * ring + (k + 1) % _SIDES
            if ring + 1 < rings:
                faces += [(a, b, a + _SIDES), (b, b + _SIDES, a + _SIDES)]
            else:
                faces.append((a, b, _SIDES * rings))
    return np.array(faces)
