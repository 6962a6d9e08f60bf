"""A mesh that a person grows or wears, and how it moves and looks."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.head.person.landmarks import Floats
from sf3d_jax.head.skin.noise import Array

Ints = npt.NDArray[np.int64]
# Colours (N, 3) of coordinates (N, D) that are sampled at distances (N,), in centimetres.
Painter = Callable[[Array, Array], Array]


class Part(NamedTuple):
    """A mesh that moves with a person.

    Attributes:
      kind: what it is, one of `KINDS`.
      vertices: (V, 3), at rest, in centimetres.
      faces: (T, 3), oriented outwards.
      metric: (V, 3), where the vertices are when pieces are measured; hair is shortened along its
        strands, so that its pieces are long and thin.
      coordinates: (V, D), what the painter gets, linear on a triangle.
      paint: gives the linear reflectance.
      move: gives the (V, 3) vertices from those of the skin and from the head's turn.
    """

    kind: str
    vertices: Floats
    faces: Ints
    metric: Floats
    coordinates: Floats
    paint: Painter
    move: Callable[[Floats, tuple[float, float, float]], Floats]


KINDS = ("hair", "wisps", "beard", "beard hairs", "lashes", "brows", "glasses", "clothes")

# Loose hairs move as what they grow from, so that a pixel that sees both has one motion: they are
# one surface with it. Brows stand off the skin that slides under them. "skin" is the person's.
SURFACES = ("skin", "hair", "beard", "lashes", "glasses", "clothes")
SURFACE_OF = {"wisps": "hair", "beard hairs": "beard", "brows": "lashes"}


def weave(columns: int, rows: int) -> Ints:
    """Faces of a tube of columns x rows vertices, column by column; rows run from the top down.

    Columns run from the front to the subject's left, so that the outside is away from the axis.
    """
    i, j = np.meshgrid(np.arange(columns), np.arange(rows - 1), indexing="ij")
    a, b = (i * rows + j).ravel(), ((i + 1) % columns * rows + j).ravel()
    return np.concatenate([np.stack([a, a + 1, b], 1), np.stack([b, a + 1, b + 1], 1)])


def drop_vertices(faces: Ints, keep: npt.NDArray[np.bool_], count: int) -> tuple[Ints, Ints]:
    """The faces to keep, with their vertices numbered anew, and the old numbers of these."""
    used = np.unique(faces[keep])
    number = np.zeros(count, np.int64)
    number[used] = np.arange(len(used))
    return number[faces[keep]], used
