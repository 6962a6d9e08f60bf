"""The derivative of compositing: front to back once more, in the same steps.

With q_k the values of the k-th Gaussian times the cotangents, summed over the images, and
S = sum_k w_k q_k, which the images tell,

    dS/dalpha_k = T_k q_k - (S - sum_{j <= k} w_j q_j) / (1 - alpha_k).

What a Gaussian's numbers gain is a sum over pixels of maps times powers of the pixel's offset, or
times cotangents: a few matrix products a step.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics import computed_once
from sf3d_jax.gaussians._blending import CAP, STOP, Layout, crossing, weigh
from sf3d_jax.gaussians._lockstep import ACROSS, DOWN, STEP, Batch, batch_of, group_of, grouped
from sf3d_jax.gaussians._tiles import Tiles

# The powers of the pixels' offsets from the middle of the tile whose sums are needed.
_POWERS = np.stack([ACROSS**0, ACROSS, DOWN, ACROSS * ACROSS, ACROSS * DOWN, DOWN * DOWN], -1)


def derivative(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: jax.Array,
    *,
    layout: Layout,
    size: tuple[int, int],
) -> jax.Array:
    """The cotangent of the table.

    Args:
      table: (N, D).
      tiles: the lists.
      sums: (T, images, P), what was drawn.
      cotangents: (T, images, P).
      layout: which numbers there are.
      size: (H, W).

    Returns:
      (N, D).
    """

    def add(gradient: jax.Array, tile: jax.Array) -> tuple[jax.Array, None]:
        group = group_of(tile, tiles, size, table.dtype)
        given = jnp.moveaxis(cotangents[tile], 1, 0)
        across = jnp.swapaxes(cotangents[tile], 1, 2)
        blended = [i for i in range(layout.images) if not layout.halved(i)]
        rest = sum(sums[tile, i] * given[i] for i in blended if i != layout.depth_image + 1)

        def unfinished(state: Any) -> jax.Array:
            first, clear, _, _ = state
            return (first < group.longest) & (clear.max() > STOP)

        def step(state: Any) -> Any:
            first, clear, rest, gradient = state
            batch = batch_of(table, tiles, group, first, layout)
            shares, clear, rest = _shares(batch, given, clear, rest, layout)
            change = _pulled(batch, shares, given, across, layout)
            return first + STEP, clear, rest, gradient.at[batch.ids].add(change)

        state = jnp.int32(0), group.inside, rest, gradient
        return jax.lax.while_loop(unfinished, step, state)[3], None

    return jax.lax.scan(add, jnp.zeros_like(table), grouped(tiles))[0]


class _Shares(NamedTuple):
    """Maps (G, K, P) of a step.

    Attributes:
      weight: w.
      half: 1 where the Gaussian is the median.
      fall: alpha times the cotangent of alpha: minus that of the exponent.
    """

    weight: jax.Array
    half: jax.Array
    fall: jax.Array


def _shares(
    batch: Batch, given: jax.Array, clear: jax.Array, rest: jax.Array, layout: Layout
) -> tuple[_Shares, jax.Array, jax.Array]:
    """The shares of the Gaussians of a step, and T and S - sum w q behind them."""
    worth = computed_once(
        sum(
            given[i][:, None] * value
            for i, value in enumerate(batch.values)
            if not layout.halved(i) and i != layout.depth_image + 1
        )
    )
    weights, halves, rests = [], [], []
    for k in range(STEP):
        after = clear * (1 - batch.alpha[:, k])
        weights.append(weigh(batch.alpha[:, k], clear, after))
        halves.append(crossing(clear, after))
        clear = after
    weight = jnp.stack(weights, 1)
    gain = weight * worth
    for k in range(STEP):
        rest = rest - gain[:, k]
        rests.append(rest)
    fall = gain - jnp.stack(rests, 1) * batch.alpha / (1 - batch.alpha)
    fall = jnp.where((weight > 0) & (batch.alpha < CAP), fall, 0)
    return _Shares(weight, jnp.stack(halves, 1), fall), clear, rest


def _pulled(
    batch: Batch, shares: _Shares, given: jax.Array, across: jax.Array, layout: Layout
) -> jax.Array:
    """(G, K, D), what the numbers of the Gaussians of a step gain."""
    columns = batch.columns
    a, b, c, opacity = columns[2:6]
    l1, l2, q1, q2, q3 = columns[layout.depth_column + 1 : layout.depth_column + 6]
    pull = _lengthened(batch, shares, given, layout) * batch.peak.inverse
    fall, linear, square = (
        _moments(x, batch.offset) for x in (shares.fall, pull, pull * batch.peak.tau)
    )
    colors, depth, motions, followed = _shown(batch, shares, across, linear, layout)
    slid = [x - 2 * y for x, y in zip(linear[:3], square[:3], strict=True)]
    u = a * fall[1] + b * fall[2] - l1 * slid[0] + 2 * q1 * square[1] + q2 * square[2]
    v = b * fall[1] + c * fall[2] - l2 * slid[0] + q2 * square[1] + 2 * q3 * square[2]
    conic = [-0.5 * fall[3], -fall[4], -0.5 * fall[5]]
    peaks = [*slid[1:], *(-x for x in square[3:])]
    lifted = fall[0] / jnp.where(opacity > 0, opacity, 1)
    pixel = [x - y for x, y in zip((u, v), followed, strict=True)]
    return jnp.concatenate([*pixel, *conic, lifted, colors, depth, *peaks, *motions], -1)


def _shown(
    batch: Batch, shares: _Shares, across: jax.Array, linear: list[jax.Array], layout: Layout
) -> tuple[jax.Array, jax.Array, list[jax.Array], tuple[Any, ...]]:
    """What colours, depth and motion gain, and the pixel by the motion."""
    columns, (tau, s, _) = batch.columns, batch.peak
    weight, depth = shares.weight, columns[layout.depth_column]
    if layout.motion is None:
        colors = _product([weight], across[..., : layout.colors])[0]
        # Depth is tau times the mean's, and tau is (1 + l) times the map's last factor.
        l1, l2 = columns[layout.depth_column + 1 : layout.depth_column + 3]
        return colors, (linear[0] + l1 * linear[1] + l2 * linear[2]) / depth, [], (0, 0)

    first = layout.motion_image
    kinds = lambda share: [share, share * tau * batch.x, share * tau * batch.y, share * s]
    if layout.motion == "mean":
        gains = _product(kinds(weight), across)
        front = gains
    else:
        gains = _product(kinds(shares.half), across[..., first:])
        gains = [jnp.pad(gain, ((0, 0), (0, 0), (first, 0))) for gain in gains]
        front = _product([weight, weight * s], across[..., :first])
    colors, seen = front[0][..., : layout.colors], layout.depth_image
    deep = front[0][..., seen : seen + 1] - front[-1][..., seen : seen + 1]
    if layout.motion == "median":
        deep = deep + gains[0][..., -1:] - gains[3][..., -1:]
    start, along, aside, centre = (gain[..., first : first + 3] for gain in gains)
    sides = (
        jnp.concatenate(columns[i : i + 3], -1)
        for i in (layout.motion_column + 3, layout.motion_column + 6)
    )
    followed = tuple((side * (start - centre)).sum(-1, keepdims=True) for side in sides)
    return colors, deep, [start, along, aside, -centre], followed


def _lengthened(batch: Batch, shares: _Shares, given: jax.Array, layout: Layout) -> jax.Array:
    """(G, K, P), the cotangent of tau."""
    columns = batch.columns
    depth = columns[layout.depth_column]
    result = shares.weight * (given[layout.depth_image][:, None] * depth)
    if layout.motion is None:
        return result
    share = shares.half if layout.motion == "median" else shares.weight
    _, along, aside, centre = (columns[layout.motion_column + i :][:3] for i in range(0, 12, 3))
    for i in range(3):
        cotangent = given[layout.motion_image + i][:, None]
        path = along[i] * batch.x + aside[i] * batch.y + centre[i]
        result = result + share * (cotangent * path)
    if layout.motion == "median":
        result = result + share * (given[-1][:, None] * depth)
    return result


def _moments(share: jax.Array, offset: tuple[jax.Array, jax.Array]) -> list[jax.Array]:
    """The sums over pixels of a map times 1, x, y, x^2, x y and y^2, each (G, K, 1)."""
    powers = jnp.asarray(_POWERS, share.dtype)
    sums = jnp.einsum("gkp,pm->gkm", share, powers, precision=jax.lax.Precision.HIGHEST)
    one, x, y, xx, xy, yy = (sums[..., i, None] for i in range(6))
    # From the middle of the tile to the mean.
    du, dv = offset
    return [
        one,
        x - du * one,
        y - dv * one,
        xx - 2 * du * x + du * du * one,
        xy - du * y - dv * x + du * dv * one,
        yy - 2 * dv * y + dv * dv * one,
    ]


def _product(shares: list[jax.Array], across: jax.Array) -> list[jax.Array]:
    """For every map the sums over pixels of it times the cotangents, (G, K, m)."""
    sums = jax.lax.batch_matmul(
        jnp.concatenate(shares, 1), across, precision=jax.lax.Precision.HIGHEST
    )
    return jnp.split(sums, len(shares), axis=1)
