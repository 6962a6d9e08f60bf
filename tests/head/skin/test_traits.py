"""What differs between people: pinned streams, the range of skin tones, hair and irises."""

import numpy as np
import pytest

from sf3d_jax.head.skin.pigments import absorb, color_hair, color_skin
from sf3d_jax.head.skin.traits import draw_traits

PEOPLE = [draw_traits(seed) for seed in range(300)]


def test_a_person_stays_the_same_between_versions():
    person = draw_traits(0)
    assert person.skin.melanin == pytest.approx(0.8470049081259171, abs=1e-12)
    assert person.hair.brow_width == pytest.approx(0.4322975409783506, abs=1e-12)
    assert person.eyes.iris_size == pytest.approx(1.019664512530087, abs=1e-12)
    assert person.lips == pytest.approx(0.5504375706991532, abs=1e-12)
    assert person.pattern == 3602326435


def test_streams_are_those_of_the_documented_seed_sequence():
    words = np.random.SeedSequence(7, spawn_key=(0x736B696E, 0)).generate_state(9, np.uint64)
    share = int(words[1] >> 11) / 2**53
    assert draw_traits(7).skin.blood == pytest.approx(0.14 + share * 0.14)


def test_equal_seeds_give_equal_people_and_others_other_people():
    assert str(draw_traits(5)) == str(PEOPLE[5])
    assert len({str(person) for person in PEOPLE}) == len(PEOPLE)
    assert draw_traits(2**70) != draw_traits(2**70 + 1)


def test_skin_spans_the_human_range_and_stays_in_it():
    tones = np.array([color_skin(p.skin.melanin, p.skin.blood, p.skin.carotene) for p in PEOPLE])
    red, green, blue = tones.T
    assert (red > green).all() and (green > blue).all()
    luminance = tones @ [0.2126, 0.7152, 0.0722]
    # Faces measured in the laboratory reflect about 4 % to 60 % of the light.
    assert 0.03 < luminance.min() < 0.07 and 0.45 < luminance.max() < 0.65
    assert np.diff(np.quantile(luminance, [0.1, 0.5, 0.9])).min() > 0.1


def test_hair_and_irises_go_with_the_skin():
    dark = [p for p in PEOPLE if p.skin.melanin > 0.8]
    pale = [p for p in PEOPLE if p.skin.melanin < 0.25]
    irises = np.array([p.eyes.iris for p in dark])
    assert irises.max() < 0.14 and (np.diff(irises) < 0).all()
    assert any(p.eyes.iris[2] > 2 * p.eyes.iris[0] for p in pale)
    assert sum(p.hair.color.max() < 0.1 for p in dark) > 0.7 * len(dark)
    assert any(p.hair.color[0] > 0.2 > 0.7 * p.hair.color[2] for p in pale)
    assert not any(p.skin.freckles for p in dark) and any(p.skin.freckles for p in pale)
    assert {bool(p.hair.cover) for p in PEOPLE} == {False, True}


def test_a_pigment_takes_light_as_the_exponential_does():
    x = np.linspace(0, 1, 11)
    np.testing.assert_allclose(absorb(x), np.exp(-x), rtol=0.02)
    assert (np.diff(absorb(np.linspace(0, 10, 101))) < 0).all()
    assert absorb([-1, 32, 100]).tolist() == [1, 0, 0]


def test_more_pigment_is_darker():
    assert (color_skin(0.5, 0.3, 0) > color_skin(0.6, 0.3, 0)).all()
    pale, lips = color_skin(0.3, 0.2, 0), color_skin(0.3, 0.9, 0)
    assert lips[0] > 0.9 * pale[0] and lips[1] < 0.6 * pale[1]
    assert (color_hair(0.3, 0) > color_hair(3.0, 0)).all()
