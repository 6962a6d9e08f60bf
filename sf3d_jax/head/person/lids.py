"""How lids slide on the eyeballs and eyeballs turn, in centimetres and radians.

About the centre of an eye a vertex has the elevation e = atan2(y, z) and the azimuth a = asin(x /
r). A lid moves by a change of e that fades from its margin outwards, so the distance r to the ball
never changes: the margins, e = upper(a) and e = lower(a), go where the expression wants them, and
what is beyond them is stretched, never folded.
"""

from typing import NamedTuple

import numpy as np

from sf3d_jax.head.person.landmarks import EYE, FISSURE, SKIN, Floats, smoothstep
from sf3d_jax.head.person.rounding import cos_sin, snap, turn
from sf3d_jax.head.person.template.building import Template
from sf3d_jax.head.person.template.meshing import Ints

# Elevation over which a lid's motion fades, above the upper margin and below the lower one.
_UPPER_SPAN, _LOWER_SPAN = 1.0, 0.9
# Distances from the centre between which the motion fades outwards.
_NEAR = 1.75, 2.9
# Closed lids meet at this share of the opening above the lower margin, this share apart.
_MEETING, _SLIT = 0.12, 0.02
# Lids turn with the gaze by these shares of its elevation.
_UPPER_FOLLOWS, _LOWER_FOLLOWS = 0.55, 0.3
# Moves of the margins at weight 1, as shares of the template's opening.
_WIDE, _SQUINT_UPPER, _SQUINT_LOWER = 0.28, -0.15, 0.2


class Lids(NamedTuple):
    """The skin about one eye in the template.

    Attributes:
      indices: (N,), the vertices that move.
      upper, lower: (N,), elevation by which a vertex moves if its margin moves by the template's
        opening.
      roll: (N,), share of the lids' slant.
      ball: (M,), the vertices of the eyeball.
      side: 1 left, -1 right.
    """

    indices: Ints
    upper: Floats
    lower: Floats
    roll: Floats
    ball: Ints
    side: int


class LidPose(NamedTuple):
    """What one eye does: weights of 0 to 1, and its gaze in radians, outwards and up."""

    blink: float = 0.0
    wide: float = 0.0
    squint: float = 0.0
    gaze_out: float = 0.0
    gaze_up: float = 0.0


def find_lids(template: Template, side: int, ball_part: int) -> Lids:
    """The lids of the left (side = 1) or the right (-1) eye."""
    q = template.vertices - EYE * [side, 1, 1]
    r = np.linalg.norm(q, axis=1)
    indices = np.flatnonzero((template.vertex_parts == SKIN) & (r < _NEAR[1]))
    q, r = q[indices], r[indices]
    elevation = np.arctan2(q[:, 1], q[:, 2])
    margin = _margin(q[:, 0] / r)
    near = smoothstep((_NEAR[1] - r) / (_NEAR[1] - _NEAR[0]))
    # What lies between the margins, in the corners of the eye, moves between them.
    share = np.where(margin > 0, (elevation + margin) / np.where(margin > 0, 2 * margin, 1), 0.5)
    share = np.clip(share, 0, 1)
    upper = smoothstep(1 - (elevation - margin) / _UPPER_SPAN) * near * share
    lower = smoothstep(1 + (elevation + margin) / _LOWER_SPAN) * near * (1 - share)
    ball = np.flatnonzero(template.vertex_parts == ball_part)
    weights = (snap(upper * 2 * margin), snap(lower * 2 * margin), snap(upper + lower))
    return Lids(indices, *weights, ball, side)


def move_lids(
    vertices: Floats, lids: Lids, center: Floats, openness: float, slant: float, pose: LidPose
) -> None:
    """Turns the lids and the ball of one eye, in place.

    Args:
      vertices: (V, 3), a person with the template's lids and untouched balls.
      lids: the skin about this eye.
      center: (3,), centre of this person's eye.
      openness: distance of the margins at rest, as a share of the template's.
      slant: radians by which the outer corner is raised.
      pose: motion of the eye.
    """
    upper, lower = _move_margins(openness, pose)
    angle = upper * lids.upper + lower * lids.lower
    x, y, z = (vertices[lids.indices] - center).T
    cos, sin = cos_sin(angle)
    y, z = cos * y + sin * z, cos * z - sin * y
    roll = lids.side * slant * lids.roll
    cos, sin = cos_sin(roll)
    vertices[lids.indices] = np.stack([cos * x - sin * y, sin * x + cos * y, z], 1) + center
    look = turn(rotate_pitch(pose.gaze_up).T, rotate_yaw(lids.side * pose.gaze_out)).T
    vertices[lids.ball] = turn(vertices[lids.ball] - center, look) + center


def rotate_yaw(angle: float) -> Floats:
    """Turns z towards x, the subject's left, by radians: (3, 3)."""
    c, s = cos_sin(np.asarray(angle))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rotate_pitch(angle: float) -> Floats:
    """Turns z towards y, up, by radians: (3, 3)."""
    c, s = cos_sin(np.asarray(angle))
    return np.array([[1, 0, 0], [0, c, s], [0, -s, c]])


def rotate_roll(angle: float) -> Floats:
    """Turns x, the subject's left, towards y, up, by radians: (3, 3)."""
    c, s = cos_sin(np.asarray(angle))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _margin(x: Floats) -> Floats:
    """Elevation of the template's upper margin where a unit vector has this x: (N,)."""
    half_width, half_height = FISSURE
    radius = (half_width**2 + half_height**2) / (2 * half_height)
    inside = np.minimum(np.abs(x), half_width)
    height = np.sqrt(radius**2 - inside**2) - (radius - half_height)
    return np.arcsin(np.maximum(height, 0) / np.sqrt(1 - inside**2))


def _move_margins(openness: float, pose: LidPose) -> tuple[float, float]:
    """Moves of the upper and the lower margin as shares of the template's opening."""
    opening = float(snap(2 * _margin(np.zeros(1)))[0])
    upper, lower = openness - 0.5, -0.5
    upper += (
        _WIDE * pose.wide + _SQUINT_UPPER * pose.squint + _UPPER_FOLLOWS * pose.gaze_up / opening
    )
    lower += _SQUINT_LOWER * pose.squint + _LOWER_FOLLOWS * pose.gaze_up / opening
    upper = max(upper, lower + _SLIT)
    meeting = lower + _MEETING * (upper - lower)
    upper += pose.blink * (meeting + _SLIT / 2 - upper)
    lower += pose.blink * (meeting - _SLIT / 2 - lower)
    return upper - 0.5, lower + 0.5
