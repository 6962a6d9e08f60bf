"""Spring's scenes, written with h5py and OpenCV."""

import h5py
import numpy as np
import pytest
from helpers import trees

from sf3d_jax import data
from sf3d_jax.data.sets.spring.dataset import Spring

EXACT = {"flow": 2e-6, "inv_depth": 1e-7, "vectors": 2e-5}


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_sample_forward_and_one_backward_are_the_truth(tmp_path, side):
    forward, backward = trees.spring(tmp_path, side=side)
    films = Spring(tmp_path, side=side), Spring(tmp_path, side=side, direction="backward")
    for film, truth, frames, index in zip(
        films, (forward, backward), ((1, 2), (3, 2)), (0, -1), strict=True
    ):
        assert len(film) == 2
        sample = film[index]
        trees.check_images(sample, *frames)
        trees.check_truth(sample, truth, **EXACT)
        trees.check_cameras(sample, truth)
        np.testing.assert_allclose(sample.next_inv_depth, forward.next_inv_depth, atol=1e-7)
        assert sample.name == f"0005/{side}/{frames[0]:04d}"
        assert film.entries[index].next_frame == f"{frames[1]:04d}"


def test_the_directions_lead_to_each_other(tmp_path):
    trees.spring(tmp_path)
    forward = Spring(tmp_path, scenes=["0005"])
    backward = forward.other_direction()
    assert backward.direction == "backward" and backward.scenes == ["0005"]
    assert [e.frame for e in forward.entries] == ["0001", "0002"]
    assert [e.frame for e in backward.entries] == ["0002", "0003"]
    assert backward.other_direction().entries == forward.entries


def test_occlusion_is_red_or_green_in_the_match_map(tmp_path):
    trees.spring(tmp_path)
    occlusion = Spring(tmp_path)[0].occlusion
    assert occlusion.dtype == bool and occlusion[0, :2].all() and occlusion.sum() == 2


def test_nan_has_no_truth_and_the_sky_is_infinitely_far(tmp_path):
    trees.spring(tmp_path)
    for kind, pixel, value in (("disp1_left", (4, 6), np.nan), ("disp1_left", (8, 6), 0)):
        with h5py.File(tmp_path / f"train/0005/{kind}/{kind}_0001.dsp5", "r+") as file:
            file["disparity"][pixel] = value
    with h5py.File(tmp_path / "train/0005/disp2_FW_left/disp2_FW_left_0001.dsp5", "r+") as file:
        file["disparity"][8, 6] = 0
    with h5py.File(tmp_path / "train/0005/flow_FW_left/flow_FW_left_0001.flo5", "r+") as file:
        file["flow"][0, 0] = np.nan, 1
    film = Spring(tmp_path)
    raw = film.read(film.entries[0])
    assert not raw.valid[2, 3] and not raw.valid[0, 0] and raw.valid.sum() == raw.valid.size - 2
    sample = film[0]
    assert sample.inv_depth[4, 3] == 0 and sample.inv_depth_change[4, 3] == 0
    assert sample.valid[4, 3] and sample.flow[4, 3].all() and not sample.flow[0, 0].any()


def test_a_split_and_a_split_folder_are_the_same(tmp_path):
    trees.spring(tmp_path)
    assert Spring(tmp_path / "train").entries == Spring(tmp_path).entries
    with pytest.raises(FileNotFoundError, match="no test/SCENE/frame_left"):
        Spring(tmp_path, "test")
    with pytest.raises(FileNotFoundError, match="another split"):
        Spring(tmp_path / "train", "test")


def test_the_test_split_has_images_alone(tmp_path):
    for number in (1, 2):
        trees.write_image(tmp_path / f"test/0003/frame_left/frame_left_{number:04d}.png", number)
    film = Spring(tmp_path, "test")
    (sample,) = film
    trees.check_images(sample, 1, 2)
    assert {*film.entries[0].files} == {"image", "next_image"}
    assert sample.flow is None and sample.camera is None and sample.valid is None
    assert film.other_direction() is None


def test_a_file_of_another_size_is_named(tmp_path):
    trees.spring(tmp_path)
    path = tmp_path / "train/0005/flow_FW_left/flow_FW_left_0001.flo5"
    data.write_flow(path, np.zeros((12, 20, 2)))
    with pytest.raises(data.FormatError, match=r"expected 40 x 24 pixels.*found 20 x 12") as error:
        Spring(tmp_path)[0]
    assert str(path) in str(error.value)


def test_a_frame_without_a_row_of_its_own_is_named(tmp_path):
    trees.spring(tmp_path)
    path = tmp_path / "train/0005/cam_data/intrinsics.txt"
    path.write_text("240 240 10 6\n")
    with pytest.raises(data.FormatError, match=r"intrinsics.*row for frame 0002, found 1 rows"):
        Spring(tmp_path)[0]
