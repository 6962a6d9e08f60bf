"""The fit of two images: its checks, its program and its results."""

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
from sf3d_jax._numerics import channels, is_in_range, is_positive_finite, jit, mask, widen
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.conversion.scene_flow import SceneFlow
from sf3d_jax.conversion.scene_flow import scene_flow as lift
from sf3d_jax.fit._programs import choose_own, choose_program, cut_out, fill_up, is_free
from sf3d_jax.fit._pyramid import fit_pair
from sf3d_jax.fit._pyramid.maps import Size, extend, is_inside
from sf3d_jax.fit._pyramid.plan import Arrays, Plan, make_arrays, make_plan
from sf3d_jax.fit._refine import Loss, check_refinement
from sf3d_jax.fit._refine import refine as descend
from sf3d_jax.warping.sampling import backward_warp, positions
from sf3d_jax.warping.visibility import Occlusion, occlusion_from_consistency

# Of the confidence, for a pixel to be valid.
_DECIDED = 0.5


class FittedFlow(NamedTuple):
    """The optical flow between two images, both ways.

    Attributes:
      flow: (*b, H, W, 2), from the first image to the next, in pixels, everywhere finite.
      backward_flow: (*b, H, W, 2), from the next image to the first.
      occlusion: what the next image hides of the first, by forward-backward consistency.
      backward_occlusion: what the first image hides of the next.
      valid: (*b, H, W), bool, where the images tell the flow: the pixel is known, its point
        neither leaves the next image nor is hidden there, and the confidence is above 1/2.
        Elsewhere the flow is that of the surroundings.
      confidence: (*b, H, W), from 0 to 1, how far the images decide the flow by themselves:
        t / (t + e), with t the smaller eigenvalue of the mean of grad I grad I^T over 9 x 9 pixels,
        and e half the mean square of what the flow leaves of the difference of the slopes, with
        what rounding adds. 0 without texture, along a single edge, and in an image of one row,
        column or pixel. It is that of the fit, before a refinement.
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
      scene_flow: SceneFlow, in the axes of the first camera; invalid where no surface is.
      backward_flow: (*b, H, W, 2), from the next image to the first.
      occlusion: what the next image hides of the first, by forward-backward consistency.
      valid: (*b, H, W), bool, where the images tell the motion: the flow as in FittedFlow, and
        surfaces in both images. Elsewhere it is that of the surroundings.
      confidence: (*b, H, W), from 0 to 1, that of the flow, as in FittedFlow.
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
    """Optical flow of two images, by the method of `sf3d_jax.fit`.

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
    fitted, _ = _fit(image, next_image, None, None, strength, float(reach))
    if refine is None:
        return fitted
    forward = descend(refine, fitted.flow, optimizer=optimizer, steps=steps).values
    return _judge_refined(fitted, forward)


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
    depths = inv_depth, next_inv_depth
    plain, change = _fit(image, next_image, *depths, strength, float(reach))
    assert change is not None
    if refine is not None:
        start = plain.flow, change
        forward, change = descend(refine, start, optimizer=optimizer, steps=steps).values
        plain = _judge_refined(plain, forward)
    return _lift(plain, change, *depths, camera, next_camera)


def _fit(
    image: jax.Array,
    next_image: jax.Array,
    inv_depth: jax.Array | None,
    next_inv_depth: jax.Array | None,
    smoothness: jax.Array,
    reach: float,
) -> tuple[FittedFlow, jax.Array | None]:
    """The flow and the change of inverse depth, by a program that other sizes may share."""
    height, width = image.shape[-3:-1]
    size = height, width
    given = [x for x in (image, next_image, inv_depth, next_inv_depth) if x is not None]
    axes = [-3, -3, -2, -2][: len(given)]
    program = choose_own(size)
    plan = make_plan(size, reach)
    if is_free([*given, smoothness]):
        kind = (
            reach,
            *(
                (x.shape[:axis], x.shape[axis:][2:], x.dtype)
                for x, axis in zip(given, axes, strict=True)
            ),
        )
        program = choose_program(size, kind)
        given = [fill_up(x, axis, program.most) for x, axis in zip(given, axes, strict=True)]
        plan = jax.device_put(plan)
    arrays = make_arrays(program.least, program.most, reach)
    fitted = _fit_both_ways(tuple(given), smoothness, plan, arrays=arrays)
    return cut_out(fitted, program, size)


@partial(jit, static=("arrays",))
def _fit_both_ways(
    maps: tuple[jax.Array, ...],
    smoothness: jax.Array,
    plan: Plan,
    *,
    arrays: Arrays,
) -> tuple[FittedFlow, jax.Array | None]:
    """The flow and the change of inverse depth, in arrays that may be larger than the images.

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
        of_pair = lambda pair: fit_pair(pair[0], pair[1], smoothness, plan, arrays)
        motion, confidence = lax.map(of_pair, (images, depths))
    motion = lax.stop_gradient(jnp.moveaxis(motion, 2, -1).reshape(*batch, 2, *shape, count))
    first = is_in_range(pairs[0]).all(-1).reshape(*batch, *shape) & sane
    confidence = jnp.where(first, confidence.reshape(*batch, 2, *shape)[..., 0, :, :], 0)
    flows = motion[..., :2].astype(maps[0].dtype)
    size: Size = tuple(jnp.asarray(plan.whole))
    fitted = _judge(
        flows[..., 0, :, :, :], flows[..., 1, :, :, :], confidence.astype(maps[0].dtype), size
    )
    if depths is None:
        return fitted, None
    d0 = given[2]
    change = mask(is_positive_finite(d0), motion[..., 0, :, :, 2] * d0) / 100
    return fitted, change


def _judge(
    forward: jax.Array, backward: jax.Array, confidence: jax.Array, size: Size
) -> FittedFlow:
    """The flow with what is hidden and valid, of images of that size."""
    # So that no way leads to what lies beyond the images.
    forward, backward = (
        jnp.moveaxis(extend(jnp.moveaxis(x, -1, 0), size), 0, -1) for x in (forward, backward)
    )
    there, back = (_look(a, b, size) for a, b in ((forward, backward), (backward, forward)))
    valid = (confidence > _DECIDED) & there.inside & (there.hidden == 0)
    return FittedFlow(forward, backward, there, back, valid, confidence)


def _look(forward: jax.Array, backward: jax.Array, size: Size) -> Occlusion:
    hidden, inside = occlusion_from_consistency(forward, backward)
    u, v = positions(*channels(*widen(forward)))
    inside = inside & is_inside(u, v, size, margin=0.5)
    return Occlusion(mask(inside, hidden), inside)


@jit
def _judge_refined(fitted: FittedFlow, forward: jax.Array) -> FittedFlow:
    """The fit with another flow."""
    height, width = forward.shape[-3:-1]
    forward = forward.astype(fitted.flow.dtype)
    return _judge(forward, fitted.backward_flow, fitted.confidence, (height, width))


@jit
def _lift(
    plain: FittedFlow,
    change: jax.Array,
    inv_depth: jax.Array,
    next_inv_depth: jax.Array,
    camera: Camera,
    next_camera: Camera | None,
) -> FittedSceneFlow:
    """The flow with the scene flow that it leads to."""
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
