"""Folders of frames, each listed once, and the places of each kind of file."""

import dataclasses
import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

# A file may have another extension than published, but only one of the same kind.
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".ppm", ".bmp")
_MAPS = (".npy", ".flo", ".pfm", ".png", ".flo5", ".dsp5", ".dpt")
_FIELD = re.compile(r"\{:0\d+d\}")


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder that may be missing, and its files by stem.

    If several files share a stem, the expected extension is preferred, then another of the same
    kind (image or map). Hidden files and other kinds are ignored.

    Attributes:
      path: path of the folder.
      ending: expected extension in lower case; "" if only subfolders are wanted.
    """

    path: Path
    ending: str

    def __bool__(self) -> bool:
        """Whether the folder contains any file."""
        return bool(self.stems)

    @functools.cached_property
    def _names_and_folders(self) -> tuple[dict[str, str], frozenset[str]]:
        """The names of the files by stem, and the subfolders, without hidden ones."""
        try:
            entries = [e for e in os.scandir(self.path) if not e.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            entries = []
        folders = frozenset(e.name for e in entries if e.is_dir())
        ranks = _rank_endings(self.ending)
        found = []
        for name in (e.name for e in entries if e.name not in folders):
            stem, ending = os.path.splitext(name)
            if (rank := ranks.get(ending.lower())) is not None:
                found.append((rank, name, stem))
        # The dict keeps the last file of each stem, which has the best rank.
        return {stem: name for _, name, stem in sorted(found, reverse=True)}, folders

    @property
    def stems(self) -> frozenset[str]:
        """The names of the files without their extensions."""
        return frozenset(self._names_and_folders[0])

    @property
    def subfolders(self) -> frozenset[str]:
        """The names of its subfolders."""
        return self._names_and_folders[1]

    def inside(self, name: str) -> "Folder":
        """Returns a subfolder, which may be missing.

        Args:
          name: name of the subfolder.

        Returns:
          The subfolder, with the same expected extension.
        """
        return Folder(self.path / name, self.ending)

    def file(self, stem: str) -> Path:
        """Returns the path of a file, whether it exists or not.

        Args:
          stem: file name without its extension.

        Returns:
          The path.
        """
        return self.path / self.name(stem)

    def name(self, stem: str) -> str:
        """Returns the name of a file, whether it exists or not.

        Args:
          stem: file name without its extension.

        Returns:
          The name with its extension.
        """
        return self._names_and_folders[0].get(stem) or stem + self.usual_ending

    @functools.cached_property
    def usual_ending(self) -> str:
        """The extension that a missing file is expected to have: that of all others, if any."""
        endings = {os.path.splitext(name)[1] for name in self._names_and_folders[0].values()}
        return endings.pop() if len(endings) == 1 else self.ending


@dataclasses.dataclass(frozen=True)
class FrameFiles:
    """The files of one kind in one sequence.

    Numbers are compared by value: frame_1 is the same as frame_0001.

    Attributes:
      folder: folder of the files; it may be missing.
      stem: file name without extension, with a field for the frame number, such as
        "frame_{:04d}", and optionally a second one for the next number.
    """

    folder: Folder
    stem: str

    @functools.cached_property
    def _stems(self) -> dict[int, str]:
        """The names of the files without their extensions, by frame number."""
        pattern = re.compile("([0-9]+)".join(map(_ignore_zeros, _FIELD.split(self.stem))))
        matches = (pattern.fullmatch(stem) for stem in self.folder.stems)
        found = [([*map(int, match.groups())], match.string) for match in matches if match]
        named = [(n, stem) for (n, *others), stem in found if others in ([], [n + 1])]
        if found and not named:
            path, (n, other) = self.folder.file(found[0][1]), found[0][0]
            expected = (
                f"names that lead from a frame to the next one, such as {_fill(self.stem, n)}"
            )
            raise ValueError(f"{path}: expected {expected}, found one from {n} to {other}")
        return index_stems(self.folder, named)

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of the frames that have a file.

        Raises:
          ValueError: two files belong to the same frame, or no file that names two frames, as a
            flow does, leads to the next one.
        """
        return frozenset(self._stems)

    def file(self, number: int) -> Path:
        """Returns the file of a frame, whether it exists or not."""
        return self.folder.file(self._stems.get(number, _fill(self.stem, number)))


class Place(NamedTuple):
    """Where the files of one kind lie, one file per frame.

    Attributes:
      folder: folder of the kind, below that of the split or the scene.
      stem: file name without extension, with a field for the frame number, as in `FrameFiles`.
      ending: published extension of the files.
      inside: subfolder below `folder`, or below the scene's folder in it.
    """

    folder: str
    stem: str
    ending: str
    inside: str = ""

    def frames(self, top: Path, scene: str = "") -> FrameFiles:
        """Returns the files of this kind.

        Args:
          top: folder that contains `folder`.
          scene: folder of the scene between `folder` and `inside`, if any.

        Returns:
          The files, which are listed on first use.
        """
        folder = Folder(top / self.folder / scene / self.inside, self.ending)
        return FrameFiles(folder, self.stem)

    def path(self, number: int, scene: str = "") -> Path:
        """Returns the published path of the file of a frame.

        The actual file may have another extension; `frames` finds it.

        Args:
          number: frame number.
          scene: folder of the scene, as in `frames`.

        Returns:
          The path relative to the folder that contains `folder`.
        """
        return Path(self.folder, scene, self.inside, _fill(self.stem, number) + self.ending)


def index_stems(folder: Folder, named: Iterable[tuple[int, str]]) -> dict[int, str]:
    """Indexes file names by their frame numbers.

    Args:
      folder: folder of the files.
      named: number and name without extension of each file.

    Returns:
      The names by number.

    Raises:
      ValueError: two files belong to the same frame.
    """
    stems: dict[int, str] = {}
    for number, stem in sorted(named):
        if number in stems:
            first, second = folder.file(stems[number]), folder.file(stem)
            raise ValueError(f"{first} and {second.name}: two files of one frame; keep one of them")
        stems[number] = stem
    return stems


def _ignore_zeros(text: str) -> str:
    """Returns a pattern for a text whose numbers may have any number of leading zeros."""
    return re.sub("[0-9]+", lambda number: f"0*{int(number[0])}", re.escape(text))


def _fill(stem: str, number: int) -> str:
    """Fills a stem with a frame number and, in a second field, the next one."""
    return stem.format(number, number + 1)


def list_subfolders(*paths: Path) -> set[str]:
    """Lists the names of all subfolders of some folders, which may be missing."""
    return set().union(*(Folder(path, "").subfolders for path in paths))


@functools.cache
def _rank_endings(ending: str) -> dict[str, int]:
    """Ranks the extensions of a folder's files, the expected one first."""
    kinds = [kind for kind in (PICTURES, _MAPS) if ending in kind]
    endings = dict.fromkeys((ending, *(e for kind in kinds for e in kind)))
    return {e: i for i, e in enumerate(endings)} if ending else {}
