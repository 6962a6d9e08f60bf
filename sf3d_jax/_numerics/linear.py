"""Linear maps with a transpose of their own, for derivatives that work in both directions.

`jax.custom_vjp` has no forward derivative, and the reverse derivative of `jax.custom_jvp` is the
transpose that JAX finds. Where JAX's transpose is slow, the rule of a `custom_jvp` calls this.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
from jax import lax

T = TypeVar("T")
R = TypeVar("R")


def call_linear(push: Callable[[T], R], pull: Callable[[R], T], x: T, like: R) -> R:
    """push(x), whose reverse derivative is `pull`; works under vmap.

    A linear solve is the one operation of JAX that takes both. With L the map, it solves
    S (y, z) = (x, 0) where S^-1 (x, w) = (L^T w, L x) is symmetric. S itself is never computed.

    Args:
      push: a linear function of a tree. What else it uses must not be differentiated again, see
        `differentiate_once`.
      pull: its transpose.
      x: a tree of floating arrays.
      like: a tree with the shapes and dtypes of push(x).

    Returns:
      push(x).
    """
    nothing = jax.tree.map(jnp.zeros_like, like)
    both = _depend_on_all((x, nothing))
    clear = lambda tree: jax.tree.map(jnp.zeros_like, tree)
    solve = lambda _, b: (clear(b[0]), push(b[0]))
    solve_transposed = lambda _, b: (pull(b[1]), clear(b[1]))
    unused = lambda both: both
    result = lax.custom_linear_solve(unused, both, solve, solve_transposed, symmetric=True)
    return cast(R, result[1])


def _depend_on_all(tree: T) -> T:
    """Adds a 0 that depends on all leaves: JAX transposes no solve with a constant in its sides.

    Under shard_map, all leaves then vary over the same axes of the mesh.
    """
    numbers = [jnp.where(False, x.ravel()[0], 0) for x in jax.tree.leaves(tree) if x.size]
    nothing = functools.reduce(jnp.add, numbers)
    return jax.tree.map(lambda x: x + nothing.astype(x.dtype), tree)


@jax.custom_jvp
def differentiate_once(tree: T) -> T:
    """Returns a tree whose derivative is an error, for what the functions of `call_linear` use."""
    return tree


@differentiate_once.defjvp
def _refuse(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    raise NotImplementedError("second derivatives: this function has first derivatives only")
