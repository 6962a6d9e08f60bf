"""Refuses images with values from 0 to 255 where a formula expects 0 to 1.

Values are unknown while `jit` traces a function, so the check runs before it, outside of `jit`:

    @expect_unit_range("image")
    @jit
    def ssim(image, ...): ...

Non-finite values and values above the valid range mark unknown pixels; the check ignores them.
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

# Images from 0 to 1 stay below this, even normalised to zero mean and unit deviation (2.7).
_BRIGHTEST = 8.0
# The methods of a jitted function, to be copied to its wrapper.
_JIT_METHODS = ("lower", "trace", "eval_shape", "clear_cache", "_cache_size")


def expect_unit_range(*names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Makes a jitted function check the brightness of its images first, where values are known.

    Args:
      *names: names of the image arguments, or "sample.image" for a field of an argument.
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

        for name in _JIT_METHODS:
            setattr(checked, name, getattr(jitted, name))
        return cast(Callable[P, R], checked)

    return decorate


def check_unit_range(**images: object) -> None:
    """Checks that images do not have values from 0 to 255.

    Checks nothing inside of `jit`, `grad` or `vmap`, where values are unknown, nor where a transfer
    guard forbids fetching the answer from the device.

    Args:
      **images: images by argument name; None and anything but a floating-point array is skipped.

    Raises:
      ValueError: an image has a value above 8.
    """
    known = {name: x for name, x in images.items() if _is_known(x)}
    bright = [name for name, x in known.items() if _is_bright(x)]
    if bright:
        raise ValueError(
            f"{bright[0]}: expected brightness from 0 to 1, got a largest value of "
            f"{_find_largest(known[bright[0]]):g}; divide images of 0 to 255 by 255"
        )


def _is_known(x: object) -> bool:
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
            return bool(_has_bright_pixel(x))
        x = np.asarray(x)  # no copy
    x = x.astype(np.result_type(x, np.float32), copy=False)  # NumPy is slow at narrow types
    if np.fmax.reduce(x, axis=None) <= _BRIGHTEST:  # fmax ignores NaN
        return False
    return bool(_find_bright_pixels(x).any())


def _find_largest(x: Any) -> float:
    """The largest value that is not above the valid range."""
    x = np.asarray(x, np.float32)
    return float(np.max(x, initial=0, where=_find_bright_pixels(x)))


def _find_bright_pixels(x: Any) -> Any:
    return (x > _BRIGHTEST) & (x < limit_of(jnp.float32))


@jax.jit
def _has_bright_pixel(image: jax.Array) -> jax.Array:
    return _find_bright_pixels(image.astype(jnp.float32)).any()
