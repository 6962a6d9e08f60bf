"""Signed distances of simple solids, and their smooth unions and differences.

Lengths are centimetres; distances are estimates that are exact near the surface only.
"""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from sf3d_jax.head.person.landmarks import Floats


def ellipsoid(p: Floats, center: object, radii: object) -> Floats:
    """Distance to an ellipsoid: k0 (k0 - 1) / k1 with k0 = |q / r|, k1 = |q / r^2|."""
    scaled = (p - np.asarray(center)) / np.asarray(radii)
    k0, k1 = length(scaled), length(scaled / np.asarray(radii))
    return k0 * (k0 - 1) / np.maximum(k1, 1e-9)


def cone(p: Floats, start: object, end: object, first: float, last: float) -> Floats:
    """Distance to spheres whose radius goes from `first` to `last` along a segment."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    along = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    away = p - a - along[:, None] * (b - a)
    return length(away) - (first + along * (last - first))


def tube(p: Floats, path: Sequence[tuple[float, float, float, float]], width: float) -> Floats:
    """Distance to cones along a path of (x, y, z, radius), rounded over `width` at its bends."""
    d = np.full(len(p), np.inf)
    for (*start, first), (*end, last) in itertools.pairwise(path):
        d = blend(d, cone(p, start, end, first, last), width)
    return d


def length(p: Floats) -> Floats:
    """Lengths of vectors (N, 3)."""
    # NumPy's sum over so short an axis takes several times as long.
    return np.sqrt(np.einsum("ij,ij->i", p, p))


def blend(a: Floats, b: Floats, width: float) -> Floats:
    """Union of two solids, rounded over `width` (quadratic smooth minimum)."""
    overlap = np.maximum(width - np.abs(np.where(np.isinf(a), width + np.abs(b), a - b)), 0) / width
    return np.minimum(a, b) - overlap * overlap * width / 4


def join(a: Floats, b: Floats, width: float) -> Floats:
    """What two solids have in common, rounded over `width`."""
    return -blend(-a, -b, width)


def cut(a: Floats, b: Floats, width: float) -> Floats:
    """Solid a without solid b, rounded over `width`."""
    return -blend(-a, b, width)


def near(
    p: Floats,
    d: Floats,
    center: object,
    reach: float,
    change: Callable[[Floats, Floats], Floats],
) -> Floats:
    """Distances d changed within `reach` of a place, where alone the change has an effect."""
    chosen = length(p - np.asarray(center)) < reach
    changed = d.copy()
    if chosen.any():
        changed[chosen] = change(p[chosen], d[chosen])
    return changed
