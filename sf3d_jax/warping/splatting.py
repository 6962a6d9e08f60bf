"""Splatting: carrying the values of one image forward along a flow.

The pixel p goes to p + flow(p) and gives each of the four pixels q around it the weight

    w(p, q) = (1 - |u(p) - u_q|) (1 - |v(p) - v_q|).

What leaves the image is lost, corner by corner, and nothing else is.
"""

import math
from functools import partial
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._checks import check_array, check_batch, check_flow, check_image, check_mask
from sf3d_jax._numerics import (
    align_ranks,
    and_valid,
    channels,
    is_in_range,
    is_positive_finite,
    jit,
    mask,
    narrow,
    result_type,
    widen,
)
from sf3d_jax.warping._windows import (
    Maps,
    fold_batch_into_rows,
    products,
    scatter_max,
    scatter_windows,
    windows,
)
from sf3d_jax.warping.sampling import bilinear_taps, positions

# The weight of a pixel at a target that the corner of its unit square touches.
_COVERED = 0.25

Mode = Literal["sum", "average", "linear", "softmax"]


class Splatted(NamedTuple):
    """Values that landed on the pixels of a grid.

    Attributes:
      values: (*b, H, W, C).
      weight: (*b, H, W), the sum of w over the pixels that landed there; 0 in a hole.
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
    """Where the pixels of a grid land: the first of the 2 x 2 pixels of each, and its weights.

    Attributes:
      first: (h, w), integers: row times width plus column.
      weights: two rows of two maps (h, w).
    """

    first: jax.Array
    weights: Maps


@partial(jit, static=("mode",))
def forward_splat(
    values: jax.Array,
    flow: jax.Array,
    *,
    mode: Mode | None = None,
    importance: jax.Array | None = None,
    valid: jax.Array | None = None,
) -> Splatted:
    """Carries values along a flow onto the grid of the next image.

    With the weights w of this module and the importance m, the value at q is the sum over p of

        sum      w v
        average  w v / sum of w
        linear   w m v / sum of w m, each m divided by the greatest that lands on q
        softmax  w exp(m) v / sum of w exp(m), each exponent less the greatest that lands on q,

    so that importances of any size neither overflow nor vanish. Source: Niklaus and Liu,
    "Softmax splatting for video frame interpolation" (CVPR 2020).

    Args:
      values: (*b, H, W, C).
      flow: (*b, H, W, 2), in pixels.
      mode: "sum", "average", "linear" or "softmax"; if None, "softmax" with an importance and
        "average" without.
      importance: (*b, H, W), m, such as the inverse depth: what is nearer covers what is behind.
        For "linear", where it is at least 0, and "softmax", which need it, and only for them.
      valid: (*b, H, W), bool, which pixels are carried; all if None.

    Returns:
      Values and weight, in the dtype of the values. Values are 0 where nothing landed. A pixel
      that is not valid, or has a number that is not finite, is not carried and gets no gradient.

    Raises:
      TypeError: an argument is no floating array, or valid none of bool.
      ValueError: shapes do not fit, mode is none of these, or the importance is missing, or given
        to a mode that has none.
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
    result, weight = _splat(mode, values, _landing(fu, fv, carried), priority)
    result, _ = narrow(jnp.ones(weight.shape, bool), result, dtype)
    return Splatted(result, weight.astype(dtype))


def _check_mode(mode: Mode | None, importance: jax.Array | None) -> Mode:
    """The mode that is meant, which has an importance if it needs one."""
    if mode is None:
        return "average" if importance is None else "softmax"
    if mode not in get_args(Mode):
        raise ValueError(f"mode: expected one of {get_args(Mode)}, got {mode!r}")
    if mode in ("linear", "softmax") and importance is None:
        raise ValueError(
            f"importance: needed by mode {mode!r}, such as the inverse depth; "
            f"without one there is mode 'average'"
        )
    if mode in ("sum", "average") and importance is not None:
        raise ValueError(
            f"importance: mode {mode!r} has none; it is for the modes 'linear' and 'softmax'"
        )
    return mode


def _splat(
    mode: Mode, values: jax.Array, landing: _Landing, importance: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """`forward_splat` of values that are carried, and of what else has no weight."""
    if mode in ("sum", "average"):
        total = _splat_with(landing, landing.weights, values)
        return (total[..., :-1] if mode == "sum" else _quotient(total)), total[..., -1]

    # Relative to the greatest that lands there, importances of any size leave the same quotient.
    counts = jax.tree.map(lambda w: w > 0, landing.weights)
    greatest = _greatest(landing, counts, importance)
    relate = _divide_by_greatest if mode == "linear" else _exp_below_greatest
    factors = jax.tree.map(partial(relate, importance), greatest)
    weights = jax.tree.map(jnp.multiply, landing.weights, factors)
    total = _splat_with(landing, weights, values)
    weight = _splat_with(landing, landing.weights, values[..., :0])[..., 0]
    return _quotient(total), weight


def _divide_by_greatest(importance: jax.Array, greatest: jax.Array) -> jax.Array:
    positive = greatest > 0
    return jnp.where(positive, importance, 0) / jnp.where(positive, greatest, 1)


def _exp_below_greatest(importance: jax.Array, greatest: jax.Array) -> jax.Array:
    # Above the greatest, or where nothing landed, is only what has no weight yet.
    below = importance - greatest
    return jnp.exp(jnp.where(below > 0, 0, below))


def _landing(fu: jax.Array, fv: jax.Array, carried: jax.Array) -> _Landing:
    """Where the pixels go; those that are not carried have no weight."""
    *batch, height, width = fu.shape
    u, v = positions(fu, fv)
    (column, along), (row, across) = bilinear_taps(u, width), bilinear_taps(v, height)
    rows, columns = _at_least_two((height, width))
    number = jnp.arange(math.prod(batch), dtype=row.dtype).reshape(*batch, 1, 1)
    first = (number * rows + row) * columns + column
    return _Landing(first, mask(carried, products(across, along)))


def _quotient(total: jax.Array) -> jax.Array:
    """The values of a total over its weight, its last channel; 0 where there is none."""
    *values, weight = channels(total)
    if not values:
        return total[..., :0]
    covered = weight > 0
    weight = jnp.where(covered, weight, 1)
    # Channel by channel: the derivative sums over them, and a sum over few is slow.
    return jnp.stack([jnp.where(covered, _divide(x, weight), 0) for x in values], axis=-1)


@jax.custom_jvp
def _divide(x: jax.Array, weight: jax.Array) -> jax.Array:
    """x / weight, whose derivative does not square the weight: that of a small one is 0."""
    return x / weight


@_divide.defjvp
def _divide_jvp(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (x, weight), (dx, dweight) = primals, tangents
    quotient = _divide(x, weight)
    return quotient, _divide(dx - quotient * dweight, weight)


# A window of two by two needs as many pixels: smaller images have some more.
def _at_least_two(size: tuple[int, ...]) -> tuple[int, int]:
    height, width = size
    return max(height, 2), max(width, 2)


def _splat_with(landing: _Landing, weights: Maps, values: jax.Array) -> jax.Array:
    """The sums of values (*b, h, w, C) times weights where they land, and of the weights."""
    *batch, height, width = landing.first.shape
    size = _at_least_two((height, width))
    first, weights = fold_batch_into_rows((landing.first, weights), -2)
    total = scatter_windows(
        (math.prod(batch) * size[0], size[1]), fold_batch_into_rows(values, -3), first, weights
    )
    return total.reshape(*batch, *size, total.shape[-1])[..., :height, :width, :]


def _greatest(landing: _Landing, counts: Maps, x: jax.Array) -> Maps:
    """The greatest x, (*b, h, w), of those that count where each pixel lands; or -inf."""
    *batch, height, width = x.shape
    size = _at_least_two((height, width))
    x, first, counts = fold_batch_into_rows((x, landing.first, counts), -2)
    greatest = scatter_max((math.prod(batch) * size[0], size[1]), x, first, counts)
    return jax.tree.map(lambda x: x.reshape(landing.first.shape), windows(greatest, first, 2))


@jit
def warp_inverse_depth(
    inv_depth: jax.Array, inv_depth_change: jax.Array, flow: jax.Array
) -> WarpedInverseDepth:
    """The inverse depth that the next frame shows: d + c carried along the flow, nearest first.

    A surface covers a pixel if its weights w there sum to a quarter; of those that do the nearest
    is seen, and its inverse depth is the mean by w. Two pixels are of one surface if they differ
    by no more than the surface rises in between, as measured beside each of them.

    Args:
      inv_depth: (*b, H, W), d = 1/z0, per metre.
      inv_depth_change: (*b, H, W), c = 1/z1 - 1/z0 of the same surface point, per metre.
      flow: (*b, H, W, 2), in pixels.

    Returns:
      1/z1 on the grid of the next frame, in the dtype of the maps, and validity; holes are not
      valid. Pixels without a surface at both times, or whose flow is not finite, are not
      carried and get no gradient. Differentiable by all that the winners are made of.

    Raises:
      TypeError: an argument is no floating array.
      ValueError: shapes do not fit.
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
    """`warp_inverse_depth` from the inverse depth that each pixel will have."""
    landing = _landing(fu, fv, carried)
    # Two pixels that land beside one target are up to two pixels apart.
    reach = lax.stop_gradient(d1) + 2 * rise(d1, carried)

    def layer(counts: Maps) -> tuple[jax.Array, Maps]:
        """The inverse depth and the weight of the nearest surface, and what is of it."""
        front = _greatest(landing, counts, d1)
        of_it = jax.tree.map(lambda counts, x: counts & (reach >= x), counts, front)
        weights = jax.tree.map(lambda w, of_it: jnp.where(of_it, w, 0), landing.weights, of_it)
        return _splat_with(landing, weights, d1[..., None]), of_it

    counts = jax.tree.map(lambda w: w > 0, landing.weights)
    first, of_first = layer(counts)
    second, _ = layer(jax.tree.map(lambda counts, of_it: counts & ~of_it, counts, of_first))
    seen = jnp.where(first[..., 1:] >= _COVERED, first, second)
    valid = seen[..., 1] >= _COVERED
    return jnp.where(valid, _quotient(seen)[..., 0], 0), valid


def rise(x: jax.Array, known: jax.Array) -> jax.Array:
    """How much a map (*b, h, w) changes from a pixel to the next on its surface, rows plus columns.

    Of the steps on both sides the smaller: the larger may be one to another surface. Where there
    is no step on one side, the one behind the other side bears witness; 0 where there is none.
    """
    x, known = lax.stop_gradient((x, known))
    x = mask(known, x)
    total = jnp.zeros_like(x)
    for axis in (-2, -1):
        length = x.shape[axis]
        part = lambda a, start, length=length, axis=axis: lax.slice_in_dim(
            a, start, start + length, axis=axis
        )
        margin = [(2, 2) if i == x.ndim + axis else (0, 0) for i in range(x.ndim)]
        padded, there = jnp.pad(x, margin), jnp.pad(known, margin)
        both = part(there, 0, length + 3) & part(there, 1, length + 3)
        steps = jnp.where(both, jnp.abs(jnp.diff(padded, axis=axis)), jnp.inf)
        before_left, left, right, after_right = (part(steps, i) for i in range(4))
        left, right = (
            jnp.where(jnp.isinf(left), after_right, left),
            jnp.where(jnp.isinf(right), before_left, right),
        )
        both = jnp.isfinite(left) & jnp.isfinite(right)
        total = total + jnp.where(both, jnp.minimum(left, right), 0)
    return total
