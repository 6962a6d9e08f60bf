"""The dense Gauss-Newton step on a field of rigid motions."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import dense_step
from helpers.platforms import count_loops, gpu_forms, lower_for_gpu
from helpers.support import LENSES, float64
from helpers.thorough import parametrize

from sf3d_jax import Camera
from sf3d_jax.rigid import rigid_field
from sf3d_jax.rigid.rigid_field import _pairs
from sf3d_jax.rigid.rigid_field._dense_step import Middle, Seen, make_equations

SIZE = (7, 9)
RADIUS = 2
MATRIX = np.array([[10.0, 0, 4.2], [0, 11, 3.1], [0, 0, 1]])
CAMERA = Camera.from_matrix(MATRIX, SIZE)
BAD = (3, 4)


def make_maps(seed=0, channels=3):
    """A field, and flow, 1/z, its change, confidence and affinity; each rule skips a pair."""
    rng = np.random.default_rng(seed)
    field = dense_step.random_field(rng, SIZE, 0.05)
    flow = rng.normal(size=(*SIZE, 2))
    flow[1, 1] = 200  # a residual above 128 pixels
    inv_depth = rng.uniform(0.3, 1, SIZE)
    inv_depth[5, 5] = 12.0  # nearer than 0.1 m
    change = rng.uniform(-0.1, 0.1, SIZE)
    confidence = rng.uniform(0.1, 1, (*SIZE, 3))
    confidence[2, 3] = 0
    return field, flow, inv_depth, change, confidence, 0.5 * rng.normal(size=(*SIZE, channels))


def refine(field, flow, inv_depth, change, confidence, affinity, camera=CAMERA, **options):
    options = {"radius": RADIUS, **options}
    return rigid_field.refine(
        field, flow, inv_depth, change, camera, confidence=confidence, affinity=affinity, **options
    )


@parametrize("jacobian", ["exact", "raft3d"], default=["exact", "raft3d"])
def test_the_step_is_raft3ds(jacobian):
    maps = make_maps()
    expected = dense_step.step(maps[0], maps[1:], MATRIX, RADIUS, jacobian)
    assert np.abs(expected - maps[0]).max() > 0.1
    with float64():
        refined, valid = refine(*maps, jacobian=jacobian)
    assert np.asarray(valid).all()
    assert np.abs(np.asarray(refined) - expected).max() < 1e-13


def test_the_two_jacobians_differ():
    maps = make_maps()
    exact, old = (
        dense_step.step(maps[0], maps[1:], MATRIX, RADIUS, name) for name in ("exact", "raft3d")
    )
    assert np.abs(exact - old).max() > 1e-3


def loss(maps, camera, weights):
    return (weights * refine(*maps, camera).field).sum()


@pytest.mark.thorough
def test_derivatives_are_those_of_finite_differences_in_both_directions():
    """By all arguments: the field along twists, and the focal lengths."""
    maps, rng = make_maps(), np.random.default_rng(1)
    weights, twists = rng.normal(size=maps[0].shape), rng.normal(size=(*SIZE, 6))
    directions = [rng.normal(size=x.shape) for x in maps[1:]]
    directions[3] *= maps[4] > 0
    zoom = np.array([0.3, -0.2])

    def move(t):
        field = dense_step.push(maps[0], t * twists)
        camera = dataclasses.replace(CAMERA, focal=CAMERA.focal + t * zoom)
        return (field, *(x + t * dx for x, dx in zip(maps[1:], directions, strict=True))), camera

    with float64():
        run, step = jax.jit(loss), 1e-5
        numeric = float(run(*move(step), weights) - run(*move(-step), weights)) / (2 * step)
        ahead, behind = move(step), move(-step)
        tangent = jax.tree.map(lambda a, b: (a - b) / (2 * step), ahead, behind)
        forward = float(jax.jvp(lambda x: loss(*x, weights), (move(0.0),), (tangent,))[1])
        gradient = jax.jit(jax.grad(lambda x: loss(*x, weights)))(move(0.0))
        products = jax.tree.map(lambda g, x: np.vdot(g, x), gradient, tangent)
        reverse = float(sum(jax.tree.leaves(products)))
    assert abs(forward - numeric) < 1e-6 * abs(numeric)
    assert abs(forward - reverse) < 1e-12 * abs(reverse)


@pytest.mark.thorough
@pytest.mark.parametrize("at_once", [1, 2**20])
def test_the_form_for_gpus_is_the_same_sum(at_once, monkeypatch):
    monkeypatch.setattr(_pairs, "_PAIRS_AT_ONCE", at_once * 7 * 9 * 5 * 2)
    maps = make_maps()
    weights = np.random.default_rng(1).normal(size=maps[0].shape)
    both = jax.value_and_grad(lambda maps: loss(maps, CAMERA, weights))
    with float64():
        expected = jax.jit(both)(maps)
        with gpu_forms():
            found = jax.jit(lambda maps: both(maps))(maps)
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-13)


@pytest.mark.thorough
def test_derivatives_are_those_of_a_plain_sum():
    """JAX differentiates a sum that keeps all shifted maps; `sum_pairs` has rules of its own."""
    function = make_equations("exact")
    rng = np.random.default_rng(5)
    draw = lambda *n: 0.3 * rng.normal(size=(1, *n, *SIZE))
    triple = lambda: (draw(), draw(), draw())
    middle = Middle((triple(), triple(), triple()), triple(), (draw() + 9, draw() + 9), draw(3))
    seen = Seen((draw(), draw()), draw() + 2, triple(), triple(), draw(3))
    weights = rng.normal(size=(26, 1, *SIZE))

    def sum_plainly(own, other):
        margin = lambda x: jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)])
        corners = [(i, j) for i in range(3) for j in range(3)]
        cut = lambda x, i, j: margin(x)[..., i : i + SIZE[0], j : j + SIZE[1]]
        shifts = [jax.tree.map(lambda x, c=c: cut(x[0], *c), other) for c in corners]
        stacked = jax.tree.map(lambda *x: jnp.stack(x), *shifts)
        own = jax.tree.map(lambda x: x[0], own)
        values = jax.vmap(lambda other: function(own, other, lambda x: x))(stacked)
        return [x.sum(0)[None] for x in values]

    total = lambda sums: sum(jnp.vdot(w, x) for w, x in zip(weights, sums, strict=True))
    rules = lambda *maps: total(_pairs.sum_pairs(function, *maps, 1))
    with float64():
        found = jax.jit(jax.grad(rules, (0, 1)))(middle, seen)
        expected = jax.jit(jax.grad(lambda *x: total(sum_plainly(*x)), (0, 1)))(middle, seen)
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


def test_a_gpu_takes_the_shifts_of_several_rows_at_once():
    """One loop of few steps for the window at radius 16, and none where it is small."""
    shapes = lambda size: jax.tree.map(
        lambda n: jax.ShapeDtypeStruct((*size, *n), jnp.float32),
        [(3, 4), (2,), (), (), (3,), (8,)],
        is_leaf=lambda n: isinstance(n, tuple),
    )
    camera = lambda size: Camera.pinhole(50.0, 50.0, 20.0, 10.0, size)
    loops = lambda size, radius: count_loops(
        lower_for_gpu(lambda *x: refine(*x, camera(size), radius=radius), *shapes(size))
    )
    assert loops(SIZE, RADIUS) == 0
    assert loops((68, 120), 16) == 1


def test_a_bad_pixel_is_absent_and_keeps_its_transform():
    maps = make_maps()
    inv_depth = maps[2].copy()
    inv_depth[BAD] = np.nan
    without = maps[4].copy()
    without[BAD] = 0  # weighs nothing as a part of a window
    with float64():
        expected, _ = refine(*maps[:4], without, maps[5])
        refined, valid = refine(*maps[:2], inv_depth, *maps[3:])
    assert not valid[BAD]
    assert np.asarray(valid).sum() == valid.size - 1
    np.testing.assert_allclose(refined[BAD], maps[0][BAD], atol=1e-15)
    np.testing.assert_array_equal(refined[valid], expected[valid])


def test_invalid_pixels_start_the_next_iteration_from_their_transform():
    """They pass no gradient; where the transform itself is bad, it is 0 and stays invalid."""
    maps = make_maps()
    field, inv_depth = maps[0].copy(), maps[2].copy()
    inv_depth[BAD], field[0, 0] = -1.0, np.nan
    rest = maps[3:]
    with float64():
        square = lambda maps: (lambda out: (jnp.square(out.field).sum(), out))(refine(*maps))
        run = jax.jit(jax.value_and_grad(square, has_aux=True))
        given = (field, maps[1], inv_depth, *rest)
        (_, once), gradient = run(given)
        inv_depth[BAD] = maps[2][BAD]
        (_, twice), _ = run((np.asarray(once.field), maps[1], inv_depth, *rest))
    np.testing.assert_array_equal(once.field[BAD], field[BAD])
    assert not np.asarray(once.field)[0, 0].any()
    for x in gradient:
        assert np.isfinite(x).all() and not x[BAD].any() and not x[0, 0].any()
    assert twice.valid[BAD] and np.abs(np.asarray(twice.field)[BAD] - field[BAD]).max() > 1e-3
    assert not twice.valid[0, 0] and not np.asarray(twice.field)[0, 0].any()


def test_an_image_does_not_depend_on_the_others_of_the_batch():
    maps, other = make_maps(), make_maps(1)
    both = [np.stack([a, b]) for a, b in zip(maps, other, strict=True)]
    with float64():
        alone, together = refine(*maps), refine(*both)
        broadcast = refine(maps[0], both[1], *maps[2:])
        mapped = jax.vmap(lambda flow: refine(maps[0], flow, *maps[2:]))(both[1])
    np.testing.assert_array_equal(together.field[0], alone.field)
    np.testing.assert_array_equal(broadcast.field[0], alone.field)
    np.testing.assert_allclose(mapped.field, broadcast.field, atol=1e-15)


@pytest.mark.thorough
def test_gradients_of_a_batch_are_those_of_its_images():
    maps, flows = make_maps(), np.stack([make_maps()[1], make_maps(1)[1]])
    square = lambda flow: jnp.square(refine(maps[0], flow, *maps[2:]).field).sum()
    with float64():
        together = jax.jit(jax.grad(lambda flows: jax.vmap(square)(flows).sum()))(flows)
        apart = jax.jit(jax.vmap(jax.grad(square)))(flows)
        single = jax.jit(jax.grad(square))(flows[0])
    np.testing.assert_allclose(together, apart, atol=1e-14)
    np.testing.assert_allclose(apart[0], single, atol=1e-14)


@pytest.mark.thorough
def test_shards_of_a_batch_are_refined_alone():
    maps = make_maps()
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("data",))
    spec = jax.sharding.PartitionSpec("data")
    square = lambda flow: jnp.square(refine(maps[0], flow, *maps[2:]).field).sum((1, 2, 3, 4))
    both = lambda flow: jax.vjp(square, flow)
    run = lambda flow: (lambda y, pull: (y, pull(jnp.ones_like(y))[0]))(*both(flow))
    sharded = jax.jit(jax.shard_map(run, mesh=mesh, in_specs=spec, out_specs=(spec, spec)))
    with float64():
        flow = np.stack([maps[1], -maps[1]])
        for x, y in zip(sharded(flow), jax.jit(run)(flow), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-13)


@pytest.mark.thorough
def test_bfloat16_is_computed_in_float32():
    maps = [jnp.asarray(x, jnp.bfloat16) for x in make_maps()]
    narrow = refine(*maps).field
    wide = refine(*(x.astype(jnp.float32) for x in maps)).field
    assert narrow.dtype == jnp.bfloat16
    np.testing.assert_array_equal(narrow, wide.astype(jnp.bfloat16))


@pytest.mark.thorough
@pytest.mark.parametrize("lens", ["opencv", "fisheye"])
def test_with_a_lens_the_residuals_are_those_of_undistorted_pixels(lens):
    """Where flow and depth are those of one motion, the field of that motion stays."""
    distortion, model = LENSES[lens]
    camera = Camera.from_matrix(MATRIX, SIZE, distortion=distortion, model=model)
    maps = make_maps()
    transform = dense_step.random_field(np.random.default_rng(2), (1, 1), 0.1)[0, 0]
    field = np.broadcast_to(transform, (*SIZE, 3, 4))
    with float64():
        inv_depth = np.random.default_rng(3).uniform(0.3, 1, SIZE)
        flow, change, _ = rigid_field.motion(field, inv_depth, camera)
        true = refine(field, flow, inv_depth, change, *maps[4:], camera)
        start = np.broadcast_to(np.eye(3, 4), field.shape)
        moved = refine(start, flow, inv_depth, change, *maps[4:], camera)
    assert np.asarray(true.valid).all()
    assert np.abs(np.asarray(true.field) - field).max() < 1e-12
    assert np.abs(np.asarray(moved.field) - start).max() > 1e-3


@pytest.mark.thorough
def test_steps_from_rest_find_two_bodies():
    """Two halves that move alone, told apart by their embeddings."""
    rng = np.random.default_rng(4)
    bodies = dense_step.random_field(rng, (1, 2), 0.05)[0]
    right = np.arange(SIZE[1]) > 4
    field = np.broadcast_to(np.where(right[:, None, None], bodies[1], bodies[0]), (*SIZE, 3, 4))
    affinity = np.broadcast_to(np.where(right, 6.0, 0.0)[:, None], (*SIZE, 1))
    camera = dataclasses.replace(CAMERA, focal=20 * CAMERA.focal)
    with float64():
        inv_depth = rng.uniform(0.3, 1, SIZE)
        flow, change, _ = rigid_field.motion(field, inv_depth, camera)
        found = np.broadcast_to(np.eye(3, 4), field.shape)
        confidence = np.full((*SIZE, 3), 1e4)
        for _ in range(12):
            found = refine(found, flow, inv_depth, change, confidence, affinity, camera).field
    assert np.abs(np.asarray(found) - field).max() < 1e-4


def test_second_derivatives_are_refused():
    maps = make_maps()
    twice = jax.grad(lambda k: jax.grad(lambda k: loss((*maps[:5], k * maps[5]), CAMERA, 1.0))(k))
    with pytest.raises(NotImplementedError, match="second derivatives"):
        jax.eval_shape(twice, 1.0)


def test_what_does_not_fit_is_named():
    maps = make_maps()
    with pytest.raises(ValueError, match="radius: expected a number of pixels"):
        refine(*maps, radius=-1)
    with pytest.raises(ValueError, match="jacobian: expected 'exact' or 'raft3d', got 'right'"):
        refine(*maps, jacobian="right")
    with pytest.raises(ValueError, match="field: expected shape"):
        refine(maps[0][..., :3], *maps[1:])
    with pytest.raises(ValueError, match="confidence: expected shape"):
        refine(*maps[:4], maps[4][..., :2], maps[5])
    with pytest.raises(ValueError, match=r"affinity: expected shape \(..., H, W, C\)"):
        refine(*maps[:5], maps[5][..., 0])
    with pytest.raises(TypeError, match="camera: expected a Camera"):
        refine(*maps, camera=MATRIX)
