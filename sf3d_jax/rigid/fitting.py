"""The rigid motion that fits pairs of points best.

Formulas: Horn, "Closed-form solution of absolute orientation using unit quaternions" (JOSA A,
1987); with a scale: Umeyama, "Least-squares estimation of transformation parameters between two
point patterns" (PAMI 1991).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, check_batch, check_mask
from sf3d_jax._numerics import (
    align_ranks,
    and_valid,
    channels,
    channels_last,
    is_in_range,
    jit,
    mask,
    narrow,
    result_type,
    widen,
)
from sf3d_jax._numerics.vectors import Vector, multiply, subtract
from sf3d_jax.rigid import _kabsch
from sf3d_jax.se3._turns import join


class RigidFit(NamedTuple):
    """The rigid motion of a set of points, and what it leaves.

    Attributes:
      transform: (*b, 3, 4), [R | t], or [s R | t] with a scale: points go to R x + t. The identity
        where not valid.
      residual: (*b, n, 3), what is left of each point's motion, next point - (R x + t), in metres;
        0 at points that do not count, and where not valid.
      valid: (*b), bool, whether the points determine a rigid motion.
    """

    transform: jax.Array
    residual: jax.Array
    valid: jax.Array


@partial(jit, static=("scale",))
def fit_rigid(
    points: jax.Array,
    next_points: jax.Array | None = None,
    *,
    motions: jax.Array | None = None,
    weights: jax.Array | None = None,
    valid: jax.Array | None = None,
    scale: bool = False,
) -> RigidFit:
    """Fits a rigid motion to pairs of points: minimises sum w |next point - (R x + t)|^2.

    R is a rotation. It is computed from the motions, next point - point, so that the digits of
    small ones stay: give `motions` (for example scene flow) where they are known better than as
    the difference of two rounded points. `se3.apply(transform, points)` moves points by the result.
    Source: Horn (JOSA A 1987); the scale: Umeyama (PAMI 1991).

    Args:
      points: (*b, n, 3), in metres. Maps (H, W, 3) would be H sets of points: for one object of an
        image, pass each `reshape(-1, 3)`, and its mask, as `valid`, `reshape(-1)`.
      next_points: (*b, n, 3), where they went; either this or `motions`.
      motions: (*b, n, 3), next point - point.
      weights: (*b, n), w, not negative; 1 if None. Only their ratios matter. A point with a
        negative weight, or one that is not finite, does not count.
      valid: (*b, n), bool, the points that count; all if None.
      scale: whether to fit a similarity s R x + t; s is then the length of each column of
        transform[..., :3].

    Returns:
      RigidFit(transform, residual, valid) in the dtype of the points and motions. A point with a
      coordinate that is not finite does not count. `valid` is False if the points that count are
      on a line or less than three, if they are mirrored (a reflection would leave less than half
      of the root mean square residual), or if all weights are 0. The derivative is that of the
      optimum, exact also for planar and for symmetric sets; it is 0 where not valid.

    Raises:
      TypeError: neither or both of next_points and motions are given.
    """
    other = _check(points, next_points, motions, weights, valid)
    dtype = result_type(points.dtype, other.dtype)
    given = jnp.ones(points.shape[-2], points.dtype) if weights is None else weights
    points, other, given = widen(points, other, given)
    finite = is_in_range(points).all(-1), is_in_range(other).all(-1)
    parts = align_ranks(*finite, is_in_range(given) & (given >= 0))
    used = and_valid(parts[0] & parts[1] & parts[2], valid)
    before, after, (share,) = (
        mask(used, x) for x in _align(used, channels(points), channels(other), (given,))
    )
    moved = subtract(after, before) if motions is None else after
    fit, moments = _kabsch.fit(before, moved, share, with_scale=scale)
    left = mask(used & fit.valid[..., None], _leave(before, moved, fit, moments))
    (transform, residual), found = narrow_fit(fit, channels_last(*left), dtype)
    return RigidFit(transform, residual, found)


def narrow_fit(
    fit: _kabsch.Fit, residual: jax.Array, dtype: jnp.dtype
) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    """The transform, the identity where not valid, and the residual in the dtype of the inputs."""
    tree, valid = narrow(fit.valid, (join(fit.linear, fit.shift), residual), dtype)
    still = jnp.broadcast_to(jnp.eye(3, 4, dtype=dtype), tree[0].shape)
    return (jnp.where(valid[..., None, None], tree[0], still), tree[1]), valid


def _leave(points: Vector, motions: Vector, fit: _kabsch.Fit, moments: _kabsch.Moments) -> Vector:
    """What the fit leaves of the motions, about the means: t is large where the points are far."""
    about = lambda v, middle: tuple(a - b[..., None] for a, b in zip(v, middle, strict=True))
    linear = tuple(tuple(a[..., None] for a in row) for row in fit.linear)
    rigid = multiply(linear, about(points, moments.point))
    return subtract(about(motions, moments.motion), rigid)


def _align(used: jax.Array, *vectors: Vector) -> tuple[Vector, ...]:
    """Maps broadcast to the shape of `used`."""
    return tuple(tuple(jnp.broadcast_to(a, used.shape) for a in v) for v in vectors)


def _check(
    points: jax.Array,
    next_points: jax.Array | None,
    motions: jax.Array | None,
    weights: jax.Array | None,
    valid: jax.Array | None,
) -> jax.Array:
    """Checks the arguments of `fit_rigid`; returns the given one of next_points and motions."""
    name, other = ("next_points", next_points) if motions is None else ("motions", motions)
    if other is None or (next_points is not None and motions is not None):
        got = "neither" if other is None else "both"
        raise TypeError(f"fit_rigid: expected one of next_points and motions, got {got}")
    check_array("points", points, (3,))
    if points.ndim < 2:
        raise ValueError(f"points: expected shape (..., n, 3), got {points.shape}")
    n = points.shape[-2]
    check_array(name, other, (n, 3))
    batches = {"points": points.shape[:-2], name: other.shape[:-2]}
    if weights is not None:
        check_array("weights", weights, (n,))
        batches["weights"] = weights.shape[:-1]
    if valid is not None:
        check_mask("valid", valid, (n,))
        batches["valid"] = valid.shape[:-1]
    check_batch(**batches)
    return other
