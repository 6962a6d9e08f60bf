"""The expressions: ARKit's 52 units as bumps of the skin, in centimetres, or weights of the rig.

Units of lids, gaze, jaw and tongue are rotations (`lids`, `rig`); the others are linear, and those
about the mouth move the upper or the lower lip alone where they must.
"""

import difflib
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sf3d_jax.head.person.fields import Field, bump, outward, pack, side_weight
from sf3d_jax.head.person.landmarks import EYE, Floats, smoothstep
from sf3d_jax.head.person.mouth import MouthWeights
from sf3d_jax.head.person.template.building import Template


def _sides(*names: str) -> tuple[str, ...]:
    return tuple(name + side for side in ("Left", "Right") for name in names)


EXPRESSIONS: tuple[str, ...] = (
    *_sides(
        *("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")
    ),
    *("jawForward", "jawLeft", "jawRight", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight"),
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *(
        "cheekPuff",
        "cheekSquintLeft",
        "cheekSquintRight",
        "noseSneerLeft",
        "noseSneerRight",
        "tongueOut",
    ),
)


class Push(NamedTuple):
    """A bump of the skin: centre, radii and move (outwards, up, forward), of both lips or of one.

    `across` is a move to the subject's left on both sides.
    """

    center: tuple[float, float, float]
    radii: tuple[float, float, float]
    move: tuple[float, float, float]
    lips: str = "both"
    across: float = 0.0


_CORNER = (2.4, -6.95, 7.3)
# The pushes of each unit; a unit that has a left and a right form is named once.
_PUSHES: dict[str, tuple[Push, ...]] = {
    "eyeSquint": (Push((3.2, -2.2, 7.2), (1.5, 0.8, 1.5), (0, 0.22, 0.08)),),
    "mouthClose": (
        Push((0, -6.3, 8.6), (2.0, 0.5, 1.2), (0, -0.05, -0.08), "upper"),
        Push((0, -7.6, 8.4), (1.8, 0.5, 1.2), (0, 0.05, -0.08), "lower"),
    ),
    "jawOpen": (Push(_CORNER, (1.2, 1.0, 1.6), (-0.18, 0, 0)),),
    "mouthFunnel": (
        Push(_CORNER, (1.1, 1.0, 1.5), (-0.55, 0, 0.25)),
        Push((0, -6.9, 8.5), (1.7, 0.9, 1.3), (0, 0, 0.45)),
        Push((0, -6.4, 8.6), (1.6, 0.55, 1.3), (0, 0.38, 0), "upper"),
        Push((0, -7.5, 8.4), (1.5, 0.55, 1.3), (0, -0.45, 0), "lower"),
    ),
    "mouthPucker": (
        Push(_CORNER, (1.3, 1.0, 1.6), (-0.85, 0, 0.3)),
        Push((0, -6.9, 8.5), (1.4, 0.9, 1.3), (0, 0, 0.45)),
    ),
    "mouthLeft": (Push((0, -6.95, 8.0), (2.6, 1.3, 2.0), (0, 0, 0), across=0.65),),
    "mouthRight": (Push((0, -6.95, 8.0), (2.6, 1.3, 2.0), (0, 0, 0), across=-0.65),),
    "mouthSmile": (
        Push(_CORNER, (0.7, 1.0, 1.4), (0.2, 0.5, -0.1)),
        Push((2.7, -6.9, 7.1), (1.5, 1.1, 1.6), (0.38, 0.06, -0.22)),
        Push((3.6, -4.3, 6.5), (1.3, 1.2, 1.5), (0.12, 0.36, 0.24)),
    ),
    "mouthFrown": (Push(_CORNER, (1.0, 1.0, 1.5), (0.12, -0.6, -0.1)),),
    "mouthDimple": (Push((2.7, -6.9, 7.0), (0.9, 0.8, 1.3), (0.3, 0.06, -0.28)),),
    "mouthStretch": (Push((2.6, -7.2, 7.1), (1.1, 1.2, 1.5), (0.55, -0.25, -0.25)),),
    "mouthRollLower": (Push((0, -7.4, 8.5), (1.9, 0.55, 1.0), (0, 0.06, -0.34), "lower"),),
    "mouthRollUpper": (Push((0, -6.45, 8.6), (1.9, 0.5, 1.0), (0, -0.06, -0.34), "upper"),),
    "mouthShrugLower": (
        Push((0, -9.6, 7.8), (1.7, 1.2, 1.4), (0, 0.35, 0.08)),
        Push((0, -7.2, 8.5), (1.8, 1.0, 1.2), (0, 0.26, 0.14)),
    ),
    "mouthShrugUpper": (Push((0, -6.4, 8.7), (1.7, 0.7, 1.2), (0, 0.18, 0.22), "upper"),),
    "mouthPress": (
        Push(_CORNER, (0.9, 0.8, 1.3), (0.12, 0.1, -0.15)),
        Push((1.2, -6.3, 8.3), (0.9, 0.4, 1.1), (0, -0.14, -0.14), "upper"),
        Push((1.2, -7.55, 8.2), (0.9, 0.4, 1.1), (0, 0.14, -0.14), "lower"),
    ),
    "mouthLowerDown": (Push((1.1, -7.4, 8.2), (1.1, 0.8, 1.3), (0.05, -0.5, 0), "lower"),),
    "mouthUpperUp": (
        Push((1.1, -6.3, 8.4), (1.1, 0.8, 1.3), (0.03, 0.45, 0), "upper"),
        Push((2.2, -4.9, 7.8), (1.0, 1.0, 1.3), (0.1, 0.2, 0.1), "upper"),
    ),
    "browDown": (Push((1.8, 2.0, 8.1), (1.5, 0.9, 1.6), (-0.18, -0.5, 0.08)),),
    "browInnerUp": (
        Push((1.2, 2.3, 8.4), (1.2, 1.1, 1.6), (0, 0.7, 0.05)),
        Push((1.0, 4.3, 8.2), (1.8, 1.4, 1.8), (0, 0.25, 0)),
    ),
    "browOuterUp": (
        Push((3.9, 2.5, 7.0), (1.3, 1.1, 1.8), (0, 0.7, 0)),
        Push((3.9, 4.4, 6.4), (1.6, 1.3, 1.8), (0, 0.25, 0)),
    ),
    "cheekPuff": (Push((3.7, -6.1, 5.9), (1.5, 1.6, 1.9), (0.75, 0, 0.5)),),
    "cheekSquint": (Push((3.7, -2.9, 6.8), (1.5, 1.0, 1.5), (0.05, 0.42, 0.16)),),
    "noseSneer": (
        Push((1.2, -3.6, 9.0), (0.9, 1.2, 1.3), (0.15, 0.5, 0.05)),
        Push((0.9, 0.3, 8.2), (0.9, 1.0, 1.2), (0, -0.1, 0.12)),
        Push((1.5, -5.9, 8.3), (0.8, 0.7, 1.1), (0, 0.26, 0), "upper"),
    ),
}
# Skin moves freely beyond the second distance from the centre of an eye, and not within the first.
_EYE_GUARD = 1.62, 2.3


def check_weights(expression: Mapping[str, float]) -> dict[str, float]:
    """The weights as floats; a ValueError names a wrong unit and the nearest, or a wrong value."""
    weights = {}
    for name, value in expression.items():
        if name not in EXPRESSIONS:
            near = difflib.get_close_matches(str(name), EXPRESSIONS, 1, cutoff=0.0)
            raise ValueError(
                f"expression: {name!r} is not one of ARKit's 52 names; did you mean {near[0]!r}?"
            )
        weight = float(value)
        if not (math.isfinite(weight) and 0 <= weight <= 1):
            raise ValueError(f"expression[{name!r}]: expected a weight from 0 to 1, got {value!r}")
        weights[name] = weight
    return weights


def make_fields(template: Template, mouth: MouthWeights) -> dict[str, Field]:
    """The linear displacement of each unit that has one."""
    points = template.vertices + mouth.closing
    mask = mouth.skin * _guard_eyes(points)
    fields = {}
    for name in EXPRESSIONS:
        base, side = _split_side(name)
        if base in _PUSHES:
            moves = sum(_push(points, push, mouth, side) for push in _PUSHES[base])
            fields[name] = pack(mask[:, None] * moves)
    return fields


def _split_side(name: str) -> tuple[str, int]:
    """The name that `_PUSHES` knows, and its side: 1 left, -1 right, 0 both."""
    if name in _PUSHES:
        return name, 0
    if name.endswith("Left"):
        return name.removesuffix("Left"), 1
    return name.removesuffix("Right"), -1


def _push(points: Floats, push: Push, mouth: MouthWeights, side: int) -> Floats:
    weight = bump(points, push.center, push.radii) * side_weight(points[:, 0], side)
    if push.lips != "both":
        weight = weight * (mouth.upper if push.lips == "upper" else mouth.lower)
    out, up, ahead = push.move
    x = out * outward(points[:, 0]) + push.across
    return weight[:, None] * np.stack([x, np.full_like(x, up), np.full_like(x, ahead)], 1)


def _guard_eyes(points: Floats) -> Floats:
    """0 on the lids, whose motion is their own, 1 away from them."""
    away = np.minimum(
        np.linalg.norm(points - EYE, axis=1), np.linalg.norm(points - EYE * [-1, 1, 1], axis=1)
    )
    return smoothstep((away - _EYE_GUARD[0]) / (_EYE_GUARD[1] - _EYE_GUARD[0]))
