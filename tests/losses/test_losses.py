"""Losses against their formulas in float64, and their gradients against finite differences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from helpers import thorough
from helpers.losses_cases import CASES, RUNS
from helpers.support import as_numpy, cast, float64

# All other losses are costs, from 0 on.
LIKELIHOODS = ("gaussian_nll", "mixture_of_laplace")

# Further exponents, windows, masks and operators of losses that other cases ask already.
FURTHER = [name for name in CASES if name.startswith("general_robust") and name[-3:] != "0.5"]
FURTHER += ["census", "ssim gaussian", "gradient_difference", "forward_backward_error 3D"]
each_case = thorough.parametrize("name", CASES, default=[x for x in CASES if x not in FURTHER])

# Constants for the derivative, by definition.
CONSTANT = {"self_supervision": (1, 2, 3)}


@functools.cache
def result_and_gradients(name):
    """A program in float64: the result, and the derivatives of its values times numbers."""

    @jax.jit
    def both(cotangent, *maps):
        def loss(*maps):
            result = CASES[name].function(*maps)
            return (result.values * cotangent).sum(), result

        gradients, result = jax.grad(loss, tuple(range(len(maps))), has_aux=True)(*maps)
        return result, gradients

    return lambda *x: as_numpy(both(*cast(x, jnp.float64)))


@each_case
def test_the_values_are_those_of_the_formula(name):
    case = CASES[name]
    wanted, known = case.reference(*map(np.float64, case.maps))
    with float64():
        (values, valid), _ = result_and_gradients(name)(np.ones_like(wanted), *case.maps)
    np.testing.assert_array_equal(valid, known)
    np.testing.assert_allclose(values, wanted, rtol=1e-12, atol=1e-12 * np.abs(wanted).max())


@thorough.parametrize("name", CASES, default=["census masked", "gaussian_nll", "ncc", "ssim"])
def test_float32_keeps_its_digits(name):
    case = CASES[name]
    wanted, known = case.reference(*map(np.float64, case.maps))
    values, valid = RUNS[name](*case.maps)
    np.testing.assert_array_equal(valid, known)
    assert values.dtype == np.float32
    assert name in LIKELIHOODS or (values >= 0).all()
    np.testing.assert_allclose(values, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max())


@each_case
def test_the_gradient_is_that_of_finite_differences(name):
    case, rng = CASES[name], np.random.default_rng(3)
    with float64():
        maps = [np.float64(x) for x in case.maps]
        cotangent = rng.normal(size=case.reference(*maps)[0].shape)
        run = functools.partial(result_and_gradients(name), cotangent)
        for i, gradient in enumerate(run(*maps)[1]):
            assert np.isfinite(gradient).all()
            if i in CONSTANT.get(name, ()):
                assert not gradient.any()
                continue
            direction = rng.normal(size=maps[i].shape)
            ends = (
                run(*(x + t * direction if j == i else x for j, x in enumerate(maps)))[0].values
                for t in (1e-6, -1e-6)
            )
            numeric = (np.subtract(*ends) * cotangent).sum() / 2e-6
            along = (gradient * direction).sum()
            scale = np.sqrt((gradient**2).sum())
            if name == "rigidity" and i == 1:
                # The weights of the neighbours, which depth decides, are constants.
                continue
            assert abs(along - numeric) < 1e-6 * max(scale, 1e-3), (i, along, numeric)
