"""Cuts the triangles of a mesh into small pieces of alike size, by longest-edge bisection.

A piece is a triangle inside a triangle of the mesh. It is cut in half from the middle of its
longest edge to the opposite corner, and the piece with the longest edge of all is always cut next.
This rounds slivers off, and needs no seed: the same mesh gives the same pieces.

A piece is kept as the barycentric coordinates of its corners. They are multiples of powers of 1/2,
so they are exact in float32, and they belong to the mesh and not to its shape: the pieces of a
moving mesh are the same at all times.
"""

import operator
from typing import NamedTuple, SupportsIndex

import numpy as np

from sf3d_jax._numerics import Array, Leaf

# Faces and pieces are counted in int32.
_MOST = 2**31 - 1
# Pieces above this share of the greatest squared length are cut together. Any share gives the same
# cover; a smaller one needs fewer rounds, and makes more pieces that turn out too short to be cut.
_SHRINKING = 0.7


class Cover(NamedTuple):
    """The pieces of a mesh.

    Attributes:
      triangles: (N), int32, the triangle that contains the piece, in ascending order.
      corners: (N, 3, 3), corners[i, k] being the barycentric coordinates of corner k of piece i in
        its triangle. The corners of a piece run round in the same sense as those of its triangle.
    """

    triangles: Leaf
    corners: Leaf


def cover(
    vertices: Array, faces: Array, count: SupportsIndex, *, weight: Array | None = None
) -> Cover:
    """Cuts a mesh into `count` pieces of alike size.

    Runs on the host in NumPy float64. The piece with the longest edge is cut in half, from the
    middle of that edge to the opposite corner, over and over until there are `count`.

    Args:
      vertices: (V, 3), metres, at rest or any other time; only ratios of lengths count.
      faces: (T, 3), integer, the corners of the triangles.
      count: number of pieces, at most 2^31 - 1.
      weight: (T), not negative: how densely to cover a triangle, in pieces per area, relative to
        other triangles. Edges count sqrt(weight) times their length. None for 1 everywhere.

    Returns:
      The cover, float64, with `count` pieces, or one piece per triangle if that is more. Triangles
      without edges, because their corners coincide or their weight is 0, are not cut, so a mesh of
      these alone has fewer pieces.

    Raises:
      TypeError: faces or count is not integer.
      ValueError: a shape does not fit, count is out of range, a face refers to no vertex or to a
        vertex that is not finite, or a weight is negative or not finite.
    """
    faces = read_faces(faces)
    number = _read_count(count)
    squares = _read_weight(weight, len(faces))
    triangles = _scale(read_triangles(faces, np.asarray(vertices, np.float64)), faces)
    tree = _Tree(triangles, squares)
    cuts = max(number - len(faces), 0)
    while len(longer := tree.find_next(cuts)):
        tree.cut(longer)
    leaves = tree.find_leaves(cuts)
    return Cover(tree.owners[leaves].astype(np.int32), tree.corners[leaves])


def read_faces(faces: Array) -> np.ndarray:
    """Checks the faces of a mesh, and returns them as NumPy integers.

    Args:
      faces: (T, 3), integer.

    Raises:
      TypeError: they are not integer.
      ValueError: their shape is another one, or there are more than 2^31 - 1.
    """
    shape = getattr(faces, "shape", None)
    if shape is None or len(shape) != 2 or shape[1] != 3:
        raise ValueError(f"faces: expected shape (T, 3), got {shape or type(faces).__name__}")
    if shape[0] > _MOST:
        raise ValueError(f"faces: expected at most 2^31 - 1 triangles, got {shape[0]}")
    if not np.issubdtype(faces.dtype, np.integer):
        raise TypeError(f"faces: expected integers, got {faces.dtype}")
    return np.asarray(faces)


def read_triangles(faces: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Reads the corners of all triangles of a mesh, in NumPy.

    Args:
      faces: (T, 3), integer.
      vertices: (V, 3).

    Returns:
      (T, 3, 3): [i, k] is corner k of triangle i.

    Raises:
      ValueError: the shape of the vertices is another one, or a face refers to no vertex.
    """
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise ValueError(f"vertices: expected shape (V, 3), got {vertices.shape}")
    outside = np.flatnonzero(((faces < 0) | (faces >= len(vertices))).any(1)).tolist()
    if outside:
        raise ValueError(
            f"faces: expected indices of the {len(vertices)} vertices, got "
            f"{faces[outside[0]].tolist()} at face {outside[0]}"
        )
    return vertices[faces]


def _read_count(count: SupportsIndex) -> int:
    try:
        number = operator.index(count)
    except TypeError:
        raise TypeError(f"count: expected an integer, got {count!r}") from None
    if not 1 <= number <= _MOST:
        raise ValueError(f"count: expected 1 to 2^31 - 1, got {number}")
    return number


def _read_weight(weight: Array | None, count: int) -> np.ndarray:
    if weight is None:
        return np.ones(count)
    weight = np.asarray(weight, np.float64)
    if weight.shape != (count,):
        raise ValueError(f"weight: expected shape ({count},), one per face, got {weight.shape}")
    if bad := np.flatnonzero(~(np.isfinite(weight) & (weight >= 0))).tolist():
        raise ValueError(
            f"weight: expected finite numbers that are not negative, got {weight[bad[0]]} at face "
            f"{bad[0]}"
        )
    return weight


def _scale(triangles: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Scales triangles to a mesh of size 1, whose squares are normal numbers."""
    if not np.isfinite(triangles).all():
        face, corner = np.argwhere(~np.isfinite(triangles).all(-1))[0].tolist()
        raise ValueError(
            f"vertices: expected finite coordinates, got {triangles[face, corner].tolist()} at "
            f"vertex {faces[face, corner]}, of face {face}"
        )
    largest = np.abs(triangles).max(initial=0)
    return triangles / largest if largest else triangles


class _Tree:
    """Pieces of all sizes: those of a mesh, and the halves of every piece that was cut.

    A half is never longer than the piece that it comes from. So the first cuts are those of the
    longest pieces, and a piece is always made before it is cut.

    Attributes:
      owners: (n), the triangles that contain the pieces.
      corners: (n, 3, 3), barycentric.
      lengths: (n), squared length of the longest edge, times the weight of the triangle.
      longest: (n), the corner opposite to that edge.
      parents: (n), the piece that was cut, or -1.
      is_cut: (n), bool.
    """

    def __init__(self, triangles: np.ndarray, weight: np.ndarray) -> None:
        """Starts with one piece per triangle."""
        count = len(triangles)
        self._edges = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
        self._weight = weight
        self.owners = np.arange(count)
        self.corners = np.tile(np.eye(3), (count, 1, 1))
        self.lengths, self.longest = self._measure(self.owners, self.corners)
        self.parents = np.full(count, -1)
        self.is_cut = np.zeros(count, bool)

    def find_next(self, cuts: int) -> np.ndarray:
        """Finds pieces that have to be cut before the `cuts` longest of all pieces are known."""
        cut, uncut = self.lengths[self.is_cut], np.where(self.is_cut, 0, self.lengths)
        if len(cut) >= cuts:
            threshold = np.partition(cut, len(cut) - cuts)[len(cut) - cuts] if cuts else np.inf
        else:
            threshold = _SHRINKING * uncut.max(initial=0)
        return np.flatnonzero(uncut > threshold)

    def cut(self, pieces: np.ndarray) -> None:
        """Adds the halves of pieces."""
        tip = self.longest[pieces]
        top, left, right = (self.corners[pieces, (tip + k) % 3] for k in range(3))
        middle = (left + right) / 2
        halves = np.stack([np.stack([top, left, middle], 1), np.stack([top, middle, right], 1)], 1)
        corners, parents = halves.reshape(-1, 3, 3), np.repeat(pieces, 2)
        owners = self.owners[parents]
        lengths, longest = self._measure(owners, corners)
        # Equal in exact arithmetic where an edge is shared, and rounded otherwise.
        lengths = np.minimum(lengths, self.lengths[parents])
        self.is_cut[pieces] = True
        self.owners = np.concatenate([self.owners, owners])
        self.corners = np.concatenate([self.corners, corners])
        self.lengths = np.concatenate([self.lengths, lengths])
        self.longest = np.concatenate([self.longest, longest])
        self.parents = np.concatenate([self.parents, parents])
        self.is_cut = np.concatenate([self.is_cut, np.zeros(len(owners), bool)])

    def find_leaves(self, cuts: int) -> np.ndarray:
        """The pieces that are there after the first cuts, by triangle."""
        cut = np.flatnonzero(self.is_cut)
        # Stable, so that of equal lengths the piece that was made first is cut first.
        first = cut[np.argsort(-self.lengths[cut], kind="stable")[:cuts]]
        is_cut = np.zeros(len(self.is_cut), bool)
        is_cut[first] = True
        is_made = (self.parents < 0) | is_cut[self.parents]
        leaves = np.flatnonzero(is_made & ~is_cut)
        return leaves[np.argsort(self.owners[leaves], kind="stable")]

    def _measure(self, owners: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The squared length of the longest edges, and the corners opposite to them."""
        first, second = (edge[owners][:, None] for edge in self._edges)
        along = corners[:, [2, 0, 1]] - corners[:, [1, 2, 0]]
        x, y, z = np.moveaxis(along[..., 1:2] * first + along[..., 2:3] * second, -1, 0)
        squares = (x * x + y * y + z * z) * self._weight[owners][:, None]
        longest = squares.argmax(1)
        return squares[np.arange(len(owners)), longest], longest
