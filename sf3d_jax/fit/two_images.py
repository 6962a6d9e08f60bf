"""Fits flow and scene flow to two images: checks, compiled programs and results."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from sf3d_jax._checks import check_array, check_batch, check_image
from sf3d_jax._numerics import channels, is_in_range, is_positive_finite, jit, mask, widen
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.conversion.scene_flow import SceneFlow
from sf3d_jax.conversion.scene_flow import scene_flow as lift
from sf3d_jax.fit._programs import (
    choose_program,
    crop_to_size,
    is_copyable,
    make_exact_program,
    pad_to_size,
)
from sf3d_jax.fit._pyramid import fit_pairs
from sf3d_jax.fit._pyramid.maps import Size, extend, is_inside
from sf3d_jax.fit._pyramid.plan import Arrays, Plan, make_arrays, make_plan
from sf3d_jax.fit._refine import Loss, check_refinement
from sf3d_jax.fit._refine import refine as descend
from sf3d_jax.warping.sampling import backward_warp, positions
from sf3d_jax.warping.visibility import Occlusion, occlusion_from_consistency

T = TypeVar("T")

# Valid pixels have a confidence above this.
_LEAST_CONFIDENCE = 0.5


class FittedFlow(NamedTuple):
    """The optical flow between two images, in both directions.

    Attributes:
      flow: (*b, H, W, 2), from the first image to the next, in pixels, finite everywhere.
      backward_flow: (*b, H, W, 2), from the next image to the first, in pixels.
      occlusion: pixels of the first image hidden in the next, by forward-backward consistency.
      backward_occlusion: pixels of the next image hidden in the first.
      valid: (*b, H, W), bool, where the images determine the flow: the pixel is known, its point
        is visible inside the next image, and the confidence is above 1/2. Elsewhere the flow is
        interpolated from its surroundings.
      confidence: (*b, H, W), from 0 to 1, how well the images alone determine the flow before a
        refinement: t / (t + e). t is the smaller eigenvalue of the mean of grad I grad I^T over
        9 x 9 pixels, e half the mean of |grad I1(p + F) - grad I0(p)|^2 plus rounding. It is 0
        without texture, along a single edge, and in an image of one row, column or pixel.
    """

    flow: jax.Array
    backward_flow: jax.Array
    occlusion: Occlusion
    backward_occlusion: Occlusion
    valid: jax.Array
    confidence: jax.Array


class FittedSceneFlow(NamedTuple):
    """The motion between two images with depth.

    Attributes:
      flow: (*b, H, W, 2), from the first image to the next, in pixels.
      inv_depth_change: (*b, H, W), c = 1/z1 - 1/z0 of the same surface point, per metre; 0 where
        the first image has no surface.
      scene_flow: SceneFlow, in metres, in the axes of the first camera; invalid without a surface.
      backward_flow: (*b, H, W, 2), from the next image to the first, in pixels.
      occlusion: pixels of the first image hidden in the next, by forward-backward consistency.
      valid: (*b, H, W), bool, where the images determine the motion: the point has a surface in
        both images, is visible in the next one, and the confidence is above 1/2. Elsewhere the
        motion is interpolated from its surroundings.
      confidence: (*b, H, W), from 0 to 1, how well the images alone determine the flow.
    """

    flow: jax.Array
    inv_depth_change: jax.Array
    scene_flow: SceneFlow
    backward_flow: jax.Array
    occlusion: Occlusion
    valid: jax.Array
    confidence: jax.Array


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
    """Fits the optical flow F between two images, without learning.

    Minimises a weighted sum of |I1(p + F) - I0(p)|, |grad I1(p + F) - grad I0(p)| and edge-aware
    |grad F|, starting from a coarse match. Source: Brox et al., "High accuracy optical flow
    estimation" (ECCV 2004); Hirschmueller (PAMI 2008) for the match.

    Args:
      image: (*b, H, W, C), the first image, with any number of equally weighted channels and in any
        units of brightness. Non-finite pixels are unknown.
      next_image: (*b, H, W, C), the next image, in the same units.
      smoothness: multiple of the default smoothness, not negative; less for fine detail.
      reach: longest motion to search for, as a fraction of height and width, 0 to 1. A shorter
        reach is matched at higher resolution. Objects smaller than a few pixels at that resolution,
        which move farther than their size, are missed.
      refine: loss of the flow, (*b, H, W, 2), minimised by `fit.refine` after the fit; None for no
        refinement. Each new function is compiled: for many pairs, call `fit.refine` with a loss
        that takes the images as arguments.
      optimizer: optax optimizer for the refinement; Adam with a step of 0.02 px if None.
      steps: number of refinement steps.

    Returns:
      FittedFlow, in the dtype of the images. It passes no gradient.

    Raises:
      ValueError: smoothness, reach or steps is out of range, or optimizer is passed without refine.
    """
    check_image("image", image)
    check_image("next_image", next_image)
    _check_sizes(image=image.shape[-3:], next_image=next_image.shape[-3:])
    check_batch(image=image.shape[:-3], next_image=next_image.shape[:-3])
    strength = _check_options(smoothness, reach, refine, optimizer, steps)
    fitted, _ = _fit(image, next_image, None, None, strength, float(reach))
    if refine is None:
        return fitted
    forward = descend(refine, fitted.flow, optimizer=optimizer, steps=steps).values
    return _update_validity(fitted, forward)


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
    """Fits flow F and inverse-depth change c jointly to two images with depth; lifts to scene flow.

    To the terms of `fit.flow` it adds |d1(p + F) - d0 - c| / d0: the next inverse depth d1 must be
    d0 + c where the point goes. Steps of depth count as edges of motion. The fit uses only ratios
    of depths, so any unit of depth works.

    Args:
      image: (*b, H, W, C), the first image, in any units of brightness; non-finite: unknown.
      next_image: (*b, H, W, C), the next image, in the same units.
      inv_depth: (*b, H, W), d0 of the first image, per metre; not positive or not finite without a
        surface.
      next_inv_depth: (*b, H, W), d1 of the next image, on its own grid, per metre.
      camera: first camera; its batch axes broadcast against *b.
      next_camera: second camera, to remove its motion; if None, motion is relative to the camera.
      smoothness: multiple of the default smoothness, not negative; less for fine detail.
      reach: longest motion to search for, as a fraction of height and width, 0 to 1.
      refine: loss of the pair (flow, inverse-depth change), minimised by `fit.refine` after the
        fit; None for no refinement. Adam moves both at the same step size, so pass an optimizer
        of your own.
      optimizer: optax optimizer for the refinement; Adam with a step of 0.02 if None.
      steps: number of refinement steps.

    Returns:
      FittedSceneFlow, in the dtype of the images. It passes no gradient.

    Raises:
      ValueError: smoothness, reach or steps is out of range, or optimizer is passed without refine.
    """
    _check_scene(image, next_image, inv_depth, next_inv_depth, camera, next_camera)
    strength = _check_options(smoothness, reach, refine, optimizer, steps)
    depths = inv_depth, next_inv_depth
    plain, change = _fit(image, next_image, *depths, strength, float(reach))
    assert change is not None
    if refine is not None:
        start = plain.flow, change
        forward, change = descend(refine, start, optimizer=optimizer, steps=steps).values
        plain = _update_validity(plain, forward)
    return _lift(plain, change, *depths, camera, next_camera)


def _fit(
    image: jax.Array,
    next_image: jax.Array,
    inv_depth: jax.Array | None,
    next_inv_depth: jax.Array | None,
    smoothness: jax.Array,
    reach: float,
) -> tuple[FittedFlow, jax.Array | None]:
    """Fits flow and inverse-depth change with a compiled program that other sizes may share."""
    height, width = image.shape[-3:-1]
    size = height, width
    given = [x for x in (image, next_image, inv_depth, next_inv_depth) if x is not None]
    axes = [-3, -3, -2, -2][: len(given)]
    program = make_exact_program(size)
    plan = make_plan(size, reach)
    if is_copyable([*given, smoothness]):
        kind = (
            reach,
            *(
                (x.shape[:axis], x.shape[axis:][2:], x.dtype)
                for x, axis in zip(given, axes, strict=True)
            ),
        )
        program = choose_program(size, kind)
        given = [pad_to_size(x, axis, program.most) for x, axis in zip(given, axes, strict=True)]
        plan = jax.device_put(plan)
    arrays = make_arrays(program.least, program.most, reach)
    fitted = _fit_both_ways(tuple(given), smoothness, plan, arrays=arrays)
    return crop_to_size(fitted, program, size)


@partial(jit, static=("arrays",))
def _fit_both_ways(
    maps: tuple[jax.Array, ...],
    smoothness: jax.Array,
    plan: Plan,
    *,
    arrays: Arrays,
) -> tuple[FittedFlow, jax.Array | None]:
    """Fits flow and inverse-depth change in arrays that may be larger than the images.

    The maps are both images and, with depth, both inverse depths.
    """
    given: Sequence[jax.Array] = lax.stop_gradient(widen(*maps))
    dtype = given[0].dtype
    plan = jax.tree.map(lambda x: jnp.asarray(x, dtype if x.ndim else jnp.int32), plan)
    sane = (smoothness >= 0) & is_in_range(smoothness)
    smoothness = lax.stop_gradient(jnp.where(sane, smoothness, 1).astype(dtype))
    axes = [3, 3, 2, 2]
    batch = np.broadcast_shapes(*(x.shape[: x.ndim - n] for x, n in zip(given, axes, strict=False)))
    pairs = []
    for x, n in zip(given, axes, strict=False):
        own = x.shape[x.ndim - n :]
        pairs.append(jnp.broadcast_to(x, (*batch, *own)).reshape(math.prod(batch), *own))
    images = jnp.stack(pairs[:2], axis=1)
    depths = jnp.stack(pairs[2:], axis=1) if len(pairs) > 2 else None

    shape = arrays.whole
    count = 2 if depths is None else 3
    if 0 in images.shape:
        motion = jnp.zeros((images.shape[0], 2, count, *shape), dtype)
        confidence = jnp.zeros((images.shape[0], 2, *shape), dtype)
    else:
        fit = jax.jit(lambda images, depths: fit_pairs(images, depths, smoothness, plan, arrays))
        motion, confidence = choose_by_platform(
            lambda *frames: lax.map(lambda pair: fit(*pair), frames),
            lambda *frames: _split_pairs(fit(*_join_pairs(frames))),
            images,
            depths,
        )
    motion = lax.stop_gradient(jnp.moveaxis(motion, 2, -1).reshape(*batch, 2, *shape, count))
    first = is_in_range(pairs[0]).all(-1).reshape(*batch, *shape) & sane
    confidence = jnp.where(first, confidence.reshape(*batch, 2, *shape)[..., 0, :, :], 0)
    flows = motion[..., :2].astype(maps[0].dtype)
    size: Size = tuple(jnp.asarray(plan.whole))
    fitted = _add_validity(
        flows[..., 0, :, :, :], flows[..., 1, :, :, :], confidence.astype(maps[0].dtype), size
    )
    if depths is None:
        return fitted, None
    d0 = given[2]
    change = mask(is_positive_finite(d0), motion[..., 0, :, :, 2] * d0) / 100
    return fitted, change


def _join_pairs(tree: T) -> T:
    """Joins arrays of n pairs, (n, 2, ...), to (2n, ...), the first frames before the next ones."""
    join = lambda x: x.swapaxes(0, 1).reshape(2 * x.shape[0], *x.shape[2:])
    return jax.tree.map(join, tree)


def _split_pairs(tree: T) -> T:
    """The inverse of `_join_pairs`."""
    split = lambda x: x.reshape(2, x.shape[0] // 2, *x.shape[1:]).swapaxes(0, 1)
    return jax.tree.map(split, tree)


def _add_validity(
    forward: jax.Array, backward: jax.Array, confidence: jax.Array, size: Size
) -> FittedFlow:
    """Adds occlusion and validity to the flows between images of the given size."""
    # Repeat the border, so that pixels beyond the images are never sampled.
    forward, backward = (
        jnp.moveaxis(extend(jnp.moveaxis(x, -1, 0), size), 0, -1) for x in (forward, backward)
    )
    there, back = (
        _find_occlusion(a, b, size) for a, b in ((forward, backward), (backward, forward))
    )
    valid = (confidence > _LEAST_CONFIDENCE) & there.inside & (there.hidden == 0)
    return FittedFlow(forward, backward, there, back, valid, confidence)


def _find_occlusion(forward: jax.Array, backward: jax.Array, size: Size) -> Occlusion:
    hidden, inside = occlusion_from_consistency(forward, backward)
    u, v = positions(*channels(*widen(forward)))
    inside = inside & is_inside(u, v, size, margin=0.5)
    return Occlusion(mask(inside, hidden), inside)


@jit
def _update_validity(fitted: FittedFlow, forward: jax.Array) -> FittedFlow:
    """Updates a fit after its flow was refined."""
    height, width = forward.shape[-3:-1]
    forward = forward.astype(fitted.flow.dtype)
    return _add_validity(forward, fitted.backward_flow, fitted.confidence, (height, width))


@jit
def _lift(
    plain: FittedFlow,
    change: jax.Array,
    inv_depth: jax.Array,
    next_inv_depth: jax.Array,
    camera: Camera,
    next_camera: Camera | None,
) -> FittedSceneFlow:
    """Adds the scene flow and the validity of depth to a fit of flow."""
    inv_depth, next_inv_depth = lax.stop_gradient((inv_depth, next_inv_depth))
    change = mask(is_positive_finite(inv_depth), change).astype(plain.flow.dtype)
    lifted = lift(plain.flow, inv_depth, change, camera, next_camera)
    surfaces = is_positive_finite(next_inv_depth).astype(plain.flow.dtype)[..., None]
    there = backward_warp(surfaces, plain.flow, method="nearest", border="clamp").values[..., 0]
    return FittedSceneFlow(
        plain.flow,
        change,
        lifted,
        plain.backward_flow,
        plain.occlusion,
        plain.valid & lifted.valid & (there > 0),
        plain.confidence,
    )


def _check_sizes(**sizes: tuple[int, ...]) -> None:
    for name, size in sizes.items():
        if 0 in size:
            raise ValueError(f"{name}: expected at least one pixel, got {size}")
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise ValueError(f"expected images of one size and number of channels, got {listed}")


def _check_options(
    smoothness: float | jax.Array, reach: object, refine: object, optimizer: object, steps: object
) -> jax.Array:
    """Checks all options; returns the smoothness as an array."""
    if not isinstance(reach, int | float | np.floating) or not 0 <= float(reach) <= 1:
        raise ValueError(f"reach: expected a fraction from 0 to 1, got {reach}")
    scalar = isinstance(smoothness, int | float | np.generic | np.ndarray | jax.Array)
    if not scalar or jnp.shape(smoothness):
        raise ValueError(f"smoothness: expected a number, got {smoothness!r}")
    if not isinstance(smoothness, jax.core.Tracer) and not 0 <= smoothness < math.inf:
        raise ValueError(f"smoothness: expected a number of at least 0, got {smoothness}")
    if refine is None and optimizer is not None:
        raise ValueError("optimizer: used only with refine; pass a loss as refine, or omit it")
    if refine is not None:
        check_refinement(refine, optimizer, steps)
    if isinstance(smoothness, jax.Array):
        return smoothness.astype(jnp.float32)
    return jax.device_put(np.float32(smoothness))


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
