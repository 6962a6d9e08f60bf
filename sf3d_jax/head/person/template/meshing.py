"""A triangle mesh of an implicit surface, fine where it must be: surface nets on an octree.

A cell of the octree that the surface may cross is halved until it is as small as is asked for
there. Each edge of the smallest cells whose ends lie on different sides of the surface makes a face
between the cells around it, and each cell has one vertex (dual contouring of adaptive octrees: Ju,
Losasso, Schaefer and Warren, SIGGRAPH 2002; the vertex is the mean of the crossings: Gibson, MICCAI
1998). Then the vertices slide along the surface to even out the triangles.
"""

from collections.abc import Callable

import numpy as np

from sf3d_jax.head.person.landmarks import Floats

Field = Callable[[Floats], Floats]
Ints = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

# Corners of a cell, and its edges as (axis, start).
_CORNERS = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])
_AROUND = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])

# An ellipsoid's distance is an estimate: a cell is dropped if the surface is this many half
# diagonals away.
_REACH = 1.6
_KEY_BITS = 20


def mesh_surface(
    distance: Field, size: Field, bounds: Floats, finest: float, levels: int
) -> tuple[Floats, Ints]:
    """Makes a closed mesh of the surface distance(x) = 0, oriented towards positive distances.

    Args:
      distance: signed distance, or an estimate of it, of points (N, 3), negative inside.
      size: wanted edge length at points (N, 3).
      bounds: (2, 3), the lowest corner, and a corner that the mesh must not reach.
      finest: edge of the smallest cells; the largest are 2^(levels - 1) times as large.
      levels: number of sizes.

    Returns:
      Vertices (V, 3) and faces (T, 3).
    """
    cells, sizes = _divide(distance, size, bounds, finest, levels)
    axis, start, length = _list_edges(cells, sizes)
    first, second = _end_distances(distance, bounds[0], finest, axis, start, length)
    crossed = (first < 0) != (second < 0)
    axis, start, length = axis[crossed], start[crossed], length[crossed]
    first, second = first[crossed], second[crossed]
    around = _find_cells(cells, sizes, levels, axis, start, length)
    # Where no leaf is found, the cell was halved, and its parts in the middle of the edge dropped.
    smallest = ((sizes[around] >= length[:, None]) & (around >= 0)).all(1)
    axis, start, length, around = (
        axis[smallest],
        start[smallest],
        length[smallest],
        around[smallest],
    )
    first, second = first[smallest], second[smallest]

    share = first / (first - second)
    crossings = start.astype(float)
    crossings[np.arange(len(axis)), axis] += share * length
    points = bounds[0] + finest * crossings
    used, corners = np.unique(around, return_inverse=True)
    corners = corners.reshape(-1, 4)
    count = np.bincount(corners.ravel(), minlength=len(used))
    vertices = np.stack(
        [
            np.bincount(corners.ravel(), np.repeat(points[:, i], 4), len(used)) / count
            for i in range(3)
        ],
        1,
    )
    corners[first >= 0] = corners[first >= 0, ::-1]
    return vertices, corners


def _divide(
    distance: Field, size: Field, bounds: Floats, finest: float, levels: int
) -> tuple[Ints, Ints]:
    """Lowest corners (C, 3) and edges (C,) of the leaves near the surface, in units of finest."""
    step = 2 ** (levels - 1)
    counts = np.ceil((bounds[1] - bounds[0]) / (finest * step)).astype(int)
    cells = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), -1).reshape(-1, 3) * step
    leaves, sizes = [], []
    while True:
        middle = bounds[0] + finest * (cells + step / 2)
        near = np.abs(distance(middle)) < _REACH * finest * step * np.sqrt(3) / 2
        cells, middle = cells[near], middle[near]
        fine = (size(middle) < finest * step) & (step > 1)
        leaves.append(cells[~fine])
        sizes.append(np.full(len(leaves[-1]), step))
        if step == 1:
            return np.concatenate(leaves), np.concatenate(sizes)
        step //= 2
        cells = (cells[fine][:, None] + step * _CORNERS).reshape(-1, 3)


def _keys(cells: Ints) -> Ints:
    return (cells[..., 0] << 2 * _KEY_BITS) | (cells[..., 1] << _KEY_BITS) | cells[..., 2]


def _list_edges(cells: Ints, sizes: Ints) -> tuple[Ints, Ints, Ints]:
    """Axis (E,), start (E, 3) and length (E,) of each edge of a cell, once."""
    axes, starts, lengths = [], [], []
    for axis in range(3):
        offsets = _CORNERS[_CORNERS[:, axis] == 0]
        start = (cells[:, None] + sizes[:, None, None] * offsets).reshape(-1, 3)
        length = np.repeat(sizes, 4)
        _, once = np.unique(_keys(start) * 64 + length, return_index=True)
        axes.append(np.full(len(once), axis))
        starts.append(start[once])
        lengths.append(length[once])
    return np.concatenate(axes), np.concatenate(starts), np.concatenate(lengths)


def _end_distances(
    distance: Field, origin: Floats, finest: float, axis: Ints, start: Ints, length: Ints
) -> tuple[Floats, Floats]:
    """Signed distances at both ends of the edges, each point evaluated once."""
    end = start.copy()
    end[np.arange(len(axis)), axis] += length
    both = np.concatenate([start, end])
    _, once, back = np.unique(_keys(both), return_index=True, return_inverse=True)
    values = distance(origin + finest * both[once])[back.ravel()]
    return values[: len(start)], values[len(start) :]


def _find_cells(
    cells: Ints, sizes: Ints, levels: int, axis: Ints, start: Ints, length: Ints
) -> Ints:
    """The leaves (E, 4) about the middle of an edge, anticlockwise seen from its end; -1: none."""
    double = 2 * start
    double[np.arange(len(axis)), axis] += length
    points = np.repeat(double[:, None], 4, 1)
    for turn in range(4):
        points[np.arange(len(axis)), turn, (axis + 1) % 3] += _AROUND[turn, 0]
        points[np.arange(len(axis)), turn, (axis + 2) % 3] += _AROUND[turn, 1]
    found = np.full(points.shape[:2], -1)
    for level in range(levels):
        own = np.flatnonzero(sizes == 2**level)
        keys = _keys(cells[own])
        order = np.argsort(keys)
        wanted = _keys(points >> 1 + level << level)
        at = np.minimum(np.searchsorted(keys[order], wanted), max(len(own) - 1, 0))
        if len(own):
            found = np.where(keys[order][at] == wanted, own[order][at], found)
    return found


def split_quads(vertices: Floats, quads: Ints) -> Ints:
    """Triangles (T, 3) of quads (Q, 4), cut along the shorter diagonal; quads may be triangles."""
    a, b, c, d = (vertices[quads[:, i]] for i in range(4))
    short = ((a - c) ** 2).sum(1) <= ((b - d) ** 2).sum(1)
    turned = np.where(short[:, None], quads, np.roll(quads, -1, axis=1))
    triangles = np.concatenate([turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]])
    a, b, c = triangles.T
    return triangles[(a != b) & (b != c) & (c != a)]


def project(distance: Field, vertices: Floats, steps: int, reach: float) -> Floats:
    """Newton's steps of at most `reach` onto the surface distance(x) = 0."""
    for _ in range(steps):
        vertices = _step(vertices, *_gradient(distance, vertices), reach)
    return vertices


def relax(distance: Field, vertices: Floats, quads: Ints, steps: int, reach: float) -> Floats:
    """Moves vertices along the surface towards the middle of their neighbours."""
    start, end = quads.ravel(), np.roll(quads, -1, axis=1).ravel()
    a, b = np.concatenate([start, end]), np.concatenate([end, start])
    count = np.bincount(a, minlength=len(vertices))
    gradient, _ = _gradient(distance, vertices)
    for _ in range(steps):
        mean = np.stack(
            [np.bincount(a, vertices[b, i], len(vertices)) / count for i in range(3)], 1
        )
        normal = gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 0.25)
        move = mean - vertices
        move -= (move * normal).sum(1, keepdims=True) * normal
        vertices = vertices + 0.5 * move
        gradient, value = _gradient(distance, vertices)
        vertices = _step(vertices, gradient, value, reach)
    return vertices


def _step(vertices: Floats, gradient: Floats, value: Floats, reach: float) -> Floats:
    # A gradient is 1 but where surfaces blend; there Newton's step is bounded by that of 1/2.
    step = value / np.maximum((gradient**2).sum(1), 0.25)
    return vertices - np.clip(step, -reach, reach)[:, None] * gradient


def _gradient(distance: Field, points: Floats) -> tuple[Floats, Floats]:
    """Gradient by differences over the corners of a tetrahedron, and the value in its middle."""
    step = 2e-3
    corners = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])
    values = np.stack([distance(points + step * corner) for corner in corners], 1)
    return values @ corners / (4 * step), values.mean(1)
