"""The dense Gauss-Newton layer of RAFT-3D, which refines a field of rigid motions."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._checks import check_array, check_batch, check_choice
from sf3d_jax._numerics import (
    align_ranks,
    channels,
    compute_once,
    is_in_range,
    is_positive_finite,
    jit,
    mask,
    narrow,
    result_type,
    widen,
)
from sf3d_jax._numerics.cholesky import Lower, decompose, solve
from sf3d_jax._numerics.vectors import Matrix, Vector, add, cross, dot, multiply, scale
from sf3d_jax.camera import Camera
from sf3d_jax.camera._maps import check_maps_of
from sf3d_jax.conversion._two_views import ray_change, two_views
from sf3d_jax.rigid.rigid_field._dense_step import LARGEST_RESIDUAL, Middle, Seen, make_equations
from sf3d_jax.rigid.rigid_field._pairs import sum_pairs
from sf3d_jax.se3 import _turns

JACOBIANS = ("exact", "raft3d")
# The damping of RAFT-3D: of the diagonal, relative and absolute.
_RELATIVE_DAMPING, _DAMPING = 1e-4, 10.0
_TWIST = 6
# The determinant of a rotation is 1; a field that is 0 where it is not valid has none.
_LEAST_DETERMINANT = 0.5


class Refined(NamedTuple):
    """A refined field of rigid motions.

    Attributes:
      field: (*b, H, W, 3, 4), [R | t]; where not valid, the transform that was given, or 0 if that
        is bad.
      valid: (*b, H, W), bool.
    """

    field: jax.Array
    valid: jax.Array


@partial(jit, static=("radius", "jacobian"))
def refine(
    field: jax.Array,
    flow: jax.Array,
    inv_depth: jax.Array,
    inv_depth_change: jax.Array,
    camera: Camera,
    *,
    confidence: jax.Array,
    affinity: jax.Array,
    radius: int,
    jacobian: str = "exact",
) -> Refined:
    """Moves each pixel's transform T_i by one Gauss-Newton step: T_i <- exp(x) T_i.

    With r_ij the target (u, v, 1/z) of pixel j minus the projection of T_i X_j, J_ij its derivative
    and W_ij = sigmoid(-|a_i - a_j|^2) diag(confidence_j), summed over the window of i,

        H = sum J^T W J,  b = sum J^T W r,  (H + diag(1e-4 H + 10)) x = b.

    Pairs with a point T_i X_j nearer than 0.1 m, or a residual above 128 pixels along u or v, do
    not count. Source: Teed and Deng, "RAFT-3D" (CVPR 2021). Its code has another derivative of 1/z
    by the rotation; for its trained weights, pass jacobian="raft3d", radius=32, the embeddings
    divided by 8, and the camera of the grid that is an eighth of the image.

    Args:
      field: (*b, H, W, 3, 4), T = [R | t] in metres and the axes of the camera, R a rotation.
      flow: (*b, H, W, 2), pixels.
      inv_depth: (*b, H, W), per metre. The damping is not relative, so results depend on its unit.
      inv_depth_change: (*b, H, W), 1/z1 - 1/z0 of the same point, per metre.
      camera: camera of the grid (see `Camera.stride`); its batch axes broadcast against *b, its
        pose is not used. With a lens, residuals are those of undistorted pixels.
      confidence: (*b, H, W, 3), of u, v and 1/z, not negative.
      affinity: (*b, H, W, C), embeddings a.
      radius: radius of the window in pixels; the window has (2 radius + 1)^2 of them.
      jacobian: "exact", or "raft3d" for networks trained with RAFT-3D's.

    Returns:
      The refined field, in the dtype of the arrays. A pixel is valid if its inputs are finite, its
      depths positive before and after, its confidence not negative and R a rotation. Others are
      absent from all windows and pass no gradient, not even to their own transform. They are not 0
      as in other functions but keep their transform, which the next iteration of a network starts
      from; a transform with NaN, infinity or huge numbers becomes 0, and stays invalid. First
      derivatives, forward and reverse, are complete: also those by field, depth and camera, which
      RAFT-3D leaves out (use `jax.lax.stop_gradient`). There are no second ones.

    Raises:
      ValueError: radius is negative, or jacobian is another word.
    """
    dtype, batch = _check_arguments(
        field, flow, inv_depth, inv_depth_change, camera, confidence, affinity, radius, jacobian
    )
    given, flow, inv_depth, inv_depth_change, confidence, affinity, camera = widen(
        field, flow, inv_depth, inv_depth_change, confidence, affinity, camera
    )
    given = jnp.broadcast_to(given, (*batch, *given.shape[-4:]))
    motion = flow, inv_depth, inv_depth_change
    middle, seen, valid = _prepare(given, motion, confidence, affinity, camera, batch)
    fold = lambda x: x.reshape(-1, *x.shape[len(batch) :])
    folded = jax.tree.map(fold, (middle, seen))
    sums = sum_pairs(make_equations(jacobian), *folded, radius)
    twist = compute_once([x.reshape(valid.shape) for x in _solve(sums)])
    moved = _turns.join(*compute_once(_move(twist, middle.turn, middle.shift)))
    moved, valid = narrow(valid, moved, dtype)
    kept = lax.stop_gradient(given)
    kept = mask(is_in_range(kept).all((-2, -1)), kept).astype(dtype)
    return Refined(mask(valid, moved, kept), valid)


def _prepare(
    field: jax.Array,
    motion: tuple[jax.Array, jax.Array, jax.Array],
    confidence: jax.Array,
    affinity: jax.Array,
    camera: Camera,
    batch: tuple[int, ...],
) -> tuple[Middle, Seen, jax.Array]:
    """Splits the arguments into maps, and finds the pixels that count.

    `motion` is the flow, the inverse depth and its change.
    """
    flow, inv_depth, inv_depth_change = motion
    views = two_views(camera, None, len(batch))
    rank = len(batch) + len(camera.size)
    fu, fv, d, c = align_ranks(*channels(flow), inv_depth, inv_depth_change, rank=rank)
    dx, dy, valid = ray_change(fu, fv, views)
    valid = valid & is_positive_finite(d) & is_positive_finite(d + c)
    confidences = align_ranks(*channels(confidence), rank=rank)
    (affinity,) = align_ranks(affinity, rank=rank + 1)
    rows = [channels(field[..., i, :3]) for i in range(3)]
    valid = valid & is_in_range(field).all((-2, -1))
    valid = valid & (dot(rows[0], cross(rows[1], rows[2])) > _LEAST_DETERMINANT)
    for x in confidences:
        valid = valid & is_in_range(x) & (x >= 0)
    valid = valid & is_in_range(affinity).all(-1)
    # All maps below would test all arguments again.
    valid = compute_once(valid.astype(d.dtype)) > 0
    spread = lambda tree: jax.tree.map(lambda x: jnp.broadcast_to(x, valid.shape), tree)
    turn, shift = _turns.split(mask(valid, field, jnp.eye(3, 4, dtype=field.dtype)))
    fx, fy = views.optics.fx, views.optics.fy
    limits = tuple(lax.stop_gradient(LARGEST_RESIDUAL / f) for f in (fx, fy))
    wu, wv, wz = confidences
    maps = (views.x, views.y), d, (dx, dy, c), (fx * fx * wu, fy * fy * wv, wz)
    affinity = jnp.broadcast_to(affinity, (*valid.shape, affinity.shape[-1]))
    limits, (ray, d, change, weights), affinity = mask(valid, (*spread((limits, maps)), affinity))
    embedding = jnp.moveaxis(affinity, -1, -3)
    seen = Seen(ray, d, change, weights, embedding)
    return Middle(turn, shift, limits, embedding), seen, valid


def _solve(sums: Sequence[jax.Array]) -> Sequence[jax.Array]:
    """The twist x of the damped normal equations."""
    nothing = jnp.zeros_like(sums[0])
    entries = iter((*sums[:1], nothing, *sums[1:-_TWIST]))
    rows = [[next(entries) for _ in range(i + 1)] for i in range(_TWIST)]
    for i, row in enumerate(rows):
        row[i] = row[i] * (1 + _RELATIVE_DAMPING) + _DAMPING
    return _solve_symmetric(rows, list(sums[-_TWIST:]))


@jax.custom_jvp
def _solve_symmetric(rows: Lower, side: Sequence[jax.Array]) -> Sequence[jax.Array]:
    """x with A x = b, A positive definite and given by its lower triangle."""
    return solve(decompose(rows, _DAMPING)[0], side)


@_solve_symmetric.defjvp
def _solve_symmetric_jvp(
    primals: tuple[Lower, Sequence[jax.Array]], tangents: tuple[Lower, Sequence[jax.Array]]
) -> tuple[Sequence[jax.Array], Sequence[jax.Array]]:
    (rows, side), (rows_dot, side_dot) = primals, tangents
    factor = decompose(rows, _DAMPING)[0]
    x = solve(factor, side)
    changes = list(side_dot)
    for i, row in enumerate(rows_dot):
        for j, entry in enumerate(row):
            changes[i] = changes[i] - entry * x[j]
            if i != j:
                changes[j] = changes[j] - entry * x[i]
    return x, solve(factor, changes)


def _move(twist: Sequence[jax.Array], turn: Matrix, shift: Vector) -> tuple[Matrix, Vector]:
    """exp(twist) T, of T = [I + turn | shift]."""
    v, w = twist[:3], twist[3:]
    a, b, c = compute_once(_turns.find_factors(dot(w, w)))
    step = compute_once(_turns.combine(a, b, w))
    once = cross(w, v)
    pushed = add(v, add(scale(b, once), scale(c, cross(w, once))))
    return _turns.compose(step, turn), add(pushed, add(shift, multiply(step, shift)))


def _check_arguments(
    field: jax.Array,
    flow: jax.Array,
    inv_depth: jax.Array,
    inv_depth_change: jax.Array,
    camera: Camera,
    confidence: jax.Array,
    affinity: jax.Array,
    radius: int,
    jacobian: str,
) -> tuple[jnp.dtype, tuple[int, ...]]:
    """Checks the arguments of `refine`; returns the dtype and the batch axes of its result."""
    check_choice("jacobian", jacobian, JACOBIANS)
    if not isinstance(radius, int) or radius < 0:
        raise ValueError(f"radius: expected a number of pixels, at least 0, got {radius!r}")
    check_array("affinity", affinity)
    if affinity.ndim < 3 or not affinity.shape[-1]:
        raise ValueError(f"affinity: expected shape (..., H, W, C), got {affinity.shape}")
    dtype, batch = check_maps_of(
        camera,
        None,
        flow=(flow, 2),
        inv_depth=(inv_depth, 0),
        inv_depth_change=(inv_depth_change, 0),
        confidence=(confidence, 3),
        affinity=(affinity, affinity.shape[-1]),
    )
    check_array("field", field, (*camera.size, 3, 4))
    batch = check_batch(field=field.shape[:-4], **{"maps and camera": batch})
    return result_type(dtype, field.dtype), batch
