"""Images of 3D Gaussians: colours, coverage and inverse depth, differentiable by all inputs."""

from functools import partial
from typing import NamedTuple

import jax

from sf3d_jax._numerics import jit
from sf3d_jax.camera import Camera
from sf3d_jax.gaussians._compositing import composite
from sf3d_jax.gaussians._images import build_table_and_tiles, nan_if_overflow, resolve_images
from sf3d_jax.gaussians._lists import count_intersections
from sf3d_jax.gaussians._options import (
    check_backend,
    check_background,
    check_room,
    check_scene_camera,
    room_for,
)
from sf3d_jax.gaussians._rows import Layout
from sf3d_jax.gaussians._splats import make_splats
from sf3d_jax.gaussians.scene import Gaussians, check_gaussians


class Rendering(NamedTuple):
    """What a camera sees of Gaussians.

    Attributes:
      colors: (H, W, C).
      alpha: (H, W), coverage: the share of the background that the Gaussians hide, 0 to 1.
      inv_depth: (H, W), 1 / Z, per metre, with Z the mean depth at which the pixel's ray meets the
        Gaussians, counted as 0 for those behind the camera; 0 where nothing is drawn.
      overflow: (), integer, number of intersections that exceeded `max_intersections`. If positive,
        the rest is NaN and passes no gradient.
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
    backend: str = "auto",
) -> Rendering:
    """Draws Gaussians as gsplat does, so scenes trained there look the same here.

    Front to back by the depth of the means,

        color = sum_k w_k color_k + (1 - alpha) background,
        w_k = alpha_k prod_{j < k} (1 - alpha_j),
        inv_depth = alpha / sum_k w_k z_k,

    with alpha_k the opacity times the Gaussian of the projected covariance (EWA) widened by .3
    pixels^2, at most .99 and 0 below 1/255. Means nearer than .01 m are not drawn, nor what lies
    behind 99.99 % coverage. z_k is the depth at which the Gaussian is densest on the pixel's ray. A
    flat Gaussian therefore renders as a plane rather than at the depth of its mean; seen edge-on,
    its depth can extend far beyond the visible splat.

    To export a program for a GPU from a machine without it, name the GPU by
    `jax.sharding.use_abstract_mesh`; an H100 is assumed otherwise. On GPUs other than an H100, an
    H200 or a B200, and with versions of jax before 0.12, `jax.export` refuses the kernels unless
    its check of custom calls is disabled; or export with backend="xla".

    Args:
      gaussians: (N), in world axes. Gaussians that are non-finite, have a singular factor (a scale
        of 0) or are behind the camera are not drawn and get zero gradient.
      camera: one pinhole. Use `jax.vmap` for batches of scenes or cameras; for poses (n, 3, 4), map
        `lambda pose: render(gaussians, dataclasses.replace(camera, world_to_camera=pose), ...)`.
      background: (C), colour of the background; 0 if None.
      max_intersections: static number of pairs of Gaussians and 8 x 8 tiles to make room for. None
        counts them and rounds up, outside `jit` only; inside, get it from `intersections_needed`.
        Unused room costs time.
      antialias: fade Gaussians smaller than a pixel instead of enlarging them: opacities are
        multiplied by the root of the determinants' ratio before and after widening.
      backend: "auto", a kernel on NVIDIA's GPUs of compute capability 8.0 or newer, plain JAX on
        other devices. XLA decides when it lowers the program, for the device that it lowers to; of
        several GPUs in a process, the oldest decides. "xla" is plain JAX on every device. "pallas"
        is the kernel, an error on GPUs without one, and interpreted, slowly, on CPUs. All agree to
        rounding. XLA cannot split a kernel, so use `jax.shard_map` to draw on several GPUs.

    Returns:
      Rendering in the dtype of the colours. If you pass max_intersections, check `overflow`.
      Differentiable once, in reverse mode (jax.grad, jax.vjp).

    Raises:
      TypeError: an argument is not Gaussians, a Camera or an array.
      ValueError: the camera has a lens, backend is unknown, or "pallas" on a GPU without kernels,
        or max_intersections is missing.
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
    """The number of pairs of Gaussians and 8 x 8 tiles that `render` has to draw.

    Args:
      gaussians: (N), in world axes.
      camera: one pinhole.
      antialias: the option of `render`; it only leaves out Gaussians.

    Returns:
      (), an integer; 2^31 - 1 if there are more.

    Raises:
      TypeError: an argument is not Gaussians or a Camera.
      ValueError: the camera has a lens.
    """
    check_gaussians("gaussians", gaussians)
    check_scene_camera("camera", camera)
    return _count_intersections(gaussians, camera, antialias)


def find_room(
    max_intersections: int | None, gaussians: Gaussians, camera: Camera, *, antialias: bool
) -> int:
    """Room for a scene's intersections: as given, or else by counting them.

    Args:
      max_intersections: given number, or None.
      gaussians: (N).
      camera: one pinhole.
      antialias: the option of `render`.

    Returns:
      The number of intersections to make room for.

    Raises:
      TypeError: max_intersections is not an integer, or is traced.
      ValueError: it is out of range, or None where the arrays are traced and cannot be counted.
    """
    if max_intersections is not None:
        return check_room(max_intersections)
    try:
        count = int(_count_intersections(jax.lax.stop_gradient(gaussians), camera, antialias))
    except jax.errors.ConcretizationTypeError:
        raise ValueError(
            "max_intersections: expected a number where JAX traces (jit, vmap, scan, checkpoint); "
            "pass int(intersections_needed(gaussians, camera)) of such a scene, plus some more"
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
