"""Names of two cameras, against verdicts that are written down by hand."""

from pathlib import PurePath

import pytest
from helpers import trees

from sf3d_jax.data import FolderPairs
from sf3d_jax.data.sets.folders.views import are_two_cameras, are_two_views, is_of_time

# Two images of one folder, and whether no motion leads from one to the other.
VIEWS = {
    ("0001_cam1", "0001_cam2"): True,
    ("cam1_0001", "cam2_0001"): True,
    ("1_cam1", "1_cam2"): True,
    ("Cam1_Frame1", "Cam2_Frame1"): True,
    ("frame1_cam_220700191", "frame1_cam_221501007"): True,
    ("00000_cam_220700191", "00000_cam_221501007"): True,
    ("shot1_0001", "shot2_0002"): True,
    ("0001_left", "0001_right"): True,
    ("left_0001", "right_0002"): True,
    ("L", "R"): True,
    ("0001_cam1", "0002_cam1"): False,
    ("cam_0001", "cam_0002"): False,
    ("view_1", "view_2"): False,
    ("camera_0001_640x480", "camera_0002_640x480"): False,
    ("cam_0001_2", "cam_0002_2"): False,
    ("20240131_cam_0001", "20240131_cam_0002"): False,
    ("20240131120000_cam_0001", "20240131120000_cam_0002"): False,
    ("20240131_153000_cam_0001", "20240131_153000_cam_0002"): False,
    ("2024-01-31_cam_0001", "2024-01-31_cam_0002"): False,
    ("01_cam_0001", "01_cam_0002"): False,
    ("123_camera_00001", "123_camera_00002"): False,
    ("480_view_0001", "480_view_0002"): False,
    ("f28_cam_0001", "f28_cam_0002"): False,
    ("image2_view0001", "image2_view0002"): False,
    ("t1_s0001", "t1_s0002"): False,
    ("scene_1_view_0001", "scene_1_view_0002"): False,
    ("GOPR1234_cam_0001", "GOPR1234_cam_0002"): False,
    ("pair1_source", "pair1_target"): False,
    ("000000_10", "000000_11"): False,
    ("r_0", "r_1"): False,
    ("turn_left_1", "turn_left_2"): False,
    ("left_arm", "right_leg"): False,
}


@pytest.mark.parametrize("names", VIEWS, ids="-".join)
def test_a_number_behind_a_word_for_a_camera_beside_that_of_the_frame(names):
    assert are_two_views(*names) == are_two_views(*names[::-1]) == VIEWS[names]


@pytest.mark.parametrize("names", [x for x in VIEWS if "/" not in "".join(x)], ids="-".join)
def test_two_images_are_a_pair_unless_they_are_two_views(tmp_path, names):
    for number, name in enumerate(names):
        trees.write_image(tmp_path / f"i/{name}.png", number)
    if VIEWS[names]:
        says = r"come from two cameras or two sequences.*pass the other images as next_image="
        with pytest.raises(FileNotFoundError, match=says):
            FolderPairs(tmp_path, image="i/*.png")
    else:
        [entry] = FolderPairs(tmp_path, image="i/*.png").entries
        assert {entry.frame, entry.next_frame} == {*names}


def test_numbers_that_count_together_are_no_views(tmp_path):
    for i in (1, 2, 3):
        trees.write_image(tmp_path / f"together/frame_000{i}_shot_000{i}.png", i)
        trees.write_image(tmp_path / f"cameras/frame_0001_shot_000{i}.png", i)
    pairs = FolderPairs(tmp_path, image="together/*.png")
    assert [(e.frame, e.next_frame) for e in pairs.entries] == [
        (f"frame_000{i}_shot_000{i}", f"frame_000{i + 1}_shot_000{i + 1}") for i in (1, 2)
    ]
    with pytest.raises(FileNotFoundError, match="come from two cameras"):
        FolderPairs(tmp_path, image="cameras/*.png")


def test_what_has_no_next_frame_of_its_camera_is_left_out_and_the_rest_is_paired(tmp_path):
    for name in ("a/0001_cam1", "a/0001_cam2", "b/0001_cam1", "b/0002_cam1", "b/0001_cam2"):
        trees.write_image(tmp_path / f"{name}.png", 1)
    pairs = FolderPairs(tmp_path, image="*/*.png")
    assert [(e.sequence, e.frame, e.next_frame) for e in pairs.entries] == [
        ("b", "0001_cam1", "0002_cam1")
    ]
    assert repr(pairs).endswith("1 sample, left out 3 image)")


def test_a_pattern_whose_wildcard_is_the_number_says_that_it_is_the_frame(tmp_path):
    for number in (1, 2):
        trees.write_image(tmp_path / f"i/0001_cam{number}.png", number)
    [entry] = FolderPairs(tmp_path, image="i/0001_cam*.png").entries
    assert (entry.frame, entry.next_frame) == ("0001_cam1", "0001_cam2")
    [entry] = FolderPairs(tmp_path, image="i/*_cam1.png", next_image="i/*_cam2.png").entries
    assert (entry.frame, entry.next_frame) == ("0001_cam1", "0001_cam2")


@pytest.mark.parametrize(
    "path, expected",
    [
        ("timesteps/frame_00000/images-2fps/cam_220700191.png", True),
        ("frame1/view_2.png", True),
        ("frame_1/cam_2_0007.png", False),
        ("video1/cam_0001.png", False),
        ("frame_1/0001.png", False),
        ("frames/cam_0001.png", False),
        ("cam_0001.png", False),
    ],
)
def test_a_folder_of_one_time_holds_cameras(tmp_path, path, expected):
    assert is_of_time(PurePath(path)) == expected


def test_cameras_in_folders_of_times_are_no_pairs(tmp_path):
    for time in range(2):
        for camera in (220700191, 221501007, 222200036):
            trees.write_image(tmp_path / f"frame_{time}/cam_{camera}.png", 1)
    with pytest.raises(FileNotFoundError, match="come from two cameras"):
        FolderPairs(tmp_path, image="*/*.png")


@pytest.mark.parametrize(
    "names, expected",
    [
        (("flow_0001_cam1", "depth_0001_cam2"), True),
        (("flow_left_1", "disparity_right_1"), True),
        (("cam1", "cam2"), True),
        (("flow_0001_cam1", "depth_cam01_0001"), False),
        (("flow_0001", "depth_0001_cam2"), False),
        (("flow_1_v1", "depth_1_v2"), False),
        (("000000_000001_flow", "000000_left_depth"), False),
        (("flow_l_1", "depth_R200_1"), False),
    ],
)
def test_files_of_two_cameras_do_not_belong_together(names, expected):
    assert are_two_cameras(*names) == are_two_cameras(*names[::-1]) == expected
