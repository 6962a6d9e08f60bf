"""The 16-bit PNGs of KITTI, against those that OpenCV writes and reads."""

import cv2
import numpy as np
import pytest
from helpers.png import write_channels, write_png
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sf3d_jax import data


def test_flow_is_red_and_green_and_valid_only_by_blue(tmp_path):
    red = [[32768, 32768 + 64, 0], [0, 32768, 65535]]
    green = [[32768, 32768 - 32, 0], [0, 32768, 32769]]
    blue = [[1, 1, 1], [0, 0, 7]]
    flow, valid = data.read_flow(write_channels(tmp_path / "a.png", red, green, blue))
    np.testing.assert_array_equal(valid, np.array(blue) > 0)
    expected = [[[0, 0], [1, -0.5], [-512, -512]], [[0, 0], [0, 0], [511.984375, 1 / 64]]]
    np.testing.assert_array_equal(flow, expected)
    assert flow.dtype == np.float32


def test_flow_is_written_rounded_and_zero_where_invalid(tmp_path):
    flow = np.array([[[0.0117, -0.0117], [511.99, -512.007]], [[np.nan, 3], [7, 8]]])
    data.write_flow(tmp_path / "a.png", flow, np.array([[True, True], [True, False]]))
    blue, green, red = cv2.split(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED))
    assert red.dtype == np.uint16
    np.testing.assert_array_equal(red, [[32769, 65535], [0, 0]])
    np.testing.assert_array_equal(green, [[32767, 0], [0, 0]])
    np.testing.assert_array_equal(blue, [[1, 1], [0, 0]])


@given(
    hnp.arrays(np.float32, (3, 4, 2), elements=st.floats(-512, 511.984375, width=32)),
    hnp.arrays(bool, (3, 4)),
)
def test_flow_there_and_back_is_exact_to_half_a_code(tmp_path_factory, flow, valid):
    path = tmp_path_factory.mktemp("kitti") / "a.png"
    data.write_flow(path, flow, valid)
    again = data.read_flow(path)
    np.testing.assert_array_equal(again.valid, valid)
    assert np.abs(again.flow - flow)[valid].max(initial=0) <= 1 / 128
    assert not again.flow[~valid].any()


@pytest.mark.parametrize("bad", [512, -512.01, 1e30])
def test_flow_that_does_not_fit_is_refused_with_its_number(tmp_path, bad):
    flow = np.zeros((2, 3, 2))
    flow[0, :2, 1] = bad
    with pytest.raises(ValueError, match=r"flow: 2 valid pixels lie outside \[-512, 511\.98\]"):
        data.write_flow(tmp_path / "a.png", flow)
    assert not list(tmp_path.iterdir())
    data.write_flow(tmp_path / "a.png", flow, flow[..., 1] == 0)
    assert data.read_flow(tmp_path / "a.png").valid.sum() == 4


def test_disparity_is_a_256th_and_invalid_at_zero(tmp_path):
    path = write_channels(tmp_path / "a.png", [[0, 1, 256], [384, 65535, 2]])
    values, valid = data.read_disparity(path)
    np.testing.assert_array_equal(values, [[0, 1 / 256, 1], [1.5, 65535 / 256, 2 / 256]])
    np.testing.assert_array_equal(valid, values > 0)


def test_disparity_is_written_rounded_and_a_small_one_stays_valid(tmp_path):
    disparity = [[1e-6, 0.0059, 255.99], [0, -3, np.nan], [np.inf, 1, 2]]
    valid = np.ones((3, 3), bool)
    valid[2, 2] = False
    data.write_disparity(tmp_path / "a.png", disparity, valid)
    codes = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert codes.dtype == np.uint16
    np.testing.assert_array_equal(codes, [[1, 2, 65533], [0, 0, 0], [0, 256, 0]])


@pytest.mark.parametrize("bad", [256, 255.999, 1e30])
def test_disparity_that_does_not_fit_is_refused_with_its_number(tmp_path, bad):
    with pytest.raises(ValueError, match=r"2 valid pixels lie outside \[0, 255\.996\]"):
        data.write_disparity(tmp_path / "a.png", [[bad, 1, bad]])


def test_other_maps_have_a_scale_of_their_own(tmp_path):
    path = write_channels(tmp_path / "a.png", [[0, 5000, 2500]])
    values, valid = data.read_map(path, scale=5000)
    np.testing.assert_array_equal(values, [[0, 1, 0.5]])
    np.testing.assert_array_equal(valid, [[False, True, True]])
    data.write_map(tmp_path / "b.png", [[0, 1, 0.50009], [np.nan, 1e-9, 13]], scale=5000)
    codes = cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(codes, [[0, 5000, 2500], [0, 1, 65000]])


@pytest.mark.parametrize("bad", [-1, 13.2])
def test_a_map_that_does_not_fit_is_refused(tmp_path, bad):
    with pytest.raises(ValueError, match=r"1 valid pixels lie outside \[0, 13\.107\]"):
        data.write_map(tmp_path / "a.png", [[1, bad]], scale=5000)


def test_flow_disparity_and_images_are_not_taken_for_each_other(tmp_path):
    flow = write_channels(tmp_path / "flow.png", [[1]], [[1]], [[1]])
    disparity = write_channels(tmp_path / "disparity.png", [[1]])
    cv2.imwrite(str(tmp_path / "image.png"), np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(data.FormatError, match=r"flow\.png: .*found 16 bits and 3 chann"):
        data.read_disparity(flow)
    with pytest.raises(
        data.FormatError, match=r"disparity\.png: expected KITTI flow, .*bits and 1 ch"
    ):
        data.read_flow(disparity)
    with pytest.raises(data.FormatError, match=r"image\.png: .*found 8 bits and"):
        data.read_flow(tmp_path / "image.png")


# What libpng's writers of the benchmark choose: a time of change and several filters of rows.
DATED = {"before": [(b"tIME", bytes([7, 223, 7, 28, 8, 1, 21]))], "piece": 100}


def test_a_sparse_flow_of_another_writer_is_read(tmp_path):
    rng = np.random.default_rng(0)
    valid = rng.random((12, 17)) < 0.2
    # Where nothing is known the file says a flow of zero.
    codes = np.where(valid, rng.integers(0, 2**16, (2, 12, 17)), 2**15)
    pixels = np.dstack([*codes, valid]).astype(np.uint16)
    read = data.read_flow(write_png(tmp_path / "a.png", pixels, filters=(1, 2, 4), **DATED))
    np.testing.assert_array_equal(read.valid, valid)
    expected = np.moveaxis((codes - 2.0**15) / 64, 0, -1)
    np.testing.assert_array_equal(read.flow[valid], expected[valid])
    assert not read.flow[~valid].any()


def test_a_sparse_disparity_of_another_writer_is_read(tmp_path):
    rng = np.random.default_rng(0)
    valid = rng.random((12, 17)) < 0.7
    codes = np.where(valid, rng.integers(1, 2**16, valid.shape), 0).astype(np.uint16)
    path = write_png(tmp_path / "a.png", codes, filters=(0, 1, 2, 4), **DATED)
    values, known = data.read_disparity(path)
    np.testing.assert_array_equal(known, valid)
    np.testing.assert_array_equal(values, codes / 256)


def test_a_dense_file_of_another_writer_is_written_back_as_it_was(tmp_path):
    rng = np.random.default_rng(0)
    codes = rng.integers(1, 2**16, (3, 12, 17)).astype(np.uint16)
    codes[2] = 1
    read = lambda path: cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    flow = data.read_flow(write_png(tmp_path / "flow.png", np.moveaxis(codes, 0, -1)))
    data.write_flow(tmp_path / "a.png", *flow)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), np.moveaxis(codes[::-1], 0, -1))
    disparity = data.read_disparity(write_png(tmp_path / "b.png", codes[0], filters=(1, 4)))
    data.write_disparity(tmp_path / "c.png", *disparity)
    np.testing.assert_array_equal(read(tmp_path / "c.png"), codes[0])


def test_the_devkit_pair_gives_the_devkit_figures(real):
    truth, estimate = (
        data.read_flow(real(f"kitti2015_devkit/flow_{n}.png")) for n in ("gt", "est")
    )
    error = np.linalg.norm(truth.flow - estimate.flow, axis=-1)[truth.valid]
    length = np.linalg.norm(truth.flow, axis=-1)[truth.valid]
    assert error.mean() == pytest.approx(12.2007, abs=5e-5)
    assert 100 * np.mean((error > 3) & (error > 0.05 * length)) == pytest.approx(20.688, abs=5e-4)


def test_the_devkit_disparity_gives_the_devkit_figures(real):
    names = "disp_gt", "disp_est"
    truth, estimate = (data.read_disparity(real(f"kitti2015_devkit/{n}.png")) for n in names)
    both = truth.valid & estimate.valid
    assert truth.valid.sum() == 111_326 and both.sum() == 111_127
    error = np.abs(truth.values - estimate.values)[both]
    assert error.mean() == pytest.approx(2.3195, abs=5e-5)
    bad = (error > 3) & (error > 0.05 * truth.values[both])
    assert 100 * bad.mean() == pytest.approx(13.468, abs=5e-4)


def test_the_ground_truth_flow_has_the_known_figures(real):
    flow, valid = data.read_flow(real("kitti2015/000000_10_flow_occ.png"))
    assert 100 * valid.mean() == pytest.approx(16.2, abs=0.05)
    low, high = flow[valid].min(0), flow[valid].max(0)
    np.testing.assert_allclose([*low, *high], [-184.25, -7.17, 74.61, 53.27], atol=0.005)


def test_a_real_file_is_written_back_as_it_was(real, tmp_path):
    for name in ("flow", "disp_0"):
        path = real(f"kitti_prediction/{name}/000139_10.png")
        if name == "flow":
            data.write_flow(tmp_path / "a.png", *data.read_flow(path))
        else:
            data.write_disparity(tmp_path / "a.png", *data.read_disparity(path))
        read = lambda p: cv2.imread(str(p), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(read(tmp_path / "a.png"), read(path))
