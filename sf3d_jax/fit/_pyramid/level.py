"""Improves the motion at one level of the pyramid: reweighted Gauss-Newton on a robust energy.

With slightly blurred images I0 and I1, channels averaged, and psi(x) = sqrt(x + tiny^2), the energy
of the flow F is the sum over the pixels p of

    data          s psi(|I1(p + F) - I0(p)|^2) + psi(|grad I1(p + F) - grad I0(p)|^2)
    smoothness    strength e psi(|grad F|^2),    e = max(exp(-edge |step of I0|), least)

Depth adds a third unknown, r = 100 c / d0, the change of inverse depth in per cent, and

    data          t psi((100 (d1(p + F) - d0) / d0 - r)^2)
    smoothness    strength e psi(|grad r|^2)

where d1 is extrapolated from the nearest pixel along its slope, so that surfaces do not mix. With
depth, e is also small where a step of d0 exceeds the slope of its surface. Every step warps the
second image (bicubic), averages the slopes of both images, weights each term by its current 1 / psi
and solves the linear equations by conjugate gradients. Pixels that are unknown, leave the image or
are hidden have no data terms; smoothness fills them. Sources: Brox et al., "High accuracy optical
flow estimation" (2004); Sun et al., "Secrets of optical flow" (2010), for the median, the averaged
slopes and the bicubic warps.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.fit._pyramid.maps import Size, grid, is_in_map, is_inside, steps, swap
from sf3d_jax.fit._pyramid.matching import BRIGHTNESS
from sf3d_jax.fit._pyramid.solver import Links, Maps, roughness, solve
from sf3d_jax.fit._pyramid.windows import blur, mean, median, sample, sample_other_smoothly, slopes
from sf3d_jax.warping.visibility import occlusion_from_consistency

_BLUR = 0.6
_TINY_DATA, _TINY_STEP, _TINY_DEPTH = 1e-3, 2e-2, 5e-2
_STRENGTH = 0.017
_EDGE, _LEAST_EDGE = 15.0, 0.03
_DEPTH = 0.02
_DEPTH_EDGE, _LEAST_DEPTH_EDGE = 1.0, 0.02
_WARPS, _LAST_WARPS, _SOLVER_STEPS = 4, 6, 15
# A pixel's slopes are known if all pixels within this radius are.
_SLOPE_RADIUS = 4


class FramePair(NamedTuple):
    """The first frames of n pairs, then the next ones; the motion is towards the other frame.

    Attributes:
      images: (2n, C, h, w), scaled to a fixed mean step between pixels; filled where unknown.
      known: (2n, h, w), bool.
      inv_depths: (2n, h, w), 0 where there is no surface; or None.
      noise: (2n, 1, 1), rounding error of the images.
    """

    images: jax.Array
    known: jax.Array
    inv_depths: jax.Array | None
    noise: jax.Array


class Slopes(NamedTuple):
    """Maps with their slopes.

    Attributes:
      value: the maps.
      along: their slopes along u.
      down: their slopes along v.
    """

    value: jax.Array
    along: jax.Array
    down: jax.Array


class Features(NamedTuple):
    """The inputs to the terms of the energy.

    Attributes:
      image: values and slopes of the images, (2n, C, h, w).
      known: (2n, h, w), 1 where those are known, else 0.
      both: (2n, C + 1, h, w), the images, and `known` as one more channel.
      surface: values and slopes of the inverse depth, (2n, h, w); None without depth.
    """

    image: Slopes
    known: jax.Array
    both: jax.Array
    surface: Slopes | None


class _Equations(NamedTuple):
    """Normal equations for the steps of all unknowns.

    Attributes:
      matrix: rows of maps, (2n, h, w) each.
      right: maps (2n, h, w), the right-hand sides.
    """

    matrix: tuple[Maps, ...]
    right: Maps

    def add_term(
        self, weight: jax.Array, slope: Sequence[jax.Array], residual: jax.Array
    ) -> "_Equations":
        """Adds weight (residual + slope . step)^2, summed over all channels.

        Args:
          weight: (2n, h, w).
          slope: maps (2n, C, h, w), derivatives of the residual by the first unknowns; it does not
            depend on the others.
          residual: (2n, C, h, w).
        """
        add_up = lambda a, b: weight * add_channels(a * b)
        matrix = [list(row) for row in self.matrix]
        right = list(self.right)
        for i, a in enumerate(slope):
            right[i] -= add_up(a, residual)
            for j, b in enumerate(slope[: i + 1]):
                matrix[i][j] += add_up(a, b)
                matrix[j][i] = matrix[i][j]
        return _Equations(tuple(map(tuple, matrix)), tuple(right))


def improve(
    frames: FramePair,
    features: Features,
    motion: jax.Array,
    size: Size,
    strength: jax.Array,
    *,
    last: bool,
) -> jax.Array:
    """Improves a motion by the warps of one level and a median filter.

    Args:
      frames: frames at this level.
      features: features of the frames.
      motion: (2n, K, h, w), (u, v) and, with depth, r, from both frames.
      size: (rows, columns) of the level.
      strength: multiple of the default smoothness.
      last: whether to ignore hidden pixels in the second half of the warps.

    Returns:
      The improved motion, (2n, K, h, w).
    """
    edges = _find_edges(frames, features, size)
    columns, rows = grid(motion)
    counted = (columns < size[1]) & (rows < size[0])

    def warp(i: jax.Array, motion: jax.Array) -> jax.Array:
        seen = counted
        if last:
            seen = seen & ~((i >= _LAST_WARPS // 2) & is_hidden(motion))
        equations = _add_up_data(features, motion, size, seen)
        unknowns = tuple(motion[:, k] for k in range(motion.shape[1]))
        links = _find_links(unknowns, edges, strength, size)
        right = tuple(
            b - roughness(x, w) for b, x, w in zip(equations.right, unknowns, links, strict=True)
        )
        step = solve(equations.matrix, right, links, _SOLVER_STEPS)
        return motion + jnp.stack(step, axis=1)

    motion = lax.fori_loop(0, _LAST_WARPS if last else _WARPS, warp, motion)
    return median(motion, size)


def is_hidden(motion: jax.Array) -> jax.Array:
    """Whether pixels of both frames, (2n, h, w), fail the forward-backward consistency test."""
    flow = jnp.moveaxis(motion[:, :2], 1, -1)
    return occlusion_from_consistency(flow, swap(flow)).hidden > 0


def find_features(frames: FramePair, size: Size) -> Features:
    """Computes the inputs to the terms of the energy for both frames."""
    smooth = blur(frames.images, _BLUR, size)
    image = Slopes(smooth, *slopes(smooth, size))
    unknown = mean(1.0 - frames.known.astype(smooth.dtype), _SLOPE_RADIUS, size)
    known = (unknown < 1e-6).astype(smooth.dtype)
    both = jnp.concatenate([smooth, known[:, None]], axis=1)
    surface = None if frames.inv_depths is None else _find_surface(frames.inv_depths, size)
    return Features(image, known, both, surface)


def _find_surface(inv_depth: jax.Array, size: Size) -> Slopes:
    """Finds slopes: the mean of the steps on both sides if these are similar, else the smaller.

    Unknown steps are ignored; the slope is 0 if both are unknown.
    """
    result = []
    for axis, step in zip((-1, -2), steps(inv_depth, size), strict=True):
        here, there = inv_depth > 0, inv_depth + step > 0
        after = jnp.where(here & there, step, jnp.inf)
        before = jnp.roll(after, 1, axis)
        first = jnp.arange(inv_depth.shape[axis]) == 0
        before = jnp.where(first if axis == -1 else first[:, None], jnp.inf, before)
        smaller = jnp.where(jnp.abs(after) < jnp.abs(before), after, before)
        alike = jnp.maximum(jnp.abs(after), jnp.abs(before)) < 2 * jnp.abs(smaller)
        alike = alike & (after * before > 0)
        slope = jnp.where(alike, (after + before) / 2, smaller)
        result.append(jnp.where(jnp.isfinite(slope), slope, 0))
    return Slopes(inv_depth, *result)


def _find_edges(frames: FramePair, features: Features, size: Size) -> tuple[jax.Array, jax.Array]:
    """Computes the smoothness weights between each pixel and the next along u and v."""
    columns, rows = grid(frames.images)
    own = is_in_map(frames.known, size)
    linked = own & (columns < size[1] - 1), own & (rows < size[0] - 1)
    edges = [
        jnp.maximum(jnp.exp(-_EDGE * jnp.sqrt(jnp.mean(step * step, axis=1))), _LEAST_EDGE)
        for step in steps(features.image.value, size)
    ]
    if features.surface is not None:
        edges = [
            edge * depth_edge
            for edge, depth_edge in zip(
                edges, _find_depth_edges(features.surface, size), strict=True
            )
        ]
    along, down = (jnp.where(link, edge, 0) for link, edge in zip(linked, edges, strict=True))
    return along, down


def _find_depth_edges(surface: Slopes, size: Size) -> list[jax.Array]:
    """Computes weights that are small where a step of inverse depth exceeds the surface slope."""
    edges = []
    both = zip(steps(surface.value, size), (surface.along, surface.down), strict=True)
    for step, slope in both:
        near = jnp.maximum(surface.value, surface.value + step)
        excess = 100 * (jnp.abs(step) - 2 * jnp.abs(slope)) / jnp.where(near > 0, near, 1)
        edge = jnp.exp(-_DEPTH_EDGE * jnp.maximum(excess, 0))
        edges.append(jnp.maximum(edge, _LEAST_DEPTH_EDGE))
    return edges


def _find_links(
    unknowns: Maps, edges: tuple[jax.Array, jax.Array], strength: jax.Array, size: Size
) -> Links:
    """Computes the weights of smoothness; the flow's two channels share a robust weight."""
    rises = (steps(unknown, size) for unknown in unknowns)
    squares = [along * along + down * down for along, down in rises]
    squares = [squares[0] + squares[1]] * 2 + squares[2:]
    along, down = edges
    scales = [_STRENGTH * strength / jnp.sqrt(x + _TINY_STEP**2) for x in squares]
    return [(along * scale, down * scale) for scale in scales]


def _add_up_data(features: Features, motion: jax.Array, size: Size, seen: jax.Array) -> _Equations:
    """Adds up the equations of all data terms, linearised at the motion."""
    columns, rows = grid(motion)
    u, v = columns + motion[:, 0], rows + motion[:, 1]
    seen = seen & is_inside(u, v, size)
    count = motion.shape[1]
    zero = jnp.zeros_like(u)
    equations = _Equations(((zero,) * count,) * count, (zero,) * count)
    equations = _add_image_terms(equations, features, u, v, size, seen)
    if features.surface is not None:
        equations = _add_depth_term(equations, features.surface, motion, u, v, size, seen)
    return equations


def add_channels(x: jax.Array) -> jax.Array:
    """Sums maps (n, C, h, w) over channels."""
    # On CPU, XLA would not fuse a reduction.
    one_by_one = lambda x: functools.reduce(jnp.add, (x[:, c] for c in range(x.shape[1])))
    return choose_by_platform(one_by_one, lambda x: x.sum(1), x)


def warp_other(
    features: Features, u: jax.Array, v: jax.Array, size: Size
) -> tuple[Slopes, jax.Array]:
    """Samples the other frame's images at positions; returns them, and where both are known."""
    warped = sample_other_smoothly(features.both, u, v, size)
    value = warped[:, :-1]
    return Slopes(value, *slopes(value, size)), (features.known > 0) & (warped[:, -1] > 0.99)


def _add_image_terms(
    equations: _Equations,
    features: Features,
    u: jax.Array,
    v: jax.Array,
    size: Size,
    seen: jax.Array,
) -> _Equations:
    own = features.image
    warped, known = warp_other(features, u, v, size)
    seen = seen & known
    difference = jax.tree.map(lambda a, b: a - b, warped, own)
    iu, iv = ((a + b) / 2 for a, b in zip(warped[1:], own[1:], strict=True))
    (iuu, iuv), (_, ivv) = slopes(iu, size), slopes(iv, size)
    share = 1 / iu.shape[1]
    brightness = share * add_channels(difference.value**2)
    slope = share * add_channels(difference.along**2 + difference.down**2)
    brightness_weight, slope_weight = (
        jnp.where(seen, share * factor, 0) / jnp.sqrt(x + _TINY_DATA**2)
        for factor, x in ((BRIGHTNESS, brightness), (1.0, slope))
    )
    equations = equations.add_term(brightness_weight, [iu, iv], difference.value)
    equations = equations.add_term(slope_weight, [iuu, iuv], difference.along)
    return equations.add_term(slope_weight, [iuv, ivv], difference.down)


def _add_depth_term(
    equations: _Equations,
    surface: Slopes,
    motion: jax.Array,
    u: jax.Array,
    v: jax.Array,
    size: Size,
    seen: jax.Array,
) -> _Equations:
    own = surface.value
    other = [swap(x) for x in surface]
    next_depth, along, down = sample(other, u, v, size, "nearest")
    both = seen & (own > 0) & (next_depth > 0)
    scale = 100 / jnp.where(own > 0, own, 1)
    next_depth = next_depth + along * (u - jnp.round(u)) + down * (v - jnp.round(v))
    residual = scale * (next_depth - own) - motion[:, 2]
    weight = jnp.where(both, _DEPTH, 0) / jnp.sqrt(residual**2 + _TINY_DEPTH**2)
    slope = scale * along, scale * down, -jnp.ones_like(own)
    return equations.add_term(
        weight, [x[:, None] for x in slope], jnp.where(both, residual, 0)[:, None]
    )
