"""Tests for occlusion: which pixels of one image are hidden in the other.

    consistency   |F + B(p + F)|^2 > relative (|F|^2 + |B|^2) + absolute    (Sundaram et al. 2010)
    range map     the flow from the other image covers less than half of the pixel
                  (Wang et al., "Occlusion aware unsupervised learning of optical flow", 2018)
    depth         at the point's position, the other image shows a nearer surface

Results are 1 where hidden and 0 elsewhere. With a temperature T they are differentiable:
sigmoid(margin / T), where the margin is the excess over the threshold.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_maps
from sf3d_jax._numerics import (
    align_ranks,
    channels,
    is_in_range,
    is_positive_finite,
    jit,
    mask,
    widen,
)
from sf3d_jax.warping._surfaces import rise
from sf3d_jax.warping.sampling import is_within, positions, sample_at
from sf3d_jax.warping.splatting import forward_splat


class Occlusion(NamedTuple):
    """Which pixels of one image are hidden in the other.

    Attributes:
      hidden: (*b, H, W), 1 where the point is hidden by another surface, else 0; between 0 and 1
        with a temperature. 0 where the point is not inside.
      inside: (*b, H, W), bool, whether the point lies within the other image, [-0.5, W - 0.5] x
        [-0.5, H - 0.5].
    """

    hidden: jax.Array
    inside: jax.Array


@jit
def occlusion_from_consistency(
    flow: jax.Array,
    backward_flow: jax.Array,
    *,
    relative: float = 0.01,
    absolute: float = 0.5,
    temperature: float | None = None,
) -> Occlusion:
    """Hidden where |F + B(p + F)|^2 > relative (|F|^2 + |B(p + F)|^2) + absolute.

    With a temperature T, hidden = sigmoid((left side - right side) / T).
    Source: Sundaram et al., "Dense point trajectories by GPU-accelerated large displacement optical
    flow" (ECCV 2010).

    Args:
      flow: (*b, H, W, 2), F, from this image to the other, in pixels.
      backward_flow: (*b, H, W, 2), B, from the other image to this one, in pixels.
      relative: tolerance relative to the squared lengths of the flows.
      absolute: tolerance in squared pixels.
      temperature: T in squared pixels, positive; the result is 0 or 1 if None.

    Returns:
      Occlusion, in the dtype of the flow. A pixel with non-finite flow is not inside; a pixel with
      non-finite backward flow is not hidden. Neither passes a gradient.
    """
    check_maps(flow=(flow, "flow"), backward_flow=(backward_flow, "flow"))
    dtype = flow.dtype
    flow, back = widen(flow, backward_flow)
    there, inside = _find_target(flow)
    back, known = sample_at("flow", back, *there, "bilinear", "clamp")
    known, inside, *moved = align_ranks(known, inside, *channels(flow), *channels(back))
    known = known & inside
    fu, fv, bu, bv = mask(known, tuple(moved))
    missed = (fu + bu) ** 2 + (fv + bv) ** 2
    share, least = (jnp.asarray(option, fu.dtype) for option in (relative, absolute))
    allowed = share * (fu * fu + fv * fv + bu * bu + bv * bv) + least
    return _make_occlusion(missed - allowed, known, inside, temperature, dtype)


@jit
def occlusion_from_range_map(
    backward_flow: jax.Array,
    *,
    flow: jax.Array | None = None,
    temperature: float | None = None,
) -> Occlusion:
    """Hidden where the backward flow covers less than half of a pixel: weight < 0.5.

    The weight is the sum of the bilinear weights with which the other image's pixels land here.
    With a temperature T, hidden = sigmoid((0.5 - weight) / T).
    Source: Wang et al., "Occlusion aware unsupervised learning of optical flow" (CVPR 2018).

    Args:
      backward_flow: (*b, H, W, 2), from the other image to this one, in pixels; non-finite vectors
        cover nothing.
      flow: (*b, H, W, 2), from this image to the other, in pixels, to find the pixels that leave
        the image. If None, all pixels count as inside, and those that leave appear hidden.
      temperature: T in pixel areas, positive; the result is 0 or 1 if None.

    Returns:
      Occlusion, in the dtype of the backward flow. A pixel with non-finite flow is not inside.
    """
    check_maps(backward_flow=(backward_flow, "flow"), flow=(flow, "flow"))
    dtype = backward_flow.dtype
    (back,) = widen(backward_flow)
    # Only the weight is needed, so the values are zeros.
    reached = forward_splat(jnp.zeros_like(back[..., :1]), back, mode="sum").weight
    inside = jnp.ones(reached.shape, bool) if flow is None else _find_target(*widen(flow))[1]
    inside = jnp.broadcast_to(inside, jnp.broadcast_shapes(inside.shape, reached.shape))
    return _make_occlusion(0.5 - reached, inside, inside, temperature, dtype)


@jit
def occlusion_from_depth(
    flow: jax.Array,
    inv_depth: jax.Array,
    inv_depth_change: jax.Array,
    next_inv_depth: jax.Array,
    *,
    tolerance: float = 1e-3,
    temperature: float | None = None,
) -> Occlusion:
    """Hidden where the next image shows a nearer surface: (n - r) / (d + c) - 1 > tolerance.

    n is the next inverse depth at the pixel that p + F rounds to. r is the local slope of n per
    pixel, subtracted so that a slanted surface does not hide itself. With a temperature T, hidden =
    sigmoid((left side - tolerance) / T).

    Args:
      flow: (*b, H, W, 2), F, in pixels.
      inv_depth: (*b, H, W), d = 1/z0, per metre.
      inv_depth_change: (*b, H, W), c = 1/z1 - 1/z0 of the same surface point, per metre.
      next_inv_depth: (*b, H, W), 1/z of the next image, per metre; not positive without a surface.
      tolerance: relative difference of inverse depth up to which a nearer surface does not hide.
      temperature: T, relative, positive; the result is 0 or 1 if None.

    Returns:
      Occlusion, in the dtype of the flow. A pixel without a surface at both times, or with
      non-finite flow, is not inside. With a temperature, the result is differentiable by the three
      inverse depths, but constant in the flow, because n is the value of a single pixel.
    """
    check_maps(
        flow=(flow, "flow"),
        inv_depth=(inv_depth, "map"),
        inv_depth_change=(inv_depth_change, "map"),
        next_inv_depth=(next_inv_depth, "map"),
    )
    dtype = flow.dtype
    flow, d0, c, following = widen(flow, inv_depth, inv_depth_change, next_inv_depth)
    there, inside = _find_target(flow)
    inside, d0, c = align_ranks(inside, d0, c)
    inside = inside & is_positive_finite(d0) & is_positive_finite(d0 + c)
    seen = is_positive_finite(following)
    following = mask(seen, following)
    slope = rise(following, seen)
    both = jnp.stack([following, slope], axis=-1)
    n, r = channels(sample_at("flow", both, *there, "nearest", "clamp").values)
    n, r, inside, d0, c = align_ranks(n, r, inside, d0, c)
    hides = inside & (n > 0)
    d1, n, r = mask(hides, (d0 + c, n, r), (1, 0, 0))
    margin = (n - r) / d1 - 1 - jnp.asarray(tolerance, d1.dtype)
    return _make_occlusion(margin, hides, inside, temperature, dtype)


def _find_target(flow: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    """Finds where pixels go, clipped to the outermost centres, and whether that is inside."""
    height, width = flow.shape[-3:-1]
    fu, fv = channels(flow)
    finite = is_in_range(fu) & is_in_range(fv)
    u, v = positions(*mask(finite, (fu, fv)))
    inside = finite & is_within(u, v, (height, width))
    return (jnp.clip(u, 0, width - 1), jnp.clip(v, 0, height - 1)), inside


def _make_occlusion(
    margin: jax.Array,
    known: jax.Array,
    inside: jax.Array,
    temperature: float | None,
    dtype: jnp.dtype,
) -> Occlusion:
    """Makes the result from the excess over the threshold; unknown pixels are not hidden."""
    margin = mask(known, margin)
    if temperature is None:
        hidden = margin > 0
    else:
        hidden = jax.nn.sigmoid(margin / jnp.asarray(temperature, margin.dtype))
    hidden = mask(known, hidden.astype(dtype))
    return Occlusion(hidden, jnp.broadcast_to(inside, hidden.shape))
