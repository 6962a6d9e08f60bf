"""A textured room behind a head: five walls of an open box, which do not move.

The head is in the middle of the room, which has no front wall and no inside of its own: a wall is
seen from the side of the head alone. Each wall has a colour, soft blotches and stripes, and some
rectangles that stand for pictures and windows. So the background has parallax and texture as a
photograph's has, a little out of focus.
"""

import itertools

import jax.numpy as jnp
import numpy as np

from sf3d_jax.gaussians.scene import Gaussians
from sf3d_jax.head.carrying import carry
from sf3d_jax.head.covering import cover
from sf3d_jax.making.colors import draw_waves

# Half extents of the room along x, y and z, as multiples of the length that an image shows.
HALF_EXTENTS = np.array([5.5, 4.5, 6.0])
COUNT = 40_000  # Gaussians
PICTURES = 90
SOFT = 0.15  # width of a border, in the unit of HALF_EXTENTS
TINT = 0.08  # deviation of a colour from grey

# Walls are flat, and their pieces are tens of pixels wide: larger and more opaque Gaussians than on
# a head leave no gaps.
CLOSED = {"size": 0.4, "opacity": 6.0}


def build_room(generator: np.random.Generator, extent: float) -> Gaussians:
    """Builds a room at random.

    Args:
      generator: source of chance.
      extent: length in metres that an image shows at the head.

    Returns:
      The Gaussians of the walls, in linear RGB; the origin is in the middle.
    """
    corners = HALF_EXTENTS * np.array(np.meshgrid(*[(-1, 1)] * 3, indexing="ij")).reshape(3, -1).T
    # The corners of the left, right, lower, upper and back wall, counterclockwise from inside.
    walls = [(4, 5, 7, 6), (0, 2, 3, 1), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2)]
    faces = np.array([(a, *pair) for a, *rest in walls for pair in itertools.pairwise(rest)])
    pieces = cover(corners, faces, COUNT)
    points = (pieces.corners.mean(1)[..., None] * corners[faces[pieces.triangles]]).sum(1)
    colors = _paint(generator, points, pieces.triangles // 2)
    vertices = jnp.asarray(extent * corners, jnp.float32)
    return carry(pieces, faces.astype(np.int32), vertices, jnp.asarray(colors), **CLOSED)


def _paint(generator: np.random.Generator, points: np.ndarray, walls: np.ndarray) -> np.ndarray:
    """Linear colours of points [N, 3] on the walls [N]."""
    tones = 0.25 + 0.5 * generator.random((5, 1)) + TINT * generator.normal(size=(5, 3))
    colors = tones[walls]
    for _ in range(PICTURES):
        middle = generator.uniform(-1, 1, 3) * HALF_EXTENTS
        half = generator.uniform(0.2, 0.9, 3)
        tone = generator.uniform(0.05, 0.9) + TINT * generator.normal(size=3)
        # A picture is thin across its own wall, which is any that it reaches.
        wall = generator.integers(5)
        axis = (0, 0, 1, 1, 2)[wall]
        # Borders are as soft as pieces are large.
        inside = np.clip((half - np.abs(points - middle)) / SOFT + 0.5, 0, 1)
        inside[:, axis] = 1
        share = inside.min(1) * (walls == wall)
        colors += share[:, None] * (tone - colors)
    waves = draw_waves(generator, points, (0.5, 4.0))
    return np.clip(colors * (1 + 0.9 * waves[:, None]), 0.02, 1).astype(np.float32)
