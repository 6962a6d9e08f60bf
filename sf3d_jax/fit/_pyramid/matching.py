"""Coarse start for large motions: semi-global matching over all displacements of a small image.

The cost of displacement o at pixel p is the mean over 3 x 3 pixels of

    min(|s I0(p) - s I1(p + o)| + |grad I0(p) - grad I1(p + o)|, t) / t,

with t three times the mean slope, so that an unmatched pixel costs 1. One fractional displacement
also competes, the one found by Gauss-Newton steps from rest. Without it, a repeating texture would
be matched many periods away, at a displacement that happens to be an integer, rather than a
fraction of a pixel away. Costs are summed along paths, both ways along rows and columns
(Hirschmueller 2008, with two-dimensional labels),

    L(p, o) = C(p, o) + min(L(q, o), L(q, o +- 1) + near, min over all L(q, .) + far) - min L(q, .)

where q is the pixel before p. The displacement with the smallest sum over the four directions is
the match. The same sums, read at p + o, give the matches of the other image. Matches that are not
consistent in both directions are filled in.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.fit._pyramid.maps import Size, add_up, fill_unknown, grid, is_in_map, is_inside, pad
from sf3d_jax.fit._pyramid.windows import blur, mean, median, sample, sample_other_smoothly, slopes

BRIGHTNESS = 0.1
_BLUR = 0.4
_TRUNCATION = 3.0
_NEAR, _FAR = 0.2, 2.0
_UNSEEN, _LENGTH = 0.7, 0.05
# Steps of the paths in the body of the GPU's loop, whose counter is a kernel, too.
_UNROLL = 6
# Largest number of pixels times displacements, which determines memory and time.
_COSTS = 6e6


def find_matching_size(size: tuple[int, ...], reach: float) -> tuple[int, int]:
    """Finds the size at which all displacements within the reach can be matched."""
    height, width = size
    scale = find_matching_scale(size, reach)
    return max(1, round(scale * height)), max(1, round(scale * width))


def find_matching_scale(size: tuple[int, ...], reach: float) -> float:
    """Finds the ratio of that size to the whole one before its sides are rounded."""
    share = max(2 * reach, 1e-3)
    return min(1.0, (_COSTS / share**2) ** 0.25 / math.sqrt(math.prod(size)))


def match(
    images: jax.Array,
    known: jax.Array,
    found: jax.Array,
    size: Size,
    radii: tuple[jax.Array, jax.Array],
    most: tuple[int, int],
) -> jax.Array:
    """Matches two small images.

    Args:
      images: (2, h, w), both images.
      known: (2, h, w), bool.
      found: (2, h, w), a fractional displacement (u, v) of the first image; it lowers the cost of
        the nearest integer displacement to its own.
      size: (rows, columns) of the images.
      radii: longest displacement (down, along) in pixels.
      most: static upper limits of the radii.

    Returns:
      (2, 2, h, w): the displacement (u, v) from each image to the other, in pixels.
    """
    own = is_in_map(images, size)
    costs = _find_costs(images, known & own, found, size, radii, most)
    # Costs are 0 beyond the image, so that paths start with 0 at its border.
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
    """Computes costs (h, w, 2 most[0] + 1, 2 most[1] + 1), infinite beyond the radii."""
    down, along = most
    images = blur(images, _BLUR, size)
    features = jnp.stack([BRIGHTNESS * images, *slopes(images, size)], axis=1)
    sizes = jnp.where(is_in_map(images, size), jnp.abs(features[0, 1:]), 0)
    mean_slope = add_up(sizes).sum() / (2 * size[0] * size[1])
    limit = jnp.where(mean_slope > 0, _TRUNCATION * mean_slope, 1)
    # Unknown features are infinite; their cost is that of an unseen pixel.
    other = jnp.where(known[1], features[1], jnp.inf)
    other = pad(other, (down, down), (along, along), constant_values=jnp.inf)
    count = 2 * along + 1

    def find_cost(moved: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
        a, b, c = jnp.abs(moved - features[0])
        cost = jnp.where(jnp.isfinite(a), jnp.minimum(a + b + c, limit) / limit, _UNSEEN)
        far = jnp.hypot(u, v) / jnp.sqrt(radii[0] ** 2 + radii[1] ** 2 + 1)
        return mean(jnp.where(known[0], cost, _UNSEEN), 1, size) + _LENGTH * far

    found_cost = find_cost(_sample_known(features[1], known[1], size, *found), *found)
    nearest = jnp.round(found)

    def find_displacement_cost(i: jax.Array) -> jax.Array:
        moved = lax.dynamic_slice(other, (0, i // count, i % count), features[0].shape)
        u, v = (x.astype(images.dtype) for x in (i % count - along, i // count - down))
        cost = find_cost(moved, u, v)
        is_near = (nearest[0] == u) & (nearest[1] == v)
        cost = jnp.where(is_near, jnp.minimum(cost, found_cost), cost)
        return jnp.where((jnp.abs(u) <= radii[1]) & (jnp.abs(v) <= radii[0]), cost, jnp.inf)

    one_by_one, at_once = partial(lax.map, find_displacement_cost), jax.vmap(find_displacement_cost)
    costs = choose_by_platform(one_by_one, at_once, jnp.arange(count * (2 * down + 1)))
    costs = costs.reshape(2 * down + 1, count, *images.shape[-2:])
    return costs.transpose(2, 3, 0, 1)


def _sample_known(
    maps: jax.Array, known: jax.Array, size: Size, u: jax.Array, v: jax.Array
) -> jax.Array:
    """Samples maps (n, h, w) where the pixels move to; infinite where the maps are unknown."""
    columns, rows = grid(u)
    u, v = columns + u, rows + v
    both = jnp.concatenate([maps, known.astype(maps.dtype)[None]])
    (values,) = sample_other_smoothly(both[None], u[None], v[None], size)
    return jnp.where(is_inside(u, v, size) & (values[-1] > 0.99), values[:-1], jnp.inf)


def _add_up_paths(costs: jax.Array) -> jax.Array:
    """Sums costs over paths in four directions."""
    return choose_by_platform(_add_up_paths_one_by_one, _add_up_paths_together, costs)


def _add_up_paths_one_by_one(costs: jax.Array) -> jax.Array:
    def step(before: jax.Array, cost: jax.Array) -> tuple[jax.Array, jax.Array]:
        after = _go_on(before, before.min(axis=(-2, -1), keepdims=True), cost)
        return after, after

    def both_ways(costs: jax.Array) -> jax.Array:
        start = jnp.zeros_like(costs[0])
        return lax.scan(step, start, costs)[1] + lax.scan(step, start, costs, reverse=True)[1]

    return both_ways(costs) + both_ways(costs.swapaxes(0, 1)).swapaxes(0, 1)


def _add_up_paths_together(costs: jax.Array) -> jax.Array:
    """Follows all paths in one loop: those down, up, to the right and to the left."""
    height, width = costs.shape[:2]
    y, x = np.arange(height)[:, None], np.arange(width)
    pixels = y * width + x
    starts = pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]
    strides, lengths = (width, -width, 1, -1), (height, height, width, width)
    start, number = np.concatenate(starts), [len(each) for each in starts]
    stride, last = np.repeat(strides, number), np.repeat(lengths, number) - 1
    costs = costs.reshape(height * width, *costs.shape[2:])

    def step(i: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        sums, least = state
        # The shorter paths go on at their last pixels; this is not read.
        cost = costs.at[start + stride * jnp.minimum(i, last)].get(mode="promise_in_bounds")
        before = lax.dynamic_index_in_dim(sums, i, keepdims=False)
        after = _go_on(before, least, cost)
        sums = lax.dynamic_update_index_in_dim(sums, after, i + 1, 0)
        return sums, after.min(axis=(-2, -1), keepdims=True)

    most = max(height, width)
    sums = jnp.zeros((most + 1, len(start), *costs.shape[1:]), costs.dtype)
    sums, _ = lax.fori_loop(0, most, step, (sums, sums[0, :, :1, :1]), unroll=_UNROLL)
    down, up = sums[y + 1, x], sums[height - y, width + x]
    right, left = sums[x + 1, 2 * width + y], sums[width - x, 2 * width + height + y]
    return (down + up) + (right + left)


def _go_on(before: jax.Array, least: jax.Array, cost: jax.Array) -> jax.Array:
    """Computes the sums L(p, .) from L(q, .), (n, down, along), and its least values."""
    wide = pad(before, (1, 1), (1, 1), constant_values=jnp.inf)
    beside = jnp.minimum(
        jnp.minimum(wide[:, 2:, 1:-1], wide[:, :-2, 1:-1]),
        jnp.minimum(wide[:, 1:-1, 2:], wide[:, 1:-1, :-2]),
    )
    onward = jnp.minimum(jnp.minimum(before, beside + _NEAR), least + _FAR)
    return cost + onward - least


def _find_winners(costs: jax.Array, down: int, along: int) -> tuple[jax.Array, jax.Array]:
    """Finds the cheapest displacement from every pixel, and the cheapest one to every pixel."""
    count = 2 * along + 1
    listed = costs.reshape(*costs.shape[:2], -1)
    vector = lambda i: jnp.stack([i % count - along, i // count - down])

    def arrive_one_by_one(listed: jax.Array) -> jax.Array:
        return _find_arrivals_one_by_one(listed, down, along)

    def arrive_at_once(listed: jax.Array) -> jax.Array:
        return _find_arrivals_at_once(listed, *vector(jnp.arange(listed.shape[-1])))

    arrived = choose_by_platform(arrive_one_by_one, arrive_at_once, listed)
    # Nothing arrives from beyond the image; what is never reached stays.
    arrived = jnp.where(arrived < 0, count * down + along, arrived)
    return vector(listed.argmin(-1)), vector(arrived)


def _find_arrivals_one_by_one(costs: jax.Array, down: int, along: int) -> jax.Array:
    """Finds the cheapest displacement to every pixel; -1 if none arrives."""
    height, width, number = costs.shape
    count = 2 * along + 1

    def arrive(state: tuple, one: tuple) -> tuple:
        least, which = state
        i, cost = one
        wide = pad(cost, (down, down), (along, along), constant_values=jnp.inf)
        u, v = i % count - along, i // count - down
        cost = lax.dynamic_slice(wide, (down - v, along - u), (height, width))
        cheaper = cost < least
        return (jnp.where(cheaper, cost, least), jnp.where(cheaper, i, which)), None

    start = jnp.full((height, width), jnp.inf, costs.dtype), jnp.full((height, width), -1)
    each = jnp.arange(number), jnp.moveaxis(costs, -1, 0)
    return lax.scan(arrive, start, each)[0][1]


def _find_arrivals_at_once(costs: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
    """The same for displacements (u, v), (n,), as one reduction that reads each at its start."""
    height, width, number = costs.shape
    u, v, i = (x[None, None] for x in (u, v, jnp.arange(number)))
    y, x = jnp.arange(height)[:, None, None] - v, jnp.arange(width)[None, :, None] - u
    start = jnp.clip(y, 0, height - 1) * width + jnp.clip(x, 0, width - 1)
    arriving = costs.ravel().at[start * number + i].get(mode="promise_in_bounds")
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    arriving = jnp.where(inside, arriving, jnp.inf)
    return jnp.where(jnp.isinf(arriving.min(-1)), -1, arriving.argmin(-1))
