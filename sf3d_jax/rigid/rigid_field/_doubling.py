"""Windows along an axis on GPUs: few steps over whole maps.

Arms of 1, 2, 4, ... pixels are each merged from two of half the length. The arms whose lengths are
the binary digits of radius + 1 add up to the whole.
"""

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax.rigid.rigid_field._states import Begin, Merge, State


def combine_by_doubling(
    pixels: State, joined: jax.Array, radius: int, axis: int, begin: Begin, merge: Merge
) -> State:
    """Combines the windows along one axis; args and result are those of `combine`."""
    state = begin(pixels)
    after = _combine_arm(state, shift(joined, 1, axis), radius + 1, 1, axis, merge)
    before = _combine_arm(state, joined, radius + 1, -1, axis, merge)
    return _write(merge(after, before, jnp.ones_like(joined)))


def _combine_arm(
    state: State, link: jax.Array, length: int, way: int, axis: int, merge: Merge
) -> State:
    """Combines `length` pixels from each pixel on, forward (way 1) or backward (way -1).

    `link` says whether the next pixel of the arm is on the same surface.
    """
    total, whole, covered = state, jnp.ones_like(link), 0
    span = 1
    while True:
        if length & span:
            far, far_link = _shift_all((state, link), way * covered, axis)
            total = _write(merge(total, far, whole)) if covered else far
            whole, covered = whole & far_link, covered + span
        if covered == length:
            return total
        far, far_link = _shift_all((state, link), way * span, axis)
        state, link = _write(merge(state, far, link)), link & far_link
        span *= 2


def _write(state: State) -> State:
    """Keeps XLA from computing a state anew for each of those merged from it."""
    return lax.optimization_barrier(state)


def _shift_all(tree: tuple[State, jax.Array], by: int, axis: int) -> tuple[State, jax.Array]:
    return jax.tree.map(lambda x: shift(x, by, axis), tree)


def shift(x: jax.Array, by: int, axis: int) -> jax.Array:
    """The map that holds at i what x holds at i + by along an axis; 0 beyond it."""
    if abs(by) >= x.shape[axis]:
        return jnp.zeros_like(x)
    margin = [(0, 0, 0)] * x.ndim
    margin[axis] = (-by, by, 0)
    return lax.pad(x, jnp.zeros((), x.dtype), margin)
