"""The rigid motion of each pixel's window."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._numerics import (
    align_ranks,
    channels,
    channels_last,
    is_in_range,
    jit,
    mask,
    narrow,
    reciprocal,
    widen,
)
from sf3d_jax._numerics.cholesky import decompose, solve
from sf3d_jax._numerics.vectors import Matrix, Vector, add, cross, dot, multiply, scale, subtract
from sf3d_jax.camera import Camera
from sf3d_jax.camera._maps import check_maps_of
from sf3d_jax.conversion._two_views import TwoViews, two_views
from sf3d_jax.conversion.scene_flow import lift
from sf3d_jax.rigid.rigid_field._edges import find_links
from sf3d_jax.rigid.rigid_field._moments import Links, sum_moments
from sf3d_jax.rigid.rigid_field._states import State
from sf3d_jax.se3 import _turns

# In units of rounding: the spread of a window, relative to its distance, below which it is a point;
# the square of its width, relative to its length, below which it is a line; the smallest pivot.
_POINT, _LINE, _PIVOT = 16, 64, 16


class LocalFit(NamedTuple):
    """The rigid motion of each pixel's window.

    Attributes:
      field: (*b, H, W, 3, 4), [R | t]: a point X of the window moves to R X + t, in metres and in
        the axes of the first camera; 0 where not valid.
      residual: (*b, H, W, 3), metres: X1 - (R X0 + t) of the pixel itself, the motion that its
        window does not share; 0 where not valid.
      valid: (*b, H, W), bool.
    """

    field: jax.Array
    residual: jax.Array
    valid: jax.Array


class _Fit(NamedTuple):
    """Rigid motions as turn D = R - I and translation, and what is left of the pixels' motions."""

    turn: Matrix
    translation: Vector
    residual: Vector
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
    """Fits a rigid motion to the window of each pixel; the time does not depend on the radius.

    With the motion s of a point x, and m = x + s / 2, it minimises the weighted sum of squares of
    s - k x m - tau, which is 0 exactly if the window moves rigidly; k = 2 tan(angle / 2) axis is
    Cayley's vector of R. Then R - I = (I - [k]/2)^-1 [k] and t = mean(s) - (R - I) mean(x).

    The window follows the pixel's column for `radius` pixels up and down, and from each valid pixel
    there its row for `radius` pixels to either side. It ends where inverse depth or inverse depth
    times s differs from one valid pixel to the next by more than twice its local slope per pixel,
    so it holds one surface and one motion. It goes on behind one or two invalid pixels in a row and
    leaves them out; it ends at three. The row and the column of the pixel itself count twice. On a
    line, R does not turn about the line.

    Args:
      flow: (*b, H, W, 2), (Fu, Fv) in pixels.
      inv_depth: (*b, H, W), d = 1/z0, per metre.
      inv_depth_change: (*b, H, W), c = 1/z1 - 1/z0 of the same surface point, per metre.
      camera: first camera; its batch axes broadcast against *b, its pose is not used.
      radius: pixels of the window to each side of its middle, at least 1.
      weights: (*b, H, W), weights of the pixels, at least 0; all 1 if None.

    Returns:
      Transforms, and residuals in metres, in the dtype of the maps. The camera is the reference, as
      in `scene_flow` without a second camera. Valid where `scene_flow` is, the weight is at least
      0 and below 3e9 (float32), and the window has weight at two places. Invalid pixels are in no
      window; they are zero and pass no gradient. Derivatives take the windows' edges as given.

    Raises:
      ValueError: the radius is less than 1.
    """
    if not isinstance(radius, int | np.integer) or radius < 1:
        raise ValueError(f"radius: expected an integer of at least 1, got {radius}")
    motion = {
        "flow": (flow, 2),
        "inv_depth": (inv_depth, 0),
        "inv_depth_change": (inv_depth_change, 0),
    }
    dtype, _ = check_maps_of(camera, None, **motion)
    share = jnp.ones(camera.size, dtype) if weights is None else weights
    _, batch = check_maps_of(camera, None, **motion, weights=(share, 0))
    rounding = max(float(jnp.finfo(x.dtype).eps) for x, _ in motion.values())

    flow, d, c, share, camera = widen(flow, inv_depth, inv_depth_change, share, camera)
    views = two_views(camera, None, len(batch))
    maps = align_ranks(*channels(flow), d, c, share, rank=len(batch) + len(camera.size))
    fit = _fit_windows(maps, views, radius, rounding)
    field, residual = _turns.join(fit.turn, fit.translation), channels_last(*fit.residual)
    (field, residual), valid = narrow(fit.valid, (field, residual), dtype)
    return LocalFit(mask(valid, field), mask(valid, residual), valid)


def _fit_windows(
    maps: tuple[jax.Array, ...], views: TwoViews, radius: int, rounding: float
) -> _Fit:
    """Fits the windows of flow (two maps), inverse depth, its change, and weights."""
    fu, fv, d, c, weights = maps
    moved, valid = lift(fu, fv, d, c, views)
    valid = valid & (weights >= 0) & is_in_range(weights)
    weights, d = (jnp.broadcast_to(x, valid.shape) for x in (weights, d))
    weights, d = mask(valid, (weights, d), (0, 1))
    z = mask(valid, reciprocal(d))
    middle = add((views.x * z, views.y * z, z), scale(0.5, moved))
    joined = find_links(*lax.stop_gradient((d, scale(d, moved))), valid, rounding)
    fold = lambda x: x.reshape(-1, *x.shape[-2:])
    pixels = tuple(map(fold, (weights, *middle, *moved)))
    state = sum_moments(radius, Links(*map(fold, (*joined, valid))), pixels)
    fit = _solve(tuple(x.reshape(valid.shape) for x in state), middle, tuple(moved))
    return fit._replace(valid=valid & fit.valid)


@jax.checkpoint
def _solve(state: State, middle: Vector, moved: Vector) -> _Fit:
    """The rigid motions of windows with the given moments, and the residuals of their pixels."""
    center, mean = state[1:4], state[4:7]
    k, valid = _find_rotation(state)
    turn = _turns.from_cayley(k)
    start = subtract(center, scale(0.5, mean))
    translation = subtract(mean, multiply(turn, start))
    left = subtract(subtract(moved, mean), cross(k, subtract(middle, center)))
    # (I - [a])^-1 = I + ([a] + [a]^2) / (1 + |a|^2), with a = k / 2.
    half = scale(0.5, k)
    turned = cross(half, left)
    more = scale(1 / (1 + dot(half, half)), add(turned, cross(half, turned)))
    return _Fit(turn, translation, add(left, more), valid)


def _find_rotation(state: State) -> tuple[Vector, jax.Array]:
    """k with (tr(Q) I - Q) k = sum(w q x e), Q = sum(w q q^T), and where the window has a size."""
    weight, center, (xx, xy, xz, yy, yz, zz), mixed = state[0], state[1:4], state[7:13], state[13:]
    eps = float(jnp.finfo(weight.dtype).eps)
    spread = xx + yy + zz
    smallest = jnp.square(_POINT * eps) * dot(center, center)
    valid = spread > weight * smallest
    # Both sides of the equation are scaled, so k does not change with the unit.
    unit = lax.stop_gradient(1 / jnp.where(valid, spread, 1))
    xx, xy, xz, yy, yz, zz = scale(unit, (xx, xy, xz, yy, yz, zz))
    trace = xx + yy + zz
    # The sum of the products of two eigenvalues of Q, of which a line has one.
    width = xx * yy - xy * xy + xx * zz - xz * xz + yy * zz - yz * yz
    is_line = width < _LINE * eps
    # On a line, the solution that is perpendicular to it is that of Q = 0.
    xx, xy, xz, yy, yz, zz = mask(~is_line, (xx, xy, xz, yy, yz, zz))
    rows = (trace - xx,), (-xy, trace - yy), (-xz, -yz, trace - zz)
    factor, _ = decompose(rows, _PIVOT * eps)
    return mask(valid, tuple(solve(factor, scale(unit, mixed)))), valid
