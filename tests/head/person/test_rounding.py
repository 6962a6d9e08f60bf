"""Functions that are the same on every processor, against the library's of higher precision."""

import math

import numpy as np

from sf3d_jax.head.person import rounding


def test_cosine_and_sine_are_those_of_the_library():
    angles = np.linspace(-7, 7, 1001)
    cos, sin = rounding.cos_sin(angles)
    np.testing.assert_allclose(cos, [math.cos(x) for x in angles], atol=4e-15)
    np.testing.assert_allclose(sin, [math.sin(x) for x in angles], atol=4e-15)
    assert rounding.cos_sin(np.zeros(1)) == (1, 0)


def test_a_turn_is_a_product_with_the_matrix():
    rng = np.random.default_rng(0)
    points, matrix = rng.normal(size=(20, 3)), rng.normal(size=(3, 3))
    np.testing.assert_allclose(rounding.turn(points, matrix), points @ matrix.T, rtol=1e-12)


def test_numbers_snap_to_the_nearest_of_the_grid():
    values = np.array([0.0, 1.0, 2**-20, 1.4 * 2**-20, -1.6 * 2**-20])
    np.testing.assert_array_equal(rounding.snap(values) * 2**20, [0, 2**20, 1, 1, -2])
