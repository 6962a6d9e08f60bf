"""TartanAir: flights through rendered worlds that do not move, with depth, flow and poses.

The flow is forward, of the left camera, and made of depth and poses. There is no change of the
inverse depth; as nothing moves, it is that of `rigid_motion(inv_depth, camera, next_camera)`.

Wang et al., "TartanAir: A Dataset to Push the Limits of Visual SLAM" (IROS 2020).
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.cameras.sizes import TARTANAIR, check_aspect
from sf3d_jax.data.maps import read_map
from sf3d_jax.data.sets._caching import cached_by_file
from sf3d_jax.data.sets._dataset import Dataset, Entry
from sf3d_jax.data.sets._listing import Folder, Frames
from sf3d_jax.data.sets._reading import (
    Files,
    all_valid,
    flow_vectors,
    inverse_depth,
    of_both_frames,
    read_unit_image,
)
from sf3d_jax.data.sets._sequences import (
    check_choice,
    choose,
    pairs,
)
from sf3d_jax.data.sets.tartanair import layout
from sf3d_jax.data.sets.tartanair.files import (
    read_tartanair_flow,
    read_tartanair_poses,
    tartanair_camera,
)
from sf3d_jax.samples import Sample


class TartanAir(Dataset):
    """Pairs of frames of TartanAir, of the left camera.

        abandonedfactory/                           or another environment
          Easy/ or Hard/
            P000/                                   or another flight
              image_left/000000_left.png
              depth_left/000000_left_depth.npy      depth in metres
              flow/
                000000_000001_flow.npy              flow between two frames
                000000_000001_mask.npy              where it is not valid
              pose_left.txt                         one pose a frame, from frame 0

    A sample has whichever of these the folders hold: the two images, `flow`, `valid` outside its
    mask, `inv_depth` and `next_inv_depth`, and the cameras. The camera is that of 640 x 480 pixels;
    images of another size are taken as resized ones, and those of another aspect are refused.
    """

    def __init__(
        self,
        root: PathLike,
        *,
        environments: Collection[str] | None = None,
        difficulty: Literal["Easy", "Hard"] | None = None,
        flights: Collection[str] | None = None,
    ) -> None:
        """Lists the files.

        Args:
          root: the folder that holds the environments.
          environments: to read, such as "abandonedfactory"; all if None.
          difficulty: "Easy" or "Hard"; both if None.
          flights: to read, such as "P000", of every environment that has them; all if None.

        Raises:
          FileNotFoundError: there is nothing, or an environment or a flight is missing.
          ValueError: there is no such difficulty.
        """
        if difficulty is not None:
            check_choice("difficulty", difficulty, layout.DIFFICULTIES)
        self.environments, self.difficulty, self.flights = environments, difficulty, flights
        super().__init__(root, list(self._entries(Path(root))))

    def _missing(self) -> str:
        name = f"ENVIRONMENT/{self.difficulty or 'Easy'}/P000/image_left/000000_left.png"
        return f"no {name}, as TartanAir has it"

    def _sequences(self, root: Path) -> dict[str, Path]:
        """The folders of the flights that are wanted."""
        top = Folder(root, "")
        inside = {name: top.inside(name) for name in top.subfolders}
        flights = {
            (environment, difficulty): folder.inside(difficulty).subfolders
            for environment, folder in inside.items()
            for difficulty in sorted(folder.subfolders & {*layout.DIFFICULTIES})
            if self.difficulty in (None, difficulty)
        }
        environments = choose({name for name, _ in flights}, self.environments, root)
        names = [key for key in flights if key[0] in environments]
        wanted = {*choose(set().union(*(flights[key] for key in names)), self.flights, root)}
        return {
            f"{name}/{difficulty}/{flight}": root / name / difficulty / flight
            for name, difficulty in sorted(names)
            for flight in sorted(flights[name, difficulty] & wanted)
        }

    def _entries(self, root: Path) -> Iterator[Entry]:
        sequences = self._sequences(root)
        of = {name: _frames(path) for name, path in sequences.items()}
        # A kind of which there is no file in any flight was not fetched.
        there = {kind for kinds in of.values() for kind, frames in kinds.items() if frames.numbers}
        has_poses = any((path / layout.POSES).is_file() for path in sequences.values())
        for name, kinds in of.items():
            fetched = {kind: frames for kind, frames in kinds.items() if kind in there}
            shared = {"poses": sequences[name] / layout.POSES} if has_poses else {}
            yield from pairs(name, fetched, ("image", "depth"), digits=6, shared=shared)

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as its files have it.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; NaN where a depth is no number.

        Raises:
          FormatError: a file is not what it should be, or has no pose of the frame.
          OSError: a file is missing.
        """
        files = Files(entry)
        image, next_image = files.both("image", read_unit_image)
        depth, next_depth = files.both("depth", read_map)
        flow = files.read("flow", lambda path: read_tartanair_flow(path, files.paths.get("mask")))
        size = files.size()

        camera, next_camera = None, None
        if "poses" in entry.files:
            check_aspect(entry.files["poses"], TARTANAIR, size)
            camera, next_camera = _cameras(entry, size)
        return Sample(
            image=image,
            next_image=next_image,
            flow=flow_vectors(flow),
            inv_depth=inverse_depth(depth),
            next_inv_depth=inverse_depth(next_depth),
            valid=all_valid(flow),
            camera=camera,
            next_camera=next_camera,
            name=entry.name,
        )


def _frames(flight: Path) -> dict[str, Frames]:
    """The files of a flight by kind; a folder of two kinds is listed once."""
    places = layout.KINDS
    folders = {
        place.folder: Folder(flight / place.folder, place.ending) for place in places.values()
    }
    return {kind: Frames(folders[place.folder], place.stem) for kind, place in places.items()}


def _cameras(entry: Entry, size: tuple[int, int]) -> tuple[Camera, Camera]:
    """The cameras of both frames, in the world of the flight."""
    path = entry.files["poses"]
    poses = _read_poses(path)
    first, second = of_both_frames(
        entry,
        poses,
        lambda frame: FormatError(path, f"a line of the frame {frame:06d}", f"{len(poses)} lines"),
    )
    of_pose = lambda pose: tartanair_camera(TARTANAIR, pose).resize(size)
    return of_pose(first), of_pose(second)


@cached_by_file
def _read_poses(path: Path) -> dict[int, np.ndarray]:
    return dict(enumerate(read_tartanair_poses(path)))
