"""The numerical pieces: double-float numbers, steps, masks and channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.support import LENSES, cast, float64, require_float16
from hypothesis import given, settings
from hypothesis import strategies as st

from sf3d_jax._numerics import (
    channels_last,
    compute_once,
    narrow,
    reciprocal,
    where_valid,
    widen,
)
from sf3d_jax._numerics.differences import Step
from sf3d_jax._numerics.double import Double
from sf3d_jax.camera import _lens
from sf3d_jax.camera._angle import angle_ratio

# The digits of what users run.
pytestmark = pytest.mark.optimized

NUMBERS = st.floats(2.0**-20, 2.0**20, width=32) | st.floats(-(2.0**20), -(2.0**-20), width=32)
OPERATIONS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


OF_DOUBLES = {
    name: jax.jit(lambda a, b, operation=operation: operation(Double.of(a), b))
    for name, operation in OPERATIONS.items()
}


@pytest.mark.parametrize("name", OPERATIONS)
@given(a=st.lists(NUMBERS, min_size=8, max_size=8), b=st.lists(NUMBERS, min_size=8, max_size=8))
@settings(max_examples=30, deadline=None)
def test_double_floats_carry_twice_the_digits(name, a, b):
    a, b = np.float32(a), np.float32(b)
    got = OF_DOUBLES[name](a, b)
    exact = OPERATIONS[name](np.float64(a), np.float64(b))
    np.testing.assert_allclose(np.float64(got.hi) + np.float64(got.lo), exact, rtol=2e-13)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("constant", ["first", "second"])
def test_double_floats_of_constants_keep_their_digits(name, constant):
    """A compiler may reorder sums with constants, such as a camera that a loss closes over."""
    operation = OPERATIONS[name]
    x = np.float32(np.random.default_rng(0).uniform(0.01, 100, 500))
    ordered = lambda c, x: (c, x) if constant == "first" else (x, c)
    c = np.float32(1 / 3)
    got = jax.jit(lambda x: operation(*map(Double.of, ordered(jnp.asarray(c), x))))(x)
    exact = operation(*map(np.float64, ordered(c, x)))
    error = np.abs(np.float64(got.hi) + np.float64(got.lo) - exact)
    assert (error <= 2e-13 * (np.abs(exact) + (1 if name in "+-" else 0))).all()


@pytest.mark.parametrize("name", OPERATIONS)
def test_double_floats_have_the_derivative_of_floats(name):
    operation = OPERATIONS[name]
    a, b = jnp.float32([2.5, -3.0]), jnp.float32([0.7, 1.9])
    double = lambda a, b: operation(Double.of(a), Double.of(b)).rounded.sum()
    plain = lambda a, b: operation(a, b).sum()
    got, expected = (jax.grad(f, argnums=(0, 1))(a, b) for f in (double, plain))
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("lens", ["opencv", "rational", "fisheye"])
@pytest.mark.parametrize("size", [1e-9, 1e-4, 0.3])
def test_a_step_through_a_lens_is_the_exact_difference(lens, size):
    """In float32, against the plain difference in float64, down to steps of a nanometre."""
    coefficients, model = LENSES[lens]
    rng = np.random.default_rng(0)
    x, y = (np.float32(rng.uniform(-0.7, 0.7, 500)) for _ in range(2))
    dx, dy = (np.float32(size * rng.uniform(-1, 1, 500)) for _ in range(2))
    step = _lens.distort(model, Step(x, dx), Step(y, dy), tuple(np.float32(coefficients)))
    with float64():
        k = tuple(np.float64(np.float32(coefficients)))
        ends = [
            _lens.distort(model, jnp.float64(x + t * np.float64(dx)), y + t * np.float64(dy), k)
            for t in (0, 1)
        ]
        exact = [np.array(b) - np.array(a) for a, b in zip(*ends, strict=True)]
    length = np.hypot(*exact)
    for got, want in zip(step, exact, strict=True):
        # The float64 difference is itself only good to 1e-16.
        assert (np.abs(got.change - want) <= 2e-6 * length + 1e-15).all()


@pytest.mark.non_finite
def test_a_mask_stops_a_nan_in_value_and_derivative():
    quotient = lambda x, k: where_valid(lambda x, k: k / x, (1.0,), x > 0, (x,), k)
    f = lambda x: quotient(x, jnp.float32(2))
    x = jnp.float32([0.5, 0, -1, jnp.nan])
    np.testing.assert_array_equal(f(x), [4, 0, 0, 0])
    np.testing.assert_array_equal(jax.grad(lambda x: f(x).sum())(x), [-8, 0, 0, 0])
    hessian = jax.hessian(lambda x: f(x).sum())(x)
    np.testing.assert_array_equal(np.diag(hessian), [32, 0, 0, 0])
    np.testing.assert_array_equal(jax.jvp(f, (x,), (jnp.ones(4),))[1], [-8, 0, 0, 0])
    # What the pixels share gets the sum of their derivatives.
    assert jax.grad(lambda k: quotient(x, k).sum())(jnp.float32(2)) == 2


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_channels_last_is_a_stack_with_the_derivative_of_one(count):
    rng = np.random.default_rng(0)
    maps = [jnp.float32(rng.normal(size=(4, 5))) for _ in range(count)]
    np.testing.assert_array_equal(channels_last(*maps), jnp.stack(maps, -1))
    weights = jnp.float32(rng.normal(size=(4, 5, count)))
    got = jax.grad(lambda maps: (channels_last(*maps) * weights).sum())(maps)
    np.testing.assert_array_equal(jnp.stack(got, -1), weights)


def test_computed_once_changes_nothing():
    x = jnp.float32([1 / 3, -0.0, 1e30])
    np.testing.assert_array_equal(jax.jit(compute_once)({"x": x})["x"], x)
    np.testing.assert_array_equal(jax.grad(lambda x: compute_once(x).sum())(x), np.ones(3))


@pytest.mark.parametrize("exponent", [-60, -1, 0, 60])
def test_a_reciprocal_is_within_one_unit_in_the_last_place(exponent):
    x = np.linspace(1, 2, 100_001, dtype=np.float32) * np.float32(2.0**exponent)
    got = jax.jit(reciprocal)(x)
    error = np.abs(np.float64(got) * np.float64(x) - 1)
    assert error.max() <= 2.0**-23 and np.median(error) <= 3e-8
    slope = jax.jvp(reciprocal, (x,), (x,))[1]
    np.testing.assert_allclose(slope, -1 / x, rtol=4e-7)


def test_a_reciprocal_in_float64_is_the_quotient():
    with float64():
        np.testing.assert_array_equal(
            reciprocal(jnp.float64([3.0, 1e-9])), 1 / np.array([3.0, 1e-9])
        )


def test_the_angle_of_a_ray_carries_twice_the_digits():
    slopes = np.exp(np.random.default_rng(0).uniform(np.log(1e-6), np.log(1e5), 20_000))
    s = np.float32([0, *slopes])
    got = jax.jit(lambda s: angle_ratio(Double.of(s)))(s)
    r = np.sqrt(np.float64(s))
    exact = np.divide(np.arctan(r), r, out=np.ones_like(r), where=r > 0)
    np.testing.assert_allclose(np.float64(got.hi) + np.float64(got.lo), exact, rtol=1e-11)


def test_half_precision_is_widened_and_what_does_not_fit_back_is_invalid():
    require_float16()
    half, flag = cast(np.ones(3), jnp.float16), jnp.ones(3, bool)
    wide, same = widen(half, flag)
    assert wide.dtype == jnp.float32 and same.dtype == bool
    values, valid = narrow(flag, jnp.float32([1, 1e6, -1e6]), jnp.float16)
    assert valid.tolist() == [True, False, False] and values.tolist() == [1, 0, 0]
