"""Moving meshes: a folder with a mesh for each frame, or an .npz.

The .npz has the arrays `vertices` [F, V, 3] and `faces` [T, 3]. In a folder, all meshes have the
same faces, and their names differ in one number, whose values have the same distance.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.maps.archives import list_names, open_archive
from sf3d_jax.data.meshes.archives import check_shape, read_numbers, to_indices
from sf3d_jax.data.meshes.formats import READERS
from sf3d_jax.data.meshes.frame_order import order_frames
from sf3d_jax.data.meshes.mesh import find_equal_vertices

_ARRAYS = "vertices", "faces"
# The format that repeats vertices with several texture coordinates or normals.
_REPEATING = ".glb"


class MeshSequence(NamedTuple):
    """A mesh that moves, in F frames.

    Attributes:
      vertices: float64 [F, V, 3], in the axes and the unit of the files.
      faces: int32 [T, 3], vertices of each triangle, the same in all frames.
    """

    vertices: np.ndarray
    faces: np.ndarray


def read_mesh_sequence(path: PathLike) -> MeshSequence:
    """Reads a moving mesh from a folder with a mesh for each frame, or from an .npz.

    Args:
      path: folder of .obj, .ply or .glb files of one kind, all with the same faces, whose names
        differ in one number, which is their order; names without any digits are sorted. Other files
        in it are ignored. Or an .npz with the arrays `vertices` [F, V, 3] and `faces` [T, 3].

    Returns:
      The vertices of all frames, and the faces. Textures and targets are not read.

    Raises:
      FileNotFoundError: there is no such file or folder.
      FormatError: a file cannot be read, its faces differ from those of the first one, its name
        differs from the others in more than a number, a frame is missing between others, or the
        folder has no meshes, or meshes of several kinds.
    """
    return _read_folder(Path(path)) if Path(path).is_dir() else _read_archive(path)


def _read_folder(folder: Path) -> MeshSequence:
    paths = _list_meshes(folder)
    read = READERS[paths[0].suffix.lower()]
    first = read(paths[0], textured=False)
    vertices = np.empty((len(paths), *first.vertices.shape))
    for frame, path in enumerate(paths):
        mesh = first if frame == 0 else read(path, textured=False)
        same = mesh.vertices.shape == first.vertices.shape
        if not same or not np.array_equal(mesh.faces, first.faces):
            expected = f"the {len(first.vertices)} vertices and the faces of {paths[0].name}"
            found = f"{len(mesh.vertices)} vertices and {len(mesh.faces)} faces"
            raise FormatError(path, expected, f"{found} that differ")
        vertices[frame] = mesh.vertices
    if paths[0].suffix.lower() != _REPEATING:
        return MeshSequence(vertices, first.faces)
    kept, numbers = find_equal_vertices(vertices[0], vertices[1:])
    return MeshSequence(vertices[:, kept], numbers[first.faces])


def _list_meshes(folder: Path) -> list[Path]:
    """Lists the meshes of a folder in the order of their frames."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in READERS]
    paths = [path for path in paths if path.is_file() and not path.name.startswith(".")]
    kinds = {path.suffix.lower() for path in paths}
    if len(kinds) != 1:
        found = f"{', '.join(sorted(kinds))}" if kinds else "none"
        raise FormatError(folder, f"meshes of one kind: {', '.join(READERS)}", found)
    return order_frames(folder, paths)


def _read_archive(path: PathLike) -> MeshSequence:
    with open_archive(path) as archive:
        listed = list_names(archive)
        if sorted(listed) != sorted(_ARRAYS):
            expected = f"the arrays {' and '.join(_ARRAYS)} alone"
            raise FormatError(path, expected, ", ".join(listed)[:200] or "none")
        vertices = read_numbers(path, archive, "vertices", axes=3)
        faces = read_numbers(path, archive, "faces", axes=2)
    check_shape(path, "vertices", vertices, (*vertices.shape[:2], 3))
    check_shape(path, "faces", faces, (len(faces), 3))
    return MeshSequence(vertices, to_indices(path, "faces", faces, vertices.shape[1]))
