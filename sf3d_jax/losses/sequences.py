"""Losses over the iterations, scales or teacher of an estimator.

    raft       sum_i g^(N-1-i) mean_c |f_i - f|                                     (RAFT)
    raft3d     sum_i g^(N-1-i) (mean_c |f_i - f| + a |c_i - c| + r mean_c |r_i - f|)   (RAFT-3D)
    multi_scale             a loss on every level of the images' pyramids
    multi_scale_flow        the end-point error of flows of several sizes against one target
    self_supervision        charbonnier(S - T) w_T (1 - w_S), T and the weights constant  (SMURF)
    consistency_weight      w = e^{-|F + B(p + F)|^2 / (s^2 (H^2 + W^2))}

Iterations are in order: the last one is the result and has the largest weight.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from sf3d_jax._checks import check_array, check_batch, check_maps
from sf3d_jax._numerics import align_ranks, and_valid, channels, jit, mask, widen
from sf3d_jax.losses._maps import (
    LossMap,
    absolute,
    has_finite_channels,
    loss_map,
    mask_inputs,
    total,
)
from sf3d_jax.losses.geometric import end_point_error, forward_backward_error
from sf3d_jax.losses.penalties import charbonnier
from sf3d_jax.warping.resizing import halve, resize_flow


@jit
def raft(
    flows: jax.Array,
    target: jax.Array,
    *,
    valid: jax.Array | None = None,
    decay: float = 0.8,
    largest: float = 400.0,
) -> LossMap:
    """RAFT's loss: sum_i g^(N-1-i) mean_c |f_i - f| over iterations (Teed and Deng, ECCV 2020).

    RAFT averages over all pixels: `loss.values.mean()`. `masked_mean(loss)` averages over the
    valid ones, so the loss does not shrink with the mask.

    Args:
      flows: (N, *b, H, W, 2), f_i, the iterations, in pixels.
      target: (*b, H, W, 2), f, in pixels.
      valid: (*b, H, W), bool, where the target is known; everywhere if None.
      decay: g.
      largest: length in pixels; pixels whose target is this long or longer are ignored.

    Returns:
      LossMap, (*b, H, W), in pixels, in the dtype of the flows; valid where the target counts and
      all iterations are finite.
    """
    check_maps(target=(target, "flow"), valid=(valid, "mask"))
    error, known = _compare_iterations("flows", flows, target, valid)
    (goal,) = widen(target)
    u, v = channels(jnp.where(known[..., None], goal, 0))
    known = known & (u * u + v * v < jnp.square(jnp.asarray(largest, u.dtype)))
    return loss_map(_sum_iterations(error, decay), known, flows.dtype)


@jit
def raft3d(
    flows: jax.Array,
    inv_depth_changes: jax.Array,
    target: jax.Array,
    target_change: jax.Array,
    *,
    revisions: jax.Array | None = None,
    valid: jax.Array | None = None,
    decay: float = 0.9,
    change_weight: float = 100.0,
    revision_weight: float = 0.2,
) -> LossMap:
    """RAFT-3D's loss over iterations (Teed and Deng, CVPR 2021).

        sum_i g^(N-1-i) (mean_c |f_i - f| + a |c_i - c| + r mean_c |r_i - f|)

    RAFT-3D scales inverse depths by 0.2 for FlyingThings3D and 0.1 for KITTI, with a = 100 and 250.

    Args:
      flows: (N, *b, H, W, 2), f_i, in pixels.
      inv_depth_changes: (N, *b, H, W), c_i.
      target: (*b, H, W, 2), f, in pixels.
      target_change: (*b, H, W), c, in the unit of the changes.
      revisions: (N, *b, H, W, 2), r_i, revised flows, in pixels; left out if None.
      valid: (*b, H, W), bool, where the targets are known; everywhere if None.
      decay: g.
      change_weight: a, in pixels per unit of the change.
      revision_weight: r.

    Returns:
      LossMap, (*b, H, W), in the dtype of the flows; valid where both targets count and all
      iterations are finite.
    """
    check_maps(target=(target, "flow"), target_change=(target_change, "map"), valid=(valid, "mask"))
    check_array("inv_depth_changes", inv_depth_changes)
    error, known = _compare_iterations("flows", flows, target, valid)
    for name, x in (("inv_depth_changes", inv_depth_changes), ("revisions", revisions)):
        if x is not None and x.shape[:1] != flows.shape[:1]:
            wanted = f"{flows.shape[0]} iterations as flows"
            raise ValueError(f"{name}: expected {wanted}, got {x.shape}")
    pair = inv_depth_changes[..., None], target_change[..., None]
    change_error, known = _compare_iterations("inv_depth_changes", *pair, known)
    error = error + jnp.asarray(change_weight, error.dtype) * change_error
    if revisions is not None:
        revision_error, known = _compare_iterations("revisions", revisions, target, known)
        error = error + jnp.asarray(revision_weight, error.dtype) * revision_error
    return loss_map(_sum_iterations(error, decay), known, flows.dtype)


def multi_scale(
    loss: Callable[..., LossMap],
    image: jax.Array,
    other: jax.Array,
    *,
    levels: int,
    valid: jax.Array | None = None,
) -> tuple[LossMap, ...]:
    """A loss of two images on every level of their pyramids, full size first.

        maps = multi_scale(census, image, warped, levels=3)
        value = sum(masked_mean(x) for x in maps)

    Args:
      loss: function of two images with the option `valid`, such as `census`.
      image: (*b, H, W, C), first image.
      other: (*b, H, W, C), second image.
      levels: number of levels, each half the size of the previous one.
      valid: (*b, H, W), bool, the pixels that count; all if None. A pixel of a coarser level
        counts if all its source pixels do.

    Returns:
      One LossMap per level.

    Raises:
      ValueError: levels is below 1.
    """
    check_maps(image=(image, "image"), other=(other, "image"), valid=(valid, "mask"))
    pairs = zip(*(halve(x, valid, levels) for x in (image, other)), strict=True)
    return tuple(loss(a.values, b.values, valid=a.valid & b.valid) for a, b in pairs)


def multi_scale_flow(
    flows: Sequence[jax.Array], target: jax.Array, *, valid: jax.Array | None = None
) -> tuple[LossMap, ...]:
    """End-point errors |f_l - f| of flows of several sizes against one target (FlowNet, PWC-Net).

    Args:
      flows: each (*b, h, w, 2), in pixels of its own grid.
      target: (*b, H, W, 2), f, in pixels; resized to the grid of each flow.
      valid: (*b, H, W), bool, where the target is known; everywhere if None.

    Returns:
      One LossMap per flow, in pixels of its grid.

    Raises:
      ValueError: flows is empty.
    """
    if len(flows) == 0:
        raise ValueError("flows: expected at least one flow, got none")
    for i, flow in enumerate(flows):
        check_maps(**{f"flows[{i}]": (flow, "flow")})
    goals = [resize_flow(target, (flow.shape[-3], flow.shape[-2]), valid=valid) for flow in flows]
    return tuple(
        end_point_error(flow, goal.values, valid=goal.valid)
        for flow, goal in zip(flows, goals, strict=True)
    )


@jit
def self_supervision(
    flow: jax.Array,
    teacher: jax.Array,
    *,
    weight: jax.Array,
    teacher_weight: jax.Array,
    valid: jax.Array | None = None,
) -> LossMap:
    """A student's loss against its teacher: charbonnier(S - T) w_T (1 - w_S).

    From SMURF, after SelFlow. The student sees less than the teacher, for instance a crop of the
    images. It learns where the teacher is certain and it is not.

    Args:
      flow: (*b, H, W, 2), S, the student's flow, in pixels.
      teacher: (*b, H, W, 2), T, the teacher's flow, in pixels, on the same grid; a constant.
      weight: (*b, H, W), w_S, the student's certainty from 0 to 1, for instance
        `consistency_weight` with a sigma of 0.03; a constant.
      teacher_weight: (*b, H, W), w_T, the teacher's certainty, for instance with a sigma of
        0.003; a constant.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap, in pixels, in the dtype of the flow; valid where the pixel counts and all inputs are
      finite.
    """
    check_maps(
        flow=(flow, "flow"),
        teacher=(teacher, "flow"),
        weight=(weight, "map"),
        teacher_weight=(teacher_weight, "map"),
        valid=(valid, "mask"),
    )
    dtype = flow.dtype
    flow, *fixed = widen(flow, teacher, weight[..., None], teacher_weight[..., None])
    known, (student, teacher, own, others) = mask_inputs(valid, flow, *lax.stop_gradient(fixed))
    share = others[..., 0] * (1 - own[..., 0])
    return loss_map(share * total(channels(charbonnier(student - teacher))), known, dtype)


@jit
def consistency_weight(
    flow: jax.Array, backward_flow: jax.Array, *, sigma: float = 0.03
) -> jax.Array:
    """Certainty of a flow by its way back, e^{-|F + B(p + F)|^2 / (s^2 (H^2 + W^2))} (SMURF).

    Args:
      flow: (*b, H, W, 2), F, in pixels.
      backward_flow: (*b, H, W, 2), B, from the next frame to the first, in pixels.
      sigma: s, positive, as a share of the image diagonal.

    Returns:
      (*b, H, W), from 0 to 1, in the dtype of the flow; 0 where B is not known at p + F.
    """
    check_maps(flow=(flow, "flow"), backward_flow=(backward_flow, "flow"))
    dtype = flow.dtype
    flow, backward_flow = widen(flow, backward_flow)
    missed, known = forward_backward_error(flow, backward_flow)
    height, width = flow.shape[-3:-1]
    spread = jnp.asarray(sigma, flow.dtype) ** 2 * (height**2 + width**2)
    known = known & (spread > 0)
    squared = missed * missed / jnp.where(spread > 0, spread, 1)
    return mask(known, jnp.exp(-squared)).astype(dtype)


def _compare_iterations(
    name: str, x: jax.Array, target: jax.Array, valid: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """The mean error over channels of iterations (N, *b, H, W, C), and where all of them count."""
    check_array(name, x, target.shape[-3:])
    if x.ndim < 4 or not x.shape[0]:
        raise ValueError(f"{name}: expected shape (N, ..., H, W, C), N at least 1, got {x.shape}")
    batches = {name: x.shape[1:-3], "target": target.shape[:-3]}
    batch = check_batch(**batches, valid=() if valid is None else valid.shape[:-2])
    x, target = widen(x, target)
    # The axis of iterations stays in front of all batch axes.
    missing = (1,) * (len(batch) - len(x.shape[1:-3]))
    x = x.reshape(x.shape[0], *missing, *x.shape[1:])
    (target,) = align_ranks(target, rank=x.ndim)
    known = and_valid(has_finite_channels(x).all(0) & has_finite_channels(target)[0], valid)
    known = jnp.broadcast_to(known, (*batch, *x.shape[-3:-1]))
    x, target = (jnp.where(known[None, ..., None], a, 0) for a in (x, target))
    parts = zip(channels(x), channels(target), strict=True)
    return total([absolute(a - b) for a, b in parts]) / x.shape[-1], known


def _sum_iterations(error: jax.Array, decay: ArrayLike) -> jax.Array:
    """The weighted sum over iterations; the last one has weight 1."""
    age = jnp.arange(error.shape[0] - 1, -1, -1)
    weights = jnp.asarray(decay, error.dtype) ** age.astype(error.dtype)
    return (weights.reshape(-1, *(1,) * (error.ndim - 1)) * error).sum(0)
