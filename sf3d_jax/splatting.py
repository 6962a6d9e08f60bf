"""Splatting: carrying the values of one image forward along a flow.

The pixel p goes to p + flow(p) and gives each of the four pixels q around it the weight

    w(p, q) = (1 - |u(p) - u_q|) (1 - |v(p) - v_q|).

What leaves the image is lost, corner by corner, and nothing else is.
"""

from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._checks import check_array, check_batch, check_flow, check_mask
from sf3d_jax._numerics import bounded, channels, jit, mask, narrow, surface, widen
from sf3d_jax.sampling import bilinear_taps, pixel_windows, positions

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
      row: (h, w), integers.
      column: (h, w), integers.
      weights: (h, w, 2, 2).
    """

    row: jax.Array
    column: jax.Array
    weights: jax.Array


@partial(jit, static=("mode",))
def forward_splat(
    values: jax.Array,
    flow: jax.Array,
    *,
    mode: Mode = "softmax",
    importance: jax.Array | None = None,
    valid: jax.Array | None = None,
) -> Splatted:
    """Carries values along a flow onto the grid of the next image.

    With the weights w of this module and the importance m, the value at q is the sum over p of

        sum      w v
        average  w v / sum of w
        linear   w m v / sum of w m
        softmax  w exp(m) v / sum of w exp(m), each exponent less the greatest that lands on q,

    so that importances of any size neither overflow nor vanish. Source: Niklaus and Liu,
    "Softmax splatting for video frame interpolation" (CVPR 2020).

    Args:
      values: (*b, H, W, C).
      flow: (*b, H, W, 2), in pixels.
      mode: "sum", "average", "linear" or "softmax".
      importance: (*b, H, W), m; needed by "linear", where it is at least 0, and "softmax".
      valid: (*b, H, W), bool, which pixels are carried; all if None.

    Returns:
      Values and weight, in the dtype of the values. Values are 0 where nothing landed. A pixel
      that is not valid, or has a number that is not finite, is not carried and gets no gradient.

    Raises:
      TypeError: an argument is no floating array, or valid none of bool.
      ValueError: shapes do not fit, mode is none of these, or the importance is missing.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"mode: expected one of {get_args(Mode)}, got {mode!r}")
    if (importance is not None) != (mode in ("linear", "softmax")):
        raise ValueError(
            f"importance: expected for the modes 'linear' and 'softmax' alone, mode is {mode!r}"
        )
    check_array("values", values)
    if values.ndim < 3:
        raise ValueError(f"values: expected shape (..., H, W, C), got {values.shape}")
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
    if importance is None:
        importance = jnp.zeros((), dtype)
    values, flow, importance = widen(values, flow, importance)
    carried = bounded(values).all(-1) & bounded(flow).all(-1) & bounded(importance)
    if mode == "linear":
        carried = carried & (importance >= 0)
    if valid is not None:
        carried = carried & valid
    values, flow, importance = (
        mask(carried, jnp.broadcast_to(x, carried.shape + x.shape[n:]))
        for x, n in (
            (values, values.ndim - 1),
            (flow, flow.ndim - 1),
            (importance, importance.ndim),
        )
    )
    of_one = jnp.vectorize(
        partial(_splat, mode), signature="(m,n,c),(m,n),(m,n),(m,n),(m,n)->(m,n,c),(m,n)"
    )
    result, weight = of_one(values, *channels(flow), importance, carried)
    result, _ = narrow(jnp.ones(weight.shape, bool), result, dtype)
    return Splatted(result, weight.astype(dtype))


def _splat(
    mode: Mode,
    values: jax.Array,
    fu: jax.Array,
    fv: jax.Array,
    importance: jax.Array,
    carried: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """`forward_splat` of one image."""
    landing = _landing(fu, fv, carried)
    height, width = fu.shape
    size = height, width
    given = landing.weights[..., None]
    if mode in ("sum", "average"):
        updates = [_windows_times(values, landing.weights), given]
        total = _scatter(lax.scatter_add, 0, jnp.concatenate(updates, -1), landing, size)
        total, weight = total[..., :-1], total[..., -1]
        return (total if mode == "sum" else _quotient(total, weight)), weight

    if mode == "linear":
        factors = importance[..., None, None]
    else:
        greatest = _greatest(importance, landing, landing.weights > 0, size)
        below = importance[..., None, None] - _windows(greatest, landing)
        # Above the greatest, or where nothing landed, is only what has no weight yet.
        factors = jnp.exp(jnp.where(below > 0, 0, below))
    weights = landing.weights * factors
    updates = [_windows_times(values, weights), weights[..., None], given]
    total = _scatter(lax.scatter_add, 0, jnp.concatenate(updates, -1), landing, size)
    return _quotient(total[..., :-2], total[..., -2]), total[..., -1]


def _landing(fu: jax.Array, fv: jax.Array, carried: jax.Array) -> _Landing:
    """Where the pixels go; those that are not carried have no weight."""
    height, width = fu.shape
    u, v = positions(fu, fv)
    (column, along), (row, across) = bilinear_taps(u, width), bilinear_taps(v, height)
    weights = jnp.stack([jnp.stack([a * b for b in along], -1) for a in across], -2)
    return _Landing(row, column, mask(carried, weights))


def _quotient(total: jax.Array, weight: jax.Array) -> jax.Array:
    """total / weight, 0 where there is no weight."""
    covered = (weight > 0)[..., None]
    return jnp.where(covered, total / jnp.where(covered, weight[..., None], 1), 0)


@jax.custom_jvp
def _windows_times(values: jax.Array, weights: jax.Array) -> jax.Array:
    """What each pixel gives to its 2 x 2 targets: (h, w, 2, 2, C)."""
    return values[..., None, None, :] * weights[..., None]


@_windows_times.defjvp
def _windows_times_jvp(primals: Any, tangents: Any) -> Any:
    # The transpose by the weights sums over the channels. One by one: the axis is short.
    (values, weights), (values_dot, weights_dot) = primals, tangents
    reweighted = [values[..., c, None, None] * weights_dot for c in range(values.shape[-1])]
    change = values_dot[..., None, None, :] * weights[..., None] + jnp.stack(reweighted, -1)
    return _windows_times(values, weights), change


def _greatest(
    x: jax.Array, landing: _Landing, counts: jax.Array, size: tuple[int, int]
) -> jax.Array:
    """The greatest x, (h, w), that lands on each pixel with a weight that counts; or -inf.

    A constant: which pixel wins does not change with a small step.
    """
    x, counts = lax.stop_gradient((x, counts))
    updates = jnp.where(counts, x[..., None, None], -jnp.inf)[..., None]
    return _scatter(lax.scatter_max, -jnp.inf, updates, landing, size)[..., 0]


def _scatter(
    scatter: Any, initial: float, updates: jax.Array, landing: _Landing, size: tuple[int, int]
) -> jax.Array:
    height, width = size
    target = jnp.full((max(height, 2), max(width, 2), updates.shape[-1]), initial, updates.dtype)
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=(2, 3, 4),
        inserted_window_dims=(),
        scatter_dims_to_operand_dims=(0, 1),
    )
    places = jnp.stack([landing.row, landing.column], axis=-1)
    mode = lax.GatherScatterMode.PROMISE_IN_BOUNDS
    return scatter(target, places, updates, numbers, mode=mode)[:height, :width]


def _windows(x: jax.Array, landing: _Landing) -> jax.Array:
    """The values of a map at the 2 x 2 targets of each pixel."""
    height, width = x.shape
    padded = jnp.pad(x, ((0, max(0, 2 - height)), (0, max(0, 2 - width))))
    return pixel_windows(padded[..., None], landing.row, landing.column, 2)[..., 0]


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
    dtype = jnp.result_type(inv_depth, inv_depth_change)
    d0, c, flow = widen(inv_depth, inv_depth_change, flow)
    fu, fv = channels(flow)
    carried = surface(d0) & surface(d0 + c) & bounded(fu) & bounded(fv)
    moved = mask(carried, (*jnp.broadcast_arrays(d0 + c, fu, fv),))
    of_one = jnp.vectorize(_nearest_surface, signature="(m,n),(m,n),(m,n),(m,n)->(m,n),(m,n)")
    result, valid = of_one(*moved, carried)
    result, valid = narrow(valid, result, dtype)
    return WarpedInverseDepth(result, valid)


def _nearest_surface(
    d1: jax.Array, fu: jax.Array, fv: jax.Array, carried: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """`warp_inverse_depth` of one image, from the inverse depth that each pixel will have."""
    landing = _landing(fu, fv, carried)
    height, width = d1.shape
    size = height, width
    # Two pixels that land beside one target are up to two pixels apart.
    reach = (lax.stop_gradient(d1) + 2 * rise(d1, carried))[..., None, None]

    def splat(weights: jax.Array) -> jax.Array:
        updates = jnp.stack([d1[..., None, None] * weights, weights], -1)
        return _scatter(lax.scatter_add, 0, updates, landing, size)

    def layer(counts: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The inverse depth and the weight of the nearest surface, and what is not of it."""
        front = _windows(_greatest(d1, landing, counts, size), landing)
        of_it = counts & (reach >= front)
        return splat(jnp.where(of_it, landing.weights, 0)), of_it

    counts = landing.weights > 0
    first, of_first = layer(counts)
    second, _ = layer(counts & ~of_first)
    seen = jnp.where(first[..., 1:] >= _COVERED, first, second)
    valid = seen[..., 1] >= _COVERED
    return jnp.where(valid, _quotient(seen[..., :1], seen[..., 1])[..., 0], 0), valid


def rise(x: jax.Array, known: jax.Array) -> jax.Array:
    """How much a map (h, w) changes from a pixel to the next on its own surface, rows plus columns.

    Of the steps on both sides the smaller: the larger may be one to another surface. Where there
    is no step on one side, the one behind the other side bears witness; 0 where there is none.
    """
    x, known = lax.stop_gradient((x, known))
    total = jnp.zeros_like(x)
    for axis in (0, 1):
        length = x.shape[axis]
        part = lambda a, start, axis=axis, length=length: lax.slice_in_dim(
            a, start, start + length, axis=axis
        )
        pad = lambda a, fill, axis=axis: jnp.pad(
            a, [(2, 2) if a_ == axis else (0, 0) for a_ in (0, 1)], constant_values=fill
        )
        steps = jnp.abs(jnp.diff(pad(jnp.where(known, x, jnp.nan), jnp.nan), axis=axis))
        steps = jnp.where(jnp.isnan(steps), jnp.inf, steps)
        before_left, left, right, after_right = (part(steps, i) for i in range(4))
        left, right = (
            jnp.where(jnp.isinf(left), after_right, left),
            jnp.where(jnp.isinf(right), before_left, right),
        )
        both = jnp.isfinite(left) & jnp.isfinite(right)
        total = total + jnp.where(both, jnp.minimum(left, right), 0)
    return total
