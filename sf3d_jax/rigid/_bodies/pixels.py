"""Pixels that move, how far a rigid motion is from their motion, and the best one by least squares.

A pixel has the ray r = (x, y, 1), the inverse depth d, the change of its ray (dx, dy), and the
ratio of its depths, z1 / z0. The motion [I + D | t] predicts, with m = D r + d t,

    the change of the ray (m_xy - r_xy m_z) / (1 + m_z), and the ratio 1 + m_z.

The residual is (f (dx - its prediction), f (dy - its prediction), log of the ratio - its
prediction), in pixels and relative depth: small differences, all of them. It is divided by its
noise, that of the flow, n_f, and that of either depth, n_d. That of the first depth moves the
prediction too, by h = (f (t_xy - r'_xy t_z) d', -(1 - t_z d')), where r' and d' are the predicted
ray and d / (1 + m_z), so the covariance is diag(n_f^2, n_f^2, n_d^2) + n_d^2 h h^T.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import channels, mask
from sf3d_jax._numerics.vectors import Matrix, Vector, add, dot, multiply, scale
from sf3d_jax.se3._turns import compose, from_cayley

# A point nearer to the second camera than this share of its depth has no sound pixel there.
_NEAREST = 0.05
# The squared residual, in units of the noise, of a pixel that a motion takes behind the camera.
FAR = 1e6
# Relative damping of the normal equations: few close pixels hardly determine a motion.
_DAMPING = 1e-4


class Pixels(NamedTuple):
    """Numbers of pixels, of any shape.

    Attributes:
      ray: x and y.
      inv_depth: d.
      change: dx and dy.
      ratio: the logarithm of z1 / z0.
    """

    ray: Vector
    inv_depth: jax.Array
    change: Vector
    ratio: jax.Array


class Noise(NamedTuple):
    """Standard deviations, of the shape of a set of pixels, or numbers.

    Attributes:
      flow: deviation of the flow, in pixels.
      depth: deviation of either depth, relative to it.
    """

    flow: jax.Array
    depth: jax.Array


class Motion(NamedTuple):
    """D and t of a motion, maps that broadcast against those of the pixels."""

    turn: Matrix
    shift: Vector


def expand(motion: Motion) -> Motion:
    """Motions of sets, with an axis for the pixels of the set."""
    return jax.tree.map(lambda a: a[..., None], motion)


def lift(pixels: Pixels) -> tuple[Vector, Vector]:
    """The points and their motions in space."""
    depth = 1 / pixels.inv_depth
    grown, ratio = jnp.expm1(pixels.ratio), jnp.exp(pixels.ratio)
    points = tuple(depth * a for a in (*pixels.ray, jnp.ones_like(depth)))
    moves = [x * grown + dx * ratio for x, dx in zip(pixels.ray, pixels.change, strict=True)]
    return points, scale(depth, (*moves, grown))


class _Prediction(NamedTuple):
    residual: Vector
    spread: Vector
    ray: Vector
    near: jax.Array
    seen: jax.Array


def _predict(pixels: Pixels, motion: Motion, focal: Vector, noise: Noise) -> _Prediction:
    """The residual and h, both divided by the noise, and the predicted ray and inverse depth."""
    ray = (*pixels.ray, jnp.ones_like(pixels.inv_depth))
    turned = multiply(motion.turn, ray)
    mx, my, mz = add(turned, scale(pixels.inv_depth, motion.shift))
    seen = mz > _NEAREST - 1
    mz = jnp.where(seen, mz, 0)
    nearer = 1 / (1 + mz)
    change = tuple((m - r * mz) * nearer for m, r in zip((mx, my), pixels.ray, strict=True))
    left = [f * (a - b) / noise.flow for f, a, b in zip(focal, pixels.change, change, strict=True)]
    after, near = add(pixels.ray, change), pixels.inv_depth * nearer
    tz = motion.shift[2]
    spread = [
        f * (t - r * tz) * near * noise.depth / noise.flow
        for f, t, r in zip(focal, motion.shift[:2], after, strict=True)
    ]
    ratio = (pixels.ratio - jnp.log1p(mz)) / noise.depth
    return _Prediction((*left, ratio), (*spread, tz * near - 1), after, near, seen)


def square_residual(pixels: Pixels, motion: Motion, focal: Vector, noise: Noise) -> jax.Array:
    """The squared residual in units of its noise, that of three numbers."""
    p = _predict(pixels, motion, focal, noise)
    along = dot(p.residual, p.spread)
    square = dot(p.residual, p.residual) - along * along / (1 + dot(p.spread, p.spread))
    return jnp.where(p.seen, jnp.clip(square, 0, FAR), FAR)


def scale_flow(pixels: Pixels, motion: Motion, focal: Vector, noise: Noise) -> Vector:
    """The two residuals of the flow in units of its noise; that of the depth is in them too."""
    p = _predict(pixels, motion, focal, noise)
    return tuple(mask(p.seen, x) for x in p.residual[:2])


def improve(
    pixels: Pixels, motion: Motion, weights: jax.Array, focal: Vector, noise: Noise
) -> Motion:
    """A step of weighted least squares; the pixels of a set are the last axis."""
    p = _predict(pixels, expand(motion), focal, noise)
    (x, y), q, (fx, fy) = p.ray, p.near, focal
    u, v, w = fx / noise.flow, fy / noise.flow, 1 / noise.depth
    none = jnp.zeros_like(q)
    rows = (
        (u * q, none, -u * x * q, -u * x * y, u * (1 + x * x), -u * y),
        (none, v * q, -v * y * q, -v * (1 + y * y), v * x * y, v * x),
        (none, none, w * q, w * y, -w * x, none),
    )
    columns = [*zip(*rows, strict=True), p.residual]
    # The root of the inverse covariance: I - k h h^T.
    square = dot(p.spread, p.spread)
    k = 1 / (square + 1 + jnp.sqrt(square + 1))
    root = jnp.sqrt(mask(p.seen, weights))
    whitened = []
    for column in columns:
        along = k * dot(p.spread, column)
        whitened += [root * (a - along * h) for a, h in zip(column, p.spread, strict=True)]
    shape = jnp.broadcast_shapes(*(a.shape for a in whitened))
    stacked = jnp.stack([jnp.broadcast_to(a, shape) for a in whitened], axis=-2)
    stacked = stacked.reshape(*shape[:-1], len(columns), 3 * shape[-1])
    normal = jnp.einsum("...ik,...jk->...ij", stacked, stacked, precision=lax.Precision.HIGHEST)
    twist = _solve_normal(normal)
    step = from_cayley(twist[3:])
    shift = add(add(motion.shift, multiply(step, motion.shift)), twist[:3])
    return Motion(compose(step, motion.turn), shift)


def _solve_normal(normal: jax.Array) -> Vector:
    """The twist of the normal equations and their right side, (..., 7, 7).

    Gauss and Jordan's elimination, which needs no pivots for a positive matrix: one short step,
    repeated, compiles several times faster than a Cholesky decomposition written out.
    """
    n = normal.shape[-1] - 1
    diagonal = jnp.diagonal(normal, axis1=-2, axis2=-1)[..., :n]
    root = jnp.where(diagonal > 0, lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1)), 0)
    scales = jnp.concatenate([root, jnp.ones_like(root[..., :1])], axis=-1)
    rows = normal[..., :n, :] * root[..., :, None] * scales[..., None, :]
    place = jnp.arange(n)[:, None]
    unit = (place == jnp.arange(n + 1)[None]).astype(rows.dtype)
    # The diagonal is 1, or 0 where nothing depends on a parameter.
    rows = jnp.where(jnp.broadcast_to(unit > 0, rows.shape), 1 + _DAMPING, rows)
    least = float(jnp.finfo(rows.dtype).eps)

    def eliminate(k: jax.Array, rows: jax.Array) -> jax.Array:
        own = lax.dynamic_index_in_dim(rows, k, rows.ndim - 2, keepdims=True)
        column = lax.dynamic_index_in_dim(rows, k, rows.ndim - 1, keepdims=True)
        pivot = lax.dynamic_index_in_dim(own, k, rows.ndim - 1, keepdims=True)
        own = own / jnp.maximum(pivot, least)
        is_own = jnp.broadcast_to(place == k, rows.shape)
        return jnp.where(is_own, jnp.broadcast_to(own, rows.shape), rows - column * own)

    rows = lax.fori_loop(0, n, eliminate, rows)
    return channels(rows[..., n] * root)
