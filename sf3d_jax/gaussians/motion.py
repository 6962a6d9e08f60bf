"""Images of moving 3D Gaussians with exact annotations of their motion.

Let X_k be the point of a Gaussian that the pixel's ray sees, and X'_k that point after it has moved
with the Gaussian. They are combined into two points,

    X = sum_k w_k X_k / alpha,   X' = sum_k w_k X'_k / alpha      (the mean), or
    X = X_m, X' = X'_m of the Gaussian at which half of the light is gone   (the median),

and all annotations derive from these two: X lies on the ray, inv_depth is 1 / X_z, scene_flow is
X' - X, and flow and inv_depth_change follow by `image_motion`. So they agree with one another to
rounding. X' - X is summed directly, not as a difference.
"""

from __future__ import annotations

import functools
import operator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, check_choice
from sf3d_jax._numerics import Array, channels_last, is_positive_finite, jit, mask, narrow
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.conversion.scene_flow import image_motion
from sf3d_jax.gaussians._blending import HALF
from sf3d_jax.gaussians._compositing import composite
from sf3d_jax.gaussians._images import (
    build_table_and_tiles,
    invert_depth,
    nan_if_overflow,
    resolve_images,
    stack_channels,
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


class Motion(NamedTuple):
    """How each pixel's surface point moves to another time.

    Attributes:
      flow: (H, W, 2), pixels, to the other image.
      inv_depth_change: (H, W), 1/z1 - 1/z0 of the same point, with z1 at the other time, per metre.
      scene_flow: (H, W, 3), metres, in the axes of the first camera.
      valid: (H, W), bool, where alpha is at least 1/2 and both points are in front of their
        cameras. Elsewhere the rest is 0.
    """

    flow: jax.Array
    inv_depth_change: jax.Array
    scene_flow: jax.Array
    valid: jax.Array


class Annotation(NamedTuple):
    """What a camera sees of moving Gaussians, and how each pixel's surface point moves.

    Attributes:
      colors: (H, W, C).
      alpha: (H, W), coverage: the share of the background that the Gaussians hide, 0 to 1.
      inv_depth: (H, W), 1 / Z, per metre; 0 where no motion is valid.
      flow: (H, W, 2), pixels, to the next image.
      inv_depth_change: (H, W), 1/z1 - 1/z0 of the same point, per metre.
      scene_flow: (H, W, 3), metres, in the axes of the first camera.
      valid: (H, W), bool, where alpha is at least 1/2 and both points are in front of their
        cameras. Elsewhere flow, inv_depth_change and scene_flow are 0.
      edge: (H, W), bool, valid pixels that see several surfaces or shine through, and their
        neighbours: the depths blended there have a deviation above 1 % of their mean, or alpha is
        below .9. Annotations are exact for single surfaces; at edges they mix surfaces, or belong
        to Gaussians that reach beyond their surface's rim.
      overflow: (), integer, number of intersections that exceeded `max_intersections`. If
        positive, colours, alpha and features are NaN and no pixel is valid.
      features: (H, W, K), sum_k w_k feature_k, so the mean over a pixel's Gaussians is
        features / alpha; None if no features were given.
      backward: motion to the previous image; None if no previous Gaussians were given.
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
    features: jax.Array | None
    backward: Motion | None


def render_motion(
    gaussians: Gaussians,
    next_gaussians: Gaussians,
    camera: Camera,
    next_camera: Camera | None = None,
    *,
    previous_gaussians: Gaussians | None = None,
    previous_camera: Camera | None = None,
    features: Array | None = None,
    method: str = "mean",
    background: Array | None = None,
    max_intersections: int | None = None,
    antialias: bool = False,
    backend: str = "auto",
) -> Annotation:
    """Draws Gaussians like `render`, and annotates their motion to the next image.

    Flow, inverse-depth change and scene flow are those of X to X', blended over the Gaussians of a
    pixel: X = sum_k w_k X_k / alpha, X' = sum_k w_k X'_k / alpha. With previous_gaussians, the same
    pass gives the backward motion too, that of a call with the previous Gaussians and camera as
    the next ones. For occlusion, use `occlusion_from_depth(flow, inv_depth, inv_depth_change,
    next_inv_depth)` with the inverse depth that `render` gives at the next time.

    Args:
      gaussians: (N), at the first time, in world axes.
      next_gaussians: (N), the same Gaussians at the second time; only means and factors are read.
      camera: first camera, one pinhole.
      next_camera: camera of the second image; the first camera if None.
      previous_gaussians: (N), the same Gaussians at the time before the first, for the backward
        motion; only means and factors are read.
      previous_camera: camera of the previous image; the first camera if None.
      features: (N, K), any further numbers of the Gaussians, such as bits of a segmentation. They
        are blended like colours over a background of 0.
      method: "mean" blends all Gaussians of a pixel, which is exact for surfaces; "median" uses the
        Gaussian at which half of the light is gone, which is better where light passes between the
        Gaussians of a surface and the mean would mix in the background.
      background: (C), colour of the background; 0 if None.
      max_intersections: static number of pairs of Gaussians and 8 x 8 tiles to make room for. None
        counts them, outside `jit` only; inside, pass `intersections_needed` and some more.
      antialias: fade Gaussians smaller than a pixel instead of enlarging them.
      backend: "auto", a kernel on NVIDIA's GPUs of compute capability 8.0 or newer, plain JAX
        elsewhere; "xla", plain JAX on every device; or "pallas", the kernel. See `render`.

    Returns:
      Annotation in the dtype of the colours, features in their own. Gaussians that are non-finite
      at any time or in a feature, or have a singular factor or are behind the camera at the first
      time, are not drawn and get zero gradient. If you pass max_intersections, check `overflow`.

    Raises:
      TypeError: an argument is not Gaussians, a Camera or an array.
      ValueError: a shape does not fit, the first camera has a lens, method or backend is unknown,
        max_intersections is missing, or previous_camera is given without previous_gaussians.
    """
    count, channels = check_gaussians("gaussians", gaussians)
    check_scene_camera("camera", camera)
    _check_state("next", next_gaussians, next_camera, count)
    if previous_gaussians is not None:
        _check_state("previous", previous_gaussians, previous_camera, count)
    elif previous_camera is not None:
        raise ValueError("previous_camera: expected previous_gaussians with it, got None")
    _check_features(features, count)
    check_choice("method", method, METHODS)
    check_background(background, channels)
    max_intersections = find_room(max_intersections, gaussians, camera, antialias=antialias)
    check_backend(backend)
    return _render_motion(
        (gaussians, next_gaussians, previous_gaussians),
        (camera, next_camera, previous_camera),
        *(features, background),
        method=method,
        max_intersections=max_intersections,
        antialias=antialias,
        backend=backend,
    )


def _check_state(time: str, gaussians: Gaussians, camera: Camera | None, count: int) -> None:
    """Checks the arguments `<time>_gaussians` and `<time>_camera`."""
    other_count, _ = check_gaussians(f"{time}_gaussians", gaussians)
    if other_count != count:
        raise ValueError(
            f"{time}_gaussians: expected {count}, as at the first time, got {other_count}"
        )
    if camera is not None and check_camera(f"{time}_camera", camera):
        raise ValueError(f"{time}_camera: expected one camera, got a batch; use jax.vmap")


def _check_features(features: Array | None, count: int) -> None:
    if features is None:
        return
    check_array("features", features)
    if features.ndim != 2 or features.shape[0] != count or not features.shape[1]:
        raise ValueError(
            f"features: expected shape ({count}, K), a row per Gaussian, got {features.shape}"
        )


@partial(jit, static=("method", "max_intersections", "antialias", "backend"))
def _render_motion(
    states: tuple[Gaussians, Gaussians, Gaussians | None],
    cameras: tuple[Camera, Camera | None, Camera | None],
    features: Array | None,
    background: Array | None,
    *,
    method: str,
    max_intersections: int,
    antialias: bool,
    backend: str,
) -> Annotation:
    """Draws the first of the states, and its motions to the others."""
    gaussians, camera = states[0], cameras[0]
    others = [(g.means, g.factors) for g in states[1:] if g is not None]
    splats = make_splats(gaussians, camera, others=others, features=features, antialias=antialias)
    table, tiles = build_table_and_tiles(splats, camera, max_intersections)
    channels, dtype = gaussians.colors.shape[-1], gaussians.colors.dtype
    width = 0 if features is None else features.shape[-1]
    layout = Layout(channels + width, method, len(others))
    sums = composite(table, tiles, layout, camera.size, backend)
    if features is not None:
        extra = stack_channels(sums.colors[channels:])
        features = nan_if_overflow(extra, tiles.overflow, features.dtype)
    sums = sums._replace(colors=sums.colors[:channels])
    colors, alpha, inv_depth = resolve_images(sums, background)
    colors, alpha = nan_if_overflow((colors, alpha), tiles.overflow, dtype)
    inv_depth, vectors, seen = _find_points(sums, inv_depth, tiles.overflow)
    # Without previous Gaussians, the last camera is left over.
    forward, *backward = [
        _find_motion(x, inv_depth, seen, camera, other, dtype)
        for x, other in zip(vectors, cameras[1:], strict=False)
    ]
    seen = functools.reduce(operator.or_, [x.valid for x in (forward, *backward)])
    return Annotation(
        *(colors, alpha, mask(seen, inv_depth).astype(dtype), *forward),
        edge=_find_edges(sums) & seen,
        overflow=tiles.overflow,
        features=features,
        backward=backward[0] if backward else None,
    )


def _find_points(
    sums: Images, inv_depth: jax.Array, overflow: jax.Array
) -> tuple[jax.Array, list[jax.Array], jax.Array]:
    """1 / X_z, X' - X for each motion, and where a surface is seen."""
    assert sums.motion is not None
    weight = sums.alpha
    if sums.motion_depth is not None:
        weight = jnp.ones_like(weight)
        inv_depth = invert_depth(weight, sums.motion_depth)
    seen = (sums.alpha >= HALF) & is_positive_finite(inv_depth) & (overflow == 0)
    inv_depth, weight, *motion = mask(
        seen, [inv_depth, weight, *sums.motion], [0, 1, *(0 for _ in sums.motion)]
    )
    along = [x / weight for x in motion]
    vectors = [channels_last(*along[i : i + 3]) for i in range(0, len(along), 3)]
    return inv_depth, vectors, seen


def _find_motion(
    vectors: jax.Array,
    inv_depth: jax.Array,
    seen: jax.Array,
    camera: Camera,
    other: Camera | None,
    dtype: jnp.dtype,
) -> Motion:
    """The motion to another time, given X' - X and 1 / X_z."""
    shown = image_motion(vectors, inv_depth, camera, other)
    annotations = shown.flow, shown.inv_depth_change, vectors, inv_depth
    annotations, valid = narrow(seen & shown.valid, annotations, dtype)
    flow, change, vectors, _ = mask(valid, annotations)
    return Motion(flow, change, vectors, valid)


def _find_edges(sums: Images) -> jax.Array:
    """Pixels that see several surfaces or shine through, and all their neighbours."""
    assert sums.square is not None
    variance = sums.square * sums.alpha - sums.depth * sums.depth
    mixed = (variance > (SPREAD * sums.depth) ** 2) | (sums.alpha < 1 - LEAK)
    return jax.lax.reduce_window(mixed, False, jax.lax.bitwise_or, (3, 3), (1, 1), "SAME")
