"""What connects the two images of a scene: rays that change, and a frame that moves.

With r = (x, y, 1) the ray of the pixel in the first camera, d the inverse depth there, and
R_i, t_i the two poses,

    D = R - I = (R1 - R0) R0^T,   t = (t1 - t0) - D t0,   X1 = R (X0 + scene flow) + t,

so a still point moves, between the axes of the two cameras, by m = D X0 + t = (D r + d t) / d.
Where a camera turns about what it looks at, the terms of m cancel; where it zooms on a still
scene, those of the ray's change do. Both are therefore summed in double-float numbers, which
costs little: what depends on the column or the row alone is computed once for it.
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

_IMAGE_AXES = 2

# x and y of the rays of the first camera, and both lenses, None for a second that is the same.
_RaysAndLenses: TypeAlias = tuple[Scalar, Scalar, Optics, Optics | None]


class CameraMotion(NamedTuple):
    """The second camera in the axes of the first, number by number.

    Attributes:
      fixed: (D r) split into what the column and what the row decides, three each.
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
      x: of the rays (x, y, 1); 0 where there is none.
      y: likewise.
      exact: both with twice the digits.
      valid: where there is one and both cameras are usable.
      optics: the intrinsics of the first camera.
      next_optics: those of the second, None where there is none.
      zoom: how far a plane point that stays moves in the image; None with one camera.
      motion: None where there is no second camera.
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
        """The intrinsics of the camera of the second image."""
        return self.next_optics or self.optics

    @property
    def has_distortion(self) -> bool:
        """Whether a lens bends the rays of one of the cameras."""
        return self.optics.model != "pinhole" or self.after.model != "pinhole"


def two_views(camera: Camera, next_camera: Camera | None, batch_axes: int) -> TwoViews:
    """What a pair of cameras makes of every pixel of the first image, with so many batch axes."""
    height, width = camera.size
    camera, good = replace_bad_arrays(align_camera(camera, batch_axes))
    valid = per_pixel(good, _IMAGE_AXES)
    optics = Optics.of(camera, _IMAGE_AXES)
    u, v = align_ranks(
        jnp.arange(width, dtype=optics.fx.dtype),
        jnp.arange(height, dtype=optics.fx.dtype)[:, None],
        rank=batch_axes + _IMAGE_AXES,
    )
    if optics.model == "pinhole":
        # A row and a column, finite for any usable camera; a check would cost every pixel.
        ray = _lens.Ray((u - optics.cx) / optics.fx, (v - optics.cy) / optics.fy, valid)
    else:
        ray = optics.ray(u, v)
        valid = valid & ray.valid
    plane = (Double.of(u) - optics.cx) / optics.fx, (Double.of(v) - optics.cy) / optics.fy
    exact = _lens.refine_ray(optics.model, ray, plane, optics.coefficients)
    # The float32 ray of a pinhole is a row and a column; that of a lens is rounded from the exact.
    x, y = (ray.x, ray.y) if optics.model == "pinhole" else (exact[0].rounded, exact[1].rounded)
    if next_camera is None:
        return TwoViews(u, v, x, y, exact, valid, optics, None, None, None)

    next_camera, good = replace_bad_arrays(align_camera(next_camera, batch_axes))
    valid = valid & per_pixel(good, _IMAGE_AXES)
    next_optics = Optics.of(next_camera, _IMAGE_AXES)
    change = lambda name: Double.of(getattr(next_optics, name)) - getattr(optics, name)
    zoom = plane[0] * change("fx") + change("cx"), plane[1] * change("fy") + change("cy")
    motion = _motion(camera.world_to_camera, next_camera.world_to_camera, exact)
    zoom = compute_once(zoom)
    return TwoViews(u, v, x, y, exact, valid, optics, next_optics, zoom, motion)


def _motion(pose: jax.Array, next_pose: jax.Array, rays: tuple[Double, Double]) -> CameraMotion:
    change = Double.of(next_pose) - pose
    # D_ij = sum_k (R1 - R0)_ik (R0)_jk
    turn = _dot(change[..., :, None, :3], pose[..., None, :, :3])
    shift = change[..., 3] - _dot(turn, pose[..., None, :, 3])
    # Numbers of a kind stay in one array until here: each array is a program of its own, with all
    # that leads to it compiled into it.
    turn, shift = compute_once((turn, shift))
    x, y, z = (_per_row(turn[..., j]) for j in range(3))
    fixed = x * rays[0][None] + z, y * rays[1][None]
    fixed, back = compute_once((fixed, _inverse_minus_identity(turn.hi)))
    return CameraMotion(
        [(fixed[0][i], fixed[1][i]) for i in range(3)],
        [_per_row(shift)[i] for i in range(3)],
        split_rows(turn.hi, _IMAGE_AXES),
        split_rows(back, _IMAGE_AXES),
    )


def _per_row(x: Double) -> Double:
    """Numbers of the rows of a pose, (*b, 3), as (3, *b) with the axes of the pixels."""
    return jax.tree.map(lambda a: per_pixel(jnp.moveaxis(a, -1, 0), _IMAGE_AXES), x)


def _dot(a: Double, b: jax.Array) -> Double:
    """The sum of a_k b_k over a last axis of three."""
    products = a * b
    return products[..., 0] + products[..., 1] + products[..., 2]


def _inverse_minus_identity(d: jax.Array) -> jax.Array:
    """(I + D)^-1 - I = -(I + D)^-1 D by cofactors: the inverse of whatever pose is given."""
    (identity,) = align_ranks(jnp.eye(3, dtype=d.dtype), rank=d.ndim)
    a, b, c = (d[..., i, :] + identity[..., i, :] for i in range(3))
    cofactors = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)], axis=-1)
    determinant = (a * cofactors[..., 0]).sum(-1)[..., None, None]
    return -(cofactors[..., None] * d[..., None, :, :]).sum(-2) / determinant


@jax.custom_jvp
def move_still(inv_depth: jax.Array, motion: CameraMotion) -> Vector:
    """D r + t d: how far a still point moves, times its inverse depth."""
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
    # The value is one loop over the pixels. A gradient has one for every input, and each
    # would sum the double-float numbers again.
    value, change = jax.jvp(_sum_still, primals, tangents)
    return compute_once(value), change


def rotate(vector: Vector, matrix: list[list[jax.Array]]) -> Vector:
    """vector + matrix vector."""
    return add(vector, multiply(matrix, vector))


def ray_change(fu: jax.Array, fv: jax.Array, views: TwoViews) -> _lens.Ray:
    """How the ray of each pixel changes when it moves by (fu, fv) into the second image.

    Between pinholes that is the change of the plane point. Where a lens bends rays, the two
    rays are found one by one; their difference then is the start of Newton's method on the
    exact difference of the two lenses, or of two models is itself the answer, in double-float
    numbers. Changes that are not valid are 0.
    """
    valid = is_in_range(fu) & is_in_range(fv) & views.valid
    if not views.has_distortion:
        x, y = where_valid(_pinhole_change, (0.0, 0.0), valid, (fu, fv), views)
        return _lens.Ray(x, y, valid)

    fu, fv = mask(valid, (fu, fv))
    after = views.after
    ray = after.ray(views.u + fu, views.v + fv)
    valid = valid & ray.valid & _not_grazing(ray)
    if _comparable(views):
        start = mask(valid, (ray.x - views.x, ray.y - views.y))
        plane, exact = mask(valid, (_flow_in_plane(fu, fv, views), views.exact))
        parameters = (*exact, views.optics, views.next_optics)
        x, y = _lens.solve_exactly(_plane_change, _slope_after, start, plane, parameters)
    else:
        # No formula serves both lenses: the difference of the two rays, to twice the digits.
        there = Double.of(views.u) + fu, Double.of(views.v) + fv
        plane = (there[0] - after.cx) / after.fx, (there[1] - after.cy) / after.fy
        plane, ray = mask(valid, (plane, _lens.Ray(ray.x, ray.y, valid)))
        exact = _lens.refine_ray(after.model, ray, plane, after.coefficients)
        x, y = ((a - b).rounded for a, b in zip(exact, views.exact, strict=True))
    # A solution that was not found is no change of 0.
    valid = valid & jnp.isfinite(x) & jnp.isfinite(y)
    x, y = mask(valid, (x, y))
    return _lens.Ray(x, y, valid)


def _not_grazing(ray: _lens.Ray) -> jax.Array:
    """Whether a lens's polynomials, and products of their slopes, stay finite at a ray."""
    steepest = float(jnp.finfo(ray.x.dtype).tiny) ** (-1 / 16)
    return (jnp.abs(ray.x) < steepest) & (jnp.abs(ray.y) < steepest)


def _pinhole_change(fu: jax.Array, fv: jax.Array, views: TwoViews) -> tuple[jax.Array, jax.Array]:
    if views.zoom is not None:
        fu, fv = (fu - zoom.hi - zoom.lo for fu, zoom in zip((fu, fv), views.zoom, strict=True))
    return fu / views.after.fx, fv / views.after.fy


def _flow_in_plane(fu: jax.Array, fv: jax.Array, views: TwoViews) -> tuple[Double, Double]:
    """How far the plane point moves: (F - zoom) / f1."""
    flow = Double.of(fu), Double.of(fv)
    if views.zoom is not None:
        flow = flow[0] - views.zoom[0], flow[1] - views.zoom[1]
    return flow[0] / views.after.fx, flow[1] / views.after.fy


def pixel_change(x: jax.Array, y: jax.Array, views: TwoViews) -> tuple[jax.Array, jax.Array]:
    """How far each pixel moves when its ray changes by (x, y); the inverse of `ray_change`."""
    after = views.after
    if views.has_distortion and not _comparable(views):
        now, before = after.pixel(views.x + x, views.y + y), views.optics.pixel(views.x, views.y)
        return now[0] - before[0], now[1] - before[1]
    if views.has_distortion:
        x, y = _plane_change(x, y, (views.x, views.y, views.optics, views.next_optics))
    x, y = after.fx * x, after.fy * y
    if views.zoom is None:
        return x, y
    return x + views.zoom[0].rounded, y + views.zoom[1].rounded


def _comparable(views: TwoViews) -> bool:
    """Whether one formula, with other coefficients, serves both lenses."""
    fisheyes = [optics.model == "fisheye" for optics in (views.optics, views.after)]
    return fisheyes[0] == fisheyes[1]


def _slope_after(x: jax.Array, y: jax.Array, parameters: _RaysAndLenses) -> _lens.Jacobian:
    """The derivative of `_plane_change`: that of the second lens at the ray that is reached."""
    ray_x, ray_y, before, after = parameters
    after = after or before
    model, coefficients = after.model, after.coefficients
    if model == "pinhole":  # a lens of zeros
        model, coefficients = before.model, tuple(0.0 * k for k in before.coefficients)
    return _lens.jacobian(model, ray_x + x, ray_y + y, coefficients)


def _plane_change(x: Scalar, y: Scalar, parameters: _RaysAndLenses) -> _lens.Pair:
    """The exact change of the plane point when the ray changes by (x, y), and the lens too."""
    ray_x, ray_y, before, after = parameters
    model = before.model
    coefficients: _lens.Coefficients = before.coefficients
    if after is not None:
        model = after.model if model == "pinhole" else model
        pairs = itertools.zip_longest(coefficients, after.coefficients, fillvalue=0.0)
        # In double-float numbers the change of a coefficient has its digits too.
        exact: Callable[[Scalar], Scalar] = lambda b: (
            Double.of(jnp.asarray(b, x.hi.dtype)) if isinstance(x, Double) else b
        )
        coefficients = tuple(Step(a, exact(b) - a) for a, b in pairs)
    u, v = _lens.distort(model, Step(ray_x, x), Step(ray_y, y), coefficients)
    return u.change, v.change
