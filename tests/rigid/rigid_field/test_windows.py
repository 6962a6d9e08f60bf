"""The rigid motion of each pixel's window, against the definition in float64 NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.assets import rendered
from helpers.platforms import count_loops, gpu_forms, lower_for_gpu
from helpers.rigid_windows import fit_windows
from helpers.support import as_numpy, float64
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from scipy import ndimage
from scipy.spatial.transform import Rotation

import sf3d_jax as sf3d
from sf3d_jax import rigid_field

SIZE = (11, 13)
RADIUS = 3
CAMERA = (np.array([10.0, 12.0]), np.array([6.0, 5.0]))
BAD = (4, 5)


def scene(size=SIZE, seed=0, bend=2e-2):
    """A curved wall and a nearer box in rigid motion, but for a wave of `bend` metres.

    The wave cuts windows into narrow pieces, whose motions depend on the last digits of the maps.
    """
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[: size[0], : size[1]]
    box = (abs(u - 8) < 3.5) & (abs(v - 6) < 2.5)
    d = np.where(box, 0.9 + 0.03 * u - 0.02 * v, 0.3 + 0.02 * u + 0.013 * v + 0.002 * u * v)
    x = np.stack([(u - CAMERA[1][0]) / CAMERA[0][0], (v - CAMERA[1][1]) / CAMERA[0][1]], -1)
    points = np.dstack([x, np.ones(size)]) / d[..., None]
    moved = np.where(
        box[..., None], _turn(points, [0.2, -0.1, 0.3]), _turn(points, [0.01, 0.05, -0.03])
    )
    moved = moved + [0.05, -0.04, 0.1] + bend * np.sin(u + 2 * v)[..., None] * [1, -2, 1]
    end = points + moved
    flow = (end[..., :2] / end[..., 2:] - x) * CAMERA[0]
    weights = rng.uniform(0.2, 1.0, size)
    weights[2, 3:6] = 0
    return flow, d, 1 / end[..., 2] - d, weights, points, moved


def _turn(points, k):
    """The motion of a rotation, k = 2 tan(angle / 2) axis."""
    turned = Rotation.from_quat([*np.array(k) / 2, 1]).apply(points.reshape(-1, 3))
    return turned.reshape(points.shape) - points


def camera(size=SIZE, dtype=None):
    """In the type of JAX's floats, or another."""
    focal, centre = CAMERA
    one = lambda x: jnp.asarray(x, dtype or jnp.zeros(()).dtype)
    return sf3d.Camera.pinhole(one(focal[0]), one(focal[1]), one(centre[0]), one(centre[1]), size)


COTANGENT = np.random.default_rng(1).normal(size=(*SIZE, 15))


def loss(maps):
    fit = rigid_field.local(*maps[:3], camera(), radius=RADIUS, weights=maps[3])
    both = jnp.concatenate([fit.field.reshape(*fit.valid.shape, 12), fit.residual], -1)
    return (COTANGENT * both).sum(), fit


@functools.cache
def program(form):
    """The fit and the gradient of a sum over it, in float64, once for all tests."""
    with float64(), gpu_forms() if form == "gpu" else float64():
        return jax.jit(jax.value_and_grad(loss, has_aux=True)).lower(scene()[:4]).compile()


def run(maps, form):
    with float64():
        (value, fit), gradient = program(form)(tuple(jnp.asarray(x) for x in maps))
        return np.float64(value), rigid_field.LocalFit(*as_numpy(fit)), as_numpy(gradient)


each_form = pytest.mark.parametrize(
    "form", ["cpu", pytest.param("gpu", marks=pytest.mark.thorough)]
)


@each_form
@pytest.mark.parametrize("bad", [None, np.nan, -1.0])
def test_a_window_has_its_least_squares_fit(form, bad):
    """Of what an edge separates from a pixel, nothing is in its window; nor are bad pixels."""
    *maps, points, moved = scene()
    known = np.ones(SIZE, bool)
    if bad is not None:
        # One hole, two in a row that a window steps over, and three that end it.
        known[BAD] = known[1, 1:3] = known[8:11, 2] = known[9, 4] = known[9, 9] = False
        maps[1][~known] = bad
    depth = np.where(known, maps[1], 1)
    field, residual = fit_windows(points, moved, depth, known, maps[3], RADIUS)
    _, got, gradient = run(maps, form)
    np.testing.assert_array_equal(got.valid, known)
    assert np.isfinite(field[known]).all()
    np.testing.assert_allclose(got.field[known], field[known], atol=1e-10)
    np.testing.assert_allclose(got.residual[known], residual[known], atol=1e-10)
    assert not got.field[~known].any()
    assert not got.residual[~known].any()
    assert all(np.isfinite(x).all() and not x[~known].any() for x in gradient)


@each_form
def test_the_gradient_is_that_of_finite_differences(form):
    """Of windows with holes."""
    *maps, _, _ = scene()
    maps[1][BAD] = maps[1][1, 1:3] = maps[1][8:11, 2] = 0
    _, _, gradient = run(maps, form)
    rng = np.random.default_rng(2)
    for i, (of_map, step) in enumerate(zip(gradient, (1e-7, 1e-7, 1e-7, 1e-4), strict=True)):
        # Weights of 0 stay, as less is refused.
        along = rng.normal(size=of_map.shape) * (maps[3] if i == 3 else 1)
        along = along * (maps[1] > 0) if i == 1 else along
        at = lambda t, i=i, along=along: run(
            [x + t * along if i == j else x for j, x in enumerate(maps)], form
        )[0]
        numeric = (at(step) - at(-step)) / (2 * step)
        scale = np.linalg.norm(of_map * along)
        assert abs((of_map * along).sum() - numeric) < 1e-5 * scale


def test_the_scale_of_the_weights_does_not_matter():
    """Not even where the squares of their reciprocals overflow, as in a network's confidences."""
    *maps, _, _ = scene()
    _, expected, gradient = run(maps, "cpu")
    _, fit, scaled = run([*maps[:3], 1e-160 * maps[3]], "cpu")
    np.testing.assert_array_equal(fit.valid, expected.valid)
    np.testing.assert_allclose(fit.field, expected.field, atol=1e-10)
    for x, y in zip(scaled, (*gradient[:3], 1e160 * gradient[3]), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-8 * abs(y).max())


@pytest.mark.thorough
def test_a_tangent_is_the_gradient_along_it():
    *maps, _, _ = scene()
    rng = np.random.default_rng(3)
    along = tuple(rng.normal(size=x.shape) for x in maps)
    _, _, gradient = run(maps, "cpu")
    with float64():
        value = lambda maps: loss(maps)[0]
        tangent = jax.jit(lambda x, t: jax.jvp(value, (x,), (t,))[1])(tuple(maps), along)
        tangent = np.float64(tangent)
    expected = sum((g * t).sum() for g, t in zip(gradient, along, strict=True))
    assert abs(tangent - expected) < 1e-10 * abs(expected)


def test_a_program_for_gpus_has_no_loop():
    *maps, _, _ = scene((64, 3000))
    square = lambda maps: sum(
        jnp.square(x).sum()
        for x in rigid_field.local(*maps[:3], camera((64, 3000)), radius=RADIUS, weights=maps[3])[
            :2
        ]
    )
    maps = tuple(np.float32(x) for x in maps)
    assert count_loops(lower_for_gpu(jax.value_and_grad(square), maps)) == 0


def test_wrong_arguments_are_named():
    *maps, _, _ = scene()
    flow, d, c, weights = (np.float32(x) for x in maps)
    local = rigid_field.local
    with pytest.raises(ValueError, match="radius: expected an integer of at least 1, got 0"):
        local(flow, d, c, camera(), radius=0)
    with pytest.raises(ValueError, match="weights"):
        local(flow, d, c, camera(), radius=2, weights=weights[1:])
    with pytest.raises(ValueError, match="inv_depth_change"):
        local(flow, d, c[..., None], camera(), radius=2)
    with pytest.raises(TypeError, match="weights: expected a floating-point array, got int"):
        local(flow, d, c, camera(), radius=2, weights=weights.astype(int))


def objects():
    """The maps of the rendered scene, its camera, and which body each pixel is of."""
    arrays = rendered("objects")
    valid = arrays["valid"]
    inv_depth = np.float32(valid / np.where(valid, arrays["depth0"], 1))
    moving = valid & (abs(arrays["scene_flow"]).max(-1) > 1e-6)
    bodies = np.where(valid, ndimage.label(moving)[0], -1)
    maps = arrays["flow_fw"], inv_depth, arrays["inv_depth_change_fw"]
    return maps, sf3d.Camera.from_matrix(np.float32(arrays["K0"]), valid.shape), bodies


@pytest.mark.thorough
@pytest.mark.parametrize("radius, missing", [(5, 0.0), (9, 0.0), (9, 0.05), (5, 0.2)])
def test_a_rendered_body_moves_as_one(radius, missing):
    """Also where depths are missing at random: no window goes on behind an edge in a hole."""
    maps, camera, bodies = objects()
    holes = np.random.default_rng(1).random(bodies.shape) < missing
    maps, there = (maps[0], np.where(holes, 0, maps[1]), maps[2]), (bodies >= 0) & ~holes
    fit = rigid_field.local(*maps, camera, radius=radius)
    field, residual, valid = as_numpy(fit)
    assert (valid != there).sum() <= (missing > 0)
    size = 2 * radius + 1
    whole = ndimage.maximum_filter(bodies, size) == ndimage.minimum_filter(bodies, size)
    assert (valid & whole & (bodies > 0)).sum() > 5000
    length = np.linalg.norm(residual, axis=-1)
    assert length[valid & whole].max() < 1e-6
    # Near contacts, few windows hold two bodies.
    interior = valid & rendered("objects")["interior0"]
    assert (length[interior & (bodies > 0)] > 1e-6).mean() < 2e-3
    assert (length[interior & (bodies == 0)] > 1e-6).sum() == 0
    seen = as_numpy(rigid_field.motion(field, maps[1], camera))
    assert abs(seen.flow - maps[0])[valid & whole].max() < 5e-5
    assert abs(seen.inv_depth_change - maps[2])[valid & whole].max() < 1e-7


@pytest.mark.thorough
def test_windows_go_on_behind_holes():
    """With 5 % of the depths missing, noise weighs little more than with all of them."""
    size, turn = (60, 80), [0.05, 0.1, -0.08]
    v, u = np.mgrid[: size[0], : size[1]]
    d = 0.3 + 0.002 * u + 0.0013 * v
    rays = np.dstack([(u - 40) / 150, (v - 30) / 150, np.ones(size)])
    end = rays / d[..., None] + _turn(rays / d[..., None], turn) + [0.05, -0.04, 0.1]
    rng = np.random.default_rng(0)
    flow = 150 * (end[..., :2] / end[..., 2:] - rays[..., :2]) + rng.normal(0, 2e-3, (*size, 2))
    lens = sf3d.Camera.pinhole(150.0, 150.0, 40.0, 30.0, size)
    holes = rng.random(size) < 0.05
    inner = (slice(10, -10),) * 2
    errors = []
    for depth in (d, np.where(holes, 0, d)):
        maps = (np.float32(x) for x in (flow, depth, 1 / end[..., 2] - d))
        field, _, valid = as_numpy(rigid_field.local(*maps, lens, radius=9))
        np.testing.assert_array_equal(valid, depth > 0)
        wrong = field[..., :3] - Rotation.from_quat([*np.array(turn) / 2, 1]).as_matrix()
        errors.append(np.sqrt(np.square(wrong[inner][valid[inner]]).mean()))
    assert errors[1] < 1.3 * errors[0]


@pytest.mark.thorough
def test_micrometres_keep_their_digits():
    """At 1 m, in float32, against float64 on the same maps; through [R | t] and back."""
    *maps, _, _ = scene(bend=2e-3)
    tiny = [np.float32(1e-4 * maps[0]), np.float32(maps[1]), np.float32(1e-4 * maps[2])]
    fit = rigid_field.local(*tiny, camera(dtype=jnp.float32), radius=RADIUS)
    seen = as_numpy(rigid_field.motion(fit.field, tiny[1], camera(dtype=jnp.float32)))
    with float64():
        exact = [jnp.asarray(x, jnp.float64) for x in tiny]
        wanted = rigid_field.local(*exact, camera(), radius=RADIUS)
        wanted = as_numpy(rigid_field.motion(wanted.field, exact[1], camera()))
    for x, y in zip(seen[:2], wanted[:2], strict=True):
        assert abs(x - y).max() < 1e-5 * np.median(abs(y))


@pytest.mark.thorough
def test_a_batch_is_a_loop_and_types_are_kept():
    *maps, _, _ = scene(bend=2e-3)
    maps = [np.stack([x, x[::-1], x[:, ::-1]]).astype(np.float32) for x in maps]
    alone = camera(dtype=jnp.float32)
    local = lambda f, d, c, w: rigid_field.local(f, d, c, alone, radius=RADIUS, weights=w)
    together = as_numpy(local(*maps))
    mapped = as_numpy(jax.vmap(local)(*maps))
    for i in range(3):
        for x, y, z in zip(together, mapped, local(*(x[i] for x in maps)), strict=True):
            np.testing.assert_allclose(x[i], z, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(y[i], z, rtol=1e-4, atol=1e-5)
    half = [jnp.asarray(x, jnp.bfloat16) for x in maps]
    assert {x.dtype for x in local(*half)} == {np.dtype(jnp.bfloat16), np.dtype(bool)}
    nothing = local(*(x[:0] for x in maps))
    assert nothing.field.shape == (0, *SIZE, 3, 4)


@pytest.mark.thorough
def test_a_batch_is_sharded():
    *maps, _, _ = scene(bend=2e-3)
    maps = [np.stack([x, x[::-1]]).astype(np.float32) for x in maps]
    alone = camera(dtype=jnp.float32)

    def both(*maps):
        local = lambda maps: (
            rigid_field.local(*maps[:3], alone, radius=RADIUS, weights=maps[3]).residual
        )
        return local(maps), jax.grad(lambda maps: jnp.square(local(maps)).sum())(maps)

    mesh, spec = Mesh(np.array(jax.devices()[:2]), ("batch",)), P("batch")
    sharded = jax.shard_map(both, mesh=mesh, in_specs=(spec,) * 4, out_specs=spec)
    for x, y in zip(
        jax.tree.leaves(jax.jit(sharded)(*maps)), jax.tree.leaves(both(*maps)), strict=True
    ):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)


@pytest.mark.thorough
def test_memory_is_bounded():
    size = (540, 960)
    of = lambda *more: jax.ShapeDtypeStruct((*size, *more), jnp.float32)
    for radius in (5, 31):
        local = functools.partial(rigid_field.local, radius=radius)
        compiled = jax.jit(local).lower(of(2), of(), of(), camera(size)).compile()
        assert compiled.memory_analysis().temp_size_in_bytes < 150 * 2**20


def test_a_window_of_a_point_has_no_motion_and_of_a_line_no_turn_about_it():
    flow, d, c, weights, points, moved = scene()
    weights = np.zeros(SIZE)
    weights[1, 2:] = 1.0
    weights[9, 2] = 1.0
    _, fit, _ = run((flow, d, c, weights), "cpu")
    assert not fit.valid[8:, :5].any()
    on_line = fit.valid[1, 3:-3]
    assert on_line.all()
    turn = fit.field[1, 3:-3, :, :3]
    axis = np.stack(
        [
            turn[:, 2, 1] - turn[:, 1, 2],
            turn[:, 0, 2] - turn[:, 2, 0],
            turn[:, 1, 0] - turn[:, 0, 1],
        ],
        -1,
    )
    middle = points[1] + moved[1] / 2
    along = middle[5:-1] - middle[1:-5]
    cosine = (axis * along).sum(-1) / np.linalg.norm(axis, axis=-1) / np.linalg.norm(along, axis=-1)
    assert abs(cosine).max() < 0.1
