"""Means over pieces, against integrals in closed form."""

import math

import numpy as np
import pytest

from sf3d_jax.head.skin.pieces import average_over_pieces, measure_spacing, place_corners

WHOLE = np.eye(3)[None]


def integrate(a, b, c):
    """The mean of l0^a l1^b l2^c over a triangle with barycentric coordinates l."""
    factorials = math.factorial(a) * math.factorial(b) * math.factorial(c)
    return 2 * factorials / math.factorial(a + b + c + 2)


@pytest.mark.parametrize(
    "a, b, c", [(0, 0, 0), (1, 0, 0), (0, 2, 1), (2, 2, 1), (0, 0, 5), (3, 1, 0)]
)
def test_polynomials_of_degree_five_are_exact(a, b, c):
    power = lambda x, _: (x[:, 0] ** a * x[:, 1] ** b * x[:, 2] ** c)[:, None]
    mean = average_over_pieces(WHOLE, np.eye(3)[None], power)
    np.testing.assert_allclose(mean, [[integrate(a, b, c)]], rtol=1e-6)


def test_a_piece_is_a_part_of_its_triangle():
    corners = np.array(
        [[[0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]]
    )
    triangles = np.random.default_rng(0).normal(size=(2, 3, 3))
    at = place_corners(corners, triangles)
    np.testing.assert_allclose(at[0, 2], (triangles[0, 1] + triangles[0, 2]) / 2)
    np.testing.assert_allclose(at[1], triangles[1])
    mean = average_over_pieces(corners, triangles, lambda x, _: x)
    np.testing.assert_allclose(mean, at.mean(1), rtol=1e-5, atol=1e-6)


def test_the_function_is_told_which_piece_a_point_lies_on():
    count = 20_000  # more than are computed at once
    corners = np.broadcast_to(WHOLE, (count, 3, 3))
    values = np.repeat(np.arange(count, dtype=float), 3).reshape(count, 3, 1)
    mean = average_over_pieces(corners, values, lambda x, i: np.stack([x[:, 0], i], 1))
    np.testing.assert_allclose(mean[:, 0], np.arange(count), rtol=1e-6)
    np.testing.assert_allclose(mean[:, 1], np.arange(count), rtol=1e-6)


def test_the_spacing_is_the_root_of_a_seventh_of_the_area():
    flat = np.array([[[0, 0], [3, 0], [0, 4]]], float)
    tilted = np.array([[[0, 0, 0], [3, 0, 0], [0, 0, 4]], [[1, 1, 1], [2, 2, 2], [3, 3, 3]]], float)
    np.testing.assert_allclose(measure_spacing(flat), (6 / 7) ** 0.5)
    np.testing.assert_allclose(measure_spacing(tilted), [(6 / 7) ** 0.5, 0], atol=1e-7)


def test_no_pieces_and_a_nan():
    assert average_over_pieces(np.zeros((0, 3, 3)), np.zeros((0, 3, 2)), lambda x, _: x).shape == (
        0,
        2,
    )
    values = np.random.default_rng(0).normal(size=(3, 3, 2))
    corners = np.broadcast_to(WHOLE, (3, 3, 3))
    clean = average_over_pieces(corners, values, lambda x, _: x)
    values[1, 0, 0] = np.nan
    np.testing.assert_array_equal(
        average_over_pieces(corners, values, lambda x, _: x)[[0, 2]], clean[[0, 2]]
    )


@pytest.mark.parametrize(
    "corners, values, name", [((2, 3), (2, 3, 3), "corners"), ((2, 3, 3), (1, 3, 3), "values")]
)
def test_a_wrong_shape_is_named(corners, values, name):
    with pytest.raises(ValueError, match=rf"^{name}: expected shape .*, got "):
        average_over_pieces(np.zeros(corners), np.zeros(values), lambda x, _: x)
