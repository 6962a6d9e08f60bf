"""ARKit's 52 units do what their names say, turn no skin over, and are refused if misspelt."""

import numpy as np
import pytest
from helpers.persons import MILLIMETRE, normals, person, place, vertices_of
from helpers.thorough import parametrize

from sf3d_jax import head
from sf3d_jax.head.person.landmarks import NECK

# Places on the template, in centimetres, of the subject's left side.
PLACES = {
    "corner": (2.5, -6.88, 7.5),
    "upper lip": (0.3, -6.3, 8.95),
    "lower lip": (0.3, -7.5, 8.95),
    "left of the upper lip": (1.1, -6.4, 8.7),
    "left of the lower lip": (1.1, -7.4, 8.7),
    "chin": (0.0, -10.3, 8.2),
    "cheek": (4.0, -6.0, 6.4),
    "cheekbone": (3.7, -2.8, 7.0),
    "brow": (1.8, 2.0, 8.2),
    "inner brow": (1.2, 2.3, 8.4),
    "outer brow": (4.0, 2.4, 6.9),
    "wing": (1.5, -4.2, 9.0),
    "upper lid": (3.15, 0.65, 8.1),
    "lower lid": (3.15, -0.65, 8.1),
}
LEFT, UP, AHEAD = range(3)
# What a unit moves, along which axis, whither, and at least how far in millimetres.
MEANING = {
    "eyeBlinkLeft": ("upper lid", UP, -1, 5),
    "eyeSquintLeft": ("lower lid", UP, 1, 0.5),
    "eyeWideLeft": ("upper lid", UP, 1, 1),
    "eyeLookUpLeft": ("upper lid", UP, 1, 1),
    "eyeLookDownLeft": ("upper lid", UP, -1, 1),
    "jawForward": ("chin", AHEAD, 1, 4),
    "jawLeft": ("chin", LEFT, 1, 4),
    "jawRight": ("chin", LEFT, -1, 4),
    "jawOpen": ("chin", UP, -1, 15),
    "mouthFunnel": ("upper lip", UP, 1, 2),
    "mouthPucker": ("corner", LEFT, -1, 4),
    "mouthLeft": ("upper lip", LEFT, 1, 4),
    "mouthRight": ("upper lip", LEFT, -1, 4),
    "mouthSmileLeft": ("corner", UP, 1, 4),
    "mouthFrownLeft": ("corner", UP, -1, 4),
    "mouthDimpleLeft": ("corner", AHEAD, -1, 1.5),
    "mouthStretchLeft": ("corner", LEFT, 1, 3),
    "mouthRollLower": ("lower lip", AHEAD, -1, 2),
    "mouthRollUpper": ("upper lip", AHEAD, -1, 2),
    "mouthShrugLower": ("chin", UP, 1, 2),
    "mouthShrugUpper": ("upper lip", UP, 1, 1),
    "mouthPressLeft": ("left of the lower lip", UP, 1, 0.8),
    "mouthLowerDownLeft": ("left of the lower lip", UP, -1, 3),
    "mouthUpperUpLeft": ("left of the upper lip", UP, 1, 3),
    "browDownLeft": ("brow", UP, -1, 3),
    "browInnerUp": ("inner brow", UP, 1, 4),
    "browOuterUpLeft": ("outer brow", UP, 1, 4),
    "cheekPuff": ("cheek", LEFT, 1, 4),
    "cheekSquintLeft": ("cheekbone", UP, 1, 2),
    "noseSneerLeft": ("wing", UP, 1, 2),
}
# These have tests of their own: gaze with the lids, lips and tongue with the mouth.
ELSEWHERE = ("eyeLookInLeft", "eyeLookOutLeft", "mouthClose", "tongueOut")


def nearest(one, place_):
    return np.argmin(np.linalg.norm(one.template * 100 - place_, axis=1))


def test_all_of_arkits_names_are_there_and_told_apart_by_tests():
    assert len(head.EXPRESSIONS) == len(set(head.EXPRESSIONS)) == 52
    lefts = {name for name in head.EXPRESSIONS if name.endswith("Left")} - {"jawLeft", "mouthLeft"}
    rights = {name.removesuffix("Left") + "Right" for name in lefts}
    assert rights < set(head.EXPRESSIONS)
    assert set(MEANING) | set(ELSEWHERE) | rights == set(head.EXPRESSIONS)


@pytest.mark.parametrize("name", MEANING)
def test_a_unit_does_what_its_name_says(name):
    where, axis, sign, least = MEANING[name]
    one = person(2)
    index = nearest(one, PLACES[where])
    move = (one.vertices({name: 1.0}) - one.rest)[index] * MILLIMETRE
    assert sign * move[axis] >= least, move


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in MEANING
        if n.endswith("Left")
        and n[:-4] + "Right" in head.EXPRESSIONS
        and n not in ("jawLeft", "mouthLeft")
    ],
)
def test_the_right_mirrors_the_left_and_leaves_it_alone(name):
    where, axis, sign, least = MEANING[name]
    one = person(2)
    right = nearest(one, PLACES[where] * np.array([-1, 1, 1]))
    sign = -sign if axis == LEFT else sign
    left_move, right_move = (
        (one.vertices({name.removesuffix("Left") + side: 1.0}) - one.rest)[right] * MILLIMETRE
        for side in ("Left", "Right")
    )
    assert sign * right_move[axis] >= least
    assert abs(left_move).max() < 0.25 * abs(right_move).max()


def test_units_move_the_face_alone():
    one = person(1)
    behind = one.template[:, 2] < -0.03
    for name in head.EXPRESSIONS:
        move = one.vertices({name: 1.0}) - one.rest
        assert abs(move).max() * MILLIMETRE > 0.4, name
        assert abs(move[behind]).max() * MILLIMETRE < 0.5, name


@parametrize("seed", range(12), default=[0, 4])
def test_no_unit_turns_the_skin_over(seed):
    one = person(seed)
    skin = one.faces[one.parts == place(one, "skin")]
    before = normals(one.rest, skin)
    for name in head.EXPRESSIONS:
        turned = (normals(one.vertices({name: 1.0}), skin) * before).sum(1) < 0
        assert turned.mean() <= 0.001, name


def test_linear_units_add_up():
    one = person(0)
    names = ["browInnerUp", "cheekPuff", "mouthFrownLeft"]
    alone = sum(one.vertices({name: 0.5}) - one.rest for name in names)
    together = one.vertices(dict.fromkeys(names, 0.5)) - one.rest
    np.testing.assert_allclose(together, alone, atol=1e-9)


def test_no_weight_is_the_neutral_face():
    one = person(0)
    for expression in (None, {}, dict.fromkeys(head.EXPRESSIONS, 0.0)):
        np.testing.assert_array_equal(one.vertices(expression), one.rest)


def test_a_head_turns_as_a_whole_and_leaves_the_shoulders():
    one = person(0)
    yaw, pitch, roll = 0.2, -0.1, 0.05
    moved = one.vertices(rotation=(yaw, pitch, roll))

    # The same turn, written as products of quaternions.
    def quaternion(angle, axis):
        return np.array([np.cos(angle / 2), *(np.sin(angle / 2) * np.asarray(axis))])

    def product(p, q):
        scalar = p[0] * q[0] - p[1:] @ q[1:]
        return np.array([scalar, *(p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:]))])

    turn = product(
        quaternion(yaw, [0, 1, 0]),
        product(quaternion(-pitch, [1, 0, 0]), quaternion(roll, [0, 0, 1])),
    )
    inner = vertices_of(one, "upper teeth", "lower teeth", "left eye", "right eye", "tongue")
    chin = nearest(one, PLACES["chin"])
    for index in [*inner[::50], chin, one.template[:, 1].argmax()]:
        away = np.array([0, *(one.rest[index] - NECK / 100)])
        turned = product(product(turn, away), turn * [1, -1, -1, -1])[1:] + NECK / 100
        np.testing.assert_allclose(moved[index], turned, atol=1e-12)
    low = one.template[:, 1] < -0.16
    np.testing.assert_array_equal(moved[low], one.rest[low])
    assert (one.vertices(rotation=(0.2, 0, 0)) - one.rest)[chin, LEFT] > 0.01
    assert (one.vertices(rotation=(0, 0.2, 0)) - one.rest)[chin, UP] > 0.01


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(ValueError, match=r"'jawopen' is not one of .* did you mean 'jawOpen'"):
        person(0).vertices({"jawopen": 1.0})


@pytest.mark.parametrize("weight", [-0.1, 1.1, np.nan, np.inf])
def test_a_weight_outside_of_its_range_is_refused(weight):
    with pytest.raises(ValueError, match=r"expression\['eyeBlinkLeft'\]: expected a weight"):
        person(0).vertices({"eyeBlinkLeft": weight})


@pytest.mark.parametrize("rotation", [(0.0, 0.0), (np.nan, 0.0, 0.0), (0.0, 0.0, np.inf)])
def test_a_wrong_rotation_is_refused(rotation):
    with pytest.raises(ValueError, match="rotation: expected finite"):
        person(0).vertices(rotation=rotation)
