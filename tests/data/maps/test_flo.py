"""The .flo format, against bytes that the tests lay out themselves."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sf3d_jax import data

FLOW = np.array([[[1.5, -2], [0.25, 1e10], [3, 4]], [[5, 6], [np.nan, 7], [-1e9, 1e9]]], np.float32)
BYTES = struct.pack("<fii12f", 202021.25, 3, 2, *FLOW.ravel())


def written(path, content):
    path.write_bytes(content)
    return path


def test_the_bytes_are_read_row_by_row_as_u_and_v(tmp_path):
    flow, valid = data.read_flow(written(tmp_path / "a.flo", BYTES))
    assert flow.dtype == np.float32 and valid.dtype == bool
    np.testing.assert_array_equal(valid, [[True, False, True], [True, False, True]])
    np.testing.assert_array_equal(flow[valid], [[1.5, -2], [3, 4], [5, 6], [-1e9, 1e9]])
    assert not flow[~valid].any()


def test_the_bytes_are_written_with_1e10_for_unknown(tmp_path):
    data.write_flow(tmp_path / "a.flo", FLOW, np.array([[True, True, False], [True] * 3]))
    content = (tmp_path / "a.flo").read_bytes()
    assert content[:12] == BYTES[:12]
    expected = FLOW.copy()
    expected[0, 2] = expected[1, 1] = 1e10
    np.testing.assert_array_equal(np.frombuffer(content[12:], "<f4"), expected.ravel())


def test_opencv_reads_what_we_write(tmp_path):
    flow = np.random.default_rng(0).normal(size=(5, 7, 2)).astype(np.float32)
    data.write_flow(tmp_path / "a.flo", flow)
    np.testing.assert_array_equal(cv2.readOpticalFlow(str(tmp_path / "a.flo")), flow)


@given(
    hnp.arrays(np.float32, (3, 4, 2), elements=st.floats(-1e9, 1e9, width=32)),
    hnp.arrays(bool, (3, 4)),
)
def test_there_and_back_is_exact(tmp_path_factory, flow, valid):
    path = tmp_path_factory.mktemp("flo") / "a.flo"
    data.write_flow(path, flow, valid)
    again = data.read_flow(path)
    np.testing.assert_array_equal(again.valid, valid)
    np.testing.assert_array_equal(again.flow, np.where(valid[..., None], flow, 0))


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "found b'' in 0 bytes"),
        (BYTES[:8], "in 8 bytes"),
        (b"HEIP" + BYTES[4:], "begins with b'PIEH', found b'HEIP'"),
        (BYTES[:-1], "expected 60 bytes for 3 x 2 pixels, found 59"),
        (BYTES + b"x", "expected 60 bytes for 3 x 2 pixels, found 61"),
        (struct.pack("<fii", 202021.25, -3, 2), "header that says -3 x 2"),
        (struct.pack("<fii", 202021.25, 3, 0), "header that says 3 x 0"),
        (struct.pack("<fii", 202021.25, 3, 100_001), "header that says 3 x 100001"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, says):
    with pytest.raises(data.FormatError) as error:
        data.read_flow(written(tmp_path / "broken.flo", content))
    assert str(error.value).startswith(str(tmp_path / "broken.flo")) and says in str(error.value)


def test_rubber_whale_has_the_known_figures(real):
    flow, valid = data.read_flow(real("middlebury/RubberWhale_flow10.flo"))
    assert flow.shape == (388, 584, 2) and (~valid).sum() == 3622
    low, high = flow[valid].min(0), flow[valid].max(0)
    np.testing.assert_allclose([*low, *high], [-4.58, -2.58, 2.58, 2.92], atol=0.005)


def test_rubber_whale_warps_the_second_frame_onto_the_first(real):
    flow, valid = data.read_flow(real("middlebury/RubberWhale_flow10.flo"))
    first, second = (data.read_image(real(f"middlebury/frame{n}.png")) for n in (10, 11))
    pixels = np.stack(np.meshgrid(np.arange(584), np.arange(388)), -1).astype(np.float32)
    warped = cv2.remap(second, pixels + flow, None, cv2.INTER_LINEAR)
    error = lambda image: cv2.absdiff(image, first)[valid].mean()
    assert error(second) > 4 * error(warped)
