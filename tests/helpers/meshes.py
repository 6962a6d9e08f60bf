"""Small meshes, spheres of triangles that face outwards, their affine maps, and parts of meshes."""

import numpy as np
import scipy.sparse.csgraph


def sphere(rings=5, around=8, radius=0.1):
    """Vertices (V, 3) and faces (T, 3) of a sphere about the origin, float64."""
    height = np.pi * np.arange(1, rings) / rings
    angle = 2 * np.pi * np.arange(around) / around
    ring = lambda a: np.stack([np.sin(a) * np.cos(angle), np.sin(a) * np.sin(angle)], -1)
    middle = [np.column_stack([ring(a), np.full(around, np.cos(a))]) for a in height]
    vertices = radius * np.concatenate([[[0, 0, 1.0]], *middle, [[0, 0, -1.0]]])
    first, last = 0, len(vertices) - 1
    faces = []
    for i in range(around):
        j = (i + 1) % around
        faces.append((first, 1 + i, 1 + j))
        for k in range(rings - 2):
            a, b = 1 + k * around, 1 + (k + 1) * around
            faces += [(a + i, b + i, b + j), (a + i, b + j, a + j)]
        a = 1 + (rings - 2) * around
        faces.append((last, a + j, a + i))
    return vertices, np.array(faces, np.int32)


# An affine map that turns, shears and stretches, and moves on.
LINEAR = np.array([[1.1, 0.25, -0.1], [-0.2, 0.9, 0.15], [0.05, -0.3, 1.2]])
SHIFT = np.array([0.02, -0.01, 1.3])


def transform(points):
    """The affine map of points."""
    return points @ LINEAR.T + SHIFT


def find_parts(faces, count):
    """The connected part of each face, (T), and whether it has a rim of a tenth of its faces."""
    edges = np.concatenate([faces[:, [k, (k + 1) % 3]] for k in range(3)])
    graph = scipy.sparse.coo_matrix((np.ones(len(edges)), edges.T), (count, count))
    parts = scipy.sparse.csgraph.connected_components(graph, directed=False)[1][faces[:, 0]]
    parts = np.unique(parts, return_inverse=True)[1]
    _, number, sides = np.unique(np.sort(edges, 1), axis=0, return_inverse=True, return_counts=True)
    rims = np.bincount(np.tile(parts, 3), sides[number] == 1)
    return parts, (rims > 0.1 * np.bincount(parts))[parts]
