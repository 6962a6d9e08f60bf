"""How FlyingThings3D, Monkaa and Driving are laid out and read; see `things`."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.maps import read_flow, read_map
from sf3d_jax.data.maps.kinds import FlowMap, ScalarMap
from sf3d_jax.data.sets._caching import cached_by_file
from sf3d_jax.data.sets._dataset import Entry, check_sizes
from sf3d_jax.data.sets._listing import Folder
from sf3d_jax.data.sets._sequences import (
    SIDES,
    Direction,
    Frames,
    Side,
    TwoWays,
    as_float32,
    check_choice,
    chosen,
    pairs,
    read_images,
    step_of,
)
from sf3d_jax.data.sets.things.cameras import read_things_cameras, things_camera
from sf3d_jax.samples import Sample

Render = Literal["cleanpass", "finalpass"]

RENDERS = ("cleanpass", "finalpass")

_WAYS = {"forward": "future", "backward": "past"}


class Things(TwoWays):
    """What the three have in common.

    A scene is `_levels` folders below the folder `_under` of each kind.
    """

    _under = ""
    _levels = 1
    _focal = 1050.0
    _exclude: frozenset[str] = frozenset()
    # How to leave out an image without a pose.
    _advice = ""

    def __init__(
        self,
        root: PathLike,
        render: Render,
        side: Side,
        direction: Direction,
        scenes: Collection[str] | None,
    ) -> None:
        """Lists the files."""
        check_choice("render", render, RENDERS)
        check_choice("side", side, SIDES)
        self._step = step_of(direction)
        self.render, self.side, self.direction, self.scenes = render, side, direction, scenes
        super().__init__(root, list(self._entries(Path(root))))

    def _missing(self) -> str:
        scene = "/".join(filter(None, [self._under, *["*"] * self._levels]))
        return (
            f"no frames_{self.render}/{scene}/{self.side}/0000.png, as {type(self).__name__} has it"
        )

    def _options(self) -> dict[str, Any]:
        return {"render": self.render, "side": self.side, "scenes": self.scenes}

    def _has_motion(self, direction: Direction) -> bool:
        kinds = _kinds(self.root, self._under, self.render, self.side, direction)
        names = _scenes(kinds.values(), self._levels)
        return any(kinds[kind].is_there(name) for kind in ("flow", "change") for name in names)

    def _entries(self, root: Path) -> Iterator[Entry]:
        kinds = _kinds(root, self._under, self.render, self.side, self.direction)
        found = _scenes((kinds["image"], kinds["flow"], kinds["disparity"]), self._levels)
        names = chosen(found, self.scenes, root)
        # A kind of which there is no folder in any scene was not fetched.
        kinds = {k: kind for k, kind in kinds.items() if any(map(kind.is_there, names))}
        cameras = root / "camera_data" / self._under
        for name in names:
            scene = "/".join(filter(None, [self._under, name]))
            of = {kind: place.frames(name) for kind, place in kinds.items()}
            shared = {"poses": cameras / name / "camera_data.txt"} if cameras.is_dir() else {}
            sequence, both = f"{scene}/{self.side}", ("image", "disparity")
            of_scene = pairs(sequence, of, both, digits=4, step=self._step, shared=shared)
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


class _Kind(NamedTuple):
    """Where the files of a kind lie.

    Attributes:
      top: the folder of the scenes.
      inside: the folder of the files, inside that of the scene.
      stem: of their names.
      ending: of their names.
    """

    top: Path
    inside: str
    stem: str
    ending: str

    def is_there(self, scene: str) -> bool:
        return (self.top / scene / self.inside).is_dir()

    def frames(self, scene: str) -> Frames:
        return Frames(Folder(self.top / scene / self.inside, self.ending), self.stem)


def _kinds(
    root: Path, under: str, render: str, side: str, direction: Direction
) -> dict[str, _Kind]:
    frames = f"frames_{render}"
    webp = not (root / frames).is_dir() and (root / f"{frames}_webp").is_dir()
    frames, image = (f"{frames}_webp", ".webp") if webp else (frames, ".png")
    way = _WAYS[direction]
    motion = f"into_{way}/{side}"
    flow = f"OpticalFlowInto{way.title()}_{{:04d}}_{side[0].upper()}"
    return {
        "image": _Kind(root / frames / under, side, "{:04d}", image),
        "flow": _Kind(root / "optical_flow" / under, motion, flow, ".pfm"),
        "disparity": _Kind(root / "disparity" / under, side, "{:04d}", ".pfm"),
        "change": _Kind(root / "disparity_change" / under, motion, "{:04d}", ".pfm"),
    }


def _scenes(kinds: Iterable[_Kind], levels: int) -> list[str]:
    """The scenes of which any of those kinds has a folder."""
    scenes = set()
    for kind in kinds:
        folders = {"": Folder(kind.top, "")}
        for _ in range(levels):
            folders = {
                f"{above}/{name}".strip("/"): folder.inside(name)
                for above, folder in folders.items()
                for name in folder.subfolders
            }
        scenes |= set(folders)
    return sorted(scenes)


def _numbers(pair: FlowMap | ScalarMap) -> np.ndarray:
    """A map with NaN where it holds no number, as all of its pixels are claimed."""
    values, valid = pair
    return np.where(valid.reshape(*valid.shape, *[1] * (values.ndim - 2)), values, np.nan)


def _sign(disparity: np.ndarray) -> int:
    """-1 if the disparities of a file are negative, else 1."""
    return -1 if np.count_nonzero(disparity < 0) > np.count_nonzero(disparity > 0) else 1
