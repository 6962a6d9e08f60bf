"""TartanAir: flights through rendered worlds that do not move, with depth, flow and poses.

    ENVIRONMENT/DIFFICULTY/PNNN/image_left/NNNNNN_left.png          images
    ENVIRONMENT/DIFFICULTY/PNNN/depth_left/NNNNNN_left_depth.npy    depth in metres
    ENVIRONMENT/DIFFICULTY/PNNN/flow/NNNNNN_MMMMMM_flow.npy         flow between two frames
    ENVIRONMENT/DIFFICULTY/PNNN/flow/NNNNNN_MMMMMM_mask.npy         where it is not valid
    ENVIRONMENT/DIFFICULTY/PNNN/pose_left.txt                       one pose a frame, from frame 0

The flow is forward, of the left camera, and made of depth and poses. There is no change of the
inverse depth; as nothing moves, it is that of `rigid_motion(inv_depth, camera, next_camera)`.

Wang et al., "TartanAir: A Dataset to Push the Limits of Visual SLAM" (IROS 2020).
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.maps import read_map
from sf3d_jax.data.sets._caching import cached_by_file
from sf3d_jax.data.sets._dataset import Dataset, Entry, check_sizes
from sf3d_jax.data.sets._listing import Folder, Frames
from sf3d_jax.data.sets._sequences import (
    check_choice,
    chosen,
    inverse_depth,
    pairs,
    read_images,
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

    A sample has whichever of these the folders hold: the two images, `flow`, `valid` outside its
    mask, `inv_depth` and `next_inv_depth`, and the cameras.
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
        environments = chosen({name for name, _ in flights}, self.environments, root)
        names = [key for key in flights if key[0] in environments]
        wanted = {*chosen(set().union(*(flights[key] for key in names)), self.flights, root)}
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
        files = entry.files
        images = read_images(files)
        flow = read_tartanair_flow(files["flow"], files.get("mask")) if "flow" in files else None
        depths = {name: read_map(files[name]) for name in ("depth", "next_depth") if name in files}
        maps = images | {name: pair.valid for name, pair in depths.items()}
        maps |= {} if flow is None else {"flow": flow.valid}
        check_sizes(files, maps)
        inverse = {name: inverse_depth(pair) for name, pair in depths.items()}
        return Sample(
            **images,
            **_pair(entry, next(iter(maps.values())).shape[:2]),
            flow=None if flow is None else flow.flow,
            inv_depth=inverse.get("depth"),
            next_inv_depth=inverse.get("next_depth"),
            valid=None if flow is None else flow.valid,
            name=entry.name,
        )


def _frames(flight: Path) -> dict[str, Frames]:
    """The files of a flight by kind; a folder of two kinds is listed once."""
    places = layout.KINDS
    folders = {
        place.folder: Folder(flight / place.folder, place.ending) for place in places.values()
    }
    return {kind: Frames(folders[place.folder], place.stem) for kind, place in places.items()}


def _pair(entry: Entry, size: tuple[int, int]) -> dict[str, Camera]:
    if "poses" not in entry.files:
        return {}
    path = entry.files["poses"]
    poses = _read_poses(path)
    frames = {"camera": int(entry.frame), "next_camera": int(entry.next_frame)}
    if max(frames.values()) >= len(poses):
        raise FormatError(path, f"a line of the frame {entry.next_frame}", f"{len(poses)} lines")
    return {name: tartanair_camera(size, poses[frame]) for name, frame in frames.items()}


_read_poses = cached_by_file(read_tartanair_poses)
