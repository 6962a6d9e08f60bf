"""The subset of FlyingThings3D: several videos in one run of numbers."""

import shutil

import numpy as np
import pytest
from helpers import pair_trees, trees

from sf3d_jax import data
from sf3d_jax.data.sets.things.dataset import FlyingThings3D
from sf3d_jax.data.sets.things.subset import FlyingThings3DSubset

SIZE = (27, 48)
FORWARD = [("0000008", "0000009"), ("0000009", "0000010"), ("0000011", "0000012")]
FORWARD += [("0000012", "0000013")]
BACKWARD = [(b, a) for a, b in FORWARD]


def numbers(film):
    return [(e.frame, e.next_frame) for e in film.entries]


@pytest.mark.parametrize("side, sign", [("left", -1), ("right", 1), ("left", 1)])
def test_a_sample_forward_and_one_backward_are_the_truth(tmp_path, side, sign):
    truths = pair_trees.things_subset(tmp_path, side=side, sign=sign)
    forward = FlyingThings3DSubset(tmp_path, side=side)
    for film, truth, index, frames in zip(
        (forward, forward.other_direction()), truths, (2, 3), ((11, 12), (13, 12)), strict=True
    ):
        sample = film[index]
        trees.check_images(sample, *frames, SIZE)
        np.testing.assert_allclose(sample.flow, truth.flow, atol=2e-6)
        np.testing.assert_allclose(sample.inv_depth, truth.inv_depth, atol=1e-6)
        np.testing.assert_allclose(sample.inv_depth_change, truth.change, atol=2e-6)
        np.testing.assert_allclose(sample.next_inv_depth, truths[0].next_inv_depth, atol=1e-6)
        np.testing.assert_array_equal(sample.occlusion, np.arange(48) == np.zeros((27, 1)))
        np.testing.assert_allclose(sample.camera.focal, [52.5, 52.5])
        np.testing.assert_allclose(sample.camera.principal_point, [23.5, 13])
        assert sample.next_camera is None and sample.valid is None
        assert sample.name == f"train/{side}/{frames[0]:07d}"


def test_no_pair_crosses_the_end_of_a_video(tmp_path):
    pair_trees.things_subset(tmp_path)
    film = FlyingThings3DSubset(tmp_path)
    # 10 and 11 are neighbours, and have images and disparities: but of two videos.
    assert numbers(film) == FORWARD
    back = film.other_direction()
    assert numbers(back) == BACKWARD and back.other_direction().entries == film.entries
    triples = FlyingThings3DSubset(tmp_path, frames=3)
    assert [triple.name for triple in triples] == ["train/left/0000008", "train/left/0000011"]


def test_motion_of_the_other_direction_tells_the_videos_too(tmp_path):
    pair_trees.things_subset(tmp_path)
    for kind in ("flow", "disparity_change", "flow_occlusions"):
        shutil.rmtree(tmp_path / f"train/{kind}/left/into_future")
    film = FlyingThings3DSubset(tmp_path)
    assert numbers(film) == FORWARD
    trees.check_images(film[2], 11, 12, SIZE)
    assert film[2].flow is film[2].occlusion is film[2].inv_depth_change is None


def test_images_alone_do_not_say_where_a_video_ends(tmp_path):
    pair_trees.things_subset(tmp_path)
    for kind in ("flow", "disparity_change", "flow_occlusions"):
        shutil.rmtree(tmp_path / f"train/{kind}")
    with pytest.raises(FileNotFoundError) as error:
        FlyingThings3DSubset(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: found no train/flow/left/into_future/0000000.flo (expected in the subset "
        "of FlyingThings3D); image_clean/left/0000000.png alone does not say where a video ends"
    )


def test_a_missing_file_is_missed_when_its_pair_is_read(tmp_path):
    pair_trees.things_subset(tmp_path)
    for name in ("image_clean/left/0000009.png", "flow/left/into_future/0000008.flo"):
        missing = tmp_path / "train" / name
        missing.rename(tmp_path / "elsewhere")
        film = FlyingThings3DSubset(tmp_path)
        assert numbers(film) == FORWARD
        with pytest.raises(FileNotFoundError, match=str(missing)):
            film[0]
        assert film[2].flow is not None
        (tmp_path / "elsewhere").rename(missing)


def test_a_flow_of_any_size_needs_no_camera(tmp_path):
    truth, _ = pair_trees.things_subset(tmp_path, size=(40, 50))
    for kind in ("disparity", "disparity_change"):
        shutil.rmtree(tmp_path / "train" / kind)
    sample = FlyingThings3DSubset(tmp_path)[0]
    np.testing.assert_allclose(sample.flow, truth.flow, atol=1e-5)
    assert sample.camera is None


def test_a_change_without_a_disparity_has_no_sign(tmp_path):
    pair_trees.things_subset(tmp_path / "subset")
    trees.things(tmp_path / "all")
    for name, make in (("subset/train", FlyingThings3DSubset), ("all", FlyingThings3D)):
        shutil.rmtree(tmp_path / name / "disparity")
        film = make(tmp_path / name)
        with pytest.raises(
            data.FormatError, match="disparity beside it, which has the sign"
        ) as error:
            film[0]
        assert error.value.path == film.entries[0].files["change"]
        shutil.rmtree(tmp_path / name / "disparity_change")
        sample = make(tmp_path / name)[0]
        assert sample.flow is not None and sample.inv_depth_change is sample.inv_depth is None


def test_a_flow_that_is_no_number_is_not_valid(tmp_path):
    truth, _ = pair_trees.things_subset(tmp_path)
    flow = np.float32(truth.flow)
    flow[3, 4] = np.nan
    data.write_flow(tmp_path / "train/flow/left/into_future/0000008.flo", flow)
    sample = FlyingThings3DSubset(tmp_path)[0]
    assert not sample.valid[3, 4] and sample.valid.sum() == 27 * 48 - 1
    assert not sample.flow[3, 4].any()


def test_a_map_of_another_size_is_named(tmp_path):
    pair_trees.things_subset(tmp_path)
    path = tmp_path / "train/flow_occlusions/left/into_future/0000008.png"
    trees.write_image(path, 1, (26, 48))
    with pytest.raises(data.FormatError, match="48 x 27 pixels, as in") as error:
        FlyingThings3DSubset(tmp_path)[0]
    assert error.value.path == path


def test_splits_and_renderings_are_chosen(tmp_path):
    pair_trees.things_subset(tmp_path, "val", start=0)
    film = FlyingThings3DSubset(tmp_path, "val")
    assert film.entries[0].name == "val/left/0000000"
    assert FlyingThings3DSubset(tmp_path / "val", "val").entries == film.entries
    with pytest.raises(FileNotFoundError, match="no train/flow/left/into_future/"):
        FlyingThings3DSubset(tmp_path)
    with pytest.raises(ValueError, match="split: expected 'train' or 'val', got 'TRAIN'"):
        FlyingThings3DSubset(tmp_path, "TRAIN")
    with pytest.raises(ValueError, match="render: expected 'clean' or 'final', got 'cleanpass'"):
        FlyingThings3DSubset(tmp_path, "val", render="cleanpass")
    (tmp_path / "val/image_clean").rename(tmp_path / "val/image_final")
    final = FlyingThings3DSubset(tmp_path, "val", render="final")
    trees.check_images(final[0], 0, 1, SIZE)
    for found in (data.recognise(tmp_path), data.recognise(tmp_path / "val")):
        (one,) = found
        assert (one.split, one.render) == ("val", "final")
