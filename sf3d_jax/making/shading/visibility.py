"""Which directions a point of a mesh sees, by a depth buffer for each direction.

The mesh is sampled at points no further apart than a cell of the buffer. Each cell keeps the height
of its highest point along the direction. A vertex sees the direction if no cell about its place
holds anything higher; it is lifted along its normal first, so that a surface does not hide itself
at any slope: over a cell of side c, a plane rises by at most c sqrt(2) sin / cos of its slope, and
a lift of LIFT c along the normal raises a point by LIFT c / cos.
"""

from typing import NamedTuple

import numpy as np

# The golden angle, which spreads points over a sphere.
GOLDEN = np.pi * (3 - 5**0.5)
CELL = 0.0022  # metres
LIFT = 1.5
# A direction this close to the surface of a vertex, or below it, is not asked for.
HORIZON = 0.05


class Visibility(NamedTuple):
    """What the vertices of a mesh see.

    Attributes:
      directions: [D, 3], unit vectors, spread over the sphere.
      above: [V, D], float32, 1 where a direction is above the surface of a vertex, else 0.
      seen: [V, D], float32, 0 to 1: the share of the vertex's surroundings that see the direction,
        times `above`.
    """

    directions: np.ndarray
    above: np.ndarray
    seen: np.ndarray


def spread_directions(count: int) -> np.ndarray:
    """Unit vectors that are spread evenly over a sphere, on a spiral.

    Args:
      count: D.

    Returns:
      [D, 3]. R. Swinbank and R. J. Purser, Fibonacci grids (2006).
    """
    height = 1 - (2 * np.arange(count) + 1) / count
    angle, radius = GOLDEN * np.arange(count), np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), height, radius * np.sin(angle)], 1)


def find_visibility(
    vertices: np.ndarray,
    faces: np.ndarray,
    normals: np.ndarray,
    directions: np.ndarray,
    *,
    cell: float = CELL,
) -> Visibility:
    """Finds which directions the vertices of a mesh see.

    Args:
      vertices: [V, 3], metres.
      faces: [T, 3], integer.
      normals: [V, 3], unit vectors out of the surface, or 0.
      directions: [D, 3], unit vectors.
      cell: side of a cell of the depth buffers, metres.

    Returns:
      What they see. A vertex with normal 0 has no direction above it.
    """
    points = np.ascontiguousarray(_sample(vertices, faces, cell).T, np.float32)
    lifted = np.ascontiguousarray((vertices + LIFT * cell * normals).T, np.float32)
    above = np.asarray(normals @ directions.T > HORIZON, np.float32)
    seen = np.empty((len(directions), len(vertices)), np.float32)
    for row, direction in zip(seen, directions, strict=True):
        row[:] = _see(points, lifted, direction, cell)
    weights = _Smoothing(faces, len(vertices))
    return Visibility(directions, above, weights(seen.T * above, above))


def _see(points: np.ndarray, lifted: np.ndarray, direction: np.ndarray, cell: float) -> np.ndarray:
    """Whether lifted vertices [3, V] see a direction past the points [3, P] of the surface: [V]."""
    axes = _complete(direction)
    (column, own_column), (row, own_row) = (
        _find_cells(_project(points, axis), _project(lifted, axis), cell) for axis in axes[:2]
    )
    width = max(column.max(), own_column.max()) + 1
    height = max(row.max(), own_row.max()) + 1
    highest = np.full(width * height, -np.inf, np.float32)
    np.maximum.at(highest, row * width + column, _project(points, axes[2]))
    return highest[own_row * width + own_column] < _project(lifted, axes[2])


def _project(points: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Coordinates of points [3, P] along an axis, by sums and products alone."""
    x, y, z = axis.astype(np.float32)
    return points[0] * x + points[1] * y + points[2] * z


def _find_cells(first: np.ndarray, second: np.ndarray, cell: float) -> tuple[np.ndarray, ...]:
    """The cells of two sets of coordinates, counted from the least of all."""
    low = min(first.min(), second.min())
    return tuple(((x - low) * np.float32(1 / cell)).astype(np.intp) for x in (first, second))


def _complete(direction: np.ndarray) -> np.ndarray:
    """Three orthogonal unit vectors, the last of which is the direction."""
    helper = np.eye(3)[np.argmin(np.abs(direction))]
    first = np.cross(helper, direction)
    first = first / np.linalg.norm(first)
    return np.stack([first, np.cross(direction, first), direction])


def _sample(vertices: np.ndarray, faces: np.ndarray, cell: float) -> np.ndarray:
    """Points on the triangles, at most a cell apart, in the middles of equal parts."""
    corners = vertices[faces]
    edges = corners - np.roll(corners, 1, axis=1)
    longest = np.sqrt((edges**2).sum(-1)).max(-1)
    parts = np.clip(np.ceil(longest / cell), 1, MOST_PARTS).astype(int)
    found = []
    for n in np.unique(parts):
        shares = np.array(
            [
                ((3 * i + s) / (3 * n), (3 * j + s) / (3 * n))
                for i in range(n)
                for j in range(n - i)
                for s in ((1, 2) if i + j < n - 1 else (1,))
            ]
        )
        a, b, c = np.moveaxis(corners[parts == n], 1, 0)
        u, v = shares[:, :1, None], shares[:, 1:, None]
        found.append((a + u * (b - a) + v * (c - a)).reshape(-1, 3))
    return np.concatenate(found)


MOST_PARTS = 24  # of an edge; a mesh of few large triangles is sampled more coarsely


class _Smoothing:
    """Means over a vertex and its neighbours, which round off the corners of cells.

    On a closed mesh, the edges that begin at a vertex lead to each neighbour once.
    """

    def __init__(self, faces: np.ndarray, count: int) -> None:
        first, second = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
        order = np.argsort(first, kind="stable")
        self._others = second[order]
        self._used, self._starts = np.unique(first[order], return_index=True)
        self._count = count

    def __call__(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Weighted means [V, D] of values that are times their weights, times the weights."""
        total, weight = self._sum(values), self._sum(weights)
        return weights * np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)

    def _sum(self, x: np.ndarray) -> np.ndarray:
        total = x.copy()
        total[self._used] += np.add.reduceat(x[self._others], self._starts, axis=0)
        return total
