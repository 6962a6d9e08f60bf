"""Projection of points into the image, and back from pixels with inverse depth to points."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import (
    align_ranks,
    channels,
    channels_last,
    is_in_range,
    is_positive_finite,
    jit,
    mask,
    narrow,
    result_type,
    where_valid,
    widen,
)
from sf3d_jax.camera import Camera, align_camera, check_camera, check_size
from sf3d_jax.camera._maps import check_maps_of
from sf3d_jax.camera._optics import Optics, per_pixel, replace_bad_arrays, split_rows


class Projection(NamedTuple):
    """The pixels at which points are seen.

    Attributes:
      pixels: (..., 2), (u, v); 0 where not valid.
      inv_depth: (...), 1 / Z, per metre; 0 where not valid.
      valid: (...), bool.
    """

    pixels: jax.Array
    inv_depth: jax.Array
    valid: jax.Array


class Points(NamedTuple):
    """Points of the world.

    Attributes:
      points: (..., 3), metres, in world axes; 0 where not valid.
      valid: (...), bool.
    """

    points: jax.Array
    valid: jax.Array


def pixel_grid(size: tuple[int, int]) -> jax.Array:
    """The coordinates (u, v) of all pixels of an image: grid[v, u] = (u, v).

    Args:
      size: (H, W).

    Returns:
      (H, W, 2): column and row, in the default float type.
    """
    height, width = check_size(size)
    u, v = jnp.meshgrid(jnp.arange(width, dtype=float), jnp.arange(height, dtype=float))
    return jnp.stack([u, v], axis=-1)


def _count_pixel_axes(axes: int, camera_axes: int) -> int:
    """Counts the leading axes that belong to one camera's pixels: 2 for an image, 1 for a list."""
    return max(0, min(2, axes - camera_axes))


@jit
def project(points: jax.Array, camera: Camera) -> Projection:
    """Projects points of the world into the image; the inverse of `unproject`.

    X = R X_world + t, then (u, v) = focal * lens(X / Z, Y / Z) + principal_point.

    Args:
      points: (*b, h, w, 3), or a list (*b, n, 3) if *b are the batch axes of the camera; metres,
        in world axes (the camera's axes if its pose is the identity).
      camera: a camera whose batch axes broadcast against *b.

    Returns:
      Pixels, inverse depth and validity, in the dtype of the points. A point is valid if it is
      finite, in front of the camera and where the lens is one-to-one, even if it lies outside the
      image. Invalid points are zero and pass no gradient.
    """
    check_array("points", points, (3,))
    batch = check_camera("camera", camera)
    axes = _count_pixel_axes(points.ndim - 1, len(batch))
    batch = check_batch(points=points.shape[: points.ndim - 1 - axes], camera=batch)

    dtype = points.dtype
    points, camera = widen(points, camera)
    (points,) = align_ranks(points, rank=len(batch) + axes + 1)
    camera, good = replace_bad_arrays(align_camera(camera, len(batch)))
    optics, pose = Optics.of(camera, axes), split_rows(camera.world_to_camera, axes)
    finite = is_in_range(points).all(-1)
    x, y, z = mask(finite, channels(points))
    x, y, z = (a * x + b * y + c * z + t for a, b, c, t in pose)

    valid = finite & is_positive_finite(z) & per_pixel(good, axes)
    valid = valid & optics.is_one_to_one(*(a / jnp.where(valid, z, 1) for a in mask(valid, (x, y))))
    u, v, inv_depth = where_valid(_project_point, (0.0, 0.0, 1.0), valid, (x, y, z), optics)
    (pixels, inv_depth), valid = narrow(valid, (channels_last(u, v), inv_depth), dtype)
    return Projection(pixels, inv_depth, valid)


def _project_point(
    x: jax.Array, y: jax.Array, z: jax.Array, optics: Optics
) -> tuple[jax.Array, ...]:
    return *optics.pixel(x / z, y / z), 1 / z


@jit
def unproject(pixels: jax.Array, inv_depth: jax.Array, camera: Camera) -> Points:
    """Finds the points of the world seen at pixels; the inverse of `project`.

    (x, y) = lens^-1((u - cx) / fx, (v - cy) / fy), X = (x, y, 1) / d, X_world = R^T (X - t).

    Args:
      pixels: (*b, h, w, 2), or a list (*b, n, 2) if *b are the batch axes of the camera; (u, v)
        in pixels, anywhere in the plane. `pixel_grid(size)` gives the pixels of a whole image.
      inv_depth: (*b, h, w) or (*b, n), d = 1 / Z, per metre; broadcasts against the pixels.
      camera: a camera whose batch axes broadcast against *b.

    Returns:
      Points and validity. Points are in metres, in world axes (the camera's axes if its pose is
      the identity), in the dtype of pixels and inverse depth. A pixel is valid if it is finite,
      its inverse depth is finite and positive, and the lens is one-to-one there. Invalid pixels
      are zero and pass no gradient.
    """
    check_array("pixels", pixels, (2,))
    check_array("inv_depth", inv_depth)
    batch = check_camera("camera", camera)
    shape = check_batch(pixels=pixels.shape[:-1], inv_depth=inv_depth.shape)
    axes = _count_pixel_axes(len(shape), len(batch))
    batch = check_batch(pixels=shape[: len(shape) - axes], camera=batch)

    dtype = result_type(pixels, inv_depth)
    pixels, inv_depth, camera = widen(pixels, inv_depth, camera)
    camera, good = replace_bad_arrays(align_camera(camera, len(batch)))
    u, v, inv_depth = align_ranks(*channels(pixels), inv_depth, rank=len(batch) + axes)
    ray = Optics.of(camera, axes).ray(u, v)
    valid = ray.valid & is_positive_finite(inv_depth) & per_pixel(good, axes)
    pose = split_rows(camera.world_to_camera, axes)
    points = where_valid(_unproject_pixel, (0.0, 0.0, 1.0), valid, (ray.x, ray.y, inv_depth), pose)
    points, valid = narrow(valid, channels_last(*points), dtype)
    return Points(points, valid)


@jit
def point_map(inv_depth: jax.Array, camera: Camera) -> Points:
    """The point of the world seen at each pixel of an image: `unproject` of all pixels.

    (x, y) = lens^-1((u - cx) / fx, (v - cy) / fy), X = (x, y, 1) / d, X_world = R^T (X - t).

    Args:
      inv_depth: (*b, H, W), d = 1 / Z, per metre.
      camera: the camera; its batch axes broadcast against *b.

    Returns:
      Points (*b, H, W, 3) and validity (*b, H, W). Points are in metres, in world axes: those of
      the camera if its pose is the identity. Point maps of two cameras of one world agree where
      they see the same point. A pixel is valid if its inverse depth is finite and positive and the
      lens is one-to-one there. Invalid pixels are zero and pass no gradient.
    """
    _, batch = check_maps_of(camera, None, inv_depth=(inv_depth, 0))
    inv_depth = jnp.broadcast_to(inv_depth, (*batch, *camera.size))
    grid = pixel_grid(camera.size).astype(inv_depth.dtype)
    return unproject(grid, inv_depth, align_camera(camera, len(batch)))


def _unproject_pixel(
    x: jax.Array, y: jax.Array, d: jax.Array, pose: list[list[jax.Array]]
) -> tuple[jax.Array, ...]:
    z = 1 / d
    seen = [a - row[3] for a, row in zip((x * z, y * z, z), pose, strict=True)]
    (x, y, z), (a, b, c) = seen, pose
    return (*(a[i] * x + b[i] * y + c[i] * z for i in range(3)),)
