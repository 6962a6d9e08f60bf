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


# The number of pairs that a GPU takes at once, 4 MiB for each of their values in float32.
_PAIRS_AT_ONCE = 2**20


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
      radius: radius of the window, in pixels.

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

    sums = _sum(function, *primals, radius)
    return sums, call_linear(push, pull, tangents, sums)


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
    one_shift = partial(_sum_by_shifts, function, radius)
    pairs_of_a_row = jax.tree.leaves(own)[0].size * (2 * radius + 1)
    some_rows = partial(_sum_by_rows, function, radius, max(1, _PAIRS_AT_ONCE // pairs_of_a_row))
    in_turn = lambda *maps: lax.map(lambda x: one_shift(*x), maps)
    return choose_by_platform(in_turn, jax.vmap(some_rows), own, other)


def _sum_by_shifts(function: Pairwise, radius: int, own: Tree, other: Tree) -> Tree:
    """The form for CPUs, of one image: one shift of the window after the other."""
    padded = _pad(other, radius)
    height, width = jax.tree.leaves(own)[0].shape[-2:]
    side = 2 * radius + 1
    # Unsigned, because negative starts of slices would count from the end, which takes time.
    shifts = np.divmod(np.arange(side * side, dtype=np.uint32), np.uint32(side))

    @jax.jit  # traced once
    def see(shift: tuple[jax.Array, ...]) -> Tree:
        rows, columns = shift
        cut = lambda x: lax.dynamic_slice(
            x, (*[np.uint32(0)] * (x.ndim - 2), rows, columns), (*x.shape[:-2], height, width)
        )
        return function(own, jax.tree.map(cut, padded), compute_once)

    return _add_up(see, shifts, _make_zeros(own))


def _sum_by_rows(function: Pairwise, radius: int, rows: int, own: Tree, other: Tree) -> Tree:
    """The form for GPUs, of one image: all shifts of some rows of the window in one reduction.

    XLA writes what several sums share to memory before it reduces, so all rows at once would need
    memory in proportion to the window.
    """
    height, width = jax.tree.leaves(own)[0].shape[-2:]
    side = 2 * radius + 1
    rows = min(rows, side)
    shape = height, width, rows * side
    row, column, shift = (lax.broadcasted_iota(jnp.int32, shape, i) for i in range(3))
    down, right = shift // side, shift % side
    padded = jax.tree.map(lambda x: x.reshape(*x.shape[:-2], -1), _pad(other, radius))
    spread = lambda x: jnp.broadcast_to(x[..., None], (*x.shape[:-2], *shape))

    @jax.jit  # traced once
    def compare(first: jax.Array) -> Tree:
        index = (row + first + down) * (width + 2 * radius) + column + right
        # The last rows may lie beyond the window. The first pixel of the margin is 0.
        index = jnp.where(first + down < side, index, 0)
        read = lambda x: x.at[..., index].get(mode="promise_in_bounds")
        return function(jax.tree.map(spread, own), jax.tree.map(read, padded), lambda x: x)

    starts = np.arange(0, side, rows, dtype=np.int32)
    see = lambda first: _sum_last_axis(compare(first))
    many = len(starts) > 1
    sums = _add_up(see, starts, _make_zeros(own)) if many else see(starts[0])
    leaves, structure = jax.tree.flatten(jax.eval_shape(compare, starts[0]))
    ends = np.cumsum([x.size // np.prod(shape) for x in leaves])
    parts = [
        x.reshape(y.shape[:-1]) for x, y in zip(jnp.split(sums, ends[:-1]), leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, parts)


def _sum_last_axis(tree: Tree) -> jax.Array:
    """The sums of all leaves (..., h, w, n), as one array (m, h, w).

    Leaves of one shape are summed in one reduction, which computes what they share once.
    """
    leaves = jax.tree.leaves(tree)
    sums: dict[int, jax.Array] = {}
    for shape in {x.shape for x in leaves}:
        like = [i for i, x in enumerate(leaves) if x.shape == shape]
        add = lambda a, b: tuple(x + y for x, y in zip(a, b, strict=True))
        zeros = tuple(jnp.zeros((), leaves[i].dtype) for i in like)
        results = lax.reduce(tuple(leaves[i] for i in like), zeros, add, (len(shape) - 1,))
        sums.update(zip(like, results, strict=True))
    parts = [sums[i] for i in range(len(leaves))]
    return jnp.concatenate([x.reshape(-1, *x.shape[-2:]) for x in parts])


def _add_up(see: Callable[..., Tree], steps: Tree, nothing: jax.Array) -> Tree:
    """The sum of see(step) over all steps."""
    shapes = jax.eval_shape(see, jax.tree.map(lambda x: x[0], steps))
    start = jax.tree.map(lambda x: jnp.broadcast_to(nothing, x.shape), shapes)
    add = lambda sums, step: (jax.tree.map(jnp.add, sums, see(step)), None)
    return lax.scan(add, start, steps)[0]


def _make_zeros(maps: Tree) -> jax.Array:
    """A map (h, w) of zeros that varies over the same axes of a mesh as the maps do."""
    first = jax.tree.leaves(maps)[0]
    return 0 * first.reshape(-1, *first.shape[-2:])[0]


def _pad(maps: Tree, radius: int) -> Tree:
    """Adds zeros around maps (..., h, w)."""
    margin = (radius, radius)
    return jax.tree.map(lambda x: jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [margin, margin]), maps)
