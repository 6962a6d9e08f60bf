"""The cameras of FlyingThings3D, with a text as the data set has it."""

import numpy as np
import pytest
from helpers import support

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets.things import cameras as things

IDENTITY = "1.0 0.0 0.0 {} 0.0 1.0 0.0 {} 0.0 0.0 1.0 {} 0.0 0.0 0.0 1.0"
QUARTER = "0.0 0.0 1.0 2.0 0.0 1.0 0.0 0.0 -1.0 0.0 0.0 0.0 0.0 0.0 0.0 1.0"
TEXT = f"""Frame 6
L {IDENTITY.format(1, 2, 3)}
R {IDENTITY.format(2, 2, 3)}

Frame 8
L {QUARTER}
R {QUARTER}

"""


def written(path, text=TEXT):
    path.write_text(text)
    return path


def test_the_cameras_look_along_minus_z_of_their_own(tmp_path):
    cameras = things.read_things_cameras(written(tmp_path / "camera_data.txt"))
    assert list(cameras) == [6, 8]
    left, right = cameras[6]
    assert left is cameras[6].left and left.dtype == np.float64 and left.shape == (3, 4)
    # Half a metre to the right of the camera at (1, 2, 3), a quarter up, four ahead.
    point = np.array([1.5, 2.25, -1, 1])
    np.testing.assert_array_equal(left @ point, [0.5, -0.25, 4])
    np.testing.assert_array_equal(right @ point, [-0.5, -0.25, 4])
    # Turned to the left by a quarter: what was to the left is ahead.
    np.testing.assert_array_equal(cameras[8].left @ [2 - 4, 0, 0, 1], [0, 0, 4])


def test_the_poses_are_those_of_the_inverse_matrix(tmp_path):
    cameras = things.read_things_cameras(written(tmp_path / "camera_data.txt"))
    matrix = np.array(QUARTER.split(), float).reshape(4, 4)
    expected = np.diag([1, -1, -1, 1]) @ np.linalg.inv(matrix)
    np.testing.assert_allclose(cameras[8].right, expected[:3], atol=1e-15)


def test_cameras_there_and_back_agree(tmp_path):
    left, right = support.NEAR, support.pose([0.02, -0.03, 0.01], [-0.95, -0.02, 0.03])
    path = tmp_path / "camera_data.txt"
    things.write_things_cameras(path, {9: things.StereoPoses(left, right), 7: (right, left)})
    again = things.read_things_cameras(path)
    assert list(again) == [7, 9]
    np.testing.assert_allclose(again[9], [left, right], atol=1e-15)
    np.testing.assert_allclose(again[7], [right, left], atol=1e-15)

    lines = path.read_text().split("\n")
    assert [line.split(" ")[0] for line in lines] == ["Frame", "L", "R", ""] * 2 + [""]
    assert lines[0] == "Frame 7" and lines[2].endswith("0.0 0.0 0.0 1.0")
    things.write_things_cameras(path, {7: (np.eye(3, 4),) * 2})
    words = path.read_text().split("\n")[1].split()[1:]
    np.testing.assert_array_equal(np.float64(words).reshape(4, 4), np.diag([1, -1, -1, 1]))


@pytest.mark.parametrize(
    "old, new, says",
    [
        (TEXT, "", "three lines per frame: Frame, L and R, found 0 lines"),
        ("Frame 8\n", "", "three lines per frame"),
        ("Frame 8", "Frame eight", "a whole number after Frame, found 'eight'"),
        ("Frame 8", "Bild 8", "a line `Frame` with its number, found 'Bild 8'"),
        ("Frame 8", "Frame 6", "frame 6 once, found it again in line 4"),
        ("R 0.0", "L 0.0", "a line R of frame 8"),
        (" 1.0\nR 1", "\nR 1", "16 numbers in L of frame 6"),
        ("L 1.0", "L 1.1", "a rotation and a translation in L of frame 6"),
        ("L 1.0", "L -1.0", "a rotation and a translation in L of frame 6"),
        ("0.0 1.0\nR 1", "0.5 1.0\nR 1", "a rotation and a translation in L of frame 6"),
    ],
)
def test_a_broken_file_is_named(tmp_path, old, new, says):
    path = written(tmp_path / "camera_data.txt", TEXT.replace(old, new, 1))
    with pytest.raises(data.FormatError, match=says) as error:
        things.read_things_cameras(path)
    assert str(error.value).startswith(str(path))


def test_what_is_no_pose_is_not_written(tmp_path):
    good = np.eye(3, 4)
    for cameras, says in (
        ({}, "cameras: expected frames from 0 on"),
        ({-1: (good, good)}, "cameras: expected frames from 0 on"),
        ({6: (good, 2 * good)}, r"cameras\[6\]: expected rotations and translations"),
        ({6: (np.eye(3), np.eye(3))}, r"cameras\[6\]: expected the shape"),
    ):
        with pytest.raises(ValueError, match=says):
            things.write_things_cameras(tmp_path / "a.txt", cameras)
    assert not list(tmp_path.iterdir())


def test_the_camera_has_the_published_numbers():
    camera = things.things_camera((540, 960))
    np.testing.assert_array_equal(camera.focal, [1050, 1050])
    np.testing.assert_array_equal(camera.principal_point, [479.5, 269.5])
    np.testing.assert_array_equal(camera.world_to_camera, np.eye(3, 4))
    assert camera.size == (540, 960) and camera.focal.dtype == np.float64
    driving = things.things_camera((540, 960), support.NEAR, focal=450)
    np.testing.assert_array_equal(driving.focal, [450, 450])
    np.testing.assert_array_equal(driving.world_to_camera, support.NEAR)


def test_another_size_is_that_of_resized_images():
    camera = things.things_camera((270, 480))
    np.testing.assert_array_equal(camera.focal, [525, 525])
    np.testing.assert_array_equal(camera.principal_point, [239.5, 134.5])
    assert isinstance(camera, sf3d.Camera) and camera.size == (270, 480)


@pytest.mark.parametrize("size", [(0, 1024), (5.5, 4), "ab", None])
def test_a_wrong_size_is_the_fault_of_the_caller(size):
    with pytest.raises(ValueError, match=r"^size: expected two integers"):
        things.things_camera(size)
