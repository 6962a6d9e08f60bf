"""Normals of the surfaces seen in an inverse depth map.

A plane n . X = h is seen at the rays r = (x, y, 1) with the inverse depth d = n . r / h, which is
affine in the ray. So the slopes p = (d_x, d_y) of inverse depth by the ray give the normal of any
surface, without the differences of points:

    n ~ -(p_x, p_y, d - x p_x - y p_y).

Differences of inverse depth over those of rays are exact on planes, whatever the lens and the
distance of the pixels.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import (
    align_ranks,
    channels_last,
    is_in_range,
    is_positive_finite,
    jit,
    mask,
    narrow,
    widen,
)
from sf3d_jax._numerics.lengths import length
from sf3d_jax._numerics.vectors import scale
from sf3d_jax.camera import Camera
from sf3d_jax.camera._maps import check_maps_of
from sf3d_jax.conversion._two_views import TwoViews, two_views
from sf3d_jax.warping._surfaces import find_neighbours, find_next


class Normals(NamedTuple):
    """The normal of the surface seen at each pixel.

    Attributes:
      normals: (*b, H, W, 3), of length 1, in the axes of the camera, on the side of the surface
        that faces it; 0 where not valid.
      valid: (*b, H, W), bool.
    """

    normals: jax.Array
    valid: jax.Array


@jit
def normals(inv_depth: jax.Array, camera: Camera) -> Normals:
    """The normals of the surfaces in an inverse depth map, never mixing two surfaces.

    n ~ -(p_x, p_y, d - x p_x - y p_y), with the ray (x, y, 1) and the slopes p of inverse depth by
    x and y, from the differences to the neighbours in the row and in the column. These are
    symmetric, or one-sided where one neighbour is on another surface: its value differs by more
    than twice the local slope. Exact on planes, with lens distortion too.

    Args:
      inv_depth: (*b, H, W), d = 1 / Z, per metre.
      camera: the camera; its batch axes broadcast against *b.

    Returns:
      Normals in the dtype of inv_depth, in the axes of the camera (`camera.world_to_camera` takes
      them to the world), with n . X < 0. A pixel is valid if it has a surface, the lens is
      one-to-one there, and it has a neighbour on the same surface in its row and in its column; a
      slanted surface must be three pixels wide for its slope to be known. Invalid pixels are zero
      and pass no gradient.
    """
    dtype, batch = check_maps_of(camera, None, inv_depth=(inv_depth, 0))
    d, camera = widen(inv_depth, camera)
    views = two_views(camera, None, len(batch))
    shape = (*batch, *camera.size)
    d = jnp.broadcast_to(align_ranks(d, rank=len(shape))[0], shape)
    known = is_positive_finite(d) & views.valid
    d = mask(known, d, 1)
    columns, rows = (_difference(d, views, known, axis) for axis in (-1, -2))
    # The determinant of the rays' differences, in pixels; a one-to-one lens has no zero of it.
    area = columns.x * rows.y - columns.y * rows.x
    valid = known & columns.known & rows.known & is_positive_finite(jnp.abs(area))
    # Without neighbours the differences are 0, which slopes must not be divided by.
    area = mask(valid, area, 1) * d
    px = views.optics.fx * (columns.d * rows.y - rows.d * columns.y) / area
    py = views.optics.fy * (rows.d * columns.x - columns.d * rows.x) / area
    valid = valid & is_in_range(px) & is_in_range(py)
    px, py = mask(valid, (px, py))
    # By the inverse depth itself, so that the last is near -1 at any distance.
    normal = -px, -py, views.x * px + views.y * py - 1
    unit = mask(valid, scale(1 / length(*normal), normal))
    result, valid = narrow(valid, channels_last(*unit), dtype)
    return Normals(result, valid)


class _Difference(NamedTuple):
    """Differences over the neighbours of each pixel along an axis that are on its surface.

    Attributes:
      d: of inverse depth; 0 without a neighbour.
      x: of x of the ray, times the focal length.
      y: of y of the ray, times the focal length.
      known: bool, whether there is a neighbour.
    """

    d: jax.Array
    x: jax.Array
    y: jax.Array
    known: jax.Array


def _difference(d: jax.Array, views: TwoViews, known: jax.Array, axis: int) -> _Difference:
    before, after = find_neighbours(d, known, axis)
    steps = [find_next(d, axis) - d, *_step_rays(views, d.shape, axis)]
    # From the pixel before to the one after, or only half of the way.
    earlier = mask(before, [find_next(step, axis, -1) for step in steps])
    later = mask(after, steps)
    d, x, y = (a + b for a, b in zip(earlier, later, strict=True))
    return _Difference(d, x, y, before | after)


def _step_rays(views: TwoViews, shape: tuple[int, ...], axis: int) -> list[jax.Array]:
    """The change of each ray to the next pixel's, times the focal length."""
    if not views.has_distortion:
        return [jnp.full(shape, float(axis == along), views.x.dtype) for along in (-1, -2)]
    steps = []
    for ray, focal in zip(views.exact, (views.optics.fx, views.optics.fy), strict=True):
        # In double-floats, as neighbouring rays have most digits in common.
        following = jax.tree.map(lambda a: find_next(a, axis), ray)
        steps.append(focal * (following - ray).rounded)
    return steps
