"""Optical expansion: the growth of a patch's image, from a flow field alone."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_flow
from sf3d_jax._numerics import (
    and_valid,
    is_in_range,
    is_positive_finite,
    jit,
    mask,
    narrow,
    where_valid,
    widen,
)


class Expansion(NamedTuple):
    """How much the image of a patch grows.

    Attributes:
      expansion: (*b, H, W), ratio of lengths after and before; 0 where not valid.
      log_expansion: (*b, H, W), its logarithm, exact near no growth; 0 where not valid.
      valid: (*b, H, W), bool.
    """

    expansion: jax.Array
    log_expansion: jax.Array
    valid: jax.Array


@partial(jit, static=("window",))
def optical_expansion(
    flow: jax.Array, valid: jax.Array | None = None, *, window: int = 3
) -> Expansion:
    """How much the image of the patch around each pixel grows.

    The flow of the window is fitted by an affine map, F = F0 + G (p - p0), in least squares;
    the expansion is sqrt(det(I + G)), its logarithm log1p(tr G + det G) / 2. Where a patch
    faces the camera and does not turn, expansion = z0/z1 = 1 / (motion in depth).
    Source: Yang and Ramanan, "Upgrading optical flow to 3D scene flow through optical
    expansion" (CVPR 2020).

    Args:
      flow: (*b, H, W, 2), pixels.
      valid: (*b, H, W), bool, which vectors count; all if None.
      window: side of the square window in pixels, odd, at least 3.

    Returns:
      Expansion, its logarithm and validity: the whole window lies in the image and is valid
      and finite, and the fit keeps its orientation. Other pixels get zeros and pass no
      gradient; an invalid vector makes the pixels invalid whose window holds it.

    Raises:
      TypeError: flow is no floating array, or valid none of bool.
      ValueError: a shape does not fit, or window is even or below 3.
    """
    if window < 3 or window % 2 == 0:
        raise ValueError(f"window: expected an odd number of at least 3, got {window}")
    check_flow(flow, valid)
    dtype = flow.dtype
    (flow,) = widen(flow)
    usable = and_valid(is_in_range(flow).all(-1), valid)
    flow = mask(usable, jnp.broadcast_to(flow, (*usable.shape, 2)))

    half = window // 2
    offsets = jnp.arange(-half, half + 1, dtype=flow.dtype)
    ones = jnp.ones_like(offsets)
    whole = _filter(_filter(usable.astype(flow.dtype), ones, -1), ones, -2) == window**2
    area = window * (offsets**2).sum()
    slope = lambda f, axis, other: _filter(_filter(f, offsets, axis), ones, other) / area
    ux, vx = (slope(flow[..., i], -1, -2) for i in range(2))
    uy, vy = (slope(flow[..., i], -2, -1) for i in range(2))

    growth = (ux + vy) + (ux * vy - uy * vx)
    whole = whole & is_positive_finite(1 + growth)
    growth = mask(whole, growth)  # no root of what is negative
    convert = lambda g, _: (jnp.sqrt(1 + g), 0.5 * jnp.log1p(g))
    expansion, whole = narrow(whole, where_valid(convert, (0.0,), whole, (growth,), None), dtype)
    return Expansion(expansion[0], expansion[1], whole)


def _filter(x: jax.Array, weights: jax.Array, axis: int) -> jax.Array:
    """The weighted sum over a window along one axis; what lies outside is 0."""
    half, length = len(weights) // 2, x.shape[axis]
    padding = [(0, 0)] * x.ndim
    padding[axis] = (half, half)
    padded = jnp.pad(x, padding)
    shifted = (
        jax.lax.slice_in_dim(padded, i, i + length, axis=axis % x.ndim) for i in range(len(weights))
    )
    return sum(w * part for w, part in zip(weights, shifted, strict=True))
