"""Files of one's own, by patterns: frames and, where they are there, the motion between them."""

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
from sf3d_jax.data.sets._reading import Files, all_valid, as_float32, flow_vectors
from sf3d_jax.data.sets.folders.entries import list_entries
from sf3d_jax.data.sets.folders.patterns import Match, find
from sf3d_jax.samples import Sample

# Ways to give the inverse depth of a frame, and that of its points in the next frame.
_DEPTHS = ("inv_depth", "depth", "disparity")
_MOVED = ("next_depth", "next_disparity")
_CHANGES = ("inv_depth_change", *_MOVED)
# The inverse depth of the next frame, on its own grid.
_AFTER = tuple(f"after_{name}" for name in _DEPTHS)
_PICTURES = ("image", "next_image", "mask", "occlusion")


class FolderPairs(Dataset):
    """Pairs of frames of one's own files.

        FolderPairs(
            "my", image="frames/*.png", flow="flow/*.flo", inv_depth="inv/*.npy", mask="mask/*.png"
        )

    Without `next_image`, the frames n and n + step of a folder are a pair, n being the number in
    the name of an image; where frame n + step is missing there is no pair. The step is what flows
    with names such as 0003_0005 say, or else the commonest difference of numbers in the folder, the
    least of several; that of all folders, where none occurs twice. Times, whose differences are
    irregular, and images without numbers are pairs in their order. Where two numbers differ, as in
    00001_02, the flows say which one is the frame, or words such as cam02. Images of two cameras or
    sequences by their names, such as 0001_cam1 and 0001_cam2 or left and right, are no pair, unless
    the pattern has all but that number, as in 0001_cam*.png. With a flow there is a pair for each
    flow, and what belongs to none, such as the flow of a last frame, is in `left_out`
    and counted when the data set is printed.

    Files belong together by their names, or else by the numbers in them, 0001 for the same as 1, as
    in `data.pair_files`; where a kind has no numbers, in their order, if each folder has as many
    files as there are frames, or pairs. A pattern without wildcards names one file for all.

    Flow may be of any format that `data.read_flow` knows, maps of those of `data.read_map`; masks
    are pictures. What a format marks as unknown, or is not finite, is not valid in a motion, and
    no surface in a depth.
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
        """Lists the files. All patterns begin in `root`, with `*` and `?` as wildcards.

        Args:
          root: the folder that the patterns begin in.
          image: the frames, or the first ones of the pairs.
          next_image: the next frames; those that follow in the folder if None.
          flow: from each frame to the next, in pixels.
          inv_depth: of the frames, per metre; no more than one of this, depth and disparity.
          depth: of the frames, along the optical axis, in metres.
          disparity: of the frames, in pixels, of a rectified pair.
          inv_depth_change: 1/z1 - 1/z0 of each point, on its first frame's grid, per metre; no
            more than one of this, next_depth and next_disparity.
          next_depth: the depth that each point has in the next frame, on the first frame's grid.
          next_disparity: the disparity of each point in the next frame, on the first frame's grid.
          mask: where the motion is valid, white.
          occlusion: what the next frame hides, white.
          camera: of all frames. It is the reference: what moves before it may be the camera.
          baseline: in metres, for disparities, together with the camera.
          depth_scale: the codes of a metre, of depth in PNGs.
          frames: frames per sample; above 2, a sample is a `Sequence`. Not with next_image.

        Raises:
          FileNotFoundError: no file fits a pattern, a flow has no frame, a pair lacks a file,
            names do not say which files belong together, or all images are of other cameras than
            those beside them; the files are listed.
          TypeError: camera is not a Camera, or frames no whole number.
          ValueError: two ways to say the same, two files for one frame, names that do not say
            which number is that of the frame, or what is needed to understand a map is missing.
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
                f"next_image: of no use with frames={frames}, which follow in a folder"
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

    def _missing(self) -> str:
        return (
            "no folder has two images that fit the pattern, so there is no pair; give a pattern "
            "such as image='frames/*.png', or the next frame as next_image="
        )

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored in its files.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; what is unknown is not valid.

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
            flow=flow_vectors(flow),
            inv_depth=as_float32(inv_depth),
            inv_depth_change=None if change is None else as_float32(change.values),
            next_inv_depth=as_float32(next_inv_depth),
            valid=all_valid(flow, change, mask),
            occlusion=occlusion,
            camera=self._camera,
            name=entry.name,
        )

    def _check_camera(self, image: Path, size: tuple[int, int]) -> None:
        """Refuses images of another size than the camera's."""
        if self._camera is not None and self._camera.size != size:
            height, width = self._camera.size
            expected = f"{width} x {height} pixels, the size of the camera"
            advice = f"of resized images the camera is camera.resize({size})"
            if size == (width, height):
                advice = "the size of a camera is (height, width); are the two swapped?"
            raise SizeError(image, expected, f"{size[1]} x {size[0]}; {advice}")

    def _read_inverse_depth(self, files: Files, kinds: Sequence[str]) -> np.ndarray | None:
        """The inverse depth, of the kind that is there, as float64; 0 where no surface is."""
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
    """Refuses maps that would have no meaning, or two."""
    for ways in (_DEPTHS, _CHANGES):
        if len(twice := [name for name in ways if name in given]) > 1:
            raise ValueError(f"{twice[1]}: {twice[0]} is given, too; give one of them")
    for name, pattern in given.items():
        if name.endswith("disparity") and (camera is None or baseline is None):
            raise ValueError(f"{name}: is of no use without camera= and baseline=")
        if name in _MOVED and not set(_DEPTHS) & given.keys():
            raise ValueError(f"{name}: is of no use without a depth of the first frame")
        if pattern.lower().endswith(".png"):
            if name in ("depth", "next_depth") and depth_scale is None:
                raise ValueError(f"depth_scale: a PNG needs one, got {name}={pattern!r} alone")
            if name in ("inv_depth", "inv_depth_change"):
                raise ValueError(f"{name}: a PNG has no unit for it, got {pattern!r}")
    for option, value in (("baseline", baseline), ("depth_scale", depth_scale)):
        if value is not None and not 0 < value < np.inf:
            raise ValueError(f"{option}: expected a positive number, got {value}")


def _check_scale(found: Mapping[str, Sequence[Match]], depth_scale: float | None) -> None:
    """Refuses a scale of the codes of PNGs where no depth is one."""
    depths = [match.path for kind in ("depth", "next_depth") for match in found.get(kind, ())]
    if depth_scale is not None and not any(path.suffix.lower() == ".png" for path in depths):
        expected = "none, as no depth is a PNG; other formats are taken as metres"
        raise ValueError(f"depth_scale: expected {expected}, got {depth_scale}")
