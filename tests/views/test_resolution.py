"""Maps at the size of a panel, against means in plain loops and OpenCV."""

import cv2
import numpy as np
import pytest

from sf3d_jax.views.resolution import enlarge, panel_size, resize_image, shrink, thicken

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size, small", [((12, 20), (3, 5)), ((13, 7), (5, 7)), ((4, 9), (4, 2))])
@pytest.mark.parametrize("tail", [(), (2,)])
def test_a_smaller_map_has_the_means_of_what_is_known(size, small, tail):
    values, known = RNG.normal(size=(*size, *tail)), RNG.random(size) > 0.4
    values[~known] = np.nan
    means, there = shrink(values, known, small)
    assert means.shape == (*small, *tail)
    edges = [[i * n // m for i in range(m + 1)] for n, m in zip(size, small, strict=True)]
    for i, j in np.ndindex(small):
        block = slice(edges[0][i], edges[0][i + 1]), slice(edges[1][j], edges[1][j + 1])
        inside = values[block][known[block]]
        assert there[i, j] == (len(inside) > 0)
        expected = inside.mean(0) if len(inside) else np.zeros(tail)
        np.testing.assert_allclose(means[i, j], expected, rtol=1e-12, atol=1e-12)


def test_a_map_that_is_known_everywhere_is_shrunk_as_by_areas_of_opencv():
    values = RNG.random((24, 36)).astype(np.float32)
    means, _ = shrink(values, np.ones(values.shape, bool), (8, 9))
    areas = cv2.resize(values, (9, 8), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(means, areas, atol=1e-6)


def test_a_map_that_is_small_enough_stays_as_it_is():
    values, known = RNG.random((3, 5)), RNG.random((3, 5)) > 0.5
    means, there = shrink(values, known, (30, 50))
    np.testing.assert_array_equal(means, np.where(known, values, 0))
    np.testing.assert_array_equal(there, known)


def test_dots_of_a_sparse_map_grow_to_their_neighbours_with_their_values():
    known = np.zeros((12, 15), bool)
    known[[0, 5, 11], [0, 6, 14]] = True
    values = np.where(known, np.arange(180.0).reshape(12, 15), 0)
    grown, there = thicken(values, known)
    np.testing.assert_array_equal(there, cv2.dilate(known.astype(np.uint8), np.ones((3, 3))) > 0)
    assert (grown[4:7, 5:8] == values[5, 6]).all() and (grown[10:, 13:] == values[11, 14]).all()
    np.testing.assert_array_equal(grown[known], values[known])


def test_a_dense_map_does_not_grow():
    values, known = RNG.random((6, 6)), np.arange(36).reshape(6, 6) % 3 > 0
    grown, there = thicken(values, known)
    np.testing.assert_array_equal(grown, values)
    np.testing.assert_array_equal(there, known)


def test_enlarged_pixels_are_squares_of_one_value():
    values = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(enlarge(values, (4, 6)), np.kron(values, np.ones((2, 2))))


def test_pictures_shrink_by_areas_and_grow_by_squares():
    picture = RNG.integers(0, 256, (12, 16, 3), np.uint8)
    areas = picture.reshape(3, 4, 4, 4, 3).mean((1, 3))
    np.testing.assert_allclose(resize_image(picture, (3, 4)), areas, atol=0.51)
    np.testing.assert_array_equal(resize_image(picture, (24, 32))[::2, ::2], picture)


@pytest.mark.parametrize(
    "size, fitted", [((375, 1242), (193, 640)), ((1000, 10), (512, 5)), ((1, 2000), (1, 640))]
)
def test_the_largest_size_of_the_aspect_is_taken(size, fitted):
    assert panel_size(size, 640, 512) == fitted
