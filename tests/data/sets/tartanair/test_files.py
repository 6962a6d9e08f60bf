"""TartanAir: poses against SciPy and a real pair of images, flow with its mask."""

import json

import cv2
import numpy as np
import pytest
from helpers import support, tartanair_pair
from scipy.spatial.transform import Rotation

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets.tartanair import files as tartanair

RNG = np.random.default_rng(0)
POSES = np.concatenate(
    [Rotation.random(20, random_state=0).as_matrix(), RNG.normal(size=(20, 3, 1))], axis=-1
)


def test_a_camera_that_flies_north_looks_along_x(tmp_path):
    (tmp_path / "pose_left.txt").write_text("1 2 3 0 0 0 1\n")
    [pose] = tartanair.read_tartanair_poses(tmp_path / "pose_left.txt")
    # Ahead (x) becomes z, right (y) becomes x, down (z) becomes y.
    np.testing.assert_array_equal(pose @ [1 + 5, 2 + 0.5, 3 + 0.25, 1], [0.5, 0.25, 5])
    assert pose.dtype == np.float64


def test_a_turn_to_the_right_moves_what_is_ahead_to_the_left(tmp_path):
    # A quarter turn about the axis that points down, from north to east.
    (tmp_path / "a.txt").write_text(f"0 0 0 0 0 {np.sqrt(0.5)!s} {np.sqrt(0.5)!s}\n")
    [pose] = tartanair.read_tartanair_poses(tmp_path / "a.txt")
    np.testing.assert_allclose(pose @ [0, 7, 0, 1], [0, 0, 7], atol=1e-14)
    np.testing.assert_allclose(pose @ [7, 0, 0, 1], [-7, 0, 0], atol=1e-14)


def test_poses_are_those_of_scipy(tmp_path):
    tartanair.write_tartanair_poses(tmp_path / "a.txt", POSES)
    rows = np.loadtxt(tmp_path / "a.txt")
    # Forward, right and down in OpenCV's axes.
    body = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    rotation = Rotation.from_quat(rows[:, 3:]).as_matrix()
    world_to_body = np.swapaxes(rotation, 1, 2)
    np.testing.assert_allclose(body @ world_to_body, POSES[..., :3], atol=1e-14)
    shift = -body @ world_to_body @ rows[:, :3, None]
    np.testing.assert_allclose(shift, POSES[..., 3:], atol=1e-14)


def test_poses_there_and_back_agree(tmp_path):
    tartanair.write_tartanair_poses(tmp_path / "a.txt", POSES)
    again = tartanair.read_tartanair_poses(tmp_path / "a.txt")
    np.testing.assert_allclose(again, POSES, atol=1e-14)
    np.save(tmp_path / "a.npy", np.loadtxt(tmp_path / "a.txt"))
    np.testing.assert_array_equal(tartanair.read_tartanair_poses(tmp_path / "a.npy"), again)


@pytest.mark.parametrize(
    "text, says",
    [
        ("", "rows of 7 numbers, found none"),
        ("1 2 3 0 0 1\n", "rows of 7 numbers, found 6 words"),
        ("1 2 3 0 0 0 1\n1 2 3 0 0 0\n", "7 numbers in row 2"),
        ("1 2 3 0 0 0 inf\n", "7 numbers in row 1"),
        ("1 2 3 0 0 0 1\n1 2 3 0 0 0 0\n", "a unit quaternion qx qy qz qw in row 2"),
        ("1 2 3 0 0 0 1.01\n", "a unit quaternion"),
        ("1 2 1e25 0 0 0 1\n", "tx ty tz"),
        ("1 2 3 0 0 0 1e20\n", "a unit quaternion"),
        ("# time\n1 2 3 0 0 0 1\n", "rows of 7 numbers, found 2 words"),
    ],
)
def test_what_is_no_pose_is_refused_by_name(tmp_path, text, says):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(data.FormatError, match=says) as error:
        tartanair.read_tartanair_poses(tmp_path / "a.txt")
    assert str(error.value).startswith(str(tmp_path / "a.txt"))


def test_an_array_of_another_shape_holds_no_poses(tmp_path):
    for shape in ((7,), (3, 6), (0, 7)):
        np.save(tmp_path / "a.npy", np.ones(shape))
        with pytest.raises(data.FormatError, match=r"an array of the shape \[N, 7\]"):
            tartanair.read_tartanair_poses(tmp_path / "a.npy")


def test_what_is_no_pose_is_not_written(tmp_path):
    for poses, says in ((np.eye(3, 4), "shape"), (2 * POSES, "rotations"), (POSES[:0], "shape")):
        with pytest.raises(ValueError, match=f"world_to_camera: expected .*{says}"):
            tartanair.write_tartanair_poses(tmp_path / "a.txt", poses)
    assert not list(tmp_path.iterdir())


def test_the_camera_is_ninety_degrees_wide():
    camera = tartanair.tartanair_camera((480, 640))
    np.testing.assert_array_equal(camera.focal, [320, 320])
    np.testing.assert_array_equal(camera.principal_point, [320, 240])
    np.testing.assert_array_equal(camera.world_to_camera, np.eye(3, 4))
    small = tartanair.tartanair_camera((384, 512), world_to_camera=POSES[0])
    np.testing.assert_array_equal(small.focal, [256, 256])
    np.testing.assert_array_equal(small.principal_point, [256, 192])
    np.testing.assert_array_equal(small.world_to_camera, POSES[0])
    assert small.size == (384, 512) and small.world_to_camera.dtype == np.float64
    with pytest.raises(ValueError, match="size: expected two integers"):
        tartanair.tartanair_camera((0, 5))


def test_poses_and_depth_bring_one_image_onto_the_other(tmp_path):
    tartanair_pair.write_pair(tmp_path)
    check_pair(tmp_path, least=0.8)


def test_real_poses_and_depth_bring_one_image_onto_the_other(real):
    check_pair(real("tartanair"), least=0.3)


def check_pair(folder, least):
    """Warps the second image onto the first where depth and poses say, for a least share."""
    names = json.loads((folder / "pose_name.json").read_text())
    [names] = [x for x in names.values() if isinstance(x, list)]
    poses = tartanair.read_tartanair_poses(folder / "pose_wo_name.npy")
    at = [names.index(name) for name in tartanair_pair.NAMES]
    depth = data.read_map(folder / f"{tartanair_pair.NAMES[0]}_depth.npy").values
    first, second = (data.read_image(folder / f"{name}_rgb.png") for name in tartanair_pair.NAMES)
    here, there = (tartanair.tartanair_camera(depth.shape, poses[i]) for i in at)
    with support.float64():
        flow, _, valid = support.as_numpy(sf3d.rigid_motion(1 / np.float64(depth), here, there))
    target = (support.grid(depth.shape) + flow).astype(np.float32)
    last = np.array(depth.shape[::-1]) - 1
    inside = valid & ((target > 0) & (target < last)).all(-1)
    warped = cv2.remap(second, target, None, cv2.INTER_LINEAR)
    error = lambda image: cv2.absdiff(image, first)[inside].mean()
    assert inside.mean() > least and error(second) > 3 * error(warped)


def test_the_mask_takes_away_all_that_it_marks(tmp_path):
    flow = RNG.normal(size=(2, 3, 2)).astype(np.float32)
    np.save(tmp_path / "flow.npy", flow)
    np.save(tmp_path / "mask.npy", np.uint8([[0, 1, 10], [100, 0, 0]]))
    read, valid = tartanair.read_tartanair_flow(tmp_path / "flow.npy", tmp_path / "mask.npy")
    np.testing.assert_array_equal(valid, [[True, False, False], [False, True, True]])
    np.testing.assert_array_equal(read, flow * valid[..., None])
    assert read.dtype == np.float32
    assert tartanair.read_tartanair_flow(tmp_path / "flow.npy").valid.all()


def test_a_mask_of_another_size_is_named(tmp_path):
    np.save(tmp_path / "flow.npy", np.zeros((2, 3, 2), np.float32))
    np.save(tmp_path / "mask.npy", np.zeros((3, 2), np.uint8))
    with pytest.raises(data.FormatError, match=r"mask\.npy: expected the size \[2, 3\]"):
        tartanair.read_tartanair_flow(tmp_path / "flow.npy", tmp_path / "mask.npy")
