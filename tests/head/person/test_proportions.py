"""Distances between landmarks of many people, against those of a survey of 3,997 adults."""

import numpy as np
import pytest
from helpers.persons import MILLIMETRE, person, vertices_of

from sf3d_jax.head.person.profile import draw_profile
from sf3d_jax.head.person.survey import SURVEY, draw_distances

# Means and deviations of men and women, millimetres (Zhuang and Bradtmiller 2005).
PUBLISHED = {
    "bizygomatic breadth": ((143.5, 6.9), (135.1, 6.5)),
    "bigonial breadth": ((120.4, 10.4), (110.1, 8.9)),
    "menton-sellion length": ((122.7, 7.0), (113.4, 6.1)),
    "nose breadth": ((36.6, 4.1), (33.2, 3.9)),
    "nose protrusion": ((21.1, 2.7), (19.8, 2.7)),
    "interpupillary distance": ((64.5, 3.6), (61.9, 3.5)),
}
COUNT = 60


def at(one, *place):
    """The vertex of the skin that is nearest to a place on the template, in centimetres."""
    skin = vertices_of(one, "skin")
    return skin[np.argmin(np.linalg.norm(one.template[skin] * 100 - place, axis=1))]


def distances(one):
    """The published distances of a person, from places named here anew."""
    rest = one.rest * MILLIMETRE
    between = lambda a, b: np.linalg.norm(rest[a] - rest[b])
    across = lambda x, y, z: between(at(one, x, y, z), at(one, -x, y, z))
    tip, below = at(one, 0, -3.9, 10.6), at(one, 0, -4.85, 8.85)
    eyes = [rest[vertices_of(one, f"{side} eye")].mean(0) for side in ("left", "right")]
    return {
        "bizygomatic breadth": across(6.9, -1.6, 1.6),
        "bigonial breadth": across(5.7, -6.9, 0.6),
        "menton-sellion length": between(at(one, 0, 0.4, 8.5), at(one, 0, -11.4, 7.0)),
        "nose breadth": across(1.7, -4.15, 8.9),
        "nose protrusion": between(tip, below),
        "interpupillary distance": np.linalg.norm(eyes[0] - eyes[1]),
    }


@pytest.fixture(scope="module")
def measured():
    people = [distances(person(seed)) for seed in range(COUNT)]
    men = np.array([draw_profile(seed).masculinity > 0 for seed in range(COUNT)])
    return {name: np.array([one[name] for one in people]) for name in PUBLISHED}, men


def test_the_distances_of_a_person_are_those_drawn():
    drawn = dict(zip(SURVEY, 10 * draw_distances(3, draw_profile(3)), strict=True))
    for name, found in distances(person(3)).items():
        # Landmarks are vertices, about a millimetre and a half apart.
        assert abs(found - drawn[name]) < 3, name


@pytest.mark.thorough
@pytest.mark.parametrize("name", PUBLISHED)
def test_people_have_the_proportions_of_the_survey(measured, name):
    values, men = measured
    for chosen, (mean, deviation) in zip((men, ~men), PUBLISHED[name], strict=True):
        here = values[name][chosen]
        error = deviation / len(here) ** 0.5
        assert abs(here.mean() - mean) < 3 * error + 0.5
        assert 0.65 < here.std(ddof=1) / deviation < 1.4


def test_distances_drawn_have_the_surveys_means_and_deviations():
    count = 2000
    profiles = [draw_profile(seed) for seed in range(count)]
    drawn = 10 * np.array([draw_distances(seed, who) for seed, who in enumerate(profiles)])
    men = np.array([who.masculinity > 0 for who in profiles])
    for column, (name, one) in zip(drawn.T, SURVEY.items(), strict=True):
        for chosen, mean, deviation in (
            (men, one.man, one.man_deviation),
            (~men, one.woman, one.woman_deviation),
        ):
            here = column[chosen]
            assert abs(here.mean() - mean) < 4 * deviation / len(here) ** 0.5, name
            assert abs(here.std() / deviation - 1) < 4 / (2 * len(here)) ** 0.5, name


def test_distances_are_those_of_the_seed():
    who = draw_profile(3)
    np.testing.assert_array_equal(draw_distances(3, who), draw_distances(3, who))
    assert abs(draw_distances(3, who) - draw_distances(4, who)).max() > 0.1


def test_the_ears_of_the_old_are_longer():
    """By 0.17 mm a year from lobe to rim (Meijerman et al. 2007)."""
    people = [person(seed) for seed in range(COUNT)]
    age = np.array([draw_profile(seed).age for seed in range(COUNT)])
    ends = (7.2, 1.4, -1.0), (7.2, -4.0, -0.6)
    length = [
        np.linalg.norm(np.subtract(*(one.rest[at(one, *end)] for end in ends))) * MILLIMETRE
        for one in people
    ]
    slope, _ = np.polyfit(age, length, 1)
    assert 0.05 < slope < 0.3
