"""The template: one mesh, of which every person and every expression is a displacement."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.head.person import landmarks
from sf3d_jax.head.person.landmarks import (
    LEFT_EYE,
    LOWER_TEETH,
    MOUTH,
    RIGHT_EYE,
    SKIN,
    TONGUE,
    UPPER_TEETH,
    Floats,
)
from sf3d_jax.head.person.rounding import snap
from sf3d_jax.head.person.template import meshing, parts, shape

# The lowest corner of the octree, and a corner beyond the head; the smallest of the four sizes of
# cell.
_BOUNDS = np.array([[-22.88, -20.24, -14.08], [22.88, 14.2, 14.2]])
_FINEST, _LEVELS = 0.11, 4


class Template(NamedTuple):
    """The mesh of all people.

    Attributes:
      vertices: (V, 3) float64, in centimetres; mouth and lids are open.
      faces: (T, 3) int32, oriented outwards.
      vertex_parts: (V,) int32, the index into `landmarks.PARTS`.
    """

    vertices: Floats
    faces: npt.NDArray[np.int32]
    vertex_parts: npt.NDArray[np.int32]


def make_template() -> Template:
    """Makes the template's mesh and its parts."""
    vertices, quads = meshing.mesh_surface(
        shape.head_distance, shape.edge_length, _BOUNDS, _FINEST, _LEVELS
    )
    vertices = meshing.project(shape.head_distance, vertices, 3, 0.08)
    vertices = meshing.relax(shape.head_distance, vertices, quads, 8, 0.08)
    vertices = meshing.project(shape.head_distance, vertices, 2, 0.05)
    is_inside = _is_in_mouth(vertices)
    pieces = [
        (vertices, meshing.split_quads(vertices, quads), np.where(is_inside, MOUTH, SKIN)),
        _of_part(parts.make_teeth(True), UPPER_TEETH),
        _of_part(parts.make_teeth(False), LOWER_TEETH),
        _of_part(parts.make_eyeball(1), LEFT_EYE),
        _of_part(parts.make_eyeball(-1), RIGHT_EYE),
        _of_part(parts.make_tongue(), TONGUE),
    ]
    starts = np.cumsum([0] + [len(piece[0]) for piece in pieces])
    return Template(
        snap(np.concatenate([piece[0] for piece in pieces])),
        np.concatenate(
            [f + start for (_, f, _), start in zip(pieces, starts[:-1], strict=True)]
        ).astype(np.int32),
        np.concatenate([piece[2] for piece in pieces]).astype(np.int32),
    )


def _is_in_mouth(vertices: Floats) -> npt.NDArray[np.bool_]:
    """Whether vertices line the cavity, or the slit behind the red of the lips."""
    depth = shape.cavity_distance(vertices)
    height = np.abs(vertices[:, 1] - landmarks.mouth_line(vertices[:, 0]))
    return (depth < 0.1) | ((depth < 0.4) & (height < 1.2 * shape.LIP_GAP))


def _of_part(
    mesh: tuple[Floats, meshing.Ints], part: int
) -> tuple[Floats, meshing.Ints, meshing.Ints]:
    return (*mesh, np.full(len(mesh[0]), part))
