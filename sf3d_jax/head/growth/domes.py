"""Surfaces about a centre: a grid of directions, and how far the skin is along each of them.

The grid has its pole above the centre. A direction is bound to the skin of the template near it by
fixed weights, so the same grid fits every person.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.head.person.landmarks import EAR, EAR_EXTENT, SKIN, Floats
from sf3d_jax.head.person.rounding import snap
from sf3d_jax.head.person.template.building import Template

_NEIGHBORS = 10
_CHUNK = 256
_NECK = 6.6  # more than its radius, in centimetres


class Dome(NamedTuple):
    """A grid of directions.

    Attributes:
      center: (3,), in centimetres.
      azimuths: (C,), radians from the front to the subject's left.
      directions: (C, R, 3), unit vectors from the top down, column by column.
      near: (C, R, K), vertices of the skin about each direction.
      weights: (C, R, K), their shares, of sum 1.
    """

    center: Floats
    azimuths: Floats
    directions: Floats
    near: npt.NDArray[np.int64]
    weights: Floats

    def measure_radius(self, vertices: Floats) -> Floats:
        """Distance from the centre to the skin of a person (V, 3): (C, R)."""
        away = vertices[self.near] - self.center
        along = (away * self.directions[:, :, None]).sum(-1)
        return (self.weights * along).sum(-1)

    def average(self, values: Floats) -> Floats:
        """The mean of numbers (V,) of the skin about each direction: (C, R)."""
        return (self.weights * values[self.near]).sum(-1)


def make_dome(
    template: Template,
    center: npt.ArrayLike,
    columns: int,
    rows: int,
    lowest: float,
    *,
    without_jaw: bool = False,
) -> Dome:
    """Makes a grid of directions about a centre.

    Args:
      template: the mesh of all people.
      center: (3,), in centimetres.
      columns: number of azimuths.
      rows: number of directions along an azimuth.
      lowest: angle of the last row from the top, in radians.
      without_jaw: whether what overhangs the neck is left out too.

    Returns:
      The grid, bound to the skin without the ears and without what faces down.
    """
    center = np.asarray(center, float)
    azimuths = snap(2 * np.pi * np.arange(columns) / columns)
    polar = np.linspace(0, lowest, rows + 1)[1:]
    a, p = np.meshgrid(azimuths, polar, indexing="ij")
    directions = np.stack([np.sin(p) * np.sin(a), np.cos(p), np.sin(p) * np.cos(a)], -1)
    chosen = _choose_skin(template)
    if without_jaw:
        x, y, z = template.vertices[chosen].T
        chosen = chosen[(y < -13) | ((y < -6) & (x * x + (z + 3) ** 2 < _NECK**2))]
    away = template.vertices[chosen] - center
    unit = away / np.sqrt((away * away).sum(1, keepdims=True))
    near, weights = _find_near(directions.reshape(-1, 3), unit)
    shape = (columns, rows, _NEIGHBORS)
    return Dome(
        center,
        azimuths,
        snap(directions),
        chosen[near].reshape(shape),
        snap(weights).reshape(shape),
    )


def _choose_skin(template: Template) -> npt.NDArray[np.int64]:
    """Vertices of the skin that belong to no ear and face no floor."""
    x, y, z = template.vertices.T
    q = (np.stack([np.abs(x), y, z], 1) - EAR) / (EAR_EXTENT * [1.1, 1.15, 1.15])
    on_ear = ((q * q).sum(1) < 1) & (np.abs(x) > 6.3)
    a, b, c = (template.vertices[template.faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)[:, 1]
    down = np.bincount(template.faces.ravel(), np.repeat(normal, 3), len(x)) < 0
    is_floor = down & (y < -13)
    return np.flatnonzero((template.vertex_parts == SKIN) & ~on_ear & ~is_floor)


def _find_near(directions: Floats, unit: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """The nearest unit vectors (M, 3) to directions (N, 3), and weights that fall to the last."""
    near, weights = [], []
    for start in range(0, len(directions), _CHUNK):
        some = directions[start : start + _CHUNK]
        cosine = snap(some @ unit.T)
        index = np.argpartition(-cosine, _NEIGHBORS, axis=1)[:, : _NEIGHBORS + 1]
        order = np.lexsort((index, -np.take_along_axis(cosine, index, 1)), axis=1)
        index = np.take_along_axis(index, order, 1)
        square = 2 - 2 * np.take_along_axis(cosine, index, 1)
        share = np.maximum(1 - square / np.maximum(square[:, -1:], 1e-9), 0)[:, :-1] + 1e-3
        near.append(index[:, :-1])
        weights.append(share / share.sum(1, keepdims=True))
    return np.concatenate(near), np.concatenate(weights)
