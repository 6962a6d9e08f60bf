"""Pairs of frames from your own files, found by patterns."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.data._files import PathLike, SizeError
from sf3d_jax.data.maps import read_disparity, read_flow, read_map
from sf3d_jax.data.maps.images import read_mask, read_unit_image
from sf3d_jax.data.maps.kinds import ScalarMap
from sf3d_jax.data.sets._dataset import Dataset, Entry, check_frames
from sf3d_jax.data.sets._reading import Files, combine_valid, get_flow_vectors, to_float32
from sf3d_jax.data.sets.folders.entries import list_entries
from sf3d_jax.data.sets.folders.patterns import Match, find
from sf3d_jax.samples import Sample

# Arguments that give the inverse depth of a frame, and that of its points in the next frame.
_DEPTHS = ("inv_depth", "depth", "disparity")
_MOVED = ("next_depth", "next_disparity")
_CHANGES = ("inv_depth_change", *_MOVED)
# The inverse depth of the next frame, on its own grid.
_AFTER = tuple(f"after_{name}" for name in _DEPTHS)
_PICTURES = ("image", "next_image", "mask", "occlusion")


class FolderPairs(Dataset):
    """Pairs of frames from your own files.

        my/
          frames/0001.png, 0002.png, ...
          flow/0001.flo
          inv/0001.npy
          mask/0001.png

        FolderPairs(
            "my", image="frames/*.png", flow="flow/*.flo", inv_depth="inv/*.npy", mask="mask/*.png"
        )

    Without `next_image`, frames n and n + step of a folder form a pair, where n is the number in
    the name of an image. The step comes from the names of flows such as 0003_0005. Otherwise it is
    the most common difference between frame numbers in the folder; a tie goes to the smallest. If
    no difference occurs twice, the numbers of all folders are pooled. Images without numbers, or
    with irregular ones such as times, are paired in their order. If a name has two numbers, as in
    00001_02, the flows or words such as cam02 decide which one is the frame. Images from two
    cameras or sequences, such as 0001_cam1 and 0001_cam2 or left and right, are not paired with
    each other. To pair them anyway, fix everything but that number in the pattern, as in
    0001_cam*.png. If there are flows, each flow makes one pair. Files that belong to no pair, such
    as the flow of a last frame, are in `left_out` and counted in the repr.

    Files are matched by their names, or else by the numbers in them (0001 equals 1), with the rules
    of `data.pair_files`. If the files of a pattern have no numbers, they are matched in order,
    provided that each folder has one file per frame or per pair. A pattern without wildcards names
    one file for all frames.

    Flow may have any format of `data.read_flow`, and maps any format of `data.read_map`; masks are
    images. Unknown or non-finite values are invalid in a motion, and mean no surface in a depth.
    """

    def __init__(
        self,
        root: PathLike,
        *,
        image: str,
        next_image: str | None = None,
        flow: str | None = None,
        inv_depth: str | None = None,
        depth: str | None = None,
        disparity: str | None = None,
        inv_depth_change: str | None = None,
        next_depth: str | None = None,
        next_disparity: str | None = None,
        mask: str | None = None,
        occlusion: str | None = None,
        camera: Camera | None = None,
        baseline: float | None = None,
        depth_scale: float | None = None,
        frames: int = 2,
    ) -> None:
        """Lists the files. All patterns are relative to `root`; wildcards are `*` and `?`.

        Args:
          root: folder that the patterns are relative to.
          image: pattern of the frames, or of the first frames of the pairs.
          next_image: pattern of the next frames; if None, the frames that follow in the folder.
          flow: flow from each frame to the next, in pixels.
          inv_depth: inverse depth of the frames, per metre; at most one of inv_depth, depth and
            disparity.
          depth: depth of the frames along the optical axis, in metres.
          disparity: disparity of the frames in a rectified pair, in pixels.
          inv_depth_change: 1/z1 - 1/z0 of each point on its first frame's grid, per metre; at most
            one of inv_depth_change, next_depth and next_disparity.
          next_depth: depth of each point in the next frame, on the first frame's grid.
          next_disparity: disparity of each point in the next frame, on the first frame's grid.
          mask: image that is white where the motion is valid.
          occlusion: image that is white where the next frame hides the point.
          camera: camera of all frames, taken as the reference, so motion includes the camera's own.
          baseline: baseline in metres, needed with the camera for disparities.
          depth_scale: PNG codes per metre of depth.
          frames: frames per sample; above 2, a sample is a `Sequence`. Not with next_image.

        Raises:
          FileNotFoundError: no file matches a pattern, a flow has no frame, a pair lacks a file,
            names do not say which files belong together, or all neighbouring images come from
            different cameras. The message lists the files.
          TypeError: camera is not a Camera, or frames is not an integer.
          ValueError: two arguments give the same quantity, two files belong to one frame, names do
            not say which number is the frame, or an argument needed to interpret a map is missing.
        """
        patterns = {
            "flow": flow,
            "inv_depth": inv_depth,
            "depth": depth,
            "disparity": disparity,
            "inv_depth_change": inv_depth_change,
            "next_depth": next_depth,
            "next_disparity": next_disparity,
            "mask": mask,
            "occlusion": occlusion,
        }
        given = {name: pattern for name, pattern in patterns.items() if pattern is not None}
        if camera is not None and (batch := check_camera("camera", camera)):
            raise ValueError(f"camera: expected one camera, got a batch {batch}")
        _check_options(given, camera, baseline, depth_scale)
        if next_image is not None and check_frames(frames) > 2:
            raise ValueError(
                f"next_image: cannot be used with frames={frames}, which are taken from one folder"
            )
        self._camera, self._baseline, self._depth_scale = camera, baseline, depth_scale
        images = {"image": image} | ({} if next_image is None else {"next_image": next_image})
        found = {
            kind: find(Path(root), pattern, pictures=kind in _PICTURES)
            for kind, pattern in (images | given).items()
        }
        _check_scale(found, depth_scale)
        of_frames = _DEPTHS if next_image is None else ()
        entries, left_out = list_entries(found, of_frames)
        super().__init__(root, entries, frames=frames, left_out=left_out)

    def _describe_missing(self) -> str:
        return (
            "found no pair, as no folder has two images that match the pattern; give a pattern "
            "such as image='frames/*.png', or the next frames as next_image="
        )

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored in its files.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; unknown pixels are not valid.

        Raises:
          FormatError: a file is malformed.
          OSError: a file is missing.
        """
        files = Files(entry)
        image, next_image = files.both("image", read_unit_image)
        flow = files.read("flow", read_flow)
        change = files.read("inv_depth_change", partial(self._read_map, "inv_depth_change"))
        moved_inv_depth = self._read_inverse_depth(files, _MOVED)
        mask = files.read("mask", read_mask)
        occlusion = files.read("occlusion", read_mask)
        inv_depth = self._read_inverse_depth(files, _DEPTHS)
        next_inv_depth = self._read_inverse_depth(files, _AFTER)
        self._check_camera(files.paths["image"], files.size())

        if moved_inv_depth is not None and inv_depth is not None:
            both = (moved_inv_depth > 0) & (inv_depth > 0)
            change = ScalarMap(moved_inv_depth - inv_depth, both)
        return Sample(
            image=image,
            next_image=next_image,
            flow=get_flow_vectors(flow),
            inv_depth=to_float32(inv_depth),
            inv_depth_change=None if change is None else to_float32(change.values),
            next_inv_depth=to_float32(next_inv_depth),
            valid=combine_valid(flow, change, mask),
            occlusion=occlusion,
            camera=self._camera,
            name=entry.name,
        )

    def _check_camera(self, image: Path, size: tuple[int, int]) -> None:
        """Refuses images whose size differs from the camera's."""
        if self._camera is not None and self._camera.size != size:
            height, width = self._camera.size
            expected = f"{width} x {height} pixels, the size of the camera"
            advice = f"if the images were resized, pass camera.resize({size})"
            if size == (width, height):
                advice = "the size of a camera is (height, width); are the two swapped?"
            raise SizeError(image, expected, f"{size[1]} x {size[0]}; {advice}")

    def _read_inverse_depth(self, files: Files, kinds: Sequence[str]) -> np.ndarray | None:
        """Reads the first available kind as float64 inverse depth; 0 where there is no surface."""
        kind = next((kind for kind in kinds if kind in files.paths), None)
        if kind is None:
            return None
        of_frame = kind.removeprefix("after_")
        read = files.read(kind, partial(self._read_map, kind), of_frame=of_frame)
        if read is None:
            return None
        values = np.where(read.valid & (read.values > 0), read.values, 0).astype(np.float64)
        if kind.endswith("inv_depth"):
            return values
        if kind.endswith("disparity"):
            assert self._camera is not None and self._baseline is not None
            return values / (float(self._camera.focal[0]) * self._baseline)
        return np.divide(1, values, out=np.zeros_like(values), where=values > 0)

    def _read_map(self, kind: str, path: Path) -> ScalarMap:
        name = kind.removeprefix("after_")
        if kind.endswith("disparity"):
            return read_disparity(path, name=name)
        is_scaled = path.suffix.lower() == ".png" and not kind.endswith("inv_depth")
        return read_map(path, scale=self._depth_scale if is_scaled else None, name=name)


def _check_options(
    given: Mapping[str, str],
    camera: Camera | None,
    baseline: float | None,
    depth_scale: float | None,
) -> None:
    """Refuses maps that would have no meaning, or the same meaning as another one."""
    for ways in (_DEPTHS, _CHANGES):
        if len(twice := [name for name in ways if name in given]) > 1:
            raise ValueError(f"{twice[1]}: {twice[0]} is given, too; give only one of them")
    for name, pattern in given.items():
        if name.endswith("disparity") and (camera is None or baseline is None):
            raise ValueError(f"{name}: needs camera= and baseline=")
        if name in _MOVED and not set(_DEPTHS) & given.keys():
            raise ValueError(f"{name}: needs a depth of the first frame")
        if pattern.lower().endswith(".png"):
            if name in ("depth", "next_depth") and depth_scale is None:
                raise ValueError(f"depth_scale: required for PNGs such as {name}={pattern!r}")
            if name in ("inv_depth", "inv_depth_change"):
                raise ValueError(f"{name}: cannot be a PNG, which has no unit, got {pattern!r}")
    for option, value in (("baseline", baseline), ("depth_scale", depth_scale)):
        if value is not None and not 0 < value < np.inf:
            raise ValueError(f"{option}: expected a positive number, got {value}")


def _check_scale(found: Mapping[str, Sequence[Match]], depth_scale: float | None) -> None:
    """Refuses a scale of PNG codes if no depth is a PNG."""
    depths = [match.path for kind in ("depth", "next_depth") for match in found.get(kind, ())]
    if depth_scale is not None and not any(path.suffix.lower() == ".png" for path in depths):
        expected = "None, as no depth is a PNG; other formats are in metres"
        raise ValueError(f"depth_scale: expected {expected}, got {depth_scale}")
