"""Folders of frames, each listed once."""

import dataclasses
import functools
import os
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder that may be missing, and the files in it by stem.

    Attributes:
      path: of the folder.
      ending: of the files, where there is no other beside them.
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
        names = sorted(e.name for e in entries if e.name not in folders)
        return {os.path.splitext(name)[0]: name for name in names}, folders

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
        endings = {os.path.splitext(name)[1] for name in names.values()}
        return self.path / (stem + (endings.pop() if len(endings) == 1 else self.ending))
