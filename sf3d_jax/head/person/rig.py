"""The moving template: what is the same for all people, and the motion itself, in centimetres.

Linear moves come first, then lids and eyes, then the jaw with tongue, and the neck last.
"""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sf3d_jax.head.person.expression import make_fields
from sf3d_jax.head.person.fields import Field
from sf3d_jax.head.person.identity import Identity
from sf3d_jax.head.person.landmarks import (
    HINGE,
    LEFT_EYE,
    NECK,
    RIGHT_EYE,
    TONGUE,
    Floats,
    smoothstep,
)
from sf3d_jax.head.person.lids import (
    LidPose,
    Lids,
    find_lids,
    move_lids,
    rotate_pitch,
    rotate_roll,
    rotate_yaw,
)
from sf3d_jax.head.person.mouth import MouthWeights, weigh_mouth
from sf3d_jax.head.person.proportions import Proportions, find_proportions
from sf3d_jax.head.person.rounding import cos_sin, snap, turn
from sf3d_jax.head.person.template.building import Template
from sf3d_jax.head.person.template.caching import load_template
from sf3d_jax.head.person.template.meshing import Ints

# Motion of the rig at weight 1: radians, centimetres.
_JAW_OPEN, _JAW_SIDE, _JAW_FORWARD = 0.40, 0.10, 0.6
_LOOK_SIDE, _LOOK_UP, _LOOK_DOWN = 0.55, 0.42, 0.50
# The tongue rises over the lower teeth, comes out, and hangs over the lip.
_TONGUE_UP, _TONGUE_OUT, _TONGUE_DOWN = 1.25, 4.6, 0.3
# A tongue that comes out opens the jaw at least this much, before it reaches the teeth.
_JAW_OF_TONGUE = 0.5
_RISEN, _SETS_OUT = 0.45, 0.25
_LIP_DEPTH = 8.9


class Rig(NamedTuple):
    """What moves the template.

    Attributes:
      template: the mesh.
      mouth: weights of mouth and jaw.
      jaw_indices: the vertices that the jaw moves.
      jaw, lips: their shares of the jaw's turn, and of `mouthClose`.
      tongue: the vertices of the tongue, and their places from its root, 0, to its tip, 1.
      lids: lids of the left and the right eye.
      fields: the linear displacement of each unit of expression that has one.
      neck: (V,), share of the head's turn.
      proportions: how distances between landmarks are measured and changed.
    """

    template: Template
    mouth: MouthWeights
    jaw_indices: Ints
    jaw: Floats
    lips: Floats
    tongue: tuple[Ints, Floats]
    lids: tuple[Lids, Lids]
    fields: dict[str, Field]
    neck: Floats
    proportions: Proportions


@functools.cache
def load_rig() -> Rig:
    """The rig of the template."""
    template = load_template()
    mouth = weigh_mouth(template)
    jaw_indices = np.flatnonzero(np.maximum(mouth.jaw, mouth.lips) > 1e-4)
    tongue = np.flatnonzero(template.vertex_parts == TONGUE)
    depth = template.vertices[tongue, 2]
    forward = (depth - depth.min()) / np.ptp(depth)
    y, z = template.vertices[:, 1], template.vertices[:, 2]
    # The chin turns with the skull: what is in front of the neck counts as higher.
    neck = smoothstep((y + 0.55 * (z - NECK[2]) + 15.0) / 6.5) * smoothstep((y + 16.0) / 3.0)
    return Rig(
        template,
        mouth,
        jaw_indices,
        mouth.jaw[jaw_indices],
        mouth.lips[jaw_indices],
        (tongue, snap(forward)),
        (find_lids(template, 1, LEFT_EYE), find_lids(template, -1, RIGHT_EYE)),
        make_fields(template, mouth),
        snap(neck),
        find_proportions(template, mouth),
    )


def move(
    rig: Rig,
    identity: Identity,
    centers: Floats,
    weights: Mapping[str, float],
    rotation: tuple[float, float, float],
) -> Floats:
    """Vertices (V, 3) of a person with an expression.

    Args:
      rig: what moves the template.
      identity: the person.
      centers: (2, 3), centres of the person's left and right eye.
      weights: weights of 0 to 1 of the units of expression.
      rotation: (yaw, pitch, roll) of the head in radians: to the subject's left, up, and its left
        side up.
    """
    vertices = identity.vertices + rig.mouth.closing
    for name, weight in weights.items():
        if weight and name in rig.fields:
            field = rig.fields[name]
            vertices[field.indices] += np.float32(weight) * field.moves
    for lids, center, side in zip(rig.lids, centers, ("Left", "Right"), strict=True):
        pose = _pose_lids(weights, side)
        move_lids(vertices, lids, center, identity.openness, identity.slant, pose)
    _move_jaw(vertices, rig, weights)
    turn_head(vertices, rig.neck, rotation)
    return vertices


def _pose_lids(weights: Mapping[str, float], side: str) -> LidPose:
    def weight(name: str) -> float:
        return weights.get(name + side, 0.0)

    return LidPose(
        blink=weight("eyeBlink"),
        wide=weight("eyeWide"),
        squint=weight("eyeSquint"),
        gaze_out=_LOOK_SIDE * (weight("eyeLookOut") - weight("eyeLookIn")),
        gaze_up=_LOOK_UP * weight("eyeLookUp") - _LOOK_DOWN * weight("eyeLookDown"),
    )


def _move_jaw(vertices: Floats, rig: Rig, weights: Mapping[str, float]) -> None:
    """Turns the jaw about its hinge, and moves the tongue in its axes, in place."""
    out = weights.get("tongueOut", 0.0)
    lift = float(smoothstep(np.asarray(out / _RISEN)))
    opening = _JAW_OPEN * max(weights.get("jawOpen", 0.0), _JAW_OF_TONGUE * lift)
    side = _JAW_SIDE * (weights.get("jawLeft", 0.0) - weights.get("jawRight", 0.0))
    forward = _JAW_FORWARD * weights.get("jawForward", 0.0)
    if out:
        _move_tongue(
            vertices, rig, lift, float(smoothstep(np.asarray((out - _SETS_OUT) / (1 - _SETS_OUT))))
        )
    if not (opening or side or forward):
        return
    close = weights.get("mouthClose", 0.0)
    share = rig.jaw + close * rig.lips * (0.5 - rig.jaw)
    x, y, z = (vertices[rig.jaw_indices] - HINGE).T
    cos, sin = cos_sin(opening * share)
    y, z = cos * y - sin * z, cos * z + sin * y
    cos, sin = cos_sin(side * share)
    x, z = cos * x + sin * z, cos * z - sin * x
    vertices[rig.jaw_indices] = np.stack([x, y, z + forward * share], 1) + HINGE


def _move_tongue(vertices: Floats, rig: Rig, lift: float, advance: float) -> None:
    tongue, share = rig.tongue
    vertices[tongue, 2] += advance * _TONGUE_OUT * share * np.sqrt(share)
    hanging = smoothstep((vertices[tongue, 2] - _LIP_DEPTH) / 1.2)
    vertices[tongue, 1] += lift * _TONGUE_UP * smoothstep(share / 0.6)
    vertices[tongue, 1] -= advance * _TONGUE_DOWN * hanging


def turn_head(vertices: Floats, share: Floats, rotation: tuple[float, float, float]) -> None:
    """Turns points about the neck, in place.

    Args:
      vertices: (N, 3), in centimetres.
      share: (N,), of the head's turn: 1 on the head, 0 on the shoulders.
      rotation: (yaw, pitch, roll), as for `move`.
    """
    yaw, pitch, roll = rotation
    if not (yaw or pitch or roll):
        return
    # A rotation's columns are the turned axes.
    tilt = turn(rotate_roll(roll).T, rotate_pitch(pitch))
    whole = turn(tilt, rotate_yaw(yaw)).T
    away = vertices - NECK
    vertices += share[:, None] * (turn(away, whole) - away)
