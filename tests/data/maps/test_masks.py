"""Masks without their borders, against OpenCV's erosion."""

import cv2
import numpy as np
import pytest

from sf3d_jax.data.maps.masks import erode_cross, erode_square

MASK = np.random.default_rng(0).random((17, 23)) < 0.9


def erode(mask, shape, radius):
    kernel = cv2.getStructuringElement(shape, (2 * radius + 1, 2 * radius + 1))
    return cv2.erode(mask.astype(np.uint8), kernel) > 0


def test_a_cross_takes_a_pixel_that_lacks_one_of_its_four_neighbours():
    inner = erode_cross(MASK)
    np.testing.assert_array_equal(inner, erode(MASK, cv2.MORPH_CROSS, 1))
    assert inner.any() and (inner != erode(MASK, cv2.MORPH_RECT, 1)).any()


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_a_square_takes_diagonal_neighbours_too(radius):
    inner = erode_square(MASK, radius)
    np.testing.assert_array_equal(inner, erode(MASK, cv2.MORPH_RECT, radius))
    assert inner.any()


def test_what_lies_beyond_the_image_takes_nothing():
    whole = np.ones((4, 5), bool)
    assert erode_cross(whole).all() and erode_square(whole, 2).all()
