"""Two forms of one computation: one that is fast on a CPU, one that is fast on a GPU.

A CPU is fast in loops whose data stay in the cache. On a GPU each step of such a loop is a few
launches of kernels, at microseconds each, so one pass over memory is faster. XLA decides between
the forms when it lowers the program, for the platform that it lowers to; the back end that the
process has does not matter. So a program that a process without a GPU exports for one is right.
"""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, cast

from jax.lax import platform_dependent

Arguments = TypeVarTuple("Arguments")
R = TypeVar("R")


def choose_by_platform(
    on_cpu: Callable[[*Arguments], R], elsewhere: Callable[[*Arguments], R], *arguments: *Arguments
) -> R:
    """Computes on_cpu(*arguments) on CPUs, elsewhere(*arguments) on all other devices.

    Both forms are traced, and must return the same shapes and dtypes. Derivatives of the result
    store what either form needs for its own, so use this inside of custom derivatives.

    Args:
      on_cpu: the form for CPUs.
      elsewhere: the form for GPUs.
      *arguments: pytrees of arrays, passed to either.

    Returns:
      What the form returns.
    """
    return cast(R, platform_dependent(*arguments, cpu=on_cpu, default=elsewhere))


def choose_on_cuda(
    on_cuda: Callable[[*Arguments], R], elsewhere: Callable[[*Arguments], R], *arguments: *Arguments
) -> R:
    """Computes on_cuda(*arguments) on NVIDIA's GPUs, elsewhere(*arguments) on all other devices.

    This is for kernels that only run there; see `choose_by_platform`.

    Args:
      on_cuda: the form for NVIDIA's GPUs.
      elsewhere: the form for all other devices.
      *arguments: pytrees of arrays, passed to either.

    Returns:
      What the form returns.
    """
    return cast(R, platform_dependent(*arguments, cuda=on_cuda, default=elsewhere))


def choose_for_gpu(
    on_gpu: Callable[[*Arguments], R], elsewhere: Callable[[*Arguments], R], *arguments: *Arguments
) -> R:
    """Computes on_gpu(*arguments) on GPUs, elsewhere(*arguments) on all other devices.

    For forms in float64, which GPUs have and TPUs do not; see `choose_by_platform`.

    Args:
      on_gpu: the form for GPUs.
      elsewhere: the form for CPUs and other devices.
      *arguments: pytrees of arrays, passed to either.

    Returns:
      What the form returns.
    """
    return cast(R, platform_dependent(*arguments, cuda=on_gpu, rocm=on_gpu, default=elsewhere))
