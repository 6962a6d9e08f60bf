"""Sintel's depth, disparity and cameras, packed by hand and by OpenCV."""

import struct

import cv2
import numpy as np
import pytest
from helpers import support
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets.sintel import files as sintel

DEPTH = np.float32([[1.5, 2, 70], [0.25, np.nan, 1e5]])
SIZE = (436, 1024)
M = [1120.0, 0, 511.5, 0, 1120.5, 217.5, 0, 0, 1]


def packed(path, matrix=M, pose=support.NEAR, tag=202021.25, more=b""):
    content = struct.pack("<f21d", tag, *matrix, *np.ravel(pose)) + more
    path.write_bytes(content)
    return path


def test_a_depth_file_packed_by_hand_is_read_as_a_map(tmp_path):
    content = struct.pack("<fii6f", 202021.25, 3, 2, *DEPTH.ravel())
    (tmp_path / "a.dpt").write_bytes(content)
    values, valid = data.read_map(tmp_path / "a.dpt")
    np.testing.assert_array_equal(values, np.nan_to_num(DEPTH))
    np.testing.assert_array_equal(valid, np.isfinite(DEPTH))
    data.write_map(tmp_path / "b.dpt", values, valid)
    assert (tmp_path / "b.dpt").read_bytes() == content


def test_depth_has_its_format_by_name_too(tmp_path):
    data.write_map(tmp_path / "a.bin", DEPTH, format="sintel")
    np.testing.assert_array_equal(
        data.read_map(tmp_path / "a.bin", format="sintel").values[0], DEPTH[0]
    )


def test_flow_and_depth_are_not_taken_for_each_other(tmp_path):
    data.write_flow(tmp_path / "a.flo", np.ones((4, 3, 2)))
    (tmp_path / "a.flo").rename(tmp_path / "a.dpt")
    with pytest.raises(data.FormatError, match=r"a\.dpt: expected 60 bytes for 3 x 4 pixels"):
        data.read_map(tmp_path / "a.dpt")
    (tmp_path / "b.dpt").write_bytes(b"")
    with pytest.raises(data.FormatError, match=r"expected a \.dpt file, which begins with b'PIEH'"):
        data.read_map(tmp_path / "b.dpt")


def test_a_depth_file_is_no_disparity(tmp_path):
    data.write_map(tmp_path / "a.dpt", DEPTH)
    with pytest.raises(data.FormatError, match=r"found the ending '\.dpt'"):
        data.read_disparity(tmp_path / "a.dpt")


def test_disparity_is_read_as_the_benchmark_says(tmp_path):
    red, green, blue = (np.uint8([row]) for row in ([0, 1, 255, 0], [0, 16, 255, 0], [0, 0, 0, 1]))
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([blue, green, red]))
    values, valid = sintel.read_sintel_disparity(tmp_path / "a.png")
    np.testing.assert_array_equal(values, [[0, 4.25, 1023.984375, 2**-14]])
    np.testing.assert_array_equal(valid, [[False, True, True, True]])
    assert values.dtype == np.float32


@given(
    hnp.arrays(np.float32, (3, 4), elements=st.floats(0, 1023.875, width=32)),
    hnp.arrays(bool, (3, 4)),
)
def test_what_is_written_the_benchmarks_reader_finds(tmp_path_factory, disparity, valid):
    path = tmp_path_factory.mktemp("sintel") / "a.png"
    sintel.write_sintel_disparity(path, disparity, valid)
    blue, green, red = (np.float64(x) for x in cv2.split(cv2.imread(str(path))))
    known = valid & (disparity > 0)
    exact = np.where(known, disparity.astype(np.float64), 0)
    np.testing.assert_allclose(red * 4 + green / 2**6 + blue / 2**14, exact, atol=2**-14)
    np.testing.assert_allclose(red * 4 + green / 2**6, exact, atol=2**-6)
    again = sintel.read_sintel_disparity(path)
    np.testing.assert_array_equal(again.valid, known)
    sintel.write_sintel_disparity(path, *again)
    np.testing.assert_array_equal(sintel.read_sintel_disparity(path).values, again.values)


def test_what_is_no_disparity_is_written_as_invalid(tmp_path):
    sintel.write_sintel_disparity(tmp_path / "a.png", [[-1, 0, np.nan, np.inf, 3]])
    values, valid = sintel.read_sintel_disparity(tmp_path / "a.png")
    np.testing.assert_array_equal(values, [[0, 0, 0, 0, 3]])
    np.testing.assert_array_equal(valid, values > 0)


def test_a_disparity_that_does_not_fit_is_refused_with_its_number(tmp_path):
    with pytest.raises(ValueError, match="disparity: 2 valid pixels are 1024 or more"):
        sintel.write_sintel_disparity(tmp_path / "a.png", [[1024, 3, 1e9]])
    assert not list(tmp_path.iterdir())


def test_another_picture_is_no_disparity(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.ones((2, 3), np.uint8))
    with pytest.raises(data.FormatError, match="Sintel disparity, a PNG of 8 bits and 3 channel"):
        sintel.read_sintel_disparity(tmp_path / "a.png")


def test_a_camera_packed_by_hand_sees_what_m_n_x_says(tmp_path):
    camera = sintel.read_sintel_camera(packed(tmp_path / "a.cam"), SIZE)
    np.testing.assert_array_equal(camera.focal, [1120, 1120.5])
    np.testing.assert_array_equal(camera.principal_point, [511.5, 217.5])
    np.testing.assert_array_equal(camera.world_to_camera, support.NEAR)
    assert camera.size == SIZE and camera.world_to_camera.dtype == np.float64

    x, y, z = np.reshape(M, (3, 3)) @ support.NEAR @ [0.3, -0.2, 4, 1]
    with support.float64():
        seen = np.array(sf3d.project(np.array([0.3, -0.2, 4]), camera).pixels)
    np.testing.assert_allclose(seen, [x / z, y / z], rtol=1e-14)


def test_a_camera_there_and_back_is_the_same_file(tmp_path):
    path = packed(tmp_path / "a.cam")
    sintel.write_sintel_camera(tmp_path / "b.cam", sintel.read_sintel_camera(path, SIZE))
    assert (tmp_path / "b.cam").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "change, says",
    [
        ({"tag": 1.0}, "a .cam file, 172 bytes that begin with b'PIEH'"),
        ({"more": b"\0"}, "found b'PIEH' in 173 bytes"),
        ({"matrix": [-1120, *M[1:]]}, "positive focal lengths in M"),
        ({"matrix": [M[0], 3, *M[2:]]}, r"\[fx 0 cx; 0 fy cy; 0 0 1\] in M"),
        ({"matrix": [*M[:8], 0]}, r"\[fx 0 cx; 0 fy cy; 0 0 1\] in M"),
        ({"matrix": [np.nan, *M[1:]]}, "in M, found nan"),
        ({"pose": 2 * support.NEAR}, "a rotation and a translation in N"),
        ({"pose": [[-1], [1], [1]] * support.NEAR}, "a rotation and a translation in N"),
        ({"pose": 1e300 * support.NEAR}, "in N"),
    ],
)
def test_what_is_no_camera_is_refused_by_name(tmp_path, change, says):
    path = packed(tmp_path / "a.cam", **change)
    with pytest.raises(data.FormatError, match=says) as error:
        sintel.read_sintel_camera(path, SIZE)
    assert str(error.value).startswith(str(path))


def test_a_camera_that_the_format_cannot_hold_is_refused(tmp_path):
    batch = sf3d.Camera.pinhole(np.ones(2), 1, 1, 1, SIZE)
    one = sf3d.Camera.pinhole(1, 1, 1, 1, SIZE)
    mirrored = support.unchecked(one, world_to_camera=np.diag([-1.0, 1, 1, 1])[:3])
    flat = support.unchecked(one, focal=np.zeros(2))
    for camera, says in (
        (batch, "camera: expected one (pinhole )?camera"),
        (support.camera("opencv"), "camera: expected one (pinhole )?camera"),
        (mirrored, r"camera\.world_to_camera: expected rotations"),
        (flat, "camera: expected positive focal lengths"),
    ):
        with pytest.raises(ValueError, match=says):
            sintel.write_sintel_camera(tmp_path / "a.cam", camera)
    with pytest.raises(TypeError, match="camera: expected a Camera"):
        sintel.write_sintel_camera(tmp_path / "a.cam", np.eye(3))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [(0, 1024), (5.5, 4), "ab", None])
def test_a_wrong_size_is_the_fault_of_the_caller(tmp_path, size):
    with pytest.raises(ValueError, match=r"^size: expected two integers"):
        sintel.read_sintel_camera(packed(tmp_path / "a.cam"), size)
