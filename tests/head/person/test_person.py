"""A person's arrays, groups and reflectance."""

import numpy as np
import pytest
from helpers.persons import person, place

from sf3d_jax import head
from sf3d_jax.head.person.landmarks import EYE, mouth_line
from sf3d_jax.head.skin.painting import paint


def test_the_arrays_of_all_people_correspond():
    one, other = person(0), person(1)
    assert one.faces.dtype == one.groups.dtype == one.parts.dtype == np.int32
    assert one.template.dtype == one.rest.dtype == np.float64
    np.testing.assert_array_equal(one.faces, other.faces)
    np.testing.assert_array_equal(one.groups, other.groups)
    np.testing.assert_array_equal(one.template, other.template)
    assert one.groups.shape == one.parts.shape == one.faces.shape[:1]
    assert set(one.groups) == set(range(len(one.group_names)))
    assert np.isfinite(one.rest).all()


def test_a_seed_is_a_person():
    np.testing.assert_array_equal(head.Person(5).rest, head.Person(np.int64(5)).rest)
    assert abs(head.Person(5).rest - head.Person(6).rest).max() > 1e-3


def test_arrays_of_one_person_cannot_change_another():
    one = head.Person(0)
    with pytest.raises(ValueError, match="read-only"):
        one.faces[0] = 0
    one.template[:] = 0
    one.rest[:] = 0
    assert head.Person(0).template.any() and head.Person(0).rest.any()


@pytest.mark.parametrize("seed", [1.0, "1", None, True, np.array([1])])
def test_what_is_no_whole_number_is_no_seed(seed):
    with pytest.raises(TypeError, match="seed: expected a whole number"):
        head.Person(seed)


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="seed: expected 0 or more, got -1"):
        head.Person(-1)


def test_surfaces_that_touch_are_of_different_groups():
    one = person(0)
    middle = one.template[one.faces].mean(1) * 100
    height = middle[:, 1] - mouth_line(middle[:, 0])
    lips = (one.parts == place(one, "skin")) & (abs(middle[:, 0]) < 2) & (middle[:, 2] > 7.5)
    upper = lips & (height > 0) & (height < 0.5)
    lower = lips & (height < 0) & (height > -0.5)
    names = np.array(one.group_names)[one.groups]
    assert set(names[upper]) == {"skin"} and set(names[lower]) == {"lower jaw"}
    q = middle * [1, 1, 1] - EYE
    margins = (
        (one.parts == 0)
        & (abs(q[:, 0]) < 0.8)
        & (np.linalg.norm(q, axis=1) < 1.7)
        & (q[:, 2] > 0.6)
    )
    assert set(names[margins & (q[:, 1] > 0.2)]) == {"upper lids"}
    assert set(names[margins & (q[:, 1] < -0.2)]) == {"skin"}
    for part in one.part_names[1:]:
        assert set(names[one.parts == place(one, part)]) == {part}


def test_the_left_eye_is_on_the_subjects_left():
    one = person(0)
    for part, sign in (("left eye", 1), ("right eye", -1)):
        assert (sign * one.rest[one.faces[one.parts == place(one, part)], 0] > 0).all()
    nose = one.rest[:, 2].argmax()
    assert abs(one.rest[nose, 0]) < 0.01


def test_reflectance_is_that_of_the_skins_painter_in_centimetres():
    one = person(4)
    chosen = np.arange(0, len(one.faces), 97)
    points, parts = one.template[one.faces[chosen]].mean(1), one.parts[chosen]
    spacing = np.full(len(chosen), 0.002)
    color = one.albedo(points, parts, spacing)
    np.testing.assert_array_equal(color, paint(points * 100, parts, 4, spacing * 100))
    assert color.shape == (len(chosen), 3) and (color >= 0).all() and (color <= 1).all()
