"""KITTI 2015: a tree of 16-bit PNGs and calibrations, and real files where they are there."""

import cv2
import numpy as np
import pytest
from helpers import kitti_prediction, trees
from helpers.files import made
from helpers.png import write_png

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets.kitti.dataset import Kitti2015


def test_a_sample_is_the_truth(tmp_path):
    truth = trees.kitti2015(tmp_path)
    kitti = Kitti2015(tmp_path)
    assert len(kitti) == 1 and kitti.other_direction() is None
    sample = kitti[0]
    trees.check_images(sample, 7, 8)
    # Half a code: 1/128 px of flow, 1/512 px of disparity with f B = 125. At 10 m that is
    # 100 / 64000 m of each depth, and 2 m beside the axis as much again.
    inv_depth = 1 / 512 / 125 + 1e-7
    trees.check_truth(sample, truth, flow=1 / 128 + 1e-6, inv_depth=inv_depth, vectors=6e-3)
    assert sample.name == "000007/10" and sample.next_camera is None
    assert sample.next_inv_depth is None and sample.scene_flow is None
    np.testing.assert_array_equal(sample.camera.world_to_camera, np.eye(3, 4))
    np.testing.assert_allclose(sample.camera.principal_point, [9.3, 5.2], rtol=1e-6)
    assert sample.camera.size == trees.SIZE


def test_occlusion_is_what_leaves_the_image(tmp_path):
    trees.kitti2015(tmp_path)
    occlusion = Kitti2015(tmp_path)[0].occlusion
    assert occlusion.dtype == bool and occlusion[0, 0] and occlusion.sum() == 1
    (tmp_path / "training/flow_noc").rename(tmp_path / "elsewhere")
    assert Kitti2015(tmp_path)[0].occlusion is None


def test_the_motion_is_valid_where_all_of_its_maps_are(tmp_path):
    trees.kitti2015(tmp_path)
    for i, folder in enumerate(("flow_occ", "disp_occ_0", "disp_occ_1"), 1):
        path = str(tmp_path / f"training/{folder}/000007_10.png")
        codes = cv2.imread(path, cv2.IMREAD_UNCHANGED)
        codes[i, i] = 0
        assert cv2.imwrite(path, codes)
    sample = Kitti2015(tmp_path)[0]
    unknown = np.zeros(trees.SIZE, bool)
    unknown[[1, 2, 3], [1, 2, 3]] = True
    np.testing.assert_array_equal(sample.valid, ~unknown)
    assert not sample.flow[unknown].any() and not sample.inv_depth_change[unknown].any()
    # A depth stays where the motion is not known.
    np.testing.assert_array_equal(sample.inv_depth[[1, 2, 3], [1, 2, 3]] > 0, [True, False, True])


def test_without_calibration_there_is_flow_but_no_depth(tmp_path):
    trees.kitti2015(tmp_path)
    (tmp_path / "training/calib_cam_to_cam").rename(tmp_path / "calibrations")
    sample = Kitti2015(tmp_path)[0]
    assert sample.flow is not None and sample.valid.all()
    assert sample.camera is None and sample.inv_depth is None and sample.inv_depth_change is None
    for calibration in (tmp_path / "calibrations", tmp_path / "calibrations/000007.txt"):
        assert Kitti2015(tmp_path, calibration=calibration)[0].inv_depth is not None
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt"):
        Kitti2015(tmp_path, calibration=tmp_path / "nowhere.txt")[0]


def test_testing_has_images_and_calibration(tmp_path):
    trees.kitti2015(tmp_path)
    for folder in (tmp_path / "training").iterdir():
        if folder.name not in ("image_2", "calib_cam_to_cam"):
            folder.rename(made(tmp_path / "unused" / folder.name))
    (tmp_path / "training").rename(tmp_path / "testing")
    sample = Kitti2015(tmp_path, "testing")[0]
    trees.check_images(sample, 7, 8)
    assert sample.camera.size == trees.SIZE
    assert sample.flow is sample.valid is sample.inv_depth is sample.occlusion is None
    with pytest.raises(FileNotFoundError, match=r"no training/image_2/000000_10\.png"):
        Kitti2015(tmp_path)
    with pytest.raises(ValueError, match="split: expected 'training' or 'testing', got 'val'"):
        Kitti2015(tmp_path, "val")


def test_samples_of_several_sizes_and_a_missing_file_between_them(tmp_path):
    trees.kitti2015(tmp_path, number=3)
    trees.kitti2015(tmp_path, number=9, size=(14, 22))
    trees.kitti2015(tmp_path, number=5)
    kitti = Kitti2015(tmp_path / "training")
    assert [e.name for e in kitti.entries] == ["000003/10", "000005/10", "000009/10"]
    assert kitti[-1].flow.shape == (14, 22, 2) and kitti[-1].camera.size == (14, 22)
    missing = tmp_path / "training/disp_occ_1/000005_10.png"
    missing.unlink()
    kitti = Kitti2015(tmp_path)
    assert len(kitti) == 3 and kitti[0].valid.all()
    with pytest.raises(FileNotFoundError, match=str(missing)):
        kitti[1]


def test_a_map_of_another_size_is_named(tmp_path):
    trees.kitti2015(tmp_path)
    path = tmp_path / "training/disp_occ_1/000007_10.png"
    data.write_disparity(path, np.ones((5, 6)))
    with pytest.raises(data.FormatError, match=r"expected 20 x 12 pixels, .*found 6 x 5") as error:
        Kitti2015(tmp_path)[0]
    assert str(path) in str(error.value)


def test_a_prediction_is_a_dense_scene_flow(tmp_path):
    codes = kitti_prediction.write_prediction(tmp_path)
    sample = predicted(tmp_path)
    assert sample.image.shape == (*kitti_prediction.SIZE, 3)
    disparity, moved = disparities(sample, kitti_prediction.BASELINE)
    np.testing.assert_allclose(disparity, codes.disparity / 256, rtol=2e-6)
    np.testing.assert_allclose(moved, codes.next_disparity / 256, rtol=2e-6)
    np.testing.assert_array_equal(sample.flow, (codes.flow[..., :2] - 2.0**15) / 64)
    assert lifted(sample).valid.all()
    before, after = differences(sample)
    assert after < 0.4 * before


def test_a_real_prediction_is_a_dense_scene_flow(real):
    sample = predicted(real("kitti_prediction"))
    assert sample.image.shape == (375, 1242, 3)
    disparity, moved = disparities(sample, 0.53272)
    found = [disparity.min(), disparity.max(), moved.min(), moved.max()]
    np.testing.assert_allclose(found, [0.76, 72.6, 4.9, 95.7], rtol=0.01)
    motion = lifted(sample)
    assert motion.valid.all()
    # The car drives on: most of what it sees comes nearer, by about a metre.
    assert -3 < np.median(motion.vectors[..., 2]) < -0.3
    np.testing.assert_allclose(differences(sample), [17.6, 6.5], atol=0.1)


def predicted(folder):
    kitti = Kitti2015(folder, calibration=folder / kitti_prediction.CAM_TO_CAM)
    (sample,) = kitti
    assert sample.name == "000139/10"
    assert sample.valid.all() and sample.occlusion is None
    return sample


def disparities(sample, baseline):
    """Of both frames, in pixels."""
    per_pixel = sample.camera.focal[0] * baseline
    both = sample.inv_depth, sample.inv_depth + sample.inv_depth_change
    return [x * per_pixel for x in both]


def lifted(sample):
    return sf3d.scene_flow(sample.flow, sample.inv_depth, sample.inv_depth_change, sample.camera)


def differences(sample):
    """The mean difference of the images in grey levels, before and after the warp."""
    grey = [255 * x @ np.float32([0.299, 0.587, 0.114]) for x in (sample.image, sample.next_image)]
    warped = sf3d.backward_warp(grey[1][..., None], sample.flow)
    inside = np.asarray(warped.valid)
    values = np.asarray(warped.values)[..., 0]
    return [np.abs(x - grey[0])[inside].mean() for x in (grey[1], values)]


def test_a_sparse_ground_truth_of_flow_alone_is_a_sample(tmp_path):
    rng = np.random.default_rng(0)
    top, size = tmp_path / "training", kitti_prediction.SIZE
    for number in (10, 11):
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        write_png(top / f"image_2/000000_{number}.png", image, filters=(1,))
    valid = rng.random(size) < 0.2
    codes = np.where(valid, rng.integers(2**14, 2**15, (2, *size)), 2**15)
    pixels = np.dstack([*codes, valid]).astype(np.uint16)
    write_png(top / "flow_occ/000000_10.png", pixels, filters=(1, 2, 4))
    path = made(top / "calib_cam_to_cam/000000.txt")
    kitti_prediction.write_short_calibration(path)
    (sample,) = Kitti2015(tmp_path)
    np.testing.assert_array_equal(sample.valid, valid)
    expected = np.moveaxis(np.where(valid, (codes - 2.0**15) / 64, 0), 0, -1)
    np.testing.assert_array_equal(sample.flow, expected)
    assert sample.inv_depth is None and sample.camera is not None


def test_a_real_ground_truth_is_sparse(real, tmp_path):
    top = tmp_path / "training"
    for name, file in (
        ("image_2/000000_10.png", "000000_10.png"),
        ("image_2/000000_11.png", "000000_11.png"),
        ("flow_occ/000000_10.png", "000000_10_flow_occ.png"),
        ("calib_cam_to_cam/000000.txt", "calib_000000.txt"),
    ):
        made(top / name).symlink_to(real(f"kitti2015/{file}"))
    (sample,) = Kitti2015(tmp_path)
    assert 100 * sample.valid.mean() == pytest.approx(16.2, abs=0.05)
    assert sample.flow[sample.valid].min() == pytest.approx(-184.25, abs=0.005)
    assert sample.inv_depth is None and sample.camera is not None
