"""Pieces of a moving mesh as scalar maps: one array (N) per coordinate.

A piece has corners p_k = v0 + b_k1 (v1 - v0) + b_k2 (v2 - v0) in a triangle v0 v1 v2. Its edges are
differences of barycentric coordinates times edges of the triangle, so that small pieces keep their
digits: the corners themselves would cancel.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._checks import check_array, name_type
from sf3d_jax._numerics import Array, channels, mask
from sf3d_jax._numerics.lengths import root
from sf3d_jax._numerics.vectors import Vector, add, cross, dot, scale, subtract
from sf3d_jax.head.covering import Cover

# A triangle whose doubled area is below this many units of rounding times its squared edges is as
# thin as the rounding of its vertices, so its normal is arbitrary.
_THIN = 8

# An index that no array has.
_ABSENT = int(np.iinfo(np.int32).max)

ROOT_3 = math.sqrt(3)


class Corners(NamedTuple):
    """Triangles of a mesh, one for each piece; zeros where one of them is not finite.

    Attributes:
      origin: (N) each, v0.
      first: (N) each, v1 - v0.
      second: (N) each, v2 - v0.
      is_finite: (N), bool.
    """

    origin: Vector
    first: Vector
    second: Vector
    is_finite: jax.Array


class Frame(NamedTuple):
    """A triangle's edges and normal, which move with it.

    Attributes:
      first: (N) each, e1 = p1 - p0.
      second: (N) each, e2 = p2 - p0.
      normal: (N) each, n, the unit normal; zeros if the triangle is too thin to have one.
      area: (N), |e1 x e2|, twice the area; 0 if the triangle is too thin.
    """

    first: Vector
    second: Vector
    normal: Vector
    area: jax.Array


def check_mesh(faces: Array, vertices: Array) -> None:
    """Checks the shapes and types of a mesh.

    Args:
      faces: (T, 3), integer.
      vertices: (V, 3), floating-point.

    Raises:
      TypeError: an argument is not an array, or its type is another one.
      ValueError: its shape is another one, or a NumPy array of faces refers to no vertex.
    """
    check_integers("faces", faces, (None, 3))
    check_array("vertices", vertices, (3,))
    if vertices.ndim != 2:
        raise ValueError(
            f"vertices: expected shape (V, 3), got {vertices.shape}; use jax.vmap for a batch"
        )
    check_below("faces", faces, vertices.shape[0], "vertices")


def check_pieces(cover: Cover, faces: Array, vertices: Array) -> int:
    """Checks a cover and its mesh, and returns the number of pieces.

    Args:
      cover: N pieces.
      faces: (T, 3), integer.
      vertices: (V, 3), floating-point.

    Raises:
      TypeError: an argument has another type.
      ValueError: a shape is another one; or cover and faces are NumPy arrays, and one of their
        indices refers to nothing.
    """
    if not isinstance(cover, Cover):
        raise TypeError(f"cover: expected a Cover, got {name_type(cover)}")
    check_integers("cover.triangles", cover.triangles, (None,))
    check_array("cover.corners", cover.corners)
    count = int(cover.triangles.shape[0])
    if cover.corners.shape != (count, 3, 3):
        raise ValueError(
            f"cover.corners: expected shape ({count}, 3, 3), got {cover.corners.shape}"
        )
    check_mesh(faces, vertices)
    check_below("cover.triangles", cover.triangles, faces.shape[0], "faces")
    return count


def check_integers(name: str, x: object, shape: tuple[int | None, ...]) -> None:
    """Checks that an argument is an array of integers.

    Args:
      name: argument name used in error messages.
      x: argument to check.
      shape: expected shape; None for an axis of any size.

    Raises:
      TypeError: it is not an array of integers.
      ValueError: its shape is another one.
    """
    dtype = getattr(x, "dtype", None)
    if dtype is None or not jnp.issubdtype(dtype, jnp.integer):
        raise TypeError(f"{name}: expected an array of integers, got {dtype or type(x).__name__}")
    got: tuple[int, ...] = getattr(x, "shape", ())
    if len(got) != len(shape) or any(b not in (None, a) for a, b in zip(got, shape, strict=True)):
        wanted = ", ".join("..." if n is None else str(n) for n in shape)
        raise ValueError(f"{name}: expected shape ({wanted}), got {got}")


def check_below(name: str, indices: Array, count: int, others: str) -> None:
    """Checks indices that are in NumPy; those on a device would have to be copied at every call.

    Args:
      name: argument name used in error messages.
      indices: integers.
      count: number of things that they refer to.
      others: name of these things.

    Raises:
      ValueError: an index refers to nothing.
    """
    if isinstance(indices, np.ndarray) and indices.size:
        worst = max(int(indices.max()), int(indices.min()), key=lambda x: (x < 0, x))
        if not 0 <= worst < count:
            raise ValueError(f"{name}: expected indices of the {count} {others}, got {worst}")


def gather(triangles: Array, faces: Array, vertices: jax.Array) -> Corners:
    """Reads triangles; those with an index outside the mesh are not finite."""
    rows = _find_places(faces).at[_find_places(triangles)].get(mode="fill", fill_value=_ABSENT)
    points = vertices.at[rows].get(mode="fill", fill_value=jnp.inf)
    is_finite = jnp.isfinite(points).all((-1, -2))
    v0, v1, v2 = (channels(x) for x in jnp.moveaxis(mask(is_finite, points), 1, 0))
    return Corners(v0, subtract(v1, v0), subtract(v2, v0), is_finite)


def weigh(corners: Corners, along: jax.Array, across: jax.Array) -> Vector:
    """along (v1 - v0) + across (v2 - v0)."""
    return add(scale(along, corners.first), scale(across, corners.second))


def make_frame(first: Vector, second: Vector) -> Frame:
    """The frame of a triangle with these edges; its derivatives are 0 where it has no normal."""
    product = cross(first, second)
    squared = dot(product, product)
    edges = dot(first, first) + dot(second, second)
    thinnest = _THIN * float(jnp.finfo(edges.dtype).eps)
    has_normal = squared > (thinnest * edges) ** 2
    area = root(jnp.where(has_normal, squared, 0))
    inverse = mask(has_normal, 1 / jnp.where(has_normal, area, 1))
    return Frame(first, second, scale(inverse, product), area)


def find_edges(corners: Corners, shares: jax.Array) -> tuple[Vector, Vector]:
    """e1 = p1 - p0 and e2 = p2 - p0 of pieces with these barycentric coordinates, (N, 3, 3)."""
    first, second = (shares[:, k] - shares[:, 0] for k in (1, 2))
    return tuple(weigh(corners, x[:, 1], x[:, 2]) for x in (first, second))  # type: ignore


def find_side(frame: Frame) -> jax.Array:
    """The side of the equilateral triangle of the same area, sqrt(|e1 x e2| 2 / sqrt 3)."""
    return root(frame.area * (2 / ROOT_3))


def _find_places(indices: Array) -> jax.Array:
    """Indices in int32; negative ones are absent, too, where JAX would count them from the end."""
    indices = jnp.asarray(indices)
    if indices.dtype.itemsize < 4:
        indices = indices.astype(jnp.int32)
    return jnp.where((indices < 0) | (indices > _ABSENT), _ABSENT, indices).astype(jnp.int32)
