"""is_facing against rays of the camera, and select: places, order, room."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.meshes import sphere
from helpers.support import LENSES, as_numpy, camera, pose

import sf3d_jax as sf3d
from sf3d_jax import gaussians, head

VERTICES, FACES = sphere()
COUNT = 150
COVER = head.cover(VERTICES, FACES, COUNT)
SCENE = gaussians.Gaussians(
    *(np.random.default_rng(0).normal(size=(COUNT, *x)).astype(np.float32) for x in [(3,), (3, 3)]),
    np.ones(COUNT, np.float32),
    np.arange(COUNT, dtype=np.float32)[:, None],
)
POSES = {"outside": ([0.3, -0.2, 0.1], [0.02, -0.01, 0.3]), "inside": ([0.3, 2, 0.1], [0, 0, 0.02])}


def at(name):
    return camera(pose=pose(*POSES[name]))


def see(vertices, camera):
    """Which pieces the camera sees counterclockwise, by their images on a plane about each."""
    world_to_camera = np.float64(camera.world_to_camera)
    corners = COVER.corners @ np.float64(vertices)[FACES[COVER.triangles]]
    corners = corners @ world_to_camera[:, :3].T + world_to_camera[:, 3]
    return np.linalg.det(corners) < 0


@pytest.mark.parametrize("name", POSES)
def test_the_outside_is_counterclockwise(name):
    got = head.is_facing(COVER, FACES, np.float32(VERTICES), at(name))
    expected = see(VERTICES, at(name))
    np.testing.assert_array_equal(got, expected)
    assert expected.any() == (name == "outside") and not expected.all()


def test_the_lens_does_not_matter():
    coefficients, model = LENSES["fisheye"]
    lens = sf3d.Camera.from_matrix(
        np.diag([9, 9, 1.0]),
        (4, 4),
        world_to_camera=pose(*POSES["outside"]),
        distortion=coefficients,
        model=model,
    )
    got = head.is_facing(COVER, FACES, np.float32(VERTICES), lens)
    np.testing.assert_array_equal(got, see(VERTICES, at("outside")))


@pytest.mark.non_finite
def test_pieces_without_a_side_do_not_face_the_camera():
    vertices = np.float32(VERTICES)
    facing = np.array(head.is_facing(COVER, FACES, vertices, at("outside")))
    vertices[3] = np.nan
    vertices[9] = vertices[17]
    got = np.array(head.is_facing(COVER, FACES, vertices, at("outside")))
    triangles = FACES[COVER.triangles]
    gone = (triangles == 3).any(-1) | np.isin(triangles, [9, 17]).sum(-1) == 2
    assert not got[gone].any()
    still = ~np.isin(triangles, [3, 9]).any(-1)
    np.testing.assert_array_equal(got[still], facing[still])


def test_the_selected_come_first_in_their_order_and_zeros_after():
    keep = np.arange(COUNT) % 3 == 1
    extra = np.arange(COUNT, dtype=np.int32)
    got, numbers = head.select((SCENE, extra), keep, 64)
    for x, y in zip(jax.tree.leaves((got, numbers)), jax.tree.leaves((SCENE, extra)), strict=True):
        assert x.shape[0] == 64 and x.dtype == y.dtype
        np.testing.assert_array_equal(x[:50], y[keep])
        assert not np.asarray(x[50:]).any()


@pytest.mark.thorough
def test_a_batch_selects_each_its_own():
    keep = np.stack([np.arange(COUNT) % 3 == 1, np.arange(COUNT) < 20])
    got = as_numpy(jax.vmap(lambda x: head.select(SCENE, x, 64).colors)(keep))
    for one, mask in zip(got, keep, strict=True):
        np.testing.assert_array_equal(one[: mask.sum()], SCENE.colors[mask])


def test_a_room_that_is_too_small_is_an_error_where_it_is_known():
    keep = np.arange(COUNT) < 65
    for x in (keep, jnp.asarray(keep)):
        with pytest.raises(ValueError, match=r"room: expected at least 65, .*, got 64; pass "):
            head.select(SCENE, x, 64)
    with pytest.raises(ValueError, match="room: expected at least 1"):
        head.select(SCENE, np.zeros(COUNT, bool), 0)
    got = jax.jit(lambda x: head.select(SCENE, x, 64).colors)(keep)
    np.testing.assert_array_equal(got, SCENE.colors[:64])


def test_wrong_arguments_are_named():
    vertices, keep = np.float32(VERTICES), np.ones(COUNT, bool)
    with pytest.raises(ValueError, match="camera: expected one camera, got a batch"):
        batch = jax.tree.map(lambda x: np.stack([x, x]), at("outside"))
        head.is_facing(COVER, FACES, vertices, batch)
    with pytest.raises(TypeError, match="camera: expected a Camera"):
        head.is_facing(COVER, FACES, vertices, None)
    with pytest.raises(TypeError, match="cover: expected a Cover"):
        head.is_facing(None, FACES, vertices, at("outside"))
    with pytest.raises(TypeError, match=r"keep: expected an array of bool, .*keep > 0\.5"):
        head.select(SCENE, np.float32(keep), 200)
    with pytest.raises(ValueError, match=r"keep: expected shape \(N\)"):
        head.select(SCENE, keep[None], 200)
    with pytest.raises(ValueError, match="gaussians: expected 149 entries"):
        head.select(SCENE, keep[1:], 200)
    with pytest.raises(TypeError, match="gaussians: expected arrays, got int in their place"):
        head.select([SCENE, [1, 2]], keep, 200)
    for room, kind in ((200.0, "float"), ("200", "str"), (np.ones(2), "an array")):
        with pytest.raises(TypeError, match=f"room: expected an integer .*, got {kind}"):
            head.select(SCENE, keep, room)
    with pytest.raises(TypeError, match="room: expected an integer that is known at trace time"):
        jax.jit(lambda x: head.select(SCENE, keep, x))(200)


def test_any_integer_is_a_room():
    keep = np.arange(COUNT) % 3 == 1
    for room in (np.int64(64), jnp.int32(64)):
        assert head.select(SCENE, keep, room).means.shape == (64, 3)
