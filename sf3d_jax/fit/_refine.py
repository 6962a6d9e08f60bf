"""Gradient descent on any loss, starting from a good estimate."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import optax
from jax import lax

from sf3d_jax._numerics import Tree, jit

T = TypeVar("T")
# The result of a loss: a scalar, or (scalar, anything).
Loss: TypeAlias = jax.Array | tuple[jax.Array, Tree]


class Refined(NamedTuple):
    """The result of a refinement.

    Attributes:
      values: the values with the smallest loss, in the structure of the start.
      losses: (steps + 1,), the loss at the start and after every step.
    """

    values: Tree
    losses: jax.Array


def refine(
    loss: Callable[..., Loss],
    start: Tree,
    *arguments: Tree,
    optimizer: optax.GradientTransformation | None = None,
    steps: int = 100,
) -> Refined:
    """Minimises your own loss with optax, and returns the values of the step with the lowest loss.

    Args:
      loss: function (values, *arguments) that returns a scalar, or (scalar, anything) as
        `losses.compose` does. It is compiled once per function object, so pass data that changes as
        arguments rather than making a new function.
      start: initial values, an array or a pytree of arrays.
      *arguments: constant arguments passed on to the loss.
      optimizer: optax optimizer, also one with a line search; Adam with step 0.02 if None.
      steps: number of steps.

    Returns:
      The values with the lowest loss, and all losses. Steps with a non-finite loss are never
      kept. Passes no gradient.

    Raises:
      TypeError: loss is not a function, or optimizer is not an optax optimizer.
      ValueError: steps is not an integer of at least 0, or the loss is not a floating scalar.
    """
    optimizer = check_refinement(loss, optimizer, steps)
    return lax.stop_gradient(_refine(loss, start, arguments, optimizer=optimizer, steps=steps))


def check_refinement(
    loss: object, optimizer: object, steps: object
) -> optax.GradientTransformation:
    """Checks the options of a refinement; returns the optimizer, Adam if None."""
    if not callable(loss):
        raise TypeError(f"loss: expected a function, got {type(loss).__name__}")
    if not isinstance(steps, int) or steps < 0:
        raise ValueError(f"steps: expected an integer, 0 or more, got {steps}")
    if not isinstance(optimizer, optax.GradientTransformation | None):
        got = type(optimizer).__name__
        raise TypeError(f"optimizer: expected an optax optimizer, e.g. optax.adam(0.1), got {got}")
    return optimizer or _ADAM


_ADAM = optax.adam(0.02)


@partial(jit, static=("loss", "optimizer", "steps"))
def _refine(
    loss: Callable[..., Loss],
    start: Tree,
    arguments: tuple,
    *,
    optimizer: optax.GradientTransformation,
    steps: int,
) -> Refined:
    optimizer = optax.with_extra_args_support(optimizer)

    def scalar(values: Tree) -> jax.Array:
        value = loss(values, *arguments)
        value = jnp.asarray(value[0] if isinstance(value, tuple) else value)
        if value.shape or not jnp.issubdtype(value.dtype, jnp.floating):
            raise ValueError(f"loss: expected a floating scalar, got {value.dtype} {value.shape}")
        return value

    evaluate = jax.value_and_grad(scalar)

    def keep_better(best: T, values: T, least: jax.Array, now: jax.Array) -> tuple[T, jax.Array]:
        better = now < least
        best = jax.tree.map(lambda a, b: jnp.where(better, a, b), values, best)
        return best, jnp.where(better, now, least)

    def step(carry: tuple, _: None) -> tuple[tuple, jax.Array]:
        values, state, best, least = carry
        now, gradient = evaluate(values)
        best, least = keep_better(best, values, least, now)
        more = {"value": now, "grad": gradient, "value_fn": scalar}
        # optax.adam raises a float to an integer power, which strict promotion forbids.
        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimizer.update(gradient, state, values, **more)
        return (optax.apply_updates(values, updates), state, best, least), now

    first, _ = evaluate(start)
    carry = start, optimizer.init(start), start, jnp.full_like(first, jnp.inf)
    (values, _, best, least), losses = lax.scan(step, carry, length=steps)
    final = scalar(values)
    best, _ = keep_better(best, values, least, final)
    return Refined(best, jnp.append(losses, final))
