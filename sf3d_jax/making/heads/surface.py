"""Prepares a mesh of unknown origin: its unit, its connected parts, and which side is outside."""

import numpy as np

# Longest side of the box about a mesh in metres; a larger one is in centimetres or millimetres.
LARGEST = 4.0


def find_unit(vertices: np.ndarray) -> float:
    """The unit of a head's vertices in metres.

    Args:
      vertices: [V, 3].

    Returns:
      1 if the longest side of their box is at most LARGEST, else .01, or .001 if it is above
      100 LARGEST: nobody's head is 4 m tall.
    """
    longest = float(np.ptp(vertices, axis=0).max())
    if longest <= LARGEST:
        return 1.0
    return 0.01 if longest <= 100 * LARGEST else 0.001


def find_parts(faces: np.ndarray, count: int) -> np.ndarray:
    """Finds the connected parts of a mesh.

    Args:
      faces: [T, 3].
      count: number of vertices.

    Returns:
      [T], int32, numbers of parts from 0 in order of their first vertices.
    """
    label = np.arange(count)
    while True:
        least = label[faces].min(1)
        before = label.copy()
        for k in range(3):
            np.minimum.at(label, faces[:, k], least)
        # A label is a vertex of the same part, so its own label is at least as good.
        label = label[label]
        if np.array_equal(label, before):
            return np.unique(label[faces[:, 0]], return_inverse=True)[1].astype(np.int32)


def face_outwards(vertices: np.ndarray, faces: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Turns the triangles of closed parts so that they are counterclockwise from outside.

    Args:
      vertices: [V, 3].
      faces: [T, 3].
      parts: [T], numbers of connected parts.

    Returns:
      [T, 3]. A part is closed if each of its edges belongs to two triangles that run along it in
      opposite directions; if it has a negative volume, its triangles are turned. Open parts stay.
    """
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    volume = np.bincount(parts, np.einsum("ij,ij->i", a, np.cross(b, c)))
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    forward = edges[:, 0] * len(vertices) + edges[:, 1]
    backward = edges[:, 1] * len(vertices) + edges[:, 0]
    has_partner = np.isin(forward, backward).reshape(3, -1).all(0)
    is_open = np.bincount(parts, ~has_partner) > 0
    turned = ((volume < 0) & ~is_open)[parts]
    return np.where(turned[:, None], faces[:, ::-1], faces)
