"""A refinement by hand: x becomes x - rate / x, of which the logarithm is the loss."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sf3d_jax import fit


@pytest.mark.non_finite
def test_the_values_are_those_of_the_least_loss_that_is_finite():
    log = lambda x: jnp.log(x).sum()
    values, losses = fit.refine(log, jnp.ones(3), optimizer=optax.sgd(0.7), steps=3)
    # The second step leads below 0, where numbers are finite and their logarithm is not.
    np.testing.assert_allclose(values, 0.3, rtol=1e-6)
    np.testing.assert_allclose(losses, [0, 3 * np.log(0.3), np.nan, np.nan], rtol=1e-6)
