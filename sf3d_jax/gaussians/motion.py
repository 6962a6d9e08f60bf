"""Images of moving 3D Gaussians with exact annotations of their motion.

Let X_k be the point of a Gaussian that the pixel's ray sees, and X'_k that point after it has moved
with the Gaussian. They are combined into two points,

    X = sum_k w_k X_k / alpha,   X' = sum_k w_k X'_k / alpha      (the mean), or
    X = X_m, X' = X'_m of the Gaussian at which half of the light is gone   (the median),

and all annotations derive from these two: X lies on the ray, inv_depth is 1 / X_z, scene_flow is
X' - X, and flow and inv_depth_change follow by `image_motion`. So they agree with one another to
rounding. X' - X is summed directly, not as a difference.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_choice
from sf3d_jax._numerics import channels_last, is_positive_finite, jit, mask, narrow
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.conversion.scene_flow import image_motion
from sf3d_jax.gaussians._blending import HALF
from sf3d_jax.gaussians._compositing import composite
from sf3d_jax.gaussians._images import (
    build_table_and_tiles,
    invert_depth,
    nan_if_overflow,
    resolve_images,
)
from sf3d_jax.gaussians._options import (
    check_backend,
    check_background,
    check_scene_camera,
)
from sf3d_jax.gaussians._rows import Images, Layout
from sf3d_jax.gaussians._splats import make_splats
from sf3d_jax.gaussians.rendering import find_room
from sf3d_jax.gaussians.scene import Gaussians, check_gaussians

METHODS = ("mean", "median")

# A pixel sees several surfaces if the deviation of its depths exceeds SPREAD times their mean, and
# shines through if a share of light above LEAK passes.
SPREAD = 0.01
LEAK = 0.1


class Annotation(NamedTuple):
    """What a camera sees of moving Gaussians, and how each pixel's surface point moves.

    Attributes:
      colors: (H, W, C).
      alpha: (H, W), coverage: the share of the background that the Gaussians hide, 0 to 1.
      inv_depth: (H, W), 1 / Z, per metre.
      flow: (H, W, 2), pixels, to the next image.
      inv_depth_change: (H, W), 1/z1 - 1/z0 of the same point, per metre.
      scene_flow: (H, W, 3), metres, in the axes of the first camera.
      valid: (H, W), bool, where alpha is at least 1/2 and both points are in front of their
        cameras. Elsewhere the annotations are 0.
      edge: (H, W), bool, valid pixels that see several surfaces or shine through, and their
        neighbours: the depths blended there have a deviation above 1 % of their mean, or alpha is
        below .9. Annotations are exact for single surfaces; at edges they mix surfaces, or belong
        to Gaussians that reach beyond their surface's rim.
      overflow: (), integer, number of intersections that exceeded `max_intersections`. If
        positive, colours and alpha are NaN and no pixel is valid.
    """

    colors: jax.Array
    alpha: jax.Array
    inv_depth: jax.Array
    flow: jax.Array
    inv_depth_change: jax.Array
    scene_flow: jax.Array
    valid: jax.Array
    edge: jax.Array
    overflow: jax.Array


def render_motion(
    gaussians: Gaussians,
    next_gaussians: Gaussians,
    camera: Camera,
    next_camera: Camera | None = None,
    *,
    method: str = "mean",
    background: jax.Array | None = None,
    max_intersections: int | None = None,
    antialias: bool = False,
    backend: str = "xla",
) -> Annotation:
    """Draws Gaussians like `render`, and annotates their motion to the next image.

    Flow, inverse-depth change and scene flow are those of X to X', blended over the Gaussians of a
    pixel: X = sum_k w_k X_k / alpha, X' = sum_k w_k X'_k / alpha. For the backward motion, swap the
    two times and cameras. For occlusion, use `occlusion_from_depth(flow, inv_depth,
    inv_depth_change, next_inv_depth)` with the inverse depth that `render` gives at the next time.

    Args:
      gaussians: (N), at the first time, in world axes.
      next_gaussians: (N), the same Gaussians at the second time; only means and factors are read.
      camera: first camera, one pinhole.
      next_camera: camera of the second image; the first camera if None.
      method: "mean" blends all Gaussians of a pixel, which is exact for surfaces; "median" uses the
        Gaussian at which half of the light is gone, which is better where light passes between the
        Gaussians of a surface and the mean would mix in the background.
      background: (C), colour of the background; 0 if None.
      max_intersections: static number of pairs of Gaussians and 8 x 8 tiles to make room for. None
        counts them, outside `jit` only; inside, pass `intersections_needed` and some more.
      antialias: fade Gaussians smaller than a pixel instead of enlarging them.
      backend: "xla" for every device, or "pallas", kernels for GPUs.

    Returns:
      Annotation in the dtype of the colours. Gaussians that are non-finite at either time, or have
      a singular factor or are behind the camera at the first time, are not drawn and get zero
      gradient. If you pass max_intersections, check `overflow`.

    Raises:
      TypeError: an argument is not Gaussians, a Camera or an array.
      ValueError: the first camera has a lens, method or backend is unknown, or max_intersections is
        missing.
    """
    count, channels = check_gaussians("gaussians", gaussians)
    next_count, _ = check_gaussians("next_gaussians", next_gaussians)
    if count != next_count:
        raise ValueError(
            f"next_gaussians: expected {count}, as at the first time, got {next_count}"
        )
    check_scene_camera("camera", camera)
    if next_camera is not None and check_camera("next_camera", next_camera):
        raise ValueError("next_camera: expected one camera, got a batch; use jax.vmap")
    check_choice("method", method, METHODS)
    check_background(background, channels)
    max_intersections = find_room(max_intersections, gaussians, camera, antialias=antialias)
    check_backend(backend)
    return _render_motion(
        *(gaussians, next_gaussians, camera, next_camera, background),
        method=method,
        max_intersections=max_intersections,
        antialias=antialias,
        backend=backend,
    )


@partial(jit, static=("method", "max_intersections", "antialias", "backend"))
def _render_motion(
    gaussians: Gaussians,
    next_gaussians: Gaussians,
    camera: Camera,
    next_camera: Camera | None,
    background: jax.Array | None,
    *,
    method: str,
    max_intersections: int,
    antialias: bool,
    backend: str,
) -> Annotation:
    dtype = gaussians.colors.dtype
    layout = Layout(gaussians.colors.shape[-1], method)
    later = next_gaussians.means, next_gaussians.factors
    splats = make_splats(gaussians, camera, later=later, antialias=antialias)
    table, tiles = build_table_and_tiles(splats, camera, max_intersections)
    sums = composite(table, tiles, layout, camera.size, backend)
    colors, alpha, inv_depth = resolve_images(sums, background)
    weight = alpha
    if sums.motion_depth is not None:
        weight = jnp.ones_like(alpha)
        inv_depth = invert_depth(weight, sums.motion_depth)
    valid = (alpha >= HALF) & is_positive_finite(inv_depth) & (tiles.overflow == 0)
    assert sums.motion is not None
    weight, motion = mask(valid, (weight, sums.motion), (1, (0, 0, 0)))
    vectors = channels_last(*(x / weight for x in motion))
    inv_depth = mask(valid, inv_depth)
    shown = image_motion(vectors, inv_depth, camera, next_camera)
    annotations = inv_depth, shown.flow, shown.inv_depth_change, vectors
    annotations, valid = narrow(valid & shown.valid, annotations, dtype)
    inv_depth, flow, change, vectors = mask(valid, annotations)
    colors, alpha = nan_if_overflow((colors, alpha), tiles.overflow, dtype)
    edge = _find_edges(sums) & valid
    return Annotation(colors, alpha, inv_depth, flow, change, vectors, valid, edge, tiles.overflow)


def _find_edges(sums: Images) -> jax.Array:
    """Pixels that see several surfaces or shine through, and all their neighbours."""
    assert sums.square is not None
    variance = sums.square * sums.alpha - sums.depth * sums.depth
    mixed = (variance > (SPREAD * sums.depth) ** 2) | (sums.alpha < 1 - LEAK)
    return jax.lax.reduce_window(mixed, False, jax.lax.bitwise_or, (3, 3), (1, 1), "SAME")
