"""Splatting: moving the values of one image forward along a flow.

Pixel p moves to (u(p), v(p)) = p + flow(p) and contributes to each of the four pixels q around it
with weight

    w(p, q) = (1 - |u(p) - u_q|) (1 - |v(p) - v_q|).

Contributions to pixels q outside the image are dropped.
"""

import math
from functools import partial
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._checks import (
    check_array,
    check_batch,
    check_choice,
    check_flow,
    check_image,
    check_mask,
)
from sf3d_jax._numerics import (
    align_ranks,
    and_valid,
    channels,
    is_in_range,
    is_positive_finite,
    jit,
    limit_of,
    mask,
    narrow,
    result_type,
    widen,
)
from sf3d_jax.warping._surfaces import rise
from sf3d_jax.warping._windows import (
    Maps,
    fold_batch_into_rows,
    products,
    scatter_max,
    scatter_windows,
    windows,
)
from sf3d_jax.warping.sampling import bilinear_taps, positions

# The smallest total weight that counts as covered: that of a pixel half a step off along both axes.
_COVERED = 0.25

Mode = Literal["sum", "average", "linear", "softmax"]


class Splatted(NamedTuple):
    """Values splatted onto the pixels of a grid.

    Attributes:
      values: (*b, H, W, C); 0 in a hole.
      weight: (*b, H, W), the sum of the bilinear weights w; 0 in a hole.
    """

    values: jax.Array
    weight: jax.Array


class WarpedInverseDepth(NamedTuple):
    """The inverse depth of the next frame, on its own grid.

    Attributes:
      inv_depth: (*b, H, W), per metre; 0 where not valid.
      valid: (*b, H, W), bool.
    """

    inv_depth: jax.Array
    valid: jax.Array


class _Landing(NamedTuple):
    """The windows of 2 x 2 pixels onto which the pixels of a grid are splatted.

    Attributes:
      first: (h, w), integers, the first pixel of each window as row times width plus column.
      weights: two rows of two maps (h, w), the weights of its pixels.
      deterministic: whether sums must not depend on the order in which a GPU adds.
    """

    first: jax.Array
    weights: Maps
    deterministic: bool


@partial(jit, static=("mode", "deterministic"))
def forward_splat(
    values: jax.Array,
    flow: jax.Array,
    *,
    mode: Mode | None = None,
    importance: jax.Array | None = None,
    valid: jax.Array | None = None,
    deterministic: bool = False,
) -> Splatted:
    """Moves values forward along a flow onto the grid of the next image.

    Pixel p moves to (u, v) = p + flow(p). With w = (1 - |u - u_q|) (1 - |v - v_q|) for the four
    pixels q around it and the importance m, the value at q is the sum over all p of

        sum      w value
        average  w value / sum of w
        linear   w m value / sum of w m
        softmax  w exp(m) value / sum of w exp(m)

    "linear" and "softmax" take m relative to the largest m at q, so importances of any size neither
    overflow nor vanish.
    Source: Niklaus and Liu, "Softmax splatting for video frame interpolation" (CVPR 2020).

    Args:
      values: (*b, H, W, C).
      flow: (*b, H, W, 2), in pixels.
      mode: "sum", "average", "linear" or "softmax"; if None, "softmax" with an importance and
        "average" without.
      importance: (*b, H, W), m, such as the inverse depth, so that near pixels hide far ones.
        Required by "linear" and "softmax"; "linear" drops pixels where it is negative.
      valid: (*b, H, W), bool, the pixels to move; all if None.
      deterministic: whether a GPU gives the same bits each time, on any number of devices. By
        default, GPUs add in any order, so the last digits vary. If True, a GPU adds integers,
        multiples of 2^-2b of the largest term at q, with b from 27 for up to 7 terms to 16 for
        10,000; this moves three times as much memory. Gradients are the same each time, too;
        derivatives in forward mode are not. A CPU adds in one order, so there the option changes
        nothing.

    Returns:
      Values and weight, in the dtype of the values. Values are 0 in holes. Pixels that are not
      valid, or have a non-finite value, flow or importance, are dropped and get no gradient.

    Raises:
      ValueError: unknown mode, or importance is missing or passed to a mode that does not use it.
    """
    mode = _check_mode(mode, importance)
    check_image("values", values)
    size = values.shape[-3:-1]
    check_array("flow", flow, (*size, 2))
    batches = {"values": values.shape[:-3], "flow": flow.shape[:-3]}
    maps = {"importance": importance, "valid": valid}
    for name, x in maps.items():
        if x is not None:
            (check_mask if name == "valid" else check_array)(name, x, size)
            batches[name] = x.shape[:-2]
    check_batch(**batches)

    dtype = values.dtype
    priority = jnp.zeros((), dtype) if importance is None else importance
    values, flow, priority = widen(values, flow, priority)
    known = align_ranks(
        is_in_range(values).all(-1), is_in_range(flow).all(-1), is_in_range(priority)
    )
    carried = known[0] & known[1] & known[2]
    if mode == "linear":
        carried = and_valid(carried, priority >= 0)
    carried = and_valid(carried, valid)
    shape = carried.shape
    values = jnp.broadcast_to(values, (*shape, values.shape[-1]))
    priority = mask(carried, jnp.broadcast_to(priority, shape))
    fu, fv = mask(carried, [jnp.broadcast_to(x, shape) for x in channels(flow)])
    landing = _find_landing(fu, fv, carried, deterministic)
    result, weight = _splat(mode, values, landing, priority)
    result, _ = narrow(jnp.ones(weight.shape, bool), result, dtype)
    return Splatted(result, weight.astype(dtype))


def _check_mode(mode: Mode | None, importance: jax.Array | None) -> Mode:
    """Returns the mode, chosen if None; raises unless the importance fits it."""
    if mode is None:
        return "average" if importance is None else "softmax"
    check_choice("mode", mode, get_args(Mode))
    if mode in ("linear", "softmax") and importance is None:
        raise ValueError(
            f"importance: needed by mode {mode!r}; pass a map such as the inverse depth, or use "
            f"mode 'average'"
        )
    if mode in ("sum", "average") and importance is not None:
        raise ValueError(
            f"importance: not used by mode {mode!r}; use mode 'linear' or 'softmax', or omit it"
        )
    return mode


def _splat(
    mode: Mode, values: jax.Array, landing: _Landing, importance: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Splats values; pixels that are not moved have no weight in `landing`."""
    if mode in ("sum", "average"):
        total, weight = _splat_with(landing, landing.weights, values)
        return (total[..., :-1] if mode == "sum" else _divide_by_weight(total)), weight

    # The quotient does not change if all importances at a target are relative to the greatest.
    counts = jax.tree.map(lambda w: w > 0, landing.weights)
    greatest = _greatest(landing, counts, importance)
    relate = _divide_by_greatest if mode == "linear" else _exp_below_greatest
    factors = jax.tree.map(partial(relate, importance), greatest)
    weights = jax.tree.map(jnp.multiply, landing.weights, factors)
    total, weight = _splat_with(landing, weights, values, landing.weights)
    return _divide_by_weight(total), weight


def _divide_by_greatest(importance: jax.Array, greatest: jax.Array) -> jax.Array:
    # A pixel without weight may exceed the greatest by any factor, and 0 times infinity is NaN.
    positive = greatest >= jnp.finfo(greatest.dtype).tiny
    ratio = jnp.where(positive, importance, 0) / jnp.where(positive, greatest, 1)
    return jnp.minimum(ratio, limit_of(ratio.dtype))


def _exp_below_greatest(importance: jax.Array, greatest: jax.Array) -> jax.Array:
    # Only pixels without weight can be above the greatest, or meet -inf in a hole.
    below = importance - greatest
    return jnp.exp(jnp.where(below > 0, 0, below))


def _find_landing(
    fu: jax.Array, fv: jax.Array, carried: jax.Array, deterministic: bool = False
) -> _Landing:
    """Finds the windows that pixels move to; pixels that are not carried get no weight."""
    *batch, height, width = fu.shape
    u, v = positions(fu, fv)
    (column, along), (row, across) = bilinear_taps(u, width), bilinear_taps(v, height)
    rows, columns = _enlarge_to_window((height, width))
    number = jnp.arange(math.prod(batch), dtype=row.dtype).reshape(*batch, 1, 1)
    first = (number * rows + row) * columns + column
    return _Landing(first, mask(carried, products(across, along)), deterministic)


def _divide_by_weight(total: jax.Array) -> jax.Array:
    """Divides the channels by the last one, the weight; 0 where the weight is 0."""
    *values, weight = channels(total)
    if not values:
        return total[..., :0]
    covered = weight > 0
    weight = jnp.where(covered, weight, 1)
    # Channel by channel, because the derivative sums over channels, and XLA is slow at a sum over
    # few.
    return jnp.stack([jnp.where(covered, _divide(x, weight), 0) for x in values], axis=-1)


@jax.custom_jvp
def _divide(x: jax.Array, weight: jax.Array) -> jax.Array:
    """x / weight, with a derivative that does not square the weight, which would underflow."""
    return x / weight


@_divide.defjvp
def _divide_jvp(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (x, weight), (dx, dweight) = primals, tangents
    quotient = _divide(x, weight)
    return quotient, _divide(dx - quotient * dweight, weight)


# Windows are 2 x 2, so smaller images are enlarged.
def _enlarge_to_window(size: tuple[int, ...]) -> tuple[int, int]:
    height, width = size
    return max(height, 2), max(width, 2)


def _splat_with(
    landing: _Landing, weights: Maps, values: jax.Array, areas: Maps | None = None
) -> tuple[jax.Array, jax.Array]:
    """Sums values (*b, h, w, C) times weights at their targets; the last channel sums weights.

    Also returns the sum of the areas, (*b, h, w); that of the weights without areas.
    """
    *batch, height, width = landing.first.shape
    size = _enlarge_to_window((height, width))
    values = fold_batch_into_rows(values, -3)
    first, weights, areas = fold_batch_into_rows((landing.first, weights, areas), -2)
    tall = (math.prod(batch) * size[0], size[1])
    total, area = scatter_windows(tall, landing.deterministic, values, first, weights, areas)
    total = total.reshape(*batch, *size, total.shape[-1])[..., :height, :width, :]
    return total, area.reshape(*batch, *size)[..., :height, :width]


def _greatest(landing: _Landing, counts: Maps, x: jax.Array) -> Maps:
    """For each pixel, the greatest x, (*b, h, w), of all that count at its targets; or -inf."""
    *batch, height, width = x.shape
    size = _enlarge_to_window((height, width))
    x, first, counts = fold_batch_into_rows((x, landing.first, counts), -2)
    greatest = scatter_max((math.prod(batch) * size[0], size[1]), x, first, counts)
    return jax.tree.map(lambda x: x.reshape(landing.first.shape), windows(greatest, first, 2))


@jit
def warp_inverse_depth(
    inv_depth: jax.Array, inv_depth_change: jax.Array, flow: jax.Array
) -> WarpedInverseDepth:
    """Predicts the inverse depth of the next frame: d + c, moved along the flow with occlusion.

    A surface covers a pixel if its bilinear weights w there sum to at least 1/4. The nearest
    surface that covers the pixel wins, and the result is the mean of its d + c weighted by w. Two
    pixels belong to one surface if they differ by no more than the local slope allows.

    Args:
      inv_depth: (*b, H, W), d = 1/z0, per metre.
      inv_depth_change: (*b, H, W), c = 1/z1 - 1/z0 of the same surface point, per metre.
      flow: (*b, H, W, 2), in pixels.

    Returns:
      1/z1 on the grid of the next frame, in the dtype of the maps, and validity; holes are not
      valid. Pixels without a surface at both times, or with non-finite flow, are dropped and get
      no gradient. Differentiable by the d, c and flow of the winning pixels.
    """
    check_flow(flow)
    check_array("inv_depth", inv_depth, flow.shape[-3:-1])
    check_array("inv_depth_change", inv_depth_change, flow.shape[-3:-1])
    check_batch(
        flow=flow.shape[:-3],
        inv_depth=inv_depth.shape[:-2],
        inv_depth_change=inv_depth_change.shape[:-2],
    )
    dtype = result_type(inv_depth, inv_depth_change)
    d0, c, flow = widen(inv_depth, inv_depth_change, flow)
    d0, c, fu, fv = align_ranks(d0, c, *channels(flow))
    carried = (
        is_positive_finite(d0) & is_positive_finite(d0 + c) & is_in_range(fu) & is_in_range(fv)
    )
    d1, fu, fv = mask(carried, (*jnp.broadcast_arrays(d0 + c, fu, fv),))
    result, valid = _nearest_surface(d1, fu, fv, carried)
    result, valid = narrow(valid, result, dtype)
    return WarpedInverseDepth(result, valid)


def _nearest_surface(
    d1: jax.Array, fu: jax.Array, fv: jax.Array, carried: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Splats the inverse depths d1 of the next frame; of two surfaces the nearest covering wins."""
    landing = _find_landing(fu, fv, carried)
    # Two pixels that contribute to one target are up to two pixels apart.
    reach = lax.stop_gradient(d1) + 2 * rise(d1, carried)

    def layer(counts: Maps) -> tuple[jax.Array, Maps]:
        """Splats the nearest surface among those that count; returns it and its pixels."""
        front = _greatest(landing, counts, d1)
        of_it = jax.tree.map(lambda counts, x: counts & (reach >= x), counts, front)
        weights = jax.tree.map(lambda w, of_it: jnp.where(of_it, w, 0), landing.weights, of_it)
        return _splat_with(landing, weights, d1[..., None])[0], of_it

    counts = jax.tree.map(lambda w: w > 0, landing.weights)
    first, of_first = layer(counts)
    second, _ = layer(jax.tree.map(lambda counts, of_it: counts & ~of_it, counts, of_first))
    seen = jnp.where(first[..., 1:] >= _COVERED, first, second)
    valid = seen[..., 1] >= _COVERED
    return jnp.where(valid, _divide_by_weight(seen)[..., 0], 0), valid
