"""The flow of Virtual KITTI 2: PNGs that OpenCV writes and reads."""

import cv2
import numpy as np
import pytest
from helpers.png import write_channels
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sf3d_jax import data

FORMAT = {"format": "vkitti2"}


def read_channels(path):
    return cv2.split(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))[::-1]


def test_flow_is_scaled_with_the_image_and_invalid_without_blue(tmp_path):
    red, green, blue = [[0, 65535, 13107]], [[65535, 0, 65535]], [[1, 65535, 0]]
    flow, valid = data.read_flow(write_channels(tmp_path / "a.png", red, green, blue), **FORMAT)
    np.testing.assert_array_equal(flow[..., 0], [[-2, 2, 0]])
    np.testing.assert_array_equal(flow[..., 1], np.zeros((1, 3)))  # one row: there is no height
    np.testing.assert_array_equal(valid, [[True, True, False]])
    assert flow.dtype == np.float32


@given(hnp.arrays(np.uint16, (4, 6, 3), elements=st.integers(0, 65535)))
def test_flow_is_what_the_data_sets_own_snippet_reads(tmp_path_factory, codes):
    path = tmp_path_factory.mktemp("vkitti2") / "a.png"
    flow, valid = data.read_flow(write_channels(path, *np.moveaxis(codes, -1, 0)), **FORMAT)
    expected = 2 / 65535 * codes[..., :2].astype(np.float64) - 1
    expected *= [5, 3]
    expected[codes[..., 2] == 0] = 0
    np.testing.assert_allclose(flow, expected, atol=5e-7)
    np.testing.assert_array_equal(valid, codes[..., 2] > 0)

    data.write_flow(path, flow, valid, **FORMAT)
    red, green, blue = read_channels(path)
    np.testing.assert_array_equal(red, np.where(valid, codes[..., 0], 0))
    np.testing.assert_array_equal(green, np.where(valid, codes[..., 1], 0))
    np.testing.assert_array_equal(blue > 0, valid)


def test_flow_that_does_not_fit_is_refused_with_its_number(tmp_path):
    flow = np.zeros((4, 6, 2))
    flow[0, :2, 0] = 5.01
    with pytest.raises(ValueError, match=r"flow: 2 valid pixels lie outside \+-\[5\.0, 3\.0\]"):
        data.write_flow(tmp_path / "a.png", flow, **FORMAT)
    with pytest.raises(ValueError, match=r"flow: 1 valid pixels lie outside \+-\[0\.0, 0\.0\]"):
        data.write_flow(tmp_path / "a.png", [[[0, 1e-3]]], **FORMAT)
    assert not list(tmp_path.iterdir())
    data.write_flow(tmp_path / "a.png", flow, flow[..., 0] == 0, **FORMAT)
    assert data.read_flow(tmp_path / "a.png", **FORMAT).valid.sum() == 22


def test_a_png_is_kittis_unless_it_is_named(tmp_path):
    path = write_channels(tmp_path / "a.png", [[32768]], [[32832]], [[1]])
    np.testing.assert_array_equal(data.read_flow(path).flow, [[[0, 1]]])
