"""Refuses images of 0 to 255 where a formula supposes 0 to 1.

Inside of a program there are no numbers to look at, so this stands before it, outside of `jit`:

    @expect_unit_range("image")
    @jit
    def ssim(image, ...): ...

Numbers that are not finite, or beyond what counts as a number, are pixels to leave out and tell
nothing.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics import limit_of

P = ParamSpec("P")
R = TypeVar("R")

# Above what images of 0 to 1 have, also less their mean and over their deviation (2.7).
_BRIGHTEST = 8.0
# What a jitted function has besides its call.
_OF_JITTED = ("lower", "trace", "eval_shape", "clear_cache", "_cache_size")


def expect_unit_range(*names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Makes a jitted function look at its images first, where they are at hand.

    Args:
      *names: the arguments that are images, or "sample.image" for a field of an argument.
    """

    def decorate(jitted: Callable[P, R]) -> Callable[P, R]:
        order = list(inspect.signature(jitted).parameters)
        paths = {name: name.partition(".") for name in names}

        @functools.wraps(jitted)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            images: dict[str, object] = {}
            given = {**dict(zip(order, args, strict=False)), **kwargs}
            for name, (argument, _, field) in paths.items():
                x = given.get(argument)
                images[name] = getattr(x, field, None) if field else x
            check_unit_range(**images)
            return jitted(*args, **kwargs)

        for name in _OF_JITTED:
            setattr(checked, name, getattr(jitted, name))
        return cast(Callable[P, R], checked)

    return decorate


def check_unit_range(**images: object) -> None:
    """Checks that images are not of 0 to 255, where their numbers are at hand.

    They are not inside of `jit`, `grad` or `vmap`, nor where a transfer guard forbids to fetch an
    answer from the device; nothing is checked there.

    Args:
      **images: by the names of the arguments; None, and what is no floating array, is left alone.

    Raises:
      ValueError: an image has a number above 8.
    """
    at_hand = {name: x for name, x in images.items() if _is_at_hand(x)}
    bright = [name for name, x in at_hand.items() if _is_bright(x)]
    if bright:
        raise ValueError(
            f"{bright[0]}: expected brightness from 0 to 1, got numbers above {_BRIGHTEST:.0f}; "
            f"divide an image of 0 to 255 by 255"
        )


def _is_at_hand(x: object) -> bool:
    if isinstance(x, jax.core.Tracer) or not isinstance(x, np.ndarray | jax.Array):
        return False
    if isinstance(x, jax.Array):
        guard = cast(Any, jax.config).jax_transfer_guard_device_to_host
        if not x.is_fully_addressable or (guard or "").startswith("disallow"):
            return False
    return bool(jnp.issubdtype(x.dtype, jnp.floating)) and x.size > 0


def _is_bright(x: Any) -> bool:
    if isinstance(x, jax.Array):
        if {device.platform for device in x.devices()} != {"cpu"}:
            return bool(_has_bright_number(x))
        x = np.asarray(x)  # no copy
    x = x.astype(np.result_type(x, np.float32), copy=False)  # NumPy is slow at narrow types
    if np.fmax.reduce(x, axis=None) <= _BRIGHTEST:  # the greatest that is not NaN
        return False
    return bool(_bright_numbers(x).any())


def _bright_numbers(x: Any) -> Any:
    return (x > _BRIGHTEST) & (x < limit_of(jnp.float32))


@jax.jit
def _has_bright_number(image: jax.Array) -> jax.Array:
    return _bright_numbers(image.astype(jnp.float32)).any()
