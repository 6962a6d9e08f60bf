"""KITTI 2012: a tree of 16-bit PNGs, of a grey pair whose baseline is not that of the colours."""

import numpy as np
import pytest
from helpers import street_trees, trees

from sf3d_jax import data
from sf3d_jax.data.sets.kitti.dataset_2012 import Kitti2012


def test_a_sample_is_the_truth(tmp_path):
    truth = street_trees.kitti2012(tmp_path)
    kitti = Kitti2012(tmp_path)
    assert len(kitti) == 1 and kitti.other_direction() is None
    sample = kitti[0]
    trees.check_images(sample, 7, 8)
    # Half a code: 1/128 px of flow, 1/512 px of disparity with f B = 125.
    np.testing.assert_allclose(sample.flow, truth.flow, atol=1 / 128 + 1e-6)
    np.testing.assert_allclose(sample.inv_depth, truth.inv_depth, atol=1 / 512 / 125 + 1e-7)
    assert sample.valid.all() and sample.inv_depth_change is None and sample.next_camera is None
    assert sample.name == "000007/10" and sample.camera.size == trees.SIZE
    np.testing.assert_array_equal(sample.camera.focal, [250, 250])
    assert sample.occlusion[0, 0] and sample.occlusion.sum() == 1


def test_a_flow_is_known_where_the_disparity_is_not(tmp_path):
    truth = street_trees.kitti2012(tmp_path)
    known = np.ones(trees.SIZE, bool)
    known[3] = False
    disparity = truth.inv_depth * 125
    data.write_disparity(tmp_path / "training/disp_occ/000007_10.png", disparity, known)
    sample = Kitti2012(tmp_path)[0]
    assert sample.valid.all() and sample.flow[3].all()
    np.testing.assert_array_equal(sample.inv_depth > 0, known)


def test_grey_images_are_read_where_there_are_none_in_colour(tmp_path):
    street_trees.kitti2012(tmp_path, images="image_0")
    trees.check_images(Kitti2012(tmp_path)[0], 7, 8)
    street_trees.kitti2012(tmp_path, number=8)
    both = Kitti2012(tmp_path)
    assert [e.files["image"].parent.name for e in both.entries] == ["colored_0", "colored_0"]
    with pytest.raises(FileNotFoundError, match=r"colored_0.000007_10\.png"):
        both[0]


def test_the_truth_inside_the_image_counts_where_there_is_no_other(tmp_path):
    street_trees.kitti2012(tmp_path)
    for kind in ("flow", "disp"):
        (tmp_path / f"training/{kind}_occ").rename(tmp_path / f"{kind}_occ")
    sample = Kitti2012(tmp_path)[0]
    assert sample.occlusion is None and not sample.valid[0, 0] and sample.inv_depth[0, 0] == 0
    assert sample.valid.sum() == sample.valid.size - 1


def test_without_calibration_there_is_flow_but_no_depth(tmp_path):
    street_trees.kitti2012(tmp_path)
    (tmp_path / "training/calib").rename(tmp_path / "calib")
    sample = Kitti2012(tmp_path)[0]
    assert sample.flow is not None and sample.camera is None and sample.inv_depth is None
    assert Kitti2012(tmp_path, calibration=tmp_path / "calib")[0].inv_depth is not None


def test_what_is_missing_is_named(tmp_path):
    for number in (7, 8):
        street_trees.kitti2012(tmp_path, number=number)
    for name in ("colored_0/000007_11.png", "flow_occ/000007_10.png", "calib/000007.txt"):
        path = tmp_path / "training" / name
        path.rename(tmp_path / "elsewhere")
        with pytest.raises(FileNotFoundError, match=path.name) as error:
            Kitti2012(tmp_path)[0]
        assert str(path) in str(error.value)
        (tmp_path / "elsewhere").rename(path)
    with pytest.raises(FileNotFoundError, match=r"Kitti2012: no such folder: .*nowhere"):
        Kitti2012(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no testing/colored_0/000000_10\.png"):
        Kitti2012(tmp_path, "testing")
    with pytest.raises(ValueError, match="split: expected 'training' or 'testing', got 'val'"):
        Kitti2012(tmp_path, "val")


def test_a_map_of_another_size_is_named(tmp_path):
    street_trees.kitti2012(tmp_path)
    path = tmp_path / "training/disp_occ/000007_10.png"
    data.write_disparity(path, np.ones((5, 6)))
    with pytest.raises(data.FormatError, match=r"expected 20 x 12 pixels, .*found 6 x 5") as error:
        Kitti2012(tmp_path)[0]
    assert str(path) in str(error.value)


def test_intrinsics_that_fit_no_such_image_are_refused(tmp_path):
    street_trees.kitti2012(tmp_path, size=(24, 40))
    with pytest.raises(data.FormatError, match=r"40 x 24 pixels for P0.*\(9\.3, 5\.2\)") as error:
        Kitti2012(tmp_path)[0]
    assert str(tmp_path / "training/calib/000007.txt") in str(error.value)
