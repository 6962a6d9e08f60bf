"""A hot path: a function and what it is called with; its gradient, and the camera of most."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import sf3d_jax as sf3d
from sf3d_jax.losses import masked_mean

Function = Callable[..., Any]


class Path(NamedTuple):
    """A function, and what it is called with.

    Attributes:
      function: of the arguments; to be jitted.
      arguments: trees whose leaves are arrays or `gpu_inputs.Drawn`.
    """

    function: Function
    arguments: tuple


Paths = dict[str, Path]


def gradient(function: Function, wrt: tuple[int, ...]) -> Function:
    """Of the sum of squares of all floating results, by the arguments `wrt`."""

    def squares(*arguments):
        leaves = jax.tree.leaves(function(*arguments))
        return sum((x * x).sum() for x in leaves if jnp.issubdtype(x.dtype, jnp.floating))

    return jax.grad(squares, wrt)


def with_gradient(name: str, function: Function, arguments: tuple, wrt: tuple[int, ...]) -> Paths:
    """The path, and its gradient."""
    return {
        name: Path(function, arguments),
        f"{name} grad": Path(gradient(function, wrt), arguments),
    }


def camera(size: tuple[int, ...], shift: float = 0.0) -> sf3d.Camera:
    """A pinhole with a field of view of 53 degrees, moved to the right."""
    height, width = size[-2:]
    pose = np.eye(3, 4, dtype=np.float32)
    pose[0, 3] = -shift
    middle = ((width - 1) / 2, (height - 1) / 2)
    return sf3d.Camera.pinhole(width, width, *middle, (height, width), pose)


def mean_of(loss: Function, *arguments: Any) -> jax.Array:
    return masked_mean(*loss(*arguments))
