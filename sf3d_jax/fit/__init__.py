"""Optical flow and scene flow of two images without a network.

A coarse match of all displacements starts, and reweighted Gauss-Newton steps on brightness and
gradient constancy with edge-aware, robust smoothness end, level by level, for both directions at
once; `_matching` and `_level` hold the formulas. Nothing is learned and nothing is tuned to a
scene: brightness counts in units of the images' own contrast, and depth relative to itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from sf3d_jax._checks import check_array, check_batch, check_image
from sf3d_jax._numerics import is_in_range, is_positive_finite, jit, mask, widen
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.conversion.scene_flow import SceneFlow
from sf3d_jax.conversion.scene_flow import scene_flow as lift
from sf3d_jax.fit._pyramid import fit_pair
from sf3d_jax.fit._refine import Loss, check_refinement
from sf3d_jax.fit._refine import Refined as Refined
from sf3d_jax.fit._refine import refine as descend
from sf3d_jax.fit._refine import refine as refine
from sf3d_jax.warping.sampling import backward_warp
from sf3d_jax.warping.visibility import Occlusion, occlusion_from_consistency

__all__ = ["FittedFlow", "FittedSceneFlow", "Refined", "flow", "refine", "scene_flow"]


def __dir__() -> list[str]:
    return __all__


class FittedFlow(NamedTuple):
    """The optical flow between two images, both ways.

    Attributes:
      flow: (*b, H, W, 2), from the first image to the next, in pixels, everywhere finite.
      backward_flow: (*b, H, W, 2), from the next image to the first.
      occlusion: what the next image hides of the first, by forward-backward consistency.
      backward_occlusion: what the first image hides of the next.
      valid: (*b, H, W), bool, where the flow was seen: the pixel is known, its point neither
        leaves the next image nor is hidden there. Elsewhere the flow is that of the surroundings.
    """

    flow: jax.Array
    backward_flow: jax.Array
    occlusion: Occlusion
    backward_occlusion: Occlusion
    valid: jax.Array


class FittedSceneFlow(NamedTuple):
    """The motion between two images with depth.

    Attributes:
      flow: (*b, H, W, 2), from the first image to the next, in pixels.
      inv_depth_change: (*b, H, W), c = 1/z1 - 1/z0 of the same surface point, per metre; 0 where
        the first image has no surface.
      scene_flow: SceneFlow, in the axes of the first camera; invalid where no surface is.
      backward_flow: (*b, H, W, 2), from the next image to the first.
      occlusion: what the next image hides of the first, by forward-backward consistency.
      valid: (*b, H, W), bool, where the motion was seen: the flow as in FittedFlow, and surfaces
        in both images. Elsewhere it is that of the surroundings.
    """

    flow: jax.Array
    inv_depth_change: jax.Array
    scene_flow: SceneFlow
    backward_flow: jax.Array
    occlusion: Occlusion
    valid: jax.Array


def flow(
    image: jax.Array,
    next_image: jax.Array,
    *,
    smoothness: float = 1.0,
    reach: float = 0.3,
    refine: Callable[[jax.Array], Loss] | None = None,
    optimizer: optax.GradientTransformation | None = None,
    steps: int = 100,
) -> FittedFlow:
    """Optical flow of two images, by the method of this module.

    Args:
      image: (*b, H, W, C), the first image: any number of channels, which count alike, in any
        units of brightness. What is not finite is unknown.
      next_image: (*b, H, W, C), the next image, in the same units.
      smoothness: times the usual one, not negative; less for fine detail.
      reach: the longest motion looked for, as a share of height and width, 0 to 1. A smaller one
        is matched at a higher resolution; what is smaller than a few pixels there, and moves
        farther than its own size, is not found.
      refine: a loss of the flow, (*b, H, W, 2), that `fit.refine` lowers at the end; None ends
        without. Each new function is compiled: for many pairs call `fit.refine` itself, whose
        loss takes the images as arguments.
      optimizer: of the refinement; Adam with a step of 0.02 px if None.
      steps: of the refinement.

    Returns:
      FittedFlow, in the dtype of the images. It passes no gradient to them.

    Raises:
      TypeError: an image is no floating array.
      ValueError: shapes do not fit, or smoothness, reach or steps is out of range.
    """
    check_image("image", image)
    check_image("next_image", next_image)
    _check_sizes(image=image.shape[-3:], next_image=next_image.shape[-3:])
    check_batch(image=image.shape[:-3], next_image=next_image.shape[:-3])
    strength = _check_options(smoothness, reach, refine, optimizer, steps)
    motion, known = _fit_both_ways(image, next_image, None, None, strength, reach=float(reach))
    forward, backward = motion
    if refine is not None:
        forward = descend(refine, forward, optimizer=optimizer, steps=steps).values
    return _judge_flow(forward, backward, known, image)


def scene_flow(
    image: jax.Array,
    next_image: jax.Array,
    inv_depth: jax.Array,
    next_inv_depth: jax.Array,
    camera: Camera,
    next_camera: Camera | None = None,
    *,
    smoothness: float = 1.0,
    reach: float = 0.3,
    refine: Callable[[tuple[jax.Array, jax.Array]], Loss] | None = None,
    optimizer: optax.GradientTransformation | None = None,
    steps: int = 100,
) -> FittedSceneFlow:
    """Flow and inverse-depth change jointly, from two images with depth, and the scene flow.

    Depth joins as one more thing that stays: d0 + c is the next inverse depth where the point
    goes. Steps of depth are edges of motion. Only ratios of depths count, so any unit will do.

    Args:
      image: (*b, H, W, C), the first image; see `flow`.
      next_image: (*b, H, W, C), the next image.
      inv_depth: (*b, H, W), of the first image, per metre; no surface where not positive or not
        finite.
      next_inv_depth: (*b, H, W), of the next image, on its own grid.
      camera: of the first image.
      next_camera: of the next image, as in `sf3d_jax.scene_flow`; None means a fixed camera.
      smoothness: times the usual one, not negative.
      reach: the longest motion looked for, as a share of height and width, 0 to 1.
      refine: a loss of the pair (flow, inverse-depth change) that `fit.refine` lowers at the end;
        None ends without. Both are stepped alike, so an optimizer of one's own suits it best.
      optimizer: of the refinement; Adam with a step of 0.02 if None.
      steps: of the refinement.

    Returns:
      FittedSceneFlow, in the dtype of the images. It passes no gradient.

    Raises:
      TypeError: an argument is no floating array, or no camera.
      ValueError: shapes do not fit, or smoothness, reach or steps is out of range.
    """
    _check_scene(image, next_image, inv_depth, next_inv_depth, camera, next_camera)
    strength = _check_options(smoothness, reach, refine, optimizer, steps)
    depths = lax.stop_gradient((inv_depth, next_inv_depth))
    motion, known = _fit_both_ways(image, next_image, *depths, strength, reach=float(reach))
    forward, backward, change = _read_motion(motion, depths[0])
    if refine is not None:
        start = forward, change
        forward, change = descend(refine, start, optimizer=optimizer, steps=steps).values
    plain = _judge_flow(forward, backward, known, image)
    return _lift(plain, change, *depths, camera, next_camera)


@partial(jit, static=("reach",))
def _fit_both_ways(
    image: jax.Array,
    next_image: jax.Array,
    inv_depth: jax.Array | None,
    next_inv_depth: jax.Array | None,
    smoothness: jax.Array,
    *,
    reach: float,
) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    """Both motions, (*b, H, W, K), and which pixels of both images are known, (*b, 2, H, W)."""
    given: Sequence[jax.Array] = [
        x for x in (image, next_image, inv_depth, next_inv_depth) if x is not None
    ]
    given = lax.stop_gradient(widen(*given))
    sane = (smoothness >= 0) & is_in_range(smoothness)
    smoothness = lax.stop_gradient(jnp.where(sane, smoothness, 1).astype(given[0].dtype))
    axes = [3, 3, 2, 2]
    batch = np.broadcast_shapes(*(x.shape[: x.ndim - n] for x, n in zip(given, axes, strict=False)))
    pairs = []
    for x, n in zip(given, axes, strict=False):
        own = x.shape[x.ndim - n :]
        pairs.append(jnp.broadcast_to(x, (*batch, *own)).reshape(math.prod(batch), *own))
    images = jnp.stack(pairs[:2], axis=1)
    depths = jnp.stack(pairs[2:], axis=1) if len(pairs) > 2 else None

    size = images.shape[2:4]
    count = 2 if depths is None else 3
    if 0 in images.shape:
        motion = jnp.zeros((images.shape[0], 2, count, *size), images.dtype)
    else:
        of_pair = lambda pair: fit_pair(pair[0], pair[1], smoothness, reach)
        motion = lax.map(of_pair, (images, depths))
    motion = jnp.moveaxis(motion, 2, -1).reshape(*batch, 2, *size, count)
    motion = lax.stop_gradient(motion)
    known = is_in_range(images).all(-1).reshape(*batch, 2, *size) & sane
    return (motion[..., 0, :, :, :], motion[..., 1, :, :, :]), known


@jit
def _read_motion(
    motion: tuple[jax.Array, jax.Array], inv_depth: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Both flows, and the inverse-depth change, per metre; 0 where no surface is."""
    forward, backward = (x[..., :2] for x in motion)
    d0 = inv_depth.astype(forward.dtype)
    surface = is_positive_finite(d0)
    return forward, backward, mask(surface, motion[0][..., 2]) * mask(surface, d0) / 100


@jit
def _judge_flow(
    forward: jax.Array, backward: jax.Array, known: jax.Array, image: jax.Array
) -> FittedFlow:
    forward, backward = forward.astype(image.dtype), backward.astype(image.dtype)
    there = occlusion_from_consistency(forward, backward)
    back = occlusion_from_consistency(backward, forward)
    valid = known[..., 0, :, :] & there.inside & (there.hidden == 0)
    return FittedFlow(forward, backward, there, back, valid)


@jit
def _lift(
    fitted: FittedFlow,
    change: jax.Array,
    inv_depth: jax.Array,
    next_inv_depth: jax.Array,
    camera: Camera,
    next_camera: Camera | None,
) -> FittedSceneFlow:
    d0 = inv_depth.astype(change.dtype)
    change = mask(is_positive_finite(d0), change).astype(fitted.flow.dtype)
    lifted = lift(fitted.flow, inv_depth, change, camera, next_camera)
    surfaces = is_positive_finite(next_inv_depth).astype(fitted.flow.dtype)[..., None]
    there = backward_warp(surfaces, fitted.flow, method="nearest", border="clamp").values[..., 0]
    return FittedSceneFlow(
        fitted.flow,
        change,
        lifted,
        fitted.backward_flow,
        fitted.occlusion,
        fitted.valid & lifted.valid & (there > 0),
    )


def _check_sizes(**sizes: tuple[int, ...]) -> None:
    for name, size in sizes.items():
        if 0 in size:
            raise ValueError(f"{name}: expected at least one pixel, got {size}")
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise ValueError(f"expected images of one size and as many channels, got {listed}")


def _check_options(
    smoothness: float | jax.Array, reach: object, refine: object, optimizer: object, steps: object
) -> jax.Array:
    """The smoothness, after all options are checked."""
    if not isinstance(reach, int | float | np.floating) or not 0 <= float(reach) <= 1:
        raise ValueError(f"reach: expected a share from 0 to 1, got {reach}")
    scalar = isinstance(smoothness, int | float | np.generic | np.ndarray | jax.Array)
    if not scalar or jnp.shape(smoothness):
        raise ValueError(f"smoothness: expected a number, got {smoothness!r}")
    if not isinstance(smoothness, jax.core.Tracer) and not 0 <= smoothness < math.inf:
        raise ValueError(f"smoothness: expected a number, not negative, got {smoothness}")
    if refine is None and optimizer is not None:
        raise ValueError("optimizer: goes only with refine")
    if refine is not None:
        check_refinement(refine, optimizer, steps)
    if isinstance(smoothness, jax.Array):
        return smoothness.astype(jnp.float32)
    return jax.device_put(np.float32(smoothness))  # by name, which a transfer guard lets pass


def _check_scene(
    image: jax.Array,
    next_image: jax.Array,
    inv_depth: jax.Array,
    next_inv_depth: jax.Array,
    camera: Camera,
    next_camera: Camera | None,
) -> None:
    check_image("image", image)
    check_image("next_image", next_image)
    _check_sizes(image=image.shape[-3:], next_image=next_image.shape[-3:])
    size = image.shape[-3:-1]
    check_array("inv_depth", inv_depth, size)
    check_array("next_inv_depth", next_inv_depth, size)
    batches = {"image": image.shape[:-3], "next_image": next_image.shape[:-3]}
    batches |= {"inv_depth": inv_depth.shape[:-2], "next_inv_depth": next_inv_depth.shape[:-2]}
    cameras = {"camera": camera}
    if next_camera is not None:
        cameras["next_camera"] = next_camera
    for name, one in cameras.items():
        batches[name] = check_camera(name, one)
        _check_sizes(**{"image": size, name: tuple(one.size)})
    check_batch(**batches)
