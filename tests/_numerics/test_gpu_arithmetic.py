"""What `--gpu-arithmetic` computes is off by as much as the cards' documentation allows."""

import subprocess
import sys

import numpy as np
import pytest
from helpers import gpu_arithmetic
from helpers.house import ROOT

PROGRAM = """
import sys
sys.path.insert(0, "tests")
import jax, jax.numpy as jnp
from helpers import gpu_arithmetic
gpu_arithmetic.install()
x = jnp.float32([3, 5, 0.7])
print(*jax.jit(lambda x: [2 / x, jnp.sqrt(x), jax.lax.rsqrt(x), jnp.exp(x), x / 4])(x))
"""
NAMES = ("quotient", "root", "reciprocal root", "exponential")


def units_off(found, expected):
    """Distances in units of the last place."""
    return np.abs(np.float64(found) - expected) / np.spacing(np.float32(np.abs(expected)))


def test_a_quotient_is_off_by_less_than_two_units_and_a_division_by_four_by_none():
    rng = np.random.default_rng(0)
    x, y = np.float32(rng.uniform(-9, 9, (2, 1000)))
    divide = lambda y: np.asarray(gpu_arithmetic.divide(lambda a, b: a / b, x, y))
    off = units_off(divide(y), np.float64(x) / y)
    assert 1 < off.max() <= 2 and np.median(off) > 0.5
    np.testing.assert_array_equal(divide(np.full_like(x, 4)), x / 4)
    np.testing.assert_array_equal(divide(-y), -divide(y))


@pytest.mark.thorough
def test_programs_are_lowered_in_this_way():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    numbers = np.float64(done.stdout.replace("[", " ").replace("]", " ").split()).reshape(5, 3)
    x = np.float64(np.float32([3, 5, 0.7]))
    exact = (2 / x, np.sqrt(x), 1 / np.sqrt(x), np.exp(x))
    for name, found, expected in zip(NAMES, np.float32(numbers), exact, strict=False):
        off = units_off(found, expected)
        assert (off > 0.5).any() and off.max() < 3, name
    np.testing.assert_array_equal(np.float32(numbers[4]), np.float32(x) / 4)
