"""Lens models: the map from a ray (x, y, 1) to the plane that the sensor samples.

    opencv    x' = x g + 2 p1 x y + p2 (s + 2 x^2) + s1 s + s2 s^2,
              y' = y g + p1 (s + 2 y^2) + 2 p2 x y + s3 s + s4 s^2,
              g = (1 + k1 s + k2 s^2 + k3 s^3) / (1 + k4 s + k5 s^2 + k6 s^3), s = x^2 + y^2;
              4, 5, 8 or 12 coefficients k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4]]]
    fisheye   (x', y') = (x, y) t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8) / r,
              t = atan r, r^2 = s; 4 coefficients (Kannala and Brandt 2006)

as OpenCV defines them. A model is one-to-one out to the first circle on which its radial
part stops growing, and as far as its Jacobian's determinant is positive; nothing outside is
valid. Coefficients come as tuples of arrays that broadcast against x and y.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from sf3d_jax._numerics import Tree, align_ranks, is_in_range, mask
from sf3d_jax._numerics.double import Double
from sf3d_jax.camera._angle import Scalar, angle_ratio, power_series

COEFFICIENTS = {"pinhole": (0,), "opencv": (4, 5, 8, 12), "fisheye": (4,)}
Coefficients: TypeAlias = tuple[Scalar, ...]
Pair: TypeAlias = tuple[Scalar, Scalar]

# Newton's method from the starts below is at rounding after 6 steps where the lens bends
# moderately, after 12 where its radial part has lost nine tenths of its slope.
_NEWTON_STEPS = 12


def _radial(model: str, s: Scalar, k: Coefficients) -> Scalar:
    """What the lens multiplies a ray of s = x^2 + y^2 by."""
    if model == "fisheye":
        ratio = angle_ratio(s)
        return ratio * power_series(k, s * ratio * ratio)
    k1, k2, _, _, k3, k4, k5, k6 = (k + (0.0,) * 8)[:8]
    g = power_series((k1, k2, k3), s)
    return g / power_series((k4, k5, k6), s) if len(k) > 5 else g


def distort(model: str, x: Scalar, y: Scalar, coefficients: Coefficients) -> Pair:
    """The plane point of the ray (x, y, 1); of steps, the change of the plane point too."""
    if model == "pinhole":
        return x, y
    xx, yy = x * x, y * y
    s = xx + yy
    g = _radial(model, s, coefficients)
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
    """The derivative of (u, v) by (x, y), one array an entry."""

    ux: jax.Array
    uy: jax.Array
    vx: jax.Array
    vy: jax.Array

    @property
    def determinant(self) -> jax.Array:
        """The signed area that the unit square is mapped to."""
        return self.ux * self.vy - self.uy * self.vx

    def solve(self, u: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The (x, y) that is mapped to (u, v); 0 where there is none."""
        regular = self.determinant != 0
        inverse = jnp.where(regular, 1 / jnp.where(regular, self.determinant, 1), 0)
        return (self.vy * u - self.uy * v) * inverse, (self.ux * v - self.vx * u) * inverse


def jacobian(model: str, x: jax.Array, y: jax.Array, coefficients: Coefficients) -> Jacobian:
    """The derivative of `distort`.

    A radial map (x, y) g(s) has the derivative g I + 2 g'(s) (x, y) (x, y)^T, so that one
    derivative of one number serves all four entries; OpenCV's other terms are polynomials.
    """
    s = x * x + y * y
    g, slope = jax.jvp(lambda s: _radial(model, s, coefficients), (s,), (jnp.ones_like(s),))
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
    """The (x, y) that `distort` maps to the target, by Newton's method; not differentiable.

    Args:
      model: of the lens.
      steps: how many Newton steps are made.
      start: where they begin.
      target: the two values sought.
      coefficients: of the lens.
      limit: the largest x^2 + y^2 allowed; a step beyond goes half of the way instead.
    """

    def newton(_: int, xy: Pair) -> Pair:
        x, y = xy
        u, v = distort(model, x, y, coefficients)
        dx, dy = jacobian(model, x, y, coefficients).solve(target[0] - u, target[1] - v)
        x1, y1 = x + dx, y + dy
        outside = x1 * x1 + y1 * y1 > limit
        radius = jnp.hypot(jnp.where(outside, x1, 1), jnp.where(outside, y1, 0))
        shrink = jnp.where(outside, 0.5 * (jnp.sqrt(limit) + jnp.hypot(x, y)) / radius, 1)
        # An unlimited model has an infinite radius to go half way to: stay.
        shrink = jnp.where(jnp.isfinite(shrink), shrink, 1)
        return x1 * shrink, y1 * shrink

    return jax.lax.fori_loop(0, steps, newton, start)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _solution(model: str, xy: Pair, target: Pair, coefficients: Coefficients) -> Pair:
    """The solution (x, y) of distort(x, y) = target, unchanged, with its derivative.

    The derivative is the implicit one, J (dx, dy) = dtarget - df: exact at the solution, in
    both modes and at every order.
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
    """The (x, y) with function(x, y, parameters) = target, right to the last digit or two.

    What is missed is summed in double-floats. Towards the edge of a fisheye's image an ulp in
    the plane is many in the ray, and of a small change all digits can be rounding. From a start
    at a float's rounding the slope there serves both steps. The derivative is implicit.

    Args:
      function: maps two arrays and the parameters to two arrays, elementwise, in double-floats.
      slope: the derivative of `function` by x and y, in floats.
      start: where two steps begin, right to about a float's rounding.
      target: the two values sought.
      parameters: what else the function depends on, floats and double-floats.
    """
    at_start = slope(*start, _round(parameters))

    def newton(_: int, xy: Pair) -> Pair:
        x, y = xy
        u, v = function(Double.of(x), Double.of(y), parameters)
        dx, dy = at_start.solve((target[0] - u).rounded, (target[1] - v).rounded)
        return x + dx, y + dy

    return jax.lax.fori_loop(0, 2, newton, start)


def _is_double(x: object) -> bool:
    return isinstance(x, Double)


def _round(tree: Tree) -> Tree:
    """The tree with floats for double-floats."""
    return jax.tree.map(lambda x: x.rounded if _is_double(x) else x, tree, is_leaf=_is_double)


def _differentiate(
    function: Callable[[Tree], Pair], slope: Jacobian, parameters: Tree, tangents: Tree
) -> Pair:
    """The derivative of a solution by its target and by the parameters of the function."""
    target_dot, parameters_dot = tangents
    u_dot, v_dot = (_instantiate(t) for t in target_dot)
    # The parameters are mostly those of a calibration that nobody differentiates by.
    if not all(isinstance(t, SymbolicZero) for t in jax.tree.leaves(parameters_dot)):
        dots = jax.tree.map(_instantiate, parameters_dot)
        _, (u_moves, v_moves) = jax.jvp(function, (parameters,), (dots,))
        u_dot, v_dot = u_dot - u_moves, v_dot - v_moves
    return slope.solve(u_dot, v_dot)


def _instantiate(tangent: jax.Array | SymbolicZero) -> jax.Array:
    if isinstance(tangent, SymbolicZero):
        return jnp.zeros(tangent.shape, tangent.dtype)
    return tangent


@partial(_solution.defjvp, symbolic_zeros=True)
def _solution_jvp(
    model: str, primals: tuple[Pair, Pair, Coefficients], tangents: Tree
) -> tuple[Pair, Pair]:
    xy = x, y = _solution(model, *primals)
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
    high = jax.tree.map(lambda x: x.hi if _is_double(x) else x, tangents[1:], is_leaf=_is_double)
    return xy, _differentiate(lambda p: function(x, y, p), slope(x, y, plain), plain, high)


def _radial_slope(model: str, t: jax.Array, k: Coefficients) -> jax.Array:
    """The growth of the radial part: by the radius at s = t, or by the angle at angle^2 = t."""
    if model == "fisheye":
        k1, k2, k3, k4 = k
        return power_series((3 * k1, 5 * k2, 7 * k3, 9 * k4), t)
    k1, k2, _, _, k3, k4, k5, k6 = (k + (0.0,) * 8)[:8]
    top, bottom = power_series((k1, k2, k3), t), power_series((k4, k5, k6), t)
    top_slope = k1 + t * (2 * k2 + t * 3 * k3)
    bottom_slope = k4 + t * (2 * k5 + t * 3 * k6)
    slope = top * bottom + 2 * t * (top_slope * bottom - top * bottom_slope)
    return jnp.where(bottom > 0, slope, -1.0)


def domain_limit(model: str, k: Coefficients) -> jax.Array:
    """The largest x^2 + y^2 up to which the radial part grows; inf where it always does.

    The sign of the slope is looked up every 0.02 degrees out to 89, then the first
    change of sign is bisected.
    """
    k = tuple(jax.lax.stop_gradient(jnp.asarray(c)[..., None]) for c in k)
    angles = jnp.linspace(0.0, jnp.deg2rad(89.0), 4450, dtype=k[0].dtype)
    of_angle = (lambda a: a * a) if model == "fisheye" else (lambda a: jnp.tan(a) ** 2)
    grows = lambda a: _radial_slope(model, of_angle(a), k) > 0
    falling = ~grows(align_ranks(angles, rank=k[0].ndim)[0])
    first = jnp.argmax(falling, axis=-1, keepdims=True)
    inside, outside = angles[jnp.maximum(first - 1, 0)], angles[first]

    def bisect(_: int, ends: Pair) -> Pair:
        middle = 0.5 * (ends[0] + ends[1])
        up = grows(middle)
        return jnp.where(up, middle, ends[0]), jnp.where(up, ends[1], middle)

    inside, _ = jax.lax.fori_loop(0, 40, bisect, (inside, outside))
    limit = jnp.where(falling.any(-1, keepdims=True), jnp.tan(inside) ** 2, jnp.inf)
    return limit[..., 0]


def inside(
    model: str, x: jax.Array, y: jax.Array, coefficients: Coefficients, limit: jax.Array
) -> jax.Array:
    """Whether the lens is one-to-one at the ray (x, y, 1)."""
    return (x * x + y * y < limit) & (jacobian(model, x, y, coefficients).determinant > 0)


def _near(model: str, u: jax.Array, v: jax.Array, k: Coefficients, limit: jax.Array) -> Pair:
    """A ray near the one of a plane point, inside the domain: a fisheye's own, to rounding."""
    centre = (u == 0) & (v == 0)
    radius = jnp.hypot(jnp.where(centre, 1, u), v)
    farthest = jnp.sqrt(limit)
    if model == "fisheye":
        start = jnp.tan(_fisheye_angle(radius, k, jnp.arctan(farthest)))
    else:
        start = jnp.where(radius < farthest, radius, 0.95 * farthest)
    scale = jnp.where(centre, 1, start / radius)
    return u * scale, v * scale


def _fisheye_angle(radius: jax.Array, k: Coefficients, farthest: jax.Array) -> jax.Array:
    """The angle of a plane radius, by Newton's method."""

    def newton(_: int, t: jax.Array) -> jax.Array:
        value, slope = t * power_series(k, t * t), _radial_slope("fisheye", t * t, k)
        return jnp.clip(t - (value - radius) / jnp.where(slope > 0, slope, 1), 0, farthest)

    return jax.lax.fori_loop(0, _NEWTON_STEPS, newton, jnp.minimum(radius, farthest))


class Ray(NamedTuple):
    """The ray (x, y, 1), and whether the lens is one-to-one there."""

    x: jax.Array
    y: jax.Array
    valid: jax.Array


def undistort(model: str, u: jax.Array, v: jax.Array, coefficients: Coefficients) -> Ray:
    """The ray that `distort` maps to the plane point (u, v); 0 where there is none."""
    valid = is_in_range(u) & is_in_range(v)
    if model == "pinhole":
        return Ray(u, v, valid)
    target = mask(valid, jax.lax.stop_gradient((u, v)))
    k = jax.lax.stop_gradient(coefficients)
    limit = domain_limit(model, k)
    x, y = _near(model, target[0], target[1], k, limit)
    # A fisheye bends a ray towards its axis only: one unknown, of which a tangent remains.
    steps = 2 if model == "fisheye" else _NEWTON_STEPS + 1
    x, y = _solve(model, steps, (x, y), target, k, limit)

    reached = distort(model, x, y, k)
    missed = jnp.abs(reached[0] - target[0]) + jnp.abs(reached[1] - target[1])
    tolerance = 64 * jnp.finfo(x.dtype).eps * (1 + jnp.abs(target[0]) + jnp.abs(target[1]))
    valid = valid & (missed <= tolerance) & inside(model, x, y, k, limit)

    # Pixels without a solution become the centre, or their singular Jacobians would enter the
    # derivative.
    start, target = mask(valid, ((x, y), (u, v)))
    x, y = mask(valid, _solution(model, start, target, coefficients))
    return Ray(x, y, valid)


def exact_ray(
    model: str, ray: Ray, target: tuple[Double, Double], coefficients: Coefficients
) -> tuple[Double, Double]:
    """The ray (x, y, 1) of a plane point with twice the digits; the derivative is the ray's."""
    if model == "pinhole":
        return target

    def beside(dx: Scalar, dy: Scalar, parameters: Tree) -> Pair:
        x, y, k = parameters
        return distort(model, dx + x, dy + y, k)

    def slope(dx: jax.Array, dy: jax.Array, parameters: Tree) -> Jacobian:
        x, y, k = parameters
        return jacobian(model, dx + x, dy + y, k)

    parameters = ray.x, ray.y, coefficients
    target, parameters = jax.lax.stop_gradient((target, parameters))
    start = jnp.zeros_like(ray.x), jnp.zeros_like(ray.y)
    dx, dy = mask(ray.valid, solve_exactly(beside, slope, start, target, parameters))
    return Double.of(ray.x) + dx, Double.of(ray.y) + dy
