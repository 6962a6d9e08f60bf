"""Maps of one image to 3D scene flow and back, as files hold them: NumPy, with one mask."""

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

# In a larger image some rows are converted at a time.
_MOST_PIXELS = 2**20


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
    next_camera: Camera | None = None,
    valid: npt.ArrayLike | None = None,
    baseline: float | None = None,
) -> dict[str, np.ndarray]:
    """The scene flow of one image, from its flow and whichever pair of maps there is.

    With d = 1 / z the inverse depth and c its change, z' = 1 / (d + c), the points are
    X = z ray(p), and X' = z' ray'(p + flow) in the axes of the camera of the next image, into which
    R, t take points of the first one. The vectors are R^-1 (X' - t) - X, in the axes of the first
    camera. Without a next camera R = 1 and t = 0: the camera is taken as fixed, and its own motion
    is part of the scene flow, as in KITTI.

    A large image is converted band by band, so that little memory is needed beside the result;
    each of the maps is looked up once, and may be read from its file only then.

    Args:
      flow: [H, W, 2], pixels.
      maps: two maps [H, W] or [H, W, 1] by their names, a pair of `GEOMETRIES`: disparity in
        pixels, depth in metres, inverse_depth and inverse_depth_change per metre, motion_in_depth
        z' / z. All lie on the pixels of the first image, those of the next time too; z' is the
        depth, and the next disparity that, in the camera of the next image.
      camera: one camera of that size, with or without a lens. Without a next camera its pose plays
        no part.
      next_camera: of the next image, in the same world; with it the motion of the camera is removed
        and a still world has no scene flow.
      valid: bool [H, W], which pixels are known; all, if not given.
      baseline: distance of the stereo cameras in metres; only disparities need it.

    Returns:
      Arrays by name, as `write_scene_flow_npz` takes them: vectors and points [H, W, 3], in metres,
      valid, bool [H, W], flow [H, W, 2], as given, inv_depth and inv_depth_change [H, W]. A pixel
      is valid where all given numbers are finite, both depths positive and both ends lie where the
      lens is one-to-one; elsewhere all but the flow are 0.

    Raises:
      TypeError: a camera is not a camera, or the baseline is not a number.
      ValueError: a camera is a batch, of another size than the flow, or no rotation; the maps are
        not such a pair, or differ in size; a path is given for an array; or the baseline is not
        positive, or missing for disparities.
    """
    first, second = _take_cameras(camera, next_camera)
    scale = None if baseline is None else check_baseline(baseline) * float(camera.focal[0])
    motion = real_map("flow", flow, 2)
    for name, one in (("camera", first), ("next_camera", second)):
        _check_size(name, one, motion)
    _check_pair(maps)
    if scale is None and "disparity" in set(maps):
        raise ValueError("baseline: expected metres for disparities, got None")
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
    """Inverse depth and its change; takes the pixels from `known` that have none.

    Disparities are divided by `scale`, those of the next time after they were multiplied by `zoom`,
    the focal length per that of the next camera.
    """
    import jax.numpy as jnp

    arrays = {name: _read_map(name, maps[name], known.shape) for name in maps}
    if zoom != 1 and "next_disparity" in arrays:
        arrays["next_disparity"] = arrays["next_disparity"] * np.float32(zoom)
    inv_depth, change = (np.zeros(known.shape, np.float32) for _ in range(2))
    for rows in _bands(known.shape):
        for values in arrays.values():
            known[rows] &= np.isfinite(values[rows])
        given = {
            name: jnp.asarray(zero_unless(known[rows], values[rows]))
            for name, values in arrays.items()
        }
        d, c, found = map(np.asarray, _inverse_depths(given, jnp.float32(scale)))
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
    """Scene flow and points; takes the pixels from `known` that have none."""
    import jax.numpy as jnp

    from sf3d_jax.camera.projection import pixel_grid, unproject
    from sf3d_jax.conversion.scene_flow import scene_flow

    vectors, points = (np.zeros((*known.shape, 3), np.float32) for _ in range(2))
    for rows in _bands(known.shape):
        near = _crop(cameras[0], rows, known.shape)
        then = None if cameras[1] is None else _crop(cameras[1], rows, known.shape)
        d = jnp.asarray(inv_depth[rows])
        lifted = scene_flow(jnp.asarray(flow[rows]), d, jnp.asarray(change[rows]), near, then)
        known[rows] &= np.asarray(lifted.valid)
        ends = unproject(pixel_grid(near.size).astype(np.float32), d, near).points
        vectors[rows] = zero_unless(known[rows], np.asarray(lifted.vectors))
        points[rows] = zero_unless(known[rows], np.asarray(ends))
    return vectors, points


def _bands(size: tuple[int, int]) -> list[slice]:
    """Rows that are converted at a time: bands of one height, of which the last two may overlap."""
    height, width = size
    step = min(height, max(1, _MOST_PIXELS // width))
    starts = [*range(0, height - step, step), height - step]
    return [slice(start, start + step) for start in starts]


def _crop(camera: Camera, rows: slice, size: tuple[int, int]) -> Camera:
    """The camera of some rows, from which pixels of the next image are counted, too."""
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
    """The names that are meant by those that are unknown, such as inv_depth."""
    known = dict.fromkeys(name for pair in GEOMETRIES for name in pair)
    near = {name: difflib.get_close_matches(str(name), known, 1) for name in names}
    meant = [
        f"{found[0]} for {name}" for name, found in near.items() if found and name not in known
    ]
    return f"; did you mean {', '.join(meant)}?" if meant else ""


def _read_map(name: str, values: npt.ArrayLike, size: tuple[int, ...]) -> np.ndarray:
    # As the files may have it; `real_map` says what else is wrong.
    is_last_one = getattr(values, "shape", ())[2:] == (1,)
    array = real_map(name, values, 1)[..., 0] if is_last_one else real_map(name, values)
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


def _take_cameras(camera: Camera, next_camera: Camera | None) -> tuple[Camera, Camera | None]:
    """The cameras in the world of the first one: its own axes are those of the results."""
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
        advice = "camera.resize(size) is that of resized images"
        raise ValueError(f"{name}: expected the size {wanted} of the flow, got {got}; {advice}")


def project_maps(maps: SceneFlowMaps) -> ImageMotionMaps:
    """The motion in the image of a scene flow: the inverse of `lift_maps`.

    Args:
      maps: as `read_scene_flow_npz` returns them. Without a next camera the pose of their camera
        plays no part.

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
    camera, next_camera = _take_cameras(maps.camera, maps.next_camera)
    vectors, points = (real_map(name, getattr(maps, name), 3) for name in ("vectors", "points"))
    known = valid_mask(maps.valid, points) & (points[..., 2] > 0)
    with np.errstate(over="ignore"):  # an infinite inverse depth is no surface
        inv_depth = zero_unless(known, 1 / np.where(known, points[..., 2], 1)).astype(np.float32)
    motion = image_motion(jnp.asarray(vectors), jnp.asarray(inv_depth), camera, next_camera)
    flow, change, shown = map(np.array, motion)
    valid = known & shown
    flow, inv_depth, change = (zero_unless(valid, x) for x in (flow, inv_depth, change))
    return ImageMotionMaps(flow, inv_depth, change, valid)
