"""Which pixels of an image are hidden in the other one.

    consistency   |F + B(p + F)|^2 > relative (|F|^2 + |B|^2) + absolute    (Sundaram et al. 2010)
    range map     less than a half of the pixel is reached by the flow from the other image
                  (Wang et al., "Occlusion aware unsupervised learning of optical flow", 2018)
    depth         the other image shows, where the point goes, a surface that is nearer than it

Each answer is 1 where hidden and 0 where not; with a temperature T it is the logistic function
of margin / T, the margin being what exceeds the threshold, and differentiable.
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
from sf3d_jax.warping.sampling import is_within, positions, sample_at
from sf3d_jax.warping.splatting import forward_splat, rise


class Occlusion(NamedTuple):
    """Which pixels of an image are hidden in the other.

    Attributes:
      hidden: (*b, H, W), 1 where the point is hidden by another surface, else 0; between the two
        with a temperature. 0 where the point is not inside.
      inside: (*b, H, W), bool, whether it lies within the other image, [-0.5, W - 0.5] by
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
    """Hidden where the way back does not undo the way there; see this module.

    Args:
      flow: (*b, H, W, 2), F, from this image to the other, in pixels.
      backward_flow: (*b, H, W, 2), B, from the other image to this one.
      relative: share of the squared lengths that may be missed.
      absolute: squared pixels that may be missed besides.
      temperature: T in squared pixels, positive; a hard answer if None.

    Returns:
      Occlusion, in the dtype of the flow. A pixel whose flow is not finite is not inside; one
      whose way back is not finite is not hidden. Neither passes a gradient.

    Raises:
      TypeError: an argument is no floating array.
      ValueError: shapes do not fit.
    """
    check_maps(flow=(flow, "flow"), backward_flow=(backward_flow, "flow"))
    dtype = flow.dtype
    flow, back = widen(flow, backward_flow)
    there, inside = _destination(flow)
    back, known = sample_at("flow", back, *there, "bilinear", "clamp")
    known, inside, *moved = align_ranks(known, inside, *channels(flow), *channels(back))
    known = known & inside
    fu, fv, bu, bv = mask(known, tuple(moved))
    missed = (fu + bu) ** 2 + (fv + bv) ** 2
    share, least = (jnp.asarray(option, fu.dtype) for option in (relative, absolute))
    allowed = share * (fu * fu + fv * fv + bu * bu + bv * bv) + least
    return _occlusion(missed - allowed, known, inside, temperature, dtype)


@jit
def occlusion_from_range_map(
    backward_flow: jax.Array,
    *,
    flow: jax.Array | None = None,
    temperature: float | None = None,
) -> Occlusion:
    """Hidden where too little of the other image comes from; see this module.

    Args:
      backward_flow: (*b, H, W, 2), from the other image to this one, in pixels; one that is not
        finite reaches nothing.
      flow: (*b, H, W, 2), from this image to the other, which tells what leaves it. Without it
        all counts as inside, and what has left as hidden.
      temperature: T in pixels' areas, positive; a hard answer if None.

    Returns:
      Occlusion, in the dtype of the backward flow. A pixel whose flow is not finite is not inside.

    Raises:
      TypeError: an argument is no floating array.
      ValueError: shapes do not fit.
    """
    check_maps(backward_flow=(backward_flow, "flow"), flow=(flow, "flow"))
    dtype = backward_flow.dtype
    (back,) = widen(backward_flow)
    # One channel of nothing: the weight alone is wanted.
    reached = forward_splat(jnp.zeros_like(back[..., :1]), back, mode="sum").weight
    inside = jnp.ones(reached.shape, bool) if flow is None else _destination(*widen(flow))[1]
    inside = jnp.broadcast_to(inside, jnp.broadcast_shapes(inside.shape, reached.shape))
    return _occlusion(0.5 - reached, inside, inside, temperature, dtype)


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
    """Hidden where the next image shows a nearer surface than the one that goes there.

    With n the next inverse depth at the pixel that p + F rounds to, and r how much n changes
    from there to the next pixel of the same surface, the margin is (n - r) / (d + c) - 1 less
    the tolerance: a slanted surface does not hide itself.

    Args:
      flow: (*b, H, W, 2), F, in pixels.
      inv_depth: (*b, H, W), d = 1/z0, per metre.
      inv_depth_change: (*b, H, W), c = 1/z1 - 1/z0 of the same surface point, per metre.
      next_inv_depth: (*b, H, W), 1/z of the next image, per metre; no surface hides nothing.
      tolerance: relative, how much nearer than the point a surface may be that does not hide it.
      temperature: T, relative, positive; a hard answer if None.

    Returns:
      Occlusion, in the dtype of the flow. A pixel without a surface at both times, or whose flow
      is not finite, is not inside. Differentiable, with a temperature, by the three inverse
      depths; by the flow it is constant, since n is that of one pixel.

    Raises:
      TypeError: an argument is no floating array.
      ValueError: shapes do not fit.
    """
    check_maps(
        flow=(flow, "flow"),
        inv_depth=(inv_depth, "map"),
        inv_depth_change=(inv_depth_change, "map"),
        next_inv_depth=(next_inv_depth, "map"),
    )
    dtype = flow.dtype
    flow, d0, c, following = widen(flow, inv_depth, inv_depth_change, next_inv_depth)
    there, inside = _destination(flow)
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
    return _occlusion(margin, hides, inside, temperature, dtype)


def _destination(flow: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    """Where the pixels go, moved to the nearest centre of a pixel, and whether that is inside."""
    height, width = flow.shape[-3:-1]
    fu, fv = channels(flow)
    finite = is_in_range(fu) & is_in_range(fv)
    u, v = positions(*mask(finite, (fu, fv)))
    inside = finite & is_within(u, v, (height, width))
    return (jnp.clip(u, 0, width - 1), jnp.clip(v, 0, height - 1)), inside


def _occlusion(
    margin: jax.Array,
    known: jax.Array,
    inside: jax.Array,
    temperature: float | None,
    dtype: jnp.dtype,
) -> Occlusion:
    """The answer from what exceeds the threshold; not hidden where nothing is known."""
    margin = mask(known, margin)
    if temperature is None:
        hidden = margin > 0
    else:
        hidden = jax.nn.sigmoid(margin / jnp.asarray(temperature, margin.dtype))
    hidden = mask(known, hidden.astype(dtype))
    return Occlusion(hidden, jnp.broadcast_to(inside, hidden.shape))
