"""The transfer function of sRGB, against values of the standard and both ways."""

import numpy as np
import pytest

from sf3d_jax.head.skin.srgb import linear_to_srgb, srgb_to_linear


def test_known_values():
    linear = np.array([0.0, 0.001, 0.18, 0.5, 1.0])
    encoded = [0.0, 0.01292, 0.4613561, 0.7353569, 1.0]
    np.testing.assert_allclose(linear_to_srgb(linear), encoded, atol=1e-6)
    np.testing.assert_allclose(srgb_to_linear(np.array(encoded)), linear, atol=1e-6)


def test_the_two_branches_meet_between_bytes_10_and_11():
    linear = srgb_to_linear(np.array([10, 11], np.uint8))
    expected = [10 / 255 / 12.92, ((11 / 255 + 0.055) / 1.055) ** 2.4]
    np.testing.assert_allclose(linear, expected, rtol=1e-6)


def test_every_byte_comes_back():
    x = np.arange(256, dtype=np.uint8)
    linear = srgb_to_linear(x)
    assert linear.dtype == np.float32
    assert (np.diff(linear) > 0).all()
    np.testing.assert_array_equal(np.rint(linear_to_srgb(linear) * 255), x)


@pytest.mark.parametrize("convert", [linear_to_srgb, srgb_to_linear])
def test_beyond_the_range_is_clipped_and_nan_stays(convert):
    np.testing.assert_allclose(convert(np.float32([-1, 2, np.nan])), [0, 1, np.nan], atol=1e-7)
    assert convert(np.float32([0.5])).dtype == np.float32
    np.testing.assert_allclose(convert([0, 1]), [0, 1])
