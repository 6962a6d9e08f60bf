"""Carries Gaussians along with the pieces of a moving mesh.

A piece with corners p0 p1 p2, edges e1 = p1 - p0 and e2 = p2 - p0, unit normal n and side
a = sqrt(|e1 x e2| 2 / sqrt 3), which is the side of the equilateral triangle of the same area, has
one Gaussian,

    mean   = (p0 + p1 + p2) / 3
    factor = size [e1, (2 e2 - e1) / sqrt 3, flatness a n]

For an equilateral piece, the factor is a rotation times size a diag(1, 1, flatness). For any other
piece, the Gaussian is the image of that one under the affine map of the triangles: its contours in
the plane are Steiner ellipses of the piece. So factors at two times differ by the full deformation
gradient of the triangle, with shear and stretch, and no matrix is inverted: a point of the Gaussian
moves exactly as the same point of the mesh does.
"""

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array
from sf3d_jax._numerics import Array, channels_last, jit, mask, result_type, widen
from sf3d_jax._numerics.vectors import Vector, add, scale, subtract
from sf3d_jax.gaussians.scene import Gaussians
from sf3d_jax.head._pieces import (
    ROOT_3,
    Corners,
    check_pieces,
    find_edges,
    find_side,
    gather,
    make_frame,
    weigh,
)
from sf3d_jax.head.covering import Cover


def pieces(cover: Cover, faces: Array, vertices: Array) -> jax.Array:
    """Finds the corners of all pieces on the mesh.

    Args:
      cover: N pieces, from `cover`.
      faces: (T, 3), integer, as passed to `cover`.
      vertices: (V, 3), metres, at any time.

    Returns:
      (N, 3, 3): [i, k] is corner k of piece i, metres. Infinite if a vertex of its triangle is not
      finite or does not exist; then the piece gives no gradient.

    Raises:
      TypeError: an argument has another type.
      ValueError: a shape does not fit.
    """
    check_pieces(cover, faces, vertices)
    return _pieces(_match(cover, vertices), faces, vertices)


@jit
def _pieces(cover: Cover, faces: Array, vertices: Array) -> jax.Array:
    corners, shares = _gather_pieces(cover, faces, vertices)
    points = [_find_point(corners, shares[:, k, 1], shares[:, k, 2]) for k in range(3)]
    stacked = jnp.stack([channels_last(*point) for point in points], 1)
    return mask(corners.is_finite, stacked, jnp.inf).astype(vertices.dtype)


def carry(
    cover: Cover,
    faces: Array,
    vertices: Array,
    colors: Array,
    *,
    size: float = 0.25,
    flatness: float = 0.02,
    opacity: float = 4.0,
) -> Gaussians:
    """Makes one Gaussian of each piece of a mesh, by the formula above.

    Call it with the vertices of two times to get the two arguments of `render_motion`. With the
    defaults, the Gaussians are opaque far from their means and leave no gaps. Draw only those that
    face the camera (`is_facing`, `select`), and with antialias=True.

    Args:
      cover: N pieces, from `cover`.
      faces: (T, 3), integer, as passed to `cover`.
      vertices: (V, 3), metres, at any time.
      colors: (N, C), or (N, K, C), the colours of the Gaussians.
      size: standard deviation of a Gaussian as a share of the side of its piece.
      flatness: standard deviation across the surface as a share of that in the surface.
      opacity: opacity of the Gaussians; above 1, they stay opaque further from their means.

    Returns:
      N Gaussians in the dtype of the vertices, differentiable with respect to vertices and colours.
      A piece that is too thin to have a normal has zeros in the third column of its factor, so it
      is not drawn; if it is thin at the next time only, its points still move exactly. If a vertex
      is not finite or does not exist, mean and factor are infinite, so that the piece is not drawn
      whichever time this is; then the piece gives no gradient.

    Raises:
      TypeError: an argument has another type.
      ValueError: a shape does not fit.
    """
    count = check_pieces(cover, faces, vertices)
    check_array("colors", colors)
    if colors.ndim not in (2, 3) or colors.shape[0] != count:
        raise ValueError(f"colors: expected shape ({count}, C), got {colors.shape}")
    return _carry(_match(cover, vertices), faces, vertices, colors, size, flatness, opacity)


@jit
def _carry(
    cover: Cover,
    faces: Array,
    vertices: Array,
    colors: Array,
    size: float,
    flatness: float,
    opacity: float,
) -> Gaussians:
    corners, shares = _gather_pieces(cover, faces, vertices)
    means = _find_point(corners, shares[..., 1].sum(-1) / 3, shares[..., 2].sum(-1) / 3)
    factors = _make_factors(corners, shares, jnp.asarray(flatness, shares.dtype))
    factors = [scale(jnp.asarray(size, shares.dtype), column) for column in factors]
    placed = channels_last(*means), jnp.stack([channels_last(*x) for x in factors], -1)
    placed = mask(corners.is_finite, placed, (jnp.inf, jnp.inf))
    means_, factors_ = (x.astype(vertices.dtype) for x in placed)
    opacities = jnp.full(shares.shape[0], opacity, vertices.dtype)
    return Gaussians(means_, factors_, opacities, jnp.asarray(colors))


def _match(cover: Cover, vertices: Array) -> Cover:
    """The cover in the precision of the vertices, at least float32.

    A constant of NumPy keeps its float64 in programs within programs, where float64 is off.
    """
    return cover._replace(corners=cover.corners.astype(result_type(jnp.float32, vertices)))


def _gather_pieces(cover: Cover, faces: Array, vertices: Array) -> tuple[Corners, jax.Array]:
    """The triangles of the pieces, and the barycentric coordinates of their corners."""
    (points,) = widen(jnp.asarray(vertices))
    return gather(cover.triangles, faces, points), jnp.asarray(cover.corners, points.dtype)


def _find_point(corners: Corners, along: jax.Array, across: jax.Array) -> Vector:
    """v0 + along (v1 - v0) + across (v2 - v0)."""
    return add(corners.origin, weigh(corners, along, across))


def _make_factors(corners: Corners, shares: jax.Array, flatness: jax.Array) -> list[Vector]:
    """The columns of the factors for a size of 1."""
    first, second = find_edges(corners, shares)
    frame = make_frame(first, second)
    middle = scale(1 / ROOT_3, subtract(scale(2, second), first))
    return [first, middle, scale(flatness * find_side(frame), frame.normal)]
