"""Writes data in the layout of SRFlow3D, frame by frame, so that readers of SRFlow3D can read it.

Each file is written under a temporary name and renamed. The camera is added to
camera/ID/spirals.json after the maps of its frame: a frame counts as written once its camera is in
the file. A frame that is written again loses its camera first. Frames that are written in the order
of their numbers cost the same, however many there are. An interrupted job can resume, and ends with
the same files:

    writer = SRFlow3DWriter(root, "train", scale=2.0)
    for frame in range(256):
        if not writer.has("018", frame):
            writer.write("018", frame, camera=..., image=..., mask=..., inv_depth=..., ...)
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import PathLike
from sf3d_jax.data.arrays import real_map, valid_mask
from sf3d_jax.data.cameras.checks import check_camera_argument
from sf3d_jax.data.maps import read_map, write_flow, write_map
from sf3d_jax.data.maps.images import write_image, write_mask
from sf3d_jax.data.sets._listing import Place
from sf3d_jax.data.sets.srflow3d import layout
from sf3d_jax.data.sets.srflow3d.cameras.growing import CameraFile
from sf3d_jax.data.sets.srflow3d.scale import measure_scale

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.\w+")
_LEAST = 1e-30
_MOTIONS = {"forward": layout.FORWARD, "backward": layout.BACKWARD}


class Motion(NamedTuple):
    """The motion from one frame to another.

    Attributes:
      flow: [H, W, 2] in pixels, on the grid of the frame that it starts from.
      inv_depth_change: [H, W], 1/z1 - 1/z0 of the same point, per metre, on that grid.
    """

    flow: npt.ArrayLike
    inv_depth_change: npt.ArrayLike


class SRFlow3DWriter:
    """Writes one split, with at most one writer per subject at a time."""

    def __init__(self, root: PathLike, split: str, *, scale: float) -> None:
        """Opens a split; existing files are kept.

        Args:
          root: folder of the splits; created if it is missing.
          split: "train", "test" or another name.
          scale: scaled inverse depth over inverse depth, one for the whole data set.

        Raises:
          TypeError: the split is not a string.
          ValueError: the scale is not positive, or the split is not a valid folder name.
        """
        if not 0 < scale < np.inf:
            raise ValueError(f"scale: expected a positive number, got {scale}")
        self.top = Path(root) / _check_name("split", split)
        self.scale = float(scale)
        self._cameras: dict[str, CameraFile] = {}

    def has(self, subject: str, frame: int) -> bool:
        """Whether a frame was already written, by this writer or an earlier one.

        Args:
          subject: identifier of the subject, the name of its folders.
          frame: frame number.

        Returns:
          True if its camera, which is written last, its images and its depths exist.

        Raises:
          FormatError: the file of cameras cannot be read.
          TypeError: the subject is not a string.
          ValueError: the subject is not a valid folder name, or existing frames have another scale.
        """
        stem = _format_stem(frame)
        return frame in self._open_subject(subject).frames and all(
            self._get_path(place, subject, stem).is_file() for place in layout.FRAMES.values()
        )

    def write(
        self,
        subject: str,
        frame: int,
        *,
        camera: Camera,
        image: npt.ArrayLike,
        mask: npt.ArrayLike,
        inv_depth: npt.ArrayLike,
        forward: Motion | None = None,
        backward: Motion | None = None,
    ) -> None:
        """Writes all files of a frame, its camera last.

        Args:
          subject: identifier of the subject, the name of its folders.
          frame: frame number, from 0.
          camera: camera of the frame; all cameras of a subject share one world.
          image: uint8 [H, W, 3].
          mask: bool [H, W], where the subject is.
          inv_depth: real [H, W], per metre; not positive where there is no surface.
          forward: motion to the next frame; None for the last frame.
          backward: motion to the previous frame; None for the first frame.

        Raises:
          TypeError: subject is not a string, camera is not a Camera, or a motion is not a Motion.
          ValueError: the camera has another size or is a batch, a motion is non-finite somewhere in
            the mask, or existing frames have another scale.
          OSError: a file cannot be written.
        """
        inv_depth = real_map("inv_depth", inv_depth)
        size, stem = inv_depth.shape, _format_stem(frame)
        check_camera_argument("camera", camera)
        image, mask = _check_images(size, camera, image, mask)
        motions = {
            name: _check_motion(name, size, motion, mask)
            for name, motion in (("forward", forward), ("backward", backward))
            if motion is not None
        }
        cameras = self._open_subject(subject)
        if cameras.size not in (None, size):
            raise ValueError(f"inv_depth: expected {cameras.size}, as in other frames, got {size}")
        # An inverse depth close to 0 would give an infinite depth.
        surface = valid_mask(None, inv_depth) & (inv_depth > _LEAST)
        inv_depth = np.where(surface, inv_depth, np.float32(0))
        depth = np.divide(1, inv_depth, out=np.zeros_like(inv_depth), where=surface)

        cameras.remove(frame)
        path = {name: self._get_path(place, subject, stem) for name, place in layout.FRAMES.items()}
        write_image(_make_folder(path["render"]), image)
        write_mask(_make_folder(path["mask"]), mask)
        write_map(_make_folder(path["depth"]), depth)
        write_map(_make_folder(path["scaled_inv_depth"]), inv_depth * np.float32(self.scale))
        for name, places in _MOTIONS.items():
            of_flow = self._get_path(places.flow, subject, stem)
            of_change = self._get_path(places.change, subject, stem)
            if name in motions:
                flow, change = motions[name]
                write_flow(_make_folder(of_flow), flow)
                write_map(_make_folder(of_change), change * np.float32(self.scale))
            else:
                of_flow.unlink(missing_ok=True)
                of_change.unlink(missing_ok=True)
        cameras.add(frame, camera)

    def _open_subject(self, subject: str) -> CameraFile:
        """Returns the cameras of written frames; the first call removes temporary files."""
        if subject not in self._cameras:
            _check_name("subject", subject)
            motion = [place for places in _MOTIONS.values() for place in places]
            for place in (*layout.FRAMES.values(), *motion):
                _remove_temporary(self.top / place.folder / subject)
            path = _make_folder(self.top / layout.CAMERAS / subject / layout.CAMERAS_FILE)
            _remove_temporary(path.parent)
            cameras = CameraFile(path)
            self._check_scale(subject, map(_format_stem, sorted(cameras.frames)))
            self._cameras[subject] = cameras
        return self._cameras[subject]

    def _check_scale(self, subject: str, stems: Iterable[str]) -> None:
        """Refuses to continue with a scale that differs from that of existing frames."""
        for stem in stems:
            kinds = ("depth", "scaled_inv_depth")
            paths = [self._get_path(layout.FRAMES[kind], subject, stem) for kind in kinds]
            if not all(path.is_file() for path in paths):
                continue
            depth, scaled = (read_map(path).values for path in paths)
            scale = measure_scale(depth, scaled)
            if scale is not None and abs(scale / self.scale - 1) > 1e-3:
                there = f"{scale:.6g}, the scale of {paths[0].parent}"
                raise ValueError(f"scale: expected {there}, got {self.scale:.6g}")
            if scale is not None:
                return

    def _get_path(self, place: Place, subject: str, stem: str) -> Path:
        return self.top / place.folder / subject / f"{stem}{place.ending}"


def _make_folder(path: Path) -> Path:
    """Creates the folder of a path, and returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _check_name(argument: str, name: str) -> str:
    """Refuses a name that is not a plain folder name."""
    if not isinstance(name, str):
        raise TypeError(f"{argument}: expected a string, got {type(name).__name__}")
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"{argument}: expected letters, digits, _, - and dots, got {name!r}")
    return name


def _format_stem(frame: int) -> str:
    if not 0 <= frame < 10**9:
        raise ValueError(f"frame: expected a number from 0 to 10^9, got {frame}")
    return f"{frame:04d}"


def _check_images(
    size: tuple[int, ...], camera: Camera, image: npt.ArrayLike, mask: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    image, mask = np.asarray(image), np.asarray(mask)
    if camera.size != size:
        raise ValueError(f"camera: expected the size {size}, as inv_depth, got {camera.size}")
    if image.dtype != np.uint8 or image.shape != (*size, 3):
        got = f"{image.dtype} {list(image.shape)}"
        raise ValueError(f"image: expected uint8 {[*size, 3]}, got {got}")
    if mask.dtype != bool or mask.shape != size:
        raise ValueError(f"mask: expected bool {list(size)}, got {mask.dtype} {list(mask.shape)}")
    return image, mask


def _check_motion(
    name: str, size: tuple[int, ...], motion: Motion, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if not all(hasattr(motion, field) for field in Motion._fields):
        kind = type(motion).__name__
        raise TypeError(f"{name}: expected Motion(flow, inv_depth_change), got {kind}")
    flow = real_map(f"{name}.flow", motion.flow, channels=2)
    change = real_map(f"{name}.inv_depth_change", motion.inv_depth_change)
    for part, x in (("flow", flow), ("inv_depth_change", change)):
        if x.shape[:2] != size:
            got = list(x.shape[:2])
            raise ValueError(f"{name}.{part}: expected {list(size)}, as inv_depth, got {got}")
        known = valid_mask(None, x)
        if (mask & ~known).any():
            count = int((mask & ~known).sum())
            raise ValueError(f"{name}.{part}: {count} pixels of the mask are non-finite")
    return flow, change


def _remove_temporary(folder: Path) -> None:
    """Removes temporary files that a killed writer left behind."""
    if folder.is_dir():
        for name in os.listdir(folder):
            if _TEMPORARY.fullmatch(name):
                (folder / name).unlink(missing_ok=True)
