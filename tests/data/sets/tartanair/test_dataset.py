"""TartanAir, with poses written by hand in the axes of an aircraft."""

import numpy as np
import pytest
from helpers import trees

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets.tartanair.dataset import TartanAir


def test_a_sample_is_the_truth(tmp_path):
    truth = trees.tartanair(tmp_path)
    film = TartanAir(tmp_path)
    assert len(film) == 2 and film.other_direction() is None
    sample = film[0]
    trees.check_images(sample, 0, 1, trees.TARTANAIR)
    trees.check_cameras(sample, truth)
    known = np.ones(trees.TARTANAIR, bool)
    known[0, 0] = False
    np.testing.assert_array_equal(sample.valid, known)
    np.testing.assert_allclose(sample.flow[known], truth.flow[known], atol=2e-6)
    np.testing.assert_allclose(sample.inv_depth, truth.inv_depth, rtol=3e-7)
    np.testing.assert_allclose(sample.next_inv_depth, truth.next_inv_depth, rtol=3e-7)
    assert sample.name == "abandonedfactory/Easy/P000/000000"
    assert sample.inv_depth_change is None and film.entries[0].next_frame == "000001"


def test_the_world_stays_as_depth_and_poses_say(tmp_path):
    truth = trees.tartanair(tmp_path)
    sample = TartanAir(tmp_path)[0]
    motion = sf3d.rigid_motion(sample.inv_depth, sample.camera, sample.next_camera)
    np.testing.assert_allclose(motion.flow, truth.flow, atol=1e-5)
    np.testing.assert_allclose(motion.inv_depth_change, truth.change, atol=1e-6)


def test_environments_and_difficulties_are_chosen(tmp_path):
    for flight in ("ocean/Easy/P001", "ocean/Hard/P000", "office/Easy/P000"):
        trees.tartanair(tmp_path, flight)
    names = lambda **options: list(
        dict.fromkeys(e.sequence for e in TartanAir(tmp_path, **options).entries)
    )
    assert names() == ["ocean/Easy/P001", "ocean/Hard/P000", "office/Easy/P000"]
    assert names(difficulty="Easy") == ["ocean/Easy/P001", "office/Easy/P000"]
    assert names(environments=["ocean"]) == ["ocean/Easy/P001", "ocean/Hard/P000"]
    assert names(flights=["P000"]) == ["ocean/Hard/P000", "office/Easy/P000"]
    with pytest.raises(FileNotFoundError, match="found no P002, only"):
        TartanAir(tmp_path, flights=["P002"])
    with pytest.raises(FileNotFoundError, match="found no hospital, only"):
        TartanAir(tmp_path, environments=["hospital"])
    with pytest.raises(ValueError, match="difficulty: expected 'Easy' or 'Hard', got 'easy'"):
        TartanAir(tmp_path, difficulty="easy")


def test_a_frame_without_a_pose_is_named(tmp_path):
    trees.tartanair(tmp_path)
    path = tmp_path / "abandonedfactory/Easy/P000/pose_left.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:2]) + "\n")
    film = TartanAir(tmp_path)
    assert film[0].camera is not None
    with pytest.raises(data.FormatError, match="a line for frame 000002, found 2 lines"):
        film[1]


def test_a_flow_that_skips_a_frame_is_none(tmp_path):
    trees.tartanair(tmp_path)
    folder = tmp_path / "abandonedfactory/Easy/P000/flow"
    for kind in ("flow", "mask"):
        (folder / f"000001_000002_{kind}.npy").rename(folder / f"000001_000003_{kind}.npy")
    film = TartanAir(tmp_path)
    assert len(film) == 2 and film[0].flow is not None
    with pytest.raises(FileNotFoundError, match=r"000001_000002_flow\.npy"):
        film[1]


def test_flows_that_all_skip_a_frame_are_not_passed_over(tmp_path):
    trees.tartanair(tmp_path)
    folder = tmp_path / "abandonedfactory/Easy/P000/flow"
    for number in (0, 1):
        path = folder / f"00000{number}_00000{number + 1}_flow.npy"
        path.rename(folder / f"00000{number}_00000{number + 2}_flow.npy")
    with pytest.raises(
        ValueError, match=r"_flow\.npy: expected names .* to the next one, such as 00000"
    ):
        TartanAir(tmp_path)


def test_masks_that_were_not_fetched_are_none(tmp_path):
    trees.tartanair(tmp_path)
    for path in tmp_path.rglob("*_mask.npy"):
        path.unlink()
    sample = TartanAir(tmp_path)[0]
    assert sample.valid.all() and sample.flow is not None


def test_depth_alone_makes_pairs_too(tmp_path):
    trees.tartanair(tmp_path)
    for kind in ("image_left", "flow"):
        (tmp_path / f"abandonedfactory/Easy/P000/{kind}").rename(tmp_path / kind)
    film = TartanAir(tmp_path)
    assert len(film) == 2 and film[1].inv_depth is not None
    assert film[1].flow is film[1].image is film[1].valid is None
