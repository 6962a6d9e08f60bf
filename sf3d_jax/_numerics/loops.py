"""A step that is repeated a few times: a loop on CPUs, straight code on other devices."""

from collections.abc import Callable
from typing import TypeVar

import jax

from sf3d_jax._numerics.platforms import choose_by_platform

T = TypeVar("T")


def repeat(step: Callable[[T], T], times: int, start: T) -> T:
    """Applies a function a few times to its own result.

    A GPU launches the kernels of each step of a loop, but computes straight code in one kernel.
    JAX cannot differentiate the result.

    Args:
      step: an elementwise function; short, because a compiler's time for straight code grows with
        its square.
      times: how often it is applied.
      start: its first argument.

    Returns:
      The last result.
    """
    in_loop = lambda x: jax.lax.fori_loop(0, times, lambda _, x: step(x), x)
    return choose_by_platform(in_loop, lambda x: write_out(step, times, x), start)


def write_out(step: Callable[[T], T], times: int, start: T) -> T:
    """Applies a function a few times to its own result, in straight code, in kernels of its own."""
    once = jax.jit(step)  # traced once, and once in the program that XLA gets
    for _ in range(times):
        start = once(start)
    return jax.lax.optimization_barrier(start)
