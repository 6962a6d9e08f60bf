"""The typed jit of this package.

    @partial(jit, static=("radius",))
    def census(image, other, *, radius=3): ...

The result differs from that of jax.jit in three ways. It prints as its name, which keeps help()
readable where it is the default of an argument. Where a transfer guard forbids implicit transfers
to the device, it sends Python numbers there explicitly, so that `huber(x, delta=0.5)` works. And a
path passed in place of an array gets an error message that says so.
"""

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, cast

import jax
import numpy as np

from sf3d_jax._checks import check_no_path

P = ParamSpec("P")
R = TypeVar("R")


def jit(function: Callable[P, R], *, static: tuple[str, ...] = ()) -> Callable[P, R]:
    """jax.jit that preserves the signature and the types for editors and type checkers."""
    return _Compiled(function, static)


class _Compiled(Generic[P, R]):
    """A compiled function, with the methods of jax.jit's: lower, trace, eval_shape ..."""

    def __init__(self, function: Callable[P, R], static: tuple[str, ...]) -> None:
        self._jitted = jax.jit(function, static_argnames=static)
        self._static = static
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        guard = cast(Any, jax.config).jax_transfer_guard_host_to_device
        try:
            if guard == "disallow":
                return self._call_guarded(*args, **kwargs)
            return self._jitted(*args, **kwargs)
        except TypeError:
            self._check_paths(*args, **kwargs)
            raise

    def _check_paths(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Raises if an argument is a path, since JAX's own error does not say so."""
        given = {**dict(zip(inspect.signature(self).parameters, args, strict=False)), **kwargs}
        for name, x in given.items():
            if name not in self._static:
                check_no_path(name, x)

    def _call_guarded(self, *args: P.args, **kwargs: P.kwargs) -> R:
        send = lambda name, x: x if name in self._static else jax.tree.map(_send_number, x)
        names = inspect.signature(self).parameters
        # Positional arguments stay positional: JAX compiles them separately from keyword arguments.
        placed: Any = [send(name, x) for name, x in zip(names, args, strict=False)]
        placed += args[len(names) :]  # surplus arguments, which JAX refuses
        named: Any = {name: send(name, x) for name, x in kwargs.items()}
        return self._jitted(*placed, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._jitted, name)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> str:
        return self.__qualname__

    def __repr__(self) -> str:
        return f"{self.__module__}.{self.__qualname__}"


def _send_number(x: Any) -> Any:
    return jax.device_put(x) if isinstance(x, bool | int | float | np.generic) else x
