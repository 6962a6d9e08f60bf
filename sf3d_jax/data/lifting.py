"""Maps of one image to 3D scene flow and back, as files hold them: NumPy, with one mask."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data.arrays import real_map, valid_mask, zero_unless
from sf3d_jax.data.scene_flow_npz import SceneFlowMaps, check_baseline

if TYPE_CHECKING:
    import jax

    from sf3d_jax.camera import Camera
    from sf3d_jax.conversion.depth_change import InverseDepths

# Which two maps say where the surface is in both images.
GEOMETRIES = (
    ("disparity", "next_disparity"),
    ("depth", "next_depth"),
    ("inverse_depth", "inverse_depth_change"),
    ("depth", "inverse_depth_change"),
    ("inverse_depth", "motion_in_depth"),
    ("depth", "motion_in_depth"),
    ("disparity", "motion_in_depth"),
)


class ImageMotionMaps(NamedTuple):
    """Motion in the image; all maps are 0 where not valid.

    Attributes:
      flow: float32 [H, W, 2], pixels.
      inv_depth: float32 [H, W], per metre.
      inv_depth_change: float32 [H, W], per metre.
      valid: bool [H, W].
    """

    flow: np.ndarray
    inv_depth: np.ndarray
    inv_depth_change: np.ndarray
    valid: np.ndarray


def lift_maps(
    flow: npt.ArrayLike,
    maps: Mapping[str, npt.ArrayLike],
    camera: Camera,
    *,
    valid: npt.ArrayLike | None = None,
    baseline: float | None = None,
) -> dict[str, np.ndarray]:
    """The scene flow of one image, from its flow and whichever pair of maps there is.

    With d = 1 / z the inverse depth and c its change, z' = 1 / (d + c), the vectors are
    z' ray(p + flow) - z ray(p), and the points z ray(p), in the axes of the camera. The camera is
    taken as fixed: its own motion is part of the scene flow, as in KITTI.

    Args:
      flow: [H, W, 2], pixels.
      maps: two maps [H, W] by their names, a pair of `GEOMETRIES`: disparity in pixels, depth in
        metres, inverse_depth and inverse_depth_change per metre, motion_in_depth z' / z. All lie on
        the pixels of the first image, those of the next time too.
      camera: one camera of that size, with or without a lens. Its pose plays no part.
      valid: bool [H, W], which pixels are known; all, if not given.
      baseline: distance of the stereo cameras in metres; only disparities need it.

    Returns:
      Arrays by name, as `write_scene_flow_npz` takes them: vectors and points [H, W, 3], in metres,
      valid, bool [H, W], flow [H, W, 2], as given, inv_depth and inv_depth_change [H, W]. A pixel
      is valid where all given numbers are finite, both depths positive and both ends lie where the
      lens is one-to-one; elsewhere all but the flow are 0.

    Raises:
      TypeError: the camera is not a camera, or the baseline is not a number.
      ValueError: the camera is a batch; the maps are not such a pair, or differ in size; or the
        baseline is not positive, or missing for disparities.
    """
    import jax.numpy as jnp

    from sf3d_jax.camera.projection import pixel_grid, unproject
    from sf3d_jax.conversion.scene_flow import scene_flow

    camera = _take_camera(camera)
    scale = None if baseline is None else check_baseline(baseline) * float(camera.focal[0])
    motion = real_map("flow", flow, 2)
    size = motion.shape[:2]
    arrays = {name: _read_map(name, x, size) for name, x in _check_pair(maps).items()}
    if scale is None and "disparity" in arrays:
        raise ValueError("baseline: expected metres for disparities, got None")
    known = valid_mask(valid, motion)
    for values in arrays.values():
        known = known & np.isfinite(values)
    given = {name: jnp.asarray(zero_unless(known, values)) for name, values in arrays.items()}
    inv_depth, change, found = map(np.array, _inverse_depths(given, jnp.float32(scale or 1)))
    known = known & found
    inv_depth, change = zero_unless(known, inv_depth), zero_unless(known, change)

    d, c = jnp.asarray(inv_depth), jnp.asarray(change)
    lifted = scene_flow(jnp.asarray(motion), d, c, camera)
    known = known & np.array(lifted.valid)
    points = unproject(pixel_grid(size).astype(np.float32), d, camera).points
    return {
        "vectors": zero_unless(known, np.array(lifted.vectors)),
        "valid": known,
        "points": zero_unless(known, np.array(points)),
        "flow": motion,
        "inv_depth": zero_unless(known, inv_depth),
        "inv_depth_change": zero_unless(known, change),
    }


def _check_pair(maps: Mapping[str, npt.ArrayLike]) -> Mapping[str, npt.ArrayLike]:
    if not isinstance(maps, Mapping) or set(maps) not in [set(pair) for pair in GEOMETRIES]:
        pairs = "; ".join(" and ".join(pair) for pair in GEOMETRIES)
        got = ", ".join(map(str, maps)) if isinstance(maps, Mapping) else type(maps).__name__
        raise ValueError(f"maps: expected one pair by name ({pairs}), got {got or 'none'}")
    return maps


def _read_map(name: str, values: npt.ArrayLike, size: tuple[int, ...]) -> np.ndarray:
    array = real_map(name, values)
    if array.shape != size:
        raise ValueError(f"{name}: expected the size {size} of the flow, got {array.shape}")
    return array


def _inverse_depths(maps: dict[str, jax.Array], scale: jax.Array) -> InverseDepths:
    """The inverse depth of the surface, its change, and where both are known."""
    from sf3d_jax.conversion import depth_change

    match sorted(maps):
        case ["disparity", "next_disparity"]:
            return depth_change.from_disparities(maps["disparity"], maps["next_disparity"], scale)
        case ["depth", "next_depth"]:
            return depth_change.from_depths(maps["depth"], maps["next_depth"])
    inv_depth = _first_inverse_depth(maps, scale)
    if "inverse_depth_change" in maps:
        change = maps["inverse_depth_change"]
        valid = depth_change.to_depths(inv_depth, change).valid
        return depth_change.InverseDepths(inv_depth, change, valid)
    converted = depth_change.from_motion_in_depth(maps["motion_in_depth"], inv_depth)
    return depth_change.InverseDepths(inv_depth, *converted)


def _first_inverse_depth(maps: dict[str, jax.Array], scale: jax.Array) -> jax.Array:
    from sf3d_jax.conversion import depth_change

    if "inverse_depth" in maps:
        return maps["inverse_depth"]
    if "depth" in maps:
        return depth_change.from_depths(maps["depth"], maps["depth"]).inv_depth
    same = maps["disparity"]
    return depth_change.from_disparities(same, same, scale).inv_depth


def _take_camera(camera: Camera) -> Camera:
    """The one camera, at the origin: its own axes are those of the results."""
    from sf3d_jax.camera import check_camera

    if batch := check_camera("camera", camera):
        raise ValueError(f"camera: expected one camera, got a batch {batch}")
    return dataclasses.replace(camera, world_to_camera=np.eye(3, 4, dtype=np.float32))


def project_maps(maps: SceneFlowMaps) -> ImageMotionMaps:
    """The motion in the image of a scene flow: the inverse of `lift_maps`.

    Args:
      maps: as `read_scene_flow_npz` returns them. The pose of their camera plays no part.

    Returns:
      ImageMotionMaps. A pixel is valid where the scene flow is, and where both ends of the motion
      are before the camera.

    Raises:
      TypeError: the maps are not SceneFlowMaps, or their camera is not a camera.
      ValueError: the camera is a batch, or a map has another size than the camera.
    """
    import jax.numpy as jnp

    from sf3d_jax.conversion.scene_flow import image_motion

    if not isinstance(maps, SceneFlowMaps):
        got = type(maps).__name__
        raise TypeError(f"maps: expected SceneFlowMaps (vectors, points, valid, ...), got {got}")
    camera = _take_camera(maps.camera)
    vectors, points = (real_map(name, getattr(maps, name), 3) for name in ("vectors", "points"))
    known = valid_mask(maps.valid, points) & (points[..., 2] > 0)
    with np.errstate(over="ignore"):  # an infinite inverse depth is no surface
        inv_depth = zero_unless(known, 1 / np.where(known, points[..., 2], 1)).astype(np.float32)
    motion = image_motion(jnp.asarray(vectors), jnp.asarray(inv_depth), camera)
    flow, change, shown = map(np.array, motion)
    valid = known & shown
    flow, inv_depth, change = (zero_unless(valid, x) for x in (flow, inv_depth, change))
    return ImageMotionMaps(flow, inv_depth, change, valid)
