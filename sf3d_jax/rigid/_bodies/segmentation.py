"""Which pixels belong to which body: labels and motions, in turns.

A pixel costs its squared residual, and its neighbours' mean. What costs more than a residual that
noise hardly makes belongs to no body.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.rigid._bodies.noise import estimate_noise, find_quantile
from sf3d_jax.rigid._bodies.pixels import FAR, Motion, Noise, Pixels, improve, square_residual
from sf3d_jax.rigid._bodies.search import MEMBER, find_bodies, weigh

_ROUNDS, _STEPS = 5, 2
# Windows of 2 radius + 1 pixels a side vote with a pixel; each vote counts as much as a pixel of
# its own, whose residual may be this large before the votes no longer matter.
_RADIUS = 2
_OWN_LIMIT = 1000.0
# The cost of a pixel that belongs to no body.
_NOBODY = 12.0
# A body is the same as a larger one that explains its pixels worse by less than this.
_SAME = 0.5
# A body has at least this share of the known pixels, and as many as a window.
LEAST_SHARE = 0.005
_LEAST_COUNT = 25
# The median of the square of three normal numbers.
_MEDIAN = 2.366
_HALF_WEIGHT = 9.0


class Segmentation(NamedTuple):
    """Labels (H, W), -1 for no body, and motions of shape (most,), the largest body first."""

    labels: jax.Array
    motions: Motion


class _State(NamedTuple):
    labels: jax.Array
    motions: Motion
    noise: Noise
    alive: jax.Array


def segment(pixels: Pixels, known: jax.Array, focal: Vector, most: int) -> Segmentation:
    """Finds at most so many bodies in maps (H, W)."""
    noise = estimate_noise(pixels, known, focal)
    found = find_bodies(pixels, known, focal, noise, most)
    start = jnp.full(known.shape, -1, jnp.int32)
    state = _State(start, found.motions, found.noise, jnp.ones(most, bool))
    turn = lambda _, state: _refit(pixels, _assign(pixels, known, focal, state), focal, noise)
    state = lax.fori_loop(0, _ROUNDS, turn, state)
    state = _assign(pixels, known, focal, state)
    return _order(state)


def _assign(pixels: Pixels, known: jax.Array, focal: Vector, state: _State) -> _State:
    """Labels of least cost; bodies that are small, or the same as a larger one, are dropped."""

    def cost(body: tuple[Motion, jax.Array]) -> tuple[jax.Array, jax.Array]:
        motion, alive = body
        square = square_residual(pixels, motion, focal, state.noise)
        capped = jnp.where(known, jnp.minimum(square, MEMBER), 0)
        whole = jnp.minimum(square, _OWN_LIMIT) + _sum_window(capped)
        return jnp.where(alive, whole, FAR), capped

    costs, squares = lax.map(cost, (state.motions, state.alive))
    nobody = _NOBODY * (1 + _sum_window(known.astype(costs.dtype)))
    best = jnp.argmin(costs, axis=0).astype(jnp.int32)
    labels = jnp.where(known & (costs.min(0) < nobody), best, -1)
    alive = state.alive & ~_is_superfluous(labels, squares, known)
    kept = alive & (_count(labels, alive.size) >= _least(known))
    labels = jnp.where(jnp.take(kept, jnp.maximum(labels, 0)), labels, -1)
    return state._replace(labels=labels, alive=kept)


def _is_superfluous(labels: jax.Array, squares: jax.Array, known: jax.Array) -> jax.Array:
    """Whether another body with more pixels explains those of a body as well."""
    most = squares.shape[0]
    members = (labels[None] == jnp.arange(most)[:, None, None]).reshape(most, -1)
    count = members.sum(-1)
    # Of body i at the pixels of body j.
    total = jnp.einsum(
        "in,jn->ij",
        squares.reshape(most, -1),
        members.astype(squares.dtype),
        precision=lax.Precision.HIGHEST,
    )
    mean = total / jnp.maximum(count, 1).astype(total.dtype)[None]
    alike = mean - jnp.diagonal(mean)[None] < _SAME
    index = jnp.arange(most)
    larger = (count[:, None] > count[None]) | (
        (count[:, None] == count[None]) & (index[:, None] < index[None])
    )
    large = count >= _least(known)
    return (alike & larger & large[:, None]).any(0)


def _least(known: jax.Array) -> jax.Array:
    return jnp.maximum(
        (LEAST_SHARE * known.sum().astype(jnp.float32)).astype(jnp.int32), _LEAST_COUNT
    )


def _count(labels: jax.Array, most: int) -> jax.Array:
    return (labels[None] == jnp.arange(most)[:, None, None]).sum((1, 2))


def _refit(pixels: Pixels, state: _State, focal: Vector, least: Noise) -> _State:
    """The motions of the labelled pixels, and their noise, which is at least the given one."""
    flat = jax.tree.map(jnp.ravel, pixels)

    def fit(body: tuple[Motion, jax.Array]) -> tuple[Motion, jax.Array]:
        motion, k = body
        members = state.labels.ravel() == k

        def step(_: jax.Array, motion: Motion) -> Motion:
            square = square_residual(flat, motion, focal, state.noise)
            weights = jnp.where(members, weigh(square, _HALF_WEIGHT), 0)
            return improve(flat, motion, weights, focal, state.noise)

        motion = lax.fori_loop(0, _STEPS, step, motion)
        square = square_residual(flat, motion, focal, state.noise)
        return motion, jnp.where(members, square, 0)

    most = state.alive.size
    motions, squares = lax.map(fit, (state.motions, jnp.arange(most, dtype=jnp.int32)))
    middle = find_quantile(squares.sum(0), state.labels.ravel() >= 0, 0.5)
    factor = jnp.sqrt(middle / _MEDIAN)
    noise = jax.tree.map(lambda a, b: jnp.maximum(a * factor, b), state.noise, least)
    return state._replace(motions=motions, noise=noise)


def _order(state: _State) -> Segmentation:
    """The bodies by their number of pixels; a motion that is not used is 0."""
    most = state.alive.size
    count = jnp.where(state.alive, _count(state.labels, most), -1)
    order = jnp.argsort(-count)
    place = jnp.argsort(order).astype(jnp.int32)
    labels = jnp.where(state.labels >= 0, jnp.take(place, jnp.maximum(state.labels, 0)), -1)
    used = jnp.take(state.alive, order)
    motions = jax.tree.map(lambda a: jnp.where(used, jnp.take(a, order), 0), state.motions)
    return Segmentation(labels, motions)


def _sum_window(x: jax.Array) -> jax.Array:
    """The sum of each window, without what is beyond the image."""
    for axis in (0, 1):
        padding = [(_RADIUS, _RADIUS) if i == axis else (0, 0) for i in (0, 1)]
        padded = jnp.pad(x, padding)
        size = x.shape[axis]
        parts = [lax.slice_in_dim(padded, k, k + size, axis=axis) for k in range(2 * _RADIUS + 1)]
        x = sum(parts[1:], parts[0])
    return x
