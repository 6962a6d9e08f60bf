"""Folders of frames, each listed once, and where the files of a kind lie."""

import dataclasses
import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

# A file may have another ending than its data set was published with, but not one of another kind.
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".ppm", ".bmp")
_MAPS = (".npy", ".flo", ".pfm", ".png", ".flo5", ".dsp5", ".dpt")
_FIELD = re.compile(r"\{:0\d+d\}")


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder that may be missing, and the files in it by stem.

    Of several files of a stem that with the folder's own ending counts, then one of the same kind,
    a picture or a map. Files of other kinds, and hidden ones, are none.

    Attributes:
      path: of the folder.
      ending: of the files, in lower case; "" if only the folders in it are wanted.
    """

    path: Path
    ending: str

    def __bool__(self) -> bool:
        """Whether there is any file in it."""
        return bool(self.stems)

    @functools.cached_property
    def _names_and_folders(self) -> tuple[dict[str, str], frozenset[str]]:
        """The files' names by stem, and the subfolders; hidden ones are none."""
        try:
            entries = [e for e in os.scandir(self.path) if not e.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            entries = []
        folders = frozenset(e.name for e in entries if e.is_dir())
        ranks = _ranks(self.ending)
        found = []
        for name in (e.name for e in entries if e.name not in folders):
            stem, ending = os.path.splitext(name)
            if (rank := ranks.get(ending.lower())) is not None:
                found.append((rank, name, stem))
        # The last one of a stem stays.
        return {stem: name for _, name, stem in sorted(found, reverse=True)}, folders

    @property
    def stems(self) -> frozenset[str]:
        """The names of the files without their endings."""
        return frozenset(self._names_and_folders[0])

    @property
    def subfolders(self) -> frozenset[str]:
        """The names of the folders in it."""
        return self._names_and_folders[1]

    def inside(self, name: str) -> "Folder":
        """A folder in it, which may be missing.

        Args:
          name: of the folder.

        Returns:
          The folder, with files of the same ending.
        """
        return Folder(self.path / name, self.ending)

    def file(self, stem: str) -> Path:
        """The file of a stem: the one that is there, or the one that is missing.

        Args:
          stem: the name without its ending.

        Returns:
          Its path.
        """
        names = self._names_and_folders[0]
        if stem in names:
            return self.path / names[stem]
        # A missing file would end as those beside it do.
        return self.path / (stem + self._usual_ending)

    @functools.cached_property
    def _usual_ending(self) -> str:
        endings = {os.path.splitext(name)[1] for name in self._names_and_folders[0].values()}
        return endings.pop() if len(endings) == 1 else self.ending


@dataclasses.dataclass(frozen=True)
class Frames:
    """The files of one kind, of one sequence.

    Numbers count by their value, whatever their digits: frame_1 is the same as frame_0001.

    Attributes:
      folder: that they lie in; it may be missing.
      stem: of their names, with a field for the number, such as "frame_{:04d}", and perhaps one
        for the number after it.
    """

    folder: Folder
    stem: str

    @functools.cached_property
    def _stems(self) -> dict[int, str]:
        """The names of the files without their endings, by the number of the frame."""
        pattern = re.compile("([0-9]+)".join(map(_ignore_zeros, _FIELD.split(self.stem))))
        matches = (pattern.fullmatch(stem) for stem in self.folder.stems)
        found = [([*map(int, match.groups())], match.string) for match in matches if match]
        named = [(n, stem) for (n, *others), stem in found if others in ([], [n + 1])]
        if found and not named:
            path, (n, other) = self.folder.file(found[0][1]), found[0][0]
            expected = f"names that lead from a frame to the next one, as {_fill(self.stem, n)}"
            raise ValueError(f"{path}: expected {expected}, found one from {n} to {other}")
        return index_stems(self.folder, named)

    @property
    def numbers(self) -> frozenset[int]:
        """The frames of which there is a file.

        Raises:
          ValueError: two files are of one frame, or those that name two frames, as a flow does,
            lead all farther than to the next one.
        """
        return frozenset(self._stems)

    def file(self, number: int) -> Path:
        """The file of a frame, be it there or missing."""
        return self.folder.file(self._stems.get(number, _fill(self.stem, number)))


class Place(NamedTuple):
    """Where the files of one kind lie, one file a frame.

    Attributes:
      folder: of the kind, below the folder of the split or of the scene.
      stem: of the files, with a field for the number of the frame, as in `Frames`.
      ending: of the files as they are published.
      inside: the folder of the files below that of the kind, or below the scene's folder in it.
    """

    folder: str
    stem: str
    ending: str
    inside: str = ""

    def frames(self, top: Path, scene: str = "") -> Frames:
        """The files of this kind.

        Args:
          top: the folder that `folder` lies in.
          scene: the folder of a scene between `folder` and `inside`, where there is one.

        Returns:
          The files, which are listed when they are first asked for.
        """
        folder = Folder(top / self.folder / scene / self.inside, self.ending)
        return Frames(folder, self.stem)

    def path(self, number: int, scene: str = "") -> Path:
        """Where the file of a frame lies as it is published.

        The file that is there may have another ending: `frames` finds it.

        Args:
          number: of the frame.
          scene: as in `frames`.

        Returns:
          A path relative to the folder that `folder` lies in.
        """
        return Path(self.folder, scene, self.inside, _fill(self.stem, number) + self.ending)


def index_stems(folder: Folder, named: Iterable[tuple[int, str]]) -> dict[int, str]:
    """The names of files by the numbers of their frames.

    Args:
      folder: that they lie in.
      named: number and name without ending of each file.

    Returns:
      The names, by number.

    Raises:
      ValueError: two files are of one frame.
    """
    stems: dict[int, str] = {}
    for number, stem in sorted(named):
        if number in stems:
            first, second = folder.file(stems[number]), folder.file(stem)
            raise ValueError(f"{first} and {second.name}: two files of one frame; keep one of them")
        stems[number] = stem
    return stems


def _ignore_zeros(text: str) -> str:
    """The pattern of a text whose numbers may have any digits."""
    return re.sub("[0-9]+", lambda number: f"0*{int(number[0])}", re.escape(text))


def _fill(stem: str, number: int) -> str:
    """The stem with the number of a frame in its field, and the next one in a second field."""
    return stem.format(number, number + 1)


def subfolders(*paths: Path) -> set[str]:
    """The names of the folders in any of some folders, which may be missing."""
    return set().union(*(Folder(path, "").subfolders for path in paths))


@functools.cache
def _ranks(ending: str) -> dict[str, int]:
    """The endings that count beside the own one of a folder, the better ones first."""
    kinds = [kind for kind in (PICTURES, _MAPS) if ending in kind]
    endings = dict.fromkeys((ending, *(e for kind in kinds for e in kind)))
    return {e: i for i, e in enumerate(endings)} if ending else {}
