"""Gaussians as an image sees them: the table of numbers that drawing needs of each.

In the axes of the camera a Gaussian has the mean mu and the factor M; d0 = mu / mu_z is the ray
through its mean and (x, y) a pixel's offset from where that ray is seen. Its weight there is

    alpha = min(.99, o exp(-((p x + q y)^2 + (r y)^2) / 2)),
    [p q; 0 r]^T [p q; 0 r] = (J M M^T J^T + .3 I)^-1,  J = d(u, v) / dX at the mean,

the splatting of Zwicker et al. (EWA, 2001) with the numbers of gsplat and 3DGS. The pixel's own ray
is d = d0 + (x / fx, y / fy, 0). The Gaussian is densest on it at the depth tau mu_z, where

    A = M^-1,  a0 = A d0,  b = A (d - d0),  tau = a0.(a0 + b) / |a0 + b|^2 = (1 + l) / (1 + 2 l + q)

with l = a0.b / a0.a0 linear and q = b.b / a0.a0 quadratic in (x, y); one behind the camera counts
as at it, tau = 0. In the Gaussian's own axes the point is xi = mu_z (tau b - s a0), s = 1 - tau.
When the Gaussian goes to mu' and M', the point goes by the small difference

    X' - X = (mu' - mu) + (M' - M) xi = dmu + tau P (x, y) - s Q,
    P = mu_z (M' - M) A [e_x / fx, e_y / fy],  Q = mu_z (M' - M) a0,  in the axes of the camera.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import bounded, computed_once, mask, surface, widen
from sf3d_jax.camera import Camera
from sf3d_jax.camera._optics import usable
from sf3d_jax.gaussians.harmonics import spherical_harmonics
from sf3d_jax.gaussians.scene import Gaussians

# gsplat's numbers, and those of 3DGS but for NEAR.
NEAR = 0.01
FAR = 1e10
BLUR = 0.3
CUT = 1 / 255
# How far beyond the image, in parts of it, the slope of the projection still follows the mean;
# gsplat's .3 times the tangent of half the field of view.
_MARGIN = 0.15
# Factors whose determinant is below this, next to the cube of the largest entry, are singular, and
# so are those so thin, in metres, that the inverse has no square in float32.
_FLAT = 1e-18
_THIN = 1e-15
# How far rounding may be off in the exponent where alpha falls below the cut.
_SLACK = 1e-5
# Variances, in pixels^2, and their products that are too large to be multiplied further.
_WIDE = 1e36

Vector = list[jax.Array]
Matrix = list[Vector]


class Splats(NamedTuple):
    """Gaussians in the image.

    Attributes:
      pixels: (N, 2), where the means are seen.
      roots: (N, 3), p, q and r of the exponent.
      opacities: (N).
      colors: (N, C).
      depths: (N), mu_z.
      peaks: (N, 5), the coefficients of x and y in l, and of x^2, x y and y^2 in q.
      motions: (N, 12), dmu, P and Q, a column of three after the other; or None.
      reach: (N, 2), how far from its mean, along u and v, alpha is at least 1/255.
      power: (N), what (p x + q y)^2 + (r y)^2 is there at most.
      seen: (N), bool, which are drawn. The others hold finite numbers.
    """

    pixels: jax.Array
    roots: jax.Array
    opacities: jax.Array
    colors: jax.Array
    depths: jax.Array
    peaks: jax.Array
    motions: jax.Array | None
    reach: jax.Array
    power: jax.Array
    seen: jax.Array

    @property
    def table(self) -> jax.Array:
        """(N, D), what compositing reads of each, in the order of the attributes."""
        columns = [self.pixels, self.roots, self.opacities[:, None], self.colors]
        columns += [self.depths[:, None], self.peaks]
        columns += [] if self.motions is None else [self.motions]
        return jnp.concatenate(columns, axis=-1)


def splats(
    gaussians: Gaussians,
    camera: Camera,
    *,
    later: tuple[jax.Array, jax.Array] | None = None,
    antialias: bool = False,
) -> Splats:
    """What a camera sees of every Gaussian, and how it moves to its later means and factors."""
    if not len(gaussians.opacities):
        # One that is not drawn, since nothing can be gathered from no Gaussians.
        nothing = lambda x: jnp.zeros((1, *x.shape[1:]), x.dtype)
        gaussians, later = jax.tree.map(nothing, (gaussians, later))
    gaussians, later, camera = widen(gaussians, later, camera)
    camera, good = usable(camera)
    given = _given(gaussians, later) & good
    means, factors, opacities, colors = _safe(given, gaussians)
    rotation = _entries(camera.world_to_camera[:, :3])
    shift = camera.world_to_camera[:, 3]
    mean = [a + t for a, t in zip(_turn(rotation, means), shift, strict=True)]
    factor = _product(rotation, factors)
    inverse, solid = _inverse(factor)
    seen = given & solid & (mean[2] > NEAR) & (mean[2] < FAR) & (opacities >= CUT)
    # What is not drawn must have a derivative too.
    mean, inverse, factor = mask(seen, (mean, inverse, factor), ([0, 0, 1], *2 * [_identity()]))
    moderate = jnp.stack(_spread(*jax.lax.stop_gradient((mean, factor, camera)))).max(0) < _WIDE
    seen = seen & moderate
    (factor,) = mask(moderate, (factor,), (_identity(),))
    x, y, z = mean
    fx, fy = camera.focal
    pixels = _columns([fx * x / z, fy * y / z]) + camera.principal_point
    footprint = _footprint(mean, factor, camera)
    if antialias:
        opacities = opacities * footprint.fade
        seen = seen & (opacities >= CUT)
    opacities = jnp.where(seen, opacities, 0)
    seen = seen & bounded(pixels).all(-1)
    power = 2 * jnp.log(jax.lax.stop_gradient(jnp.where(seen, opacities, CUT)) / CUT)
    power = jnp.maximum(power, 0) + _SLACK
    reach = jnp.sqrt(power[:, None] * jax.lax.stop_gradient(footprint.variances))
    if gaussians.colors.ndim == 3:
        colors = spherical_harmonics(colors, means - _centre(camera))

    centre = [_dot(row, [x / z, y / z, jnp.ones_like(z)]) for row in inverse]
    sides = [[row[i] / f for row in inverse] for i, f in enumerate((fx, fy))]
    motions = None
    if later is not None:
        change, stretch = (
            b - a for a, b in zip((gaussians.means, gaussians.factors), later, strict=True)
        )
        change, stretch = mask(given, (change, stretch))
        motions = _motions(change, stretch, rotation, z, centre, sides)
    peaks = _peaks(centre, sides)
    roots = footprint.roots
    return Splats(pixels, roots, opacities, colors, z, peaks, motions, reach, power, seen)


def _columns(columns: Vector) -> jax.Array:
    """(N, n) of n columns, of which each is found in a loop of its own."""
    return jnp.stack(computed_once(columns), axis=-1)


def _given(*arrays: Any) -> jax.Array:
    """Which Gaussians are finite, at every time."""
    leaves = jax.tree.leaves(arrays)
    fine = [bounded(x).reshape(len(x), -1).all(-1) for x in leaves]
    return jnp.stack(fine).all(0)


def _safe(given: jax.Array, gaussians: Gaussians) -> tuple[jax.Array, ...]:
    """Means, factors, opacities and colours; where not given those of a Gaussian of no weight."""
    parts = gaussians.means, gaussians.factors, gaussians.opacities, gaussians.colors
    safe: tuple[jax.Array, ...] = mask(given, parts, (0, jnp.eye(3), 0, 0))
    return safe


def _entries(matrix: jax.Array) -> Matrix:
    return [[matrix[..., i, j] for j in range(3)] for i in range(3)]


def _identity() -> list[list[int]]:
    return [[int(i == j) for j in range(3)] for i in range(3)]


def _dot(a: Vector, b: Vector) -> jax.Array:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]


def _turn(rotation: Matrix, vectors: jax.Array) -> Vector:
    # Written out: on a GPU a matrix product would round to fewer digits.
    return [_dot(row, [vectors[..., i] for i in range(3)]) for row in rotation]


def _product(rotation: Matrix, factors: jax.Array) -> Matrix:
    columns = [_turn(rotation, factors[..., :, j]) for j in range(3)]
    return [[columns[j][i] for j in range(3)] for i in range(3)]


def _inverse(factor: Matrix) -> tuple[Matrix, jax.Array]:
    """The inverses of the factors, by cofactors, and which have one."""
    largest = jnp.stack([jnp.abs(x) for row in factor for x in row]).max(0)
    solid = largest > 0
    largest = jax.lax.stop_gradient(jnp.where(solid, largest, 1))
    columns = [[factor[i][j] / largest for i in range(3)] for j in range(3)]
    volume = _dot(columns[0], _cross(columns[1], columns[2]))
    solid = solid & (jnp.abs(volume) > jnp.maximum(_FLAT, _THIN / largest)) & surface(largest)
    columns, volume = mask(solid, (columns, volume), (_identity(), 1))
    largest = jnp.where(solid, largest, 1)
    pairs = (1, 2), (2, 0), (0, 1)
    rows = [_cross(columns[j], columns[k]) for j, k in pairs]
    return [[x / volume / largest for x in row] for row in rows], solid


class _Footprint(NamedTuple):
    """The blurred Gaussians in the image.

    Attributes:
      roots: (N, 3), p, q and r of the exponent.
      variances: (N, 2), along u and v, in pixels^2.
      fade: (N), by how much a Gaussian is smaller than its blurred self.
    """

    roots: jax.Array
    variances: jax.Array
    fade: jax.Array


def _footprint(mean: Vector, factor: Matrix, camera: Camera) -> _Footprint:
    *spread, area = _spread(mean, factor, camera)
    across, both, down = spread[0] + BLUR, spread[1], spread[2] + BLUR
    blurred_area = area + BLUR * (spread[0] + spread[2]) + BLUR * BLUR
    thick = area > 0
    fade = jnp.sqrt(mask(thick, (area,), (1,))[0] / blurred_area)
    # The exponent as a sum of squares: the inverse's own terms cancel along a thin Gaussian.
    height, root = jnp.sqrt(down), jnp.sqrt(blurred_area)
    roots = _columns([height / root, -both / (height * root), 1 / height])
    return _Footprint(roots, jnp.stack([across, down], -1), jnp.where(thick, fade, 0))


def _spread(mean: Vector, factor: Matrix, camera: Camera) -> tuple[jax.Array, ...]:
    """The entries 00, 01 and 11 of J M M^T J^T, and its determinant."""
    rows = []
    z = mean[2]
    for i in range(2):
        size = camera.size[1 - i]
        focal, point = camera.focal[i], camera.principal_point[i]
        margin = _MARGIN * size
        low, high = (-0.5 - margin - point) / focal, (size - 0.5 + margin - point) / focal
        # Far outside of the image the slope would make Gaussians of any size.
        tangent = jnp.clip(mean[i] / z, low, high)
        across = zip(factor[i], factor[2], strict=True)
        rows.append([focal / z * (a - tangent * b) for a, b in across])
    # Not as a difference of the entries' products: of a long thin Gaussian it has few digits.
    normal = _cross(*rows)
    return (
        _dot(rows[0], rows[0]),
        _dot(rows[0], rows[1]),
        _dot(rows[1], rows[1]),
        _dot(normal, normal),
    )


def _peaks(centre: Vector, sides: Matrix) -> jax.Array:
    along, across = sides
    total = _dot(centre, centre)
    return _columns(
        [
            _dot(centre, along) / total,
            _dot(centre, across) / total,
            _dot(along, along) / total,
            2 * _dot(along, across) / total,
            _dot(across, across) / total,
        ]
    )


def _motions(
    change: jax.Array,
    stretch: jax.Array,
    rotation: Matrix,
    depth: jax.Array,
    centre: Vector,
    sides: Matrix,
) -> jax.Array:
    """dmu, P and Q in the axes of the camera."""
    turned = _product(rotation, stretch)
    columns = [_turn(rotation, change)]
    columns += [[depth * _dot(row, side) for row in turned] for side in (*sides, centre)]
    return _columns([x for column in columns for x in column])


def _centre(camera: Camera) -> jax.Array:
    """Where the camera is in the world."""
    rotation, shift = camera.world_to_camera[:, :3], camera.world_to_camera[:, 3]
    return -(rotation * shift[:, None]).sum(0)
