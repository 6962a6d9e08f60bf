"""FlyingThings3D, Monkaa and Driving, with poses written by hand in Blender's axes."""

import numpy as np
import pytest
from helpers import trees
from helpers.files import made

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets.things.dataset import Driving, FlyingThings3D, Monkaa

EXACT = {"flow": 2e-6, "inv_depth": 1e-6, "vectors": 5e-5}
SIZE = (27, 48)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_sample_forward_and_one_backward_are_the_truth(tmp_path, side, sign):
    forward, backward = trees.things(tmp_path, side=side, sign=sign)
    films = [FlyingThings3D(tmp_path, side=side, direction=d) for d in ("forward", "backward")]
    for film, truth, frames, index in zip(
        films, (forward, backward), ((6, 7), (8, 7)), (0, -1), strict=True
    ):
        # The motion of the last frame into the future leads nowhere.
        assert len(film) == 2
        sample = film[index]
        trees.check_images(sample, *frames, SIZE)
        trees.check_truth(sample, truth, **EXACT)
        trees.check_cameras(sample, truth)
        np.testing.assert_allclose(sample.next_inv_depth, forward.next_inv_depth, atol=1e-6)
        assert sample.name == f"TRAIN/A/0003/{side}/{frames[0]:04d}"
        assert sample.valid is None


def test_monkaa_and_both_lenses_of_driving(tmp_path):
    monkaa = trees.things(tmp_path / "monkaa", "a_rain_of_stones_x2", start=0)
    (sample, _) = Monkaa(tmp_path / "monkaa")
    trees.check_truth(sample, monkaa[0], **EXACT)
    assert sample.name == "a_rain_of_stones_x2/left/0000"
    for name, focal in (("35mm_focallength", 1050.0), ("15mm_focallength", 450.0)):
        scene = f"{name}/scene_forwards/fast"
        truth = trees.things(tmp_path / "driving", scene, focal=focal, start=1)
        driving = Driving(tmp_path / "driving", focal=name)
        trees.check_truth(driving[0], truth[0], **EXACT)
        trees.check_cameras(driving[0], truth[0])
        assert driving[0].name == f"{scene}/left/0001"
        back = driving.other_direction()
        trees.check_truth(back[-1], truth[1], **EXACT)
        assert back.focal == name


def test_the_other_direction_keeps_the_options(tmp_path):
    trees.things(tmp_path, "TEST/B/0000", side="right")
    trees.things(tmp_path, "TEST/B/0001", side="right")
    film = FlyingThings3D(tmp_path, "TEST", side="right", exclude=["TEST/B/0000/right/0008.png\n"])
    assert [e.name[7:] for e in film.entries] == [
        "0000/right/0006",
        "0001/right/0006",
        "0001/right/0007",
    ]
    back = film.other_direction()
    assert [e.name[7:] for e in back.entries] == [
        "0000/right/0007",
        "0001/right/0007",
        "0001/right/0008",
    ]
    assert back.other_direction().entries == film.entries
    only = FlyingThings3D(tmp_path, "TEST", side="right", scenes=["B/0001"])
    assert [e.sequence for e in only.entries] == ["TEST/B/0001/right"] * 2
    assert len(FlyingThings3D(tmp_path, "TEST", side="right", exclude=["TEST/B/0001"])) == 2
    with pytest.raises(FileNotFoundError, match="found no C/0000, only"):
        FlyingThings3D(tmp_path, "TEST", side="right", scenes=["C/0000"])


def test_webp_images_are_read(tmp_path):
    trees.things(tmp_path, webp=True)
    trees.check_images(FlyingThings3D(tmp_path)[0], 6, 7, SIZE)


def test_a_number_that_is_none_is_not_valid(tmp_path):
    truth, _ = trees.things(tmp_path)
    change = np.float32(truth.change * 52.5)
    change[3, 4] = np.nan
    path = tmp_path / "disparity_change/TRAIN/A/0003/into_future/left/0006.pfm"
    rows = change[::-1].astype("<f4").tobytes()
    path.write_bytes(b"Pf\n48 27 \n-1.0\n" + rows)
    film = FlyingThings3D(tmp_path)
    assert np.isnan(film.read(film.entries[0]).inv_depth_change[3, 4])
    sample = film[0]
    assert not sample.valid[3, 4] and sample.valid.sum() == 27 * 48 - 1
    assert not sample.flow[3, 4].any() and sample.inv_depth[3, 4] > 0


def test_kinds_that_are_not_there_are_none(tmp_path):
    trees.things(tmp_path)
    for kind in ("disparity_change", "camera_data", "frames_cleanpass"):
        (tmp_path / kind).rename(tmp_path / f"_{kind}")
    film = FlyingThings3D(tmp_path)
    sample = film[1]
    assert len(film) == 2 and sample.flow is not None and sample.next_inv_depth is not None
    assert sample.image is sample.inv_depth_change is sample.camera is None
    for kind in ("optical_flow", "disparity"):
        (tmp_path / kind).rename(tmp_path / f"_{kind}")
    with pytest.raises(FileNotFoundError, match=r"no frames_cleanpass/TRAIN/\*/\*/left/0000\.png"):
        FlyingThings3D(tmp_path)


def test_a_missing_file_and_a_missing_pose_are_named(tmp_path):
    trees.things(tmp_path)
    poses = tmp_path / "camera_data/TRAIN/A/0003/camera_data.txt"
    poses.write_text(poses.read_text().split("Frame 8")[0])
    film = FlyingThings3D(tmp_path)
    assert film[0].camera is not None
    with pytest.raises(data.FormatError, match="poses of frames 0007 and 0008, found 2 frames"):
        film[1]
    with pytest.raises(data.FormatError) as error:
        film[1]
    image = "TRAIN/A/0003/left/0008.png"
    assert str(error.value).endswith(f"without 0008; exclude=['{image}'] leaves it out")
    assert FlyingThings3D(tmp_path, exclude=[image]).entries == film.entries[:1]
    missing = tmp_path / "frames_cleanpass/TRAIN/A/0003/left/0007.png"
    missing.unlink()
    film = FlyingThings3D(tmp_path)
    assert len(film) == 2
    for i in range(2):
        with pytest.raises(FileNotFoundError, match=str(missing)):
            film[i]


def test_wrong_options_are_refused(tmp_path):
    for options in ({"side": "middle"}, {"render": "clean"}, {"direction": "future"}):
        with pytest.raises(ValueError, match=f"{next(iter(options))}: expected '"):
            Monkaa(tmp_path, **options)
    with pytest.raises(ValueError, match="split: expected 'TRAIN' or 'TEST', got 'train'"):
        FlyingThings3D(tmp_path, "train")


def test_positive_disparity_of_another_writer_gives_depths(tmp_path):
    rng = np.random.default_rng(0)
    disparities = rng.uniform(5, 60, (2, 27, 48)).astype(np.float32)
    for number, disparity in enumerate(disparities, 1):
        trees.write_image(tmp_path / f"{LEFT[0]}/000{number}.png", number, disparity.shape)
        path = made(tmp_path / f"{LEFT[1]}/000{number}.pfm")
        path.write_bytes(b"Pf \n48 27 \n-1.0\n" + disparity[::-1].astype("<f4").tobytes())
    (sample,) = FlyingThings3D(tmp_path)
    # The focal length is 1050 px at a width of 960.
    for found, disparity in zip(
        (sample.inv_depth, sample.next_inv_depth), disparities, strict=True
    ):
        np.testing.assert_allclose(found * 52.5, disparity, rtol=1e-6)
    assert sample.image.shape == (27, 48, 3) and sample.flow is None


LEFT = "frames_cleanpass/TRAIN/A/0000/left", "disparity/TRAIN/A/0000/left"


def test_real_disparity_gives_depths(real, tmp_path):
    for number in (1, 2):
        name = f"{LEFT[0]}/000{number}.png"
        made(tmp_path / name).symlink_to(real(f"things_pfm/image{number}.png"))
        name = f"{LEFT[1]}/000{number}.pfm"
        made(tmp_path / name).symlink_to(real(f"things_pfm/disp{number}.pfm"))
    (sample,) = FlyingThings3D(tmp_path)
    disparity = sf3d.data.read_disparity(real("things_pfm/disp2.pfm"))
    np.testing.assert_allclose(sample.next_inv_depth * 1050, disparity.values, rtol=1e-6)
    assert sample.image.shape == (540, 960, 3) and sample.flow is None
