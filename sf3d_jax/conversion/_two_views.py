"""Geometry of two views: the change of each pixel's ray, and the motion of the camera.

With the ray r = (x, y, 1) of a pixel in the first camera, its inverse depth d, and the poses
R_i, t_i of both cameras,

    D = R - I = (R1 - R0) R0^T,   t = (t1 - t0) - D t0,   X1 = R (X0 + scene flow) + t,

so a static point moves, between the axes of the two cameras, by m = D X0 + t = (D r + d t) / d.
If a camera orbits the point it looks at, the terms of m cancel; if it zooms on a static scene,
the terms of the ray's change cancel. Both sums are therefore computed in double-floats. This costs
little, because terms that depend on the column or the row alone are computed once per column or
row.
"""

import dataclasses
import itertools
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import align_ranks, compute_once, is_in_range, mask, where_valid
from sf3d_jax._numerics.differences import Step
from sf3d_jax._numerics.double import Double
from sf3d_jax._numerics.vectors import Vector, add, multiply
from sf3d_jax.camera import Camera, _lens, align_camera
from sf3d_jax.camera._angle import Scalar
from sf3d_jax.camera._optics import Optics, per_pixel, replace_bad_arrays, split_rows
from sf3d_jax.se3._relative import find_relative

_IMAGE_AXES = 2

# x and y of the first camera's rays, and both lenses; None if the second is the same as the first.
_RaysAndLenses: TypeAlias = tuple[Scalar, Scalar, Optics, Optics | None]


class CameraMotion(NamedTuple):
    """The pose of the second camera relative to the first, as separate scalars.

    Attributes:
      fixed: the three components of D r, each as (term of the column, term of the row).
      translation: t, three numbers.
      turn: D, three rows of three.
      back: R^-1 - I, three rows of three.
    """

    fixed: list[tuple[Double, Double]]
    translation: list[Double]
    turn: list[list[jax.Array]]
    back: list[list[jax.Array]]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TwoViews:
    """The rays of the first camera's pixels, and the second camera seen from there.

    Attributes:
      u: columns.
      v: rows.
      x: x of the rays (x, y, 1); 0 for pixels without a ray.
      y: y of the rays (x, y, 1); 0 for pixels without a ray.
      exact: (x, y) with twice the digits.
      valid: bool, where a pixel has a ray and neither camera has bad values.
      optics: intrinsics of the first camera.
      next_optics: intrinsics of the second camera; None without one.
      zoom: pixel motion of a fixed plane point, due to the change of intrinsics; None without a
        second camera.
      motion: motion of the camera; None without a second camera.
    """

    u: jax.Array
    v: jax.Array
    x: jax.Array
    y: jax.Array
    exact: tuple[Double, Double]
    valid: jax.Array
    optics: Optics
    next_optics: Optics | None
    zoom: tuple[Double, Double] | None
    motion: CameraMotion | None

    @property
    def after(self) -> Optics:
        """The intrinsics of the camera that takes the second image."""
        return self.next_optics or self.optics

    @property
    def has_distortion(self) -> bool:
        """Whether either camera has lens distortion."""
        return self.optics.model != "pinhole" or self.after.model != "pinhole"


def two_views(camera: Camera, next_camera: Camera | None, batch_axes: int) -> TwoViews:
    """Computes the rays and the relative motion of two cameras with the given batch axes."""
    views = grid_lenses(camera, next_camera, batch_axes)
    if next_camera is None:
        return views
    pose, next_pose = (
        replace_bad_arrays(align_camera(c, batch_axes))[0].world_to_camera
        for c in (camera, next_camera)
    )
    motion = _find_camera_motion(pose, next_pose, views.exact)
    return dataclasses.replace(views, motion=motion)


def grid_lenses(camera: Camera, next_camera: Camera | None, batch_axes: int) -> TwoViews:
    """Computes what `two_views` does, without the motion of the camera."""
    height, width = camera.size
    u, v = align_ranks(
        jnp.arange(width, dtype=camera.focal.dtype),
        jnp.arange(height, dtype=camera.focal.dtype)[:, None],
        rank=batch_axes + _IMAGE_AXES,
    )
    return two_lenses(u, v, camera, next_camera)


def two_lenses(u: jax.Array, v: jax.Array, camera: Camera, next_camera: Camera | None) -> TwoViews:
    """Computes the rays of finite pixels (u, v), and two cameras' lenses without their motion.

    Args:
      u: columns, with the axes of the batch and two of pixels; any finite numbers.
      v: rows, of the same rank.
      camera: first camera.
      next_camera: second camera, or None.
    """
    batch_axes = u.ndim - _IMAGE_AXES
    camera, good = replace_bad_arrays(align_camera(camera, batch_axes))
    valid = per_pixel(good, _IMAGE_AXES)
    optics = Optics.of(camera, _IMAGE_AXES)
    if optics.model == "pinhole":
        # The pixels are finite, as the camera's arrays are. On a grid these are a row and a column,
        # and a check would have to be evaluated per pixel.
        ray = _lens.Ray((u - optics.cx) / optics.fx, (v - optics.cy) / optics.fy, valid)
    else:
        ray = optics.ray(u, v)
        valid = valid & ray.valid
    plane = (Double.of(u) - optics.cx) / optics.fx, (Double.of(v) - optics.cy) / optics.fy
    exact = _lens.refine_ray(optics.model, ray, plane, optics.coefficients)
    # The float32 ray of a pinhole is cheap, a row and a column; with a lens, round the exact ray.
    x, y = (ray.x, ray.y) if optics.model == "pinhole" else (exact[0].rounded, exact[1].rounded)
    if next_camera is None:
        return TwoViews(u, v, x, y, exact, valid, optics, None, None, None)

    next_camera, good = replace_bad_arrays(align_camera(next_camera, batch_axes))
    valid = valid & per_pixel(good, _IMAGE_AXES)
    next_optics = Optics.of(next_camera, _IMAGE_AXES)
    change = lambda name: Double.of(getattr(next_optics, name)) - getattr(optics, name)
    zoom = plane[0] * change("fx") + change("cx"), plane[1] * change("fy") + change("cy")
    return TwoViews(u, v, x, y, exact, valid, optics, next_optics, compute_once(zoom), None)


def _find_camera_motion(
    pose: jax.Array, next_pose: jax.Array, rays: tuple[Double, Double]
) -> CameraMotion:
    # Keep numbers in one array until here: XLA compiles a program for each array, which contains
    # all operations that lead to it.
    return _split_motion(*compute_once(find_relative(pose, next_pose)), rays)


def add_motion(views: TwoViews, turn: jax.Array, shift: jax.Array) -> TwoViews:
    """The views with another relative pose: D, (*b, 3, 3), and t, (*b, 3)."""
    motion = _split_motion(*compute_once((Double.of(turn), Double.of(shift))), views.exact)
    return dataclasses.replace(views, motion=motion)


def _split_motion(turn: Double, shift: Double, rays: tuple[Double, Double]) -> CameraMotion:
    x, y, z = (_broadcast_rows(turn[..., j]) for j in range(3))
    fixed = x * rays[0][None] + z, y * rays[1][None]
    fixed, back = compute_once((fixed, _inverse_minus_identity(turn.hi)))
    return CameraMotion(
        [(fixed[0][i], fixed[1][i]) for i in range(3)],
        [_broadcast_rows(shift)[i] for i in range(3)],
        split_rows(turn.hi, _IMAGE_AXES),
        split_rows(back, _IMAGE_AXES),
    )


def _broadcast_rows(x: Double) -> Double:
    """Moves the row axis of (*b, 3) to the front and appends axes for the pixels."""
    return jax.tree.map(lambda a: per_pixel(jnp.moveaxis(a, -1, 0), _IMAGE_AXES), x)


def _inverse_minus_identity(d: jax.Array) -> jax.Array:
    """(I + D)^-1 - I = -(I + D)^-1 D by cofactors, which is exact even if R is not orthonormal."""
    (identity,) = align_ranks(jnp.eye(3, dtype=d.dtype), rank=d.ndim)
    a, b, c = (d[..., i, :] + identity[..., i, :] for i in range(3))
    cofactors = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)], axis=-1)
    determinant = (a * cofactors[..., 0]).sum(-1)[..., None, None]
    return -(cofactors[..., None] * d[..., None, :, :]).sum(-2) / determinant


@jax.custom_jvp
def move_still(inv_depth: jax.Array, motion: CameraMotion) -> Vector:
    """D r + t d: the displacement of a static point, times its inverse depth."""
    return _sum_still(inv_depth, motion)


def _sum_still(inv_depth: jax.Array, motion: CameraMotion) -> Vector:
    d = Double.of(inv_depth)
    x, y, z = (
        (column + row + t * d).rounded
        for (column, row), t in zip(motion.fixed, motion.translation, strict=True)
    )
    return x, y, z


@move_still.defjvp
def _still_jvp(
    primals: tuple[jax.Array, CameraMotion], tangents: tuple[jax.Array, CameraMotion]
) -> tuple[Vector, Vector]:
    # The value is one loop over the pixels, but a gradient has one loop for every input, and each
    # of them would sum the double-floats again.
    value, change = jax.jvp(_sum_still, primals, tangents)
    return compute_once(value), change


def rotate(vector: Vector, matrix: list[list[jax.Array]]) -> Vector:
    """vector + matrix vector."""
    return add(vector, multiply(matrix, vector))


def ray_change(fu: jax.Array, fv: jax.Array, views: TwoViews) -> _lens.Ray:
    """The change of each pixel's ray when the pixel moves by (fu, fv) into the second image.

    Between pinholes, this is the change of the plane point. With distortion, both rays are found
    separately. If the lenses have the same model, the difference of the rays starts Newton's method
    on the exact difference of the lenses. Otherwise the difference is computed in double-floats.
    Invalid changes are 0.
    """
    valid = is_in_range(fu) & is_in_range(fv) & views.valid
    if not views.has_distortion:
        x, y = where_valid(_pinhole_change, (0.0, 0.0), valid, (fu, fv), views)
        return _lens.Ray(x, y, valid)

    fu, fv = mask(valid, (fu, fv))
    after = views.after
    ray = after.ray(views.u + fu, views.v + fv)
    valid = valid & ray.valid & _is_not_grazing(ray)
    if _has_common_model(views):
        start = mask(valid, (ray.x - views.x, ray.y - views.y))
        plane, exact = mask(valid, (_flow_in_plane(fu, fv, views), views.exact))
        parameters = (*exact, views.optics, views.next_optics)
        x, y = _lens.solve_exactly(_plane_change, _slope_after, start, plane, parameters)
    else:
        # No formula serves both lenses, so subtract the two rays with twice the digits.
        there = Double.of(views.u) + fu, Double.of(views.v) + fv
        plane = (there[0] - after.cx) / after.fx, (there[1] - after.cy) / after.fy
        plane, ray = mask(valid, (plane, _lens.Ray(ray.x, ray.y, valid)))
        exact = _lens.refine_ray(after.model, ray, plane, after.coefficients)
        x, y = ((a - b).rounded for a, b in zip(exact, views.exact, strict=True))
    # Newton's method may diverge; those pixels are invalid.
    valid = valid & jnp.isfinite(x) & jnp.isfinite(y)
    x, y = mask(valid, (x, y))
    return _lens.Ray(x, y, valid)


def _is_not_grazing(ray: _lens.Ray) -> jax.Array:
    """Whether the lens polynomials, and products of their slopes, stay finite at a ray."""
    steepest = float(jnp.finfo(ray.x.dtype).tiny) ** (-1 / 16)
    return (jnp.abs(ray.x) < steepest) & (jnp.abs(ray.y) < steepest)


def _pinhole_change(fu: jax.Array, fv: jax.Array, views: TwoViews) -> tuple[jax.Array, jax.Array]:
    if views.zoom is not None:
        fu, fv = (fu - zoom.hi - zoom.lo for fu, zoom in zip((fu, fv), views.zoom, strict=True))
    return fu / views.after.fx, fv / views.after.fy


def _flow_in_plane(fu: jax.Array, fv: jax.Array, views: TwoViews) -> tuple[Double, Double]:
    """The motion of the plane point: (F - zoom) / f1."""
    flow = Double.of(fu), Double.of(fv)
    if views.zoom is not None:
        flow = flow[0] - views.zoom[0], flow[1] - views.zoom[1]
    return flow[0] / views.after.fx, flow[1] / views.after.fy


def pixel_change(x: jax.Array, y: jax.Array, views: TwoViews) -> tuple[jax.Array, jax.Array]:
    """The motion of each pixel when its ray changes by (x, y); the inverse of `ray_change`."""
    after = views.after
    if views.has_distortion and not _has_common_model(views):
        now, before = after.pixel(views.x + x, views.y + y), views.optics.pixel(views.x, views.y)
        return now[0] - before[0], now[1] - before[1]
    if views.has_distortion:
        x, y = _plane_change(x, y, (views.x, views.y, views.optics, views.next_optics))
    x, y = after.fx * x, after.fy * y
    if views.zoom is None:
        return x, y
    return x + views.zoom[0].rounded, y + views.zoom[1].rounded


def _has_common_model(views: TwoViews) -> bool:
    """Whether one formula, with different coefficients, serves both lenses."""
    fisheyes = [optics.model == "fisheye" for optics in (views.optics, views.after)]
    return fisheyes[0] == fisheyes[1]


def _slope_after(x: jax.Array, y: jax.Array, parameters: _RaysAndLenses) -> _lens.Jacobian:
    """The derivative of `_plane_change`: the second lens's Jacobian at the changed ray."""
    ray_x, ray_y, before, after = parameters
    after = after or before
    model, coefficients = after.model, after.coefficients
    if model == "pinhole":  # the same as the first lens's model with zero coefficients
        model, coefficients = before.model, tuple(0.0 * k for k in before.coefficients)
    return _lens.jacobian(model, ray_x + x, ray_y + y, coefficients)


def _plane_change(x: Scalar, y: Scalar, parameters: _RaysAndLenses) -> _lens.Pair:
    """The exact change of the plane point when the ray changes by (x, y) and the lens changes."""
    ray_x, ray_y, before, after = parameters
    model = before.model
    coefficients: _lens.Coefficients = before.coefficients
    if after is not None:
        model = after.model if model == "pinhole" else model
        pairs = itertools.zip_longest(coefficients, after.coefficients, fillvalue=0.0)
        # In double-floats, the change of a coefficient also needs twice the digits.
        exact: Callable[[Scalar], Scalar] = lambda b: (
            Double.of(jnp.asarray(b, x.hi.dtype)) if isinstance(x, Double) else b
        )
        coefficients = tuple(Step(a, exact(b) - a) for a, b in pairs)
    u, v = _lens.distort(model, Step(ray_x, x), Step(ray_y, y), coefficients)
    return u.change, v.change
