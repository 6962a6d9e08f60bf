"""What the pixels of one pair of images say about the motion of the camera."""

import dataclasses

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import align_ranks, channels, is_in_range, is_positive_finite, mask
from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.camera import Camera, _lens
from sf3d_jax.camera._fields import edit
from sf3d_jax.conversion._two_views import TwoViews, ray_change

# Variances by (row, column) of the covariance of (Fu, Fv, d, c).
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
      lens: pixels of the second camera by the ray, at the changed ray.
      inv_depth: d of the first camera, per metre.
      change: c, per metre; None without.
      entries: covariance of (Fu, Fv, d, c) by (row, column); None without.
      known: bool, what counts.
    """

    x: jax.Array
    y: jax.Array
    dx: jax.Array
    dy: jax.Array
    lens: _lens.Jacobian
    inv_depth: jax.Array
    change: jax.Array | None
    entries: Entries | None
    known: jax.Array

    def take(self, index: jax.Array) -> "Pixels":
        """The pixels with the given places in the row-major order of the image."""
        return jax.tree.map(lambda x: x.reshape(-1)[index], self)


def drop_pose(camera: Camera) -> Camera:
    """The camera at the origin of its own axes."""
    pose = camera.world_to_camera
    return edit(camera, world_to_camera=jnp.eye(3, 4, dtype=pose.dtype))


def collect_pixels(
    flow: jax.Array,
    inv_depth: jax.Array,
    change: jax.Array | None,
    entries: Entries | None,
    valid: jax.Array | None,
    views: TwoViews,
    batch: tuple[int, ...],
) -> Pixels:
    """Collects the pixels of images with the given batch axes, and marks those that count."""
    rank = len(batch) + 2
    fu, fv, d = align_ranks(*channels(flow), inv_depth, rank=rank)
    ray = ray_change(fu, fv, views)
    known = ray.valid & is_positive_finite(d)
    if valid is not None:
        known = known & align_ranks(valid, rank=rank)[0]
    if change is not None:
        (change,) = align_ranks(change, rank=rank)
        known = known & is_positive_finite(d + change)
    if entries is not None:
        aligned = align_ranks(*entries.values(), rank=rank)
        entries = dict(zip(entries, aligned, strict=True))
        for (i, j), entry in entries.items():
            known = known & is_in_range(entry) & ((entry >= 0) if i == j else True)
    # Before the masks are applied, since a number and a map may both be masked.
    shape = jnp.broadcast_shapes(known.shape, (*batch, *fu.shape[-2:]))
    spread = lambda tree: jax.tree.map(lambda x: jnp.broadcast_to(x, shape), tree)
    known, maps = spread((known, (views.x, views.y, ray.x, ray.y, d, change, entries)))
    unit = None if entries is None else {k: float(k[0] == k[1]) for k in entries}
    still = None if change is None else 0.0
    x, y, dx, dy, d, change, entries = mask(known, maps, (0.0, 0.0, 0.0, 0.0, 1.0, still, unit))
    lens = spread(_differentiate_lens(x + dx, y + dy, views))
    return Pixels(x, y, dx, dy, lens, d, change, entries, known)


def _differentiate_lens(x: jax.Array, y: jax.Array, views: TwoViews) -> _lens.Jacobian:
    after = views.after
    if after.model == "pinhole":
        zero = jnp.zeros_like(after.fx)
        return _lens.Jacobian(after.fx, zero, zero, after.fy)
    ux, uy, vx, vy = _lens.jacobian(after.model, x, y, after.coefficients)
    return _lens.Jacobian(after.fx * ux, after.fx * uy, after.fy * vx, after.fy * vy)


def unit_rays(pixels: Pixels) -> tuple[Vector, Vector]:
    """The rays (x, y, 1) of the pixels in the first and in the second camera."""
    one = jnp.ones_like(pixels.x)
    return (pixels.x, pixels.y, one), (pixels.x + pixels.dx, pixels.y + pixels.dy, one)
