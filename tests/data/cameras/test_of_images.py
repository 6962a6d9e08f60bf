"""Cameras of images, whichever form of JSON they are in."""

import json

import numpy as np
import pytest

from sf3d_jax import data

SIZE = (6, 8)
K = [[10.0, 0, 3.5], [0, 10, 2.5], [0, 0, 1]]


def write(path, tree):
    path.write_text(json.dumps(tree))
    return path


def transforms(*names, **changes):
    pose = np.eye(4).tolist()
    frames = [{"file_path": name, "transform_matrix": pose} for name in names]
    return {"fl_x": 10.0, "w": 8, "h": 6, "frames": frames, **changes}


def table(*frames):
    pose = np.eye(3, 4).tolist()
    shared = {"K": K, "w2c": pose, "h": 6, "w": 8}
    return [{**shared, **frame} for frame in frames]


def images(path, **options):
    return [x.image for x in data.read_image_cameras(path, **options)]


def test_images_of_a_transforms_file_keep_its_order(tmp_path):
    path = write(tmp_path / "cameras.json", transforms("b/2.png", "a/1.png"))
    assert images(path) == ["b/2.png", "a/1.png"]
    for found, frame in zip(data.read_image_cameras(path), data.read_transforms(path), strict=True):
        np.testing.assert_array_equal(found.camera.world_to_camera, frame.camera.world_to_camera)
        assert found.camera.size == SIZE


def test_images_of_a_list_come_in_the_order_of_its_frames(tmp_path):
    tree = table({"id": 7, "img_name": "seven.png"}, {"id": 3, "img_name": "three.png"})
    path = write(tmp_path / "cameras.json", tree)
    assert images(path) == ["three.png", "seven.png"]
    assert [x.frame for x in data.read_json_cameras(path)] == ["0003", "0007"]


def test_without_images_frames_have_their_numbers(tmp_path):
    path = write(tmp_path / "cameras.json", table({"id": 7}, {"id": 3}))
    assert images(path) == ["0003", "0007"]
    [alone] = data.read_image_cameras(write(path, table({})[0]))
    assert alone.image is None


def test_a_missing_size_is_an_argument_that_a_command_may_call_a_flag(tmp_path):
    tree = transforms("a.png")
    del tree["w"]
    one = table({})[0]
    del one["h"], one["w"]
    pair = {**one, "size": [6, 8]}
    for number, content in enumerate([tree, one, pair]):
        path = write(tmp_path / f"{number}.json", content)
        with pytest.raises(data.FormatError, match=r"or size=\(height, width\) from") as caught:
            data.read_image_cameras(path)
        assert caught.value.missing == "size"
        told = caught.value.ask_for("--size HEIGHT WIDTH")
        assert "or --size HEIGHT WIDTH" in str(told) and "caller" not in str(told)
        assert told.path == path and told.found == caught.value.found
        assert images(path, size=SIZE) == (["a.png"] if number == 0 else [None])


def test_what_no_argument_can_mend_asks_for_none(tmp_path):
    path = write(tmp_path / "cameras.json", transforms("a.png", fl_x=-3.0))
    with pytest.raises(data.FormatError) as caught:
        data.read_image_cameras(path)
    assert caught.value.missing is None and caught.value.ask_for("--size") is caught.value


def test_the_error_is_that_of_the_form_that_the_file_has(tmp_path):
    broken = transforms("a.png", frames=[])
    with pytest.raises(data.FormatError, match="a list `frames` of at least one frame"):
        data.read_image_cameras(write(tmp_path / "like.json", broken))
    with pytest.raises(data.FormatError, match="a pose for all frames"):
        data.read_image_cameras(write(tmp_path / "other.json", {"K": K, "h": 6, "w": 8}))


@pytest.mark.parametrize("key", ["fl_x", "fl_y", "camera_angle_x", "camera_angle_y"])
def test_any_focal_length_of_a_transforms_file_tells_its_form(key, tmp_path):
    tree = {key: 1.0, "h": 6, "w": 8, "frames": [{"file_path": "a.png"}]}
    with pytest.raises(data.FormatError, match="transform_matrix of frame 0"):
        data.read_image_cameras(write(tmp_path / "cameras.json", tree))
