"""Small meshes: spheres of triangles that all face outwards, and their affine maps."""

import numpy as np


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
