"""The calibration of KITTI: both layouts, text as the development kit has it."""

import numpy as np
import pytest
from helpers import kitti_prediction, support
from hypothesis import given
from hypothesis import strategies as st

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets.kitti import calibration as kitti

P2 = "P2: 700 0 600 70 0 710 170 0.2 0 0 1 0.003"
P3 = "P3: 700 0 600 -350 0 710 170 2 0 0 1 0.003"


def calibration(tmp_path, *lines):
    (tmp_path / "calib.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "calib.txt"


def test_the_last_digit_of_the_intrinsics_may_differ(tmp_path):
    right = P3.replace("700", "700.0001")
    path = calibration(tmp_path, P2, right)
    camera, baseline = data.read_kitti_calibration(path, size=(375, 1242))
    assert camera.focal[0] == 700 and baseline == 420 / 700


def test_the_calibration_gives_the_left_camera_and_the_baseline(tmp_path):
    camera, baseline = data.read_kitti_calibration(calibration(tmp_path, P2, P3), size=(375, 1242))
    np.testing.assert_array_equal(camera.focal, [700, 710])
    np.testing.assert_array_equal(camera.principal_point, [600, 170])
    assert camera.size == (375, 1242) and baseline == 420 / 700


def test_both_layouts_of_one_calibration_agree(tmp_path):
    kitti_prediction.write_prediction(tmp_path)
    size = kitti_prediction.SIZE
    short = data.read_kitti_calibration(tmp_path / "calib_000139.txt", size=size)
    long = data.read_kitti_calibration(tmp_path / kitti_prediction.CAM_TO_CAM)
    assert short.baseline == pytest.approx(kitti_prediction.BASELINE, abs=1e-8)
    assert short.baseline == pytest.approx(long.baseline, abs=1e-6)
    assert long.camera.size == short.camera.size == size
    np.testing.assert_array_equal(long.camera.focal, [kitti_prediction.FOCAL] * 2)
    np.testing.assert_array_equal(long.camera.principal_point, kitti_prediction.CENTRE)
    np.testing.assert_array_equal(short.camera.focal, long.camera.focal)
    grey = data.read_kitti_calibration(tmp_path / kitti_prediction.CAM_TO_CAM, camera=0)
    assert grey.baseline == pytest.approx(kitti_prediction.GREY_BASELINE, rel=1e-6)


def test_both_layouts_of_the_calibration_agree(real):
    short = data.read_kitti_calibration(real("kitti_prediction/calib_000139.txt"), size=(375, 1242))
    long = data.read_kitti_calibration(real("kitti_prediction/calib_cam_to_cam_2011_09_26.txt"))
    assert short.baseline == pytest.approx(0.5327, abs=5e-5)
    assert short.baseline == pytest.approx(long.baseline, abs=1e-6)
    assert long.camera.size == (375, 1242)
    np.testing.assert_array_equal(long.camera.focal, [721.5377, 721.5377])
    np.testing.assert_array_equal(long.camera.principal_point, [609.5593, 172.854])
    np.testing.assert_array_equal(short.camera.focal, long.camera.focal)


def test_the_grey_pair_has_its_own_baseline(real):
    path = real("kitti_prediction/calib_cam_to_cam_2011_09_26.txt")
    calibration = data.read_kitti_calibration(path, camera=0)
    assert calibration.baseline == pytest.approx(387.5744 / 721.5377)


@pytest.mark.parametrize(
    "lines, says",
    [
        ([P2, P3], r"S_rect_02: or size=\(height, width\)"),
        ([P2], "expected a line P_rect_03: or P3:"),
        (["S_rect_02: 9 8", P2.replace("700", "abc"), P3], "expected 12 numbers after P2:"),
        (["S_rect_02: 9 8", P2[:-6], P3], "expected 12 numbers after P2:"),
        (["S_rect_02: 9 8", P2, P3.replace("170", "nan")], "expected 12 numbers after P3:"),
        (["S_rect_02: 9 8", P2.replace("700", "0"), P3], "positive focal lengths in P2"),
        (
            ["S_rect_02: 9 8", P2.replace("P2", "P3"), P3.replace("P3", "P2")],
            "a baseline of -0.6 m; are the two swapped",
        ),
        (
            ["S_rect_02: 9 8", P2.replace("700 0", "700 50"), P3.replace("700 0", "700 50")],
            "fx 0 cx",
        ),
        (["S_rect_02: 9 8", P2, P3.replace("700", "720")], "same K in P2 and P3, .* 700 and 720"),
        (["S_rect_02: 9 8", P2, P3.replace("170", "170.01")], "the same K in P2 and P3"),
        (["S_rect_02: 9 8", P2, P2, P3], "expected every key once, found 'P2' twice"),
        (["S_rect_02: 9", P2, P3], "expected 2 numbers after S_rect_02:"),
        (["S_rect_02: 9.5 8", P2, P3], r"whole numbers after S_rect_02:, found 9\.5 8\.0"),
        (["S_rect_02: 9 -8", P2, P3], "a width and a height of 1 to 100,000"),
        (["S_rect_02: 1e9 8", P2, P3], "a width and a height of 1 to 100,000"),
        (["S_rect_02: 9 8", P2, P3.replace("-350", "-1e29")], r"a baseline of 1\.\d+e\+26 m"),
    ],
)
def test_a_broken_calibration_is_named(tmp_path, lines, says):
    with pytest.raises(data.FormatError, match=says) as error:
        data.read_kitti_calibration(calibration(tmp_path, *lines))
    assert str(error.value).startswith(str(tmp_path / "calib.txt"))


def test_a_calibration_there_and_back_is_equal(tmp_path):
    kitti_prediction.write_long_calibration(tmp_path / "first.txt")
    check_there_and_back(tmp_path, tmp_path / "first.txt")


def test_a_real_calibration_there_and_back_is_equal(tmp_path, real):
    check_there_and_back(tmp_path, real("kitti_prediction/calib_cam_to_cam_2011_09_26.txt"))


def check_there_and_back(tmp_path, path):
    first = data.read_kitti_calibration(path)
    kitti.write_kitti_calibration(tmp_path / "a.txt", first)
    again = data.read_kitti_calibration(tmp_path / "a.txt")
    for name in ("focal", "principal_point", "world_to_camera", "size"):
        np.testing.assert_array_equal(getattr(again.camera, name), getattr(first.camera, name))
    assert again.baseline == first.baseline


@given(st.floats(1e-3, 1e5), st.floats(1e-3, 1e5))
def test_the_baseline_is_kept_to_its_last_place(tmp_path_factory, focal, baseline):
    path = tmp_path_factory.mktemp("kitti") / "a.txt"
    camera = sf3d.Camera.pinhole(focal, 2 * focal, 600.5, 170, (375, 1242))
    kitti.write_kitti_calibration(path, kitti.Calibration(camera, baseline))
    again = data.read_kitti_calibration(path)
    assert abs(again.baseline - baseline) <= np.spacing(baseline)
    np.testing.assert_array_equal(again.camera.focal, [focal, 2 * focal])


def test_a_written_calibration_has_the_lines_of_the_devkit(tmp_path):
    camera = sf3d.Camera.pinhole(*np.float32([700.5, 710, 600.25, 170]), (375, 1242))
    kitti.write_kitti_calibration(tmp_path / "a.txt", kitti.Calibration(camera, 0.5))
    lines = dict(line.split(": ") for line in (tmp_path / "a.txt").read_text().splitlines())
    numbers = {key: [float(x) for x in words.split()] for key, words in lines.items()}
    assert numbers == {
        "S_rect_02": [1242, 375],
        "P_rect_02": [700.5, 0, 600.25, 0, 0, 710, 170, 0, 0, 0, 1, 0],
        "S_rect_03": [1242, 375],
        "P_rect_03": [700.5, 0, 600.25, -350.25, 0, 710, 170, 0, 0, 0, 1, 0],
    }


def test_a_calibration_that_the_format_cannot_hold_is_refused(tmp_path):
    plain = support.camera()
    for camera, baseline, says in (
        (plain, 0, "baseline: expected a positive number, got 0"),
        (plain, np.nan, "baseline: expected a positive number, got nan"),
        (
            support.camera(pose=support.NEAR),
            0.5,
            "has a pose, which a KITTI calibration cannot store",
        ),
        (support.camera("opencv"), 0.5, "camera: expected one pinhole camera"),
    ):
        with pytest.raises(ValueError, match=rf"calibration\.(camera|baseline).*{says}|{says}"):
            kitti.write_kitti_calibration(tmp_path / "a.txt", kitti.Calibration(camera, baseline))
    assert not list(tmp_path.iterdir())


def test_a_right_camera_is_refused(tmp_path):
    with pytest.raises(ValueError, match="camera: expected 0 or 2"):
        data.read_kitti_calibration(calibration(tmp_path, P2, P3), camera=3)


@pytest.mark.parametrize("size", [(0, 1024), (5.5, 4), "ab", (5,)])
def test_a_wrong_size_is_the_fault_of_the_caller(tmp_path, size):
    with pytest.raises(ValueError, match=r"^size: expected two integers"):
        data.read_kitti_calibration(calibration(tmp_path, P2, P3), size=size)


@pytest.mark.parametrize("size", ["310 94", "621 188"])
def test_intrinsics_of_a_larger_image_than_the_file_says_are_refused(tmp_path, size):
    f = "P_rect_0{}: 721.5377 0 {} {} 0 721.5377 {} 0 0 0 1 0"
    point = (609.5593, 172.854) if size == "310 94" else (1219.1186, 345.708)
    left, right = (f.format(i, point[0], -390.0 * (i - 2), point[1]) for i in (2, 3))
    path = calibration(tmp_path, f"S_rect_02: {size}", left, right)
    with pytest.raises(
        data.FormatError, match=r"intrinsics of an image of \d+ x \d+ pixels for P2"
    ):
        data.read_kitti_calibration(path)
