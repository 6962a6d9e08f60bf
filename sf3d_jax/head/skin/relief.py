"""What is too fine for the mesh and changes with the expression: folds that darken and tilt skin.

A piece of the surface whose height over the mesh is h has the normal n - grad h, where n is that of
the mesh. The gradient is that of the linear function with the heights at the piece's corners.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.head.person import landmarks
from sf3d_jax.head.person.lids import rotate_pitch, rotate_roll, rotate_yaw
from sf3d_jax.head.person.rounding import turn
from sf3d_jax.head.skin.layers.complexion import SHADE
from sf3d_jax.head.skin.layers.folds import find_depth
from sf3d_jax.head.skin.layers.places import Array, Places
from sf3d_jax.head.skin.layers.relief import find_height
from sf3d_jax.head.skin.noise import blend
from sf3d_jax.head.skin.traits import Complexion, draw_traits

# How deep an expression folds old skin, in centimetres; young skin folds this share of it.
_DEEPEST = {
    "forehead": 0.050,
    "frown": 0.055,
    "crow": 0.034,
    "lid": 0.022,
    "cheek": 0.070,
    "mouth": 0.045,
    "nose": 0.030,
    "lips": 0.022,
    "chin": 0.035,
}
_YOUNG = 0.5
# Kinds of folds by units of expression, with the depth that the whole unit gives. What is named
# here without a side is so on both.
_UNITS: dict[str, dict[str, float]] = {
    "browInnerUp": {"forehead": 1.0},
    "browOuterUp": {"forehead": 1.0},
    "browDown": {"frown": 1.0},
    "eyeSquint": {"crow": 0.5, "lid": 0.7},
    "cheekSquint": {"crow": 0.8, "lid": 0.8},
    "mouthSmile": {"crow": 0.4, "cheek": 1.0},
    "mouthUpperUp": {"cheek": 0.5},
    "mouthDimple": {"cheek": 0.4, "mouth": 0.4},
    "mouthFrown": {"mouth": 1.0, "chin": 0.4},
    "mouthStretch": {"mouth": 0.4},
    "mouthPress": {"mouth": 0.3, "chin": 0.3},
    "noseSneer": {"nose": 1.0, "cheek": 0.6},
    "mouthShrugLower": {"chin": 1.0},
    "mouthPucker": {"lips": 1.0, "chin": 0.2},
    "mouthFunnel": {"lips": 0.4},
}
_SIDES = ("Left", "Right")
_DARKEST = 0.45
_CHUNK = 8192


class _Fold(NamedTuple):
    """One kind of folds on one side: the pieces it touches, their depths and gradients."""

    pieces: npt.NDArray[np.intp]
    shade: Array
    slope: Array


class Relief:
    """The folds and the fine relief of a person's skin, for the pieces of one cover."""

    def __init__(self, corners: npt.ArrayLike, parts: npt.ArrayLike, seed: int) -> None:
        """Finds all folds.

        Args:
          corners: (N, 3, 3), the corners of the pieces on the template, in centimetres.
          parts: (N,), places in `landmarks.PARTS`; pieces that are not skin stay smooth.
          seed: the person, from 0 on.
        """
        at = np.asarray(corners, np.float64)
        traits = draw_traits(seed)
        self._count = len(at)
        self._skin = np.flatnonzero(np.asarray(parts) == landmarks.SKIN)
        x, self._dual = at[self._skin], _find_dual(at[self._skin])
        area = np.linalg.norm(np.cross(x[:, 1] - x[:, 0], x[:, 2] - x[:, 0]), axis=1) / 2
        # Corners are farther apart than the samples of the colours.
        spacing = np.repeat(np.sqrt(area / 2), 3).astype(np.float32)
        self._at = Places(x.reshape(-1, 3).astype(np.float32), spacing, traits.pattern)
        self._rest = np.zeros((self._count, 3), np.float32)
        self._rest[self._skin] = self._find_slope(_find_heights(self._at, traits.skin))
        self._folds = {}
        strength = _YOUNG + (1 - _YOUNG) * traits.skin.wrinkles
        for kind, deepest in _DEEPEST.items():
            depth = find_depth(self._at, kind) * np.float32(strength * deepest)
            for side, share in zip(_SIDES, _share_sides(self._at), strict=True):
                self._folds[kind, side] = self._make_fold(depth * share)

    def find(
        self, weights: Mapping[str, float], rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ) -> tuple[Array, Array]:
        """The folds of an expression.

        Args:
          weights: weights of 0 to 1 by names of `EXPRESSIONS`.
          rotation: (yaw, pitch, roll) of the head, as in `Person.vertices`.

        Returns:
          (N, 3), the share of light that the folds of the expression leave, 1 where there is none;
          and (N, 3), what to add to the unit normal of each piece.
        """
        light = np.ones((self._count, 3), np.float32)
        slope = self._rest.copy()
        for (kind, side), fold in self._folds.items():
            amount = min(1.0, _sum_units(weights, kind, side))
            if amount > 0:
                light[fold.pieces] -= np.float32(amount) * fold.shade
                slope[fold.pieces] += np.float32(amount) * fold.slope
        yaw, pitch, roll = rotation
        # A rotation's columns are the turned axes.
        whole = turn(turn(rotate_roll(roll).T, rotate_pitch(pitch)), rotate_yaw(yaw)).T
        light = np.maximum(light, np.float32(_DARKEST))
        return light, turn(slope.astype(np.float64), whole).astype(np.float32)

    def _make_fold(self, depth: Array) -> _Fold:
        of_pieces = depth.reshape(-1, 3)
        touched = np.flatnonzero(of_pieces.any(axis=1))
        mean = of_pieces[touched].sum(1, keepdims=True) * np.float32(1 / 3)
        slope = self._find_slope(-depth, touched)
        return _Fold(self._skin[touched], mean * SHADE, slope)

    def _find_slope(self, height: Array, chosen: npt.NDArray[np.intp] | None = None) -> Array:
        """Minus the gradient of heights at the corners, (N, 3)."""
        h, dual = height.reshape(-1, 3), self._dual
        if chosen is not None:
            h, dual = h[chosen], dual[chosen]
        rise = h[:, 1:] - h[:, :1]
        return -(rise[:, :1] * dual[:, 0] + rise[:, 1:] * dual[:, 1])


def _find_heights(at: Places, skin: Complexion) -> Array:
    parts = []
    for start in range(0, len(at.points), _CHUNK):
        some = slice(start, start + _CHUNK)
        parts.append(find_height(Places(at.points[some], at.spacing[some], at.pattern), skin))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _find_dual(x: npt.NDArray[np.float64]) -> Array:
    """(N, 2, 3): gradients of the linear functions that are 1 at one corner and 0 at others."""
    a, b = x[:, 1] - x[:, 0], x[:, 2] - x[:, 0]
    aa, bb, ab = ((p * q).sum(1, keepdims=True) for p, q in ((a, a), (b, b), (a, b)))
    det = aa * bb - ab * ab
    # A sliver has no gradient of its own.
    scale = np.divide(1, det, out=np.zeros_like(det), where=det > 1e-3 * aa * bb)
    return np.stack([(bb * a - ab * b) * scale, (aa * b - ab * a) * scale], 1).astype(np.float32)


def _share_sides(at: Places) -> tuple[Array, Array]:
    left = blend(0.5 + at.points[:, 0] / 1.6)
    return left, 1 - left


def _sum_units(weights: Mapping[str, float], kind: str, side: str) -> float:
    total = 0.0
    for unit, kinds in _UNITS.items():
        if kind in kinds:
            total += kinds[kind] * weights.get(unit + side, weights.get(unit, 0.0))
    return total
