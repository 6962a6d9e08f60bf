"""Solves normal equations with smoothness on a grid by conjugate gradients.

For the unknown x_i of every channel i at every pixel p with neighbours q,

    sum over j of A_ij x_j + sum over q of w_pq (x_i(p) - x_i(q)) = b_i.

A is symmetric and positive at every pixel, so the whole system is. The preconditioner solves each
pixel separately: the first two channels jointly, every other channel alone.
"""

from collections.abc import Callable, Sequence
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import reciprocal
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.fit._pyramid.maps import add_up, differences, pad

Maps = tuple[jax.Array, ...]
# For every channel, the weights w to the next pixel along u and along v.
Links = Sequence[tuple[jax.Array, jax.Array]]

# Steps in the body of the GPU's loop, whose counter is a kernel, too.
_UNROLL = 14
# Numbers that one block of a GPU sums.
_ONE_BLOCK = 2**14


def _read_before(along: jax.Array, down: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the values of the pixels to the left and above; 0 at the border."""
    return (
        pad(along[..., :-1], (0, 0), (1, 0), constant_values=0),
        pad(down[..., :-1, :], (1, 0), (0, 0), constant_values=0),
    )


def roughness(x: jax.Array, links: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Sums w_pq (x(p) - x(q)) over the neighbours q of each pixel p."""
    along, down = (w * step for w, step in zip(links, differences(x), strict=True))
    left, above = _read_before(along, down)
    return left - along + above - down


def _dot(x: Maps, y: Maps) -> jax.Array:
    return add_up(_multiply_pixels(x, y))


def _divide(x: jax.Array, y: jax.Array) -> jax.Array:
    """x / y, or 0 where y is not positive, as once the solution is found."""
    positive = y > 0
    return jnp.where(positive, x, 0) / jnp.where(positive, y, 1)


def solve(matrix: Sequence[Maps], right: Maps, links: Links, count: int) -> Maps:
    """Takes steps of conjugate gradients, starting from zero.

    Args:
      matrix: rows of maps, A.
      right: maps, b.
      links: w of every channel; 0 where there is no next pixel.
      count: number of steps.

    Returns:
      Maps, x.
    """
    forms = partial(_solve, count=count), partial(_solve_with_joint_sums, count=count)
    return choose_by_platform(*forms, tuple(matrix), right, tuple(links))


def _solve(matrix: tuple[Maps, ...], right: Maps, links: Links, *, count: int) -> Maps:
    precondition = _make_preconditioner(matrix, links)

    def step(_: jax.Array, state: tuple) -> tuple:
        x, rest, along, energy = state
        image = _multiply(matrix, links, along)
        size = _divide(energy, _dot(along, image))
        x = _add(x, size, along)
        rest = _add(rest, -size, image)
        better = precondition(rest)
        next_energy = _dot(rest, better)
        turn = _divide(next_energy, energy)
        along = _add(better, turn, along)
        return x, rest, along, next_energy

    start = precondition(right)
    state = tuple(map(jnp.zeros_like, right)), right, start, _dot(right, start)
    return lax.fori_loop(0, count, step, state)[0]


def _multiply(matrix: Sequence[Maps], links: Links, x: Maps) -> Maps:
    rows = zip(matrix, x, links, strict=True)
    product = lambda row: sum(a * b for a, b in zip(row, x, strict=True))
    return tuple(product(row) + roughness(own, w) for row, own, w in rows)


def _add(x: Maps, factor: jax.Array, y: Maps) -> Maps:
    return tuple(a + factor * b for a, b in zip(x, y, strict=True))


def _make_preconditioner(matrix: Sequence[Maps], links: Links) -> Callable[[Maps], Maps]:
    diagonal = [
        matrix[i][i] + along + down + sum(_read_before(along, down))
        for i, (along, down) in enumerate(links)
    ]
    uu, vv, uv = diagonal[0], diagonal[1], matrix[0][1]
    # The step is 0 where a pixel has neither data nor links.
    inverse = _divide(jnp.ones_like(uu), uu * vv - uv * uv)
    single = [_divide(jnp.ones_like(x), x) for x in diagonal[2:]]

    def precondition(x: Maps) -> Maps:
        u, v, *others = x
        both = (vv * u - uv * v) * inverse, (uu * v - uv * u) * inverse
        return (*both, *(a * b for a, b in zip(single, others, strict=True)))

    return precondition


def _solve_with_joint_sums(
    matrix: tuple[Maps, ...], right: Maps, links: Links, *, count: int
) -> Maps:
    """The same steps with all sums of a step at once, in three kernels a step.

    With the residual r, u = M^-1 r, its image w = A u, and the direction p with the image s,

        e = r . u,   p += u / e,   s += w / e,   q = p . s,   x += p / q,   r -= s / q.

    q is the sum of the old p . s and the rest of the product, 2 u . s / e + u . w / e^2. Source:
    Chronopoulos and Gear, "s-step iterative methods for symmetric linear systems" (1989), with
    directions divided by e.
    """
    precondition = _make_preconditioner(matrix, links)

    def go_on(state: tuple[Maps, ...], sums: Maps, w: Maps) -> tuple[Maps, ...]:
        x, rest, along, image, u = state
        energy, uw, us, ps = sums
        turn = _invert(energy)
        size = _invert((uw * turn + 2 * us) * turn + ps)
        along, image = _add(along, turn, u), _add(image, turn, w)
        x, rest = _add(x, size, along), _add(rest, -size, image)
        # Otherwise XLA would compute these again for every neighbour.
        return lax.optimization_barrier((x, rest, along, image, precondition(rest)))

    def step(_: jax.Array, state: tuple[Maps, ...]) -> tuple[Maps, ...]:
        rest, along, image, u = state[1:]
        w = _multiply(matrix, links, u)
        return go_on(state, _add_up_jointly([(rest, u), (u, w), (u, image), (along, image)]), w)

    # The first step apart, as the directions are 0.
    u = precondition(right)
    w = _multiply(matrix, links, u)
    energy, uw = _add_up_jointly([(right, u), (u, w)])
    zeros, zero = tuple(map(jnp.zeros_like, right)), jnp.zeros_like(energy)
    state = go_on((zeros, right, zeros, zeros, u), (energy, uw, zero, zero), w)
    result: Maps = lax.fori_loop(1, count, step, state, unroll=_UNROLL)[0]
    return result


def _invert(x: jax.Array) -> jax.Array:
    """1 / x, or 0 for x so small that it only occurs once the solution is found."""
    positive = x > jnp.finfo(x.dtype).tiny ** 0.75
    return jnp.where(positive, reciprocal(jnp.where(positive, x, 1)), 0)


def _multiply_pixels(x: Maps, y: Maps) -> jax.Array:
    return reduce(jnp.add, (a * b for a, b in zip(x, y, strict=True)))


def _add_up_jointly(pairs: Sequence[tuple[Maps, Maps]]) -> Maps:
    """Sums the products of pairs over the pixels of each frame, as (n, 1, 1), in few kernels."""
    maps = tuple(_multiply_pixels(*pair) for pair in pairs)
    zeros = (jnp.zeros((), maps[0].dtype),) * len(maps)
    add = lambda x, y: tuple(a + b for a, b in zip(x, y, strict=True))
    height, width = maps[0].shape[1:]
    if height * width > _ONE_BLOCK:
        # One kernel sums rows as it makes the maps, and another sums the rows.
        maps = lax.optimization_barrier(tuple(lax.reduce(maps, zeros, add, (2,))))
    sums = lax.reduce(maps, zeros, add, tuple(range(1, maps[0].ndim)))
    return tuple(total[:, None, None] for total in sums)
