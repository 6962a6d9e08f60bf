"""The numerical pieces: double-float numbers, steps, masks and channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import LENSES, cast, float64

from sf3d_jax import _lens
from sf3d_jax._differences import Step
from sf3d_jax._double import Double
from sf3d_jax._numerics import channels_last, computed_once, narrow, where_valid, widen

NUMBERS = st.floats(2.0**-20, 2.0**20, width=32) | st.floats(-(2.0**20), -(2.0**-20), width=32)
OPERATIONS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


@pytest.mark.parametrize("name", OPERATIONS)
@given(a=st.lists(NUMBERS, min_size=8, max_size=8), b=st.lists(NUMBERS, min_size=8, max_size=8))
@settings(max_examples=30, deadline=None)
def test_double_floats_carry_twice_the_digits(name, a, b):
    a, b = np.float32(a), np.float32(b)
    operation = OPERATIONS[name]
    got = jax.jit(lambda a, b: operation(Double.of(a), b))(a, b)
    exact = operation(np.float64(a), np.float64(b))
    np.testing.assert_allclose(np.float64(got.hi) + np.float64(got.lo), exact, rtol=2e-13)


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
            _lens.distort(model, jnp.float64(x) + t * dx, jnp.float64(y) + t * dy, k)
            for t in (0, 1)
        ]
        exact = [np.array(b) - np.array(a) for a, b in zip(*ends, strict=True)]
    length = np.hypot(*exact)
    for got, want in zip(step, exact, strict=True):
        # The float64 difference is itself only good to 1e-16.
        assert (np.abs(got.change - want) <= 2e-6 * length + 1e-15).all()


def test_a_mask_stops_a_nan_in_value_and_derivative():
    f = lambda x: where_valid(lambda x, k: k / x, (1.0,), x > 0, (x,), jnp.float32(2))
    x = jnp.float32([0.5, 0, -1, jnp.nan])
    np.testing.assert_array_equal(f(x), [4, 0, 0, 0])
    np.testing.assert_array_equal(jax.grad(lambda x: f(x).sum())(x), [-8, 0, 0, 0])
    hessian = jax.hessian(lambda x: f(x).sum())(x)
    np.testing.assert_array_equal(np.diag(hessian), [32, 0, 0, 0])
    np.testing.assert_array_equal(jax.jvp(f, (x,), (jnp.ones(4),))[1], [-8, 0, 0, 0])


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
    one = jnp.float32(1)
    np.testing.assert_array_equal(jax.jit(computed_once)({"x": x}, one)["x"], x)
    np.testing.assert_array_equal(jax.grad(lambda x: computed_once(x, one).sum())(x), np.ones(3))


def test_half_precision_is_widened_and_what_does_not_fit_back_is_invalid():
    half, flag = cast(np.ones(3), jnp.float16), jnp.ones(3, bool)
    wide, same = widen(half, flag)
    assert wide.dtype == jnp.float32 and same.dtype == bool
    values, valid = narrow(flag, jnp.float32([1, 1e6, -1e6]), jnp.float16)
    assert valid.tolist() == [True, False, False] and values.tolist() == [1, 0, 0]
