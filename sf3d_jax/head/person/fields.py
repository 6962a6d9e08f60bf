"""Smooth weights and displacements over the template, in centimetres."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.head.person.landmarks import Floats, smoothstep
from sf3d_jax.head.person.rounding import snap

# Displacements below this, a fiftieth of a millimetre, are left out of a field.
_NEGLIGIBLE = 2e-3

# Half the width over which a field of one side fades across the middle of the face.
_MIDDLE = 0.7


class Field(NamedTuple):
    """A displacement of some vertices.

    Attributes:
      indices: (N,) int32, the vertices that move.
      moves: (N, 3) float32, by how much, in centimetres.
    """

    indices: npt.NDArray[np.int32]
    moves: npt.NDArray[np.float32]


def bump(points: Floats, center: npt.ArrayLike, radii: npt.ArrayLike) -> Floats:
    """exp(-|q|^2 / 2) with q = (|x|, y, z) - center over radii: (N,), the same on both sides."""
    q = (mirror(points) - np.asarray(center)) / np.asarray(radii)
    return np.exp(-0.5 * (q * q).sum(1))


def mirror(points: Floats) -> Floats:
    """Points with |x| in place of x."""
    return np.concatenate([np.abs(points[:, :1]), points[:, 1:]], axis=1)


def side_weight(x: Floats, side: int) -> Floats:
    """1 on the left (side = 1) or the right (-1), fading to 0 across the middle; 1 for side = 0.

    The weights of both sides add up to 1.
    """
    return smoothstep(0.5 + side * x / (2 * _MIDDLE)) if side else np.ones_like(x)


def outward(x: Floats) -> Floats:
    """The sign of x, smooth across the middle of the face."""
    return np.tanh(2 * x)


def pack(moves: Floats) -> Field:
    """The field of moves (V, 3) that are not negligible."""
    indices = np.flatnonzero(np.abs(moves).max(1) > _NEGLIGIBLE)
    return Field(indices.astype(np.int32), snap(moves[indices]).astype(np.float32))
