"""Maps of one image to 3D scene flow and back, as files hold them: NumPy arrays with one mask."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data.arrays import real_map, valid_mask, zero_unless
from sf3d_jax.data.cameras.poses import check_poses_argument, compose, invert
from sf3d_jax.data.scene_flow_npz import SceneFlowMaps, check_baseline

if TYPE_CHECKING:
    import jax

    from sf3d_jax.camera import Camera
    from sf3d_jax.conversion.depth_change import InverseDepths

# Pairs of maps that tell the depth of the surface in both images.
GEOMETRIES = (
    ("disparity", "next_disparity"),
    ("depth", "next_depth"),
    ("inverse_depth", "inverse_depth_change"),
    ("depth", "inverse_depth_change"),
    ("inverse_depth", "motion_in_depth"),
    ("depth", "motion_in_depth"),
    ("disparity", "motion_in_depth"),
)

# Larger images are converted in bands of rows.
_MOST_PIXELS = 2**20


class ImageMotionMaps(NamedTuple):
    """Motion in the image; all maps are 0 where not valid.

    Attributes:
      flow: float32 [H, W, 2], (u, v) in pixels.
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
    next_camera: Camera | None = None,
    valid: npt.ArrayLike | None = None,
    baseline: float | None = None,
) -> dict[str, np.ndarray]:
    """Computes the scene flow of one image from its flow and a pair of maps.

    With inverse depth d = 1 / z, its change c and z' = 1 / (d + c), a surface point moves from
    X = z ray(p) to X' = z' ray'(p + flow) in the axes of the next camera, X -> R X + t. The scene
    flow is R^-1 (X' - t) - X, in the axes of the first camera. Without a next camera R = 1 and
    t = 0: the camera is taken as fixed, and its own motion is part of the scene flow, as in KITTI.

    Large images are converted in bands to save memory. Each map is looked up once, so a mapping may
    read it from its file at that moment.

    Args:
      flow: [H, W, 2], pixels.
      maps: two maps [H, W] or [H, W, 1] by name, one of the pairs (disparity, next_disparity),
        (depth, next_depth), (inverse_depth, inverse_depth_change), (depth, inverse_depth_change),
        (inverse_depth, motion_in_depth), (depth, motion_in_depth), (disparity, motion_in_depth);
        in pixels, metres, or per metre, and motion_in_depth = z' / z. All lie on the pixel grid of
        the first image; next_depth and next_disparity are those in the next camera.
      camera: one camera of that size, with or without a lens. Its pose is ignored without a next
        camera.
      next_camera: camera of the next image, in the same world; with it, the motion of the camera is
        removed, and a static world has no scene flow.
      valid: bool [H, W], mask of the known pixels; None for all.
      baseline: distance of the stereo cameras in metres; needed for disparities only.

    Returns:
      Arrays by name, for `write_scene_flow_npz`: vectors and points [H, W, 3] in metres; valid,
      bool [H, W]; flow [H, W, 2] as given; inv_depth and inv_depth_change [H, W]. A pixel is valid
      if all inputs are finite, both depths are positive and both ends lie where the lens is
      one-to-one; elsewhere all arrays but flow are 0.

    Raises:
      TypeError: a camera is not a `Camera`, or the baseline is not a number.
      ValueError: a camera is a batch, differs in size from the flow, or has a pose that is not a
        rotation and a translation; the maps are not such a pair, or differ in size; a path is
        passed for an array; or the baseline is not positive, or missing for disparities.
    """
    first, second = _take_cameras(camera, next_camera)
    scale = None if baseline is None else check_baseline(baseline) * float(camera.focal[0])
    motion = real_map("flow", flow, 2)
    for name, one in (("camera", first), ("next_camera", second)):
        _check_size(name, one, motion)
    _check_pair(maps)
    if scale is None and "disparity" in set(maps):
        raise ValueError("baseline: expected a number of metres for disparities, got None")
    known = valid_mask(valid, motion)
    zoom = 1.0 if second is None else float(first.focal[0] / second.focal[0])
    inv_depth, change = _convert_maps(maps, known, scale or 1, zoom)
    vectors, points = _lift_motion(motion, inv_depth, change, known, (first, second))
    if not known.all():
        inv_depth[~known] = change[~known] = 0
    return {
        "vectors": vectors,
        "valid": known,
        "points": points,
        "flow": motion,
        "inv_depth": inv_depth,
        "inv_depth_change": change,
    }


def _convert_maps(
    maps: Mapping[str, npt.ArrayLike], known: np.ndarray, scale: float, zoom: float
) -> tuple[np.ndarray, np.ndarray]:
    """Computes inverse depth and its change; clears `known` where a pixel has none.

    Disparities are divided by `scale`; next disparities are first multiplied by `zoom`, the focal
    length over that of the next camera.
    """
    import jax.numpy as jnp

    arrays = {name: _read_map(name, maps[name], known.shape) for name in maps}
    if zoom != 1 and "next_disparity" in arrays:
        arrays["next_disparity"] = arrays["next_disparity"] * np.float32(zoom)
    inv_depth, change = (np.zeros(known.shape, np.float32) for _ in range(2))
    for rows in _split_rows(known.shape):
        for values in arrays.values():
            known[rows] &= np.isfinite(values[rows])
        given = {
            name: jnp.asarray(zero_unless(known[rows], values[rows]))
            for name, values in arrays.items()
        }
        d, c, found = map(np.asarray, _compute_inverse_depths(given, jnp.float32(scale)))
        known[rows] &= found
        inv_depth[rows], change[rows] = (zero_unless(known[rows], x) for x in (d, c))
    return inv_depth, change


def _lift_motion(
    flow: np.ndarray,
    inv_depth: np.ndarray,
    change: np.ndarray,
    known: np.ndarray,
    cameras: tuple[Camera, Camera | None],
) -> tuple[np.ndarray, np.ndarray]:
    """Computes scene flow and points; clears `known` where a pixel has none."""
    import jax.numpy as jnp

    from sf3d_jax.camera.projection import pixel_grid, unproject
    from sf3d_jax.conversion.scene_flow import scene_flow

    vectors, points = (np.zeros((*known.shape, 3), np.float32) for _ in range(2))
    for rows in _split_rows(known.shape):
        near = _crop(cameras[0], rows, known.shape)
        then = None if cameras[1] is None else _crop(cameras[1], rows, known.shape)
        d = jnp.asarray(inv_depth[rows])
        lifted = scene_flow(jnp.asarray(flow[rows]), d, jnp.asarray(change[rows]), near, then)
        known[rows] &= np.asarray(lifted.valid)
        ends = unproject(pixel_grid(near.size).astype(np.float32), d, near).points
        vectors[rows] = zero_unless(known[rows], np.asarray(lifted.vectors))
        points[rows] = zero_unless(known[rows], np.asarray(ends))
    return vectors, points


def _split_rows(size: tuple[int, int]) -> list[slice]:
    """Splits the rows into bands of equal height; the last two may overlap."""
    height, width = size
    step = min(height, max(1, _MOST_PIXELS // width))
    starts = [*range(0, height - step, step), height - step]
    return [slice(start, start + step) for start in starts]


def _crop(camera: Camera, rows: slice, size: tuple[int, int]) -> Camera:
    """Crops a camera to some rows; its pixel coordinates then start at the first of them."""
    from sf3d_jax.camera import shift_camera

    if (rows.start, rows.stop) == (0, size[0]):
        return camera
    return shift_camera(camera, np.array([0, -rows.start]), (rows.stop - rows.start, size[1]))


def _check_pair(maps: Mapping[str, npt.ArrayLike]) -> None:
    if not isinstance(maps, Mapping) or set(maps) not in [set(pair) for pair in GEOMETRIES]:
        pairs = "; ".join(" and ".join(pair) for pair in GEOMETRIES)
        is_mapping = isinstance(maps, Mapping)
        got = ", ".join(map(str, maps)) if is_mapping else type(maps).__name__
        near = _suggest(maps) if is_mapping else ""
        raise ValueError(f"maps: expected one pair by name ({pairs}), got {got or 'none'}{near}")


def _suggest(names: Iterable[str]) -> str:
    """Suggests the known names for unknown ones such as inv_depth."""
    known = dict.fromkeys(name for pair in GEOMETRIES for name in pair)
    near = {name: difflib.get_close_matches(str(name), known, 1) for name in names}
    meant = [
        f"{found[0]} for {name}" for name, found in near.items() if found and name not in known
    ]
    return f"; did you mean {', '.join(meant)}?" if meant else ""


def _read_map(name: str, values: npt.ArrayLike, size: tuple[int, ...]) -> np.ndarray:
    # Files may hold [H, W, 1]; `real_map` refuses other shapes.
    is_last_one = getattr(values, "shape", ())[2:] == (1,)
    array = real_map(name, values, 1)[..., 0] if is_last_one else real_map(name, values)
    if array.shape != size:
        raise ValueError(f"{name}: expected the size of the flow, {size}, got {array.shape}")
    return array


def _compute_inverse_depths(maps: dict[str, jax.Array], scale: jax.Array) -> InverseDepths:
    """Computes the inverse depth of the surface, its change, and where both are known."""
    from sf3d_jax.conversion import depth_change

    match sorted(maps):
        case ["disparity", "next_disparity"]:
            return depth_change.from_disparities(maps["disparity"], maps["next_disparity"], scale)
        case ["depth", "next_depth"]:
            return depth_change.from_depths(maps["depth"], maps["next_depth"])
    inv_depth = _compute_first_inverse_depth(maps, scale)
    if "inverse_depth_change" in maps:
        change = maps["inverse_depth_change"]
        valid = depth_change.to_depths(inv_depth, change).valid
        return depth_change.InverseDepths(inv_depth, change, valid)
    converted = depth_change.from_motion_in_depth(maps["motion_in_depth"], inv_depth)
    return depth_change.InverseDepths(inv_depth, *converted)


def _compute_first_inverse_depth(maps: dict[str, jax.Array], scale: jax.Array) -> jax.Array:
    from sf3d_jax.conversion import depth_change

    if "inverse_depth" in maps:
        return maps["inverse_depth"]
    if "depth" in maps:
        return depth_change.from_depths(maps["depth"], maps["depth"]).inv_depth
    same = maps["disparity"]
    return depth_change.from_disparities(same, same, scale).inv_depth


def _take_cameras(camera: Camera, next_camera: Camera | None) -> tuple[Camera, Camera | None]:
    """Moves the cameras into the axes of the first one, which are those of the results."""
    from sf3d_jax.camera import check_camera
    from sf3d_jax.camera._fields import edit

    origin = np.eye(3, 4, dtype=np.float32)
    for name, one in (("camera", camera), ("next_camera", next_camera)):
        if (name == "camera" or one is not None) and (batch := check_camera(name, one)):
            raise ValueError(f"{name}: expected one camera, got a batch {batch}")
    if next_camera is None:
        return edit(camera, world_to_camera=origin), None
    first, second = (
        check_poses_argument(f"{name}.world_to_camera", np.asarray(one.world_to_camera)[None])[0]
        for name, one in (("camera", camera), ("next_camera", next_camera))
    )
    moved = compose(second, invert(first)).astype(np.float32)
    return (
        edit(camera, world_to_camera=origin),
        edit(next_camera, world_to_camera=moved),
    )


def _check_size(name: str, camera: Camera | None, flow: np.ndarray) -> None:
    if camera is not None and camera.size != flow.shape[:2]:
        wanted, got = list(flow.shape[:2]), list(camera.size)
        advice = "camera.resize(size) gives the camera of resized images"
        raise ValueError(f"{name}: expected the size of the flow, {wanted}, got {got}; {advice}")


def project_maps(maps: SceneFlowMaps) -> ImageMotionMaps:
    """Computes the image motion of a scene flow: the inverse of `lift_maps`.

    A point X with scene flow s is seen at p, and X' = R (X + s) + t at p', with R, t from the first
    camera to the next (R = I and t = 0 without a next camera). Flow is p' - p, the inverse depth
    is d = 1 / z and its change 1 / z' - 1 / z.

    Args:
      maps: scene flow, points and cameras from `read_scene_flow_npz`. The pose of the camera is
        ignored without a next camera.

    Returns:
      ImageMotionMaps. A pixel is valid if its scene flow is valid and both ends of the motion are
      in front of the cameras.

    Raises:
      TypeError: the maps are not SceneFlowMaps, or a camera is not a `Camera`.
      ValueError: a camera is a batch, or a map differs in size from the camera.
    """
    import jax.numpy as jnp

    from sf3d_jax.conversion.scene_flow import image_motion

    if not isinstance(maps, SceneFlowMaps):
        got = type(maps).__name__
        raise TypeError(f"maps: expected SceneFlowMaps (vectors, points, valid, ...), got {got}")
    camera, next_camera = _take_cameras(maps.camera, maps.next_camera)
    vectors, points = (real_map(name, getattr(maps, name), 3) for name in ("vectors", "points"))
    known = valid_mask(maps.valid, points) & (points[..., 2] > 0)
    with np.errstate(over="ignore"):  # points with an infinite inverse depth become invalid
        inv_depth = zero_unless(known, 1 / np.where(known, points[..., 2], 1)).astype(np.float32)
    motion = image_motion(jnp.asarray(vectors), jnp.asarray(inv_depth), camera, next_camera)
    flow, change, shown = map(np.array, motion)
    valid = known & shown
    flow, inv_depth, change = (zero_unless(valid, x) for x in (flow, inv_depth, change))
    return ImageMotionMaps(flow, inv_depth, change, valid)
