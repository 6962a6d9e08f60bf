"""Eyeballs: pupil, iris with fibres, limbus, white with veins, and the glint of a light."""

import numpy as np

from sf3d_jax.head.person import landmarks
from sf3d_jax.head.skin.layers.places import Array, Places, mix
from sf3d_jax.head.skin.noise import blend, fade
from sf3d_jax.head.skin.traits import Eyes

_FIBRES, _RINGS, _VEINS, _WHITE = range(20, 24)
_OTHER_EYE = 0x10000
_SCLERA = np.array([0.585, 0.555, 0.52], np.float32)
_BLOODY = np.array([0.52, 0.22, 0.17], np.float32)
_FLESH = np.array([0.45, 0.20, 0.17], np.float32)
_WET = np.array([0.70, 0.64, 0.61], np.float32)
_GLINT = np.array([0.95, 0.95, 0.95], np.float32)


def paint_eyeball(at: Places, eyes: Eyes, side: int) -> Array:
    """Linear reflectance of an eyeball, (N, 3).

    Args:
      at: points of one eyeball.
      eyes: the person's.
      side: 1 for the left eyeball, -1 for the right.
    """
    middle = (landmarks.EYE * [side, 1, 1]).astype(np.float32)
    q = at.points - middle
    # The two irises differ.
    eye = at._replace(points=q, pattern=at.pattern + side * _OTHER_EYE)
    radius = np.sqrt(q[:, 0] * q[:, 0] + q[:, 1] * q[:, 1])
    behind = 10 * blend(-q[:, 2] / 0.2)
    color = _paint_white(eye, eyes, side)
    iris = eyes.iris_size * landmarks.IRIS_RADIUS
    rim = eye.soften(radius + behind - iris, 0.09)
    # The limbus has no sharp edge: some of it shines through the white about it.
    color = color * (1 - 0.35 * blend(1 - (radius - iris) / 0.13))[:, None]
    color = mix(color, rim, _paint_iris(eye, radius / iris, eyes))
    pupil = eye.soften(radius + behind - eyes.pupil_size * landmarks.PUPIL_RADIUS, 0.04)
    color = mix(color, pupil, np.full(3, 0.004, np.float32))
    color = color * _shade_by_lids(q)[:, None]
    color = mix(color, 0.45 * _find_wet_line(eye), _WET)
    gx, gy = q[:, 0] - 0.2, q[:, 1] - 0.22
    glint = eye.soften(np.sqrt(gx * gx + gy * gy) + behind - 0.085, 0.06)
    return mix(color, 0.9 * glint, _GLINT)


def _shade_by_lids(q: Array) -> Array:
    """The light that lids and lashes leave on the ball: less above, at both corners and below."""
    x, y, _ = q.T
    left = 1 - 0.45 * blend((y + 0.08) / 0.55)
    left = left * (1 - 0.12 * blend((-y - 0.15) / 0.4))
    return left * (1 - 0.32 * blend((np.abs(x) - 0.5) / 0.6))


def _find_wet_line(eye: Places) -> Array:
    """Where tears stand on the margin of the lower lid, 1 on it."""
    x, y, z = eye.points.T
    length = np.sqrt(x * x + y * y + z * z) + np.float32(1e-6)
    rim = landmarks.almond(x / length, y / length, *landmarks.FISSURE).astype(np.float32)
    off = np.abs(rim * landmarks.EYE_RADIUS + 0.03)
    return eye.soften(off - 0.02, 0.06) * blend(0.5 - y / 0.3) * blend((0.8 - np.abs(x)) / 0.4)


def _paint_white(eye: Places, eyes: Eyes, side: int) -> Array:
    x, _, z = eye.points.T
    color = _SCLERA * (1 + 0.03 * eye.noise(_WHITE, 0.8, 3))[:, None]
    # Veins run from the corners to the iris: zero crossings of stretched noise.
    along = eye._replace(points=eye.points * np.array([0.35, 1, 1], np.float32))
    line = 1 - np.abs(along.noise(_VEINS, 0.55, 3)) * 6
    away = blend((np.abs(x) - 0.45) / 0.6)
    vein = np.maximum(line, 0) * away * fade(0.16, eye.spacing)
    color = mix(color, (0.25 + 0.5 * eyes.veins) * vein, _BLOODY)
    color = mix(color, (0.10 + 0.15 * eyes.veins) * away, _BLOODY)
    # The flesh in the inner corner.
    near = eye.points - np.array([-side * 1.06, -0.04, 0.5], np.float32)
    near = np.sqrt(near[:, 0] * near[:, 0] + near[:, 1] * near[:, 1])
    color = mix(color, 0.8 * blend(1.1 - near / 0.42), _FLESH)
    return mix(color, blend(0.5 - z / 0.4), _FLESH)


def _paint_iris(eye: Places, out: Array, eyes: Eyes) -> Array:
    """Radial fibres, a collar around the pupil, a dark limbus; `out` is 1 at the iris's rim."""
    x, y, _ = eye.points.T
    radius = np.maximum(np.sqrt(x * x + y * y), np.float32(1e-3))
    turned = np.stack([x / radius, y / radius, 0.35 * radius], axis=-1)
    fibres = eye._replace(points=turned, spacing=eye.spacing / radius)
    tone = 1 + 0.28 * fibres.noise(_FIBRES, 0.34, 3, 0.9) + 0.12 * eye.noise(_RINGS, 0.5, 2)
    collar = blend((0.72 - out) / 0.3)
    color = eyes.iris + collar[:, None] * (eyes.collar - eyes.iris)
    # The fibres are brightest half way, and the limbus is a dark ring.
    light = (0.85 + 0.5 * blend(out / 0.7)) * (1 - 0.75 * blend((out - 0.74) / 0.24))
    return color * (np.maximum(tone, 0.3) * light)[:, None]
