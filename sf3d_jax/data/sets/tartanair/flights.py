"""Code shared by both versions of TartanAir: flights listed by environment and difficulty."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.data.sets._caching import cache_by_file
from sf3d_jax.data.sets._dataset import Dataset, Entry
from sf3d_jax.data.sets._listing import Folder, FrameFiles, Place
from sf3d_jax.data.sets._reading import get_both_frames
from sf3d_jax.data.sets._sequences import choose, list_pairs
from sf3d_jax.data.sets.tartanair.files import read_tartanair_poses


class Flights(Dataset):
    """Pairs of frames from the selected flights.

    A subclass sets its options and calls `_list_pairs` for the entries.
    """

    environments: Collection[str] | None
    difficulty: str | None
    flights: Collection[str] | None

    def _list_kinds(self, flight: Path) -> dict[str, FrameFiles]:
        """Lists the files of a flight by kind: "image", "depth", "flow" and others."""
        raise NotImplementedError

    def _list_pairs(
        self, root: Path, difficulties: Mapping[str, str], poses: str
    ) -> Iterator[Entry]:
        """Lists the pairs.

        Args:
          root: folder of the environments.
          difficulties: folders of the difficulties by name.
          poses: name of the file with the poses.

        Returns:
          The pairs, flight by flight.
        """
        sequences = self._list_sequences(root, difficulties)
        of = {name: self._list_kinds(path) for name, path in sequences.items()}
        # A kind without files in any flight was not downloaded.
        there = {kind for found in of.values() for kind, frames in found.items() if frames.numbers}
        has_poses = any((path / poses).is_file() for path in sequences.values())
        for name, found in of.items():
            fetched = {kind: frames for kind, frames in found.items() if kind in there}
            shared = {"poses": sequences[name] / poses} if has_poses else {}
            yield from list_pairs(name, fetched, ("image", "depth"), digits=6, shared=shared)

    def _list_sequences(self, root: Path, difficulties: Mapping[str, str]) -> dict[str, Path]:
        """Finds the folders of the selected flights."""
        top = Folder(root, "")
        inside = {name: top.inside(name) for name in top.subfolders}
        flights = {
            (environment, folder): there.inside(folder).subfolders
            for environment, there in inside.items()
            for name, folder in difficulties.items()
            if folder in there.subfolders and self.difficulty in (None, name)
        }
        environments = choose({name for name, _ in flights}, self.environments, root)
        names = [key for key in flights if key[0] in environments]
        wanted = {*choose(set().union(*(flights[key] for key in names)), self.flights, root)}
        return {
            f"{name}/{folder}/{flight}": root / name / folder / flight
            for name, folder in sorted(names)
            for flight in sorted(flights[name, folder] & wanted)
        }


def list_flight_files(flight: Path, kinds: Mapping[str, Place]) -> dict[str, FrameFiles]:
    """Lists the files of a flight by kind; a folder with two kinds is listed once.

    Args:
      flight: folder of the flight.
      kinds: where the files lie, by kind.
    """
    folders = {
        (place.folder, place.ending): Folder(flight / place.folder, place.ending)
        for place in kinds.values()
    }
    return {
        kind: FrameFiles(folders[place.folder, place.ending], place.stem)
        for kind, place in kinds.items()
    }


def read_both_poses(entry: Entry) -> tuple[np.ndarray, np.ndarray] | None:
    """Reads the poses of both frames, in the world of the flight.

    Args:
      entry: entry of the sample.

    Returns:
      World-to-camera [3, 4] of the first and the next frame; None if the entry has no poses.

    Raises:
      FormatError: the file is malformed, or has no pose for a frame.
      OSError: the file is missing.
    """
    if "poses" not in entry.files:
        return None
    path = entry.files["poses"]
    poses = _read_poses(path)
    return get_both_frames(
        entry,
        poses,
        lambda frame: FormatError(path, f"a line for frame {frame:06d}", f"{len(poses)} lines"),
    )


@cache_by_file
def _read_poses(path: Path) -> dict[int, np.ndarray]:
    return dict(enumerate(read_tartanair_poses(path)))
