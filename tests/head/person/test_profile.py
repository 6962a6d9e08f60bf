"""Profiles: their ranges and distributions, and that they belong to the seed."""

import numpy as np

from sf3d_jax.head.person.profile import draw_profile

COUNT = 2000


def test_people_spread_over_their_ranges():
    profiles = np.array([draw_profile(seed) for seed in range(COUNT)])
    age, masculinity, fullness, tone = profiles.T
    # Means and deviations of uniform numbers, and of the mean of three of them; four errors wide.
    for values, mean, deviation in (
        (age, 49, 62 / 12**0.5),
        (tone, 0.5, 12**-0.5),
        (fullness, 0, 1 / 3),
        (masculinity, 0, (0.36 + 0.16 / 3) ** 0.5),
    ):
        assert abs(values.mean() - mean) < 4 * deviation / COUNT**0.5
        assert abs(values.std() / deviation - 1) < 4 / COUNT**0.5
    assert 18 <= age.min() and age.max() <= 80
    assert np.abs(profiles[:, 1:3]).max() <= 1
    correlation = np.corrcoef(profiles.T) - np.eye(4)
    assert np.abs(correlation).max() < 4 / COUNT**0.5


def test_a_profile_is_that_of_its_seed():
    assert draw_profile(7) == draw_profile(7)
    assert draw_profile(7) != draw_profile(8)
