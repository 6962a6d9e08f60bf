"""Meshes in .ply files.

The element `vertex` has x, y and z, and perhaps texture coordinates: s and t, u and v, or texture_u
and texture_v. The element `face` has the list `vertex_indices` or `vertex_index` and perhaps the
list `texcoord`, as in MeshLab: u and v of each corner. The comment `TextureFile` names the image,
and `texnumber` of a face which of several, or -1 for none. Coordinates count from the bottom left.
Old scans have strips instead: the list `vertex_indices` of `tristrips`, in which -1 ends a strip.
"""

from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, write_bytes
from sf3d_jax.data._files.ply import Header, Lists, parse_header, read_lists
from sf3d_jax.data.meshes.mesh import Mesh, check_read, cut_into_fans, cut_strips, refuse_parts
from sf3d_jax.data.meshes.textures import Paint, join_textures, read_texture_beside

_POSITION = ("x", "y", "z")
_COORDINATES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))
_CORNERS = ("vertex_indices", "vertex_index")
_CORNER_UV = "texcoord"
_NUMBER = "texnumber"
_NO_IMAGE = -1
_IMAGE = "texturefile"
_STRIPS = "tristrips"
_HELD = {"targets": ".glb", "texture": ".glb or .obj", "groups": ".glb or .obj"}


def read(path: PathLike, *, textured: bool = True) -> Mesh:
    """Reads a .ply file; `textured` says whether to read its images."""
    data = Path(path).read_bytes()
    header = parse_header(path, data)
    columns = _read_element(path, data, header, "vertex", "vertices")
    if lacking := [name for name in _POSITION if not _is_column(columns, name)]:
        raise FormatError(path, "vertices with x, y and z", f"no property {lacking[0]}")
    vertices = _join_columns(columns, _POSITION)
    if header.find("face") is None and header.find(_STRIPS) is not None:
        strips = _find_corners(path, _read_element(path, data, header, _STRIPS, "strips"))
        ends = np.cumsum(strips.lengths)
        separated = np.insert(strips.values.astype(np.float64), ends, -1)
        return check_read(path, Mesh(vertices, cut_strips(separated)))
    faces = _read_element(path, data, header, "face", "faces")
    corners = _find_corners(path, faces)
    places, polygons = cut_into_fans(path, corners.lengths)
    uv, corner_uv = _find_coordinates(path, columns, faces, corners)
    paints = _read_paints(path, header) if textured and uv is not None else [Paint()]
    materials = _find_materials(path, faces, paints)[polygons]
    joined = join_textures(path, uv, corner_uv[places], materials, paints)
    return check_read(path, Mesh(vertices, corners.values[places], *joined))


def _read_element(
    path: PathLike, data: bytes, header: Header, name: str, plural: str
) -> dict[str, Lists]:
    element = header.find(name)
    if element is None:
        expected = f"one element `{name}`, as a mesh has"
        raise FormatError(path, expected, header.list_names())
    return read_lists(path, data, header, element, plural)


def _is_column(lists: dict[str, Lists], name: str) -> bool:
    """Whether a property is there, with one number per row."""
    return name in lists and bool((lists[name].lengths == 1).all())


def _join_columns(lists: dict[str, Lists], names: tuple[str, ...]) -> np.ndarray:
    return np.stack([lists[name].values.astype(np.float64) for name in names], axis=-1)


def _find_corners(path: PathLike, lists: dict[str, Lists]) -> Lists:
    for name in _CORNERS:
        if name in lists:
            return lists[name]
    raise FormatError(path, f"the list {' or '.join(_CORNERS)}", ", ".join(lists)[:200] or "none")


def _find_coordinates(
    path: PathLike, columns: dict[str, Lists], faces: dict[str, Lists], corners: Lists
) -> tuple[np.ndarray | None, np.ndarray]:
    """Finds texture coordinates [U, 2] or None, and those of each corner, -1 for none."""
    for names in _COORDINATES:
        if _CORNER_UV not in faces and all(_is_column(columns, name) for name in names):
            return _join_columns(columns, names), corners.values
    corner_uv = np.full(len(corners.values), -1)
    if _CORNER_UV not in faces:
        return None, corner_uv
    lengths, numbers = faces[_CORNER_UV]
    has_some = lengths > 0  # a face without an image may have an empty list
    if not (lengths[has_some] == 2 * corners.lengths[has_some]).all():
        raise FormatError(path, f"u and v of each corner in {_CORNER_UV}", "lists of other lengths")
    pairs = np.ascontiguousarray(numbers, np.float64).view(np.complex128)
    found, place = np.unique(pairs, return_inverse=True)
    corner_uv[np.repeat(has_some, corners.lengths)] = place
    return found.view(np.float64).reshape(-1, 2), corner_uv


def _read_paints(path: PathLike, header: Header) -> list[Paint]:
    """Reads the images, and white at the end for faces without one."""
    comments = [comment.split(maxsplit=1) for comment in header.comments]
    names = [x[1].strip() for x in comments if len(x) == 2 and x[0].lower() == _IMAGE]
    return [*(Paint(read_texture_beside(path, name)) for name in names), Paint()]


def _find_materials(path: PathLike, faces: dict[str, Lists], paints: list[Paint]) -> np.ndarray:
    """Finds the image of each face; the last one is that of faces without an image."""
    count = len(next(iter(faces.values())).lengths)
    images = len(paints) - 1
    if not images or not _is_column(faces, _NUMBER):
        return np.zeros(count, np.int64)
    numbers = faces[_NUMBER].values.astype(np.int64)
    if images == 1:  # whose number is not always 0
        numbers = np.minimum(numbers, 0)
    if not (_NO_IMAGE <= numbers.min() <= numbers.max() < images):
        found = f"{numbers.min()} to {numbers.max()}"
        raise FormatError(path, f"numbers from {_NO_IMAGE} to {images - 1} in {_NUMBER}", found)
    return np.where(numbers == _NO_IMAGE, images, numbers)


def write(path: PathLike, mesh: Mesh) -> None:
    """Writes a checked mesh as binary, little endian, in float32."""
    refuse_parts("mesh", ".ply", mesh, _HELD)
    uv, face_uv = mesh.uv, mesh.face_uv
    names, columns = list(_POSITION), [mesh.vertices]
    fields: list[tuple[str, str, tuple[int, ...]]] = [("n", "u1", ()), ("corners", "<i4", (3,))]
    lists = f"property list uchar int {_CORNERS[0]}\n"
    by_vertex = uv is not None and face_uv is not None and _is_by_vertex(mesh)
    if uv is not None and by_vertex:
        names, columns = [*names, *_COORDINATES[0]], [mesh.vertices, uv]
    elif uv is not None:
        fields += [("m", "u1", ()), ("uv", "<f4", (3, 2))]
        lists += f"property list uchar float {_CORNER_UV}\n"
    table = np.empty(len(mesh.faces), fields)
    table["n"], table["corners"] = 3, mesh.faces
    if uv is not None and face_uv is not None and not by_vertex:
        table["m"], table["uv"] = 6, uv[face_uv]
    header = [
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(mesh.vertices)}\n",
        *(f"property float {name}\n" for name in names),
        f"element face {len(mesh.faces)}\n{lists}end_header\n",
    ]
    rows = np.concatenate(columns, axis=1).astype("<f4")
    write_bytes(path, "".join(header).encode() + rows.tobytes() + table.tobytes())


def _is_by_vertex(mesh: Mesh) -> bool:
    """Whether the corners of a vertex have its texture coordinates."""
    if mesh.uv is None or mesh.face_uv is None or len(mesh.uv) != len(mesh.vertices):
        return False
    return np.array_equal(mesh.faces, mesh.face_uv)
