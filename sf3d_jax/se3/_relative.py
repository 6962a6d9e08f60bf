"""One pose relative to another, from their differences, with twice the digits."""

import jax

from sf3d_jax._numerics.double import Double


def find_relative(pose: jax.Array, next_pose: jax.Array) -> tuple[Double, Double]:
    """D = R - I = (R1 - R0) R0^T, (*b, 3, 3), and t = (t1 - t0) - D t0, (*b, 3).

    With them, X1 = X0 + D X0 + t takes a point from the axes of the first pose, [R0 | t0], to those
    of the second, [R1 | t1]. Both are exactly 0 for equal poses.
    """
    change = Double.of(next_pose) - pose
    # D_ij = sum_k (R1 - R0)_ik (R0)_jk
    turn = _dot(change[..., :, None, :3], pose[..., None, :, :3])
    shift = change[..., 3] - _dot(turn, pose[..., None, :, 3])
    return turn, shift


def _dot(a: Double, b: jax.Array) -> Double:
    """Sums a_k b_k over a last axis of three."""
    products = a * b
    return products[..., 0] + products[..., 1] + products[..., 2]
