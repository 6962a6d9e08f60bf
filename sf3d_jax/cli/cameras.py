"""The cameras of each flow, as the flags of `sf3d convert` say them."""

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.cli.files import expand, find_partners
from sf3d_jax.cli.inputs import CameraFlags, MovingCameraFlags
from sf3d_jax.cli.reading import read_camera, say_if_off_centre

Size = tuple[int, int]

_COLMAP = {f"{name}.{end}" for name in ("cameras", "images", "points3D") for end in ("bin", "txt")}


class Cameras(NamedTuple):
    """The cameras of a pair of images.

    Attributes:
      camera: of the first image.
      next_camera: of the second one, in the same world; None if the camera is taken as fixed.
      baseline: distance of the stereo cameras in metres, where it is known.
    """

    camera: sf3d.Camera
    next_camera: sf3d.Camera | None
    baseline: float | None


def find_cameras(
    fixed: CameraFlags,
    moving: MovingCameraFlags,
    baseline: float | None,
    flows: Sequence[Path],
    flow_paths: Sequence[Path],
) -> Callable[[int, Size], Cameras]:
    """Finds out which cameras belong to which flow.

    Args:
      fixed: the flags of the first camera.
      moving: those of the second one.
      baseline: the flag.
      flows: the files of --flow.
      flow_paths: files and folders of --flow, as they were typed.

    Returns:
      A function of the place of a flow and of its size, (height, width), that reads its cameras.

    Raises:
      ValueError: a file cannot be used, or flows lack their poses.
      OSError: a file is missing.
    """
    if moving.cameras is not None:
        size = data.read_flow(flows[0]).flow.shape[:2]
        pairs = _read_table(moving.cameras, flows, size)
        return lambda i, size: Cameras(*(_resize(one, size) for one in pairs[i]), baseline)
    poses = _read_next_poses(moving.next_pose, flows, flow_paths)
    looked_at: set[Size] = set()

    def read(i: int, size: Size) -> Cameras:
        camera, measured = read_camera(fixed, size, baseline)
        if size not in looked_at:
            looked_at.add(size)
            say_if_off_centre(fixed.of_point, camera)
        if not moving.is_given:
            return Cameras(camera, None, measured)
        then = camera
        if moving.next_calibration is not None:
            then = data.read_kitti_calibration(moving.next_calibration, size=size).camera
        if poses is not None:
            then = dataclasses.replace(then, world_to_camera=poses[i])
        return Cameras(camera, then, measured)

    return read


def _read_next_poses(
    paths: Sequence[Path], flows: Sequence[Path], flow_paths: Sequence[Path]
) -> Sequence[np.ndarray] | None:
    """The pose of the second camera in the axes of the first, for each flow."""
    if not paths:
        return None
    files = expand("next_pose", paths)
    if len(files) == 1:
        poses = data.read_poses(files[0])
        if len(poses) != len(flows):
            raise ValueError(
                f"--next-pose: {files[0]} holds {_count(poses, 'pose')} for "
                f"{_count(flows, 'flow')}; give one a flow, from its camera to the next one"
            )
        return list(poses)
    single = []
    for path in find_partners("next_pose", paths, flows, flow_paths):
        poses = data.read_poses(path)
        if len(poses) > 1:
            raise ValueError(f"--next-pose: {path} holds {len(poses)} poses for one flow")
        single.append(poses[0])
    return single


def _read_table(
    path: Path, flows: Sequence[Path], size: Size
) -> list[tuple[sf3d.Camera, sf3d.Camera]]:
    """The camera of each flow's frame, and that of the frame after it."""
    cameras = _read_cameras(path, size)
    files = {str(_as_file(name)): name for name in cameras}
    try:
        paired = data.pair_frames(flows, [*files], times=_read_times(path, list(cameras)))
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"--cameras: {path}: {error}") from None
    names = [files[str(first)] for first, _ in paired]
    if alone := [name for name, (_, after) in zip(names, paired, strict=True) if after is None]:
        listed = ", ".join(alone[:5]) + (" and more" if len(alone) > 5 else "")
        raise ValueError(f"--cameras: {path}: there is no camera of the frame after {listed}")
    pairs = [(cameras[files[str(a)]], cameras[files[str(b)]]) for a, b in paired]
    say_if_off_centre(f"--cameras {path}", *(camera for camera, _ in pairs))
    for name, (camera, _) in zip(names, pairs, strict=True):
        if camera.model != "pinhole":
            raise ValueError(
                f"--cameras: {path}: {name} has a lens, {camera.model}, and the result holds "
                "pinholes; give flow and cameras of undistorted images"
            )
    return pairs


def _read_cameras(path: Path, size: Size) -> dict[str, sf3d.Camera]:
    """The cameras of a file or a folder by the names of their images."""
    if path.is_dir():
        table = path / "transforms.json"
        if any(path.glob("cameras.*")) or not table.is_file():
            return data.read_colmap(path)
        path = table
    elif path.name in _COLMAP:
        raise ValueError(
            f"--cameras: {path} is one file of a COLMAP model; name its folder, {path.parent}"
        )
    listed = data.read_image_cameras(path, size=size)
    names = [x.image or f"{i}" for i, x in enumerate(listed)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"--cameras: {path}: there are two cameras for {twice}")
    return {name: x.camera for name, x in zip(names, listed, strict=True)}


def _read_times(path: Path, names: Sequence[str]) -> list[tuple[int, str]] | None:
    """The time and the camera of each image, where a transforms.json says them."""
    if path.is_dir():
        return None
    tree = json.loads(path.read_bytes())
    frames = tree.get("frames") if isinstance(tree, dict) else None
    found = {}
    for frame in frames if isinstance(frames, list) else ():
        if isinstance(frame, dict) and isinstance(time := frame.get("timestep_index"), int):
            found[frame.get("file_path")] = time, f"{frame.get('camera_index')}"
    times = [found[name] for name in names if name in found]
    return times if len({*times}) == len(names) else None


def _as_file(name: str) -> Path:
    """The name of an image with an ending, which a file of cameras may leave out."""
    return Path(name if re.search(r"\.[A-Za-z]\w*$", name) else f"{name}.png")


def _resize(camera: sf3d.Camera, size: Size) -> sf3d.Camera:
    """The camera of the image at the size of its flow; raises for another shape."""
    (height, width), (wanted_height, wanted_width) = camera.size, size
    if 2 * abs(height * wanted_width - width * wanted_height) > max(height + width, sum(size)):
        raise ValueError(
            f"--cameras: expected {wanted_width} x {wanted_height} pixels, or a multiple or "
            f"fraction, got a camera of {width} x {height}"
        )
    return camera if camera.size == size else camera.resize(size)


def _count(things: Sequence[object] | np.ndarray, what: str) -> str:
    return f"1 {what}" if len(things) == 1 else f"{len(things)} {what}s"
