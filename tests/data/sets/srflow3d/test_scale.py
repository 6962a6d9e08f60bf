"""The scale of SRFlow3D, measured from one frame."""

import numpy as np

from sf3d_jax.data.sets.srflow3d.scale import measure_scale


def test_the_scale_is_the_median_of_the_product():
    depth = np.float32([[1, 2, 4], [0, 5, np.inf]])
    scaled = np.float32([[3, 1.5, 1], [7, 0, 1]])
    assert measure_scale(depth, scaled) == 3.0


def test_the_border_of_the_mask_does_not_count():
    depth, scaled = np.full((5, 6), 2, np.float32), np.full((5, 6), 9, np.float32)
    mask = np.zeros((5, 6), bool)
    mask[1:4, 1:5] = True
    scaled[2, 2:4] = 0.5
    assert measure_scale(depth, scaled, mask) == 1.0


def test_without_a_pixel_with_both_there_is_no_scale():
    ones = np.ones((3, 3), np.float32)
    assert measure_scale(ones, 0 * ones) is None
    assert measure_scale(ones, ones, np.zeros((3, 3), bool)) is None
