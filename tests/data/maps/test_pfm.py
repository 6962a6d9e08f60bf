"""Portable float maps, against bytes that the tests lay out themselves and against OpenCV."""

import struct

import cv2
import numpy as np
import pytest
from helpers.files import written

from sf3d_jax import data

TOP, BOTTOM = (1.0, 2.0, 3.0), (4.0, -5.0, np.nan)


def pfm(order="<", kind="Pf", size="3 2", scale=None, rows=(BOTTOM, TOP), end="\n"):
    """A file of these rows, the bottom one first, with these ends of its lines of text."""
    scale = scale or {"<": "-1.0", ">": "1.0"}[order]
    numbers = [x for row in rows for x in row]
    return f"{kind}{end}{size}{end}{scale}{end}".encode() + struct.pack(
        f"{order}{len(numbers)}f", *numbers
    )


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("end", ["\n", " \n", "\r\n"])
def test_rows_come_from_the_bottom_in_either_byte_order(tmp_path, order, end):
    values, valid = data.read_map(written(tmp_path / "a.pfm", pfm(order, end=end)))
    np.testing.assert_array_equal(values, [TOP, (4, -5, 0)])
    np.testing.assert_array_equal(valid, [[True] * 3, [True, True, False]])
    assert values.dtype == np.float32 and values.dtype.isnative


def test_the_magnitude_of_the_scale_is_ignored(tmp_path):
    values, _ = data.read_map(written(tmp_path / "a.pfm", pfm(scale="-0.003922")))
    np.testing.assert_array_equal(values[0], TOP)


def test_disparity_drops_its_sign_and_zero_is_no_surface(tmp_path):
    rows = (0.0, -2.0, 3.0), (np.inf, 0.5, np.nan)
    values, valid = data.read_disparity(written(tmp_path / "a.pfm", pfm(rows=rows)))
    np.testing.assert_array_equal(values, [[0, 0.5, 0], [0, 2, 3]])
    np.testing.assert_array_equal(valid, values > 0)


def test_flow_is_the_first_two_of_three_channels(tmp_path):
    content = pfm(kind="PF", size="1 2", rows=[(1, 2, 99), (3, 4, 99)])
    flow, valid = data.read_flow(written(tmp_path / "a.pfm", content))
    np.testing.assert_array_equal(flow, [[[3, 4]], [[1, 2]]])
    assert valid.all()


def test_written_bytes_are_little_endian_from_the_bottom(tmp_path):
    data.write_map(tmp_path / "a.pfm", np.array([TOP, BOTTOM]))
    assert (tmp_path / "a.pfm").read_bytes() == pfm()


def test_written_flow_has_a_third_channel_of_zero_and_nan_where_invalid(tmp_path):
    flow = np.array([[[1, 2]], [[3, 4]]])
    data.write_flow(tmp_path / "a.pfm", flow, np.array([[True], [False]]))
    numbers = np.frombuffer((tmp_path / "a.pfm").read_bytes()[-24:], "<f4")
    np.testing.assert_array_equal(numbers, [np.nan, np.nan, 0, 1, 2, 0])


def test_written_disparity_has_zero_where_invalid(tmp_path):
    disparity = np.array([[1, -2, np.nan], [0, 5, 6]])
    data.write_disparity(tmp_path / "a.pfm", disparity, np.array([[True] * 3, [True, True, False]]))
    content = (tmp_path / "a.pfm").read_bytes()
    np.testing.assert_array_equal(np.frombuffer(content[-24:], "<f4"), [0, 5, 0, 1, 0, 0])


def test_opencv_reads_what_we_write(tmp_path):
    values = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    data.write_map(tmp_path / "a.pfm", values)
    read = cv2.imread(str(tmp_path / "a.pfm"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "header of a PFM"),
        (b"P5\n3 2\n255\n", "header of a PFM"),
        (b"PF\n3 2\n-1", "header of a PFM file, found b'PF\\n3 2\\n-1' in 9 bytes"),
        (pfm(size="3"), "header of a PFM"),
        (pfm(size="-3 2"), "header of a PFM"),
        (pfm(size="3 200000"), "header that says 3 x 200000"),
        (pfm(size="0 2"), "header that says 0 x 2"),
        (pfm(scale="one"), "a non-zero number as the scale of the PFM, found b'one'"),
        (pfm(scale="0"), "a non-zero number as the scale of the PFM"),
        (pfm(scale="nan"), "a non-zero number as the scale of the PFM"),
        (pfm(kind="PF"), "expected a PFM of the kind Pf (1 channel(s)), found PF"),
        (pfm()[:-1], "expected 36 bytes for 3 x 2 pixels, found 35"),
        (pfm() + b"x", "expected 36 bytes for 3 x 2 pixels, found 37"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, says):
    with pytest.raises(data.FormatError) as error:
        data.read_disparity(written(tmp_path / "broken.pfm", content))
    assert str(error.value).startswith(str(tmp_path / "broken.pfm")) and says in str(error.value)


def test_a_scalar_map_is_no_flow(tmp_path):
    with pytest.raises(data.FormatError, match=r"kind PF \(3 channel"):
        data.read_flow(written(tmp_path / "a.pfm", pfm()))


def test_spaces_before_two_ends_of_lines_are_those_of_things(tmp_path):
    disparity = np.random.default_rng(0).uniform(5, 60, (6, 8)).astype(np.float32)
    pixels = disparity[::-1].astype("<f4").tobytes()
    path = written(tmp_path / "a.pfm", b"Pf \n8 6 \n-1.0\n" + pixels)
    values, valid = data.read_disparity(path)
    np.testing.assert_array_equal(values, disparity)
    assert valid.all()


def test_a_scale_without_a_point_and_weights_of_zero_are_read(tmp_path):
    weights = np.random.default_rng(0).integers(0, 3, (5, 4)) / np.float32(2)
    path = written(tmp_path / "a.pfm", b"Pf\n4 5\n-1\n" + weights[::-1].astype("<f4").tobytes())
    values, valid = data.read_map(path)
    np.testing.assert_array_equal(values, weights)
    assert valid.all() and (weights == 0).any()


def test_things_has_the_size_of_its_images_and_is_what_opencv_reads(real):
    path = real("things_pfm/disp1.pfm")
    values, valid = data.read_disparity(path)
    assert values.shape == data.read_image(real("things_pfm/image1.png")).shape[:2] == (540, 960)
    assert valid.all()
    content = path.read_bytes()
    content = content.replace(b"Pf \n960 540 \n", b"Pf\n960 540\n", 1)  # OpenCV takes no spaces
    opencv = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(values, np.abs(opencv))


def test_weights_of_another_writer_are_read(real):
    values, valid = data.read_map(real("crops/0000000-occ_weights_01.pfm"))
    assert values.shape == (50, 50) and valid.all()
