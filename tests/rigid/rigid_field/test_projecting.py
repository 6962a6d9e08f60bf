"""What a field of rigid motions shows, against closed forms in float64 NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.support import MATRIX, camera
from scipy.spatial.transform import Rotation

import sf3d_jax as sf3d
from sf3d_jax import rigid_field

SIZE = (6, 7)
SMALL = MATRIX * [[0.25], [0.25], [1]]
INV_DEPTH = np.random.default_rng(0).uniform(0.3, 1, SIZE).astype(np.float32)


def transforms(angle, shift, shape=SIZE):
    """Random rotations and translations of the given sizes, (..., 3, 4) in float64."""
    rng = np.random.default_rng(1)
    count = int(np.prod(shape))
    turn = rng.normal(size=(count, 3))
    turn *= angle / np.linalg.norm(turn, axis=1, keepdims=True)
    rotation = Rotation.from_rotvec(turn).as_matrix()
    moved = shift * rng.normal(size=(count, 3, 1))
    return np.concatenate([rotation, moved], -1).reshape(*shape, 3, 4)


def shown(field, inv_depth):
    """Flow and change in float64; the displacement is a product with R - I in float64."""
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    d = np.float64(inv_depth)
    focal, centre = SMALL[[0, 1], [0, 1]], SMALL[:2, 2]
    focal, centre = np.float64(np.float32(focal)), np.float64(np.float32(centre))
    x = (np.stack([u, v], -1) - centre) / focal
    ray = np.dstack([x, np.ones(SIZE)])
    turn = field[..., :3] - np.eye(3)
    scaled = (turn @ ray[..., None])[..., 0] + d[..., None] * field[..., 3]
    ratio = 1 + scaled[..., 2]
    flow = focal * (scaled[..., :2] - x * scaled[..., 2:]) / ratio[..., None]
    return flow, -d * scaled[..., 2] / ratio


@pytest.mark.parametrize("angle, shift", [(0.3, 0.05), (1e-5, 1e-5)])
@pytest.mark.parametrize("shape", [SIZE, (1, 1)])
def test_a_field_shows_the_motion_of_its_points(angle, shift, shape):
    field = transforms(angle, shift, shape)
    flow, change = shown(field, INV_DEPTH)
    seen = rigid_field.motion(np.float32(field), INV_DEPTH, camera("pinhole", None, SMALL, SIZE))
    assert seen.valid.all()
    # Rounding R - I itself, to 6e-8 of its entries.
    np.testing.assert_allclose(seen.flow, flow, rtol=0, atol=1e-6 * abs(flow).max())
    np.testing.assert_allclose(seen.inv_depth_change, change, rtol=0, atol=1e-6 * abs(change).max())


def test_one_transform_serves_all_pixels_and_bad_ones_none():
    alone = camera("pinhole", None, SMALL, SIZE)
    one = np.float32(transforms(0.1, 0.1, (1,))[0])
    single = rigid_field.motion(one, INV_DEPTH, alone)
    field = np.broadcast_to(one, (*SIZE, 3, 4)).copy()
    field[2, 3, 1, 1] = np.nan
    several = rigid_field.motion(field, INV_DEPTH, alone)
    assert not several.valid[2, 3]
    assert several.valid.sum() == INV_DEPTH.size - 1
    np.testing.assert_array_equal(several.flow, np.where(several.valid[..., None], single.flow, 0))


@pytest.mark.thorough
@pytest.mark.parametrize("lens", ["opencv", "fisheye"])
def test_a_lens_bends_the_motion_as_it_bends_a_static_scene(lens):
    first = camera(lens, None, SMALL, SIZE)
    field = np.float32(transforms(0.05, 0.05, (1,))[0])
    second = camera(lens, field, SMALL, SIZE)
    seen = rigid_field.motion(field, INV_DEPTH, first)
    wanted = sf3d.rigid_motion(INV_DEPTH, first, second)
    np.testing.assert_allclose(seen.flow, wanted.flow, atol=1e-5)
    np.testing.assert_allclose(seen.inv_depth_change, wanted.inv_depth_change, atol=1e-6)


def test_wrong_arguments_are_named():
    alone = camera("pinhole", None, SMALL, SIZE)
    field = np.zeros((*SIZE, 3, 4), np.float32)
    for wrong in (field[1:], field[..., :3], field[0]):
        with pytest.raises(ValueError, match="field: expected shape"):
            rigid_field.motion(wrong, INV_DEPTH, alone)
    with pytest.raises(ValueError, match="inv_depth"):
        rigid_field.motion(field, INV_DEPTH[1:], alone)
    with pytest.raises(ValueError, match="batch axes do not broadcast"):
        jax.eval_shape(
            rigid_field.motion, jnp.zeros((2, *SIZE, 3, 4)), jnp.zeros((3, *SIZE)), alone
        )
