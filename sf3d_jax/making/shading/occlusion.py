"""How much of a room and of its lights the vertices of a head see, baked on the head at rest.

The share of the room is the ambient occlusion

    a = sum_d s_d max(0, n . d) / sum_d u_d max(0, n . d)

over directions d, where u_d is 1 above the surface and s_d is the share that is seen. The share of
a light from l is the mean of s_d / u_d over the directions about l, so that shadows are as soft as
the light is wide. They turn with the head: l is taken in the axes of the head of each frame.
"""

import dataclasses

import numpy as np

from sf3d_jax.making.shading.visibility import Visibility, find_visibility, spread_directions

# Directions on the sphere, of which those from behind are left out.
COUNT, BEHIND = 200, -0.6
# Radians that the mean about a light reaches beyond the light, about the way between directions.
SPREAD = 0.2
# A mouth or a lid that is closed at rest opens, so nothing is ever quite dark.
LEAST_AMBIENT, LEAST_LIT = 0.12, 0.08
# Weight of a free view where hardly any direction about a light is above the surface: there the
# angle of the light itself makes it dark.
FREE = 0.05


@dataclasses.dataclass(frozen=True)
class Occlusion:
    """What the vertices of a head see.

    Attributes:
      neutral: [V, 3], metres, the head at rest.
      upper: [V], bool, the vertices that tell how the head is turned.
      visibility: what they see of each direction, in the axes of the head.
      ambient: [V], float32, the share of the room.
    """

    neutral: np.ndarray
    upper: np.ndarray
    visibility: Visibility
    ambient: np.ndarray

    def find_lit(self, directions: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """The shares of lights that the vertices see.

        Args:
          directions: [L, 3], unit vectors to the lights, in the axes of the head.
          sizes: [L], angular radii in radians.

        Returns:
          [V, L], float32, LEAST_LIT to 1.
        """
        _, above, seen = self.visibility
        edge = np.cos(sizes + SPREAD)
        weights = np.maximum(self.visibility.directions @ directions.T - edge, 0) / (1 - edge)
        weights = (weights / weights.sum(0)).astype(np.float32)
        lit = (seen @ weights + FREE) / (above @ weights + FREE)
        return LEAST_LIT + (1 - LEAST_LIT) * lit

    def find_turn(self, vertices: np.ndarray) -> np.ndarray:
        """The rotation of the head since rest, without the neck.

        Args:
          vertices: [V, 3], metres.

        Returns:
          [3, 3], the rotation R for which R (x - mean) is closest to the vertices.
        """
        rest, moved = (x[self.upper] - x[self.upper].mean(0) for x in (self.neutral, vertices))
        left, _, right = np.linalg.svd(np.einsum("ni,nj->ij", moved, rest))
        left[:, 2] *= np.linalg.det(left @ right)
        return left @ right


def bake_occlusion(neutral: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> Occlusion:
    """Finds what the vertices of a head at rest see.

    Args:
      neutral: [V, 3], metres.
      faces: [T, 3], integer.
      normals: [V, 3], unit vectors, or 0.

    Returns:
      The occlusion; about a CPU second for 22,000 vertices.
    """
    directions = spread_directions(COUNT)
    directions = directions[directions[:, 2] > BEHIND]
    visibility = find_visibility(neutral, faces, normals, directions)
    cosine = np.maximum(normals @ directions.T, 0).astype(np.float32)
    most = (visibility.above * cosine).sum(1)
    share = np.divide(
        (visibility.seen * cosine).sum(1), most, out=np.ones_like(most), where=most > 0
    )
    height = neutral[:, 1]
    upper = height > height.min() + UPPER * (height.max() - height.min())
    ambient = LEAST_AMBIENT + (1 - LEAST_AMBIENT) * share
    return Occlusion(neutral, upper, visibility, ambient.astype(np.float32))


UPPER = 0.4  # of the height of a head, which the neck does not reach
