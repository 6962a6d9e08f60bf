"""Lids slide on the eyeballs, close over them, and follow the gaze."""

import numpy as np
import pytest
from helpers.persons import MILLIMETRE, person, vertices_of
from helpers.thorough import parametrize

from sf3d_jax.head.person.landmarks import EYE_RADIUS, PUPIL_RADIUS

SIDES = {"Left": "left eye", "Right": "right eye"}
POSES = [
    {},
    {"eyeBlink": 1.0},
    {"eyeBlink": 0.5, "eyeLookDown": 1.0},
    {"eyeBlink": 1.0, "eyeWide": 1.0, "eyeLookUp": 1.0},
    {"eyeWide": 1.0, "eyeLookUp": 1.0, "eyeLookIn": 1.0},
    {"eyeSquint": 1.0, "cheekSquint": 1.0, "browDown": 1.0, "noseSneer": 1.0},
    {"eyeBlink": 1.0, "eyeSquint": 1.0, "eyeLookOut": 1.0, "browOuterUp": 1.0},
]


def both(pose):
    return {name + side: weight for name, weight in pose.items() for side in SIDES}


@parametrize("seed", range(20), default=range(3))
@pytest.mark.parametrize("pose", POSES, ids=str)
def test_no_lid_is_in_an_eyeball(seed, pose):
    one = person(seed)
    points = one.vertices(both(pose)) * MILLIMETRE
    surface = points[vertices_of(one, "skin", "mouth")]
    for part in SIDES.values():
        ball = points[vertices_of(one, part)]
        away = np.linalg.norm(surface - ball.mean(0), axis=1)
        assert away.min() > 10 * EYE_RADIUS - 0.2


def covered(one, points, part):
    """Share of the front of an eyeball that has skin straight before it."""
    ball = vertices_of(one, part)
    center = points[ball].mean(0)
    front = points[ball][points[ball][:, 2] > center[2] + 8]
    skin = points[one.faces[one.parts == 0]]
    skin = skin[
        (np.linalg.norm(skin.mean(1) - center, axis=1) < 25) & (skin[..., 2].max(1) > center[2])
    ]
    a, b, c = (skin[None, :, i] for i in range(3))
    q = front[:, None]

    def cross(u, v):
        return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]

    area = cross(b - a, c - a)
    weights = np.stack([cross(b - q, c - q), cross(c - q, a - q), cross(a - q, b - q)]) / area
    depth = (weights * np.stack([a, b, c])[..., 2]).sum(0)
    return ((weights >= 0).all(0) & (depth > q[..., 2])).any(1).mean()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_blink_closes_one_eye(seed):
    one = person(seed)
    points = one.vertices({"eyeBlinkLeft": 1.0}) * MILLIMETRE
    assert covered(one, points, "left eye") > 0.97
    assert covered(one, points, "right eye") < 0.6
    assert covered(one, one.rest * MILLIMETRE, "left eye") < 0.6


def pupil(one, points, part):
    """Direction from the centre of an eyeball to its pupil."""
    ball = vertices_of(one, part)
    template = one.template[ball]
    pole = ball[np.argmax(template[:, 2])]
    return (points[pole] - points[ball].mean(0)) / np.linalg.norm(
        points[pole] - points[ball].mean(0)
    )


@pytest.mark.parametrize("side", SIDES)
def test_eyes_look_where_their_names_say(side):
    one = person(0)
    outward = 1 if side == "Left" else -1
    assert PUPIL_RADIUS < EYE_RADIUS
    for name, axis, sign in [
        ("Out", 0, outward),
        ("In", 0, -outward),
        ("Up", 1, 1),
        ("Down", 1, -1),
    ]:
        points = one.vertices({f"eyeLook{name}{side}": 1.0})
        look = pupil(one, points, SIDES[side])
        assert sign * look[axis] > 0.3, name
        assert abs(look[1 - axis]) < 2**-19, name
        for other in set(SIDES) - {side}:
            np.testing.assert_allclose(pupil(one, points, SIDES[other]), [0, 0, 1], atol=2**-19)
