"""What the flow of one pair of images says about the motion of the camera."""

import dataclasses

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import is_in_range, is_positive_finite, mask
from sf3d_jax.camera import Camera
from sf3d_jax.conversion._two_views import two_views
from sf3d_jax.rigid._ego.pixels import Entries, Pixels, collect_pixels, drop_pose

# The number of components of the flow, the first entries of a covariance.
_COMPONENTS = 2


def collect_flow(
    flow: jax.Array,
    camera: Camera,
    next_camera: Camera | None,
    entries: Entries | None,
    valid: jax.Array | None,
    batch: tuple[int, ...],
) -> Pixels:
    """Collects the pixels of images with the given batch axes, and marks those that count.

    A pixel whose flow has a singular covariance does not count: its weight would be infinite. That
    is decided in pixels, since the covariance of a ray is small if the focal length is large.
    """
    next_camera = None if next_camera is None else drop_pose(next_camera)
    views = two_views(drop_pose(camera), next_camera, len(batch))
    if entries is not None:
        entries = {key: x for key, x in entries.items() if max(key) < _COMPONENTS}
    no_depth = jnp.ones((), flow.dtype)
    pixels = collect_pixels(flow, no_depth, None, entries, valid, views, batch)
    xx, xy, yy = spread_of_rays(pixels)
    # The product of the eigenvalues, relative to that of the diagonal.
    share = 1 - xy / jnp.where(xx > 0, xx, 1) * (xy / jnp.where(yy > 0, yy, 1))
    tiny = 4 * float(jnp.finfo(xx.dtype).eps)
    known = pixels.known & is_in_range(xx) & is_in_range(yy) & (xx > 0) & (yy > 0) & (share > tiny)
    if pixels.entries is not None:
        known = known & is_positive_finite(pixels.entries[0, 0])
        known = known & is_positive_finite(pixels.entries[1, 1])
    return dataclasses.replace(pixels, known=known)


def spread_of_rays(pixels: Pixels) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The covariance of the second rays, J^-1 C J^-T, as its entries xx, xy, yy.

    C is the covariance of the flow, by default the identity in squared pixels, and J the derivative
    of the second pixel by its ray.
    """
    lens = pixels.lens
    size = jnp.where(pixels.known, lens.determinant, 1)
    # The rows of J^-1.
    (a, b), (c, d) = (lens.vy / size, -lens.uy / size), (-lens.vx / size, lens.ux / size)
    if pixels.entries is None:
        spread = a * a + b * b, a * c + b * d, c * c + d * d
    else:
        uu, vv = pixels.entries[0, 0], pixels.entries[1, 1]
        none = jnp.zeros_like(uu)
        uv = (pixels.entries.get((0, 1), none) + pixels.entries.get((1, 0), none)) / 2
        spread = (
            a * a * uu + 2 * a * b * uv + b * b * vv,
            a * c * uu + (a * d + b * c) * uv + b * d * vv,
            c * c * uu + 2 * c * d * uv + d * d * vv,
        )
    return mask(pixels.known, spread, (1.0, 0.0, 1.0))
