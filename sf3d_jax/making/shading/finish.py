"""What a surface is like: how much it shines, how roughly, and what lies under lids or lips."""

from typing import NamedTuple

import numpy as np

from sf3d_jax._numerics import Array

# Skin without features: a share of the highlight of smooth skin, and its roughness.
GLOSS, ROUGHNESS = 0.8, 0.42

# Where the upper lid and the corners of an eye darken its ball: coordinates of its unit normals,
# and the shares of light that they take.
LID, CORNER = (0.0, 0.4), (0.45, 0.9)
UNDER_LID, IN_CORNER, IN_MOUTH = 0.65, 0.5, 0.8


class Finish(NamedTuple):
    """The finish of a head.

    Attributes:
      gloss: (N), the highlight of a piece over that of smooth skin.
      roughness: (N), the deviation of slopes of the surface, 0 to 1 (alpha of GGX).
      eyes: [V], bool, eyeballs, which lids shade.
      inside: [V], bool, what is in a mouth that is closed at rest.
    """

    gloss: Array
    roughness: Array
    eyes: np.ndarray
    inside: np.ndarray

    def hood(self, lit: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Replaces the shares of light that eyeballs and the inside of a mouth get.

        Lids are too close to an eyeball for depth buffers, and the eyes turn under them. So an
        eyeball gets less light under the upper lid and in the corners, wherever it looks. What is
        inside a mouth is dark in its reflectance already.

        Args:
          lit: [V, K], shares of light.
          normals: [V, 3], unit vectors in the axes of the head at rest.

        Returns:
          [V, K].
        """
        x, y = np.abs(normals[:, :1]), normals[:, 1:2]
        under = _step((y - LID[0]) / (LID[1] - LID[0]))
        corner = _step((x - CORNER[0]) / (CORNER[1] - CORNER[0]))
        eye = (1 - UNDER_LID * under) * (1 - IN_CORNER * corner)
        lit = np.where(self.eyes[:, None], eye, lit)
        return np.where(self.inside[:, None], IN_MOUTH, lit)


def _step(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def find_plain_finish(pieces: int, vertices: int) -> Finish:
    """The finish of a surface of which nothing is known: that of skin.

    Args:
      pieces: N.
      vertices: V.

    Returns:
      The same everywhere.
    """
    full = lambda x: np.full(pieces, x, np.float32)
    nowhere = np.zeros(vertices, bool)
    return Finish(full(GLOSS), full(ROUGHNESS), nowhere, nowhere)
