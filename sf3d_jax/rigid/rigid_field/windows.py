"""The rigid motion of each pixel's window."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_batch
from sf3d_jax._numerics import align_ranks, channels, channels_last, is_in_range, is_positive_finite
from sf3d_jax._numerics import jit, mask, narrow, reciprocal, widen
from sf3d_jax._numerics.cholesky import decompose, solve
from sf3d_jax._numerics.vectors import Vector, add, cross, dot, multiply, scale, subtract
from sf3d_jax.camera import Camera
from sf3d_jax.conversion._two_views import two_views
from sf3d_jax.conversion.scene_flow import check_camera_maps, lift
from sf3d_jax.rigid.rigid_field import _moments
from sf3d_jax.se3 import _turns
from sf3d_jax.warping.splatting import rise


class LocalFit(NamedTuple):
    """The rigid motion of each pixel's window.

    Attributes:
      field: (*b, H, W, 3, 4), [R | t]: a point X of the window moves to R X + t, in metres and in
        the axes of the first camera; 0 where not valid.
      residual: (*b, H, W, 3), metres, what the pixel's own motion has beyond that; 0 where not
        valid.
      valid: (*b, H, W), bool.
    """

    field: jax.Array
    residual: jax.Array
    valid: jax.Array


@partial(jit, static=("radius",))
def local(
    flow: jax.Array,
    inv_depth: jax.Array,
    inv_depth_change: jax.Array,
    camera: Camera,
    *,
    radius: int,
    weights: jax.Array | None = None,
) -> LocalFit:
    """Fits a rigid motion.

    Args:
      flow: x.
      inv_depth: x.
      inv_depth_change: x.
      camera: x.
      radius: x.
      weights: x.

    Returns:
      x.
    """
    maps = {} if weights is None else {"weights": (weights, 0)}
    dtype, batch = check_camera_maps(
        camera, None, flow=(flow, 2), inv_depth=(inv_depth, 0),
        inv_depth_change=(inv_depth_change, 0), **maps,
    )
    if weights is None:
        weights = jnp.ones((1, 1), dtype)
    flow, d, c, weights, camera = widen(flow, inv_depth, inv_depth_change, weights, camera)
    views = two_views(camera, None, len(batch))
    rank = len(batch) + 2
    fu, fv, d, c, weights = align_ranks(*channels(flow), d, c, weights, rank=rank)
    moved, valid = lift(fu, fv, d, c, views)
    valid = valid & (weights >= 0) & is_in_range(weights)
    shape = (*batch, *camera.size)
    valid, d, weights, *moved = jnp.broadcast_arrays(valid, d, weights, *moved)
    d, weights, *moved = mask(valid, (d, weights, *moved), (1, 0, 0, 0, 0))
    z = reciprocal(d)
    point = (views.x * z, views.y * z, z)
    point = mask(valid, point)
    middle = add(point, scale(0.5, moved))
    seen = (d, *scale(d, moved))
    rises = [rise(x, valid) for x in seen]
    joined = _find_joined(seen, rises, valid)
    down = _find_joined([x.mT for x in seen], [x.mT for x in rises], valid.mT)
    fold = lambda x: x.reshape(-1, *camera.size)
    state = _moments.sum_moments(
        radius, fold(joined), fold(down.mT), tuple(map(fold, (weights, *middle, *moved)))
    )
    state = tuple(x.reshape(shape) for x in state)
    turn, shift, residual, found = _solve(state, middle, moved)
    valid = valid & found
    field = mask(valid, _turns.join(turn, shift))
    residual = mask(valid, channels_last(*residual))
    (field, residual), valid = narrow(valid, (field, residual), dtype)
    return LocalFit(field, residual, valid)


def _find_joined(maps, rises, valid):
    joined = valid & jnp.pad(valid, [(0, 0)] * (valid.ndim - 1) + [(1, 0)])[..., :-1]
    before = lambda x: jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(1, 0)])[..., :-1]
    eps = float(jnp.finfo(maps[0].dtype).eps)
    sizes = [abs(maps[0])] + [sum(abs(x) for x in maps[1:])] * 3
    for x, r, size in zip(maps, rises, sizes):
        joined &= abs(x - before(x)) <= 2 * jnp.maximum(r, before(r)) + 4 * eps * jnp.maximum(size, before(size))
    return joined


def _solve(state, middle, moved):
    n, center, mean, (xx, xy, xz, yy, yz, zz), b = (
        state[0], state[1:4], state[4:7], state[7:13], state[13:])
    trace = xx + yy + zz
    eps = float(jnp.finfo(n.dtype).eps)
    found = trace > n * jnp.square(eps) * dot(center, center) * 256
    s = 1 / jnp.where(found, trace, 1)
    xx, xy, xz, yy, yz, zz = (s * x for x in (xx, xy, xz, yy, yz, zz))
    minors = xx * yy - xy * xy + xx * zz - xz * xz + yy * zz - yz * yz
    line = minors < 64 * eps
    off = lambda x: jnp.where(line, 0, x)
    one = lambda x: jnp.where(line, 1, x)
    rows = (one(yy + zz),), (off(-xy), one(xx + zz)), (off(-xz), off(-yz), one(xx + yy))
    factor, _ = decompose(rows, 16 * eps)
    k = mask(found, tuple(solve(factor, [s * x for x in b])))
    turn = _turns.from_cayley(k)
    start = subtract(center, scale(0.5, mean))
    shift = subtract(mean, multiply(turn, start))
    left = subtract(subtract(moved, mean), cross(k, subtract(middle, center)))
    a = scale(0.5, k)
    ax = cross(a, left)
    left = add(left, scale(1 / (1 + dot(a, a)), add(ax, cross(a, ax))))
    return turn, shift, left, found
