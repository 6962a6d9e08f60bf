"""A triangle mesh, and the checks that all its readers and writers share."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import LARGEST, FormatError, PathLike, check_numbers
from sf3d_jax.data.arrays import make_array

_LARGEST_INDEX = 2**31 - 1  # of int32


class Mesh(NamedTuple):
    """A triangle mesh, with an optional texture and named targets.

    Texture coordinates (u, v) count from the bottom left of the texture, as in .obj: they are at
    column w u - 1/2 and row h (1 - v) - 1/2 of a texture of h x w pixels, whose rows go from the
    top and whose integers are pixel centres. The texture repeats outside of 0..1.

    Attributes:
      vertices: float64 [V, 3], in the axes and the unit of the file.
      faces: int32 [T, 3], vertices of each triangle, anticlockwise if seen from outside.
      uv: float64 [U, 2], texture coordinates, or None.
      face_uv: int32 [T, 3], texture coordinates of the corners of each triangle; None without uv.
      texture: uint8 sRGB [h, w, 3], or None.
      targets: displacements float64 [V, 3] by name, such as those of expressions. A weight w adds
        w times the displacement to the vertices.
      groups: int32 [T], group of each triangle, or None.
      group_names: names of the groups.
    """

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray | None = None
    face_uv: np.ndarray | None = None
    texture: np.ndarray | None = None
    targets: Mapping[str, np.ndarray] = {}
    groups: np.ndarray | None = None
    group_names: tuple[str, ...] = ()


def check_read(path: PathLike, mesh: Mesh) -> Mesh:
    """Checks a mesh that was read.

    Args:
      path: file path used in error messages.
      mesh: arrays from the file, in any real dtypes.

    Returns:
      The mesh in its dtypes.

    Raises:
      FormatError: there are no triangles, a vertex does not exist, or a number is non-finite.
    """
    if not len(mesh.faces):
        raise FormatError(path, "a mesh of triangles", "no faces")
    vertices = np.ascontiguousarray(mesh.vertices, np.float64)
    check_numbers(path, "the vertices", vertices)
    faces = _check_indices(path, "vertices", mesh.faces, len(vertices))
    uv, face_uv = mesh.uv, mesh.face_uv
    if uv is not None and face_uv is not None:
        uv = np.ascontiguousarray(uv, np.float64)
        check_numbers(path, "the texture coordinates", uv)
        face_uv = _check_indices(path, "texture coordinates", face_uv, len(uv))
    for name, target in mesh.targets.items():
        check_numbers(path, f"the target {name[:80]!r}", target)
    groups = None if mesh.groups is None else np.asarray(mesh.groups, np.int32)
    targets = dict(mesh.targets)  # of its own, as the caller may add others
    return Mesh(vertices, faces, uv, face_uv, mesh.texture, targets, groups, mesh.group_names)


def _check_indices(path: PathLike, what: str, indices: np.ndarray, count: int) -> np.ndarray:
    """Refuses indices of what does not exist; returns int32."""
    if indices.dtype.kind == "f" and (indices != np.floor(indices)).any():
        raise FormatError(path, f"whole numbers of {what} in the faces", "other numbers")
    least, most = indices.min(), indices.max()
    if not 0 <= least <= most < min(count, _LARGEST_INDEX):
        worst = least if least < 0 else most
        found = f"number {worst:.0f}, counted from 0"
        raise FormatError(path, f"faces that name the {count} {what} of the file", found)
    return np.ascontiguousarray(indices, np.int32)


def cut_into_fans(path: PathLike, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cuts polygons into fans of triangles about their first corners.

    Args:
      path: file path used in error messages.
      lengths: [P], number of corners of each polygon.

    Returns:
      The corners of the triangles [T, 3], as places in the joined list of all corners, and the
      polygon of each triangle [T].

    Raises:
      FormatError: a polygon has fewer than three corners.
    """
    if len(lengths) and lengths.min() < 3:
        row = int(np.argmax(lengths < 3))
        expected = "faces of three corners or more"
        raise FormatError(path, expected, f"{lengths[row]} in face {row + 1}")
    begins = np.cumsum(lengths) - lengths
    polygons = np.repeat(np.arange(len(lengths)), lengths - 2)
    first = begins[polygons]
    # The place of a triangle in the fan of its polygon.
    place = np.arange(len(polygons)) - np.repeat(begins - 2 * np.arange(len(lengths)), lengths - 2)
    return np.stack([first, first + place + 1, first + place + 2], axis=-1), polygons


def cut_strips(corners: np.ndarray) -> np.ndarray:
    """Cuts strips, in which each vertex from the third on ends a triangle, into triangles.

    Args:
      corners: [K], vertices of the strips; a negative number ends a strip.

    Returns:
      [T, 3], each wound as the first triangle of its strip; triangles with equal corners, which
      join two parts of a strip, are left out.
    """
    places = np.arange(len(corners))
    begins = np.maximum.accumulate(np.where(corners < 0, places + 1, 0))
    first = places[: max(0, len(corners) - 2)]
    odd = (first - begins[first]) % 2
    triangles = corners[np.stack([first, first + 1 + odd, first + 2 - odd], axis=-1)]
    a, b, c = triangles.T
    return triangles[(triangles >= 0).all(axis=1) & (a != b) & (b != c) & (c != a)]


def join_equal_vertices(mesh: Mesh) -> Mesh:
    """Joins vertices that are equal, with equal displacements; the first one stays.

    Args:
      mesh: checked mesh.

    Returns:
      The mesh with the same triangles, of fewer vertices in their order.
    """
    kept, numbers = find_equal_vertices(mesh.vertices, mesh.targets.values())
    targets = {name: moves[kept] for name, moves in mesh.targets.items()}
    faces = numbers[mesh.faces]
    return mesh._replace(vertices=mesh.vertices[kept], faces=faces, targets=targets)


def find_equal_vertices(
    vertices: np.ndarray, others: Iterable[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Finds vertices [V, 3] that are equal, and equal in all other arrays [V, 3].

    Returns:
      The vertices to keep [K], in their order, and the number of each vertex among them, int32 [V].
    """
    _, first, place = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    every = np.arange(len(vertices))
    same = first[place.reshape(-1)]
    for values in others:
        same = np.where((values == values[same]).all(axis=1), same, every)
    is_kept = same == every
    return np.flatnonzero(is_kept), (np.cumsum(is_kept, dtype=np.int32) - 1)[same]


def check_mesh(name: str, mesh: object) -> Mesh:
    """Checks a mesh that is passed by the caller.

    Args:
      name: argument name used in error messages.
      mesh: object to check.

    Returns:
      The mesh with its arrays in NumPy, in its dtypes.

    Raises:
      TypeError: it is not a Mesh, an array has the wrong dtype, or a name is not a text.
      ValueError: a shape does not fit, an index is out of range, or a number is non-finite.
    """
    if not isinstance(mesh, Mesh):
        raise TypeError(f"{name}: expected a Mesh, got {type(mesh).__name__}")
    vertices = check_floats(f"{name}.vertices", mesh.vertices, (None, 3))
    faces = check_integers(f"{name}.faces", mesh.faces, (None, 3), len(vertices))
    if not len(faces):
        raise ValueError(f"{name}.faces: expected at least one triangle, got none")
    uv, face_uv = _check_coordinates(name, mesh, len(faces))
    targets = {
        key: check_floats(f"{name}.targets[{key!r}]", values, vertices.shape)
        for key, values in mesh.targets.items()
    }
    _check_texts(f"{name}.targets", mesh.targets)
    _check_texts(f"{name}.group_names", mesh.group_names)
    groups = mesh.groups
    if groups is not None:
        count = len(mesh.group_names)
        groups = check_integers(f"{name}.groups", groups, (len(faces),), count)
    texture = _check_texture(f"{name}.texture", mesh.texture)
    return Mesh(vertices, faces, uv, face_uv, texture, targets, groups, mesh.group_names)


def _check_texts(name: str, texts: Iterable[object]) -> None:
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{name}: expected texts as names, got {text!r}")


def _check_coordinates(
    name: str, mesh: Mesh, count: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    if (mesh.uv is None) != (mesh.face_uv is None):
        raise ValueError(f"{name}: expected uv and face_uv together, got one of them")
    if mesh.uv is None or mesh.face_uv is None:
        if mesh.texture is not None:
            raise ValueError(f"{name}: expected uv and face_uv for the texture, got None")
        return None, None
    uv = check_floats(f"{name}.uv", mesh.uv, (None, 2))
    return uv, check_integers(f"{name}.face_uv", mesh.face_uv, (count, 3), len(uv))


def _check_texture(name: str, value: npt.ArrayLike | None) -> np.ndarray | None:
    if value is None:
        return None
    texture = make_array(name, value)
    if texture.dtype != np.uint8:
        raise TypeError(f"{name}: expected uint8, got {texture.dtype}")
    if texture.ndim != 3 or texture.shape[2] != 3 or texture.size == 0:
        raise ValueError(f"{name}: expected [h, w, 3], got {list(texture.shape)}")
    return texture


def check_floats(name: str, value: npt.ArrayLike, shape: tuple[int | None, ...]) -> np.ndarray:
    """Converts an argument to float64 of a shape, in which None is any length.

    Raises:
      TypeError: the dtype is not real.
      ValueError: the shape is another one, or a number is non-finite or above 1e9.
    """
    array = make_array(name, value)
    if not np.can_cast(array.dtype, np.float64, "same_kind"):  # handles bfloat16, too
        raise TypeError(f"{name}: expected real numbers, got {array.dtype}")
    _check_shape(name, array, shape)
    array = array.astype(np.float64)
    if not (np.abs(array) <= LARGEST).all():  # False for NaN, too
        worst = array[~(np.abs(array) <= LARGEST)].flat[0]
        raise ValueError(f"{name}: expected finite numbers up to {LARGEST:g}, got {worst:g}")
    return array


def check_integers(
    name: str, value: npt.ArrayLike, shape: tuple[int | None, ...], count: int
) -> np.ndarray:
    """Converts an argument to int32 of a shape, with values from 0 to count - 1.

    Raises:
      TypeError: the dtype is not that of integers.
      ValueError: the shape is another one, or a value is out of range.
    """
    array = make_array(name, value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got {array.dtype}")
    _check_shape(name, array, shape)
    if array.size and not 0 <= array.min() <= array.max() < count:
        found = f"{array.min()} to {array.max()}"
        raise ValueError(f"{name}: expected numbers from 0 to {count - 1}, got {found}")
    return array.astype(np.int32)


def _check_shape(name: str, array: np.ndarray, shape: tuple[int | None, ...]) -> None:
    wanted = [n if s is None else s for n, s in zip(array.shape, shape, strict=False)]
    if array.ndim != len(shape) or list(array.shape) != wanted:
        words = ", ".join("N" if s is None else str(s) for s in shape)
        raise ValueError(f"{name}: expected the shape [{words}], got {list(array.shape)}")


def refuse_parts(name: str, ending: str, mesh: Mesh, parts: Mapping[str, str]) -> None:
    """Refuses a mesh with parts that a format cannot hold.

    Args:
      name: argument name used in error messages.
      ending: ending of the format.
      mesh: checked mesh.
      parts: endings that hold a part, by the attribute of the mesh that holds it.

    Raises:
      ValueError: the mesh has one of the parts.
    """
    for part, others in parts.items():
        value = getattr(mesh, part)
        if value is not None and len(value):
            advice = f"write {others}, or drop them with mesh._replace"
            raise ValueError(f"{name}.{part}: a {ending} cannot hold them; {advice}")
