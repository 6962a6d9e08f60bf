"""The camera_path.json of nerfstudio's viewers, against its own formulas."""

import json
import math

import numpy as np
import pytest
from helpers.support import pose

from sf3d_jax import data
from sf3d_jax.data.cameras.by_content import read_json_cameras

SIZE = (80, 100)
OPENGL = np.diag([1.0, -1, -1, 1])
# Camera to world with OpenGL's axes; the last one stands at the origin.
MATRICES = [
    np.r_[pose([0.1, 0.2, 0.3], [1, 2, 3]), [[0, 0, 0, 1]]],
    np.r_[pose([-0.2, 1.4, 0.1], [0.5, -2, 0.25]), [[0, 0, 0, 1]]],
    np.r_[pose([0.4, -0.3, 1.0], [0, 0, 0]), [[0, 0, 0, 1]]],
]
FOVS = [50.0, 75.5, 120.0]


def camera_path(**changes):
    """As the viewer writes it: rows of the path and of the keyframes."""
    nodes = [
        {"camera_to_world": m.ravel().tolist(), "fov": fov, "aspect": 1.25, "render_time": 0.5}
        for m, fov in zip(MATRICES, FOVS, strict=True)
    ]
    keyframe = {"matrix": np.eye(4).ravel().tolist(), "fov": 10, "aspect": 1.0}
    keyframe |= {"override_transition_enabled": True, "override_transition_sec": 2.5}
    tree = {"keyframes": [keyframe, keyframe], "camera_type": "perspective", "default_fov": 75.0}
    tree |= {"default_transition_sec": 2.0, "render_height": 80, "render_width": 100, "fps": 24}
    tree |= {"seconds": 4.0, "is_cycle": True, "smoothness_value": 0.5, "camera_path": nodes}
    return {**tree, "crop": {"crop_center": [0.0, 0, 1], "crop_bg_color": {"r": 255}}, **changes}


def keyframes(write):
    """A file with keyframes alone, whose matrices are written so."""
    pairs = zip(MATRICES, FOVS, strict=True)
    nodes = [{"matrix": write(m), "fov": fov, "aspect": 1.25} for m, fov in pairs]
    return camera_path(keyframes=nodes, camera_path=[])


def saved(tmp_path, tree):
    (tmp_path / "camera_path.json").write_text(json.dumps(tree))
    return tmp_path / "camera_path.json"


def check(found, factor=1.0):
    assert [x.frame for x in found] == ["0000", "0001", "0002"]
    for (_, camera, form, named), matrix, fov in zip(found, MATRICES, FOVS, strict=True):
        height, width = (round(factor * side) for side in SIZE)
        assert camera.size == (height, width) and camera.model == "pinhole" and not named
        assert "OpenGL" in form
        focal = 0.5 * height / math.tan(0.5 * math.radians(fov))
        np.testing.assert_allclose(camera.focal, [focal, focal], rtol=1e-12)
        np.testing.assert_allclose(camera.principal_point, [(width - 1) / 2, (height - 1) / 2])
        expected = np.linalg.inv(matrix @ OPENGL)[:3]
        np.testing.assert_allclose(camera.world_to_camera, expected, atol=1e-12)


def test_a_path_is_read_as_nerfstudio_renders_it(tmp_path):
    check(read_json_cameras(saved(tmp_path, camera_path())))


def test_a_camera_looks_at_what_is_before_it(tmp_path):
    """A camera 2 before the origin, as the first fault reported of such files has it."""
    looking = [1.0, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, -2, 0, 0, 0, 1]
    node = {"camera_to_world": looking, "fov": 50, "aspect": 1.25}
    [found] = read_json_cameras(saved(tmp_path, camera_path(camera_path=[node])))
    u, v, z = np.diag([*found.camera.focal, 1]) @ found.camera.world_to_camera @ [0.1, 0.2, 0, 1]
    np.testing.assert_allclose(z, 2)
    np.testing.assert_allclose([u / z, v / z], [85.7802768 * 0.05, 85.7802768 * 0.1])


@pytest.mark.parametrize(
    "write",
    [
        lambda m: m.ravel().tolist(),
        lambda m: json.dumps(m.T.ravel().tolist()),
        lambda m: m.tolist(),
    ],
    ids=["numbers by rows", "a text by columns", "nested rows"],
)
def test_without_a_path_keyframes_are_read(tmp_path, write):
    check(read_json_cameras(saved(tmp_path, keyframes(write))))


def test_numbers_by_columns_are_told_by_their_last_row(tmp_path):
    tree = keyframes(lambda m: m.T.ravel().tolist())
    del tree["keyframes"][2]  # of a camera at the origin nothing tells
    found = read_json_cameras(saved(tmp_path, tree))
    for x, matrix in zip(found, MATRICES[:2], strict=True):
        expected = np.linalg.inv(matrix @ OPENGL)[:3]
        np.testing.assert_allclose(x.camera.world_to_camera, expected, atol=1e-12)


def test_another_size_is_resized(tmp_path):
    check(read_json_cameras(saved(tmp_path, camera_path()), (40, 50)), 0.5)
    with pytest.raises(data.FormatError, match="expected 100 x 100 pixels, or a multiple"):
        read_json_cameras(saved(tmp_path, camera_path()), (100, 100))


def test_images_have_the_numbers_of_the_path(tmp_path):
    found = data.read_image_cameras(saved(tmp_path, camera_path()))
    assert [x.image for x in found] == ["0000", "0001", "0002"]
    np.testing.assert_allclose(found[0].camera.focal, 40 / math.tan(math.radians(25)))


NODE = camera_path()["camera_path"][0]


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"camera_type": "equirectangular"}, "perspective as camera_type of the file, found 'equ"),
        ({"camera_type": "fisheye"}, "perspective as camera_type of the file, found 'fisheye'"),
        ({"camera_path": [{**NODE, "camera_type": "fisheye"}]}, "camera_type of camera_path/0"),
        ({"camera_path": [NODE, {**NODE, "lens_shift": 0.5}]}, "in camera_path/1; .* lens_shift"),
        ({"camera_path": [NODE, {**NODE, "fov": None}]}, "fov of camera_path/1 as a number"),
        ({"camera_path": [{**NODE, "fov": 180}]}, "an angle between 0 and pi as fov of camera_pa"),
        ({"camera_path": [{**NODE, "fov": 0}]}, "an angle between 0 and pi as fov of camera_path"),
        (
            {"camera_path": [{**NODE, "camera_to_world": [1, 2]}]},
            "camera_to_world of camera_path/0",
        ),
        ({"camera_path": [{**NODE, "camera_to_world": "["}]}, "16 numbers in camera_to_world of"),
        (
            {"camera_path": [{**NODE, "camera_to_world": [2.0] * 16}]},
            "a rotation and a translation",
        ),
        ({"camera_path": [3]}, "an object as camera_path/0, found a number"),
        ({"camera_path": [], "keyframes": []}, "at least one camera in camera_path or keyframes"),
        ({"render_height": 0}, "a width and a height"),
        ({"render_width": 10.5}, "a whole number as render_width"),
        ({"distortion": [0.1]}, r"found distortion = numbers \[1\]"),
    ],
)
def test_what_is_not_such_a_path_is_named(tmp_path, changes, says):
    path = saved(tmp_path, camera_path(**changes))
    with pytest.raises(data.FormatError, match=says) as error:
        read_json_cameras(path)
    assert str(error.value).startswith(str(path))
    with pytest.raises(data.FormatError, match=says):
        data.read_image_cameras(path)
