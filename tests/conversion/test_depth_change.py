"""The third channels: against their definitions in float64, and exact near no motion."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.support import as_numpy, cast, float64, require_float16
from hypothesis import given, settings
from hypothesis import strategies as st

from sf3d_jax import depth_change

RNG = np.random.default_rng(0)
DEPTH = np.exp(RNG.uniform(np.log(0.3), np.log(100), 200))
NEXT = DEPTH * np.exp(RNG.normal(size=200) * np.exp(RNG.uniform(np.log(1e-7), np.log(0.3), 200)))
D0, C = 1 / DEPTH, 1 / NEXT - 1 / DEPTH

# name: (to, from, the channel(s) in float64)
CHANNELS = {
    "depths": (depth_change.to_depths, depth_change.from_depths, (DEPTH, NEXT)),
    "disparities": (
        lambda d, c: depth_change.to_disparities(d, c, 384.4),
        lambda a, b: depth_change.from_disparities(a, b, 384.4),
        (384.4 / DEPTH, 384.4 / NEXT),
    ),
    "scaled": (
        lambda d, c: depth_change.to_scaled(d, c, 0.2),
        lambda a, b: depth_change.from_scaled(a, b, 0.2),
        (0.2 * D0, 0.2 * C),
    ),
    "motion in depth": (
        depth_change.to_motion_in_depth,
        lambda x: depth_change.from_motion_in_depth(x, jnp.asarray(D0)),
        (NEXT / DEPTH,),
    ),
    "log motion in depth": (
        depth_change.to_log_motion_in_depth,
        lambda x: depth_change.from_log_motion_in_depth(x, jnp.asarray(D0)),
        (np.log(NEXT / DEPTH),),
    ),
    "time to contact": (
        lambda d, c: depth_change.to_time_to_contact(d, c, 0.1),
        lambda x: depth_change.from_time_to_contact(x, jnp.asarray(D0), 0.1),
        (0.1 * DEPTH / (DEPTH - NEXT),),
    ),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_matches_the_definition_in_float64_and_inverts(name):
    to, back, channels = CHANNELS[name]
    with float64():
        *values, valid = to(jnp.asarray(D0), jnp.asarray(C))
        *inverse, inverse_valid = back(*values)
    assert valid.all() and inverse_valid.all()
    for got, expected in zip(values, channels, strict=True):
        # The definition itself cancels: its float64 is good to 1e-16 / 1e-7.
        np.testing.assert_allclose(
            got, expected, rtol=1e-7 if "contact" in name else 1e-12, atol=1e-15
        )
    np.testing.assert_allclose(inverse[-1], C, rtol=1e-7 if name in LOSSY else 1e-12, atol=0)


# Channels that hold both times apart have lost a small change before we see them.
LOSSY = ("depths", "disparities", "motion in depth")


@pytest.mark.parametrize("name", ["scaled", "log motion in depth", "time to contact"])
def test_a_small_change_survives_float32(name):
    to, back, _ = CHANNELS[name]
    d0, c = jnp.float32(D0), jnp.float32(D0 * 1e-6 * np.sign(C))
    *values, _ = to(d0, c)
    np.testing.assert_allclose(back(*values)[-2], c, rtol=6e-7)


def test_two_depths_lose_nothing_but_their_own_rounding():
    z0 = np.float32(DEPTH)
    z1 = np.float32(DEPTH * (1 + 1e-5))
    _, change, _ = depth_change.from_depths(z0, z1)
    np.testing.assert_allclose(change, 1 / np.float64(z1) - 1 / np.float64(z0), rtol=6e-7)


@given(st.floats(-3, 3), st.floats(0.1, 10), st.floats(0.05, 0.5))
@settings(max_examples=30, deadline=None)
def test_all_channels_agree(log_tau, depth, interval):
    with float64():
        d0 = np.full(1, 1 / depth)
        c = depth_change.from_log_motion_in_depth(np.full(1, log_tau), d0).values
        tau = depth_change.to_motion_in_depth(d0, c).values
        np.testing.assert_allclose(tau, np.exp(log_tau), rtol=1e-10)
        again = depth_change.from_motion_in_depth(tau, d0).values
        np.testing.assert_allclose(again, c, rtol=1e-9, atol=1e-12)
        time, valid = depth_change.to_time_to_contact(d0, c, interval)
        if valid.all():
            again = depth_change.from_time_to_contact(time, d0, interval).values
            np.testing.assert_allclose(again, c, rtol=1e-9)


def test_what_keeps_its_depth_never_arrives():
    one = np.ones(3, np.float32)
    never = depth_change.from_time_to_contact(np.float32([np.inf, -np.inf, np.nan]), one, 0.1)
    assert never.valid.tolist() == [True, True, False] and not never.values.any()
    assert not depth_change.to_time_to_contact(one, 0 * one, 0.1).valid.any()
    within = depth_change.from_time_to_contact(np.float32([0.1, 0.05, 0]), one, 0.1)
    assert not within.valid.any() and not within.values.any()


@thorough.parametrize("window", [3, 5], default=[3])
def test_expansion_of_an_affine_flow_is_exact(window):
    growth = np.array([[0.1, -0.05], [0.03, 0.2]])
    pixels = np.stack(np.meshgrid(np.arange(12.0), np.arange(9.0)), -1)
    flow = pixels @ growth.T + [3, -2]
    with float64():
        got = depth_change.optical_expansion(flow, window=window)
        expansion, log_expansion, valid = as_numpy(got)
    inner = np.zeros((9, 12), bool)
    inner[window // 2 : -(window // 2), window // 2 : -(window // 2)] = True
    assert (valid == inner).all()
    expected = np.sqrt(np.linalg.det(np.eye(2) + growth))
    np.testing.assert_allclose(expansion[inner], expected, rtol=1e-12)
    np.testing.assert_allclose(log_expansion[inner], np.log(expected), rtol=1e-10)
    assert not expansion[~inner].any()


def test_expansion_is_the_least_squares_fit():
    flow = np.random.default_rng(1).normal(size=(5, 5, 2)) * 0.1
    offsets = np.stack(np.meshgrid(np.arange(-2, 3), np.arange(-2, 3)), -1).reshape(-1, 2)
    design = np.c_[np.ones(25), offsets]
    fit = np.linalg.lstsq(design, flow.reshape(-1, 2), rcond=None)[0][1:]
    with float64():
        expansion = depth_change.optical_expansion(flow, window=5).expansion[2, 2]
    np.testing.assert_allclose(expansion, np.sqrt(np.linalg.det(np.eye(2) + fit.T)), rtol=1e-12)


def test_expansion_of_an_approaching_plane_is_one_over_the_motion_in_depth():
    pixels = np.stack(np.meshgrid(np.arange(12.0), np.arange(9.0)), -1) - [5, 4]
    tau = 1 - 1e-5
    flow = np.float32(pixels * (1 / tau - 1))
    got = depth_change.optical_expansion(flow)
    np.testing.assert_allclose(got.log_expansion[4, 5], -np.log(tau), rtol=1e-5)


def test_expansion_leaves_out_what_is_not_valid():
    flow = np.zeros((9, 9, 2), np.float32)
    valid = np.ones((9, 9), bool)
    flow[4, 4] = np.nan
    valid[1, 1] = False
    got = as_numpy(depth_change.optical_expansion(flow, valid))
    assert not got.valid[3:6, 3:6].any() and not got.valid[:3, :3].any()
    assert got.valid[1:-1, 1:-1].sum() == 49 - 9 - 4
    loss = lambda f: jnp.square(depth_change.optical_expansion(f, valid).log_expansion).sum()
    chex.assert_tree_all_finite(jax.jit(jax.grad(loss))(flow))


@thorough.parametrize("dtype", [jnp.bfloat16, jnp.float16], default=[jnp.bfloat16])
def test_half_precision_comes_back_rounded_once(dtype):
    if dtype == jnp.float16:
        require_float16()
    d0, c = cast((np.linspace(0.1, 1, 50), np.linspace(-0.05, 0.3, 50)), dtype)
    wide = cast((d0, c), jnp.float32)
    for to, _, _ in CHANNELS.values():
        for got, exact in zip(to(d0, c)[:-1], to(*wide)[:-1], strict=True):
            assert got.dtype == dtype
            ulp = np.abs(exact) * float(jnp.finfo(dtype).eps) + float(jnp.finfo(dtype).tiny)
            assert (np.abs(got.astype(jnp.float32) - exact) <= ulp).all()


def test_wrong_arguments_are_named():
    ones = np.ones((4, 5))
    with pytest.raises(ValueError, match="next_depth"):
        depth_change.from_depths(ones, np.ones((3, 5)))
    with pytest.raises(TypeError, match="disparity: expected a floating-point array"):
        depth_change.from_disparities(ones.astype(int), ones, 1.0)
    with pytest.raises(ValueError, match="window"):
        depth_change.optical_expansion(np.ones((4, 5, 2)), window=4)
    with pytest.raises(ValueError, match="flow: expected shape"):
        depth_change.optical_expansion(np.ones((5, 2)))
    flow = np.ones((2, 4, 5, 2))
    with pytest.raises(TypeError, match="valid: expected an array of bool, got float"):
        depth_change.optical_expansion(flow, np.ones((2, 4, 5)))
    with pytest.raises(ValueError, match=r"do not broadcast: flow \(2,\), valid \(3,\)"):
        depth_change.optical_expansion(flow, np.ones((3, 4, 5), bool))


def test_a_number_without_a_point_is_a_number():
    d0, c = np.full((2, 3), 0.5, np.float32), np.full((2, 3), 0.1, np.float32)
    got, expected = (depth_change.to_time_to_contact(d0, c, dt) for dt in (2, 2.0))
    np.testing.assert_array_equal(got.values, expected.values)
