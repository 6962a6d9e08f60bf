"""Prepares a mesh of unknown origin: unit, connected parts, outside, box, and plain skin."""

import numpy as np

from sf3d_jax.making.colors import draw_waves

# Longest side of the box about a mesh in metres; a larger one is in centimetres or millimetres.
LARGEST = 4.0

# Reflectance of skin, and angular frequencies of its blotches per metre.
LIGHT_SKIN, DARK_SKIN = np.array([0.62, 0.42, 0.33]), np.array([0.16, 0.08, 0.05])
BLOTCHES = (50.0, 400.0)


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


def is_inside_out(vertices: np.ndarray, faces: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Tells which triangles belong to closed parts that show their inside.

    Args:
      vertices: [V, 3].
      faces: [T, 3].
      parts: [T], numbers of connected parts.

    Returns:
      [T], bool. A part is closed if each of its edges belongs to two triangles that run along it in
      opposite directions; it is inside out if its volume is negative. Open parts are not.
    """
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    volume = np.bincount(parts, np.einsum("ij,ij->i", a, np.cross(b, c)))
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    forward = edges[:, 0] * len(vertices) + edges[:, 1]
    backward = edges[:, 1] * len(vertices) + edges[:, 0]
    has_partner = np.isin(forward, backward).reshape(3, -1).all(0)
    is_open = np.bincount(parts, ~has_partner) > 0
    return ((volume < 0) & ~is_open)[parts]


def reverse(faces: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """Reverses the order of the corners of some triangles.

    Args:
      faces: [T, 3], numbers of vertices or of texture coordinates.
      turned: [T], bool, which triangles.

    Returns:
      [T, 3].
    """
    return np.where(turned[:, None], faces[:, ::-1], faces)


def find_box(points: np.ndarray) -> tuple[np.ndarray, float]:
    """The box about points.

    Args:
      points: [V, 3].

    Returns:
      Its middle [3], and the longer of its width along x and its height along y.
    """
    low, high = points.min(0), points.max(0)
    return (low + high) / 2, float((high - low)[:2].max())


def measure_spread(points: np.ndarray) -> float:
    """The size of a shape, however it is turned.

    Args:
      points: [V, 3].

    Returns:
      The root of the mean squared distance to the mean, in the unit of the points.
    """
    return float(np.sqrt(((points - points.mean(0)) ** 2).sum(-1).mean()))


def paint_plainly(generator: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """Reflectance of skin without features, from light to dark, with soft blotches.

    Args:
      generator: source of chance.
      points: [N, 3], metres.

    Returns:
      [N, 3], float32, linear.
    """
    tone = LIGHT_SKIN + generator.random() * (DARK_SKIN - LIGHT_SKIN)
    waves = draw_waves(generator, points, BLOTCHES)
    return (tone * (1 + 0.3 * waves[:, None])).astype(np.float32)
