"""Spring: scenes of an animated film in high resolution, with dense stereo and scene flow.

    SPLIT/SCENE/frame_SIDE/frame_SIDE_NNNN.png                  images, 1920 x 1080
    SPLIT/SCENE/flow_WAY_SIDE/flow_WAY_SIDE_NNNN.flo5           flow to the next (FW) or last (BW)
    SPLIT/SCENE/disp1_SIDE/disp1_SIDE_NNNN.dsp5                 disparity
    SPLIT/SCENE/disp2_WAY_SIDE/disp2_WAY_SIDE_NNNN.dsp5         that of the other frame, on this
                                                                frame's grid
    SPLIT/SCENE/maps/matchmap_flow_WAY_SIDE/..._NNNN.png        red: hidden, green: outside
    SPLIT/SCENE/cam_data/intrinsics.txt, extrinsics.txt         one row a frame

The truth has twice the rows and columns of the images, its values are in pixels of the images.
Of four values that of the top left is taken, [::2, ::2], as is usual; it belongs to a place a
quarter of a pixel of the image above and to the left of the pixel's centre.

With the baseline B = 0.065 m, d = disp1 / (fx B) and c = disp2 / (fx' B) - disp1 / (fx B), where
fx' is that of the other frame. A disparity of 0 is the sky; NaN is unknown, and not valid. The
principal point is taken as the files have it, W/2 and H/2: they do not say from where they count.

Mehl et al., "Spring: A High-Resolution High-Detail Dataset and Benchmark for Scene Flow, Optical
Flow and Stereo" (CVPR 2023).
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.maps import read_flow, read_map
from sf3d_jax.data.sets._caching import cached_by_file
from sf3d_jax.data.sets._dataset import Entry, check_sizes
from sf3d_jax.data.sets._listing import Folder
from sf3d_jax.data.sets._sequences import (
    DIRECTIONS,
    SIDES,
    Direction,
    Side,
    TwoWays,
    all_valid,
    as_float32,
    check_choice,
    chosen,
    pairs,
    read_images,
    split_folder,
    step_of,
)
from sf3d_jax.data.sets.spring import layout
from sf3d_jax.data.sets.spring.cameras import read_spring_extrinsics, read_spring_intrinsics
from sf3d_jax.data.sets.spring.files import read_match_map
from sf3d_jax.samples import Sample

BASELINE = 0.065


class Spring(TwoWays):
    """Pairs of frames of Spring, in the size of the images.

    A sample has whichever of these the folders hold: the two images, `flow`, `inv_depth`,
    `inv_depth_change` and `next_inv_depth` (all three need the cameras), the cameras, `valid`
    where all the motion is known, and `occlusion`: hidden in the next frame or outside of it.
    The right camera is the left one, moved by the baseline.
    """

    def __init__(
        self,
        root: PathLike,
        split: str = "train",
        *,
        side: Side = "left",
        direction: Direction = "forward",
        scenes: Collection[str] | None = None,
    ) -> None:
        """Lists the files.

        Args:
          root: the folder that holds the splits, or one split.
          split: "train", or "test", which has no truth.
          side: "left" or "right", which camera.
          direction: of time, "forward" or "backward".
          scenes: to read, such as "0001"; all if None.

        Raises:
          FileNotFoundError: there is nothing, or a scene is missing.
          ValueError: an option is none of those.
        """
        check_choice("side", side, SIDES)
        self._step = step_of(direction)
        self.split, self.side, self.direction, self.scenes = split, side, direction, scenes
        self._top = split_folder(root, split, layout.SPLITS)
        super().__init__(root, list(self._entries()))

    def _options(self) -> dict[str, Any]:
        return {"split": self.split, "side": self.side, "scenes": self.scenes}

    def _has_motion(self, direction: Direction) -> bool:
        truth = layout.truth(direction, self.side)
        motion = {truth[kind].folder for kind in ("flow", "moved_disparity")}
        return any(motion & scene.subfolders for scene in self._scenes().values())

    def _missing(self) -> str:
        return f"no {self.split}/SCENE/frame_{self.side}/*.png, as Spring has it"

    def _scenes(self) -> dict[str, Folder]:
        top = Folder(self._top, "")
        scenes = {name: top.inside(name) for name in sorted(top.subfolders)}
        own = {layout.image(self.side).folder}
        own |= {layout.truth(direction, self.side)["flow"].folder for direction in DIRECTIONS}
        scenes = {name: scene for name, scene in scenes.items() if scene.subfolders & own}
        return {name: scenes[name] for name in chosen(scenes, self.scenes, self._top)}

    def _entries(self) -> Iterator[Entry]:
        scenes = self._scenes()
        there = set().union(*(scene.subfolders for scene in scenes.values()))
        truth = layout.truth(self.direction, self.side)
        kinds = {"image": layout.image(self.side), **truth}
        kinds = {kind: place for kind, place in kinds.items() if place.folder in there}
        match = layout.match_map(truth["flow"])
        if any((scene.path / match.folder).is_dir() for scene in scenes.values()):
            kinds["match"] = match
        for name, scene in scenes.items():
            frames = {kind: place.frames(scene.path) for kind, place in kinds.items()}
            shared = {}
            if layout.CAMERAS_FOLDER in there:
                shared = {of: scene.path / path for of, path in layout.CAMERAS.items()}
            yield from pairs(
                f"{name}/{self.side}",
                frames,
                ("image", "disparity"),
                digits=4,
                step=self._step,
                shared=shared,
            )

    @np.errstate(over="ignore", invalid="ignore")
    def read(self, entry: Entry) -> Sample:
        """Reads one sample as its files have it, every second row and column of the truth.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; what has no truth is not valid.

        Raises:
          FormatError: a file is not what it should be.
          OSError: a file is missing.
        """
        files = entry.files
        images = read_images(files)
        truths = {name: read(files[name]) for name, read in _READERS.items() if name in files}
        for maps in (images, {name: x.valid for name, x in truths.items()}):
            if maps:
                check_sizes(files, maps)
        size = _size(files, images, truths)
        halves = {name: type(x)(*(array[::2, ::2] for array in x)) for name, x in truths.items()}

        cameras = self._cameras(entry, size)
        inv_depths = {}
        for name, camera in _CAMERAS_OF.items():
            if name in halves and cameras:
                per_pixel = cameras[camera].focal[0] * BASELINE
                inv_depths[name] = halves[name].values / per_pixel
        channels = {f: inv_depths[n] for n, f in _FIELDS.items() if n in inv_depths}
        if {"disparity", "moved_disparity"} <= inv_depths.keys():
            change = inv_depths["moved_disparity"] - inv_depths["disparity"]
            channels["inv_depth_change"] = change
        motion = ("flow", *(name for name in inv_depths if name != "next_disparity"))
        return Sample(
            **images,
            **cameras,
            **as_float32(channels),
            flow=halves["flow"].flow if "flow" in halves else None,
            valid=all_valid(*(halves[name].valid for name in motion if name in halves)),
            occlusion=_unmatched(files["match"], size) if "match" in files else None,
            name=entry.name,
        )

    def _cameras(self, entry: Entry, size: tuple[int, int]) -> dict[str, Camera]:
        files = entry.files
        if "intrinsics" not in files:
            return {}
        intrinsics = _read_intrinsics(files["intrinsics"])
        extrinsics = _read_extrinsics(files["extrinsics"])
        # A point of the left camera lies further to the left in the right one.
        step = np.eye(3, 4)
        step[0, 3] = -BASELINE if self.side == "right" else 0
        cameras = {}
        for name, frame in (("camera", entry.frame), ("next_camera", entry.next_frame)):
            row = int(frame) - 1
            for key, rows in (("intrinsics", intrinsics), ("extrinsics", extrinsics)):
                if not 0 <= row < len(rows):
                    raise FormatError(
                        files[key], f"a row of the frame {frame}", f"{len(rows)} rows"
                    )
            pose = poses.compose(step, extrinsics[row])
            fx, fy, cx, cy = intrinsics[row]
            cameras[name] = Camera.pinhole(fx, fy, cx, cy, size, pose)
        return cameras


_read_intrinsics = cached_by_file(read_spring_intrinsics)
_read_extrinsics = cached_by_file(read_spring_extrinsics)

_READERS: dict[str, Any] = {
    "flow": read_flow,
    "disparity": read_map,
    "moved_disparity": read_map,
    "next_disparity": read_map,
}
_FIELDS = {"disparity": "inv_depth", "next_disparity": "next_inv_depth"}
_CAMERAS_OF = {
    "disparity": "camera",
    "moved_disparity": "next_camera",
    "next_disparity": "next_camera",
}


def _size(
    files: Mapping[str, Path], images: Mapping[str, Any], truths: Mapping[str, Any]
) -> tuple[int, int]:
    """(H, W) of a sample: that of the images, and half that of the truth."""
    if not truths:
        return images["image"].shape[:2]
    name, truth = next(iter(truths.items()))
    height, width = truth.valid.shape
    size = images["image"].shape[:2] if images else (height // 2, width // 2)
    if (height, width) != (2 * size[0], 2 * size[1]):
        expected = "an even number of rows and columns"
        if images:
            expected = f"{2 * size[1]} x {2 * size[0]} pixels, twice those of {files['image']}"
        raise FormatError(files[name], expected, f"{width} x {height}")
    return size


def _unmatched(path: Path, size: tuple[int, int]) -> np.ndarray:
    """What is hidden in the other image, or outside of it, in the size of the images."""
    unmatched = read_match_map(path)
    if unmatched.shape == (2 * size[0], 2 * size[1]):
        unmatched = unmatched[::2, ::2]
    if unmatched.shape != size:
        height, width = unmatched.shape
        expected = f"{size[1]} x {size[0]} pixels, as the images"
        raise FormatError(path, expected, f"{width} x {height}")
    return unmatched
