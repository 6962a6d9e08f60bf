"""Cameras of each flow, from the flags of `sf3d convert`."""

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
      camera: camera of the first image.
      next_camera: camera of the second image, in the same world; None if the camera is taken as
        fixed.
      baseline: distance of the stereo cameras in metres, if known.
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
    """Finds the cameras of each flow.

    Args:
      fixed: flags of the first camera.
      moving: flags of the second camera.
      baseline: value of --baseline.
      flows: files of --flow.
      flow_paths: files and folders of --flow, as typed.

    Returns:
      A function from the index of a flow and its size, (height, width), to its cameras.

    Raises:
      ValueError: a file cannot be used, or a flow has no pose.
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
            say_if_off_centre(fixed.point_flags, camera)
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
    """Reads, for each flow, the pose of the second camera in the axes of the first."""
    if not paths:
        return None
    files = expand("next_pose", paths)
    if len(files) == 1:
        poses = data.read_poses(files[0])
        if len(poses) != len(flows):
            raise ValueError(
                f"--next-pose: {files[0]} holds {_format_count(poses, 'pose')} for "
                f"{_format_count(flows, 'flow')}; give one per flow, from its camera to the next"
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
    """Reads the cameras of each flow: those of its two frames."""
    cameras = _read_cameras(path, size)
    files = {str(_add_ending(name)): name for name in cameras}
    try:
        paired = data.pair_frames(flows, [*files], times=_read_times(path, list(cameras)))
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"--cameras: {path}: {error}") from None
    names = [files[str(first)] for first, _ in paired]
    if alone := [name for name, (_, after) in zip(names, paired, strict=True) if after is None]:
        listed = ", ".join(alone[:5]) + (" and more" if len(alone) > 5 else "")
        raise ValueError(f"--cameras: {path}: no camera for the frame after {listed}")
    pairs = [(cameras[files[str(a)]], cameras[files[str(b)]]) for a, b in paired]
    say_if_off_centre(f"--cameras {path}", *(camera for camera, _ in pairs))
    for name, (camera, _) in zip(names, pairs, strict=True):
        if camera.model != "pinhole":
            raise ValueError(
                f"--cameras: {path}: {name} has a lens ({camera.model}), but the result can only "
                "hold pinhole cameras; give the flow and cameras of undistorted images"
            )
    return pairs


def _read_cameras(path: Path, size: Size) -> dict[str, sf3d.Camera]:
    """Reads the cameras of a file or a folder, by the names of their images."""
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
    """Reads the time and the camera of each image; None if the file does not say them."""
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


def _add_ending(name: str) -> Path:
    """Adds an ending to the name of an image, which a camera file may leave out."""
    return Path(name if re.search(r"\.[A-Za-z]\w*$", name) else f"{name}.png")


def _resize(camera: sf3d.Camera, size: Size) -> sf3d.Camera:
    """Resizes a camera to the size of its flow; raises if the aspect ratio differs."""
    (height, width), (wanted_height, wanted_width) = camera.size, size
    if 2 * abs(height * wanted_width - width * wanted_height) > max(height + width, sum(size)):
        raise ValueError(
            f"--cameras: expected cameras of {wanted_width} x {wanted_height} pixels, or of the "
            f"same aspect ratio, got {width} x {height}"
        )
    return camera if camera.size == size else camera.resize(size)


def _format_count(things: Sequence[object] | np.ndarray, what: str) -> str:
    return f"1 {what}" if len(things) == 1 else f"{len(things)} {what}s"
