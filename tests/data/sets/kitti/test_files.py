"""The 16-bit PNGs and the calibration of KITTI, against PNGs that OpenCV writes and reads."""

import cv2
import numpy as np
import pytest
from helpers import kitti_prediction, support
from helpers.png import write_png
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets.kitti import calibration as kitti


def png(path, *channels):
    """A 16-bit PNG of one channel, or of red, green and blue."""
    assert cv2.imwrite(str(path), np.dstack(channels[::-1]).astype(np.uint16))
    return path


def test_flow_is_red_and_green_and_valid_only_by_blue(tmp_path):
    red = [[32768, 32768 + 64, 0], [0, 32768, 65535]]
    green = [[32768, 32768 - 32, 0], [0, 32768, 32769]]
    blue = [[1, 1, 1], [0, 0, 7]]
    flow, valid = data.read_flow(png(tmp_path / "a.png", red, green, blue))
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
    path = png(tmp_path / "a.png", [[0, 1, 256], [384, 65535, 2]])
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
    path = png(tmp_path / "a.png", [[0, 5000, 2500]])
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
    flow = png(tmp_path / "flow.png", [[1]], [[1]], [[1]])
    disparity = png(tmp_path / "disparity.png", [[1]])
    cv2.imwrite(str(tmp_path / "image.png"), np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(data.FormatError, match=r"flow\.png: .*found a 16-bit picture with 3 chann"):
        data.read_disparity(flow)
    with pytest.raises(data.FormatError, match=r"disparity\.png: expected KITTI flow, .*with 1 ch"):
        data.read_flow(disparity)
    with pytest.raises(data.FormatError, match=r"image\.png: .*found a 8-bit picture"):
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


P2 = "P2: 700 0 600 70 0 710 170 0.2 0 0 1 0.003"
P3 = "P3: 700 0 600 -350 0 710 170 2 0 0 1 0.003"


def calibration(tmp_path, *lines):
    (tmp_path / "calib.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "calib.txt"


def test_the_last_digit_of_the_intrinsics_may_differ(tmp_path):
    right = P3.replace("700", "700.0001")
    camera, baseline = data.read_kitti_calibration(calibration(tmp_path, P2, right), size=(5, 7))
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
            "a baseline of -0.6 m; are the two exchanged",
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
        (support.camera(pose=support.NEAR), 0.5, "holds no pose"),
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
