"""Images of 3D Gaussians: colours, coverage and inverse depth, differentiable by everything."""

from functools import partial
from typing import NamedTuple

import jax

from sf3d_jax._numerics import jit
from sf3d_jax.camera import Camera
from sf3d_jax.gaussians._compositing import composite
from sf3d_jax.gaussians._images import build_table_and_tiles, nan_if_overflow, resolve_images
from sf3d_jax.gaussians._options import (
    check_backend,
    check_background,
    check_room,
    check_scene_camera,
    room_for,
)
from sf3d_jax.gaussians._rows import Layout
from sf3d_jax.gaussians._splats import make_splats
from sf3d_jax.gaussians._tiles import count_intersections
from sf3d_jax.gaussians.scene import Gaussians, check_gaussians


class Rendering(NamedTuple):
    """What a camera sees of Gaussians.

    Attributes:
      colors: (H, W, C).
      alpha: (H, W), how much of what is behind them the Gaussians hide, 0 to 1.
      inv_depth: (H, W), 1 / Z, per metre, of the mean of the points where the pixel's ray meets the
        Gaussians, those behind the camera counted as at it; 0 where there is none.
      overflow: (), integers: how many intersections found no place in `max_intersections`. If
        there is any, the rest is NaN and passes no gradient.
    """

    colors: jax.Array
    alpha: jax.Array
    inv_depth: jax.Array
    overflow: jax.Array


def render(
    gaussians: Gaussians,
    camera: Camera,
    *,
    background: jax.Array | None = None,
    max_intersections: int | None = None,
    antialias: bool = False,
    backend: str = "xla",
) -> Rendering:
    """Draws Gaussians, as gsplat does: what was trained there looks the same here.

    Front to back by the depth of the means, color = sum_k w_k color_k + (1 - alpha) background
    with w_k = alpha_k prod_{j < k} (1 - alpha_j) and alpha_k the opacity times the Gaussian of the
    projected covariance (EWA), widened by .3 pixels^2. Means nearer than .01 m are not drawn,
    alpha_k is .99 at most, below 1/255 it is 0, and what lies behind 99.99 % is left out. The
    inverse depth is alpha / sum_k w_k z_k, with z_k where the Gaussian is densest on the pixel's
    ray; so a flat Gaussian is a plane, not all at the depth of its mean, and one that is seen from
    its edge has the depths of its plane, far beyond it even.

    Args:
      gaussians: (N), in world axes. A Gaussian with a number that is not finite, a singular factor
        (a scale of 0), or behind the camera gives nothing, and gets zero gradient.
      camera: one pinhole. Batches of scenes or cameras are drawn by `jax.vmap`.
      background: (C), the colour where nothing is; None is 0.
      max_intersections: how many pairs of Gaussians and 8 x 8 tiles there is room for, static. None
        counts them first and rounds up, outside of jit; inside it must be given, and
        `intersections_needed` tells it. Room that is not used costs time.
      antialias: lets a Gaussian smaller than a pixel fade instead of growing: opacities times the
        root of the determinants' ratio before and after widening.
      backend: "xla", plain JAX for every device, or "pallas", one program of a GPU for each tile,
        which other devices interpret, slowly. Both give the same to rounding.

    Returns:
      The rendering, in the dtype of the colours. Check `overflow`, if max_intersections is yours.
      Derivatives are those of reverse mode (jax.grad, jax.vjp), of first order.

    Raises:
      TypeError: an argument is no array, no camera, or no Gaussians.
      ValueError: shapes do not fit, the camera has a lens, there is no such back end, or
        max_intersections is missing.
    """
    channels = check_gaussians("gaussians", gaussians)[1]
    check_scene_camera("camera", camera)
    check_background(background, channels)
    max_intersections = find_room(max_intersections, gaussians, camera, antialias=antialias)
    check_backend(backend)
    return _render(
        *(gaussians, camera, background),
        max_intersections=max_intersections,
        antialias=antialias,
        backend=backend,
    )


def intersections_needed(
    gaussians: Gaussians, camera: Camera, *, antialias: bool = False
) -> jax.Array:
    """How many pairs of Gaussians and tiles of 8 x 8 pixels `render` has to draw.

    Args:
      gaussians: (N), in world axes.
      camera: one pinhole.
      antialias: as for `render`; it only leaves out Gaussians.

    Returns:
      (), an integer; 2^31 - 1 if there are more.

    Raises:
      TypeError: an argument is no camera, or no Gaussians.
      ValueError: shapes do not fit, or the camera has a lens.
    """
    check_gaussians("gaussians", gaussians)
    check_scene_camera("camera", camera)
    return _count_intersections(gaussians, camera, antialias)


def find_room(
    max_intersections: int | None, gaussians: Gaussians, camera: Camera, *, antialias: bool
) -> int:
    """Room for the intersections of a scene: as given, or else by counting them.

    Args:
      max_intersections: what was passed.
      gaussians: (N).
      camera: one pinhole.
      antialias: as for `render`.

    Returns:
      A number of intersections.

    Raises:
      TypeError: max_intersections is no integer that is known when the program is compiled.
      ValueError: it is out of range, or None where the arrays are traced, so that nothing can be
        counted.
    """
    if max_intersections is not None:
        return check_room(max_intersections)
    try:
        count = int(_count_intersections(jax.lax.stop_gradient(gaussians), camera, antialias))
    except jax.errors.ConcretizationTypeError:
        raise ValueError(
            "max_intersections: expected a number where JAX traces (jit, vmap, scan, checkpoint); "
            "take int(intersections_needed(gaussians, camera)) of such a scene, and some more"
        ) from None
    return check_room(room_for(count))


@partial(jit, static=("antialias",))
def _count_intersections(gaussians: Gaussians, camera: Camera, antialias: bool) -> jax.Array:
    splats = make_splats(gaussians, camera, antialias=antialias)
    return count_intersections(splats.outlines, camera.size)


@partial(jit, static=("max_intersections", "antialias", "backend"))
def _render(
    gaussians: Gaussians,
    camera: Camera,
    background: jax.Array | None,
    *,
    max_intersections: int,
    antialias: bool,
    backend: str,
) -> Rendering:
    layout = Layout(gaussians.colors.shape[-1])
    splats = make_splats(gaussians, camera, antialias=antialias)
    table, tiles = build_table_and_tiles(splats, camera, max_intersections)
    sums = composite(table, tiles, layout, camera.size, backend)
    images = resolve_images(sums, background)
    images = nan_if_overflow(images, tiles.overflow, gaussians.colors.dtype)
    return Rendering(*images, tiles.overflow)
