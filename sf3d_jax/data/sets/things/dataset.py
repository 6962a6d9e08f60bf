"""FlyingThings3D, Monkaa and Driving: rendered stereo sequences with dense scene flow.

The disparity change is on the first frame's grid: the same point has disparity + change in the next
frame. Releases differ in the sign of disparity; if it is negative, the sign of the change is
flipped, too. With focal length f and baseline B = 1, the unit of the poses ("metres" are units of
the scene), d = |disparity| / (f B) and c = +-change / (f B). The focal length and the principal
point (479.5, 269.5) are those of 960 x 540 pixels. Images of another size are treated as resized,
with disparities in their own pixels; other aspect ratios are refused.

Mayer et al., "A Large Dataset to Train Convolutional Networks for Disparity, Optical Flow, and
Scene Flow Estimation" (CVPR 2016).
"""

import dataclasses
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from sf3d_jax._checks import check_choice
from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.sets._caching import cache_by_file
from sf3d_jax.data.sets._dataset import Entry
from sf3d_jax.data.sets._listing import Folder, Place
from sf3d_jax.data.sets._reading import Files, get_both_frames
from sf3d_jax.data.sets._sequences import (
    SIDES,
    Direction,
    Side,
    TwoWays,
    choose,
    get_step,
    list_pairs,
)
from sf3d_jax.data.sets.things import layout
from sf3d_jax.data.sets.things.cameras import FOCAL, read_things_cameras, things_camera
from sf3d_jax.data.sets.things.reading import read_things
from sf3d_jax.samples import Sample


class Things(TwoWays):
    """The common base of the three data sets.

    A scene is a folder `_levels` levels below the folder `_under` of each kind.
    """

    _under = ""
    _levels = 1
    _focal = FOCAL
    _exclude: frozenset[str] = frozenset()
    # Advice on how to leave out an image without a pose.
    _advice = ""

    def __init__(
        self,
        root: PathLike,
        render: layout.Render,
        side: Side,
        direction: Direction,
        scenes: Collection[str] | None,
        frames: int,
    ) -> None:
        """Lists the files."""
        check_choice("render", render, layout.RENDERS)
        check_choice("side", side, SIDES)
        self._step = get_step(direction)
        self.render, self.side, self.direction, self.scenes = render, side, direction, scenes
        self.root = Path(root)
        super().__init__(root, list(self._list_entries()), frames=frames)

    def _describe_missing(self) -> str:
        scene = "/".join(filter(None, [self._under, *["*"] * self._levels]))
        name = type(self).__name__
        return f"found no frames_{self.render}/{scene}/{self.side}/0000.png (expected in {name})"

    def _get_options(self) -> dict[str, object]:
        return {"render": self.render, "side": self.side, "scenes": self.scenes}

    def _has_motion(self, direction: Direction) -> bool:
        truth = layout.get_truth(direction, self.side)
        names = self._list_scenes([self._find_images(), *truth.values()])
        motion = (truth["flow"], truth["change"])
        return any(self._has_folder(place, name) for place in motion for name in names)

    def _find_images(self) -> Place:
        """Finds the images in either format; without any, assumes the PNGs published first."""
        folder = f"frames_{self.render}"
        has_webp = not (self.root / folder).is_dir() and (self.root / f"{folder}_webp").is_dir()
        return layout.get_image(f"{folder}_webp" if has_webp else folder, self.side)

    def _list_scenes(self, places: Iterable[Place]) -> set[str]:
        """Lists the scenes below `_under` that have a folder of any of the given kinds."""
        scenes: set[str] = set()
        for place in places:
            folders = {"": Folder(self.root / place.folder / self._under, "")}
            for _ in range(self._levels):
                folders = {
                    f"{above}/{name}".strip("/"): folder.inside(name)
                    for above, folder in folders.items()
                    for name in folder.subfolders
                }
            scenes |= folders.keys()
        return scenes

    def _has_folder(self, place: Place, scene: str) -> bool:
        return (self.root / place.folder / self._under / scene / place.inside).is_dir()

    def _list_entries(self) -> Iterator[Entry]:
        kinds = {"image": self._find_images(), **layout.get_truth(self.direction, self.side)}
        found = self._list_scenes(kinds[kind] for kind in ("image", "flow", "disparity"))
        names = choose(found, self.scenes, self.root)
        # A kind without a folder in any scene was not downloaded.
        kinds = {
            kind: place
            for kind, place in kinds.items()
            if any(self._has_folder(place, name) for name in names)
        }
        cameras = self.root / layout.CAMERAS_FOLDER / self._under
        has_cameras = cameras.is_dir()
        for name in names:
            scene = "/".join(filter(None, [self._under, name]))
            frames = {kind: place.frames(self.root, scene) for kind, place in kinds.items()}
            shared = {"poses": cameras / name / layout.CAMERAS_FILE} if has_cameras else {}
            sequence, both = f"{scene}/{self.side}", ("image", "disparity")
            of_scene = list_pairs(sequence, frames, both, digits=4, step=self._step, shared=shared)
            for entry in of_scene:
                images = {f"{sequence}/{frame}" for frame in (entry.frame, entry.next_frame)}
                if not ({scene} | images) & self._exclude:
                    yield entry

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored in its files.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; NaN where a map has no value.

        Raises:
          FormatError: a file is malformed, or has no pose for the frame.
          OSError: a file is missing.
        """
        files = Files(entry)
        sample = read_things(files, self._focal)
        camera, next_camera = self._get_cameras(entry, files.size())
        return dataclasses.replace(sample, camera=camera, next_camera=next_camera, name=entry.name)

    def _get_cameras(
        self, entry: Entry, size: tuple[int, int]
    ) -> tuple[Camera, Camera] | tuple[None, None]:
        """Reads the cameras of both frames, in the world of the scene."""
        if "poses" not in entry.files:
            return None, None
        path = entry.files["poses"]
        poses = _read_poses(path)

        def refuse(frame: int) -> FormatError:
            image = f"{entry.sequence}/{frame:04d}.png"
            return FormatError(
                path,
                f"poses of frames {entry.frame} and {entry.next_frame}",
                f"{len(poses)} frames without {frame:04d}" + self._advice.format(image),
            )

        which = SIDES.index(self.side)
        first, second = (
            things_camera(size, pose[which], focal=self._focal)
            for pose in get_both_frames(entry, poses, refuse)
        )
        return first, second


class FlyingThings3D(Things):
    """Pairs of frames of FlyingThings3D.

        frames_cleanpass/ or frames_finalpass/ (also frames_cleanpass_webp/, with .webp)
          SCENE/left/0006.png
        optical_flow/
          SCENE/into_future/left/OpticalFlowIntoFuture_0006_L.pfm
          SCENE/into_past/left/OpticalFlowIntoPast_0006_L.pfm
        disparity/
          SCENE/left/0006.pfm
        disparity_change/
          SCENE/into_future/left/0006.pfm
        camera_data/
          SCENE/camera_data.txt                     poses

    SCENE is SPLIT/LETTER/NNNN, such as TRAIN/A/0000.

    A sample has these fields if their files exist: the two images, `flow`, `inv_depth`,
    `inv_depth_change`, `next_inv_depth` and the cameras. A few scenes lack poses for some frames.
    If camera_data exists, reading a pair with such a frame raises a `FormatError` that names the
    image to `exclude`.
    """

    _levels = 2
    _advice = "; exclude=[{!r}] leaves it out"

    def __init__(
        self,
        root: PathLike,
        split: str = "TRAIN",
        *,
        render: layout.Render = "cleanpass",
        side: Side = "left",
        direction: Direction = "forward",
        scenes: Collection[str] | None = None,
        exclude: Collection[str] = (),
        frames: int = 2,
    ) -> None:
        """Lists the files.

        Args:
          root: folder with frames_cleanpass, optical_flow and so on.
          split: "TRAIN" or "TEST".
          render: rendering pass, "cleanpass" or "finalpass".
          side: camera, "left" or "right".
          direction: "forward" or "backward" in time.
          scenes: scenes to read, such as "A/0000"; all if None.
          exclude: scenes and images to leave out, such as "TRAIN/A/0000" or, as in the benchmark's
            all_unused_files.txt, "TRAIN/A/0000/left/0006.png". Pairs that contain one of these
            images are left out; use it for frames without a pose.
          frames: frames per sample; above 2, a sample is a `Sequence`.

        Raises:
          FileNotFoundError: no files are found, or a scene is missing.
          ValueError: an option has an unknown value.
        """
        check_choice("split", split, layout.SPLITS)
        self.split = self._under = split
        self._exclude = frozenset(name.strip().split(".")[0] for name in exclude)
        super().__init__(root, render, side, direction, scenes, frames)

    def _get_options(self) -> dict[str, object]:
        return super()._get_options() | {"split": self.split, "exclude": self._exclude}


class Monkaa(Things):
    """Pairs of frames of Monkaa.

        frames_cleanpass/ or frames_finalpass/ (also frames_cleanpass_webp/, with .webp)
          SCENE/left/0006.png
        optical_flow/SCENE/into_future/left/OpticalFlowIntoFuture_0006_L.pfm
        disparity/SCENE/left/0006.pfm
        disparity_change/SCENE/into_future/left/0006.pfm
        camera_data/SCENE/camera_data.txt           poses

    SCENE is a name such as funnyworld_x2. A sample has these fields if their files exist: the two
    images, `flow`, `inv_depth`, `inv_depth_change`, `next_inv_depth` and the cameras.
    """

    def __init__(
        self,
        root: PathLike,
        *,
        render: layout.Render = "cleanpass",
        side: Side = "left",
        direction: Direction = "forward",
        scenes: Collection[str] | None = None,
        frames: int = 2,
    ) -> None:
        """Lists the files.

        Args:
          root: folder with frames_cleanpass, optical_flow and so on.
          render: rendering pass, "cleanpass" or "finalpass".
          side: camera, "left" or "right".
          direction: "forward" or "backward" in time.
          scenes: scenes to read, such as "a_rain_of_stones_x2"; all if None.
          frames: frames per sample; above 2, a sample is a `Sequence`.

        Raises:
          FileNotFoundError: no files are found, or a scene is missing.
          ValueError: an option has an unknown value.
        """
        super().__init__(root, render, side, direction, scenes, frames)


class Driving(Things):
    """Pairs of frames of Driving.

        frames_cleanpass/ or frames_finalpass/ (also frames_cleanpass_webp/, with .webp)
          SCENE/left/0006.png
        optical_flow/SCENE/into_future/left/OpticalFlowIntoFuture_0006_L.pfm
        disparity/SCENE/left/0006.pfm
        disparity_change/SCENE/into_future/left/0006.pfm
        camera_data/SCENE/camera_data.txt           poses

    SCENE is FOCAL/DIRECTION/SPEED, such as 35mm_focallength/scene_forwards/fast. A sample has these
    fields if their files exist: the two images, `flow`, `inv_depth`, `inv_depth_change`,
    `next_inv_depth` and the cameras.
    """

    _levels = 2

    def __init__(
        self,
        root: PathLike,
        *,
        focal: str = "35mm_focallength",
        render: layout.Render = "cleanpass",
        side: Side = "left",
        direction: Direction = "forward",
        scenes: Collection[str] | None = None,
        frames: int = 2,
    ) -> None:
        """Lists the files.

        Args:
          root: folder with frames_cleanpass, optical_flow and so on.
          focal: lens, "35mm_focallength" (1050 pixels) or "15mm_focallength" (450 pixels).
          render: rendering pass, "cleanpass" or "finalpass".
          side: camera, "left" or "right".
          direction: "forward" or "backward" in time.
          scenes: scenes to read, such as "scene_forwards/fast"; all if None.
          frames: frames per sample; above 2, a sample is a `Sequence`.

        Raises:
          FileNotFoundError: no files are found, or a scene is missing.
          ValueError: an option has an unknown value.
        """
        check_choice("focal", focal, layout.FOCALS)
        self.focal = self._under = focal
        self._focal = layout.FOCALS[focal]
        super().__init__(root, render, side, direction, scenes, frames)

    def _get_options(self) -> dict[str, object]:
        return super()._get_options() | {"focal": self.focal}


_read_poses = cache_by_file(read_things_cameras)
