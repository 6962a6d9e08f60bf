"""The work of `sf3d convert`, one set of files at a time."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import sf3d_jax as sf3d
from sf3d_jax import data, depth_change
from sf3d_jax.data._files import write_bytes

if TYPE_CHECKING:
    from sf3d_jax.cli.convert import Convert
    from sf3d_jax.cli.fit import Fit

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
ENDINGS = {
    "kitti": (".png", ".png"),
    "flo": (".flo", ".pfm"),
    "pfm": (".pfm", ".pfm"),
    "npy": (".npy", ".npy"),
}
_RESULT = "a result of `sf3d convert` (.npz)"


class Optics(NamedTuple):
    """A camera and, where it is known, the baseline in metres."""

    camera: sf3d.Camera
    baseline: float | None


def convert_files(files: dict[str, Path], target: Path, options: "Convert") -> str:
    """Converts one set of files.

    Args:
      files: by the name of their flag.
      target: the .npz to write.
      options: the command's flags.

    Returns:
      One line that says what was done.

    Raises:
      ValueError: a file, or the files together, cannot be used.
      OSError: a file is missing or cannot be written.
    """
    flow, valid = data.read_flow(files["flow"])
    size = flow.shape[:2]
    optics = read_optics(options, size)
    maps = {}
    for name in sorted(files.keys() - {"flow", "image"}):
        values, known = read_map(name, files[name], options)
        check_size(files[name], values.shape, files["flow"], size)
        maps[name] = values
        valid = valid & known
    picture = _read_image(files, size) if options.picture else None
    inv_depth, change, known = _inverse_depths(maps, optics)
    valid = valid & known
    inv_depth, change = (np.where(valid, x, 0) for x in (inv_depth, change))

    lifted = sf3d.scene_flow(flow, inv_depth, change, optics.camera)
    valid = valid & np.array(lifted.valid)
    vectors = np.where(valid[..., None], lifted.vectors, 0)
    points = sf3d.unproject(sf3d.pixel_grid(size), inv_depth, optics.camera).points
    result = {
        "vectors": vectors,
        "valid": valid,
        "points": np.where(valid[..., None], points, 0),
        "flow": flow,
        "inv_depth": inv_depth,
        "inv_depth_change": change,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    write_result(target, result, optics)
    if options.picture:
        _draw(target.with_name(f"{target.stem}_picture.png"), result, picture)
    lengths = np.linalg.norm(vectors[valid], axis=-1)
    median = f", {np.median(lengths):.3g} m in the median" if valid.any() else ""
    return f"{target}: {100 * valid.mean():.1f} % valid{median}"


def read_optics(options: "Convert | Fit", size: tuple[int, int]) -> Optics:
    """The camera that the flags say.

    Args:
      options: the command.
      size: (height, width) of the images.

    Returns:
      The camera, and the baseline where it is known.

    Raises:
      ValueError: the calibration cannot be used.
      OSError: it is missing.
    """
    given = getattr(options, "baseline", None)
    if options.calibration is None:
        numbers = options.fx, options.fy, options.cx, options.cy
        return Optics(sf3d.Camera.pinhole(*numbers, size), given)
    camera, baseline = data.read_kitti_calibration(options.calibration, size=size)
    return Optics(camera, baseline if given is None else given)


def read_map(name: str, path: Path, options: "Convert | Fit") -> tuple[np.ndarray, np.ndarray]:
    """Reads one scalar map in the unit that the flags say.

    Args:
      name: of the kind of map.
      path: of the file.
      options: the command.

    Returns:
      Values, (H, W), depths in metres, and which are known.

    Raises:
      ValueError: the file cannot be used, or flags lack its scale.
      OSError: it is missing.
    """
    if name.endswith("disparity"):
        return data.read_disparity(path)
    scale = options.png_scale if path.suffix.lower() == ".png" else None
    if path.suffix.lower() == ".png" and scale is None:
        raise ValueError(f"{path}: say with --png-scale what a code of 1 means (code / scale)")
    values, known = data.read_map(path, scale=scale)
    unit = METRES[options.depth_unit] if name in ("depth", "next_depth") else 1.0
    return values * np.float32(unit), known


def check_size(
    path: Path, shape: tuple[int, ...], first: Path, size: tuple[int, ...], what: str = "flow"
) -> None:
    """Refuses a map of another size than the first one.

    Args:
      path: of the map.
      shape: (height, width).
      first: the path of the first one.
      size: its (height, width).
      what: the first one is.

    Raises:
      ValueError: they differ.
    """
    if shape != size:
        found, wanted = (f"{w} x {h}" for h, w in (shape, size))
        raise ValueError(f"{path}: has {found} pixels, but the {what} {first} has {wanted}")


def _inverse_depths(maps: dict[str, np.ndarray], optics: Optics) -> Any:
    """(inverse depth, its change, valid) from whichever pair of maps was given."""
    match sorted(maps):
        case ["disparity", "next_disparity"]:
            scale = _focal_baseline(optics)
            return depth_change.from_disparities(maps["disparity"], maps["next_disparity"], scale)
        case ["depth", "next_depth"]:
            return depth_change.from_depths(maps["depth"], maps["next_depth"])
    inv_depth = _first_inverse_depth(maps, optics)
    if "inverse_depth_change" in maps:
        change = maps["inverse_depth_change"]
        return inv_depth, change, np.array(depth_change.to_depths(inv_depth, change).valid)
    converted = depth_change.from_motion_in_depth(maps["motion_in_depth"], inv_depth)
    return inv_depth, np.array(converted.values), np.array(converted.valid)


def _first_inverse_depth(maps: dict[str, np.ndarray], optics: Optics) -> np.ndarray:
    if "inverse_depth" in maps:
        return maps["inverse_depth"]
    if "depth" in maps:
        return np.array(depth_change.from_depths(maps["depth"], maps["depth"]).inv_depth)
    same = maps["disparity"]
    return np.array(depth_change.from_disparities(same, same, _focal_baseline(optics)).inv_depth)


def _focal_baseline(optics: Optics) -> float:
    if optics.baseline is None:
        raise ValueError("disparities need --baseline METRES or a --calibration with both cameras")
    return float(optics.camera.focal[0] * optics.baseline)


def write_result(target: Path, result: dict[str, Any], optics: Optics) -> None:
    """Writes maps and their camera.

    Args:
      target: the .npz to write.
      result: arrays by name.
      optics: of the first image.

    Raises:
      OSError: the file cannot be written.
    """
    camera = optics.camera
    arrays = {
        "camera_focal": camera.focal,
        "camera_principal_point": camera.principal_point,
        "camera_world_to_camera": camera.world_to_camera,
        "camera_size": camera.size,
        "camera_model": camera.model,
    }
    if optics.baseline is not None:
        arrays["camera_baseline"] = optics.baseline
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **result, **arrays)
    write_bytes(target, buffer.getvalue())


def _read_image(files: dict[str, Path], size: tuple[int, ...]) -> np.ndarray | None:
    """The first image, if there is one: before anything is written, as it may be a bad file."""
    if "image" not in files:
        return None
    image = data.read_image(files["image"])
    check_size(files["image"], image.shape[:2], files["flow"], size)
    return image


def _draw(target: Path, result: dict[str, Any], image: np.ndarray | None) -> None:
    from sf3d_jax.views import picture_sheet

    names = ("flow", "inv_depth", "vectors", "valid")
    data.write_image(target, picture_sheet(*(result[name] for name in names), image=image))


def convert_back(path: Path, folder: Path, format: str) -> str:
    """Writes the image motion of one result of `convert_files`.

    Args:
      path: the .npz.
      folder: where the files go; they are named after it.
      format: "kitti", "flo", "pfm" or "npy".

    Returns:
      One line that says what was done.

    Raises:
      ValueError: the file is no such result, or values do not fit the format.
      OSError: a file is missing or cannot be written.
    """
    vectors, points, valid, optics = _read_result(path)
    inv_depth = np.where(valid, 1 / np.where(valid, points[..., 2], 1), 0).astype(np.float32)
    flow, change, shown = map(np.array, sf3d.image_motion(vectors, inv_depth, optics.camera))
    valid = valid & shown
    folder.mkdir(parents=True, exist_ok=True)
    of_flow, of_map = ENDINGS[format]
    write = lambda kind, ending: folder / f"{path.stem}_{kind}{ending}"
    written = [write("flow", of_flow)]
    try:
        data.write_flow(written[0], flow, valid)
        if optics.baseline is not None:
            pair = depth_change.to_disparities(inv_depth, change, _focal_baseline(optics))
            for kind, values in (("disparity", pair.first), ("next_disparity", pair.second)):
                written.append(write(kind, of_map))
                data.write_disparity(written[-1], values, valid & np.array(pair.valid))
        else:
            pair = depth_change.to_depths(inv_depth, change)
            of_map = ".npy" if of_map == ".png" else of_map
            for kind, values in (("depth", pair.first), ("next_depth", pair.second)):
                written.append(write(kind, of_map))
                data.write_map(written[-1], values, valid & np.array(pair.valid))
    except data.FormatError:
        raise
    except ValueError as error:
        raise ValueError(f"{path}: {error}; --format flo, pfm or npy holds any value") from None
    return ", ".join(map(str, written))


def _read_result(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, Optics]:
    content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            result = dict(file)
        camera = sf3d.Camera(
            result["camera_focal"],
            result["camera_principal_point"],
            result["camera_world_to_camera"],
            size=tuple(int(n) for n in result["camera_size"]),
            model=str(result["camera_model"]),
        )
        baseline = float(result["camera_baseline"]) if "camera_baseline" in result else None
        vectors, points, valid = (result[name] for name in ("vectors", "points", "valid"))
    except KeyError as error:
        raise data.FormatError(path, _RESULT, f"no array {error}") from None
    except Exception:  # a broken archive raises half a dozen kinds
        raise data.FormatError(path, _RESULT, "no whole archive of arrays") from None
    wanted = (*camera.size, 3), (*camera.size, 3), camera.size
    found = vectors.shape, points.shape, valid.shape
    if found != wanted:
        raise data.FormatError(path, f"maps of the shapes {wanted}", f"{found}")
    return vectors, points, valid, Optics(camera, baseline)
