"""TartanAir V2, with files written by OpenCV and NumPy as its authors write them."""

import shutil

import numpy as np
import pytest
from helpers import pair_trees, trees

from sf3d_jax import data
from sf3d_jax.data.sets.tartanair.dataset_v2 import TartanAirV2

SIZE = (16, 16)
FLIGHT = "AbandonedFactory/Data_easy/P000"


def computed(root, flow, *, camera="lcam_front", number=0, **changes):
    """A flow as the tools of the data set save it, with every other row hidden."""
    shape = flow.shape[:2]
    visible = np.ones(shape, bool)
    visible[::2] = False
    inside = np.ones(shape, bool)
    inside[1, 1] = visible[1, 1] = False
    arrays = {
        "flow_fwd": np.where(inside[..., None], flow, 0)
        .astype(np.float32)
        .transpose(2, 0, 1)[None],
        "flow_bwd": np.full((1, 2, *shape), 7, np.float32),
        "fov_mask_fwd": inside[None],
        "covisible_mask_fwd": visible[None],
    } | changes
    arrays = {name: x for name, x in arrays.items() if x is not None}
    path = root / FLIGHT / f"flow_{camera}/{number:06d}_{number + 1:06d}_{camera}_flow.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **arrays)
    return path, inside, visible


def test_a_sample_is_the_truth(tmp_path):
    truth = pair_trees.tartanair_v2(tmp_path)
    film = TartanAirV2(tmp_path)
    assert len(film) == 2 and film.other_direction() is None
    sample = film[0]
    trees.check_images(sample, 0, 1, SIZE)
    trees.check_cameras(sample, truth)
    known = np.ones(SIZE, bool)
    known[0, 0] = False
    np.testing.assert_array_equal(sample.valid, known)
    np.testing.assert_allclose(sample.flow[known], truth.flow[known], atol=0.5 / 64 + 1e-6)
    np.testing.assert_allclose(sample.inv_depth, truth.inv_depth, rtol=3e-7)
    np.testing.assert_allclose(sample.next_inv_depth, truth.next_inv_depth, rtol=3e-7)
    assert sample.name == f"{FLIGHT}/000000" and sample.inv_depth_change is None
    assert sample.occlusion is None and not sample.flow[0, 0].any()


def test_the_flow_is_that_of_depth_and_poses(tmp_path):
    pair_trees.tartanair_v2(tmp_path)
    film = TartanAirV2(tmp_path)
    sample = film.read(film.entries[0])
    v, u = np.mgrid[:16, :16].astype(float)
    # 90 degrees across 16 pixels, from the left edge of the first to the right edge of the last.
    points = (
        np.stack([(u - 7.5) / 8, (v - 7.5) / 8, np.ones(SIZE)], -1) / sample.inv_depth[..., None]
    )
    first, second = (np.float64(c.world_to_camera) for c in (sample.camera, sample.next_camera))
    world = (points - first[:, 3]) @ first[:, :3]
    seen = world @ second[:, :3].T + second[:, 3]
    moved = seen[..., :2] / seen[..., 2:] * 8 + 7.5
    flow = moved - np.stack([u, v], -1)
    np.testing.assert_allclose(sample.flow[sample.valid], flow[sample.valid], atol=0.5 / 64 + 1e-6)


def test_a_computed_flow_is_exact_and_knows_what_is_hidden(tmp_path):
    truth = pair_trees.tartanair_v2(tmp_path)
    for number in (0, 1):
        _, inside, visible = computed(tmp_path, truth.flow, number=number)
    film = TartanAirV2(tmp_path)
    assert film.entries[0].files["flow"].suffix == ".npz"
    sample = film[0]
    np.testing.assert_array_equal(sample.valid, inside)
    np.testing.assert_array_equal(sample.occlusion, ~visible)
    np.testing.assert_allclose(sample.flow[inside], truth.flow[inside], atol=2e-6)
    assert not sample.flow[1, 1].any()


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"flow_fwd": None}, "no array 'flow_fwd'"),
        ({"covisible_mask_fwd": None}, "no array 'covisible_mask_fwd'"),
        (
            {"flow_fwd": np.zeros((16, 16, 2), np.float32)},
            r"\[1, 2, H, W\] of flow_fwd, found \[16",
        ),
        ({"fov_mask_fwd": np.ones((1, 16, 15), bool)}, r"\[1, 16, 16\] of fov_mask_fwd"),
        ({"covisible_mask_fwd": np.ones((1, 15, 16), bool)}, "16 x 16 pixels, as in"),
    ],
)
def test_a_computed_flow_of_another_form_is_named(tmp_path, changes, says):
    truth = pair_trees.tartanair_v2(tmp_path)
    path, *_ = computed(tmp_path, truth.flow, **changes)
    with pytest.raises(data.FormatError, match=says) as error:
        TartanAirV2(tmp_path)[0]
    assert error.value.path == path


def test_a_computed_flow_that_is_cut_off_is_named(tmp_path):
    truth = pair_trees.tartanair_v2(tmp_path)
    path, *_ = computed(tmp_path, truth.flow)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(data.FormatError, match="no complete archive of arrays"):
        TartanAirV2(tmp_path)[0]


def test_cameras_environments_and_difficulties_are_chosen(tmp_path):
    for flight in ("Ocean/Data_easy/P001", "Ocean/Data_hard/P000", "Office/Data_easy/P000"):
        pair_trees.tartanair_v2(tmp_path, flight)
    pair_trees.tartanair_v2(tmp_path, "Ocean/Data_easy/P001", camera="rcam_bottom")
    names = lambda **options: list(
        dict.fromkeys(e.sequence for e in TartanAirV2(tmp_path, **options).entries)
    )
    assert names() == ["Ocean/Data_easy/P001", "Ocean/Data_hard/P000", "Office/Data_easy/P000"]
    assert names(difficulty="hard") == ["Ocean/Data_hard/P000"]
    assert names(environments=["Office"]) == ["Office/Data_easy/P000"]
    assert names(flights=["P001"]) == ["Ocean/Data_easy/P001"]
    below = TartanAirV2(tmp_path, camera="rcam_bottom")
    assert {e.files["depth"].parent.name for e in below.entries} == {"depth_rcam_bottom"}
    assert below[0].camera is not None and below[0].flow is not None
    with pytest.raises(FileNotFoundError, match="found no P002, only"):
        TartanAirV2(tmp_path, flights=["P002"])
    with pytest.raises(ValueError, match="difficulty: expected 'easy' or 'hard', got 'Easy'"):
        TartanAirV2(tmp_path, difficulty="Easy")
    with pytest.raises(ValueError, match=r"camera: expected 'lcam_front'.* or .*, got 'lcam_fish'"):
        TartanAirV2(tmp_path, camera="lcam_fish")
    missing = "found no ENVIRONMENT/Data_easy/P000/image_rcam_top/000000_rcam_top.png"
    with pytest.raises(FileNotFoundError, match=missing):
        TartanAirV2(tmp_path, camera="rcam_top")


def test_what_is_missing_or_of_another_size_is_named(tmp_path):
    pair_trees.tartanair_v2(tmp_path)
    top = tmp_path / FLIGHT
    missing = top / "depth_lcam_front/000001_lcam_front_depth.png"
    missing.rename(tmp_path / "depth.png")
    for i in (0, 1):
        with pytest.raises(FileNotFoundError, match=str(missing)):
            TartanAirV2(tmp_path)[i]
    trees.write_image(missing, 1, (16, 15))
    with pytest.raises(data.FormatError, match="a PNG of 8 bits and 4 channel") as error:
        TartanAirV2(tmp_path)[0]
    assert error.value.path == missing
    shutil.copy(tmp_path / "depth.png", missing)
    image = top / "image_lcam_front/000000_lcam_front.png"
    trees.write_image(image, 0, (16, 15))
    with pytest.raises(data.FormatError, match="16 x 16 pixels, as in") as error:
        TartanAirV2(tmp_path)[0]
    assert error.value.path == image


def test_an_image_that_is_no_square_has_no_camera(tmp_path):
    pair_trees.tartanair_v2(tmp_path)
    top = tmp_path / FLIGHT
    for kind in ("depth", "flow"):
        shutil.rmtree(top / f"{kind}_lcam_front")
    for number in range(3):
        path = top / f"image_lcam_front/{number:06d}_lcam_front.png"
        trees.write_image(path, number, (12, 16))
    with pytest.raises(data.FormatError, match=r"640 x 640 pixels, .* found 16 x 12"):
        TartanAirV2(tmp_path)[0]
    (top / "pose_lcam_front.txt").unlink()
    assert TartanAirV2(tmp_path)[0].camera is None


def test_a_frame_without_a_pose_is_named(tmp_path):
    pair_trees.tartanair_v2(tmp_path)
    path = tmp_path / FLIGHT / "pose_lcam_front.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:2]) + "\n")
    film = TartanAirV2(tmp_path)
    assert film[0].camera is not None
    with pytest.raises(data.FormatError, match="a line for frame 000002, found 2 lines"):
        film[1]
