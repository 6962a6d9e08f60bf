"""How FlyingThings3D, Monkaa and Driving are laid out and read; see `things`."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.maps import read_flow, read_map
from sf3d_jax.data.maps.kinds import FlowMap, ScalarMap
from sf3d_jax.data.sets._caching import cached_by_file
from sf3d_jax.data.sets._dataset import Entry, check_sizes
from sf3d_jax.data.sets._listing import Folder, Place
from sf3d_jax.data.sets._sequences import (
    SIDES,
    Direction,
    Side,
    TwoWays,
    as_float32,
    check_choice,
    chosen,
    pairs,
    read_images,
    step_of,
)
from sf3d_jax.data.sets.things import layout
from sf3d_jax.data.sets.things.cameras import FOCAL, read_things_cameras, things_camera
from sf3d_jax.samples import Sample


class Things(TwoWays):
    """What the three have in common.

    A scene is `_levels` folders below the folder `_under` of each kind.
    """

    _under = ""
    _levels = 1
    _focal = FOCAL
    _exclude: frozenset[str] = frozenset()
    # How to leave out an image without a pose.
    _advice = ""

    def __init__(
        self,
        root: PathLike,
        render: layout.Render,
        side: Side,
        direction: Direction,
        scenes: Collection[str] | None,
    ) -> None:
        """Lists the files."""
        check_choice("render", render, layout.RENDERS)
        check_choice("side", side, SIDES)
        self._step = step_of(direction)
        self.render, self.side, self.direction, self.scenes = render, side, direction, scenes
        self.root = Path(root)
        super().__init__(root, list(self._entries()))

    def _missing(self) -> str:
        scene = "/".join(filter(None, [self._under, *["*"] * self._levels]))
        return (
            f"no frames_{self.render}/{scene}/{self.side}/0000.png, as {type(self).__name__} has it"
        )

    def _options(self) -> dict[str, Any]:
        return {"render": self.render, "side": self.side, "scenes": self.scenes}

    def _has_motion(self, direction: Direction) -> bool:
        truth = layout.truth(direction, self.side)
        names = self._scenes([self._images(), *truth.values()])
        motion = (truth["flow"], truth["change"])
        return any(self._is_there(place, name) for place in motion for name in names)

    def _images(self) -> Place:
        """The images, in either format; where there are none, as they were published first."""
        folder = f"frames_{self.render}"
        has_webp = not (self.root / folder).is_dir() and (self.root / f"{folder}_webp").is_dir()
        return layout.image(f"{folder}_webp" if has_webp else folder, self.side)

    def _scenes(self, places: Iterable[Place]) -> set[str]:
        """The scenes of which there is a folder of any of those kinds, below `_under`."""
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

    def _is_there(self, place: Place, scene: str) -> bool:
        return (self.root / place.folder / self._under / scene / place.inside).is_dir()

    def _entries(self) -> Iterator[Entry]:
        kinds = {"image": self._images(), **layout.truth(self.direction, self.side)}
        found = self._scenes(kinds[kind] for kind in ("image", "flow", "disparity"))
        names = chosen(found, self.scenes, self.root)
        # A kind of which there is no folder in any scene was not fetched.
        kinds = {
            kind: place
            for kind, place in kinds.items()
            if any(self._is_there(place, name) for name in names)
        }
        cameras = self.root / layout.CAMERAS_FOLDER / self._under
        has_cameras = cameras.is_dir()
        for name in names:
            scene = "/".join(filter(None, [self._under, name]))
            frames = {kind: place.frames(self.root, scene) for kind, place in kinds.items()}
            shared = {"poses": cameras / name / layout.CAMERAS_FILE} if has_cameras else {}
            sequence, both = f"{scene}/{self.side}", ("image", "disparity")
            of_scene = pairs(sequence, frames, both, digits=4, step=self._step, shared=shared)
            for entry in of_scene:
                images = {f"{sequence}/{frame}" for frame in (entry.frame, entry.next_frame)}
                if not ({scene} | images) & self._exclude:
                    yield entry

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as its files have it.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; NaN where a map holds no number.

        Raises:
          FormatError: a file is not what it should be, or has no pose of the frame.
          OSError: a file is missing.
        """
        files = entry.files
        images = read_images(files)
        flow = _numbers(read_flow(files["flow"])) if "flow" in files else None
        scalars = {
            name: _numbers(read_map(files[name]))
            for name in ("disparity", "next_disparity", "change")
            if name in files
        }
        maps = images | {"flow": flow} | scalars
        check_sizes(files, maps)
        size = next(x.shape[:2] for x in maps.values() if x is not None)
        signs = {name: _sign(x) for name, x in scalars.items() if name != "change"}
        signs["change"] = signs.get("disparity", 1)
        focal = things_camera(size, focal=self._focal).focal[0]
        channels = {
            field: signs[name] * scalars[name] / focal
            for name, field in _FIELDS.items()
            if name in scalars
        }
        return Sample(
            **images,
            **as_float32(channels),
            **self._cameras(entry, size),
            flow=flow,
            name=entry.name,
        )

    def _cameras(self, entry: Entry, size: tuple[int, int]) -> dict[str, Camera]:
        if "poses" not in entry.files:
            return {}
        path = entry.files["poses"]
        poses = _read_poses(path)
        numbers = {"camera": int(entry.frame), "next_camera": int(entry.next_frame)}
        for number in numbers.values():
            if number not in poses:
                expected = f"poses of the frames {entry.frame} and {entry.next_frame}"
                found = f"{len(poses)} frames, not that of {number:04d}"
                image = f"{entry.sequence}/{number:04d}.png"
                raise FormatError(path, expected, found + self._advice.format(image))
        which = SIDES.index(self.side)
        return {
            name: things_camera(size, poses[number][which], focal=self._focal)
            for name, number in numbers.items()
        }


_read_poses = cached_by_file(read_things_cameras)

_FIELDS = {
    "disparity": "inv_depth",
    "change": "inv_depth_change",
    "next_disparity": "next_inv_depth",
}


def _numbers(pair: FlowMap | ScalarMap) -> np.ndarray:
    """A map with NaN where it holds no number, as all of its pixels are claimed."""
    values, valid = pair
    return np.where(valid.reshape(*valid.shape, *[1] * (values.ndim - 2)), values, np.nan)


def _sign(disparity: np.ndarray) -> int:
    """-1 if the disparities of a file are negative, else 1."""
    return -1 if np.count_nonzero(disparity < 0) > np.count_nonzero(disparity > 0) else 1
