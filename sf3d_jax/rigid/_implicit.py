"""Derivatives of the solution of equations, whatever found it.

The solution x(a) of F(x, a) = 0 changes by dx = -(dF/dx)^-1 (dF/da) da. No derivative passes
through the iterations that found x.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import Tree
from sf3d_jax.warping._windows import match_varying_axes

X = TypeVar("X")
# Takes a solution and a vector of steps (n,); returns the moved solution.
Move = Callable[[X, jax.Array], X]
# Takes a solution and the parameters; returns (n,), zeros at the solution.
Equations = Callable[[X, Tree], jax.Array]


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def attach_derivative(
    move: Move[X],
    equations: Equations[X],
    count: int,
    solution: X,
    parameters: Tree,
    known: jax.Array,
) -> X:
    """Returns a solution, with its derivative by the parameters of the equations.

    Args:
      move: takes a solution and steps (count,) in coordinates about it.
      equations: takes a solution and the parameters; returns (count,), zeros at the solution.
      count: number of coordinates.
      solution: pytree; its own derivatives are dropped.
      parameters: pytree of floating arrays.
      known: bool, one number; where False, the derivative is 0.
    """
    del move, equations, count, parameters, known
    return solution


@attach_derivative.defjvp
def _attached_jvp(
    move: Move[X],
    equations: Equations[X],
    count: int,
    primals: tuple[X, Tree, jax.Array],
    tangents: tuple[X, Tree, jax.Array],
) -> tuple[X, X]:
    solution, parameters, known = primals
    rest, change = jax.jvp(lambda a: equations(solution, a), (parameters,), (tangents[1],))
    # In a shard_map, constants do not vary as the numbers do that are multiplied by them.
    still, basis = match_varying_axes((jnp.zeros(count), jnp.eye(count)), rest)
    still, basis = still.astype(rest.dtype), basis.astype(rest.dtype)
    residual = lambda step: equations(move(solution, step), parameters)
    differentiate = lambda unit: jax.jvp(residual, (still,), (unit,))[1]
    slope = jax.vmap(differentiate, out_axes=-1)(basis)
    # Columns have units of their own, so that pivots would be chosen by units.
    size = jnp.max(jnp.abs(slope), axis=0)
    usable = known & jnp.all(size > 0) & jnp.all(jnp.isfinite(slope))
    size = jnp.where(usable, size, 1)
    slope = jnp.where(usable, slope / size[None], basis)
    step = -jnp.linalg.solve(slope, jnp.where(usable, change, 0)) / size
    return solution, jax.jvp(lambda step: move(solution, step), (still,), (step,))[1]
