"""Folders of frames, each listed once."""

import dataclasses
import functools
import os
from pathlib import Path

# A file may have another ending than its data set was published with, but not one of another kind.
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".ppm", ".bmp")
_MAPS = (".npy", ".flo", ".pfm", ".png", ".flo5", ".dsp5", ".dpt")


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
    def _listed(self) -> tuple[dict[str, str], frozenset[str]]:
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
        return frozenset(self._listed[0])

    @property
    def subfolders(self) -> frozenset[str]:
        """The names of the folders in it."""
        return self._listed[1]

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
        names = self._listed[0]
        if stem in names:
            return self.path / names[stem]
        # A missing file would end as those beside it do.
        return self.path / (stem + self._usual_ending)

    @functools.cached_property
    def _usual_ending(self) -> str:
        endings = {os.path.splitext(name)[1] for name in self._listed[0].values()}
        return endings.pop() if len(endings) == 1 else self.ending


@functools.cache
def _ranks(ending: str) -> dict[str, int]:
    """The endings that count beside the own one of a folder, the better ones first."""
    kinds = [kind for kind in (PICTURES, _MAPS) if ending in kind]
    endings = dict.fromkeys((ending, *(e for kind in kinds for e in kind)))
    return {e: i for i, e in enumerate(endings)} if ending else {}
