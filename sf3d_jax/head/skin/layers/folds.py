"""Folds of the face: where they run, for the lines that age leaves and those that a face makes.

A fold is a valley about a line. Its depth is 1 along the line and falls to 0 at half its width; a
valley that is narrower than the samples' distance becomes wider and shallower, so that its area
stays. Parallel folds are the cells' middles of a coordinate across them, which noise bends.
"""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from sf3d_jax.head.person import landmarks
from sf3d_jax.head.skin.layers.places import Array, Places
from sf3d_jax.head.skin.noise import blend, fade, hash_cells

_BEND, _BREAK, _STRENGTH, _PEBBLES = range(60, 64)
# From the wing of the nose to beside the mouth, and from its corner to the jaw: (|x|, y).
_NASOLABIAL = ((1.6, -3.7), (2.05, -4.6), (2.6, -5.6), (3.0, -6.6), (3.15, -7.6))
_MARIONETTE = ((2.75, -7.3), (2.95, -8.1), (2.9, -9.2))
# From the inner corner of the eye to the cheek.
_TROUGH = ((1.75, -0.75), (2.2, -1.45), (2.9, -1.85), (3.7, -1.75))
_CROW = (4.35, 0.0)
_NARROW, _WIDE = 0.09, 0.16


def _fold_forehead(at: Places) -> Array:
    x, y, _ = at.axes
    where = at.bump([0.0, 4.2, 7.8], [5.4, 1.9, 5.5])
    bent = y - 0.022 * x * x + 0.10 * at.noise(_BEND, 3.0, 2)
    return where * _run(at, bent - 0.1, 0.62, _WIDE, 0) * _break(at, 1.8)


def _fold_frown(at: Places) -> Array:
    x, y, _ = at.axes
    lean = 0.10 * (y - 1.6) + 0.05 * at.noise(_BEND, 1.5)
    upright = _valley(at, x - 0.55 - lean, 0.15) + 0.5 * _valley(at, x - 1.0 - lean, 0.12)
    root = _valley(at, y - 0.55 - 0.12 * x, 0.14) * blend((1.0 - x) / 0.5)
    where = at.bump([0.6, 1.75, 8.6], [1.0, 1.35, 1.8])
    return (
        blend(1.5 * where) * upright + 0.6 * blend(2 * at.bump([0, 0.5, 8.3], [1, 0.6, 2])) * root
    )


def _fold_crow(at: Places) -> Array:
    """Rays from the outer corner of the eye."""
    x, y, z = at.axes
    out = np.maximum(x - _CROW[0] + 0.9, 0.3)
    ray = (y - _CROW[1]) / out + 0.12 * at.noise(_BEND, 1.2)
    near = blend((x - _CROW[0] - 0.15) / 0.35) * blend((6.5 - x) / 1.1) * blend(z / 2)
    near = near * blend((1.5 - np.abs(y + 0.15)) / 0.8)
    return near * _run(at, ray, 0.34, _NARROW, 1, out)


def _fold_lid(at: Places) -> Array:
    """Arcs below the eye."""
    x, y, z = at.axes
    dx, dy = x - np.float32(landmarks.EYE[0]), y
    arc = np.sqrt(np.square(0.72 * dx) + dy * dy) + 0.05 * at.noise(_BEND, 1.2)
    where = at.bump([3.3, -1.55, 7.6], [1.5, 0.85, 1.8])
    return where * _run(at, arc, 0.30, _NARROW, 2) * _break(at, 0.9) * (z > 3)


def _fold_trough(at: Places) -> Array:
    return _trace(at, _TROUGH, 0.28)


def _fold_cheek(at: Places) -> Array:
    return _trace(at, _NASOLABIAL, 0.30)


def _fold_mouth(at: Places) -> Array:
    return _trace(at, _MARIONETTE, 0.24)


def _fold_nose(at: Places) -> Array:
    x, y, _ = at.axes
    bent = y + 0.55 * x + 0.04 * at.noise(_BEND, 0.8)
    return at.bump([0.75, -0.5, 8.5], [0.75, 1.1, 1.7]) * _run(at, bent, 0.36, _NARROW, 3)


def _fold_lips(at: Places) -> Array:
    """Fine upright lines around the mouth."""
    x, y, _ = at.axes
    where = at.bump([0.9, -5.75, 8.5], [1.8, 0.75, 1.8])
    where = np.maximum(where, 0.6 * at.bump([0.8, -8.35, 8.2], [1.6, 0.6, 1.6]))
    fan = x * (1 + 0.10 * (y - np.float32(landmarks.MOUTH_HEIGHT)))
    return where * _run(at, fan + 0.04 * at.noise(_BEND, 0.7), 0.27, _NARROW, 4) * _break(at, 0.8)


def _fold_chin(at: Places) -> Array:
    """Pebbles, as the muscle of the chin pulls at the skin."""
    where = at.bump([0.0, -9.9, 8.0], [1.7, 1.2, 2.0])
    return where * np.clip(0.4 + 0.4 * at.noise(_PEBBLES, 0.5, 2), 0, 1)


def _fold_neck(at: Places) -> Array:
    x, y, _ = at.axes
    where = at.bump([0.0, -13.2, 2.5], [5.0, 2.6, 5.0])
    bent = y + 0.03 * x * x + 0.12 * at.noise(_BEND, 3.0)
    return where * _run(at, bent, 1.3, 0.2, 5) * _break(at, 2.0)


FOLDS: dict[str, Callable[[Places], Array]] = {
    "forehead": _fold_forehead,
    "frown": _fold_frown,
    "crow": _fold_crow,
    "lid": _fold_lid,
    "trough": _fold_trough,
    "cheek": _fold_cheek,
    "mouth": _fold_mouth,
    "nose": _fold_nose,
    "lips": _fold_lips,
    "chin": _fold_chin,
    "neck": _fold_neck,
}
# The box about each kind of fold, |x|, y and z at least and at most: nothing is computed outside.
_BOXES = {
    "forehead": ((0, 2.2, 2), (5.5, 6.2, 14)),
    "frown": ((0, -0.2, 6), (1.7, 3.2, 14)),
    "crow": ((4.2, -1.8, 0), (6.8, 1.5, 14)),
    "lid": ((1.6, -2.5, 3), (4.9, -0.6, 14)),
    "trough": ((1.4, -2.4, 4), (4.1, -0.4, 14)),
    "cheek": ((1.2, -8.1, 4), (3.7, -3.2, 14)),
    "mouth": ((2.4, -9.7, 4), (3.5, -6.9, 14)),
    "nose": ((0, -1.7, 6.5), (1.6, 0.7, 14)),
    "lips": ((0, -9.0, 6.5), (2.8, -4.9, 14)),
    "chin": ((0, -11.2, 5.8), (1.8, -8.6, 14)),
    "neck": ((0, -15.9, -3), (5.1, -10.5, 8)),
}


def find_depth(at: Places, kind: str) -> Array:
    """How deep the folds of a kind are: (N,), 0 to about 1, 1 in the middle of the deepest.

    Args:
      at: points of the skin.
      kind: a name in `FOLDS`.
    """
    depth = np.zeros(len(at.points), np.float32)
    low, high = np.array(_BOXES[kind], np.float32)
    near = np.ones(len(depth), bool)
    for i, x in enumerate(at.axes):
        near &= (x > low[i]) & (x < high[i])
    if near.any():
        depth[near] = FOLDS[kind](at.choose(near))
    return depth


def _valley(at: Places, across: Array, width: float, scale: Array | float = 1.0) -> Array:
    """A valley at across = 0; `scale` is the length of a unit of `across`."""
    wide = np.maximum(np.float32(width), 2 * at.spacing)
    q = across * scale / wide
    return (width / wide * np.square(np.maximum(1 - q * q, 0))).astype(np.float32)


def _run(
    at: Places, across: Array, period: float, width: float, key: int, scale: Array | float = 1.0
) -> Array:
    """Parallel valleys, some deeper than others; those that samples cannot tell apart fade."""
    cell = np.floor(across * np.float32(1 / period))
    middle = across - (cell + np.float32(0.5)) * np.float32(period)
    number = cell.astype(np.int32).view(np.uint32)
    side = (at.points[:, 0] > 0).astype(np.uint32) if key else np.zeros_like(number)
    bits = hash_cells(number, side, np.full_like(number, key), at.key(_STRENGTH))
    strength = np.float32(0.35) + (bits & np.uint32(255)).astype(np.float32) * np.float32(
        0.65 / 255
    )
    return strength * _valley(at, middle, width, scale) * fade(period, at.spacing / scale)


def _break(at: Places, length: float) -> Array:
    """Lines are not equally deep along their way."""
    return np.clip(0.75 + 0.4 * at.noise(_BREAK, length), 0.15, 1.2)


def _trace(at: Places, line: Sequence[tuple[float, float]], width: float) -> Array:
    """A valley along a polyline in (|x|, y) that tapers at both ends."""
    x, y, _ = at.axes
    x, y = x + 0.05 * at.noise(_BEND, 1.6), y
    count, best = len(line) - 1, np.full(len(x), 99.0, np.float32)
    place = np.zeros_like(best)
    for i, ((ax, ay), (bx, by)) in enumerate(itertools.pairwise(line)):
        dx, dy = bx - ax, by - ay
        t = np.clip(((x - ax) * dx + (y - ay) * dy) * np.float32(1 / (dx * dx + dy * dy)), 0, 1)
        away = np.square(x - ax - t * dx) + np.square(y - ay - t * dy)
        closer = away < best
        best, place = np.where(closer, away, best), np.where(closer, (i + t) / count, place)
    taper = blend(place / 0.25 + 0.1) * blend((1 - place) / 0.45)
    return _valley(at, np.sqrt(best), width) * taper
