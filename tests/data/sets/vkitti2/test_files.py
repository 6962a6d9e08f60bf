"""Virtual KITTI 2: PNGs that OpenCV writes and reads, text as the data set has it."""

import cv2
import numpy as np
import pytest
from helpers import support
from helpers.png import write_channels

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets.vkitti2 import files as vkitti2

SIZE = (375, 1242)


def test_depth_is_centimetres_and_the_sky_is_far(tmp_path):
    path = write_channels(tmp_path / "a.png", [[0, 1, 250, 65535]])
    values, valid = vkitti2.read_vkitti2_depth(path)
    np.testing.assert_array_equal(values, np.float32([[0, 0.01, 2.5, 655.35]]))
    np.testing.assert_array_equal(valid, [[False, True, True, True]])


def test_depth_is_written_rounded_and_clipped(tmp_path):
    depth = [[1e-6, 2.504, 2.506, 655.35], [1e6, 0, -3, np.nan], [np.inf, 1, 2, 3]]
    valid = np.ones((3, 4), bool)
    valid[2, 3] = False
    vkitti2.write_vkitti2_depth(tmp_path / "a.png", depth, valid)
    codes = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert codes.dtype == np.uint16
    np.testing.assert_array_equal(codes, [[1, 250, 251, 65535], [65535, 0, 0, 0], [0, 100, 200, 0]])


def test_depth_of_a_wrong_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"depth: expected the shape \[H, W\], got \[1, 2, 3\]"):
        vkitti2.write_vkitti2_depth(tmp_path / "a.png", np.ones((1, 2, 3)))
    with pytest.raises(ValueError, match=r"valid: expected bool \[2, 3\]"):
        vkitti2.write_vkitti2_depth(tmp_path / "a.png", np.ones((2, 3)), np.ones((3, 2), bool))
    assert not list(tmp_path.iterdir())


def test_scene_flow_is_metres_up_to_ten(tmp_path):
    path = write_channels(tmp_path / "a.png", [[13107, 0, 5]], [[52428, 9, 6]], [[65534, 9, 65535]])
    vectors, valid = vkitti2.read_vkitti2_scene_flow(path)
    np.testing.assert_allclose(vectors[0, 0], [-6, 6, 10 - 20 / 65535], rtol=1e-6)
    np.testing.assert_array_equal(valid, [[True, False, False]])
    assert not vectors[0, 1:].any() and vectors.dtype == np.float32


def test_scene_flow_there_and_back_is_exact_to_half_a_step(tmp_path):
    vectors = np.random.default_rng(0).uniform(-9.99, 9.99, (5, 6, 3))
    valid = np.ones((5, 6), bool)
    valid[0, 0], vectors[1, 1, 2] = False, np.nan
    expected = valid & np.isfinite(vectors).all(-1)
    path = tmp_path / "a.png"
    vkitti2.write_vkitti2_scene_flow(path, vectors, valid)
    again, known = vkitti2.read_vkitti2_scene_flow(path)
    np.testing.assert_array_equal(known, expected)
    assert np.abs(again - vectors)[known].max() <= 10 / 65535 + 1e-6
    vkitti2.write_vkitti2_scene_flow(tmp_path / "b.png", again, known)
    assert (tmp_path / "b.png").read_bytes() == path.read_bytes()


def test_scene_flow_that_does_not_fit_is_refused_with_its_number(tmp_path):
    with pytest.raises(ValueError, match="vectors: 2 valid pixels reach 10 m"):
        vkitti2.write_vkitti2_scene_flow(tmp_path / "a.png", [[[0, 0, 10], [-99, 0, 0], [1, 2, 3]]])
    with pytest.raises(ValueError, match=r"vectors: expected the shape \[H, W, 3\]"):
        vkitti2.write_vkitti2_scene_flow(tmp_path / "a.png", [[[0, 0]]])


def test_depth_and_flow_are_not_taken_for_each_other(tmp_path):
    flow = write_channels(tmp_path / "flow.png", [[1]], [[1]], [[1]])
    depth = write_channels(tmp_path / "depth.png", [[1]])
    with pytest.raises(data.FormatError, match=r"flow\.png: expected Virtual KITTI 2 depth"):
        vkitti2.read_vkitti2_depth(flow)
    with pytest.raises(data.FormatError, match=r"depth\.png: expected Virtual KITTI 2 flow"):
        data.read_flow(depth, format="vkitti2")
    with pytest.raises(data.FormatError, match=r"depth\.png: expected Virtual KITTI 2 scene flow"):
        vkitti2.read_vkitti2_scene_flow(depth)


INTRINSIC = """frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]
0 0 725.0087 725.0087 620.5 187
0 1 725.0087 725.0087 620.5 187
1 0 725.0087 725.0087 620.5 187
1 1 725.0087 725.0087 620.5 187
"""
TURN = "0.9999851 -0.00448637 -0.003161837 {} 0.004484 0.9999896 -0.0007553 {} 0.0031652 0.0007411"
EXTRINSIC = f"""frame cameraID r1,1 r1,2 r1,3 t1 r2,1 r2,2 r2,3 t2 r3,1 r3,2 r3,3 t3 0 0 0 1
0 0 1 0 0 5 0 1 0 -1.5 0 0 1 2 0 0 0 1
0 1 1 0 0 4.467275 0 1 0 -1.5 0 0 1 2 0 0 0 1
1 0 {TURN.format(5, -1.5)} 0.9999947 1 0 0 0 1
1 1 {TURN.format(4.467275, -1.5)} 0.9999947 1 0 0 0 1
"""


def texts(folder, intrinsic=INTRINSIC, extrinsic=EXTRINSIC):
    paths = folder / "intrinsic.txt", folder / "extrinsic.txt"
    for path, text in zip(paths, (intrinsic, extrinsic), strict=True):
        path.write_text(text)
    return paths


def test_the_cameras_stand_under_frame_and_side(tmp_path):
    cameras = vkitti2.read_vkitti2_cameras(*texts(tmp_path), SIZE)
    assert list(cameras) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    left, right = cameras[0, 0], cameras[0, 1]
    np.testing.assert_array_equal(left.focal, [725.0087, 725.0087])
    np.testing.assert_array_equal(left.principal_point, [620.5, 187])
    np.testing.assert_array_equal(left.world_to_camera, np.c_[np.eye(3), [5, -1.5, 2]])
    assert left.size == SIZE and left.world_to_camera.dtype == np.float64
    # The right camera has the same point further left by the baseline.
    np.testing.assert_allclose(
        left.world_to_camera - right.world_to_camera, np.c_[np.zeros((3, 3)), [0.532725, 0, 0]]
    )
    np.testing.assert_array_equal(cameras[1, 0].world_to_camera[0, :2], [0.9999851, -0.00448637])


def test_cameras_there_and_back_are_the_same_numbers(tmp_path):
    camera = sf3d.Camera.pinhole(725.0087, 1 / 3, 620.5, 187, SIZE, support.NEAR)
    paths = tmp_path / "i.txt", tmp_path / "e.txt"
    vkitti2.write_vkitti2_cameras(*paths, {(3, 1): camera, (3, 0): camera})
    again = vkitti2.read_vkitti2_cameras(*paths, SIZE)
    assert list(again) == [(3, 0), (3, 1)]
    for found in again.values():
        np.testing.assert_array_equal(found.focal, camera.focal)
        np.testing.assert_array_equal(found.principal_point, camera.principal_point)
        np.testing.assert_array_equal(found.world_to_camera, support.NEAR)
    # Others read them with NumPy alone.
    table = np.loadtxt(paths[1], skiprows=1)
    np.testing.assert_array_equal(table[0], [3, 0, *support.NEAR.ravel(), 0, 0, 0, 1])
    heads = [path.read_text().splitlines()[0] for path in paths]
    assert heads == [text.splitlines()[0] for text in (INTRINSIC, EXTRINSIC)]


@pytest.mark.parametrize(
    "which, old, new, says",
    [
        (0, "frame cameraID K", "cameraID frame K", r"the headings frame cameraID K\[0,0\]"),
        (0, INTRINSIC, "", r"the headings frame cameraID K\[0,0\]"),
        (0, INTRINSIC[43:], "", "rows of numbers below the headings"),
        (0, "0 1 725.0087", "0 0 725.0087", "frame 0 of camera 0 once, found it again in row 3"),
        (0, "0 0 725.0087", "0 0 -725", "positive focal lengths in frame 0 of camera 0"),
        (0, "0 0 725.0087", "0.5 0 725", r"a whole number in row 2, found '0\.5'"),
        (0, "620.5 187\n1 0", "620.5\n1 0", "4 numbers after frame 0 of camera 1 in row 3"),
        (0, "620.5 187\n1 0", "620.5 1_7\n1 0", "4 numbers after frame 0 of camera 1 in row 3"),
        (0, "\n1 1", "\n2 1", "expected frame 1 of camera 1, which .*extrinsic.txt has"),
        (1, "\n1 1", "\n2 1", "expected frame 1 of camera 1, which .*intrinsic.txt has"),
        (1, "0 0 1 0 0 5", "0 0 1 0 0 nan", "16 numbers after frame 0 of camera 0"),
        (1, "0 0 1 0 0 5", "0 0 -1 0 0 5", "rotation and a translation in frame 0 of camera 0"),
        (1, "0 0 0 1\n0 1", "0 0 0 2\n0 1", "rotation and a translation in frame 0 of camera 0"),
    ],
)
def test_a_broken_file_of_cameras_is_named(tmp_path, which, old, new, says):
    both = [INTRINSIC, EXTRINSIC]
    both[which] = both[which].replace(old, new, 1)
    paths = texts(tmp_path, *both)
    with pytest.raises(data.FormatError, match=says) as error:
        vkitti2.read_vkitti2_cameras(*paths, SIZE)
    assert str(error.value).startswith(str(paths[which]))


def test_no_cameras_are_not_written(tmp_path):
    paths = tmp_path / "i.txt", tmp_path / "e.txt"
    for cameras in ({}, {(-1, 0): support.camera()}):
        with pytest.raises(ValueError, match=r"cameras: expected keys \(frame, camera\) from 0 on"):
            vkitti2.write_vkitti2_cameras(*paths, cameras)
    with pytest.raises(ValueError, match=r"cameras\[\(0, 0\)\]: expected one pinhole camera"):
        vkitti2.write_vkitti2_cameras(*paths, {(0, 0): support.camera("fisheye")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [(0, 1024), (5.5, 4), "ab", None])
def test_a_wrong_size_is_the_fault_of_the_caller(tmp_path, size):
    with pytest.raises(ValueError, match=r"^size: expected two integers"):
        vkitti2.read_vkitti2_cameras(*texts(tmp_path), size)
