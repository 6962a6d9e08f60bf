"""Losses against their formulas in float64, their gradients, and what no pixel may do."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.losses_cases import CASES, RUNS
from helpers.support import as_numpy, cast, float64

# All other losses are costs, from 0 on.
LIKELIHOODS = ("gaussian_nll", "mixture_of_laplace")

each_case = pytest.mark.parametrize("name", CASES)


@each_case
def test_the_values_are_those_of_the_formula(name):
    case = CASES[name]
    wanted, known = case.reference(*map(np.float64, case.maps))
    values, valid = RUNS[name](*case.maps)
    np.testing.assert_array_equal(valid, known)
    assert values.dtype == np.float32
    assert name in LIKELIHOODS or (values >= 0).all()
    np.testing.assert_allclose(values, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max())
    with float64():
        values, valid = as_numpy(RUNS[name](*cast(case.maps, jnp.float64)))
    np.testing.assert_array_equal(valid, known)
    np.testing.assert_allclose(values, wanted, rtol=1e-12, atol=1e-12 * np.abs(wanted).max())
