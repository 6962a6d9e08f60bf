"""Normals of the vertices of a mesh, weighted by the areas of the triangles about them."""

import numpy as np


class Normals:
    """Finds the normals of one mesh in many shapes."""

    def __init__(self, faces: np.ndarray) -> None:
        """Sorts the corners of the triangles by their vertices.

        Args:
          faces: [T, 3], integer, counterclockwise from outside.
        """
        self._faces = faces
        self._order = np.argsort(faces.ravel(), kind="stable")
        self._used, self._starts = np.unique(faces.ravel()[self._order], return_index=True)

    def __call__(self, vertices: np.ndarray) -> np.ndarray:
        """Normals of the vertices [V, 3] of a shape: unit vectors, or 0 where there is none."""
        a, b, c = (vertices[self._faces[:, k]] for k in range(3))
        of_faces = np.repeat(np.cross(b - a, c - a), 3, axis=0)
        normals = np.zeros_like(vertices)
        normals[self._used] = np.add.reduceat(of_faces[self._order], self._starts, axis=0)
        lengths = np.linalg.norm(normals, axis=-1, keepdims=True)
        return np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
