"""Which numbers can be read while Python runs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sf3d_jax._numerics.concrete import read_known


@pytest.mark.parametrize("array", [np.arange(3.0), jnp.arange(3.0)])
def test_arrays_are_read(array):
    np.testing.assert_array_equal(read_known(array), [0, 1, 2])


def test_what_is_traced_or_no_array_is_unknown():
    seen = []
    jax.eval_shape(lambda x: seen.append(read_known(x)), np.arange(3.0))
    shape = jax.ShapeDtypeStruct((3,), np.float32)
    assert seen == [None] and read_known(shape) is None and read_known([1.0]) is None


def test_a_guard_or_a_donation_keeps_an_array_where_it_is():
    array = jnp.arange(3.0)
    for guard in ("log", "disallow", "log_explicit", "disallow_explicit"):
        with jax.transfer_guard(guard):
            assert read_known(array) is None
            np.testing.assert_array_equal(read_known(np.arange(3)), [0, 1, 2])
    with jax.transfer_guard("allow"):
        np.testing.assert_array_equal(read_known(array), [0, 1, 2])
    array.delete()
    assert read_known(array) is None
