"""Descent on any loss from a motion that is already good."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from sf3d_jax._numerics import jit


class Refined(NamedTuple):
    """What a descent found.

    Attributes:
      values: as the start, where the loss was least.
      losses: (steps + 1,), the loss at the start and after every step.
    """

    values: Any
    losses: jax.Array


def refine(
    loss: Callable[..., jax.Array],
    start: Any,
    *arguments: Any,
    optimizer: optax.GradientTransformation | None = None,
    steps: int = 100,
) -> Refined:
    """Lowers a loss of the caller's, such as one composed of `losses`, with an optimizer of optax.

    Args:
      loss: of values and arguments, returns a scalar. It is compiled once for every function
        object, so pass what changes as an argument rather than with a new function.
      start: an array or a tree of them: the values to begin with.
      *arguments: what else the loss is given, constant.
      optimizer: Adam with a step of 0.02 if None.
      steps: how many.

    Returns:
      Refined. A step whose loss is not finite is not kept.

    Raises:
      ValueError: steps is negative.
    """
    if steps < 0:
        raise ValueError(f"steps: expected 0 or more, got {steps}")
    return _refine(loss, start, arguments, optimizer=optimizer or _ADAM, steps=steps)


_ADAM = optax.adam(0.02)


@partial(jit, static=("loss", "optimizer", "steps"))
def _refine(
    loss: Callable[..., jax.Array],
    start: Any,
    arguments: tuple,
    *,
    optimizer: optax.GradientTransformation,
    steps: int,
) -> Refined:
    of_values = jax.value_and_grad(lambda values: loss(values, *arguments))

    def kept(best: Any, values: Any, least: jax.Array, now: jax.Array) -> tuple[Any, jax.Array]:
        better = now < least
        best = jax.tree.map(lambda a, b: jnp.where(better, a, b), values, best)
        return best, jnp.where(better, now, least)

    def step(carry: tuple, _: None) -> tuple[tuple, jax.Array]:
        values, state, best, least = carry
        now, gradient = of_values(values)
        best, least = kept(best, values, least, now)
        updates, state = optimizer.update(gradient, state, values)
        return (optax.apply_updates(values, updates), state, best, least), now

    first, _ = of_values(start)
    carry = start, optimizer.init(start), start, jnp.full_like(first, jnp.inf)
    (values, _, best, least), losses = lax.scan(step, carry, length=steps)
    final = loss(values, *arguments)
    best, _ = kept(best, values, least, final)
    return Refined(best, jnp.append(losses, final))
