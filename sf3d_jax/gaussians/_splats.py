"""Gaussians as an image sees them: the numbers of each that drawing needs.

In the camera's axes a Gaussian has mean mu and factor M; d0 = mu / mu_z is the ray through its mean
and (x, y) the offset of a pixel from the mean's image. Its weight there is

    alpha = min(.99, o exp(-((p x + q y)^2 + (r y)^2) / 2)),
    [p q; 0 r]^T [p q; 0 r] = (J M M^T J^T + .3 I)^-1,  J = d(u, v) / dX at the mean,

which is EWA splatting (Zwicker et al., 2001) with the constants of gsplat and 3DGS. The pixel's
own ray is d = d0 + (x / fx, y / fy, 0). The Gaussian is densest on it at the depth tau mu_z, with

    A = M^-1,  a0 = A d0,  b = A (d - d0),  tau = a0.(a0 + b) / |a0 + b|^2 = (1 + l) / (1 + 2 l + q)

where l = a0.b / a0.a0 is linear and q = b.b / a0.a0 quadratic in (x, y). If that point is behind
the camera, tau = 0. In the Gaussian's own axes the point is xi = mu_z (tau b - s a0), s = 1 - tau.
When the Gaussian moves to mu' and M', the point moves by the small difference

    X' - X = (mu' - mu) + (M' - M) xi = dmu + tau P (x, y) - s Q,
    P = mu_z (M' - M) A [e_x / fx, e_y / fy],  Q = mu_z (M' - M) a0,  in the axes of the camera.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import (
    Array,
    Tree,
    channels,
    compute_once,
    is_in_range,
    is_positive_finite,
    mask,
    widen,
)
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax._numerics.vectors import Matrix, Vector, add, cross, dot, multiply, scale, transpose
from sf3d_jax.camera import Camera
from sf3d_jax.camera._optics import replace_bad_arrays
from sf3d_jax.gaussians._rows import Path, PeakTerms, Row
from sf3d_jax.gaussians.harmonics import spherical_harmonics
from sf3d_jax.gaussians.scene import Gaussians

# gsplat's constants, which are those of 3DGS except for NEAR.
NEAR = 0.01
FAR = 1e10
BLUR = 0.3
CUT = 1 / 255
# The margin around the image, as a share of its size, within which the slope of the projection
# follows the mean; gsplat's .3 times the tangent of half the field of view.
_MARGIN = 0.15
# Factors are singular if their determinant, relative to the cube of the largest entry, is below
# _FLAT, or if they are so thin, in metres, that the inverse has no square in float32.
_FLAT = 1e-18
_THIN = 1e-15
# A bound on the rounding error of the exponent where alpha falls below the cut.
_SLACK = 1e-5
# A bound on variances, in pixels^2, and their products, so that further products are finite.
_WIDE = 1e36

_IDENTITY = tuple(tuple(int(i == j) for j in range(3)) for i in range(3))


class Outlines(NamedTuple):
    """Where Gaussians are seen in the image, (N) each; passes no gradient.

    Attributes:
      u: column of the mean's pixel.
      v: row of the mean's pixel.
      p: first coefficient of the exponent.
      q: second coefficient of the exponent.
      r: third coefficient of the exponent.
      wide: distance from the mean, along u, up to which alpha is at least 1/255.
      high: the same along v.
      power: largest (p x + q y)^2 + (r y)^2 with alpha of at least 1/255.
      depth: mu_z.
      is_drawn: bool. Gaussians that are not drawn hold finite numbers.
    """

    u: jax.Array
    v: jax.Array
    p: jax.Array
    q: jax.Array
    r: jax.Array
    wide: jax.Array
    high: jax.Array
    power: jax.Array
    depth: jax.Array
    is_drawn: jax.Array


class Splats(NamedTuple):
    """Gaussians in the image.

    Attributes:
      row: what compositing reads of each, (N, 1), with colours (N, C).
      outlines: what decides which tiles list it.
    """

    row: Row
    outlines: Outlines


def make_splats(
    gaussians: Gaussians,
    camera: Camera,
    *,
    others: Sequence[tuple[jax.Array, jax.Array]] = (),
    features: Array | None = None,
    antialias: bool = False,
) -> Splats:
    """What a camera sees of each Gaussian, and its motions to other means and factors.

    Features are appended to the colours.
    """
    if not len(gaussians.opacities):
        # Use one Gaussian that is not drawn, because an empty array cannot be gathered from.
        nothing = lambda x: jnp.zeros((1, *x.shape[1:]), x.dtype)
        gaussians, others, features = jax.tree.map(nothing, (gaussians, others, features))
    gaussians, others, features, camera = widen(gaussians, others, features, camera)
    camera, good = replace_bad_arrays(camera)
    is_finite = _is_finite((gaussians, others, features)) & good
    finite = _mask_gaussians(is_finite, gaussians)
    rotation = _matrix_entries(camera.world_to_camera[:, :3])
    body, is_seen = _enter_camera(finite, rotation, camera, is_finite)
    x, y, z = body.mean
    (fx, fy), (cx, cy) = camera.focal, camera.principal_point
    u, v = fx * x / z + cx, fy * y / z + cy
    ellipse = _find_ellipse(body, camera)
    opacities = finite.opacities
    if antialias:
        opacities = opacities * ellipse.fade
        is_seen = is_seen & (opacities >= CUT)
    colors = _find_colors(finite, camera)
    if features is not None:
        colors = jnp.concatenate([colors, *mask(is_finite, (features,))], -1)
    sides = _find_sides(body, (fx, fy))
    paths = []
    for other in others:
        starts = gaussians.means, gaussians.factors
        moves = jax.tree.map(lambda a, b: b - a, starts, other)
        change, stretch = mask(is_finite, moves)
        paths.append(_find_path(change, stretch, rotation, z, sides))
    row = Row(
        u=u,
        v=v,
        p=ellipse.p,
        q=ellipse.q,
        r=ellipse.r,
        opacity=jnp.where(is_seen, opacities, 0),
        colors=(),
        depth=z,
        peak=_find_peak(sides),
        path=_join_paths(paths) if paths else None,
    )
    # XLA computes each of these in its own loop.
    row = compute_once(row)
    outlines = _find_outlines(row, ellipse, is_seen)
    row = jax.tree.map(lambda number: number[:, None], row)
    return Splats(row._replace(colors=(colors,)), outlines)


def _is_finite(tree: Tree) -> jax.Array:
    """Which Gaussians are finite, at every time."""
    return choose_by_platform(_reduce_finite, _join_finite, jax.lax.stop_gradient(tree))


def _reduce_finite(tree: Tree) -> jax.Array:
    """`_is_finite` on CPUs: a reduction, which XLA computes once for all that follows."""
    fine = [is_in_range(x).reshape(len(x), -1).all(-1) for x in jax.tree.leaves(tree)]
    return jnp.stack(fine).all(0)


def _join_finite(tree: Tree) -> jax.Array:
    """`_is_finite` on GPUs: number by number, which XLA fuses with what follows."""
    numbers = [x.reshape(len(x), -1) for x in jax.tree.leaves(tree)]
    fine = [is_in_range(column) for x in numbers for column in channels(x)]
    return functools.reduce(jnp.logical_and, fine)


def _mask_gaussians(is_finite: jax.Array, gaussians: Gaussians) -> Gaussians:
    """The Gaussians; non-finite ones are replaced by one with opacity 0."""
    parts = gaussians.means, gaussians.factors, gaussians.opacities, gaussians.colors
    return Gaussians(*mask(is_finite, parts, (0, jnp.eye(3), 0, 0)))


class _Body(NamedTuple):
    """Gaussians in the axes of the camera.

    Attributes:
      mean: mu, (N) each.
      factor: M, with X = mu + M xi.
      inverse: A.
    """

    mean: Vector
    factor: Matrix
    inverse: Matrix


def _enter_camera(
    gaussians: Gaussians, rotation: Matrix, camera: Camera, is_finite: jax.Array
) -> tuple[_Body, jax.Array]:
    """The Gaussians in the axes of the camera, and which of them are visible."""
    shift = camera.world_to_camera[:, 3]
    mean = add(_rotate(rotation, gaussians.means), shift)
    factor = _rotate_columns(rotation, gaussians.factors)
    inverse, is_solid = _invert(factor)
    is_ahead = (mean[2] > NEAR) & (mean[2] < FAR)
    is_visible = is_finite & is_solid & is_ahead & (gaussians.opacities >= CUT)
    # Gaussians that are not drawn need finite derivatives, too.
    body = _Body(
        *mask(is_visible, (mean, factor, inverse), ((0, 0, 1), _IDENTITY, _IDENTITY)),
    )
    spread = _find_spread(*jax.lax.stop_gradient((body, camera)))
    is_moderate = jnp.stack(spread).max(0) < _WIDE
    body = body._replace(factor=mask(is_moderate, body.factor, _IDENTITY))
    return body, is_visible & is_moderate


def _matrix_entries(matrix: jax.Array) -> Matrix:
    return tuple(tuple(matrix[..., i, j] for j in range(3)) for i in range(3))


def _rotate(rotation: Matrix, vectors: jax.Array) -> Vector:
    return tuple(dot(row, [vectors[..., i] for i in range(3)]) for row in rotation)


def _rotate_columns(rotation: Matrix, factors: jax.Array) -> Matrix:
    return transpose([_rotate(rotation, factors[..., :, j]) for j in range(3)])


def _invert(factor: Matrix) -> tuple[Matrix, jax.Array]:
    """The inverses of the factors, by cofactors, and which factors have one."""
    largest = jnp.stack([jnp.abs(x) for row in factor for x in row]).max(0)
    is_solid = largest > 0
    largest = jax.lax.stop_gradient(jnp.where(is_solid, largest, 1))
    columns = tuple(tuple(x / largest for x in column) for column in transpose(factor))
    volume = dot(columns[0], cross(columns[1], columns[2]))
    is_solid = is_solid & (jnp.abs(volume) > jnp.maximum(_FLAT, _THIN / largest))
    is_solid = is_solid & is_positive_finite(largest)
    columns, volume = mask(is_solid, (columns, volume), (_IDENTITY, 1))
    largest = jnp.where(is_solid, largest, 1)
    a, b, c = columns
    rows = cross(b, c), cross(c, a), cross(a, b)
    return tuple(tuple(x / volume / largest for x in row) for row in rows), is_solid


class _Ellipse(NamedTuple):
    """The blurred Gaussians in the image, (N) each.

    Attributes:
      p: first coefficient of the exponent ((p x + q y)^2 + (r y)^2) / 2.
      q: second coefficient of the exponent.
      r: third coefficient of the exponent.
      across: variance along u, in pixels^2.
      down: variance along v.
      fade: ratio of the area before the blur to that after it.
    """

    p: jax.Array
    q: jax.Array
    r: jax.Array
    across: jax.Array
    down: jax.Array
    fade: jax.Array


def _find_ellipse(body: _Body, camera: Camera) -> _Ellipse:
    uu, uv, vv, area = _find_spread(body, camera)
    across, down = uu + BLUR, vv + BLUR
    blurred_area = area + BLUR * (uu + vv) + BLUR * BLUR
    is_thick = area > 0
    fade = jnp.sqrt(mask(is_thick, (area,), (1,))[0] / blurred_area)
    # The exponent is a sum of squares, since the inverse's own terms cancel for thin Gaussians.
    height, root = jnp.sqrt(down), jnp.sqrt(blurred_area)
    return _Ellipse(
        p=height / root,
        q=-uv / (height * root),
        r=1 / height,
        across=across,
        down=down,
        fade=jnp.where(is_thick, fade, 0),
    )


def _find_spread(body: _Body, camera: Camera) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Entries 00, 01 and 11 of J M M^T J^T, and its determinant."""
    rows = []
    z = body.mean[2]
    for i in range(2):
        size = camera.size[1 - i]
        focal, point = camera.focal[i], camera.principal_point[i]
        margin = _MARGIN * size
        low, high = (-0.5 - margin - point) / focal, (size - 0.5 + margin - point) / focal
        # Unclipped, Gaussians far outside the image would have slopes of any size.
        tangent = jnp.clip(body.mean[i] / z, low, high)
        across = zip(body.factor[i], body.factor[2], strict=True)
        rows.append([focal / z * (a - tangent * b) for a, b in across])
    # For long thin Gaussians, the difference of the entries' products would have few digits.
    normal = cross(*rows)
    return dot(rows[0], rows[0]), dot(rows[0], rows[1]), dot(rows[1], rows[1]), dot(normal, normal)


class _Sides(NamedTuple):
    """The vectors from which the formulas of depth and motion are built, (N) each.

    Attributes:
      centre: a0.
      along: A e_x / fx.
      aside: A e_y / fy.
    """

    centre: Vector
    along: Vector
    aside: Vector


def _find_sides(body: _Body, focal: Vector) -> _Sides:
    x, y, z = body.mean
    fx, fy = focal
    return _Sides(
        centre=tuple(dot(row, (x / z, y / z, jnp.ones_like(z))) for row in body.inverse),
        along=tuple(row[0] / fx for row in body.inverse),
        aside=tuple(row[1] / fy for row in body.inverse),
    )


def _find_peak(sides: _Sides) -> PeakTerms:
    centre, along, aside = sides
    total = dot(centre, centre)
    return PeakTerms(
        l1=dot(centre, along) / total,
        l2=dot(centre, aside) / total,
        q1=dot(along, along) / total,
        q2=2 * dot(along, aside) / total,
        q3=dot(aside, aside) / total,
    )


def _find_path(
    change: jax.Array, stretch: jax.Array, rotation: Matrix, depth: jax.Array, sides: _Sides
) -> Path:
    """The motion of the points, from the changes of means and factors in world axes."""
    turned = _rotate_columns(rotation, stretch)
    return Path(
        start=_rotate(rotation, change),
        along=scale(depth, multiply(turned, sides.along)),
        aside=scale(depth, multiply(turned, sides.aside)),
        centre=scale(depth, multiply(turned, sides.centre)),
    )


def _join_paths(paths: Sequence[Path]) -> Path:
    """Several motions as one path."""
    return Path(*(sum(field, ()) for field in zip(*paths, strict=True)))


def _find_colors(gaussians: Gaussians, camera: Camera) -> jax.Array:
    """The colours that the camera sees, (N, C)."""
    colors: jax.Array = gaussians.colors
    if colors.ndim == 2:
        return colors
    rotation, shift = camera.world_to_camera[:, :3], camera.world_to_camera[:, 3]
    centre = -(rotation * shift[:, None]).sum(0)
    return spherical_harmonics(colors, gaussians.means - centre[None])


def _find_outlines(row: Row, ellipse: _Ellipse, is_seen: jax.Array) -> Outlines:
    row, ellipse = jax.lax.stop_gradient((row, ellipse))
    is_drawn = is_seen & is_in_range(row.u) & is_in_range(row.v)
    power = 2 * jnp.log(jnp.where(is_drawn, row.opacity, CUT) / CUT)
    power = jnp.maximum(power, 0) + _SLACK
    return Outlines(
        u=row.u,
        v=row.v,
        p=row.p,
        q=row.q,
        r=row.r,
        wide=jnp.sqrt(power * ellipse.across),
        high=jnp.sqrt(power * ellipse.down),
        power=power,
        depth=row.depth,
        is_drawn=is_drawn,
    )
