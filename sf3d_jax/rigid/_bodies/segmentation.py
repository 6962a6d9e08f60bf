"""Which pixels belong to which body: labels and motions, in turns.

A pixel costs its squared residual, and its neighbours' mean. What costs more than a residual that
noise hardly makes belongs to no body.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.rigid._bodies.noise import count_alike, estimate_noise, find_quantile
from sf3d_jax.rigid._bodies.pixels import (
    FAR,
    Motion,
    Noise,
    Pixels,
    improve,
    scale_flow,
    square_residual,
)
from sf3d_jax.rigid._bodies.search import MEMBER, find_bodies, weigh
from sf3d_jax.rigid._robust import sum_windows

_ROUNDS, _STEPS = 5, 2
# Windows of 2 radius + 1 pixels a side vote with a pixel; each vote counts as much as a pixel of
# its own, whose residual may be this large before the votes no longer matter.
_RADIUS = 2
_OWN_LIMIT = 1000.0
# Rare bodies cost more: the number of pixels of a window that count as one, or more if the noise
# of neighbours is alike. A patch of such noise would be a body of its own.
_PRIOR = 5.0
# The cost of a pixel that belongs to no body, and the most that a vote costs. A pixel whose
# neighbours all move otherwise, as at the tip of a body, has to agree better by this factor.
_NOBODY = 12.0
_ALONE = 0.5
# A body is the same as a larger one that explains its pixels worse by less than this, and by the
# second for each further pixel of a window that is alike.
_SAME, _SAME_ALIKE = 0.5, 0.3
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
    """Labels, and numbers of each body, of shape (most,).

    Attributes:
      labels: (H, W), -1 for no body.
      motions: what they do.
      noise: the noise of the pixels.
      alive: whether the body is there.
      share: its share of the known pixels; 1 before they are counted.
      hosts: the larger body that it may be a part of; itself if there is none.
      alike: one number, how many pixels of a window say the same.
    """

    labels: jax.Array
    motions: Motion
    noise: Noise
    alive: jax.Array
    share: jax.Array
    hosts: jax.Array
    alike: jax.Array


def segment(pixels: Pixels, known: jax.Array, focal: Vector, most: int) -> Segmentation:
    """Finds at most `most` bodies in maps (H, W)."""
    noise = estimate_noise(pixels, known, focal)
    found = find_bodies(pixels, known, focal, noise, most)
    each = found.motions.shift[0]  # arrays of its kind: in shard_map, those of a shard
    state = _State(
        jnp.full_like(known, -1, jnp.int32),
        found.motions,
        found.noise,
        jnp.ones_like(each, bool),
        jnp.ones_like(each),
        jnp.zeros_like(each, jnp.int32) + jnp.arange(most, dtype=jnp.int32),
        jnp.ones_like(found.noise.flow),
    )

    def turn(i: jax.Array, state: _State) -> _State:
        state = _assign(pixels, known, focal, state)
        refit = lambda state: _refit(pixels, state, focal, noise)
        return lax.cond(i < _ROUNDS, refit, lambda state: state, state)

    state = lax.fori_loop(0, _ROUNDS + 1, turn, state)
    return _order(state)


def _assign(pixels: Pixels, known: jax.Array, focal: Vector, state: _State) -> _State:
    """Labels of least cost, without bodies that are small; and the host of each body."""

    def cost(body: tuple[Motion, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        motion, alive, rarity = body
        square = square_residual(pixels, motion, focal, state.noise)
        capped = jnp.where(known, jnp.minimum(square, _NOBODY), 0)
        whole = jnp.minimum(square, _OWN_LIMIT) + sum_windows(capped, _RADIUS)
        return jnp.where(alive, whole + rarity, FAR), capped

    rarity = -2 * jnp.maximum(_PRIOR, state.alike) * jnp.log(state.share)
    costs, squares = lax.map(cost, (state.motions, state.alive, rarity))
    nobody = _NOBODY * (_ALONE + sum_windows(known.astype(costs.dtype), _RADIUS))
    best = jnp.argmin(costs, axis=0).astype(jnp.int32)
    labels = jnp.where(known & (costs.min(0) < nobody), best, -1)
    count = _count(labels, state.alive.size)
    least = (LEAST_SHARE * known.sum().astype(costs.dtype)).astype(jnp.int32)
    alive = state.alive & (count >= jnp.maximum(least, _LEAST_COUNT))
    labels = jnp.where(jnp.take(alive, jnp.maximum(labels, 0)), labels, -1)
    share = (count.astype(costs.dtype) + 1) / (known.sum().astype(costs.dtype) + 1)
    hosts = _find_hosts(labels, squares, alive)
    return state._replace(labels=labels, alive=alive, share=share, hosts=hosts)


def _count(labels: jax.Array, most: int) -> jax.Array:
    return (labels[None] == jnp.arange(most, dtype=labels.dtype)[:, None, None]).sum(
        (1, 2), dtype=jnp.int32
    )


def _find_hosts(labels: jax.Array, squares: jax.Array, alive: jax.Array) -> jax.Array:
    """The larger body that explains the pixels of each best; the body itself if there is none."""
    most = alive.size
    members = (labels[None] == jnp.arange(most, dtype=labels.dtype)[:, None, None]).reshape(
        most, -1
    )
    # Of body i at the pixels of body j.
    total = jnp.einsum(
        "in,jn->ij",
        squares.reshape(most, -1),
        members.astype(squares.dtype),
        precision=lax.Precision.HIGHEST,
    )
    count, index = members.sum(-1), jnp.arange(most)
    is_first = (count[:, None] == count[None]) & (index[:, None] < index[None])
    larger = ((count[:, None] > count[None]) | is_first) & alive[:, None] & alive[None]
    host = jnp.argmin(jnp.where(larger, total, jnp.inf), axis=0)
    return jnp.where(larger.any(0), host, index).astype(jnp.int32)


def _refit(pixels: Pixels, state: _State, focal: Vector, least: Noise) -> _State:
    """The motions of the labelled pixels, and their noise, which is at least the given one.

    A body that has the same motion as its host, within the noise, becomes a part of it.
    """
    most = state.alive.size
    own = jnp.arange(most, dtype=jnp.int32)
    starts = jax.tree.map(lambda a: jnp.concatenate([a, jnp.take(a, state.hosts)]), state.motions)
    cases = starts, jnp.concatenate([own, own]), jnp.concatenate([own, state.hosts])
    needed = jnp.concatenate([state.alive, state.alive & (state.hosts != own)])
    motions, totals = _fit_all(pixels, state, focal, cases, needed)
    (motions, joined), (totals, joined_totals) = (
        (jax.tree.map(lambda a: a[:most], x), jax.tree.map(lambda a: a[most:], x))
        for x in (motions, totals)
    )
    rise = joined_totals - totals - jnp.take(totals, state.hosts)
    count = _count(state.labels, most).astype(totals.dtype)
    same = _SAME + _SAME_ALIKE * (state.alike - 1)
    joins = state.alive & (state.hosts != own) & (rise < same * count)
    joins &= ~jnp.take(joins, state.hosts)
    # The motion of both goes to the host.
    takes = joins[None] & (state.hosts[None] == own[:, None])
    guest = jnp.argmax(takes, axis=1)
    motions = jax.tree.map(
        lambda a, b: jnp.where(takes.any(1), jnp.take(b, guest), a), motions, joined
    )
    noise, alike = _measure_noise(pixels, state, focal, least)
    alive = state.alive & ~joins
    return state._replace(motions=motions, noise=noise, alive=alive, alike=alike)


def _fit_all(
    pixels: Pixels,
    state: _State,
    focal: Vector,
    cases: tuple[Motion, jax.Array, jax.Array],
    needed: jax.Array,
) -> tuple[Motion, jax.Array]:
    """Motions of the pixels of either of two labels, and the sums of their squared residuals."""
    flat, labels = jax.tree.map(jnp.ravel, pixels), state.labels.ravel()

    def fit(case: tuple[Motion, jax.Array, jax.Array]) -> tuple[Motion, jax.Array]:
        motion, one, other = case
        members = (labels == one) | (labels == other)

        def step(_: jax.Array, motion: Motion) -> Motion:
            square = square_residual(flat, motion, focal, state.noise)
            weights = jnp.where(members, weigh(square, _HALF_WEIGHT), 0)
            return improve(flat, motion, weights, focal, state.noise)

        motion = lax.fori_loop(0, _STEPS, step, motion)
        square = square_residual(flat, motion, focal, state.noise)
        return motion, jnp.where(members, jnp.minimum(square, MEMBER), 0).sum()

    skip = lambda case: (case[0], jnp.zeros_like(state.noise.flow))
    return lax.map(lambda x: lax.cond(x[0], fit, skip, x[1]), (needed, cases))


def _measure_noise(
    pixels: Pixels, state: _State, focal: Vector, least: Noise
) -> tuple[Noise, jax.Array]:
    """The noise of labelled pixels, by the motions that gave the labels, and how much is alike.

    The noise is at least the given one.
    """
    known = state.labels >= 0
    own = jax.tree.map(lambda a: jnp.take(a, jnp.maximum(state.labels, 0)), state.motions)
    square = square_residual(pixels, own, focal, state.noise)
    factor = jnp.sqrt(find_quantile(square, known, 0.5) / _MEDIAN)
    noise = jax.tree.map(lambda a, b: jnp.maximum(a * factor, b), state.noise, least)
    flow = scale_flow(pixels, own, focal, state.noise)
    return noise, count_alike(flow, known, _RADIUS)


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
