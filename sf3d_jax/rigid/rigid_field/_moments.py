"""Moments of points and of their motions over the windows of an image.

A body moves rigidly exactly if s = k x m + tau for all its points. Here s is the motion of a point
from x to x + s, m = x + s / 2 is the middle, and k = 2 tan(angle / 2) axis (Cayley). The equation
is linear, so a fit needs only sums: with weights w, q = m - mean(m) and e = s - mean(s),

    n = sum(w),   mean(m),   mean(s),   sum(w q q^T),   sum(w q x e).

Two sets are merged by Chan's formula, which is made of moments about means and differences of
means. Moments about one origin would lose the digits of a small window that is far from it.

The window of a pixel is the window of its column, each pixel of which stands for the window of its
row. Along a line a window is two arms of radius + 1 pixels, each up to the first edge. The pixel
itself is in both arms. Pixels that are not valid weigh nothing and stand for no row.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import mask
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax._numerics.vectors import Vector, add, cross, scale, subtract
from sf3d_jax.rigid.rigid_field._blocks import combine_in_blocks
from sf3d_jax.rigid.rigid_field._doubling import combine_by_doubling
from sf3d_jax.rigid.rigid_field._states import Begin, Merge, State

# Axes of rows and columns in maps (n, h, w).
_ROWS, _COLUMNS = 1, 2
# The entries of a symmetric matrix, in the order in which they are kept.
_UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


class Links(NamedTuple):
    """Which pixels belong together, in maps (n, h, w) of bool.

    Attributes:
      from_left: whether a pixel is on one surface with the one on its left.
      from_above: the same for the one above it.
      valid: which pixels are in windows. Windows go on behind others, as the links say.
    """

    from_left: jax.Array
    from_above: jax.Array
    valid: jax.Array


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def sum_moments(radius: int, links: Links, pixels: State) -> State:
    """Moments of all windows, as 16 maps (n, h, w).

    Args:
      radius: pixels of an arm beyond the middle.
      links: which pixels belong together.
      pixels: the weight, the three entries of m and those of s, each (n, h, w); 0 where not valid.

    Returns:
      The weight, the means of m and s, the six second moments and the three mixed ones.
    """
    along = combine(pixels, links.from_left, radius, _COLUMNS, _begin, _merge)
    along = mask(links.valid, along)
    return combine(along, links.from_above, radius, _ROWS, lambda state: state, _merge)


def combine(
    pixels: State, joined: jax.Array, radius: int, axis: int, begin: Begin, merge: Merge
) -> State:
    """Combines what is known of the pixels of each window along one axis.

    Args:
      pixels: maps (n, h, w).
      joined: (n, h, w), bool, whether no edge separates a pixel from the one before it.
      radius: pixels of an arm beyond the middle.
      axis: 1 along columns, 2 along rows.
      begin: makes the state of a pixel.
      merge: merges two states.
    """
    if not joined.size:
        return begin(pixels)
    form = lambda combine: (
        lambda pixels, joined: combine(pixels, joined, radius, axis, begin, merge)
    )
    return choose_by_platform(form(combine_in_blocks), form(combine_by_doubling), pixels, joined)


def _begin(pixel: State) -> State:
    """The state of one pixel, which has no moments about its own mean."""
    return *pixel, *(jnp.zeros_like(pixel[0]),) * (len(_UPPER) + 3)


def _merge(a: State, b: State, counts: jax.Array) -> State:
    """Merges two sets of pixels, by Chan's formula; the second where it counts."""
    keep = lambda x: jnp.where(counts, x, 0)
    weight = keep(b[0])
    total = a[0] + weight
    share = weight / jnp.where(total > 0, total, 1)
    apart = subtract(b[1:7], a[1:7])
    between = _multiply_pairs(a[0] * share, apart[:3], apart[3:])
    seconds = (x + keep(y) + z for x, y, z in zip(a[7:], b[7:], between, strict=True))
    return total, *add(a[1:7], scale(share, apart)), *seconds


def _multiply_pairs(weight: jax.Array, q: Vector, e: Vector) -> State:
    """weight q q^T, the six different entries, and weight q x e."""
    weighted = scale(weight, q)
    return *(weighted[i] * q[j] for i, j in _UPPER), *cross(weighted, e)


@sum_moments.defjvp
def _sum_moments_jvp(
    radius: int,
    primals: tuple[Links, State],
    tangents: tuple[Links, State],
) -> tuple[State, State]:
    """The tangents of sums about the origin, brought to the means.

    They are sums of what changes, so an origin far away costs them few digits, where it would cost
    the moments all.
    """
    links, pixels = primals
    state = sum_moments(radius, links, pixels)
    _, changes = jax.jvp(_expand, (pixels,), tangents[1:])
    changes = _sum_windows(radius, links, changes)
    return state, _center(state, changes)


def _expand(pixel: State) -> State:
    """The weight, and weight times m, s, m m^T and m x s."""
    weight, *vectors = pixel
    m, s = tuple(vectors[:3]), tuple(vectors[3:])
    return weight, *scale(weight, vectors), *_multiply_pairs(weight, m, s)


def _center(state: State, change: State) -> State:
    """The change of moments about means, from that of sums about the origin."""
    has_any = state[0] > 0
    dn, (m, s) = change[0], (state[1:4], state[4:7])
    # The change of each sum, less that of its mean times the weight.
    dm, ds = change[1:4], change[4:7]
    means = [
        (x - dn * mean) / jnp.where(has_any, state[0], 1)
        for x, mean in zip((*dm, *ds), (*m, *s), strict=True)
    ]
    squares = [
        x - (dm[i] * m[j] + m[i] * dm[j] - dn * (m[i] * m[j]))
        for x, (i, j) in zip(change[7:13], _UPPER, strict=True)
    ]
    mixed = subtract(change[13:], subtract(add(cross(dm, s), cross(m, ds)), scale(dn, cross(m, s))))
    return dn, *means, *squares, *mixed


def _sum_windows(radius: int, links: Links, maps: State) -> State:
    """The sums of maps over all windows."""
    # One array, because JAX cannot transpose a solver of several if some are constant.
    together = jnp.concatenate(maps)
    links = Links(*(jnp.concatenate([x] * len(maps)) for x in links))
    along_row = partial(_sum_along, radius, _COLUMNS, links.from_left)
    along_column = partial(_sum_along, radius, _ROWS, links.from_above)
    sums = _transposable(
        lambda x: along_column(mask(links.valid, along_row(x))),
        lambda x: along_row(mask(links.valid, along_column(x))),
        together,
    )
    return tuple(jnp.split(sums, len(maps)))


def _sum_along(radius: int, axis: int, joined: jax.Array, x: jax.Array) -> jax.Array:
    """The sums of a map over windows along an axis.

    This is its own transpose: a pixel is in the window of another if that one is in its own.
    """
    merge: Merge = lambda a, b, counts: (a[0] + jnp.where(counts, b[0], 0),)
    return combine((x,), joined, radius, axis, lambda state: state, merge)[0]


def _transposable(
    linear: Callable[[jax.Array], jax.Array],
    transpose: Callable[[jax.Array], jax.Array],
    x: jax.Array,
) -> jax.Array:
    """linear(x), with the given transpose.

    JAX lets a solver say how it is transposed, and never looks at what it solves, so the solver may
    be any linear function. (`jax.custom_derivatives.linear_call` has no rule for vmap.)
    """
    return lax.custom_linear_solve(
        lambda x: x, x, lambda _, x: linear(x), lambda _, x: transpose(x)
    )
