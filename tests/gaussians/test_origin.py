"""Scenes far from the origin against the same scenes at it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.support import unchecked

import sf3d_jax as sf3d
from sf3d_jax.gaussians import Gaussians, intersections_needed, recenter, render, room_for

SIZE = (12, 16)
TURN = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])


def scene(origin):
    """Gaussians about a place, in float64, and two cameras four metres before it."""
    rng = np.random.default_rng(0)
    gaussians = Gaussians(
        means=origin + rng.uniform(-1, 1, (9, 3)),
        factors=np.float32(rng.normal(size=(9, 3, 3))),
        opacities=np.full(9, 0.5, np.float32),
        colors=rng.uniform(size=(9, 3)).astype(np.float32),
    )
    poses = [np.c_[r, np.array([0, 0, 4.0]) - r @ origin] for r in (TURN, np.eye(3))]
    return gaussians, [sf3d.Camera.pinhole(10.0, 11.0, 7.5, 5.5, SIZE, pose) for pose in poses]


def seen(gaussians, camera):
    """The means in the axes of a camera, by float64."""
    pose = np.float64(camera.world_to_camera)
    return np.float64(gaussians.means) @ pose[:, :3].T + pose[:, 3]


@pytest.mark.parametrize("distance", [0.0, 1e3, 1e7])
def test_cameras_see_every_mean_at_its_place_in_float32(distance):
    gaussians, cameras = scene(distance * np.array([1.0, -2.0, 3.0]))
    wanted = [seen(gaussians, camera) for camera in cameras]
    near = recenter(gaussians, cameras)
    assert near.gaussians.means.dtype == np.float32
    for camera, place in zip(near.cameras, wanted, strict=True):
        assert camera.world_to_camera.dtype == camera.focal.dtype == np.float32
        np.testing.assert_allclose(
            seen(near.gaussians, camera), place, atol=2e-6 + 3e-15 * distance
        )
    assert np.abs(near.cameras[0].world_to_camera[:, 3]).max() < 1e-6 + 1e-14 * distance


def test_what_does_not_depend_on_the_origin_stays():
    gaussians, cameras = scene(np.array([5.0, 6, 7]))
    near = recenter(gaussians, cameras)
    for name in ("factors", "opacities", "colors"):
        assert getattr(near.gaussians, name) is getattr(gaussians, name)
    for before, after in zip(cameras, near.cameras, strict=True):
        rotations = [camera.world_to_camera[:, :3] for camera in (before, after)]
        np.testing.assert_array_equal(np.float32(rotations[0]), rotations[1])
        assert after.size == SIZE and after.focal.tolist() == [10, 11]


def test_a_mean_beyond_float32_is_infinite_and_the_others_stay():
    gaussians, cameras = scene(np.zeros(3))
    gaussians.means[3, 1] = 1e300
    means = recenter(gaussians, cameras).gaussians.means
    assert np.isinf(means[3, 1]) and np.isfinite(np.delete(means, 3, axis=0)).all()


def test_all_is_rounded_to_float32():
    gaussians, cameras = scene(np.zeros(3))
    near = recenter(jax.tree.map(np.float64, gaussians), cameras)
    assert {(type(x), x.dtype) for x in jax.tree.leaves(near)} == {(np.ndarray, np.dtype("f4"))}
    wide = dataclasses.replace(gaussians, colors=np.full((9, 3), 1e300))
    assert np.isinf(recenter(wide, cameras).gaussians.colors).all()


def test_cameras_may_come_from_an_iterator():
    gaussians, cameras = scene(np.ones(3))
    near = recenter(gaussians, (camera for camera in cameras))
    for one, other in zip(near.cameras, recenter(gaussians, cameras).cameras, strict=True):
        np.testing.assert_array_equal(one.world_to_camera, other.world_to_camera)


@pytest.mark.parametrize("number", [1e39, 1e300, np.inf, np.nan])
def test_a_camera_beyond_float32_is_refused(number):
    gaussians, (camera, _) = scene(np.zeros(3))
    far = unchecked(camera, world_to_camera=np.c_[np.eye(3), np.full(3, number)])
    long = unchecked(camera, focal=np.full(2, number))
    for wrong, part in ((far, "world_to_camera"), (long, "focal")):
        with pytest.raises(ValueError, match=rf"cameras\[1\].{part}: .* finite in float32"):
            recenter(gaussians, [camera, wrong])
    with pytest.raises(ValueError, match=r"cameras\[\d\].world_to_camera: .* finite"):
        recenter(gaussians, [far, camera])


def test_traced_arguments_are_refused():
    gaussians, cameras = scene(np.zeros(3))
    with pytest.raises(TypeError, match="recenter: runs on the host"):
        jax.jit(recenter)(gaussians, cameras)
    with pytest.raises(TypeError, match="recenter: runs on the host"):
        jax.jit(lambda camera: recenter(gaussians, [cameras[0], camera]))(cameras[1])


def test_what_cannot_be_recentered_is_named():
    gaussians, cameras = scene(np.zeros(3))
    lens = dataclasses.replace(cameras[0], distortion=np.zeros(4), model="opencv")
    batch = sf3d.Camera.pinhole(np.ones(2), 1.0, 1.0, 1.0, SIZE)
    with pytest.raises(ValueError, match="at least one"):
        recenter(gaussians, [])
    with pytest.raises(ValueError, match=r"cameras\[1\].*opencv"):
        recenter(gaussians, [cameras[0], lens])
    with pytest.raises(ValueError, match=r"cameras\[0\].*batch"):
        recenter(gaussians, [batch])
    with pytest.raises(TypeError, match="gaussians: expected Gaussians"):
        recenter(gaussians.means, cameras)
    with pytest.raises(TypeError, match="cameras: expected a sequence of cameras, got one Camera"):
        recenter(gaussians, cameras[0])
    with pytest.raises(TypeError, match=r"cameras\[1\]: expected a Camera"):
        recenter(gaussians, [cameras[0], None])


def test_room_is_above_what_was_counted_and_has_few_sizes():
    counts = np.unique(np.geomspace(1, 2**30, 999).astype(int))
    rooms = [room_for(int(count)) for count in counts]
    assert all(room > 1.003 * count for room, count in zip(rooms, counts, strict=True))
    assert all(
        room <= max(1024, 1.27 * count + 24) for room, count in zip(rooms, counts, strict=True)
    )
    assert len(set(rooms)) < 90


def test_room_is_found_for_what_was_counted():
    gaussians, cameras = recenter(*scene(np.zeros(3)))
    count = intersections_needed(gaussians, cameras[0])
    assert isinstance(count, jax.Array) and room_for(count) == 1024
    assert room_for(0) == 1024
    for number in (5000, jnp.int32(5000), np.int32(5000), np.array(5000, np.uint16)):
        assert type(room_for(number)) is int and room_for(number) == 5120


@pytest.mark.parametrize("kind", [int, np.int32, jnp.int32])
def test_room_for_more_than_can_be_drawn_is_refused_by_what_draws(kind):
    gaussians, cameras = recenter(*scene(np.zeros(3)))
    room = room_for(kind(2**31 - 1))
    assert room == 2**31
    with pytest.raises(ValueError, match=r"2\^30 - 1, got 2147483648; .* cannot be drawn"):
        render(gaussians, cameras[0], max_intersections=room)
    # What can be drawn gets room that can be had.
    assert room_for(kind(1_060_000_000)) == 2**30 - 1 < room_for(kind(2**30 - 1))


@pytest.mark.parametrize("kind", [int, np.int64, jnp.int32])
def test_room_for_less_than_nothing_is_refused(kind):
    with pytest.raises(ValueError, match="count: expected 0 or more, got -3"):
        room_for(kind(-3))


@pytest.mark.parametrize(
    "wrong", [2.5, True, np.True_, jnp.bool_(True), float("nan"), None, "7", np.ones(1, int)]
)
def test_room_for_what_is_no_integer_is_refused(wrong):
    with pytest.raises(TypeError, match="count: expected an integer"):
        room_for(wrong)


def test_room_for_a_traced_count_is_refused():
    with pytest.raises(TypeError, match="count: expected an integer, not traced"):
        jax.jit(room_for)(5000)
