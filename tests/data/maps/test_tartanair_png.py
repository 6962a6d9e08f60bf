"""The PNGs of TartanAir V2, against the snippets that its authors publish for OpenCV."""

import cv2
import numpy as np
import pytest
from helpers.png import write_channels
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sf3d_jax import data

FORMAT = {"format": "tartanair"}


def test_flow_is_blue_and_green_and_valid_without_red(tmp_path):
    red, green, blue = [[0, 1, 10, 100, 200]], [[32768 + 32] * 5], [[32768 - 64] * 5]
    flow, valid = data.read_flow(write_channels(tmp_path / "a.png", red, green, blue), **FORMAT)
    np.testing.assert_array_equal(valid, [[True, False, False, False, False]])
    np.testing.assert_array_equal(flow[0, 0], [-1, 0.5])
    assert not flow[0, 1:].any() and flow.dtype == np.float32


@given(hnp.arrays(np.uint16, (3, 4, 3), elements=st.integers(0, 65535)), st.booleans())
def test_flow_is_what_the_published_snippet_reads(tmp_path_factory, picture, valid):
    picture[..., 2] %= 1 if valid else 256  # a mask has one byte
    path = tmp_path_factory.mktemp("tartanair") / "a.png"
    assert cv2.imwrite(str(path), picture)
    codes = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    expected = (codes[..., :2].astype(np.float64) - 32768) / 64
    flow, known = data.read_flow(path, **FORMAT)
    np.testing.assert_array_equal(known, codes[..., 2] == 0)
    np.testing.assert_array_equal(flow[known], expected[known])

    data.write_flow(path, flow, known, **FORMAT)
    again = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(again[known], codes[known])
    np.testing.assert_array_equal(again[..., 2] == 0, known)


@pytest.mark.parametrize("largest", [0, 20])
def test_flow_is_not_read_as_that_of_kitti_and_the_other_way_round(tmp_path, largest):
    ours, theirs = tmp_path / "tartanair.png", tmp_path / "kitti.png"
    flow = np.random.default_rng(0).integers(-64 * largest, 64 * largest + 1, (6, 8, 2)) / 64
    known = np.arange(48).reshape(6, 8) % 5 > 0
    data.write_flow(ours, flow, known, **FORMAT)
    data.write_flow(theirs, flow, known)
    says = r"tartanair\.png: expected KITTI flow.*use read_flow\(path, format='tartanair'\)"
    with pytest.raises(data.FormatError, match=says):
        data.read_flow(ours)
    with pytest.raises(data.FormatError, match=r"kitti\.png: expected .*use format='kitti'"):
        data.read_flow(theirs, **FORMAT)
    for read in (data.read_flow(ours, **FORMAT), data.read_flow(theirs)):
        np.testing.assert_array_equal(read.valid, known)
        np.testing.assert_array_equal(read.flow[known], flow[known])


def test_all_codes_of_the_mask_are_no_flow_of_kitti(tmp_path):
    red, green, blue = [[0, 1, 10, 100, 200]], [[32768 + 32] * 5], [[32768 - 64] * 4 + [0]]
    path = write_channels(tmp_path / "a.png", red, green, blue)
    with pytest.raises(data.FormatError, match="mask codes in red"):
        data.read_flow(path)


@pytest.mark.parametrize("flag", [1, 255, 65535])
def test_flow_of_kitti_at_the_end_of_its_range_is_read(tmp_path, flag):
    path = write_channels(tmp_path / "a.png", [[0, 0, 1]], [[32768] * 3], [[flag, 0, flag]])
    flow, valid = data.read_flow(path)
    np.testing.assert_array_equal(valid, [[True, False, True]])
    np.testing.assert_array_equal(flow[0, ::2, 0], [-512, -512 + 1 / 64])


def test_a_flag_of_other_codes_does_not_hide_a_flow_of_kitti(tmp_path):
    path = write_channels(tmp_path / "a.png", [[32768, 32832]], [[32768] * 2], [[200, 257]])
    with pytest.raises(data.FormatError, match="codes up to 32832 in red, as in KITTI"):
        data.read_flow(path, **FORMAT)


def test_flow_that_does_not_fit_is_refused_with_its_number(tmp_path):
    flow = np.zeros((2, 3, 2))
    flow[0, :2, 1] = 512
    with pytest.raises(ValueError, match=r"flow: 2 valid pixels lie outside \[-512, 511\.98\]"):
        data.write_flow(tmp_path / "a.png", flow, **FORMAT)
    assert not list(tmp_path.iterdir())
    data.write_flow(tmp_path / "a.png", flow, flow[..., 1] == 0, **FORMAT)
    assert data.read_flow(tmp_path / "a.png", **FORMAT).valid.sum() == 4


def test_depth_is_what_the_published_snippet_reads(tmp_path):
    depth = np.float32([[1.5, 1e-30, 10000], [np.pi, 0, 65504.25]])
    written, ours = tmp_path / "theirs.png", tmp_path / "ours.png"
    assert cv2.imwrite(str(written), depth[..., None].view("<u1"))
    values, valid = data.read_map(written, **FORMAT)
    np.testing.assert_array_equal(values, depth)
    assert valid.all() and values.dtype == np.float32

    data.write_map(ours, depth, depth != 0, **FORMAT)
    theirs = np.squeeze(cv2.imread(str(ours), cv2.IMREAD_UNCHANGED).view("<f4"), axis=-1)
    np.testing.assert_array_equal(theirs, np.where(depth == 0, np.nan, depth))
    assert not data.read_map(ours, **FORMAT).valid[1, 1]


def test_another_picture_is_named(tmp_path):
    path = write_channels(tmp_path / "a.png", [[32768]], [[32832]], [[1]])
    with pytest.raises(data.FormatError, match="TartanAir V2 depth, a PNG of 8 bits and 4 channel"):
        data.read_map(path, **FORMAT)
    data.write_map(path, [[2.0]], **FORMAT)
    with pytest.raises(data.FormatError, match="TartanAir V2 flow, a PNG of 16 bits and 3 channel"):
        data.read_flow(path, **FORMAT)
    with pytest.raises(ValueError, match=r"scale: .* as tartanair, takes no scale"):
        data.read_map(path, scale=100, **FORMAT)
