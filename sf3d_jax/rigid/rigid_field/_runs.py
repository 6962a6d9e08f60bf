"""Combining what is known of the pixels of a line, over a window that ends at edges.

The window of pixel i is two arms, i to i + radius and i to i - radius, each up to the first edge;
the pixel itself is in both. `merge` combines the states of two sets of pixels, so that nothing is
ever subtracted: what an earlier window held leaves no rounding behind, however large.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

# What is known of a set of pixels, as scalar maps; every pixel starts as the set of itself.
State: TypeAlias = tuple[jax.Array, ...]
# Combines two sets; a mask says where the second counts.
Merge: TypeAlias = Callable[[State, State, jax.Array], State]


def combine_by_doubling(state: State, joined: jax.Array, radius: int, merge: Merge) -> State:
    """Combines the windows along the last axis, in steps over whole maps.

    Arms of 1, 2, 4, ... pixels are each merged from two of half the length. The arms whose lengths
    are the binary digits of radius + 1 add up to the whole.

    Args:
      state: maps (..., n).
      joined: (..., n), bool, whether a pixel is on one surface with the one before it.
      radius: pixels of the window to either side.
      merge: combines two states.
    """
    after = _combine_arm(state, _shift(joined, 1), radius + 1, merge, 1)
    before = _combine_arm(state, joined, radius + 1, merge, -1)
    return merge(after, before, jnp.ones_like(joined))


def _combine_arm(state: State, link: jax.Array, length: int, merge: Merge, way: int) -> State:
    """Combines `length` pixels from each pixel on, forward (way 1) or backward (way -1).

    `link` says whether the next pixel of the arm is on the same surface.
    """
    shift = lambda tree, by: jax.tree.map(lambda x: _shift(x, way * by), tree)
    total, open_total, covered = None, link, 0
    span = 1
    while True:
        if length & span:
            far, open_far = shift((state, link), covered)
            if total is None:
                total, open_total = far, open_far
            else:
                total = _write(merge(total, far, open_total))
                open_total = open_total & open_far
            covered += span
        if covered == length:
            return total
        far, open_far = shift((state, link), span)
        state, link = _write(merge(state, far, link)), link & open_far
        span *= 2


def _write(state: State) -> State:
    """Keeps XLA from computing a state anew for each of those merged from it."""
    return lax.optimization_barrier(state)


def _shift(x: jax.Array, by: int) -> jax.Array:
    """The map that holds at i what x holds at i + by; 0 beyond the line."""
    n = x.shape[-1]
    zero = jnp.zeros((), x.dtype)
    margin = [(0, 0, 0)] * (x.ndim - 1)
    return lax.pad(x, zero, [*margin, (-by, by, 0)]) if abs(by) < n else jnp.zeros_like(x)
