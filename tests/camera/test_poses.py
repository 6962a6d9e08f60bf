"""Where cameras are, how they move, and what is between two; the points that all pixels see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.support import MATRIX, NEAR, SIZE, camera, cast, chain, float64, grid, motion, pose
from scipy.spatial.transform import Rotation

import sf3d_jax as sf3d

FAR = pose([0.4, -1.1, 0.3], [0.5, -2.0, 3.0])
SHARED = np.random.default_rng(0).normal(size=(20, 3))


def move(transform, points):
    return points @ transform[:, :3].T + transform[:, 3]


def test_the_centre_is_the_point_that_the_pose_takes_to_the_origin():
    one = camera(pose=np.stack([NEAR, FAR]))
    assert isinstance(one.center, np.ndarray) and one.center.dtype == np.float64
    for pose_of_one, center in zip(one.world_to_camera, one.center, strict=True):
        np.testing.assert_allclose(move(pose_of_one, center), np.zeros(3), atol=1e-15)
    placed = cast(one, jnp.float32)
    np.testing.assert_allclose(placed.center, one.center, atol=1e-6)
    traced = jax.jit(lambda c: c.center)(placed)
    np.testing.assert_allclose(traced, one.center, atol=1e-6)


def test_between_two_cameras_is_the_change_of_their_axes_and_moves_one_to_the_other():
    first, second = camera(pose=FAR), camera("opencv", pose=chain(NEAR, FAR))
    between = first.between(second)
    assert isinstance(between, np.ndarray) and between.dtype == np.float64
    np.testing.assert_allclose(between, NEAR, atol=1e-15)
    seen, seen_later = (move(c.world_to_camera, SHARED) for c in (first, second))
    np.testing.assert_allclose(move(between, seen), seen_later, atol=1e-14)
    moved = first.moved(between)
    np.testing.assert_allclose(moved.world_to_camera, second.world_to_camera, atol=1e-15)
    assert moved.model == "pinhole" and moved.focal is first.focal
    with float64():
        same = jax.jit(lambda a, b: a.moved(a.between(b)).world_to_camera)(first, second)
        np.testing.assert_allclose(same, second.world_to_camera, atol=1e-14)


def test_what_is_between_near_cameras_keeps_its_digits():
    """Both turn about what they look at: the translation is a small difference."""
    step = pose([0, 1e-5, 0], [0, 0, 0])
    step[:, 3] = [0, 0, 5] - step[:, :3] @ [0, 0, 5]
    poses = np.stack([FAR, chain(step, FAR)]).astype(np.float32)
    first, second = (sf3d.Camera.from_matrix(MATRIX, SIZE, world_to_camera=p) for p in poses)
    exact = np.float64(poses)
    turn = (exact[1] - exact[0])[:, :3] @ exact[0, :, :3].T
    shift = (exact[1] - exact[0])[:, 3] - turn @ exact[0, :, 3]
    for a, b in ((first, second), cast((first, second), jnp.float32)):
        got = np.float64(a.between(b))
        assert np.abs(got[:, 3] - shift).max() < 1e-7 * np.abs(shift).max()
        off_diagonal = got[:, :3] - turn - np.eye(3)
        assert np.abs(off_diagonal - np.diag(np.diag(off_diagonal))).max() < 2e-12
    assert first.between(first).tolist() == np.eye(3, 4).tolist()


def test_cameras_move_in_the_type_and_place_of_their_arrays():
    transform = np.float32(NEAR)
    one = cast(camera(pose=FAR), jnp.float32)
    with jax.transfer_guard_host_to_device("disallow"):
        moved = one.moved(transform)
    assert isinstance(moved.world_to_camera, jax.Array)
    np.testing.assert_allclose(moved.world_to_camera, chain(NEAR, FAR), atol=1e-6)
    of_reader = camera(pose=FAR).moved(transform)
    assert isinstance(of_reader.world_to_camera, np.ndarray)
    assert of_reader.world_to_camera.dtype == np.float64
    batch = camera(pose=FAR).moved(np.stack([NEAR, FAR]))
    np.testing.assert_allclose(batch.world_to_camera[1], chain(FAR, FAR), atol=1e-14)
    slope = jax.grad(lambda t: one.moved(t).center.sum())(jnp.asarray(transform))
    # The centre is R^T (R'^T -(t' + R' t)), so it moves by -(R' R)^T with t'.
    np.testing.assert_allclose(slope[:, 3], -chain(NEAR, FAR)[:, :3].sum(1), atol=1e-6)


def test_a_camera_moved_by_what_is_no_motion_is_refused():
    one = camera()
    with pytest.raises(ValueError, match=r"^transform: expected shape .* remove the last row"):
        one.moved(np.eye(4))
    with pytest.raises(ValueError, match=r"^transform: expected a rotation and .*, got zeros"):
        one.moved(np.zeros((3, 4)))
    with pytest.raises(
        ValueError, match=r"^transform: expected shape \(\.\.\., 3, 4\), got \(6,\)"
    ):
        one.moved(np.zeros(6))
    with pytest.raises(TypeError, match=r"^other: expected a Camera, got ndarray"):
        one.between(np.eye(3, 4))
    two, three = (np.stack([np.eye(3, 4)] * count) for count in (2, 3))
    for array in (np.asarray, jnp.asarray):
        many = camera(pose=array(two))
        with pytest.raises(ValueError, match=r"broadcast: camera \(2,\), transform \(3,\)$"):
            many.moved(array(three))
        with pytest.raises(ValueError, match=r"broadcast: camera \(2,\), other \(3,\)$"):
            many.between(camera(pose=array(three)))


def test_a_point_map_is_what_all_pixels_see_in_the_world():
    inv_depth = motion()[1]
    cameras = camera(pose=np.stack([NEAR, FAR]))
    with float64():
        points, valid = sf3d.point_map(np.float64(inv_depth), cameras)
        pixels, back, seen = sf3d.project(points, cameras)
    assert points.shape == (2, *SIZE, 3) and valid.all() and seen.all()
    np.testing.assert_allclose(pixels, np.broadcast_to(grid(SIZE), pixels.shape), atol=1e-9)
    np.testing.assert_allclose(back, np.broadcast_to(inv_depth, back.shape), rtol=1e-12)
    with pytest.raises(ValueError, match=r"^inv_depth: .* are the two swapped\?"):
        sf3d.point_map(inv_depth.T, camera())


def test_points_of_two_poses_are_of_one_world():
    """Against SciPy, in the axes of the world and not of the camera."""
    inv_depth = np.full(SIZE, 0.5)
    with float64():
        plain, _ = sf3d.point_map(inv_depth, camera())
        turned, _ = sf3d.point_map(inv_depth, camera(pose=FAR))
    back = Rotation.from_matrix(FAR[:, :3]).inv()
    expected = back.apply(np.asarray(plain).reshape(-1, 3) - FAR[:, 3])
    np.testing.assert_allclose(np.asarray(turned).reshape(-1, 3), expected, atol=1e-14)
