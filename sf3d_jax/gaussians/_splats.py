"""Gaussians as an image sees them: the table of numbers that drawing needs of each.

In the axes of the camera a Gaussian has the mean mu and the factor M; d0 = mu / mu_z is the ray
through its mean and (x, y) a pixel's offset from where that ray is seen. Its weight there is

    alpha = min(.99, o exp(-(a x^2 + c y^2) / 2 - b x y)),
    [a b; b c] = (J M M^T J^T + .3 I)^-1,  J = d(u, v) / dX at the mean,

the splatting of Zwicker et al. (EWA, 2001) with the numbers of gsplat and 3DGS. The pixel's own ray
is d = d0 + (x / fx, y / fy, 0). The Gaussian is densest on it at the depth tau mu_z, where

    A = M^-1,  a0 = A d0,  b = A (d - d0),  tau = a0.(a0 + b) / |a0 + b|^2 = (1 + l) / (1 + 2 l + q)

with l = a0.b / a0.a0 linear and q = b.b / a0.a0 quadratic in (x, y), and the point there is
xi = mu_z (tau b - s a0) in the Gaussian's own axes, s = 1 - tau. When the Gaussian goes to mu' and
M', that point goes by the small difference

    X' - X = (mu' - mu) + (M' - M) xi = dmu + tau P (x, y) - s Q.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import bounded, computed_once, mask, surface, widen
from sf3d_jax._optics import usable
from sf3d_jax.camera import Camera
from sf3d_jax.gaussians.harmonics import spherical_harmonics
from sf3d_jax.gaussians.scene import Gaussians

# gsplat's numbers, and those of 3DGS but for NEAR.
NEAR = 0.01
FAR = 1e10
BLUR = 0.3
CUT = 1 / 255
# How far beyond the image, in parts of it, the slope of the projection still follows the mean.
_MARGIN = 0.15
# Volumes below this, next to the cube of the largest entry, are those of singular factors; the
# square of the inverse is still a number of float32.
_FLAT = 1e-18
# Variances, in pixels^2, and their products that are too large to be multiplied further.
_WIDE = 1e36

Vector = list[jax.Array]
Matrix = list[Vector]


class Splats(NamedTuple):
    """Gaussians in the image.

    Attributes:
      pixels: (N, 2), where the means are seen.
      conics: (N, 3), a, b and c.
      opacities: (N).
      colors: (N, C).
      depths: (N), mu_z.
      peaks: (N, 5), the coefficients of x and y in l, and of x^2, x y and y^2 in q.
      motions: (N, 12), dmu, P and Q, a column of three after the other; or None.
      reach: (N, 2), how far from its mean, along u and v, alpha is at least 1/255.
      power: (N), what a x^2 + 2 b x y + c y^2 is there at most.
      seen: (N), bool, which are drawn. The others hold finite numbers.
    """

    pixels: jax.Array
    conics: jax.Array
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
        columns = [self.pixels, self.conics, self.opacities[:, None], self.colors]
        columns += [self.depths[:, None], self.peaks]
        columns += [] if self.motions is None else [self.motions]
        return jnp.concatenate(columns, axis=-1)


def splats(
    gaussians: Gaussians,
    camera: Camera,
    *,
    next_gaussians: Gaussians | None = None,
    antialias: bool = False,
) -> Splats:
    """What a camera sees of every Gaussian, and how it moves to its next state."""
    if not len(gaussians.opacities):
        # One that is not drawn, since nothing can be gathered from no Gaussians.
        nothing = lambda x: jnp.zeros((1, *x.shape[1:]), x.dtype)
        gaussians, next_gaussians = jax.tree.map(nothing, (gaussians, next_gaussians))
    gaussians, next_gaussians, camera = widen(gaussians, next_gaussians, camera)
    camera, good = usable(camera)
    given = _given(gaussians, next_gaussians) & good
    means, factors, opacities, colors = _safe(given, gaussians)
    rotation = _entries(camera.world_to_camera[:, :3])
    shift = camera.world_to_camera[:, 3]
    mean = [a + t for a, t in zip(_turn(rotation, means), shift, strict=True)]
    factor = _product(rotation, factors)
    inverse, solid = _inverse(factor)
    seen = given & solid & (mean[2] > NEAR) & (mean[2] < FAR) & (opacities >= CUT)
    # What is not drawn must have a derivative too.
    mean, inverse, factor = mask(seen, (mean, inverse, factor), ([0, 0, 1], *2 * [_identity()]))
    narrow = jnp.stack(_spread(*jax.lax.stop_gradient((mean, factor, camera)))).max(0) < _WIDE
    seen = seen & narrow
    (factor,) = mask(narrow, (factor,), (_identity(),))
    x, y, z = mean
    fx, fy = camera.focal
    pixels = _columns([fx * x / z, fy * y / z]) + camera.principal_point

    *spread, area = _spread(mean, factor, camera)
    blurred = spread[0] + BLUR, spread[1], spread[2] + BLUR
    blurred_area = area + BLUR * (spread[0] + spread[2]) + BLUR * BLUR
    if antialias:
        thin = area > 0
        opacities = opacities * jnp.where(
            thin, jnp.sqrt(mask(thin, (area,), (1.0,))[0] / blurred_area), 0
        )
        seen = seen & (opacities >= CUT)
    opacities = jnp.where(seen, opacities, 0)
    conics = _columns([x / blurred_area for x in (blurred[2], -blurred[1], blurred[0])])
    power = 2 * jnp.log(jax.lax.stop_gradient(jnp.where(seen, opacities, CUT)) / CUT)
    power = jnp.maximum(power, 0)
    width = jax.lax.stop_gradient(jnp.stack([blurred[0], blurred[2]], -1))
    reach = jnp.sqrt(power[:, None] * width)
    seen = seen & bounded(pixels).all(-1)
    if gaussians.colors.ndim == 3:
        colors = spherical_harmonics(colors, means - _centre(camera))

    centre = [_dot(row, [x / z, y / z, jnp.ones_like(z)]) for row in inverse]
    sides = [[row[i] / f for row in inverse] for i, f in enumerate((fx, fy))]
    motions = None
    if next_gaussians is not None:
        motions = _motions(gaussians, next_gaussians, given, rotation, z, centre, sides)
    return Splats(
        pixels, conics, opacities, colors, z, _peaks(centre, sides), motions, reach, power, seen
    )


def _columns(columns: Vector) -> jax.Array:
    """(N, n) of n columns, of which each is found in a loop of its own."""
    return jnp.stack(computed_once(columns), axis=-1)


def _given(*scenes: Gaussians | None) -> jax.Array:
    """Which Gaussians are finite, at every time."""
    leaves = jax.tree.leaves(scenes)
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
    solid = solid & (jnp.abs(volume) > _FLAT) & surface(largest)
    columns, volume = mask(solid, (columns, volume), (_identity(), 1))
    largest = jnp.where(solid, largest, 1)
    pairs = (1, 2), (2, 0), (0, 1)
    rows = [_cross(columns[j], columns[k]) for j, k in pairs]
    return [[x / volume / largest for x in row] for row in rows], solid


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
    gaussians: Gaussians,
    next_gaussians: Gaussians,
    given: jax.Array,
    rotation: Matrix,
    depth: jax.Array,
    centre: Vector,
    sides: Matrix,
) -> jax.Array:
    """dmu, P and Q in the axes of the camera."""
    before, after = (_safe(given, g)[:2] for g in (gaussians, next_gaussians))
    change = _turn(rotation, after[0] - before[0])
    stretch = _product(rotation, after[1] - before[1])
    columns = [change] + [[depth * _dot(row, side) for row in stretch] for side in (*sides, centre)]
    return _columns([x for column in columns for x in column])


def _centre(camera: Camera) -> jax.Array:
    """Where the camera is in the world."""
    rotation, shift = camera.world_to_camera[:, :3], camera.world_to_camera[:, 3]
    return -(rotation * shift[:, None]).sum(0)
