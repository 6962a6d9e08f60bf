"""Windows along an axis on CPUs: loops over blocks of pixels whose data stay in the cache.

Lines are cut into blocks of radius + 1 pixels, so that an arm spans at most two. In each block, a
scan backward combines a pixel with those behind it, and a scan forward with those before it. An arm
is a merge of one of each, so that the time does not depend on the radius.
"""

from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax.rigid.rigid_field._doubling import shift
from sf3d_jax.rigid.rigid_field._states import Begin, Merge, State
from sf3d_jax.warping._windows import match_varying_axes

# Numbers of a state that one step of a scan merges, so that a strip stays in the cache.
_STEP = 32768
# The lines of a strip are neighbours in memory if windows are along columns; these are whole
# vectors, and lines of the cache.
_VECTOR = 16

# The state at one pixel of each block of what lies behind (or before) it up to an edge; the same at
# the last pixel of the block that no edge separates from its first; whether the two are the same.
_Arm: TypeAlias = tuple[State, State, jax.Array]
# What the backward scan leaves for each pixel: the state of those behind it in its block; of those
# at the end of the block before, as far as its arm reaches; and whether its arm leaves the block.
_Behind: TypeAlias = tuple[State, State, jax.Array]


def combine_in_blocks(
    pixels: State, joined: jax.Array, radius: int, axis: int, begin: Begin, merge: Merge
) -> State:
    """Combines the windows along one axis, one strip of lines after the other.

    Args and result are those of `combine`.
    """
    count, lines, length = joined.shape[0], joined.shape[3 - axis], joined.shape[axis]
    block = min(radius + 1, length)
    shapes = jax.eval_shape(begin, pixels)
    width = min(lines, _find_width(len(shapes) * -(-length // block), axis))
    per_map = -(-lines // width)
    size = (1, length, width) if axis == 1 else (1, width, length)

    def corner(i: jax.Array) -> tuple[jax.Array, ...]:
        # The last strip overlaps the one before it.
        line = jnp.minimum(i % per_map * width, lines - width)
        at = (jnp.zeros_like(i), line)
        return i // per_map, *(at if axis == 1 else at[::-1])

    def combine_strip(i: jax.Array) -> State:
        *parts, links = (lax.dynamic_slice(x, corner(i), size)[0] for x in (*pixels, joined))
        return _combine_strip(tuple(parts), links, block, axis - 1, begin, merge)

    def step(i: jax.Array, results: State) -> State:
        write = lambda x, part: lax.dynamic_update_slice(x, part[None], corner(i))
        return tuple(map(write, results, combine_strip(i)))

    results = match_varying_axes(tuple(jnp.zeros(x.shape, x.dtype) for x in shapes), pixels)
    return lax.fori_loop(0, count * per_map, step, results)


def _find_width(numbers: int, axis: int) -> int:
    """How many lines a strip has if each has that many numbers in a step."""
    multiple = _VECTOR if axis == 1 else 1
    return multiple * max(1, round(_STEP / (numbers * multiple)))


def _combine_strip(
    pixels: State, joined: jax.Array, block: int, axis: int, begin: Begin, merge: Merge
) -> State:
    """Combines the windows along one axis of maps (h, w)."""
    length = joined.shape[axis]
    pixels, joined = jax.tree.map(lambda x: _cut(x, block, axis), (pixels, joined))
    true = jnp.ones_like(joined[:1])
    # Before the first pixel of a block there is nothing, and merging that changes nothing.
    inner = jnp.concatenate([true, joined[1:]])
    nothing = jax.tree.map(jnp.zeros_like, begin(tuple(x[0] for x in pixels)))
    empty = match_varying_axes((nothing, nothing, true[0]), (pixels, joined))
    after = lambda tree: jax.tree.map(lambda x: shift(x, 1, axis), tree)
    before = lambda tree: jax.tree.map(lambda x: shift(x, -1, axis), tree)
    enters, leaves = joined[0], after(joined[0])

    def step_back(arm: _Arm, x: tuple[State, jax.Array]) -> tuple[_Arm, _Behind]:
        (behind, farthest, whole), (pixel, link) = arm, x
        earlier = before(farthest)
        behind, whole = merge(begin(pixel), behind, link), whole & link
        return (behind, _select(whole, behind, farthest), whole), (behind, earlier, whole)

    def step_on(arm: _Arm, x: tuple[State, jax.Array, _Behind]) -> tuple[_Arm, State]:
        (ahead, farthest, whole), (pixel, link, (behind, earlier, reaches)) = arm, x
        later = after(farthest)
        ahead, whole = merge(begin(pixel), ahead, link), whole & link
        arms = merge(behind, later, reaches & leaves), merge(ahead, earlier, whole & enters)
        return (ahead, _select(whole, ahead, farthest), whole), merge(*arms, true[0])

    links = jnp.concatenate([inner[1:], true])
    _, behind = lax.scan(step_back, empty, (pixels, links), reverse=True)
    _, result = lax.scan(step_on, empty, (pixels, inner, behind))
    return tuple(_join(x, length, axis) for x in result)


def _select(where: jax.Array, state: State, otherwise: State) -> State:
    return tuple(jnp.where(where, x, y) for x, y in zip(state, otherwise, strict=True))


def _cut(x: jax.Array, block: int, axis: int) -> jax.Array:
    """Cuts the lines of a map (h, w) into blocks: (block, h, blocks) or (block, blocks, w)."""
    length = x.shape[axis]
    count = -(-length // block)
    margin = [(0, 0), (0, 0)]
    margin[axis] = (0, count * block - length)
    x = jnp.pad(x, margin)
    x = x.reshape(*x.shape[:axis], count, block, *x.shape[axis + 1 :])
    return jnp.moveaxis(x, axis + 1, 0)


def _join(x: jax.Array, length: int, axis: int) -> jax.Array:
    """The inverse of `_cut`."""
    x = jnp.moveaxis(x, 0, axis + 1)
    x = x.reshape(*x.shape[:axis], -1, *x.shape[axis + 2 :])
    return lax.slice_in_dim(x, 0, length, axis=axis)
