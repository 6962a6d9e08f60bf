"""The derivative of compositing: front to back once more, in the same steps.

With q_k the values of the k-th Gaussian times the cotangents, summed over the images, and
S = sum_k w_k q_k, which the images tell,

    dS/dalpha_k = T_k q_k - (S - sum_{j <= k} w_j q_j) / (1 - alpha_k).

What a Gaussian's numbers gain is a sum over pixels of maps times powers of the pixel's offset, or
times cotangents: a few matrix products a step. Of the formulas of `_splats`,

    dalpha = alpha (do / o - d((p x + q y)^2 + (r y)^2) / 2),
    dtau = (1 - 2 tau) dl / L - tau dq / L,  L = 1 + 2 l + q,
    d(X' - X) = ddmu + tau dP (x, y) - s dQ + (P (x, y) + Q) dtau + tau P (dx, dy),

and (x, y) falls by what the mean's pixel rises. The image of squared depths tells edges only, which
have no derivative, so its cotangent is left out.
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
        group = group_of(tile, table, tiles, size)
        given = jnp.moveaxis(cotangents[tile], 1, 0)
        turned = jnp.swapaxes(cotangents[tile, : layout.depth_image + 1], 1, 2)
        rest = sum(sums[tile, i] * given[i] for i in layout.blended)

        def unfinished(state: Any) -> jax.Array:
            first, clear, _, _ = state
            return (first < group.longest) & (clear.max() > STOP)

        def step(state: Any) -> Any:
            first, clear, rest, gradient = state
            batch = batch_of(table, tiles, group, first, layout)
            shares, clear, rest = _shares(batch, given, clear, rest, layout)
            change = _pulled(batch, shares, given, turned, layout)
            return first + STEP, clear, rest, gradient.at[batch.ids].add(change)

        state = jnp.int32(0), group.inside, rest, gradient
        return jax.lax.while_loop(unfinished, step, state)[3], None

    return jax.lax.scan(add, 0 * table, grouped(tiles))[0]


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
    worth = computed_once(sum(given[i][:, None] * batch.values[i] for i in layout.blended))
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
    batch: Batch, shares: _Shares, given: jax.Array, turned: jax.Array, layout: Layout
) -> jax.Array:
    """(G, K, D), what the numbers of the Gaussians of a step gain."""
    columns = batch.columns
    p, q, r, opacity = columns[2:6]
    l1, l2, q1, q2, q3 = columns[layout.depth_column + 1 : layout.depth_column + 6]
    pull = _lengthened(batch, shares, given, layout) * batch.peak.inverse
    fall, linear, square = (
        _moments(x, batch.offset, 6) for x in (shares.fall, pull, pull * batch.peak.tau)
    )
    slid = [x - 2 * y for x, y in zip(linear[:3], square[:3], strict=True)]
    along = p * fall[1] + q * fall[2]
    u = p * along - l1 * slid[0] + 2 * q1 * square[1] + q2 * square[2]
    v = q * along + r * r * fall[2] - l2 * slid[0] + q2 * square[1] + 2 * q3 * square[2]
    xx, xy, yy = fall[3:]
    roots = [-(p * xx + q * xy), -(p * xy + q * yy), -r * yy]
    peaks = [*slid[1:], *(-x for x in square[3:])]
    lifted = fall[0] / jnp.where(opacity > 0, opacity, 1)
    colors, depth = _shown(batch, shares, given, turned, layout)
    motions: list[jax.Array] = []
    if layout.motion is not None:
        motions, du, dv = _moved(batch, shares, given, layout)
        u, v = u + du, v + dv
    return jnp.concatenate([u, v, *roots, lifted, colors, depth, *peaks, *motions], -1)


def _shown(
    batch: Batch, shares: _Shares, given: jax.Array, turned: jax.Array, layout: Layout
) -> tuple[jax.Array, jax.Array]:
    """(G, K, C) and (G, K, 1), what colours and the mean's depth gain."""
    product = jax.lax.batch_matmul(shares.weight, turned, precision=jax.lax.Precision.HIGHEST)
    colors, deep = product[..., : layout.colors], product[..., -1:]
    # Of the cotangents times tau, that is 1 - s; s alone has more digits.
    depth = given[layout.depth_image][:, None]
    deep = deep - _moments(shares.weight * batch.peak.s * depth, batch.offset, 1)[0]
    if layout.motion == "median":
        depth = given[-1][:, None]
        deep = deep + _moments(shares.half * batch.peak.tau * depth, batch.offset, 1)[0]
    return colors, deep


def _moved(
    batch: Batch, shares: _Shares, given: jax.Array, layout: Layout
) -> tuple[list[jax.Array], jax.Array, jax.Array]:
    """What dmu, P and Q gain, 12 of (G, K, 1), and the means' pixels along u and v by them."""
    share = shares.half if layout.motion == "median" else shares.weight
    first = layout.motion_column
    along, aside = batch.columns[first + 3 : first + 6], batch.columns[first + 6 : first + 9]
    gains, u, v = [], jnp.zeros_like(along[0]), jnp.zeros_like(along[0])
    for i in range(3):
        pull = share * given[layout.motion_image + i][:, None]
        whole = _moments(pull, batch.offset, 3)
        less = _moments(pull * batch.peak.s, batch.offset, 3)
        one, x, y = (a - b for a, b in zip(whole, less, strict=True))
        gains.append([whole[0], x, y, -less[0]])
        u, v = u - along[i] * one, v - aside[i] * one
    return [gains[i][k] for k in range(4) for i in range(3)], u, v


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


def _moments(share: jax.Array, offset: tuple[jax.Array, jax.Array], count: int) -> list[jax.Array]:
    """The sums over pixels of a map times the first of 1, x, y, x^2, xy and y^2, each (G, K, 1)."""
    powers = jnp.asarray(_POWERS[:, :count], share.dtype)
    sums = jnp.einsum("gkp,pm->gkm", share, powers, precision=jax.lax.Precision.HIGHEST)
    one, *moments = (sums[..., i, None] for i in range(count))
    if count == 1:
        return [one]
    # From the middle of the tile to the mean.
    (x, y), (du, dv) = moments[:2], offset
    centred = [one, x - du * one, y - dv * one]
    if count == 3:
        return centred
    xx, xy, yy = moments[2:]
    return [
        *centred,
        xx - 2 * du * x + du * du * one,
        xy - du * y - dv * x + du * dv * one,
        yy - 2 * dv * y + dv * dv * one,
    ]
