"""The motion at one level of the pyramid: reweighted Gauss-Newton steps on a robust energy.

With the images I0 and I1 under a small Gaussian, channels averaged, and psi(x) = sqrt(x + tiny^2),
the energy of the flow F is the sum over the pixels p of

    data          s psi(|I1(p + F) - I0(p)|^2) + psi(|grad I1(p + F) - grad I0(p)|^2)
    smoothness    strength e psi(|grad F|^2),    e = max(exp(-edge |step of I0|), least)

Depth adds a third unknown, r = 100 c / d0, the change of inverse depth in per cent, and

    data          t psi((100 (d1(p + F) - d0) / d0 - r)^2)
    smoothness    strength e psi(|grad r|^2)

where d1 is read on the surface of the nearest pixel, along its slope, so that surfaces do not mix;
e is then small also where d0 steps more than its surface rises. Every step warps the second image
(bicubic), takes the mean of both images' slopes, weighs each term by 1 / psi at hand and solves the
linear equations by conjugate gradients. Pixels that are unknown, leave the image or are hidden have
no data; smoothness fills them. (Brox et al., "High accuracy optical flow estimation", 2004; Sun et
al., "Secrets of optical flow", 2010, for the median, the mean of slopes and the bicubic warps.)
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax.fit._maps import (
    Size,
    blurred,
    extended,
    grid,
    inside,
    mean,
    median,
    sampled,
    slopes,
    smoothly_sampled,
    steps,
)
from sf3d_jax.fit._matching import BRIGHTNESS
from sf3d_jax.fit._solver import Links, Maps, roughness, solve
from sf3d_jax.warping.visibility import occlusion_from_consistency

_BLUR = 0.6
_TINY_DATA, _TINY_STEP, _TINY_DEPTH = 1e-3, 2e-2, 5e-2
_STRENGTH = 0.017
_EDGE, _LEAST_EDGE = 15.0, 0.03
_DEPTH = 0.02
_DEPTH_EDGE, _LEAST_DEPTH_EDGE = 1.0, 0.02
_WARPS, _LAST_WARPS, _SOLVER_STEPS = 4, 6, 15
# Of what is known around a pixel, for its slopes to be known.
_SLOPE_RADIUS = 4


class Frames(NamedTuple):
    """Both frames, each as the first of two; a frame's partner is the other.

    Attributes:
      images: (2, C, h, w), filled where not known, in units in which mean steps are alike.
      known: (2, h, w), bool.
      inv_depths: (2, h, w), 0 where no surface is; or None.
    """

    images: jax.Array
    known: jax.Array
    inv_depths: jax.Array | None


class _Features(NamedTuple):
    """What the terms of the energy read.

    Attributes:
      image: of every channel of the images the value and both slopes.
      known: 1 where those are known.
      surface: inverse depth and its slopes along u and v; empty without depth.
    """

    image: Maps
    known: jax.Array
    surface: Maps


class _Equations(NamedTuple):
    """Normal equations of the step of every unknown.

    Attributes:
      matrix: rows of maps.
      right: maps.
    """

    matrix: Any
    right: Any

    def with_term(self, weight: jax.Array, slope: Any, residual: jax.Array) -> "_Equations":
        """Those with weight (residual + slope . step)^2 added."""
        weighed = [weight * s for s in slope]
        matrix = [
            [x + a * b for x, b in zip(row, slope, strict=True)]
            for row, a in zip(self.matrix, weighed, strict=True)
        ]
        right = [x - a * residual for x, a in zip(self.right, weighed, strict=True)]
        return _Equations(matrix, right)


def improved(
    frames: Frames, motion: jax.Array, size: Size, strength: Any, *, last: bool
) -> jax.Array:
    """The motion after the warps of this level, and under a median.

    Args:
      frames: at this level, extended beyond their size.
      motion: (2, K, h, w), (u, v) and, with depth, r, from both frames.
      size: (rows, columns) of the level.
      strength: of the smoothness, 1 for what is usual.
      last: whether hidden pixels are left out in the second half of the warps.

    Returns:
      As motion.
    """
    features = _features(frames)
    edges = _edges(frames, features, size)
    columns, rows = grid(motion)
    counted = (columns < size[1]) & (rows < size[0])

    def warp(i: jax.Array, motion: jax.Array) -> jax.Array:
        seen = counted
        if last:
            seen = seen & ~((i >= _LAST_WARPS // 2) & hidden(motion))
        equations = _data(features, motion, size, seen)
        unknowns = tuple(motion[:, k] for k in range(motion.shape[1]))
        links = _links(unknowns, edges, strength)
        right = tuple(
            b - roughness(x, w) for b, x, w in zip(equations.right, unknowns, links, strict=True)
        )
        step = solve(equations.matrix, right, links, _SOLVER_STEPS)
        return motion + jnp.stack(step, axis=1)

    motion = lax.fori_loop(0, _LAST_WARPS if last else _WARPS, warp, motion)
    return median(extended(motion, size))


def hidden(motion: jax.Array) -> jax.Array:
    """Which pixels of both frames, (2, h, w), the way back does not lead back to."""
    flow = jnp.moveaxis(motion[:, :2], 1, -1)
    return occlusion_from_consistency(flow, flow[::-1]).hidden > 0


def _features(frames: Frames) -> _Features:
    smooth = blurred(frames.images, _BLUR)
    along, down = slopes(smooth)
    count = smooth.shape[1]
    image = tuple(x[:, c] for c in range(count) for x in (smooth, along, down))
    unknown = mean(1.0 - frames.known.astype(smooth.dtype), _SLOPE_RADIUS)
    known = (unknown < 1e-6).astype(smooth.dtype)
    if frames.inv_depths is None:
        return _Features(image, known, ())
    return _Features(image, known, (frames.inv_depths, *_surface_slopes(frames.inv_depths)))


def _surface_slopes(inv_depth: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of the steps on both sides the mean where they are alike, else the smaller, or none."""
    result = []
    for axis, step in zip((-1, -2), steps(inv_depth), strict=True):
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
    return result[0], result[1]


def _edges(frames: Frames, features: _Features, size: Size) -> tuple[jax.Array, jax.Array]:
    """The weights of smoothness to the next pixel along u and v."""
    columns, rows = grid(frames.images)
    linked = columns < size[1] - 1, rows < size[0] - 1
    smooth = jnp.stack(features.image[::3], axis=1)
    result = []
    for i, step in enumerate(steps(smooth)):
        size_of_step = jnp.sqrt(jnp.mean(step * step, axis=1))
        edge = jnp.maximum(jnp.exp(-_EDGE * size_of_step), _LEAST_EDGE)
        if features.surface:
            edge = edge * _depth_edge(features.surface[0], features.surface[1 + i], i)
        result.append(jnp.where(linked[i], edge, 0))
    return result[0], result[1]


def _depth_edge(inv_depth: jax.Array, slope: jax.Array, direction: int) -> jax.Array:
    """Small where the inverse depth steps by some per cent more than its surface rises."""
    step = steps(inv_depth)[direction]
    near = jnp.maximum(inv_depth, inv_depth + step)
    excess = 100 * (jnp.abs(step) - 2 * jnp.abs(slope)) / jnp.where(near > 0, near, 1)
    edge = jnp.exp(-_DEPTH_EDGE * jnp.maximum(excess, 0))
    return jnp.maximum(edge, _LEAST_DEPTH_EDGE)


def _links(unknowns: Maps, edges: tuple[jax.Array, jax.Array], strength: Any) -> Links:
    """The weights of the smoothness; the flow's two channels are rough together."""
    squares: list[Any] = [sum(step * step for step in steps(x)) for x in unknowns]
    squares = [squares[0] + squares[1]] * 2 + squares[2:]
    along, down = edges
    scales = [_STRENGTH * strength / jnp.sqrt(x + _TINY_STEP**2) for x in squares]
    return [(along * scale, down * scale) for scale in scales]


def _data(features: _Features, motion: jax.Array, size: Size, seen: jax.Array) -> _Equations:
    """The equations of all terms of data, at the motion."""
    columns, rows = grid(motion)
    u, v = columns + motion[:, 0], rows + motion[:, 1]
    seen = seen & inside(u, v, size)
    count = motion.shape[1]
    zero = jnp.zeros_like(u)
    equations = _Equations([[zero] * count] * count, [zero] * count)
    equations = _image_terms(equations, features, u, v, size, seen)
    if features.surface:
        equations = _depth_term(equations, features, motion, u, v, size, seen)
    return equations


def _image_terms(
    equations: _Equations,
    features: _Features,
    u: jax.Array,
    v: jax.Array,
    size: Size,
    seen: jax.Array,
) -> _Equations:
    own = list(features.image)
    other = [x[::-1] for x in (*own[::3], features.known)]
    *values, known = smoothly_sampled(other, u, v, size)
    warped = [x for value in values for x in (value, *slopes(value))]
    seen = seen & (features.known > 0) & (known > 0.99)
    differences = [a - b for a, b in zip(warped, own, strict=True)]
    means = [(a + b) / 2 for a, b in zip(warped, own, strict=True)]
    starts = range(0, len(own), 3)
    share = 1 / len(starts)
    brightness = share * sum(differences[i] ** 2 for i in starts)
    slope = share * sum(differences[i + j] ** 2 for i in starts for j in (1, 2))
    weights = [
        jnp.where(seen, share * factor, 0) / jnp.sqrt(x + _TINY_DATA**2)
        for factor, x in ((BRIGHTNESS, brightness), (1.0, slope))
    ]
    rest = [0.0] * (len(equations.right) - 2)
    for i in starts:
        _, iu, iv = means[i : i + 3]
        (iuu, iuv), (_, ivv) = slopes(iu), slopes(iv)
        value, along, down = differences[i : i + 3]
        equations = equations.with_term(weights[0], [iu, iv, *rest], value)
        equations = equations.with_term(weights[1], [iuu, iuv, *rest], along)
        equations = equations.with_term(weights[1], [iuv, ivv, *rest], down)
    return equations


def _depth_term(
    equations: _Equations,
    features: _Features,
    motion: jax.Array,
    u: jax.Array,
    v: jax.Array,
    size: Size,
    seen: jax.Array,
) -> _Equations:
    other = [x[::-1] for x in features.surface]
    next_depth, along, down = sampled(other, u, v, size, "nearest")
    own = features.surface[0]
    both = seen & (own > 0) & (next_depth > 0)
    scale = 100 / jnp.where(own > 0, own, 1)
    next_depth = next_depth + along * (u - jnp.round(u)) + down * (v - jnp.round(v))
    residual = scale * (next_depth - own) - motion[:, 2]
    weight = jnp.where(both, _DEPTH, 0) / jnp.sqrt(residual**2 + _TINY_DEPTH**2)
    return equations.with_term(
        weight, [scale * along, scale * down, -jnp.ones_like(own)], jnp.where(both, residual, 0)
    )
