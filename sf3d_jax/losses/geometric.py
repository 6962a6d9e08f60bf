"""Errors of motions and depths: against a target, against each other, and between two frames.

With flow F, inverse depth d, its change c, d1 = d + c, and n(q) the next inverse depth sampled
bilinearly at q = p + F:

    end_point_error              |x - x*|, in pixels for flows, in metres for scene flows
    inverse_depth_change_error   |c - c*|
    log_motion_in_depth_error    |log tau - log tau*|, tau = z1 / z0 = d / (d + c)
    depth_consistency            |n - d1| / (n + d1)                     (Bian et al. 2019)
    point_reconstruction         |X1 - Y| / |X0|, X1 = X0 + scene flow, Y the next frame's surface
                                 point on the ray of X1                  (self-mono-sf)
    forward_backward_error       |F + B(q)|, in pixels for flows, in metres for scene flows

Lengths have gradient 0 at 0, so a perfect prediction does not move.
"""

import operator

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_components, check_maps
from sf3d_jax._numerics import (
    align_ranks,
    and_valid,
    channels,
    is_positive_finite,
    jit,
    mask,
    widen,
)
from sf3d_jax.camera import Camera, _optics, align_camera, check_camera
from sf3d_jax.conversion import depth_change
from sf3d_jax.conversion.scene_flow import image_motion
from sf3d_jax.losses._maps import (
    LossMap,
    absolute,
    check_same_channels,
    length,
    loss_map,
    mask_inputs,
    total,
)
from sf3d_jax.warping.sampling import positions, sample_at


@jit
def end_point_error(x: jax.Array, target: jax.Array, *, valid: jax.Array | None = None) -> LossMap:
    """End-point error |x - x*| of predicted vectors, a flow or a scene flow.

    Args:
      x: (*b, H, W, C), a flow in pixels or vectors in metres; at most 16 channels.
      target: (*b, H, W, C), x*, in the same unit.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap in the unit and dtype of x, valid where the pixel counts and both vectors are finite.
    """
    check_maps(x=(x, "image"), target=(target, "image"), valid=(valid, "mask"))
    check_same_channels(x=x, target=target)
    check_components(x=x)
    known, (a, b) = mask_inputs(valid, *widen(x, target))
    return loss_map(length(*channels(a - b)), known, x.dtype)


@jit
def inverse_depth_change_error(
    inv_depth_change: jax.Array, target: jax.Array, *, valid: jax.Array | None = None
) -> LossMap:
    """Absolute error |c - c*| of the inverse-depth change, or of any scalar map.

    Args:
      inv_depth_change: (*b, H, W), c, per metre.
      target: (*b, H, W), c*, per metre.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap, per metre, in the dtype of c; valid where the pixel counts and both are finite.
    """
    check_maps(
        inv_depth_change=(inv_depth_change, "map"),
        target=(target, "map"),
        valid=(valid, "mask"),
    )
    return end_point_error(inv_depth_change[..., None], target[..., None], valid=valid)


@jit
def log_motion_in_depth_error(
    inv_depth_change: jax.Array,
    target: jax.Array,
    inv_depth: jax.Array,
    *,
    valid: jax.Array | None = None,
) -> LossMap:
    """Error |log tau - log tau*| of the ratio of depths tau = z1 / z0 = d / (d + c); no unit.

    Args:
      inv_depth_change: (*b, H, W), c, per metre.
      target: (*b, H, W), c*, per metre.
      inv_depth: (*b, H, W), d, per metre.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap in the dtype of c, valid where the pixel counts and d, d + c and d + c* are positive
      and finite.
    """
    check_maps(
        inv_depth_change=(inv_depth_change, "map"),
        target=(target, "map"),
        inv_depth=(inv_depth, "map"),
        valid=(valid, "mask"),
    )
    dtype = inv_depth_change.dtype
    change, target, inv_depth = align_ranks(*widen(inv_depth_change, target, inv_depth))
    found = depth_change.to_log_motion_in_depth(inv_depth, change)
    wanted = depth_change.to_log_motion_in_depth(inv_depth, target)
    known = and_valid(found.valid & wanted.valid, valid)
    return loss_map(absolute(mask(known, found.values - wanted.values)), known, dtype)


@jit
def depth_consistency(
    flow: jax.Array,
    inv_depth: jax.Array,
    inv_depth_change: jax.Array,
    next_inv_depth: jax.Array,
    *,
    valid: jax.Array | None = None,
) -> LossMap:
    """A point's next depth against the next frame's: |n - d1| / (n + d1) (Bian et al. 2019).

    d1 = d + c is the inverse depth that the point has next, and n the next frame's inverse depth,
    sampled bilinearly where the flow leads.

    Args:
      flow: (*b, H, W, 2), F, in pixels.
      inv_depth: (*b, H, W), d, per metre.
      inv_depth_change: (*b, H, W), c, per metre.
      next_inv_depth: (*b, H, W), n, per metre, on the next frame's grid.
      valid: (*b, H, W), bool, the pixels that count, for instance those not hidden; all if None.

    Returns:
      LossMap in the dtype of the flow, from 0 to 1; valid where the pixel counts, d and d1 are
      positive and finite, and so is n at all pixels that the sample uses.
    """
    check_maps(
        flow=(flow, "flow"),
        inv_depth=(inv_depth, "map"),
        inv_depth_change=(inv_depth_change, "map"),
        next_inv_depth=(next_inv_depth, "map"),
        valid=(valid, "mask"),
    )
    dtype = flow.dtype
    flow, d0, change, following = widen(flow, inv_depth, inv_depth_change, next_inv_depth)
    n, seen, d0, change = align_ranks(*_sample_surface(flow, following), d0, change)
    d1 = d0 + change
    known = and_valid(seen & is_positive_finite(d0) & is_positive_finite(d1), valid)
    n, d1 = mask(known, (n, d1), (1, 1))
    return loss_map(absolute(n - d1) / (n + d1), known, dtype)


@jit
def point_reconstruction(
    vectors: jax.Array,
    inv_depth: jax.Array,
    next_inv_depth: jax.Array,
    camera: Camera,
    next_camera: Camera | None = None,
    *,
    valid: jax.Array | None = None,
) -> LossMap:
    """How far a moved point lands from the next frame's surface: |X1 - Y| / |X0|.

    X1 = X0 + scene flow, and Y is the next frame's surface point on the ray of X1. As in
    self-mono-sf (Hur and Roth, CVPR 2020), except that inverse depths are interpolated, not points,
    which is exact on planes.

    Args:
      vectors: (*b, H, W, 3), scene flow in metres, in the axes of the first camera.
      inv_depth: (*b, H, W), per metre.
      next_inv_depth: (*b, H, W), per metre, on the next frame's grid.
      camera: first camera.
      next_camera: camera of the next frame; the first camera if None.
      valid: (*b, H, W), bool, the pixels that count, for instance those not hidden; all if None.

    Returns:
      LossMap in the dtype of the vectors; valid where the pixel counts, both cameras see the point,
      and the next inverse depth is positive and finite at all pixels that the sample uses.
    """
    check_maps(
        vectors=(vectors, "vectors"),
        inv_depth=(inv_depth, "map"),
        next_inv_depth=(next_inv_depth, "map"),
        valid=(valid, "mask"),
    )
    dtype = vectors.dtype
    vectors, d0, following = widen(vectors, inv_depth, next_inv_depth)
    flow, change, known = image_motion(vectors, d0, camera, next_camera)
    still = jnp.zeros_like(flow)
    there = _ray_length(flow, camera if next_camera is None else next_camera)
    n, seen, d0, change, known, here, there = align_ranks(
        *_sample_surface(flow, following), d0, change, known, _ray_length(still, camera), there
    )
    d1 = d0 + change
    known = and_valid(known & seen & is_positive_finite(d1), valid)
    n, d0, d1 = mask(known, (n, d0, d1), (1, 1, 1))
    # Both points lie on one ray, so their difference is that of its depths.
    relative = there / here * d0 * absolute(n - d1) / (n * d1)
    return loss_map(relative, known, dtype)


@jit
def forward_backward_error(
    x: jax.Array,
    backward: jax.Array,
    *,
    flow: jax.Array | None = None,
    camera: Camera | None = None,
    next_camera: Camera | None = None,
    valid: jax.Array | None = None,
) -> LossMap:
    """How far a pixel or point misses its start after the way there and back: |F + B(p + F)|.

        forward_backward_error(flow, backward_flow)
        forward_backward_error(vectors, backward_vectors, flow=flow,
                               camera=camera, next_camera=next_camera)

    Args:
      x: (*b, H, W, 2), F, flow in pixels; or (*b, H, W, 3), scene flow in metres, in the axes of
        the first camera.
      backward: B, the same quantity from the next frame to the first, on the next frame's grid;
        scene flow in the axes of the next camera.
      flow: (*b, H, W, 2), where points go in the image; required for scene flow, and only then.
      camera: first camera; give both cameras if their axes differ.
      next_camera: camera of the next frame.
      valid: (*b, H, W), bool, the pixels that count, for instance those not hidden; all if None.

    Returns:
      LossMap in the unit and dtype of x, valid where the pixel counts and B is known at p + F.

    Raises:
      ValueError: scene flow comes without a flow, or one camera without the other.
    """
    kind = "flow" if flow is None else "vectors"
    if flow is None and jnp.shape(x)[-1:] == (3,):
        raise ValueError("flow: required with scene flow, to tell where points go in the image")
    check_maps(x=(x, kind), backward=(backward, kind), flow=(flow, "flow"), valid=(valid, "mask"))
    if (camera is None) != (next_camera is None) or (camera is not None and flow is None):
        raise ValueError("camera: expected both cameras and a flow, or neither camera")
    for name, c in (("camera", camera), ("next_camera", next_camera)):
        if c is not None:
            check_camera(name, c)
    dtype = x.dtype
    x, backward, there = widen(x, backward, x if flow is None else flow)
    back, seen = sample_at("flow", backward, *_positions(there), "bilinear", "zeros")
    known, (x, back) = mask_inputs(valid, x, back)
    known = and_valid(known, seen)
    parts = list(channels(back))
    if camera is not None and next_camera is not None:
        parts, good = _turn_to_camera(parts, *widen(camera, next_camera))
        known = and_valid(known, good)
    missed = [operator.add(*align_ranks(a, b)) for a, b in zip(channels(x), parts, strict=True)]
    missed = mask(known, missed)
    return loss_map(length(*missed), known, dtype)


def _positions(flow: jax.Array) -> tuple[jax.Array, jax.Array]:
    return positions(*channels(flow))


def _sample_surface(flow: jax.Array, next_inv_depth: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The next inverse depth at p + F, and whether all sampled pixels have a surface."""
    known = is_positive_finite(next_inv_depth)
    surfaces = jnp.where(known, next_inv_depth, jnp.inf)[..., None]  # not sampled
    values, seen = sample_at("flow", surfaces, *_positions(flow), "bilinear", "zeros")
    return values[..., 0], seen


def _ray_length(flow: jax.Array, camera: Camera) -> jax.Array:
    """The length of the ray (x, y, 1) of where pixels go."""
    camera, _ = _optics.replace_bad_arrays(align_camera(widen(flow, camera)[1], flow.ndim - 3))
    ray = _optics.Optics.of(camera, 2).ray(*_positions(flow))
    return jnp.sqrt(ray.x * ray.x + ray.y * ray.y + 1)


def _turn_to_camera(
    parts: list[jax.Array], camera: Camera, next_camera: Camera
) -> tuple[list[jax.Array], jax.Array]:
    """Vectors rotated from the next camera's axes to the first's, and where both are usable."""
    cameras = camera, next_camera
    rank = max(parts[0].ndim - 2, *(len(check_camera("camera", c)) for c in cameras))
    parts = list(align_ranks(*parts, rank=rank + 2))
    (camera, good), (next_camera, next_good) = (
        _optics.replace_bad_arrays(align_camera(c, rank)) for c in cameras
    )
    to_camera, to_next = (_optics.split_rows(c.world_to_camera, 2) for c in (camera, next_camera))
    world = [total([to_next[i][k] * parts[i] for i in range(3)]) for k in range(3)]
    turned = [total([row[k] * world[k] for k in range(3)]) for row in to_camera]
    return turned, _optics.per_pixel(good & next_good, 2)
