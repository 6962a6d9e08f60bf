"""Optical expansion: the growth of a patch's image, computed from a flow field alone."""

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
    """The growth of the image of the patch around each pixel.

    Attributes:
      expansion: (*b, H, W), length after divided by length before; 0 where not valid.
      log_expansion: (*b, H, W), its natural logarithm, exact near 0; 0 where not valid.
      valid: (*b, H, W), bool.
    """

    expansion: jax.Array
    log_expansion: jax.Array
    valid: jax.Array


@partial(jit, static=("window",))
def optical_expansion(
    flow: jax.Array, valid: jax.Array | None = None, *, window: int = 3
) -> Expansion:
    """Measures how much the image of the patch around each pixel grows: sqrt(det(I + G)).

    The affine map F = F0 + G (p - p0) is fitted to the flow in the window by least squares; the
    logarithm of the expansion is log1p(tr G + det G) / 2. For a patch that faces the camera and
    does not turn, the expansion is z0/z1 = 1 / (motion in depth).
    Source: Yang and Ramanan, "Upgrading optical flow to 3D scene flow through optical
    expansion" (CVPR 2020).

    Args:
      flow: (*b, H, W, 2), pixels.
      valid: (*b, H, W), bool, False for vectors to ignore; all count if None.
      window: side of the square window in pixels, odd, at least 3.

    Returns:
      Expansion, its logarithm and validity. A pixel is valid if its whole window lies in the
      image, is valid and finite, and the fit preserves orientation (det(I + G) > 0).

    Raises:
      ValueError: window is even or below 3.
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
    growth = mask(whole, growth)  # so that 1 + growth is positive
    convert = lambda g, _: (jnp.sqrt(1 + g), 0.5 * jnp.log1p(g))
    expansion, whole = narrow(whole, where_valid(convert, (0.0,), whole, (growth,), None), dtype)
    return Expansion(expansion[0], expansion[1], whole)


def _filter(x: jax.Array, weights: jax.Array, axis: int) -> jax.Array:
    """Sums over a window along one axis with weights; outside, x counts as 0."""
    half, length = len(weights) // 2, x.shape[axis]
    padding = [(0, 0)] * x.ndim
    padding[axis] = (half, half)
    padded = jnp.pad(x, padding)
    shifted = (
        jax.lax.slice_in_dim(padded, i, i + length, axis=axis % x.ndim) for i in range(len(weights))
    )
    return sum(w * part for w, part in zip(weights, shifted, strict=True))
