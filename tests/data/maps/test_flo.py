"""The .flo format, against bytes that the tests lay out themselves."""

import struct

import cv2
import numpy as np
import pytest
from helpers.files import written
from helpers.png import write_png
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sf3d_jax import data

FLOW = np.array([[[1.5, -2], [0.25, 1e10], [3, 4]], [[5, 6], [np.nan, 7], [-1e9, 1e9]]], np.float32)
BYTES = struct.pack("<fii12f", 202021.25, 3, 2, *FLOW.ravel())


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
        (BYTES[:8], "expected a header of 12 bytes, found only 8 bytes"),
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


def unknown_in_middlebury(seed=0, size=(9, 14)):
    """A flow as in Middlebury's files, unknown in both numbers where it says 1.6666668e9."""
    rng = np.random.default_rng(seed)
    flow = rng.normal(0, 3, (*size, 2)).astype(np.float32)
    known = rng.random(size) > 0.1
    flow[~known] = 1.6666668e9
    return flow, known, struct.pack("<4sii", b"PIEH", *size[::-1]) + flow.astype("<f4").tobytes()


def test_what_middlebury_does_not_know_is_invalid(tmp_path):
    flow, known, content = unknown_in_middlebury()
    read, valid = data.read_flow(written(tmp_path / "a.flo", content))
    np.testing.assert_array_equal(valid, known)
    np.testing.assert_array_equal(read, np.where(known[..., None], flow, 0))
    assert 0 < (~known).sum() < known.size


def test_a_flow_leads_from_the_first_frame_to_the_second(tmp_path):
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (20, 30, 3), np.uint8)
    paths = [write_png(tmp_path / "10.png", frame, filters=(3, 4))]
    # What stands at (u, v) stands at (u + 3, v - 2) a frame later.
    paths.append(write_png(tmp_path / "11.png", np.roll(frame, (-2, 3), (0, 1)), filters=(4,)))
    flow = np.broadcast_to(np.float32([3, -2]), (20, 30, 2)).copy()
    flow[:2], flow[:, -3:] = 1.6666668e9, 1.6666668e9
    content = struct.pack("<4sii", b"PIEH", 30, 20) + flow.astype("<f4").tobytes()
    before, after = differences(written(tmp_path / "a.flo", content), *paths)
    assert before > 50 and after == 0


def differences(path, *frames):
    """The mean differences of two frames where the flow is known, before and after the warp."""
    flow, valid = data.read_flow(path)
    first, second = map(data.read_image, frames)
    height, width = valid.shape
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    warped = cv2.remap(second, pixels + flow, None, cv2.INTER_LINEAR)
    return [cv2.absdiff(image, first)[valid].mean() for image in (second, warped)]


def test_rubber_whale_has_the_known_figures(real):
    flow, valid = data.read_flow(real("middlebury/RubberWhale_flow10.flo"))
    assert flow.shape == (388, 584, 2) and (~valid).sum() == 3622
    low, high = flow[valid].min(0), flow[valid].max(0)
    np.testing.assert_allclose([*low, *high], [-4.58, -2.58, 2.58, 2.92], atol=0.005)


def test_rubber_whale_warps_the_second_frame_onto_the_first(real):
    names = "RubberWhale_flow10.flo", "frame10.png", "frame11.png"
    before, after = differences(*(real(f"middlebury/{name}") for name in names))
    assert before > 4 * after
