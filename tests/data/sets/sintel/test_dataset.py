"""Sintel's films, with depth and cameras written by hand."""

import numpy as np
import pytest
from helpers import trees

import sf3d_jax as sf3d
from sf3d_jax.data.sets.sintel.dataset import Sintel


def test_a_sample_is_the_truth(tmp_path):
    truth = trees.sintel(tmp_path)
    film = Sintel(tmp_path)
    assert len(film) == 2 and film.other_direction() is None
    sample = film[0]
    trees.check_images(sample, 1, 2)
    trees.check_cameras(sample, truth)
    known = np.ones(trees.SIZE, bool)
    known[0, 0] = False
    np.testing.assert_array_equal(sample.valid, known)
    np.testing.assert_array_equal(sample.occlusion, ~known[::-1])
    np.testing.assert_allclose(sample.flow[known], truth.flow[known], atol=2e-6)
    np.testing.assert_allclose(sample.inv_depth, truth.inv_depth, rtol=3e-7)
    np.testing.assert_allclose(sample.next_inv_depth, truth.next_inv_depth, rtol=3e-7)
    assert sample.inv_depth_change is None and sample.name == "alley_1/0001"
    vectors = sf3d.scene_flow(
        sample.flow, sample.inv_depth, np.float32(truth.change), sample.camera, sample.next_camera
    ).vectors
    np.testing.assert_allclose(vectors[known], truth.vectors[known], atol=2e-5)


def test_disparity_is_used_where_there_is_no_depth(tmp_path):
    truth = trees.sintel(tmp_path, depth=False)
    sample = Sintel(tmp_path)[0]
    # Half a code of 1/64 px, with f B = 22.4.
    np.testing.assert_allclose(sample.inv_depth, truth.inv_depth, atol=1 / 128 / 22.4 + 1e-6)
    np.testing.assert_allclose(
        sample.next_inv_depth, truth.next_inv_depth, atol=1 / 128 / 22.4 + 1e-6
    )
    (tmp_path / "training/camdata_left").rename(tmp_path / "cameras")
    sample = Sintel(tmp_path)[0]
    assert sample.inv_depth is None and sample.camera is None and sample.flow is not None


def test_the_masks_of_the_stereo_release_are_not_those_of_a_flow(tmp_path):
    trees.sintel(tmp_path, depth=False)
    top = tmp_path / "training"
    (top / "flow").rename(tmp_path / "flow")
    (top / "clean").rename(top / "clean_left")
    sample = Sintel(tmp_path)[0]
    trees.check_images(sample, 1, 2)
    assert sample.occlusion is None and sample.flow is None and sample.inv_depth is not None


def test_the_test_split_has_images_alone(tmp_path):
    for number in (1, 2, 3):
        trees.write_image(tmp_path / f"test/final/ambush_1/frame_{number:04d}.png", number)
    film = Sintel(tmp_path, "test", render="final")
    trees.check_images(film[1], 2, 3)
    assert film[1].flow is None and film[1].valid is None
    with pytest.raises(FileNotFoundError, match=r"no test/clean/SCENE/frame_0001\.png"):
        Sintel(tmp_path, "test")


def test_scenes_are_chosen_by_name(tmp_path):
    for scene in ("alley_1", "bamboo_2", "cave_4"):
        trees.sintel(tmp_path, scene)
    film = Sintel(tmp_path, scenes=["cave_4", "alley_1"])
    assert [e.sequence for e in film.entries] == ["alley_1"] * 2 + ["cave_4"] * 2
    with pytest.raises(FileNotFoundError, match="found no market_2, only"):
        Sintel(tmp_path, scenes=["market_2"])


def test_a_missing_file_is_missed_when_it_is_read(tmp_path):
    trees.sintel(tmp_path)
    missing = tmp_path / "training/depth/alley_1/frame_0003.dpt"
    missing.unlink()
    film = Sintel(tmp_path)
    assert film[0].next_inv_depth is not None
    with pytest.raises(FileNotFoundError, match=str(missing)):
        film[1]


def test_poses_at_the_edge_of_what_is_read_make_a_sample(tmp_path):
    """Rotations of which each is off by 9e-4 of the 1e-3 allowed are off by twice that together."""
    trees.sintel(tmp_path)
    longer = np.diag([np.sqrt(1 + 9e-4), 1, 1])
    for number in (1, 2):
        path = tmp_path / f"training/camdata_left/alley_1/frame_{number:04d}.cam"
        pose = np.c_[longer, [0, 0, 0.1 * number]]
        path.write_bytes(path.read_bytes()[:76] + pose.tobytes())
    rotation = Sintel(tmp_path)[0].next_camera.world_to_camera[:, :3]
    np.testing.assert_allclose(rotation, longer @ longer, rtol=1e-6)
