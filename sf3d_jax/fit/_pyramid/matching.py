"""A coarse start for large motions: every displacement of a small image, matched semi-globally.

The cost of the displacement o at the pixel p is the mean over a window of 3 x 3 of

    min(|s I0(p) - s I1(p + o)| + |grad I0(p) - grad I1(p + o)|, t) / t,

with t three times the mean slope, so that 1 is the cost of what has no partner. One displacement
that is not whole competes as well: that which steps from rest find. Without it, a texture that
repeats would rather move by many periods that happen to be whole than by a fraction of a pixel.
Along the rows and columns, both ways, costs of a path add up (Hirschmueller 2008, with labels of
two dimensions)

    L(p, o) = C(p, o) + min(L(q, o), L(q, o +- 1) + near, min over all L(q, .) + far) - min L(q, .)

from the pixel q before p. The least sum over the four ways is the match; the same sums, read at
p + o, give the matches of the other image. Those that do not lead back are filled in.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax.fit._pyramid.maps import (
    Size,
    add_up,
    blur,
    count_in,
    fill_unknown,
    grid,
    is_inside,
    mean,
    median,
    pad,
    sample,
    sample_smoothly,
    slopes,
)

BRIGHTNESS = 0.1
_BLUR = 0.4
_TRUNCATION = 3.0
_NEAR, _FAR = 0.2, 2.0
_UNSEEN, _LENGTH = 0.7, 0.05
# Pixels times displacements: what is held in memory, and takes the time.
_COSTS = 6e6


def matching_size(size: tuple[int, ...], reach: float) -> tuple[int, int]:
    """The size at which all displacements within the reach are matched."""
    height, width = size
    share = max(2 * reach, 1e-3)
    scale = min(1.0, (_COSTS / share**2) ** 0.25 / math.sqrt(height * width))
    return max(1, round(scale * height)), max(1, round(scale * width))


def match(
    images: jax.Array,
    known: jax.Array,
    found: jax.Array,
    size: Size,
    radii: tuple[jax.Array, jax.Array],
    most: tuple[int, int],
) -> jax.Array:
    """The matches of two small images.

    Args:
      images: (2, h, w), both.
      known: (2, h, w), bool.
      found: (2, h, w), a displacement (u, v) of the first image that is not whole; the whole one
        next to it costs no more than it.
      size: (rows, columns) of the images.
      radii: the longest displacement down and along, in pixels.
      most: what the radii cannot exceed.

    Returns:
      (2, 2, h, w): of both images the displacement (u, v) to the other, in pixels.
    """
    own = count_in(images, size)
    costs = _find_costs(images, known & own, found, size, radii, most)
    # A path that comes from beyond the image starts with nothing there.
    costs = _add_up_paths(jnp.where(own[0, ..., None, None], costs, 0))
    there, back = _find_winners(jnp.where(own[0, ..., None, None], costs, jnp.inf), *most)
    result = jnp.stack([there, -back]).astype(images.dtype)
    columns, rows = grid(images)
    u, v = result[:, 0], result[:, 1]
    ways = [result[::-1, 0], result[::-1, 1]]
    bu, bv = sample(ways, columns + u, rows + v, size, "nearest")
    agreed = jnp.abs(u + bu) + jnp.abs(v + bv) <= 1.5
    agreed = jnp.broadcast_to(agreed[:, None], result.shape)
    return median(fill_unknown(result, agreed, size), size)


def _find_costs(
    images: jax.Array,
    known: jax.Array,
    found: jax.Array,
    size: Size,
    radii: tuple[jax.Array, jax.Array],
    most: tuple[int, int],
) -> jax.Array:
    """(h, w, 2 down + 1, 2 along + 1), down and along at their most; infinite beyond the radii."""
    down, along = most
    images = blur(images, _BLUR, size)
    features = jnp.stack([BRIGHTNESS * images, *slopes(images, size)], axis=1)
    sizes = jnp.where(count_in(images, size), jnp.abs(features[0, 1:]), 0)
    mean_slope = add_up(sizes).sum() / (2 * size[0] * size[1])
    limit = jnp.where(mean_slope > 0, _TRUNCATION * mean_slope, 1)
    # Infinity is as far as the limit from everything.
    other = jnp.where(known[1], features[1], jnp.inf)
    other = pad(other, (down, down), (along, along), constant_values=jnp.inf)
    count = 2 * along + 1

    def cost_of(moved: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
        a, b, c = jnp.abs(moved - features[0])
        cost = jnp.where(jnp.isfinite(a), jnp.minimum(a + b + c, limit) / limit, _UNSEEN)
        far = jnp.hypot(u, v) / jnp.sqrt(radii[0] ** 2 + radii[1] ** 2 + 1)
        return mean(jnp.where(known[0], cost, _UNSEEN), 1, size) + _LENGTH * far

    of_found = cost_of(_sample_known(features[1], known[1], size, *found), *found)
    nearest = jnp.round(found)

    def of_displacement(i: jax.Array) -> jax.Array:
        moved = lax.dynamic_slice(other, (0, i // count, i % count), features[0].shape)
        u, v = (x.astype(images.dtype) for x in (i % count - along, i // count - down))
        cost = cost_of(moved, u, v)
        is_near = (nearest[0] == u) & (nearest[1] == v)
        cost = jnp.where(is_near, jnp.minimum(cost, of_found), cost)
        return jnp.where((jnp.abs(u) <= radii[1]) & (jnp.abs(v) <= radii[0]), cost, jnp.inf)

    costs = lax.map(of_displacement, jnp.arange(count * (2 * down + 1)))
    costs = costs.reshape(2 * down + 1, count, *images.shape[-2:])
    return costs.transpose(2, 3, 0, 1)


def _sample_known(
    maps: jax.Array, known: jax.Array, size: Size, u: jax.Array, v: jax.Array
) -> jax.Array:
    """Maps (n, h, w) where the pixels go, and infinity where nothing is known there."""
    columns, rows = grid(u)
    u, v = columns + u, rows + v
    both = jnp.concatenate([maps, known.astype(maps.dtype)[None]])
    (values,) = sample_smoothly(both[None], u[None], v[None], size)
    return jnp.where(is_inside(u, v, size) & (values[-1] > 0.99), values[:-1], jnp.inf)


def _add_up_paths(costs: jax.Array) -> jax.Array:
    """The sums over paths in four directions."""

    def step(before: jax.Array, cost: jax.Array) -> tuple[jax.Array, jax.Array]:
        least = before.min(axis=(-2, -1), keepdims=True)
        wide = pad(before, (1, 1), (1, 1), constant_values=jnp.inf)
        beside = jnp.minimum(
            jnp.minimum(wide[:, 2:, 1:-1], wide[:, :-2, 1:-1]),
            jnp.minimum(wide[:, 1:-1, 2:], wide[:, 1:-1, :-2]),
        )
        onward = jnp.minimum(jnp.minimum(before, beside + _NEAR), least + _FAR)
        after = cost + onward - least
        return after, after

    def both_ways(costs: jax.Array) -> jax.Array:
        start = jnp.zeros_like(costs[0])
        return lax.scan(step, start, costs)[1] + lax.scan(step, start, costs, reverse=True)[1]

    return both_ways(costs) + both_ways(costs.swapaxes(0, 1)).swapaxes(0, 1)


def _find_winners(costs: jax.Array, down: int, along: int) -> tuple[jax.Array, jax.Array]:
    """The cheapest displacement of every pixel, and that which leads to every pixel."""
    height, width = costs.shape[:2]
    count = 2 * along + 1
    listed = costs.reshape(height, width, -1)
    vector = lambda i: jnp.stack([i % count - along, i // count - down])

    def arrive(state: tuple, one: tuple) -> tuple:
        least, which = state
        i, cost = one
        wide = pad(cost, (down, down), (along, along), constant_values=jnp.inf)
        u, v = vector(i)
        cost = lax.dynamic_slice(wide, (down - v, along - u), (height, width))
        cheaper = cost < least
        return (jnp.where(cheaper, cost, least), jnp.where(cheaper, i, which)), None

    still = jnp.full((height, width), count * down + along)
    start = jnp.full((height, width), jnp.inf, costs.dtype), still
    each = jnp.arange(listed.shape[-1]), jnp.moveaxis(listed, -1, 0)
    (_, arrived), _ = lax.scan(arrive, start, each)
    return vector(listed.argmin(-1)), vector(arrived)
