"""SRFlow3D: the motion of faces, rendered from moving 3D Gaussians.

    SPLIT/camera/ID/spirals.json       cameras, one for each frame or one for all
    SPLIT/camera/ID/clip.json          the clips that are evaluated, where there are any
    SPLIT/render/ID/NNNN.jpg           images
    SPLIT/mask/ID/NNNN.jpg             where the face is
    SPLIT/depth/ID/NNNN.npy            z in metres
    SPLIT/scaled_inv_depth/ID/NNNN.npy             s / z
    SPLIT/flow_F/ID/NNNN.flo           flow from a frame to the next one
    SPLIT/scaled_inv_depth_CF/ID/NNNN.npy          s (1/z1 - 1/z0) of the same point
    SPLIT/flow_B, scaled_inv_depth_CB              the same to the frame before

The other published layout has `flow` and `scaled_inv_depth_change`, forward only. The scale s is
not published: it is the median of depth times scaled inverse depth, and must be one number.

Backward maps are named after the frame that they start from. Where there is one of the first frame
and none of the last, they are taken as named after the frame that they lead to.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, SupportsIndex

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.camera_json import FrameCamera, read_json_cameras
from sf3d_jax.data.clips import clip_frames, read_clips
from sf3d_jax.data.images import read_image, read_mask
from sf3d_jax.data.maps import read_flow
from sf3d_jax.data.npy import read_scalar
from sf3d_jax.data.sets._dataset import Dataset, Entry, check_sizes, unit_image
from sf3d_jax.data.sets._listing import Folder
from sf3d_jax.data.sets._scale import SCALE_TOLERANCE, ScaleEvidence, measured_scale
from sf3d_jax.samples import Sample

Direction = Literal["forward", "backward"]

# (flow, change of the inverse depth) by direction; the first layout that is there counts.
_LAYOUTS = {
    "forward": (("flow_F", "scaled_inv_depth_CF"), ("flow", "scaled_inv_depth_change")),
    "backward": (("flow_B", "scaled_inv_depth_CB"),),
}
_IMAGE = ".jpg"
_ENDINGS = {"mask": _IMAGE, "render": _IMAGE, "depth": ".npy", "scaled_inv_depth": ".npy"}


class SRFlow3D(Dataset):
    """Pairs of frames of SRFlow3D, in either of its layouts.

    A sample has whichever of these the folders hold: the two images, `flow`, `inv_depth`,
    `inv_depth_change` and `next_inv_depth` (all per metre: the scale is taken out), `scale`,
    the cameras, and `valid`: in the mask, with a surface and all its motion. The next frame is
    the one before if the direction is backward.
    """

    def __init__(
        self,
        root: PathLike,
        split: str,
        direction: Direction = "forward",
        *,
        scale: float | None = None,
        use_clips: bool = True,
    ) -> None:
        """Lists the files.

        Args:
          root: the folder that holds the splits, or one split.
          split: "train" or "test".
          direction: of time, "forward" or "backward".
          scale: scaled inverse depth over inverse depth; measured if not given, of each sample.
          use_clips: where there is a clip.json, only pairs of frames of one clip.

        Raises:
          FileNotFoundError: there is nothing, or nothing in this direction.
          FormatError: a clip.json is not what it should be.
          ValueError: there is no depth to measure the scale from, and none is given.
        """
        if direction not in _LAYOUTS:
            raise ValueError(f"direction: expected 'forward' or 'backward', got {direction!r}")
        if scale is not None and not 0 < scale < np.inf:
            raise ValueError(f"scale: expected a positive number, got {scale}")
        self.split, self.direction, self.use_clips = split, direction, use_clips
        self._given_scale = scale
        self._cameras: dict[tuple[Path, tuple[int, ...]], tuple[FrameCamera, ...]] = {}
        inside = Path(root) / split
        self._top = inside if inside.is_dir() else Path(root)
        super().__init__(root, list(self._entries()))
        files = self.entries[0].files
        if scale is None and "scaled_inv_depth" in files and "depth" not in files:
            raise ValueError(f"scale: {self._top} has no depth to measure it from; give scale=")

    def other_direction(self) -> "SRFlow3D | None":
        """The same pairs the other way, where the data set has them.

        Returns:
          The data set, or None.
        """
        other: Direction = "backward" if self.direction == "forward" else "forward"
        if _motion_folders(self._top, other) is None:
            return None
        return SRFlow3D(
            self.root, self.split, other, scale=self._given_scale, use_clips=self.use_clips
        )

    @functools.cached_property
    def scale(self) -> float | None:
        """Scaled inverse depth over inverse depth: given, or measured from the first sample."""
        if self._given_scale is not None or "scaled_inv_depth" not in self.entries[0].files:
            return self._given_scale
        return measured_scale(self.entries[0].files["depth"], self.scale_evidence(self.entries[0]))

    def __getitem__(self, index: SupportsIndex) -> Sample:
        """Reads one sample, and makes sure of its scale where none was given.

        Args:
          index: from 0, or from the end if negative.

        Returns:
          NumPy arrays, float32 and bool, without a batch axis; images in [0, 1].

        Raises:
          IndexError: there are not so many.
          FormatError: a file is not what it should be, or the scale is not the same everywhere.
          OSError: a file is missing.
        """
        sample = super().__getitem__(index)
        entry = self.entries[index]
        if self._given_scale is None and self.scale is not None:
            scale = measured_scale(entry.files["depth"], self.scale_evidence(entry), constant=True)
            if abs(scale / self.scale - 1) > SCALE_TOLERANCE:
                expected = f"depth x scaled_inv_depth = {self.scale:.6g}, as in the first sample"
                raise FormatError(entry.files["depth"], expected, f"{scale:.6g}")
        if sample.inv_depth is None:
            return sample
        return dataclasses.replace(sample, valid=sample.valid & (sample.inv_depth > 0))

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as its files have it, but for the scale, which is taken out.

        Args:
          entry: one of `entries`.

        Returns:
          The sample. `valid` is the mask; without one, where there is a surface.

        Raises:
          FormatError: a file is not what it should be.
          OSError: a file is missing.
        """
        files = entry.files
        maps = {name: _READERS[name](path) for name, path in files.items() if name in _READERS}
        check_sizes(files, maps)
        size = next(iter(maps.values())).shape[:2]
        cameras = dict(zip(("camera", "next_camera"), self._pair(entry, size), strict=True))
        with np.errstate(over="ignore"):  # a number beyond float32 is infinite: no value
            metric: dict[str, Any] = {
                field: maps[name] / np.float32(self.scale)
                for field, name in _SCALED.items()
                if name in maps
            }
        mask = maps.get("mask")
        if mask is None and "inv_depth" in metric:
            mask = metric["inv_depth"] > 0
        return Sample(
            image=maps.get("render"),
            next_image=maps.get("next_render"),
            flow=maps.get("flow"),
            valid=np.ones(size, bool) if mask is None else mask,
            scale=None if self.scale is None else np.float32(self.scale),
            name=entry.name,
            **metric,
            **cameras,
        )

    def scale_evidence(self, entry: Entry) -> ScaleEvidence:
        """What the scale of one sample is measured from.

        Args:
          entry: one of `entries`, with depth and scaled inverse depth.

        Returns:
          The maps of its first frame.

        Raises:
          FormatError: a file is not what it should be.
          OSError: a file is missing.
        """
        names = ("depth", "scaled_inv_depth", "mask")
        maps = {
            name: _READERS_OF_SCALE[name](entry.files[name])
            for name in names
            if name in entry.files
        }
        check_sizes(entry.files, maps)
        camera, _ = self._pair(entry, maps["depth"].shape)
        return ScaleEvidence(maps["depth"], maps["scaled_inv_depth"], maps.get("mask"), camera)

    def _entries(self) -> Iterator[Entry]:
        motion = _motion_folders(self._top, self.direction)
        kinds = {name: Folder(self._top / name, ending) for name, ending in _ENDINGS.items()}
        if motion is None and any(_motion_folders(self._top, other) for other in _LAYOUTS):
            raise FileNotFoundError(f"{self._top}: no flow of the direction {self.direction}")
        if motion is not None:
            kinds["flow"] = Folder(self._top / motion[0], ".flo")
            kinds["change"] = Folder(self._top / motion[1], ".npy")
        for subject in sorted(set().union(*(kind.subfolders for kind in kinds.values()))):
            yield from self._pairs(subject, {n: kind.inside(subject) for n, kind in kinds.items()})

    def _pairs(self, subject: str, kinds: Mapping[str, Folder]) -> Iterator[Entry]:
        frames = _frames(kinds)
        clips = self._clips(subject, frames)
        step = min((b - a for a, b in zip([*frames], [*frames][1:], strict=False)), default=1)
        if self.direction == "backward":
            step = -step
        # Backward maps that are named after the frame they lead to.
        late = step < 0 and _is_late(kinds, frames)
        for number, frame in frames.items():
            other = frames.get(number + step)
            if other is None or not any({number, number + step} <= clip for clip in clips):
                continue
            files = {name: kinds[name].file(frame) for name in _ENDINGS if kinds[name]}
            files |= {
                f"next_{name}": kinds[name].file(other)
                for name in ("scaled_inv_depth", "render")
                if kinds[name]
            }
            named = other if late else frame
            files |= {n: kinds[n].file(named) for n in ("flow", "change") if kinds.get(n)}
            yield Entry(subject, frame, other, files | self._camera_file(subject))

    def _clips(self, subject: str, frames: Mapping[int, str]) -> list[set[int]]:
        """The sets of frames of which pairs are taken."""
        path = self._top / "camera" / subject / "clip.json"
        if not (self.use_clips and frames and path.is_file()):
            return [set(frames)]
        clips, count = read_clips(path), max(frames) + 1
        try:
            return [set(clip) for clip in clip_frames(clips, count)]
        except ValueError as error:
            raise FormatError(path, f"clips of {count} frames", f"{error}") from None

    def _camera_file(self, subject: str) -> dict[str, Path]:
        folder = self._top / "camera" / subject
        if not folder.is_dir():
            return {}
        others = sorted(p for p in folder.glob("*.json") if p.name != "clip.json")
        path = folder / "spirals.json"
        return {"camera": path if path in others or len(others) != 1 else others[0]}

    def _pair(self, entry: Entry, size: tuple[int, ...]) -> tuple[Camera | None, Camera | None]:
        """The cameras of both frames, in the world of the data set."""
        path = entry.files.get("camera")
        if path is None:
            return None, None
        if (path, size) not in self._cameras:
            self._cameras[path, size] = read_json_cameras(path, (size[0], size[1]))
        cameras = self._cameras[path, size]
        if len(cameras) == 1 and cameras[0].frame is None:
            return cameras[0].camera, cameras[0].camera
        by_number = {_number(c.frame): c.camera for c in cameras if c.frame is not None}
        numbers = [_number(frame) for frame in (entry.frame, entry.next_frame)]
        missing = [number for number in numbers if number not in by_number]
        if missing:
            raise FormatError(
                path,
                f"cameras of the frames {entry.frame} and {entry.next_frame}",
                f"{len(cameras)} cameras, none of {missing[0]}",
            )
        return by_number[numbers[0]], by_number[numbers[1]]


def _motion_folders(top: Path, direction: str) -> tuple[str, str] | None:
    """The names of the folders of the flow and of the change, in the layout that is there."""
    for names in _LAYOUTS[direction]:
        if any((top / name).is_dir() for name in names):
            return names
    return None


def _frames(kinds: Mapping[str, Folder]) -> dict[int, str]:
    """The frames of a subject by number, in order."""
    stems = set().union(*(kinds[name].stems for name in _ENDINGS)) or kinds["flow"].stems
    numbers = {number: stem for stem in stems if (number := _number(stem)) is not None}
    return dict(sorted(numbers.items()))


def _number(frame: str | None) -> int | None:
    digits = "" if frame is None else frame.rsplit("_", 1)[-1]
    return int(digits) if digits.isdecimal() else None


def _is_late(kinds: Mapping[str, Folder], frames: Mapping[int, str]) -> bool:
    """Whether backward maps begin with the first frame, which no motion leads back from."""
    maps = next((kinds[name] for name in ("flow", "change") if kinds[name]), None)
    first, *_, last = [*frames.values()] * 2
    return maps is not None and first in maps.stems and last not in maps.stems


def _read_flow(path: Path) -> np.ndarray:
    flow, valid = read_flow(path)
    return np.where(valid[..., None], flow, np.float32(np.nan))


def _read_floats(path: Path) -> np.ndarray:
    return read_scalar(path, floating=True)


def _read_image(path: Path) -> np.ndarray:
    return unit_image(read_image(path))


_SCALED = {
    "inv_depth": "scaled_inv_depth",
    "inv_depth_change": "change",
    "next_inv_depth": "next_scaled_inv_depth",
}
_READERS = {
    "flow": _read_flow,
    "change": _read_floats,
    "scaled_inv_depth": _read_floats,
    "next_scaled_inv_depth": _read_floats,
    "mask": read_mask,
    "render": _read_image,
    "next_render": _read_image,
}
_READERS_OF_SCALE = {"depth": _read_floats} | _READERS
