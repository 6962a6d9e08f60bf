"""How lips and jaw move over the template, in centimetres.

The lips part like a crack in an elastic sheet: with elliptic coordinates about the corners of the
mouth, x = a cosh(m) cos(n), height = a sinh(m) sin(n), the upper lip has the weight (1 - sin n) / 2
of the jaw's turn, which is 0 above the middle of the mouth, 1 below it, and 1/2 at its corners. So
an open mouth is an oval, and cheeks follow the jaw smoothly.
"""

from typing import NamedTuple

import numpy as np

from sf3d_jax.head.person.landmarks import (
    HINGE,
    LOWER_TEETH,
    MOUTH,
    MOUTH_HALF_WIDTH,
    SKIN,
    TONGUE,
    Floats,
    mouth_line,
    smoothstep,
)
from sf3d_jax.head.person.rounding import snap
from sf3d_jax.head.person.template.building import Template
from sf3d_jax.head.person.template.shape import LIP_GAP, cavity_distance, slit_half_height

# Lips that touch leave this much between them, so that they do not cross.
_CONTACT_GAP = 0.012
# The lips' closing fades over this height, and behind this depth.
_LIP_HEIGHT = 0.9
_LIP_DEPTHS = 5.6, 6.8


class MouthWeights(NamedTuple):
    """Weights of each vertex.

    Attributes:
      jaw: (V,), share of the jaw's turn.
      lips: (V,), 1 on the lips, where `mouthClose` makes the shares of both lips equal.
      upper, lower: (V,), 1 above and below the slit, 0 on its other side; 1/2 at the corners'
        height beyond.
      closing: (V, 3), the move that closes the template's lips.
      skin: (V,), 1 on the skin, 0 on the cavity's wall and on other parts.
    """

    jaw: Floats
    lips: Floats
    upper: Floats
    lower: Floats
    closing: Floats
    skin: Floats


def weigh_mouth(template: Template) -> MouthWeights:
    """Weights of the template's vertices for the motion of mouth and jaw."""
    points, part = template.vertices, template.vertex_parts
    height = points[:, 1] - mouth_line(points[:, 0])
    is_surface = (part == SKIN) | (part == MOUTH)
    elliptic = _elliptic_sine(points[:, 0], height)
    upper = 0.5 + 0.5 * elliptic
    front = smoothstep((points[:, 2] - _LIP_DEPTHS[0]) / (_LIP_DEPTHS[1] - _LIP_DEPTHS[0]))
    near = np.hypot(
        np.maximum(np.abs(height) - LIP_GAP, 0) / _LIP_HEIGHT,
        np.maximum(np.abs(points[:, 0]) - MOUTH_HALF_WIDTH, 0) / _LIP_HEIGHT,
    )
    lips = smoothstep(1 - near) * front * is_surface
    move = np.maximum(slit_half_height(points[:, 0]) - _CONTACT_GAP, 0) * lips
    closing = np.zeros_like(points)
    closing[:, 1] = -np.sign(height) * move
    depth = smoothstep(cavity_distance(points) / 0.5)
    jaw = _jaw_share(points, part, elliptic)
    weights = (jaw, lips, upper, 1 - upper, closing, depth * is_surface)
    return MouthWeights(*(snap(weight) for weight in weights))


def _elliptic_sine(x: Floats, height: Floats) -> Floats:
    """sin n, from -1 to 1, of x = a cosh(m) cos(n), height = a sinh(m) sin(n)."""
    a = MOUTH_HALF_WIDTH
    # The slit's own height is taken off, so that its edges are the cut of the plane.
    y = np.sign(height) * np.maximum(np.abs(height) - slit_half_height(x), 0)
    total = x * x + y * y - a * a
    # sin^2 n is the positive root of a^2 s^2 + total s - y^2 = 0.
    root = np.sqrt(total * total + 4 * a * a * y * y)
    square = np.where(
        total <= 0, (root - total) / (2 * a * a), 2 * y * y / np.maximum(root + total, 1e-12)
    )
    return np.sign(height) * np.sqrt(np.clip(square, 0, 1))


def _jaw_share(points: Floats, part: np.ndarray, elliptic: Floats) -> Floats:
    """Share of the jaw's turn of each vertex."""
    below = HINGE[1] - points[:, 1]
    ahead = points[:, 2] - HINGE[2]
    # Saturated, so that the chin is rigid; the far cheek takes half of the motion at the mouth's
    # height.
    rounded = np.sign(elliptic) * np.abs(elliptic) ** 1.6
    skin = 0.5 - 0.5 * np.sin(0.5 * np.pi * np.clip(1.2 * rounded, -1, 1))
    skin = skin * smoothstep((points[:, 1] + 2.2) / -3.0)
    # Towards the neck and the corner of the jaw the motion fades with the angle about the hinge.
    angle = np.arctan2(below, ahead)
    skin = skin * smoothstep((1.8 - angle) / 1.05) * smoothstep((ahead + 1.5) / 4.5)
    # The cavity's floor and roof go with the teeth; towards the lips it goes with the skin.
    height = points[:, 1] - mouth_line(points[:, 0])
    cavity = smoothstep(0.5 - height / 1.6)
    inner = smoothstep((6.9 - points[:, 2]) / 1.2) * (part == MOUTH)
    share = skin + inner * (cavity - skin)
    share = np.where((part == SKIN) | (part == MOUTH), share, 0.0)
    return np.where((part == LOWER_TEETH) | (part == TONGUE), 1.0, share)
