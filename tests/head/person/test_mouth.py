"""Lips close and part, the jaw turns, teeth and tongue stay out of the flesh."""

import numpy as np
import pytest
from helpers.persons import MILLIMETRE, person, place, vertices_of, winding
from helpers.thorough import parametrize

from sf3d_jax.head.person.landmarks import HINGE, mouth_line


def lip_gaps(one, points, reach=1.2):
    """Gaps in mm between the edges of the lips, in steps of 2 mm up to a reach from the middle."""
    template = one.template * 100
    height = template[:, 1] - mouth_line(template[:, 0])
    skin = np.isin(np.arange(len(template)), vertices_of(one, "skin"))
    depth = template[:, 2] + 0.25 * template[:, 0] ** 2
    edge = skin & (abs(height) < 0.25) & (depth > 7.9) & (depth < 8.7)
    gaps = []
    for x in np.arange(-reach, reach - 0.1, 0.2):
        here = edge & (template[:, 0] >= x) & (template[:, 0] < x + 0.2)
        upper, lower = points[here & (height > 0), 1], points[here & (height < 0), 1]
        gaps.append((upper.min() - lower.max()) * MILLIMETRE)
    return np.array(gaps)


@pytest.mark.parametrize("seed", range(6))
def test_the_lips_of_a_neutral_face_meet_and_those_of_the_template_do_not(seed):
    one = person(seed)
    assert lip_gaps(one, one.template).min() > 2
    closed = lip_gaps(one, one.rest)
    assert -0.3 < closed.min() and closed.max() < 0.7


def test_mouth_close_closes_the_lips_that_the_jaw_parts():
    one = person(0)
    parted = lip_gaps(one, one.vertices({"jawOpen": 1.0}))
    assert parted.max() > 15
    closed = lip_gaps(one, one.vertices({"jawOpen": 1.0, "mouthClose": 1.0}))
    assert abs(closed).max() < 2.5


def test_an_open_mouth_is_an_oval():
    """An ellipse as wide as the mouth is 0.5 to 0.6 as high near the corners as in the middle."""
    one = person(0)
    gaps = lip_gaps(one, one.vertices({"jawOpen": 1.0}), 2.2)
    assert max(gaps[0], gaps[-1]) < 0.6 * gaps.max()
    assert gaps[8:14].min() > 0.95 * gaps.max()


def test_the_jaw_turns_about_its_hinge():
    one = person(0)
    moved = one.vertices({"jawOpen": 1.0})
    lower, upper = (vertices_of(one, f"{row} teeth") for row in ("lower", "upper"))
    np.testing.assert_array_equal(moved[upper], one.rest[upper])
    away = [np.linalg.norm((p[lower] - HINGE / 100)[:, 1:], axis=1) for p in (one.rest, moved)]
    np.testing.assert_allclose(*away, rtol=1e-9)
    front = lower[one.rest[lower, 2].argmax()]
    assert 20 < (one.rest[front, 1] - moved[front, 1]) * MILLIMETRE < 50


POSES = [
    {},
    {"jawOpen": 1.0},
    {"jawOpen": 0.4},
    {"jawLeft": 1.0},
    {"jawForward": 1.0},
    {"mouthRollUpper": 1.0, "mouthRollLower": 1.0},
    {"mouthPressLeft": 1.0, "mouthSmileLeft": 1.0, "mouthDimpleLeft": 1.0},
    {"tongueOut": 0.5},
]


@parametrize(
    "pose, seed, step",
    [(pose, seed, 10) for pose in POSES for seed in (0, 3, 14)]
    + [({}, 0, 61), ({"jawOpen": 1.0}, 1, 61)],
    default=[({}, 0, 61), ({"jawOpen": 1.0}, 1, 61)],
)
def test_teeth_and_tongue_are_not_in_the_flesh(pose, seed, step):
    one = person(seed)
    points = one.vertices(pose)
    inner = points[vertices_of(one, "upper teeth", "lower teeth", "tongue")][::step]
    flesh = one.faces[np.isin(one.parts, [place(one, "skin"), place(one, "mouth")])]
    assert (winding(inner, points, flesh) < 0.5).all()


def test_the_winding_number_knows_inside_from_outside():
    one = person(0)
    flesh = one.faces[np.isin(one.parts, [place(one, "skin"), place(one, "mouth")])]
    points = np.array([[0, 0.05, 0], [0, 0.3, 0]])
    np.testing.assert_allclose(winding(points, one.rest, flesh), [1, 0], atol=1e-6)


def test_the_tongue_comes_out_between_the_lips():
    one = person(0)
    tongue = vertices_of(one, "tongue")
    lips = vertices_of(one, "skin")
    out = one.vertices({"tongueOut": 1.0})
    front = one.rest[lips][abs(one.rest[lips, 1] - one.rest[tongue, 1].mean()) < 0.01, 2].max()
    assert out[tongue, 2].max() > front > one.rest[tongue, 2].max()
