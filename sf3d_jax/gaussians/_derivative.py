"""The derivative of compositing, in a second pass front to back, in the same steps.

With q_k the sum over images of the k-th Gaussian's values times the cotangents, and
S = sum_k w_k q_k, computed from the drawn images,

    dS/dalpha_k = T_k q_k - (S - sum_{j <= k} w_j q_j) / (1 - alpha_k).

The cotangents of a Gaussian's numbers are sums over pixels of maps times powers of the pixel's
offset, or times image cotangents: a few matrix products per step. From the formulas of `_splats`,

    dalpha = alpha (do / o - d((p x + q y)^2 + (r y)^2) / 2),
    dtau = (1 - 2 tau) dl / L - tau dq / L,  L = 1 + 2 l + q,
    d(X' - X) = ddmu + tau dP (x, y) - s dQ + (P (x, y) + Q) dtau + tau P (dx, dy),

and (dx, dy) is minus the change of the mean's pixel. The image of squared depths is only used to
find edges, which have no derivative, so its cotangent is left out.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import sequential_vmap

from sf3d_jax._numerics import compute_once
from sf3d_jax.camera import Size
from sf3d_jax.gaussians._blending import (
    CAP,
    Shares,
    list_channels,
    sum_products,
)
from sf3d_jax.gaussians._lockstep import (
    ACROSS,
    DOWN,
    STEP,
    Batch,
    find_group,
    group_tiles,
    read_batch,
    weigh_batch,
)
from sf3d_jax.gaussians._rows import Images, Layout, Path, PeakTerms, Row, pack, unpack_images
from sf3d_jax.gaussians._tiles import Tiles

# The powers of the pixels' offsets from the tile's middle that are summed.
_POWERS = np.stack([ACROSS**0, ACROSS, DOWN, ACROSS * ACROSS, ACROSS * DOWN, DOWN * DOWN], -1)


def derive_in_lockstep(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: jax.Array,
    layout: Layout,
    size: Size,
) -> jax.Array:
    """The cotangent of the table.

    Args:
      table: (N, D).
      tiles: tile lists.
      sums: (T, images, P), the drawn images.
      cotangents: (T, images, P).
      layout: which fields rows and images have.
      size: (H, W).

    Returns:
      (N, D).
    """
    # Members of a batch are drawn one by one; in lockstep, all would wait for the deepest.
    draw = sequential_vmap(partial(_derive_groups, layout=layout, size=size))
    result: jax.Array = draw(table, tiles, sums, cotangents)
    return result


def _derive_groups(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: jax.Array,
    *,
    layout: Layout,
    size: Size,
) -> jax.Array:
    """`derive_in_lockstep` of one scene."""

    def add(gradient: jax.Array, tile: jax.Array) -> tuple[jax.Array, None]:
        group = find_group(tile, table, tiles, size)
        given = _read_images(cotangents, tile, layout)
        drawn = _read_images(sums, tile, layout)
        turned = jnp.stack([*given.colors, given.depth], -1)
        rest = sum_products(list_channels(drawn, layout), list_channels(given, layout))

        def advance(walk: _PullState) -> _PullState:
            batch = read_batch(table, tiles, group, walk.first, layout)
            shares, clear, rest = _find_shares(batch, given, walk.clear, walk.rest, layout)
            change = pack(_pull_back(batch, shares, given, turned))
            gradient = walk.gradient.at[batch.ids].add(change)
            return _PullState(walk.first + STEP, clear, rest, gradient)

        start = _PullState(jnp.int32(0), group.inside, rest, gradient)
        is_unfinished = lambda walk: group.is_unfinished(walk.first, walk.clear)
        return jax.lax.while_loop(is_unfinished, advance, start).gradient, None

    return jax.lax.scan(add, 0 * table, group_tiles(tiles))[0]


class _PullState(NamedTuple):
    """The progress along the lists of a group.

    Attributes:
      first: (), index of the next Gaussian in each list.
      clear: (G, P), T in front of it.
      rest: (G, P), S minus the sum of w q in front of it.
      gradient: (N, D), the cotangent of the table so far.
    """

    first: jax.Array
    clear: jax.Array
    rest: jax.Array
    gradient: jax.Array


def _read_images(images: jax.Array, tile: jax.Array, layout: Layout) -> Images:
    """The images of a group of tiles, (G, P) each."""
    group = jnp.moveaxis(images[tile], 1, 0)
    return unpack_images([group[i] for i in range(layout.images)], layout)


def _find_shares(
    batch: Batch, given: Images, clear: jax.Array, rest: jax.Array, layout: Layout
) -> tuple[Shares, jax.Array, jax.Array]:
    """The shares (G, K, P) of a step's Gaussians, and T and S - sum w q behind them."""
    cotangents = [cotangent[:, None] for cotangent in list_channels(given, layout)]
    worth = compute_once(sum_products(cotangents, list_channels(batch.values, layout)))
    weight, motion, clear = weigh_batch(batch, clear, layout)
    gain, rests = weight * worth, []
    for k in range(STEP):
        rest = rest - gain[:, k]
        rests.append(rest)
    fall = gain - jnp.stack(rests, 1) * batch.alpha / (1 - batch.alpha)
    fall = jnp.where((weight > 0) & (batch.alpha < CAP), fall, 0)
    return Shares(weight, motion, fall), clear, rest


def _pull_back(batch: Batch, shares: Shares, given: Images, turned: jax.Array) -> Row:
    """The cotangents of a step's rows, (G, K, 1), with the colours as one array."""
    row = batch.row
    p, q, r = row.p, row.q, row.r
    l1, l2, q1, q2, q3 = row.peak
    pull = _pull_tau(batch, shares, given) * batch.peak.inverse
    fall, linear, square = (
        _sum_moments(x, batch.offset, 6) for x in (shares.fall, pull, pull * batch.peak.tau)
    )
    by_l = [x - 2 * y for x, y in zip(linear[:3], square[:3], strict=True)]
    along = p * fall[1] + q * fall[2]
    u = p * along - l1 * by_l[0] + 2 * q1 * square[1] + q2 * square[2]
    v = q * along + r * r * fall[2] - l2 * by_l[0] + q2 * square[1] + 2 * q3 * square[2]
    xx, xy, yy = fall[3:]
    colors, depth = _pull_values(batch, shares, given, turned)
    path = None
    if row.path is not None:
        path, du, dv = _pull_path(batch, row.path, shares, given)
        u, v = u + du, v + dv
    return Row(
        u=u,
        v=v,
        p=-(p * xx + q * xy),
        q=-(p * xy + q * yy),
        r=-r * yy,
        opacity=fall[0] / jnp.where(row.opacity > 0, row.opacity, 1),
        colors=(colors,),
        depth=depth,
        peak=PeakTerms(*by_l[1:], *(-x for x in square[3:])),
        path=path,
    )


def _pull_values(
    batch: Batch, shares: Shares, given: Images, turned: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The cotangents of colours and the mean's depth, (G, K, C) and (G, K, 1).

    `turned` holds the image cotangents of colours and depth, (G, P, C + 1).
    """
    product = jax.lax.batch_matmul(shares.weight, turned, precision=jax.lax.Precision.HIGHEST)
    colors, deep = product[..., :-1], product[..., -1:]
    # The factor tau is applied as 1 - s, since s has more digits.
    depth = given.depth[:, None]
    deep = deep - _sum_moments(shares.weight * batch.peak.s * depth, batch.offset, 1)[0]
    if given.motion_depth is not None:
        depth = given.motion_depth[:, None]
        deep = deep + _sum_moments(shares.motion * batch.peak.tau * depth, batch.offset, 1)[0]
    return colors, deep


def _pull_path(
    batch: Batch, path: Path, shares: Shares, given: Images
) -> tuple[Path, jax.Array, jax.Array]:
    """The cotangents of dmu, P and Q, (G, K, 1), and their parts of those of u and v."""
    gains, u, v = [], jnp.zeros_like(batch.row.u), jnp.zeros_like(batch.row.u)
    for cotangent, along, aside in zip(given.motion or (), path.along, path.aside, strict=True):
        pull = shares.motion * cotangent[:, None]
        whole = _sum_moments(pull, batch.offset, 3)
        less = _sum_moments(pull * batch.peak.s, batch.offset, 3)
        one, x, y = (a - b for a, b in zip(whole, less, strict=True))
        gains.append((whole[0], x, y, -less[0]))
        u, v = u - along * one, v - aside * one
    return Path(*zip(*gains, strict=True)), u, v


def _pull_tau(batch: Batch, shares: Shares, given: Images) -> jax.Array:
    """The cotangent of tau, (G, K, P)."""
    row, path = batch.row, batch.row.path
    result = shares.weight * (given.depth[:, None] * row.depth)
    if path is not None:
        parts = zip(given.motion or (), path.along, path.aside, path.centre, strict=True)
        for cotangent, along, aside, centre in parts:
            step = along * batch.x + aside * batch.y + centre
            result = result + shares.motion * (cotangent[:, None] * step)
    if given.motion_depth is not None:
        result = result + shares.motion * (given.motion_depth[:, None] * row.depth)
    return result


def _sum_moments(
    share: jax.Array, offset: tuple[jax.Array, jax.Array], count: int
) -> list[jax.Array]:
    """Sums over pixels of a map times the first of 1, x, y, x^2, xy and y^2, each (G, K, 1)."""
    powers = jnp.asarray(_POWERS[:, :count], share.dtype)
    sums = jnp.einsum("gkp,pm->gkm", share, powers, precision=jax.lax.Precision.HIGHEST)
    one, *moments = (sums[..., i, None] for i in range(count))
    if count == 1:
        return [one]
    # Shift the origin from the middle of the tile to the mean.
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
