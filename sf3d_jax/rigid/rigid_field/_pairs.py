"""Sums over all pairs of a pixel and one of its window, in memory that does not grow with it.

For maps `own` of the pixel p and `other` of the pixels of its window,

    sum_pairs(f, own, other)(p) = sum of f(own(p), other(q)) over |q - p| <= radius, q in the image.

The derivatives are such sums, too: that by `own` of the same pairs, and that by `other`, because
p is in the window of q where q is in that of p, of pairs whose roles are swapped.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._numerics import Tree, compute_once
from sf3d_jax._numerics.linear import call_linear, differentiate_once
from sf3d_jax._numerics.platforms import choose_by_platform

Maps: TypeAlias = tuple[jax.Array, ...]
# Marks values that several results of a function use.
Keep: TypeAlias = Callable[[Maps], Maps]


class Pairwise(Protocol):
    """A smooth elementwise function of own and other maps; finite where all maps are 0."""

    def __call__(self, own: Tree, other: Tree, keep: Keep) -> Maps:
        """Computes the values of a pair; they are 0 where the maps of `other` are."""


@partial(jax.custom_jvp, nondiff_argnums=(0, 3))
def sum_pairs(function: Pairwise, own: Maps, other: Maps, radius: int) -> Maps:
    """Sums a function over the windows of all pixels.

    Args:
      function: what to sum.
      own: a tree of maps (n, ..., h, w) of the pixel in the middle.
      other: the same of the pixels of its window.
      radius: of the window, in pixels.

    Returns:
      Maps (n, h, w), one for each value of the function.
    """
    return _sum(function, own, other, radius)


@sum_pairs.defjvp
def _sum_pairs_jvp(
    function: Pairwise, radius: int, primals: tuple[Maps, Maps], tangents: tuple[Maps, Maps]
) -> tuple[Maps, Maps]:
    own, other = differentiate_once(primals)

    def push(tangents: tuple[Maps, Maps]) -> Maps:
        own_dot, other_dot = tangents
        return _sum(partial(_push, function), (own, own_dot), (other, other_dot), radius)

    def pull(cotangents: Maps) -> tuple[Maps, Maps]:
        seen = own, cotangents
        to_own = _sum(partial(_pull_to_own, function), seen, other, radius)
        return to_own, _sum(partial(_pull_to_other, function), other, seen, radius)

    return _sum(function, *primals, radius), call_linear(push, pull, tangents)


def _push(function: Pairwise, own: Tree, other: Tree, keep: Keep) -> Maps:
    (own, own_dot), (other, other_dot) = own, other
    call = lambda own, other: function(own, other, keep)
    return jax.jvp(call, (own, other), (own_dot, other_dot))[1]


def _pull_to_own(function: Pairwise, own: Tree, other: Tree, keep: Keep) -> Maps:
    own, cotangents = own
    return jax.vjp(lambda own: function(own, other, keep), own)[1](cotangents)[0]


def _pull_to_other(function: Pairwise, own: Tree, other: Tree, keep: Keep) -> Maps:
    """The roles are swapped: the pixel in the middle is `other`, and its window is `own`."""
    window, cotangents = other
    return jax.vjp(lambda other: function(window, other, keep), own)[1](cotangents)[0]


def _sum(function: Pairwise, own: Tree, other: Tree, radius: int) -> Tree:
    in_turn = lambda *maps: lax.map(lambda x: _sum_in_turn(function, radius, *x), maps)
    return choose_by_platform(
        in_turn, jax.vmap(partial(_sum_at_once, function, radius)), own, other
    )


def _sum_in_turn(function: Pairwise, radius: int, own: Tree, other: Tree) -> Tree:
    """The form for CPUs, of one image: one shift of the window after the other."""
    padded = _pad(other, radius)
    height, width = jax.tree.leaves(own)[0].shape[-2:]
    side = 2 * radius + 1
    # Unsigned, because negative starts of slices would count from the end, which takes time.
    shifts = np.divmod(np.arange(side * side, dtype=np.uint32), np.uint32(side))

    def see(shift: tuple[jax.Array, ...]) -> Tree:
        rows, columns = shift
        cut = lambda x: lax.dynamic_slice(
            x, (*[np.uint32(0)] * (x.ndim - 2), rows, columns), (*x.shape[:-2], height, width)
        )
        return function(own, jax.tree.map(cut, padded), compute_once)

    # Zeros that vary over the same axes of a mesh as the maps do.
    nothing = 0 * jax.tree.leaves(own)[0].reshape(-1, height, width)[0]
    shapes = jax.eval_shape(see, tuple(x[0] for x in shifts))
    start = jax.tree.map(lambda x: jnp.broadcast_to(nothing, x.shape), shapes)
    add = lambda sums, shift: (jax.tree.map(jnp.add, sums, see(shift)), None)
    return lax.scan(add, start, shifts)[0]


def _sum_at_once(function: Pairwise, radius: int, own: Tree, other: Tree) -> Tree:
    """The form for GPUs, of one image: one reduction over all shifts of the window."""
    height, width = jax.tree.leaves(own)[0].shape[-2:]
    side = 2 * radius + 1
    wide = width + 2 * radius
    shape = height, width, side * side
    row, column, shift = (lax.broadcasted_iota(jnp.int32, shape, i) for i in range(3))
    index = (row + shift // side) * wide + column + shift % side

    def read(x: jax.Array) -> jax.Array:
        flat = x.reshape(*x.shape[:-2], -1)
        return flat.at[..., index].get(mode="promise_in_bounds")

    expand = lambda x: jnp.broadcast_to(x[..., None], (*x.shape[:-2], *shape))
    values = function(
        jax.tree.map(expand, own), jax.tree.map(read, _pad(other, radius)), lambda maps: maps
    )
    return jax.tree.map(lambda x: x.sum(-1), values)


def _pad(maps: Tree, radius: int) -> Tree:
    """Adds zeros around maps (..., h, w)."""
    margin = (radius, radius)
    return jax.tree.map(lambda x: jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [margin, margin]), maps)
