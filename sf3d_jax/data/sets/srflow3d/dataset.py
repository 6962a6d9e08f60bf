"""SRFlow3D: the motion of faces, rendered from moving 3D Gaussians.

The other published layout has `flow` and `scaled_inv_depth_change` instead of `flow_F` and
`scaled_inv_depth_CF`, and no backward motion. The scale s is not published. It is measured as the
median of depth times scaled inverse depth inside the mask, and must be the same for all samples.

Backward maps are named after the frame that they start from; if the first frame has one and the
last frame has none, they are taken as named after the frame that they lead to. Frame numbers may
begin anywhere; if they regularly skip numbers, neighbours make pairs. Images may be PNGs.
"""

import copy
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sf3d_jax._checks import check_choice
from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError, FrameError, PathLike
from sf3d_jax.data.maps import read_flow_numbers
from sf3d_jax.data.maps.images import read_mask, read_unit_image
from sf3d_jax.data.maps.npy import read_scalar
from sf3d_jax.data.sets._caching import read_shared
from sf3d_jax.data.sets._dataset import Entry, finish
from sf3d_jax.data.sets._reading import check_sizes, find_common_size
from sf3d_jax.data.sets._sequences import (
    DIRECTIONS,
    Direction,
    TwoWays,
    find_split_folder,
    reverse_direction,
)
from sf3d_jax.data.sets.srflow3d.cameras.reading import read_cameras
from sf3d_jax.data.sets.srflow3d.layout import SPLITS
from sf3d_jax.data.sets.srflow3d.scale import ScaleEvidence, check_scale, measure_scale
from sf3d_jax.data.sets.srflow3d.tree import has_motion, list_tree
from sf3d_jax.samples import Sample

_Maps = dict[str, np.ndarray]


class SRFlow3D(TwoWays):
    """Pairs of frames of SRFlow3D, in either of its layouts.

        train/ or test/
          camera/018/
            spirals.json                   cameras, one per frame or one for all
            clip.json                      clips to evaluate, optional
          render/018/0000.jpg              images
          mask/018/0000.jpg                where the face is
          depth/018/0000.npy               z in metres
          scaled_inv_depth/018/0000.npy    s / z
          flow_F/018/0000.flo              flow to the next frame
          scaled_inv_depth_CF/018/0000.npy s (1/z1 - 1/z0) of the same point
          flow_B/, scaled_inv_depth_CB/    the same, to the previous frame

    A sample has these fields if their files exist: the two images, `flow`, `inv_depth`,
    `inv_depth_change` and `next_inv_depth` (per metre, without the scale), `scale`, the cameras,
    and `valid` (inside the mask, with a surface and known motion). With `direction="backward"`,
    `next_*` refers to the previous frame in time.

    Of a subject that `SRFlow3DWriter` writes, pairs of frames that are not all there yet, or lost
    files, are no samples. They are in `incomplete`, are counted in the repr, and are reported by
    `sf3d check`. Reading a pair of another subject reports a missing file.
    """

    def __init__(
        self,
        root: PathLike,
        split: str,
        direction: Direction = "forward",
        *,
        scale: float | None = None,
        use_clips: bool = True,
        frames: int = 2,
    ) -> None:
        """Lists the files.

        Args:
          root: folder of the splits, or of one split.
          split: "train", "test", or the name of another existing folder.
          direction: "forward" or "backward" in time.
          scale: scaled inverse depth over inverse depth; if None, it is measured, and checked for
            every sample.
          use_clips: if there is a clip.json, only list pairs of frames within one clip.
          frames: frames per sample; above 2, a sample is a `Sequence`.

        Raises:
          FileNotFoundError: no files are found, or none in this direction.
          FormatError: a clip.json is malformed.
          ValueError: an option has an unknown value, or there is nothing to measure the scale from.
        """
        check_choice("direction", direction, DIRECTIONS)
        self.split, self.direction, self.use_clips = split, direction, use_clips
        self._given_scale = _check_scale_argument(scale)
        self._top = _find_split(Path(root), split)
        other = reverse_direction(direction)
        if has_motion(self._top, other) and not has_motion(self._top, direction):
            raise FileNotFoundError(f"{self._top}: found no {direction} flow, only {other} flow")
        tree = list_tree(self._top, direction, use_clips=use_clips)
        self._frames = tree.frames
        super().__init__(root, tree.entries, frames=frames, incomplete=tree.incomplete)
        self._check_scale_is_known()

    def _check_scale_is_known(self) -> None:
        kinds = self.entries[0].files.keys()
        scaled = kinds & {"scaled_inv_depth", "change"}
        if self._given_scale is None and scaled and not {"depth", "scaled_inv_depth"} <= kinds:
            raise ValueError(
                f"scale: {self._top} has no depth and scaled_inv_depth to measure it from; pass "
                "scale="
            )

    def camera_form(self) -> str | None:
        """Describes the form of the cameras of the first sample.

        The data set does not publish the format of its camera file.

        Returns:
          A description such as "K and w2c (world to camera)"; None if there are no cameras, or they
          cannot be read.
        """
        path = self.entries[0].files.get("camera")
        try:
            camera = self.read(self.entries[0]).camera
            if path is None or camera is None:
                return None
            return read_cameras(path, camera.size).form
        except (KeyError, OSError, TypeError, ValueError):  # reading a sample reports the reason
            return None

    def _describe_missing(self) -> str:
        if self.incomplete:
            lack = _describe_lack(self.incomplete[0])
            return f"found no pair of frames with all its files; {lack}"
        return f"found no render/ID/0000.jpg or other kind in {self._top} (expected in SRFlow3D)"

    def _get_options(self) -> dict[str, Any]:
        return {"split": self.split, "scale": self._given_scale, "use_clips": self.use_clips}

    def _has_motion(self, direction: Direction) -> bool:
        return has_motion(self._top, direction)

    def with_scale(self, scale: float | None) -> "SRFlow3D":
        """Returns the same samples with a given scale.

        Args:
          scale: scaled inverse depth over inverse depth; measured if None.

        Returns:
          The data set.
        """
        other = copy.copy(self)
        other._given_scale = _check_scale_argument(scale)
        other.__dict__.pop("scale", None)  # measured with another one
        other._check_scale_is_known()
        return other

    @functools.cached_property
    def scale(self) -> float | None:
        """Scaled inverse depth over inverse depth: given, or measured from the first good sample.

        None if nothing is scaled.

        Raises:
          FormatError: no sample has a pixel with both maps.
          OSError: files are missing in all samples.
        """
        files = self.entries[0].files
        if self._given_scale is not None or "scaled_inv_depth" not in files:
            return self._given_scale
        broken: Exception | None = None
        for entry in self.entries:
            try:
                evidence = self.scale_evidence(entry)
            except (FormatError, OSError) as error:  # reading the sample will report it
                broken = broken or error
                continue
            scale = measure_scale(evidence.depth, evidence.scaled_inv_depth, evidence.mask)
            if scale is not None:
                return scale
        expected = "a pixel with a depth and a scaled inverse depth"
        raise broken or FormatError(files["depth"], expected, "none in any sample")

    def _read_pair(self, entry: Entry) -> Sample:
        """Reads one pair, and checks its scale if none was given."""
        maps = self._read_maps(entry)
        if self._given_scale is None and self.scale is not None:
            check_scale(entry.files["depth"], _make_evidence(maps, None), self.scale)
        sample = finish(self._make_sample(entry, maps))
        if sample.inv_depth is None:
            return sample
        return dataclasses.replace(sample, valid=sample.valid & (sample.inv_depth > 0))

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored in its files, except that the scale is removed.

        Args:
          entry: one of `entries`.

        Returns:
          The sample. `valid` is the mask, or where there is a surface if there is no mask.

        Raises:
          FormatError: a file is malformed.
          OSError: a file is missing.
        """
        return self._make_sample(entry, self._read_maps(entry))

    def scale_evidence(self, entry: Entry) -> ScaleEvidence:
        """Reads the maps of one sample from which the scale is measured.

        Args:
          entry: one of `entries`, with depth and scaled inverse depth.

        Returns:
          The maps of its first frame.

        Raises:
          FormatError: a file is malformed.
          OSError: a file is missing.
        """
        names = ("depth", "scaled_inv_depth", "mask")
        maps = {name: _READERS[name](entry.files[name]) for name in names if name in entry.files}
        check_sizes(entry.files, maps)
        return _make_evidence(maps, self._get_cameras(entry, maps["depth"].shape)[0])

    def _read_maps(self, entry: Entry) -> _Maps:
        """Reads the maps that a sample needs."""
        unused = {"camera"}
        if "scaled_inv_depth" in entry.files and self._given_scale is not None:
            unused.add("depth")
        files = {name: path for name, path in entry.files.items() if name not in unused}
        of_frame = {name: name.removeprefix("next_") for name in files}
        maps = {
            name: read_shared(of_frame[name], path, _READERS[of_frame[name]])
            for name, path in files.items()
        }
        check_sizes(files, maps)
        return maps

    def _make_sample(self, entry: Entry, maps: _Maps) -> Sample:
        size = find_common_size(entry.files, maps)
        camera, next_camera = self._get_cameras(entry, size)
        inv_depth = self._compute_inverse_depth(maps, "")
        valid = maps.get("mask")
        if valid is None:
            valid = np.ones(size, bool) if inv_depth is None else inv_depth > 0
        return Sample(
            image=maps.get("render"),
            next_image=maps.get("next_render"),
            flow=maps.get("flow"),
            inv_depth=inv_depth,
            inv_depth_change=self._unscale(maps.get("change")),
            next_inv_depth=self._compute_inverse_depth(maps, "next_"),
            valid=valid,
            camera=camera,
            next_camera=next_camera,
            scale=None if self.scale is None else np.float32(self.scale),
            name=entry.name,
        )

    def _unscale(self, scaled: np.ndarray | None) -> np.ndarray | None:
        if scaled is None or self.scale is None:
            return None
        with np.errstate(over="ignore"):  # overflow becomes infinite, hence invalid
            return scaled / np.float32(self.scale)

    def _compute_inverse_depth(self, maps: _Maps, which: str) -> np.ndarray | None:
        """Computes inverse depth from the scaled inverse depth, or else from the depth."""
        if f"{which}scaled_inv_depth" in maps:
            return self._unscale(maps[f"{which}scaled_inv_depth"])
        if f"{which}depth" not in maps:
            return None
        depth = maps[f"{which}depth"]
        with np.errstate(over="ignore"):
            return np.divide(1, depth, out=np.zeros_like(depth), where=depth != 0)

    def _get_cameras(
        self, entry: Entry, size: tuple[int, ...]
    ) -> tuple[Camera | None, Camera | None]:
        """Reads the cameras of both frames, in the world of the data set."""
        path = entry.files.get("camera")
        if path is None:
            return None, None
        cameras = read_cameras(path, (size[0], size[1]))
        frames = self._frames[entry.sequence]
        camera, next_camera = (
            cameras.find(int(frame), frames) for frame in (entry.frame, entry.next_frame)
        )
        if camera is None or next_camera is None:
            which = f"cameras of frames {entry.frame} and {entry.next_frame}"
            raise FrameError(path, f"{which}, or one for all frames", cameras.found)
        return camera, next_camera


def _check_scale_argument(scale: float | None) -> float | None:
    if scale is not None and not 0 < scale < np.inf:
        raise ValueError(f"scale: expected a positive number, got {scale}")
    return scale


def _find_split(root: Path, split: str) -> Path:
    """Finds the folder of a split, which must exist unless it is a published split."""
    if split not in (*SPLITS, root.name) and not (root / split).is_dir():
        raise FileNotFoundError(f"SRFlow3D: no such folder: {root / split}")
    return find_split_folder(root, split, (*SPLITS, split))


def _describe_lack(entry: Entry) -> str:
    """Names a file that a pair lacks, or the file of cameras if that lacks its frames."""
    lost = [path for path in entry.files.values() if not path.exists()]
    if lost:
        return f"{lost[0]} is missing"
    return f"{entry.files['camera']} lacks frame {entry.frame} or {entry.next_frame}"


def _make_evidence(maps: _Maps, camera: Camera | None) -> ScaleEvidence:
    return ScaleEvidence(maps["depth"], maps["scaled_inv_depth"], maps.get("mask"), camera)


def _read_floats(path: Path) -> np.ndarray:
    return read_scalar(path, floating=True)


_READERS: dict[str, Callable[[Path], np.ndarray]] = {
    "render": read_unit_image,
    "mask": read_mask,
    "depth": _read_floats,
    "scaled_inv_depth": _read_floats,
    "flow": read_flow_numbers,
    "change": _read_floats,
}
