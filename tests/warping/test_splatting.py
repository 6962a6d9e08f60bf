"""Splatting: against a loop in NumPy, as the transpose of the warp, and on exact scenes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.platforms import gpu_forms
from helpers.support import as_numpy, cast, float64, scene
from hypothesis import given, settings
from hypothesis import strategies as st

import sf3d_jax as sf3d

SIZE = (6, 8)
MODES = ["sum", "average", "linear", "softmax"]


def inputs(size=SIZE, seed=0, scale=2.0):
    """(values, flow, importance, valid); the first row moves by whole pixels."""
    rng = np.random.default_rng(seed)
    flow = scale * rng.normal(size=(*size, 2))
    flow[0] = np.round(flow[0])
    importance = np.abs(rng.normal(size=size))
    return rng.normal(size=(*size, 3)), flow, importance, rng.random(size) > 0.2


def options(mode, importance):
    return {"importance": importance} if mode in ("linear", "softmax") else {}


def by_loop(values, flow, mode, importance, valid):
    """The definition, pixel by pixel: what lands on each target, then its sum or mean."""
    height, width = values.shape[:2]
    landed = {}
    for i, j in zip(*np.nonzero(valid), strict=True):
        u, v = j + flow[i, j, 0], i + flow[i, j, 1]
        for a in (int(np.floor(v)), int(np.floor(v)) + 1):
            for b in (int(np.floor(u)), int(np.floor(u)) + 1):
                w = (1 - abs(u - b)) * (1 - abs(v - a))
                if 0 <= a < height and 0 <= b < width and w > 0:
                    landed.setdefault((a, b), []).append((w, importance[i, j], values[i, j]))
    result, weight = np.zeros(values.shape), np.zeros((height, width))
    for place, entries in landed.items():
        w, m, v = (np.array(x) for x in zip(*entries, strict=True))
        factors = {"linear": m, "softmax": np.exp(m - m.max())}.get(mode, np.ones_like(m)) * w
        weight[place] = w.sum()
        result[place] = factors @ v / (1 if mode == "sum" else factors.sum())
    return result, weight


@thorough.parametrize("size", [SIZE, (1, 5)], default=[SIZE])
@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("mode", MODES)
def test_matches_the_loop(mode, scale, size, each_platform):
    values, flow, importance, valid = inputs(size)
    importance = scale * importance
    with float64():
        got = as_numpy(
            sf3d.forward_splat(values, flow, mode=mode, valid=valid, **options(mode, importance))
        )
    expected, weight = by_loop(values, flow, mode, importance, valid)
    np.testing.assert_allclose(got.values, expected, atol=1e-12)
    np.testing.assert_allclose(got.weight, weight, atol=1e-12)


@pytest.mark.parametrize("shift", [-1e4, 1e4])
def test_importance_of_any_size_neither_overflows_nor_vanishes(shift, each_platform):
    values, flow, importance, _ = inputs()
    values, flow, importance = cast((values, flow, importance), jnp.float32)
    shifted = jnp.round(importance * 64) / 64
    plain = sf3d.forward_splat(values, flow, importance=shifted)
    far = sf3d.forward_splat(values, flow, importance=shifted + shift)
    np.testing.assert_allclose(far.values, plain.values, atol=1e-3)
    low = importance.at[:, :4].add(-200.0)
    for extreme in (low, low + shift):
        got = sf3d.forward_splat(values, flow, importance=extreme)
        alone = (got.weight > 0) & ~(np.abs(got.values).max(-1) > 0)
        assert np.isfinite(got.values).all() and not alone.any()


@pytest.mark.parametrize("unit", [1e-36, 1e-30, 1e6])
def test_the_unit_of_a_linear_importance_does_not_count(unit, each_platform):
    values, flow, importance, _ = cast(inputs(), jnp.float32)
    importance = jnp.abs(importance) + 0.1

    @jax.jit
    def run(importance):
        loss = lambda *x: jnp.square(
            sf3d.forward_splat(x[0], flow, mode="linear", importance=x[1]).values
        ).sum()
        return jax.value_and_grad(loss, (0, 1))(values, importance)

    total, (of_values, of_importance) = as_numpy(run(importance))
    got, (got_values, got_importance) = as_numpy(run(importance * np.float32(unit)))
    np.testing.assert_allclose(got, total, rtol=1e-6)
    np.testing.assert_allclose(got_values, of_values, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got_importance * np.float64(unit), of_importance, atol=1e-5)


def test_linear_importances_of_any_ratio_do_not_spoil_their_neighbours(each_platform):
    values, flow = jnp.arange(1.0, 9).reshape(2, 4, 1), jnp.zeros((2, 4, 2))
    importance = jnp.ones((2, 4)).at[0, 1].set(1e4)
    for row, column in ((0, 0), (0, 2), (1, 1)):
        importance = importance.at[row, column].set(1e-36)
    run = lambda *x: sf3d.forward_splat(*x[:2], mode="linear", importance=x[2])
    np.testing.assert_array_equal(run(values, flow, importance).values, values)
    loss = lambda *x: run(*x).values.sum()
    of_values, of_flow, of_importance = jax.grad(loss, (0, 1, 2))(values, flow, importance)
    np.testing.assert_array_equal(of_values, jnp.ones_like(values))
    assert np.isfinite(of_flow).all() and np.isfinite(of_importance).all()


def test_a_target_with_hardly_any_weight_has_a_finite_gradient(each_platform):
    values, flow = jnp.ones((1, 2, 1)), jnp.zeros((1, 2, 2)).at[0, 0, 0].set(1e-25)
    valid = jnp.array([[True, False]])
    loss = lambda *x: jnp.square(sf3d.forward_splat(*x, valid=valid).values).sum()
    of_values, of_flow = jax.grad(loss, (0, 1))(values, flow)
    np.testing.assert_allclose(of_values, [[[4], [0]]], rtol=1e-6)  # both targets have its value
    assert np.isfinite(of_flow).all()


@thorough.parametrize("mode", MODES, default=["average", "softmax"])
def test_gradients_are_those_of_finite_differences(mode, each_platform):
    values, flow, importance, valid = inputs()
    flow[0] += 0.3
    rng = np.random.default_rng(1)
    weights = rng.normal(size=values.shape)

    def loss(values, flow, importance):
        got = sf3d.forward_splat(values, flow, mode=mode, valid=valid, **options(mode, importance))
        return (got.values * weights).sum() + jnp.square(got.weight).sum()

    with float64():
        primals = tuple(jnp.asarray(x) for x in (values, flow, importance))
        tangents = tuple(jnp.asarray(rng.normal(size=x.shape)) for x in primals)
        run = jax.jit(lambda *x: (*jax.jvp(loss, x, tangents), jax.grad(loss, (0, 1, 2))(*x)))
        move = lambda t: run(*(x + t * d for x, d in zip(primals, tangents, strict=True)))[0]
        expected = float((move(1e-7) - move(-1e-7)) / 2e-7)
        _, forward, gradient = run(*primals)
        forward = float(forward)
        reverse = float(sum((g * d).sum() for g, d in zip(gradient, tangents, strict=True)))
    assert forward == pytest.approx(expected, rel=1e-6)
    assert reverse == pytest.approx(forward, rel=1e-10)


@thorough.parametrize("mode", ["average", "softmax"], default=["softmax"])
def test_a_flow_of_zeros_learns(mode):
    values, _, importance, _ = inputs()
    loss = lambda flow: jnp.square(
        sf3d.forward_splat(values, flow, mode=mode, **options(mode, importance)).values - 1
    ).sum()
    gradient = jax.jit(jax.grad(loss))(jnp.zeros((*SIZE, 2)))
    assert np.isfinite(gradient).all() and (np.abs(gradient) > 1e-6).mean() > 0.8


@given(seed=st.integers(0, 1000), scale=st.sampled_from([0.0, 0.3, 2.0, 20.0]))
@settings(max_examples=25, deadline=None)
def test_the_sum_splat_is_the_transpose_of_the_warp(seed, scale):
    a, flow, _, _ = inputs(seed=seed, scale=scale)
    b = np.random.default_rng(seed + 1).normal(size=a.shape)
    with float64():
        warped = as_numpy(sf3d.backward_warp(a, flow)).values
        splat = as_numpy(sf3d.forward_splat(b, flow, mode="sum")).values
    assert (warped * b).sum() == pytest.approx((a * splat).sum(), abs=1e-11)


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_inside_the_frame_mass_is_conserved(seed):
    values, flow, _, _ = inputs(seed=seed)
    pixels = np.stack(np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0])), -1)
    flow = np.clip(pixels + flow, 0, [SIZE[1] - 1, SIZE[0] - 1]) - pixels
    with float64():
        got = as_numpy(sf3d.forward_splat(values, flow, mode="sum"))
    np.testing.assert_allclose(got.values.sum((0, 1)), values.sum((0, 1)), atol=1e-12)
    assert got.weight.sum() == pytest.approx(SIZE[0] * SIZE[1])


@thorough.parametrize("mode", MODES, default=["softmax"])
def test_a_batch_is_a_loop(mode, each_platform):
    values, flow, importance, valid = (
        np.stack(x) for x in zip(inputs(), inputs(seed=5), strict=True)
    )
    values, flow, importance = (np.float32(x) for x in (values, flow, importance))
    together = sf3d.forward_splat(values, flow, mode=mode, valid=valid, **options(mode, importance))
    for i in range(2):
        alone = sf3d.forward_splat(
            values[i], flow[i], mode=mode, valid=valid[i], **options(mode, importance[i])
        )
        np.testing.assert_allclose(together.values[i], alone.values, atol=1e-6)
        np.testing.assert_allclose(together.weight[i], alone.weight, atol=1e-6)


@thorough.parametrize("mode", MODES, default=["softmax"])
def test_half_precision_comes_back_rounded_once(mode, each_platform):
    values, flow, importance, _ = cast(inputs(), jnp.bfloat16)
    wide = cast((values, flow, importance), jnp.float32)
    got = sf3d.forward_splat(values, flow, mode=mode, **options(mode, importance))
    exact = sf3d.forward_splat(*wide[:2], mode=mode, **options(mode, wide[2]))
    for x, expected in zip(got, exact, strict=True):
        assert x.dtype == jnp.bfloat16
        np.testing.assert_array_equal(np.float32(x), np.float32(expected.astype(jnp.bfloat16)))


def test_the_plainest_call_is_an_average_and_with_an_importance_softmax():
    values, flow, importance, _ = inputs()
    average = sf3d.forward_splat(values, flow, mode="average")
    for got, expected in zip(sf3d.forward_splat(values, flow), average, strict=True):
        np.testing.assert_array_equal(got, expected)
    softmax = sf3d.forward_splat(values, flow, mode="softmax", importance=importance)
    got = sf3d.forward_splat(values, flow, importance=importance)
    np.testing.assert_array_equal(got.values, softmax.values)
    assert not np.array_equal(softmax.values, average.values)


@thorough.parametrize("mode", MODES, default=["softmax"])
def test_a_deterministic_splat_does_not_depend_on_the_order(mode):
    """Mirrored, the pixels are added in the other order, and each has the same weights."""
    values, flow, importance, valid = inputs((12, 16), scale=4.0)
    flow = np.round(flow * 64) / 64
    expected, weight = by_loop(values, flow, mode, importance, valid)
    values, flow, importance = (np.float32(x) for x in (values, flow, importance))

    def run(*maps, deterministic):
        values, flow, importance, valid = maps
        given = dict(valid=valid, deterministic=deterministic, **options(mode, importance))
        return as_numpy(sf3d.forward_splat(values, flow, mode=mode, **given))

    maps = values, flow, importance, valid
    mirrored = [x[:, ::-1] for x in (values, flow * np.float32([-1, 1]), importance, valid)]
    with gpu_forms():
        for deterministic in (False, True):
            got = run(*maps, deterministic=deterministic)
            other = run(*mirrored, deterministic=deterministic)
            assert np.array_equal(got.values, other.values[:, ::-1]) == deterministic
            np.testing.assert_allclose(got.values, expected, atol=2e-5)
            np.testing.assert_allclose(got.weight, weight, atol=1e-5)


def test_wrong_arguments_are_named():
    values, flow, importance, _ = inputs()
    with pytest.raises(
        ValueError, match="mode: expected 'sum', 'average', 'linear' or 'softmax', got"
    ):
        sf3d.forward_splat(values, flow, mode="mean")
    for mode in ("softmax", "linear"):
        with pytest.raises(ValueError, match=f"importance: needed by mode '{mode}'"):
            sf3d.forward_splat(values, flow, mode=mode)
    for mode in ("sum", "average"):
        with pytest.raises(ValueError, match=f"importance: not used by mode '{mode}'"):
            sf3d.forward_splat(values, flow, mode=mode, importance=importance)
    with pytest.raises(ValueError, match="flow: expected shape"):
        sf3d.forward_splat(values, flow[1:], mode="sum")
    with pytest.raises(TypeError, match="valid: expected an array of bool"):
        sf3d.forward_splat(values, flow, mode="sum", valid=importance)
    with pytest.raises(ValueError, match="inv_depth_change: expected shape"):
        sf3d.warp_inverse_depth(importance, importance[1:], flow)


def test_the_nearer_surface_wins_and_holes_are_not_valid(each_platform):
    inv_depth = np.full((8, 12), 0.2, np.float32)
    inv_depth[2:6, 2:5] = 0.5
    flow = np.zeros((8, 12, 2), np.float32)
    flow[2:6, 2:5, 0] = 3.2
    got, valid = sf3d.warp_inverse_depth(inv_depth, 0 * inv_depth, flow)
    expected = np.full((8, 12), 0.2)
    # At 5.2, 6.2 and 7.2: the pixel 8 has a weight of only a fifth.
    expected[2:6, 5:8] = 0.5
    hole = np.zeros((8, 12), bool)
    hole[2:6, 2:5] = True
    np.testing.assert_array_equal(valid, ~hole)
    np.testing.assert_allclose(got[~hole], expected[~hole], rtol=1e-6)
    assert not got[hole].any()


def test_the_gradient_goes_to_the_winners(each_platform):
    inv_depth = np.full((4, 6), 0.2, np.float32)
    inv_depth[:, 1] = 0.5
    flow = np.zeros((4, 6, 2), np.float32)
    flow[:, 1, 0] = 2
    total = lambda d, c: sf3d.warp_inverse_depth(d, c, flow).inv_depth.sum()
    for gradient in jax.grad(total, (0, 1))(inv_depth, 0 * inv_depth):
        expected = np.ones((4, 6))
        expected[:, 3] = 0
        np.testing.assert_allclose(gradient, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["objects", "head"])
def test_a_rendered_scene_shows_its_next_depth(name):
    data, (flow, inv_depth, change), _, _ = scene(name)
    got, valid = (np.array(x) for x in sf3d.warp_inverse_depth(inv_depth, change, flow))
    both = valid & (data["depth1"] > 0) & ~data["occlusion_bw"]
    assert both.mean() > 0.6
    true = 1 / data["depth1"][both].astype(np.float64)
    error = got[both] / true - 1
    assert np.median(np.abs(error)) <= 1e-3
    # Almost no pixel shows what lies clearly behind the true surface.
    assert (error < -0.03).mean() < 2.5e-3
