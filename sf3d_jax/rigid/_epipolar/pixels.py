"""What the flow of one pair of images says about the motion of the camera."""

import dataclasses

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import align_ranks, channels, is_in_range, is_positive_finite, mask
from sf3d_jax.camera import Camera, _lens
from sf3d_jax.camera._fields import edit
from sf3d_jax.conversion._two_views import TwoViews, ray_change, two_views

# Entries of the covariance of (Fu, Fv, d, c) by (row, column).
Entries = dict[tuple[int, int], jax.Array]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Pixels:
    """Maps of one shape; harmless numbers where a pixel is not known.

    Attributes:
      x: x of the ray (x, y, 1) in the first camera.
      y: y of this ray.
      dx: change of x into the second camera, by the flow.
      dy: change of y.
      spread: covariance of (dx, dy), as its entries xx, xy, yy: that of the flow (by default the
        identity, in squared pixels) through the lens.
      known: bool, what counts.
    """

    x: jax.Array
    y: jax.Array
    dx: jax.Array
    dy: jax.Array
    spread: tuple[jax.Array, jax.Array, jax.Array]
    known: jax.Array


def collect_pixels(
    flow: jax.Array,
    camera: Camera,
    next_camera: Camera | None,
    covariance: Entries | None,
    valid: jax.Array | None,
    batch: tuple[int, ...],
) -> Pixels:
    """Collects the pixels of images with the given batch axes, and marks those that count."""
    next_camera = None if next_camera is None else _drop_pose(next_camera)
    views = two_views(_drop_pose(camera), next_camera, len(batch))
    rank = len(batch) + len(camera.size)
    fu, fv = align_ranks(*channels(flow), rank=rank)
    dx, dy, known = ray_change(fu, fv, views)
    if valid is not None:
        known = known & align_ranks(valid, rank=rank)[0]
    dx, dy = mask(known, (dx, dy))
    spread = _spread_of_rays(views.x + dx, views.y + dy, covariance, views, rank)
    whole = (*batch, *camera.size)
    maps = jax.tree.map(lambda a: jnp.broadcast_to(a, whole), (views.x, views.y, dx, dy, spread))
    xx, xy, yy = maps[-1]
    known = known & is_positive_finite(xx) & is_positive_finite(yy) & (xx * yy > xy * xy)
    harmless = 0.0, 0.0, 0.0, 0.0, (1.0, 0.0, 1.0)
    return Pixels(*mask(jnp.broadcast_to(known, whole), maps, harmless), known)


def _drop_pose(camera: Camera) -> Camera:
    """The camera at the origin of its own axes."""
    return edit(camera, world_to_camera=jnp.eye(3, 4, dtype=camera.world_to_camera.dtype))


def _spread_of_rays(
    x: jax.Array, y: jax.Array, covariance: Entries | None, views: TwoViews, rank: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """J^-1 C J^-T, with C the covariance of the flow and J the pixel's derivative by the ray."""
    after = views.after
    one, zero = jnp.ones_like(after.fx), jnp.zeros_like(after.fx)
    lens = _lens.Jacobian(one, zero, zero, one)
    if after.model != "pinhole":
        lens = _lens.jacobian(after.model, x, y, after.coefficients)
    size = lens.determinant
    size = jnp.where(size > 0, size, 1)
    # The rows of J^-1.
    a, b = lens.vy / (size * after.fx), -lens.uy / (size * after.fy)
    c, d = -lens.vx / (size * after.fx), lens.ux / (size * after.fy)
    if covariance is None:
        return a * a + b * b, a * c + b * d, c * c + d * d
    uu, vv = align_ranks(covariance[0, 0], covariance[1, 1], rank=rank)
    off = covariance.get((0, 1), jnp.zeros_like(uu)), covariance.get((1, 0), jnp.zeros_like(uu))
    uv = sum(align_ranks(*off, rank=rank)) / 2
    usable = is_in_range(uu) & is_in_range(vv) & is_in_range(uv)
    uu, uv, vv = mask(usable, (uu, uv, vv))
    return (
        a * a * uu + 2 * a * b * uv + b * b * vv,
        a * c * uu + (a * d + b * c) * uv + b * d * vv,
        c * c * uu + 2 * c * d * uv + d * d * vv,
    )
