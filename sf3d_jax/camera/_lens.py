"""Lens models: the map from a ray (x, y, 1) to the plane that the sensor samples.

    opencv    x' = x g + 2 p1 x y + p2 (s + 2 x^2) + s1 s + s2 s^2,
              y' = y g + p1 (s + 2 y^2) + 2 p2 x y + s3 s + s4 s^2,
              g = (1 + k1 s + k2 s^2 + k3 s^3) / (1 + k4 s + k5 s^2 + k6 s^3), s = x^2 + y^2;
              4, 5, 8 or 12 coefficients k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4]]]
    fisheye   (x', y') = (x, y) t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8) / r,
              t = atan r, r^2 = s; 4 coefficients (Kannala and Brandt 2006)

as OpenCV defines them. A model is one-to-one inside the first circle on which its radial part
stops growing, where the determinant of its Jacobian is positive; rays outside are invalid.
Coefficients are tuples of arrays that broadcast against x and y.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from sf3d_jax._numerics import Tree, is_in_range, mask
from sf3d_jax._numerics.double import Double, call_in_float64, is_double
from sf3d_jax._numerics.loops import repeat, write_out
from sf3d_jax._numerics.platforms import choose_for_gpu
from sf3d_jax.camera._angle import Scalar, angle_ratio, power_series
from sf3d_jax.camera._domain import Coefficients as Coefficients
from sf3d_jax.camera._domain import domain_limit, radial_slope

COEFFICIENTS = {"pinhole": (0,), "opencv": (4, 5, 8, 12), "fisheye": (4,)}
Pair: TypeAlias = tuple[Scalar, Scalar]

# Newton's method reaches rounding error after 6 steps for moderate distortion, after 12 where the
# radial part has lost nine tenths of its slope.
_NEWTON_STEPS = 12


def _find_radial_factor(model: str, s: Scalar, k: Coefficients) -> Scalar:
    """The factor by which the lens scales a ray with s = x^2 + y^2."""
    if model == "fisheye":
        ratio = angle_ratio(s)
        return ratio * power_series(k, s * ratio * ratio)
    k1, k2, _, _, k3, k4, k5, k6 = (k + (0.0,) * 8)[:8]
    g = power_series((k1, k2, k3), s)
    return g / power_series((k4, k5, k6), s) if len(k) > 5 else g


def distort(model: str, x: Scalar, y: Scalar, coefficients: Coefficients) -> Pair:
    """The plane point of the ray (x, y, 1); for steps, also the change of the plane point."""
    if model == "pinhole":
        return x, y
    xx, yy = x * x, y * y
    s = xx + yy
    g = _find_radial_factor(model, s, coefficients)
    if model == "fisheye":
        return x * g, y * g
    xy = x * y
    p1, p2 = coefficients[2:4]
    u = x * g + p1 * xy * 2.0 + p2 * (s + xx * 2.0)
    v = y * g + p1 * (s + yy * 2.0) + p2 * xy * 2.0
    if len(coefficients) > 8:
        s1, s2, s3, s4 = coefficients[8:]
        u, v = u + s * (s * s2 + s1), v + s * (s * s4 + s3)
    return u, v


class Jacobian(NamedTuple):
    """The derivative of (u, v) by (x, y), one array per entry."""

    ux: jax.Array
    uy: jax.Array
    vx: jax.Array
    vy: jax.Array

    @property
    def determinant(self) -> jax.Array:
        """The signed area of the image of the unit square."""
        return self.ux * self.vy - self.uy * self.vx

    def solve(self, u: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Solves J (x, y) = (u, v); 0 where J is singular."""
        regular = self.determinant != 0
        inverse = jnp.where(regular, 1 / jnp.where(regular, self.determinant, 1), 0)
        return (self.vy * u - self.uy * v) * inverse, (self.ux * v - self.vx * u) * inverse


def jacobian(model: str, x: jax.Array, y: jax.Array, coefficients: Coefficients) -> Jacobian:
    """The derivative of `distort`.

    A radial map (x, y) g(s) has the derivative g I + 2 g'(s) (x, y) (x, y)^T, so all four entries
    need only the scalar derivative g'. OpenCV's other terms are polynomials.
    """
    s = x * x + y * y
    g, slope = jax.jvp(
        lambda s: _find_radial_factor(model, s, coefficients), (s,), (jnp.ones_like(s),)
    )
    ux, uxy, vy = g + 2 * x * x * slope, 2 * x * y * slope, g + 2 * y * y * slope
    if model == "fisheye":
        return Jacobian(ux, uxy, uxy, vy)
    p1, p2 = coefficients[2:4]
    ux, vy = ux + 2 * (p1 * y + 3 * p2 * x), vy + 2 * (p2 * x + 3 * p1 * y)
    uy = vx = uxy + 2 * (p1 * x + p2 * y)
    if len(coefficients) > 8:
        s1, s2, s3, s4 = coefficients[8:]
        growth = 2 * (s1 + 2 * s2 * s), 2 * (s3 + 2 * s4 * s)
        ux, uy = ux + x * growth[0], uy + y * growth[0]
        vx, vy = vx + x * growth[1], vy + y * growth[1]
    return Jacobian(ux, uy, vx, vy)


def _solve(
    model: str, steps: int, start: Pair, target: Pair, coefficients: Coefficients, limit: jax.Array
) -> Pair:
    """Finds the (x, y) that `distort` maps to the target, by Newton's method; not differentiable.

    Args:
      model: lens model.
      steps: number of Newton steps.
      start: initial (x, y).
      target: the plane point (u, v).
      coefficients: lens coefficients.
      limit: largest x^2 + y^2 allowed; a step beyond it goes half-way to the limit instead.
    """

    def newton(xy: Pair) -> Pair:
        x, y = xy
        u, v = distort(model, x, y, coefficients)
        dx, dy = jacobian(model, x, y, coefficients).solve(target[0] - u, target[1] - v)
        x1, y1 = x + dx, y + dy
        outside = x1 * x1 + y1 * y1 > limit
        radius = jnp.hypot(jnp.where(outside, x1, 1), jnp.where(outside, y1, 0))
        shrink = jnp.where(outside, 0.5 * (jnp.sqrt(limit) + jnp.hypot(x, y)) / radius, 1)
        # Without a limit there is no half-way point, so do not shrink.
        shrink = jnp.where(jnp.isfinite(shrink), shrink, 1)
        return x1 * shrink, y1 * shrink

    return repeat(newton, steps, start)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _attach_derivative(model: str, xy: Pair, target: Pair, coefficients: Coefficients) -> Pair:
    """Returns the solution (x, y) of distort(x, y) = target unchanged, and gives it a derivative.

    The derivative is implicit, J (dx, dy) = dtarget - df: exact at the solution, in forward and
    reverse mode and at every order.
    """
    del target, coefficients
    return xy


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def solve_exactly(
    function: Callable[..., Pair],
    slope: Callable[..., Jacobian],
    start: Pair,
    target: tuple[Double, Double],
    parameters: Tree,
) -> Pair:
    """Solves function(x, y, parameters) = target, to the last digit or two.

    Residuals are computed in double-floats: towards the edge of a fisheye image, one ulp in the
    plane is many in the ray, and a small change could consist of rounding alone. The start is
    within float rounding, so its slope serves both Newton steps. The derivative is implicit.

    Args:
      function: maps two arrays and the parameters to two arrays, elementwise, in double-floats.
      slope: the derivative of `function` by x and y, in floats.
      start: (x, y) to about float rounding.
      target: the two values sought.
      parameters: further arguments of the function, floats and double-floats.
    """
    given = slope(*start, _round(parameters)), target, parameters
    in_loop = partial(_solve_in_doubles, function)
    if start[0].dtype != jnp.float32:
        return in_loop(start, *given)
    return choose_for_gpu(partial(_solve_in_float64, function), in_loop, start, *given)


# A start within float rounding needs two steps.
_EXACT_STEPS = 2


def _solve_in_doubles(
    function: Callable[..., Pair],
    start: Pair,
    slope: Jacobian,
    target: tuple[Double, Double],
    parameters: Tree,
) -> Pair:
    def newton(_: int, xy: Pair) -> Pair:
        x, y = xy
        u, v = function(Double.of(x), Double.of(y), parameters)
        dx, dy = slope.solve((target[0] - u).rounded, (target[1] - v).rounded)
        return x + dx, y + dy

    return jax.lax.fori_loop(0, _EXACT_STEPS, newton, start)


def _solve_in_float64(
    function: Callable[..., Pair],
    start: Pair,
    slope: Jacobian,
    target: tuple[Double, Double],
    parameters: Tree,
) -> Pair:
    """The same with residuals in float64, of which GPUs compile a twentieth of the code."""

    def find_rest(xy: Pair, target: Pair, parameters: Tree) -> Pair:
        u, v = function(*xy, parameters)
        return target[0] - u, target[1] - v

    def newton(xy: Pair) -> Pair:
        dx, dy = slope.solve(*call_in_float64(find_rest, xy, target, parameters))
        return xy[0] + dx, xy[1] + dy

    return write_out(newton, _EXACT_STEPS, start)


def _round(tree: Tree) -> Tree:
    """Rounds the double-floats of a tree to floats."""
    return jax.tree.map(lambda x: x.rounded if is_double(x) else x, tree, is_leaf=is_double)


def _differentiate(
    function: Callable[[Tree], Pair], slope: Jacobian, parameters: Tree, tangents: Tree
) -> Pair:
    """Differentiates a solution by its target and by the parameters of the function."""
    target_dot, parameters_dot = tangents
    u_dot, v_dot = (_instantiate(t) for t in target_dot)
    # Skipped if no derivative by the parameters is wanted, as for most calibrations.
    if not all(isinstance(t, SymbolicZero) for t in jax.tree.leaves(parameters_dot)):
        dots = jax.tree.map(_instantiate, parameters_dot)
        _, (u_moves, v_moves) = jax.jvp(function, (parameters,), (dots,))
        u_dot, v_dot = u_dot - u_moves, v_dot - v_moves
    return slope.solve(u_dot, v_dot)


def _instantiate(tangent: jax.Array | SymbolicZero) -> jax.Array:
    if isinstance(tangent, SymbolicZero):
        return jnp.zeros(tangent.shape, tangent.dtype)
    return tangent


@partial(_attach_derivative.defjvp, symbolic_zeros=True)
def _attach_derivative_jvp(
    model: str, primals: tuple[Pair, Pair, Coefficients], tangents: Tree
) -> tuple[Pair, Pair]:
    xy = x, y = _attach_derivative(model, *primals)
    coefficients = primals[2]
    slope = jacobian(model, x, y, coefficients)
    function = lambda k: distort(model, x, y, k)
    return xy, _differentiate(function, slope, coefficients, tangents[1:])


@partial(solve_exactly.defjvp, symbolic_zeros=True)
def _solve_exactly_jvp(
    function: Callable[..., Pair],
    slope: Callable[..., Jacobian],
    primals: tuple[Pair, tuple[Double, Double], Tree],
    tangents: Tree,
) -> tuple[Pair, Pair]:
    xy = x, y = solve_exactly(function, slope, *primals)
    plain = _round(primals[2])
    high = jax.tree.map(lambda x: x.hi if is_double(x) else x, tangents[1:], is_leaf=is_double)
    return xy, _differentiate(lambda p: function(x, y, p), slope(x, y, plain), plain, high)


def is_one_to_one(
    model: str, x: jax.Array, y: jax.Array, coefficients: Coefficients, limit: jax.Array
) -> jax.Array:
    """Whether the lens is one-to-one at the ray (x, y, 1)."""
    return (x * x + y * y < limit) & (jacobian(model, x, y, coefficients).determinant > 0)


def _guess_ray(model: str, u: jax.Array, v: jax.Array, k: Coefficients, limit: jax.Array) -> Pair:
    """Finds a start for Newton's method inside the domain; for a fisheye, the ray to rounding."""
    centre = (u == 0) & (v == 0)
    radius = jnp.hypot(jnp.where(centre, 1, u), v)
    farthest = jnp.sqrt(limit)
    if model == "fisheye":
        start = jnp.tan(_find_fisheye_angle(radius, k, jnp.arctan(farthest)))
    else:
        start = jnp.where(radius < farthest, radius, 0.95 * farthest)
    scale = jnp.where(centre, 1, start / radius)
    return u * scale, v * scale


def _find_fisheye_angle(radius: jax.Array, k: Coefficients, farthest: jax.Array) -> jax.Array:
    """Finds the angle of a plane radius by Newton's method."""

    def newton(t: jax.Array) -> jax.Array:
        value, slope = t * power_series(k, t * t), radial_slope("fisheye", t * t, k)
        return jnp.clip(t - (value - radius) / jnp.where(slope > 0, slope, 1), 0, farthest)

    return repeat(newton, _NEWTON_STEPS, jnp.minimum(radius, farthest))


class Ray(NamedTuple):
    """The ray (x, y, 1), and whether the lens is one-to-one there."""

    x: jax.Array
    y: jax.Array
    valid: jax.Array


def undistort(model: str, u: jax.Array, v: jax.Array, coefficients: Coefficients) -> Ray:
    """Finds the ray that `distort` maps to the plane point (u, v); 0 where there is no such ray."""
    valid = is_in_range(u) & is_in_range(v)
    if model == "pinhole":
        return Ray(u, v, valid)
    target = mask(valid, jax.lax.stop_gradient((u, v)))
    k = jax.lax.stop_gradient(coefficients)
    limit = domain_limit(model, k)
    x, y = _guess_ray(model, target[0], target[1], k, limit)
    # A fisheye bends rays only radially: the guess has solved for the angle, and two steps remove
    # the rounding of its tangent.
    steps = 2 if model == "fisheye" else _NEWTON_STEPS + 1
    x, y = _solve(model, steps, (x, y), target, k, limit)

    reached = distort(model, x, y, k)
    missed = jnp.abs(reached[0] - target[0]) + jnp.abs(reached[1] - target[1])
    tolerance = 64 * jnp.finfo(x.dtype).eps * (1 + jnp.abs(target[0]) + jnp.abs(target[1]))
    valid = valid & (missed <= tolerance) & is_one_to_one(model, x, y, k, limit)

    # Pixels without a solution get the centre as input, because their singular Jacobians would
    # otherwise reach the derivative.
    start, target = mask(valid, ((x, y), (u, v)))
    x, y = mask(valid, _attach_derivative(model, start, target, coefficients))
    return Ray(x, y, valid)


def refine_ray(
    model: str, ray: Ray, target: tuple[Double, Double], coefficients: Coefficients
) -> tuple[Double, Double]:
    """Refines the ray (x, y, 1) of a plane point to twice the digits; keeps its derivative."""
    if model == "pinhole":
        return target

    def distort_near(dx: Scalar, dy: Scalar, parameters: Tree) -> Pair:
        x, y, k = parameters
        return distort(model, dx + x, dy + y, k)

    def slope(dx: jax.Array, dy: jax.Array, parameters: Tree) -> Jacobian:
        x, y, k = parameters
        return jacobian(model, dx + x, dy + y, k)

    parameters = ray.x, ray.y, coefficients
    target, parameters = jax.lax.stop_gradient((target, parameters))
    start = jnp.zeros_like(ray.x), jnp.zeros_like(ray.y)
    dx, dy = mask(ray.valid, solve_exactly(distort_near, slope, start, target, parameters))
    return Double.of(ray.x) + dx, Double.of(ray.y) + dy
