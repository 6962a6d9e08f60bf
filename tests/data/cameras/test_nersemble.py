"""NeRSemble's camera_params.json, against JSON written by hand."""

import json

import numpy as np
import pytest
from helpers.support import LENSES, pose, unchecked

import sf3d_jax as sf3d
from sf3d_jax.data import FormatError
from sf3d_jax.data.cameras.nersemble import (
    FULL_SIZE,
    read_nersemble_cameras,
    write_nersemble_cameras,
)

K = [[8189.5, 0.0, 1096.5], [0.0, 8190.25, 1603.25], [0.0, 0.0, 1.0]]
POSES = {
    "220700191": np.r_[pose([0.02, -0.3, 0.01], [0.05, -0.02, 1.03]), [[0, 0, 0, 1]]],
    "222200037": np.r_[pose([-0.1, 0.2, 3.0], [0.1, 0.2, 0.9]), [[0, 0, 0, 1]]],
}


def saved(tmp_path, tree):
    path = tmp_path / "camera_params.json"
    path.write_text(json.dumps(tree, default=lambda x: x.tolist()))
    return path


def test_the_full_size_has_the_numbers_of_the_file(tmp_path):
    path = saved(tmp_path, {"world_2_cam": POSES, "intrinsics": K})
    cameras = read_nersemble_cameras(path, (3208, 2200))
    assert list(cameras) == list(POSES)
    for serial, camera in cameras.items():
        assert camera.size == (3208, 2200) and camera.model == "pinhole"
        np.testing.assert_array_equal(camera.focal, [8189.5, 8190.25])
        np.testing.assert_array_equal(camera.principal_point, [1096.5, 1603.25])
        np.testing.assert_array_equal(camera.world_to_camera, POSES[serial][:3])


def test_a_quarter_is_resized_areas_onto_areas(tmp_path):
    path = saved(tmp_path, {"world_2_cam": POSES, "intrinsics": K})
    camera = read_nersemble_cameras(path, (802, 550))["220700191"]
    assert camera.size == (802, 550)
    np.testing.assert_array_equal(camera.focal, [8189.5 / 4, 8190.25 / 4])
    np.testing.assert_array_equal(camera.principal_point, [1097 / 4 - 0.5, 1603.75 / 4 - 0.5])


@pytest.mark.parametrize("size", [(550, 802), (800, 550), (0, 0)])
def test_another_shape_of_images_is_refused(tmp_path, size):
    with pytest.raises(ValueError, match="size: expected"):
        read_nersemble_cameras(saved(tmp_path, {"world_2_cam": POSES, "intrinsics": K}), size)


@pytest.mark.parametrize(
    "tree, says",
    [
        ([], "expected poses by serial number in world_2_cam, found 0 in a list"),
        ({"intrinsics": K}, r"found \{intrinsics: numbers \[3, 3\]\}"),
        ({"world_2_cam": {}, "intrinsics": K}, "expected poses by serial number"),
        ({"world_2_cam": POSES}, r"expected intrinsics as numbers \[3, 3\]"),
        ({"world_2_cam": POSES, "intrinsics": np.ones((3, 3))}, r"expected \[fx 0 cx"),
        ({"world_2_cam": {"1": [1, 2]}, "intrinsics": K}, "expected world_2_cam 1 as numbers"),
        ({"world_2_cam": {"1": 2 * np.eye(4)}, "intrinsics": K}, "a rotation and a translation"),
        ({"world_2_cam": {"1": POSES["220700191"].T}, "intrinsics": K}, "a rotation and a trans"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path, tree, says):
    path = saved(tmp_path, tree)
    with pytest.raises(FormatError, match=says) as error:
        read_nersemble_cameras(path, FULL_SIZE)
    assert str(error.value).startswith(str(path))


def test_what_was_written_is_read_to_the_last_bit(tmp_path):
    cameras = {
        serial: sf3d.Camera.from_matrix(np.array(K), FULL_SIZE, world_to_camera=world_to_camera)
        for serial, world_to_camera in POSES.items()
    }
    write_nersemble_cameras(tmp_path / "a.json", cameras)
    assert json.loads((tmp_path / "a.json").read_text())["intrinsics"] == K
    for serial, camera in read_nersemble_cameras(tmp_path / "a.json", FULL_SIZE).items():
        for name in ("focal", "principal_point", "world_to_camera"):
            np.testing.assert_array_equal(getattr(camera, name), getattr(cameras[serial], name))


def test_cameras_of_a_quarter_are_written_for_the_full_size(tmp_path):
    path = saved(tmp_path, {"world_2_cam": POSES, "intrinsics": K})
    write_nersemble_cameras(tmp_path / "a.json", read_nersemble_cameras(path, (802, 550)))
    np.testing.assert_allclose(json.loads((tmp_path / "a.json").read_text())["intrinsics"], K)


def test_cameras_in_float32_are_widened_before_they_are_resized(tmp_path):
    numbers = np.float32([2047.3, 2047.6, 255.7, 400.7])
    camera = sf3d.Camera.pinhole(*numbers, (802, 550))
    assert camera.principal_point.dtype == np.float32
    write_nersemble_cameras(tmp_path / "a.json", {"1": camera})
    k = json.loads((tmp_path / "a.json").read_text())["intrinsics"]
    expected = 4 * (np.float64(camera.principal_point) + 0.5) - 0.5
    np.testing.assert_array_equal([k[0][2], k[1][2]], expected)


def test_what_would_not_be_read_is_not_written(tmp_path):
    camera = sf3d.Camera.from_matrix(np.array(K), FULL_SIZE)
    other = sf3d.Camera.from_matrix(np.array(K) * 2, FULL_SIZE)
    small = sf3d.Camera.from_matrix(np.array(K), (5, 7))
    bent = sf3d.Camera.from_matrix(np.array(K), FULL_SIZE, distortion=LENSES["opencv"][0])
    negative = unchecked(camera, focal=np.array([-1.0, 1]))
    turned = unchecked(camera, world_to_camera=np.diag([1.0, 1, -1, 1])[:3])
    for cameras, says in [
        ({}, "at least one"),
        ({"1": camera, "2": other}, "the same intrinsics"),
        ({"1": small}, "a fraction"),
        ({"1": bent}, "no distortion"),
        ({"1": turned}, "expected rotations and translations"),
        ({"1": negative}, r"cameras\['1'\]: expected positive focal lengths"),
        ({"1": None}, r"cameras\['1'\]: expected a Camera, got NoneType"),
        ([camera], "a mapping from serial numbers"),
    ]:
        with pytest.raises((ValueError, TypeError), match=says):
            write_nersemble_cameras(tmp_path / "a.json", cameras)
    assert not list(tmp_path.iterdir())
