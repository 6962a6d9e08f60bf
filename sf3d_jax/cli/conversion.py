"""Conversion of one set of files by `sf3d convert`: image motion to scene flow, or back."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

import sf3d_jax as sf3d
from sf3d_jax import data, depth_change
from sf3d_jax.cli.cameras import Cameras
from sf3d_jax.cli.ego import choose_inverse_depth, write_ego_motion
from sf3d_jax.cli.reading import check_same_size, describe_scene_flow, read_map

# Endings of (flow, scalar maps), by the value of --format.
ENDINGS = {
    "kitti": (".png", ".png"),
    "flo": (".flo", ".pfm"),
    "pfm": (".pfm", ".pfm"),
    "npy": (".npy", ".npy"),
}


def convert_files(
    files: dict[str, Path],
    target: Path,
    *,
    cameras: Callable[[tuple[int, int]], Cameras],
    depth_unit: str,
    png_scale: float | None,
    picture: bool,
    ego: bool,
) -> str:
    """Converts the flow and the maps of one pair of images.

    Args:
      files: paths by the names of their flags.
      target: .npz file to write, in an existing folder.
      cameras: gives the cameras for a size, (height, width).
      depth_unit: value of --depth-unit.
      png_scale: value of --png-scale.
      picture: value of --picture.
      ego: value of --ego.

    Returns:
      Lines that say what was written.

    Raises:
      ValueError: a file cannot be used, or the files do not go together.
      OSError: a file is missing or cannot be written.
    """
    flow, valid = _read_flow(files["flow"])
    size = flow.shape[:2]
    camera, next_camera, baseline = found = cameras(size)
    # Read before anything is written, because the image may be a bad file.
    image = _read_image(files, size) if picture else None
    maps = _MapFiles(files, size, depth_unit, png_scale)
    if baseline is None and "disparity" in files:
        raise ValueError("disparities need --baseline METRES or a --calibration with both cameras")
    result = data.lift_maps(
        flow, maps, camera, next_camera=next_camera, valid=valid, baseline=baseline
    )
    if not result["valid"].any():
        listed = ", ".join(str(path) for name, path in sorted(files.items()) if name != "image")
        raise ValueError(f"{files['flow']}: no pixel is valid in all of {listed}")
    data.write_scene_flow_npz(target, result, camera, baseline=baseline, next_camera=next_camera)
    is_fixed = _is_fixed(camera, next_camera)
    lines = [describe_scene_flow(target, result, is_fixed=is_fixed)]
    if ego:
        draw = functools.partial(_draw, image=image, is_fixed=False)
        lines.append(write_ego_motion(target, result, found, draw if picture else None))
    # Free memory for the figure, which does not show the points.
    del result["points"]
    if picture:
        _draw(target.with_name(f"{target.stem}_picture.png"), result, image, is_fixed)
    return "\n".join(lines)


def find_motion(
    files: dict[str, Path],
    target: Path,
    *,
    cameras: Callable[[tuple[int, int]], Cameras],
    depth_unit: str,
    png_scale: float | None,
) -> str:
    """Finds the camera's motion from a flow, and the depth of the first image if it is given.

    Args:
      files: paths by the names of their flags: flow, and at most one of disparity, depth and
        inverse_depth.
      target: .npz file that a conversion would write; see `write_ego_motion`.
      cameras: gives the cameras for a size, (height, width).
      depth_unit: value of --depth-unit.
      png_scale: value of --png-scale.

    Returns:
      Lines that say what was written, and how the camera moved.

    Raises:
      ValueError: a file cannot be used, or the files do not go together.
      OSError: a file is missing or cannot be written.
    """
    flow, valid = _read_flow(files["flow"])
    size = flow.shape[:2]
    found = cameras(size)
    maps = {"flow": flow, "valid": valid}
    given = dict(_MapFiles(files, size, depth_unit, png_scale))
    inv_depth = choose_inverse_depth(given, found, path=files["flow"])
    if inv_depth is not None:
        known = valid & np.isfinite(inv_depth) & (inv_depth > 0)
        if not known.any():
            raise ValueError(f"{files['flow']}: no pixel has both a flow and a depth")
        maps |= {"inv_depth": inv_depth, "valid": known}
    return write_ego_motion(target, maps, found)


def _read_flow(path: Path) -> data.FlowMap:
    """Reads a flow, at least one pixel of which is known."""
    flow = data.read_flow(path)
    if not flow.valid.any():
        raise ValueError(f"{path}: no pixel has a flow: all are invalid or NaN")
    return flow


def _is_fixed(camera: sf3d.Camera, next_camera: sf3d.Camera | None) -> bool:
    """Whether the camera did not move; its lens may have changed."""
    if next_camera is None:
        return True
    return np.array_equal(camera.world_to_camera, next_camera.world_to_camera)


class _MapFiles(Mapping[str, np.ndarray]):
    """The maps that go with a flow; each is read when it is looked up, to save memory."""

    def __init__(
        self, files: dict[str, Path], size: tuple[int, int], unit: str, png_scale: float | None
    ) -> None:
        """Keeps the paths, by the names of their flags, and how to read them."""
        self._files, self._size = files, size
        self._unit, self._png_scale = unit, png_scale
        self._names = sorted(files.keys() - {"flow", "image"})

    def __getitem__(self, name: str) -> np.ndarray:
        """Reads a map, with NaN where it is unknown."""
        values, known = read_map(name, self._files[name], self._unit, self._png_scale)
        check_same_size(self._files[name], values.shape, self._files["flow"], self._size)
        return values if known.all() else np.where(known, values, np.float32(np.nan))

    def __iter__(self) -> Iterator[str]:
        """Iterates over the names of the maps."""
        return iter(self._names)

    def __len__(self) -> int:
        """The number of maps."""
        return len(self._names)


def _read_image(files: dict[str, Path], size: tuple[int, ...]) -> np.ndarray | None:
    if "image" not in files:
        return None
    image = data.read_unit_image(files["image"])
    check_same_size(files["image"], image.shape[:2], files["flow"], size)
    # In place, to save memory with large images.
    return np.rint(np.multiply(image, 255, out=image), out=image).astype(np.uint8)


def _draw(
    target: Path, result: dict[str, np.ndarray], image: np.ndarray | None, is_fixed: bool
) -> None:
    from sf3d_jax.views import picture_sheet

    names = ("flow", "inv_depth", "vectors", "valid")
    change = result["inv_depth_change"]
    shown = {"image": image, "inv_depth_change": change, "camera_is_fixed": is_fixed}
    sheet = picture_sheet(*(result[x] for x in names), **shown)
    data.write_image(target, sheet)


def convert_back(path: Path, folder: Path, format: str | None) -> str:
    """Writes the image motion of one result of `convert_files`.

    Args:
      path: .npz file to read.
      folder: existing folder for the files, which are named after the .npz.
      format: key of `ENDINGS`; None for "kitti" if the result has a baseline, else for "npy", which
        keeps all digits.

    Returns:
      One line that says what was written.

    Raises:
      ValueError: the file is not such a result, or the format cannot hold a value.
      OSError: a file is missing or cannot be written.
    """
    maps = data.read_scene_flow_npz(path)
    motion = data.project_maps(maps)
    chosen = format or ("npy" if maps.baseline is None else "kitti")
    of_flow, of_map = ENDINGS[chosen]
    if chosen == "kitti" and maps.baseline is None:
        raise ValueError(
            f"{path}: has no baseline, but --format kitti writes disparities; "
            "use --format flo, pfm or npy"
        )
    written = []
    with _name_file(path):
        for kind, values, valid in _iterate_maps(maps, motion):
            ending = of_flow if kind == "flow" else of_map
            written.append(folder / f"{path.stem}_{kind}{ending}")
            _WRITERS[kind.removeprefix("next_")](written[-1], values, valid)
    rounded = "; flow is rounded to 1/64 px, disparity to 1/256" if chosen == "kitti" else ""
    return ", ".join(map(str, written)) + rounded


_WRITERS = {
    "flow": data.write_flow,
    "disparity": data.write_disparity,
    "depth": data.write_map,
}


def _iterate_maps(
    maps: data.SceneFlowMaps, motion: data.ImageMotionMaps
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Computes the flow and the maps that go with it: yields kind, values and validity."""
    flow, inv_depth, change, valid = motion
    yield "flow", flow, valid
    if maps.baseline is None:
        kind, pair = "depth", depth_change.to_depths(inv_depth, change)
        second = pair.second
    else:
        scale = float(maps.camera.focal[0] * maps.baseline)
        kind, pair = "disparity", depth_change.to_disparities(inv_depth, change, scale)
        then = maps.camera if maps.next_camera is None else maps.next_camera
        second = pair.second * np.float32(then.focal[0] / maps.camera.focal[0])
    known = valid & np.array(pair.valid)
    yield kind, np.array(pair.first), known
    yield f"next_{kind}", np.array(second), known


@contextlib.contextmanager
def _name_file(path: Path) -> Iterator[None]:
    """Names the file, and the formats to use instead, if a format cannot hold a value."""
    try:
        yield
    except data.FormatError:
        raise
    except ValueError as error:
        raise ValueError(f"{path}: {error}; --format flo, pfm or npy holds any value") from None
