"""The template: one mesh, of which every person and every expression is a displacement.

It is made once, in a few seconds, and kept in the user's cache under a hash of the modules that make it.
"""

import functools
import hashlib
import os
import pathlib
import tempfile
import zipfile
from typing import NamedTuple

import numpy as np

from sf3d_jax.head.person import landmarks, meshing, parts, shape
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

# The lowest corner of the octree, and a corner beyond the head; the smallest of the four sizes of cell.
_BOUNDS = np.array([[-17.6, -17.6, -14.08], [17.6, 14.2, 14.2]])
_FINEST, _LEVELS = 0.11, 4


class Template(NamedTuple):
    """The mesh of all people.

    Attributes:
      vertices: (V, 3) float64, in centimetres; mouth and lids are open.
      faces: (T, 3) int32.
      vertex_parts: (V,) int32, the index into `landmarks.PARTS`.
    """

    vertices: Floats
    faces: np.ndarray[tuple[int, int], np.dtype[np.int32]]
    vertex_parts: np.ndarray[tuple[int], np.dtype[np.int32]]


@functools.cache
def load_template() -> Template:
    """The template, from the user's cache if it is there, else made and kept there.

    A file that cannot be read is made again, and a cache that cannot be written is done without.
    """
    path = _cache_folder() / f"head_{_source_hash()}.npz"
    template = _read(path)
    if template is None:
        template = make_template()
        _write(path, template)
    for array in template:
        array.setflags(write=False)
    return template


def make_template() -> Template:
    """Makes the template's mesh and its parts."""
    vertices, quads = meshing.mesh_surface(
        shape.head_distance, shape.edge_length, _BOUNDS, _FINEST, _LEVELS
    )
    vertices = meshing.project(shape.head_distance, vertices, 3, 0.08)
    vertices = meshing.relax(shape.head_distance, vertices, quads, 4, 0.08)
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
        np.concatenate([piece[0] for piece in pieces]),
        np.concatenate([f + start for (_, f, _), start in zip(pieces, starts)]).astype(np.int32),
        np.concatenate([piece[2] for piece in pieces]).astype(np.int32),
    )


def _is_in_mouth(vertices: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether vertices of the skin's mesh line the cavity, or the slit behind the red of the lips."""
    depth = shape.cavity_distance(vertices)
    height = np.abs(vertices[:, 1] - landmarks.mouth_line(vertices[:, 0]))
    return (depth < 0.1) | ((depth < 0.4) & (height < 1.2 * shape.LIP_GAP))


def _of_part(
    mesh: tuple[Floats, meshing.Ints], part: int
) -> tuple[Floats, meshing.Ints, meshing.Ints]:
    return (*mesh, np.full(len(mesh[0]), part))


def _cache_folder() -> pathlib.Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return pathlib.Path(root if root else pathlib.Path.home() / ".cache") / "sf3d_jax"


def _source_hash() -> str:
    """Hash of what the template depends on: the modules that make it, and NumPy's version."""
    digest = hashlib.sha256(np.__version__.encode())
    for module in (landmarks, shape, meshing, parts):
        digest.update(pathlib.Path(str(module.__file__)).read_bytes())
    digest.update(pathlib.Path(__file__).read_bytes())
    return digest.hexdigest()[:16]


def _read(path: pathlib.Path) -> Template | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            template = Template(*(arrays[name] for name in Template._fields))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return template if _is_whole(template) else None


def _is_whole(template: Template) -> bool:
    vertices, faces, vertex_parts = template
    return (
        vertices.dtype == np.float64
        and faces.dtype == vertex_parts.dtype == np.int32
        and vertices.ndim == faces.ndim == 2
        and vertices.shape[1] == faces.shape[1] == 3
        and vertex_parts.shape == vertices.shape[:1]
        and len(faces) > 0
        and faces.min() >= 0
        and faces.max() < len(vertices)
    )


def _write(path: pathlib.Path, template: Template) -> None:
    """Writes under another name and renames, so that nobody reads half a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **template._asdict())
        os.replace(name, path)
    except OSError:
        pathlib.Path(name).unlink(missing_ok=True)
