"""Spring: high-resolution scenes of an animated film, with dense stereo and scene flow.

The ground truth has twice the rows and columns of the images, with values in pixels of the images.
As usual, the top-left of each four values is read, [::2, ::2]; its position is a quarter of an
image pixel above and to the left of the pixel's centre.

With the baseline B = 0.065 m, d = disp1 / (fx B) and c = disp2 / (fx' B) - disp1 / (fx B), where
fx' belongs to the other frame. Disparity 0 is the sky; NaN is unknown and invalid. The principal
point (W/2, H/2) is read unchanged, because the files do not say where coordinates begin.

Mehl et al., "Spring: A High-Resolution High-Detail Dataset and Benchmark for Scene Flow, Optical
Flow and Stereo" (CVPR 2023).
"""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from sf3d_jax._checks import check_choice
from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.cameras.sizes import SPRING, make_benchmark_camera
from sf3d_jax.data.maps import read_flow, read_map
from sf3d_jax.data.maps.images import read_unit_image
from sf3d_jax.data.maps.kinds import FlowMap, ScalarMap
from sf3d_jax.data.sets._caching import cache_by_file
from sf3d_jax.data.sets._dataset import Entry
from sf3d_jax.data.sets._listing import Folder
from sf3d_jax.data.sets._reading import (
    Files,
    combine_valid,
    get_both_frames,
    get_flow_vectors,
    subtract,
    to_float32,
)
from sf3d_jax.data.sets._sequences import (
    DIRECTIONS,
    SIDES,
    Direction,
    Side,
    TwoWays,
    choose,
    find_split_folder,
    get_step,
    list_pairs,
)
from sf3d_jax.data.sets.spring import layout
from sf3d_jax.data.sets.spring.cameras import read_spring_extrinsics, read_spring_intrinsics
from sf3d_jax.data.sets.spring.files import read_match_map
from sf3d_jax.samples import Sample

BASELINE = 0.065

P = TypeVar("P", FlowMap, ScalarMap)


class Spring(TwoWays):
    """Pairs of frames of Spring, at the size of the images.

        train/ or test/
          0001/
            frame_left/frame_left_0001.png            images, 1920 x 1080
            flow_FW_left/flow_FW_left_0001.flo5       flow to the next (FW) or previous
                                                      frame (BW)
            disp1_left/disp1_left_0001.dsp5           disparity
            disp2_FW_left/disp2_FW_left_0001.dsp5     disparity of the other frame, on the
                                                      grid of this frame
            maps/
              matchmap_flow_FW_left/..._0001.png      red: hidden in the other frame,
                                                      green: outside it
              matchmap_disp1_left/, matchmap_disp2_FW_left/, detailmap_flow_FW_left/,
              detailmap_disp1_left/, detailmap_disp2_FW_left/, rigidmap_FW_left/, skymap_left/
            cam_data/
              intrinsics.txt                          one row per frame
              extrinsics.txt

    A sample has these fields if their files exist: the two images, `flow`, `inv_depth`,
    `inv_depth_change` and `next_inv_depth` (all three need the cameras), the cameras, `valid`
    where all the motion is known, and `occlusion` (hidden in the next frame or outside it). The
    right camera is the left one moved by the baseline. The intrinsics are those of the original
    1920 x 1080 images. Images of another size are taken to be resized; their ground
    truth has twice their size, and its flow is in pixels of these images. Other aspect ratios are
    refused.
    """

    def __init__(
        self,
        root: PathLike,
        split: str = "train",
        *,
        side: Side = "left",
        direction: Direction = "forward",
        scenes: Collection[str] | None = None,
        frames: int = 2,
    ) -> None:
        """Lists the files.

        Args:
          root: folder of the splits, or of one split.
          split: "train", or "test", which has no ground truth.
          side: camera, "left" or "right".
          direction: "forward" or "backward" in time.
          scenes: scenes to read, such as "0001"; all if None.
          frames: frames per sample; above 2, a sample is a `Sequence`.

        Raises:
          FileNotFoundError: no files are found, or a scene is missing.
          ValueError: an option has an unknown value.
        """
        check_choice("side", side, SIDES)
        self._step = get_step(direction)
        self.split, self.side, self.direction, self.scenes = split, side, direction, scenes
        self._top = find_split_folder(root, split, layout.SPLITS)
        super().__init__(root, list(self._list_entries()), frames=frames)

    def _get_options(self) -> dict[str, object]:
        return {"split": self.split, "side": self.side, "scenes": self.scenes}

    def _has_motion(self, direction: Direction) -> bool:
        truth = layout.get_truth(direction, self.side)
        motion = {truth[kind].folder for kind in ("flow", "moved_disparity")}
        return any(motion & scene.subfolders for scene in self._list_scenes().values())

    def _describe_missing(self) -> str:
        return f"found no {self.split}/SCENE/frame_{self.side}/*.png (expected in Spring)"

    def _list_scenes(self) -> dict[str, Folder]:
        top = Folder(self._top, "")
        scenes = {name: top.inside(name) for name in sorted(top.subfolders)}
        own = {layout.get_image(self.side).folder}
        own |= {layout.get_truth(direction, self.side)["flow"].folder for direction in DIRECTIONS}
        scenes = {name: scene for name, scene in scenes.items() if scene.subfolders & own}
        return {name: scenes[name] for name in choose(scenes, self.scenes, self._top)}

    def _list_entries(self) -> Iterator[Entry]:
        scenes = self._list_scenes()
        there = set().union(*(scene.subfolders for scene in scenes.values()))
        truth = layout.get_truth(self.direction, self.side)
        kinds = {"image": layout.get_image(self.side), **truth}
        kinds = {kind: place for kind, place in kinds.items() if place.folder in there}
        match = layout.get_match_map(truth["flow"])
        if any((scene.path / match.folder).is_dir() for scene in scenes.values()):
            kinds["match"] = match
        for name, scene in scenes.items():
            frames = {kind: place.frames(scene.path) for kind, place in kinds.items()}
            shared = {}
            if layout.CAMERAS_FOLDER in there:
                shared = {of: scene.path / path for of, path in layout.CAMERAS.items()}
            yield from list_pairs(
                f"{name}/{self.side}",
                frames,
                ("image", "disparity"),
                digits=4,
                step=self._step,
                shared=shared,
            )

    @np.errstate(over="ignore", invalid="ignore")
    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored, with every second row and column of the ground truth.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; pixels without ground truth are not valid.

        Raises:
          FormatError: a file is malformed.
          OSError: a file is missing.
        """
        images, truth = Files(entry), Files(entry)
        image, next_image = images.both("image", read_unit_image)
        flow = _take_every_second(truth.read("flow", read_flow))
        disparity, next_disparity = map(_take_every_second, truth.both("disparity", read_map))
        moved_disparity = _take_every_second(truth.read("moved_disparity", read_map))
        size = _find_size(images, truth)

        camera, next_camera = self._get_cameras(entry, size)
        inv_depth = _compute_inverse_depth(disparity, camera)
        moved_inv_depth = _compute_inverse_depth(moved_disparity, next_camera)
        next_inv_depth = _compute_inverse_depth(next_disparity, next_camera)
        valid = combine_valid(flow)
        if camera is not None:
            valid = combine_valid(flow, disparity, moved_disparity)
        return Sample(
            image=image,
            next_image=next_image,
            flow=get_flow_vectors(flow),
            inv_depth=to_float32(inv_depth),
            inv_depth_change=to_float32(subtract(moved_inv_depth, inv_depth)),
            next_inv_depth=to_float32(next_inv_depth),
            valid=valid,
            occlusion=_read_unmatched(entry.files["match"], size)
            if "match" in entry.files
            else None,
            camera=camera,
            next_camera=next_camera,
            name=entry.name,
        )

    def _get_cameras(
        self, entry: Entry, size: tuple[int, int]
    ) -> tuple[Camera, Camera] | tuple[None, None]:
        """Reads the cameras of both frames, in the world of the scene."""
        if "intrinsics" not in entry.files:
            return None, None
        optics = _read_rows(entry, "intrinsics", _read_intrinsics)
        left_poses = _read_rows(entry, "extrinsics", _read_extrinsics)
        # In the coordinates of the right camera, points lie further to the left.
        step = np.eye(3, 4)
        step[0, 3] = -BASELINE if self.side == "right" else 0
        first, second = (
            make_benchmark_camera(
                entry.files["intrinsics"],
                f"frame {frame}",
                focal=row[:2],
                principal_point=row[2:],
                published=SPRING,
                size=size,
                world_to_camera=poses.compose(step, pose),
            )
            for frame, row, pose in zip(
                (entry.frame, entry.next_frame), optics, left_poses, strict=True
            )
        )
        return first, second


@cache_by_file
def _read_intrinsics(path: Path) -> dict[int, np.ndarray]:
    return dict(enumerate(read_spring_intrinsics(path), 1))


@cache_by_file
def _read_extrinsics(path: Path) -> dict[int, np.ndarray]:
    return dict(enumerate(read_spring_extrinsics(path), 1))


def _read_rows(
    entry: Entry, kind: str, read: Callable[[Path], dict[int, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Reads the rows of both frames from a file with one row per frame."""
    path = entry.files[kind]
    rows = read(path)
    return get_both_frames(
        entry,
        rows,
        lambda frame: FormatError(path, f"a row for frame {frame:04d}", f"{len(rows)} rows"),
    )


def _take_every_second(truth: P | None) -> P | None:
    """Takes the top-left of each four values."""
    return None if truth is None else type(truth)(*(array[::2, ::2] for array in truth))


def _compute_inverse_depth(disparity: ScalarMap | None, camera: Camera | None) -> np.ndarray | None:
    """Computes 1/z of a disparity in the camera that sees it; None without a camera."""
    if disparity is None or camera is None:
        return None
    return disparity.values / (camera.focal[0] * BASELINE)


def _find_size(images: Files, truth: Files) -> tuple[int, int]:
    """Returns (H, W) of a sample: the size of the images, and half that of the ground truth."""
    if not truth.kinds:
        return images.size()
    of_images = images.size() if images.kinds else None
    height, width = truth.size()
    size = of_images or (height // 2, width // 2)
    if (height, width) != (2 * size[0], 2 * size[1]):
        expected = "an even number of rows and columns"
        if of_images:
            image = images.paths["image"]
            expected = f"{2 * size[1]} x {2 * size[0]} pixels, twice the size of {image}"
        raise FormatError(truth.paths[truth.kinds[0]], expected, f"{width} x {height}")
    return size


def _read_unmatched(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Reads where points are hidden in the other image or outside it, at the size of the images."""
    unmatched = read_match_map(path)
    if unmatched.shape == (2 * size[0], 2 * size[1]):
        unmatched = unmatched[::2, ::2]
    if unmatched.shape != size:
        height, width = unmatched.shape
        expected = f"{size[1]} x {size[0]} pixels, the size of the images"
        raise FormatError(path, expected, f"{width} x {height}")
    return unmatched
