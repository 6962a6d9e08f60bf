"""Files that are missing or bad, and the folders that hold them."""

import dataclasses
import os
from collections.abc import Callable, Collection
from pathlib import Path

from sf3d_jax.data.sets._missing import MissingArgument
from sf3d_jax.data.sets._names import did_you_mean

# Called before each file or image: how many are done, how many there are, and its name.
Progress = Callable[[int, int, str], None]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A file that is missing or bad; `str` of it is what an error would say.

    Attributes:
      text: the path, and what is wrong.
      argument: the argument of the function that would do instead of the file, or None.
    """

    text: str
    argument: str | None = None

    @classmethod
    def of(cls, error: Exception) -> "Problem":
        """What an error says.

        Args:
          error: of reading or writing a file.

        Returns:
          The problem; of the system's errors the file and the reason, without their number.
        """
        if isinstance(error, MissingArgument):
            return cls(error.text, error.argument)
        is_plain = isinstance(error, OSError) and error.strerror == os.strerror(error.errno or 0)
        if isinstance(error, FileNotFoundError) and error.filename and is_plain:
            return cls(f"there is no file {error.filename}")
        if isinstance(error, OSError) and error.strerror:
            return cls(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
        return cls(str(error) or type(error).__name__)

    def __str__(self) -> str:
        """What is wrong, and the argument that would help."""
        return self.text if self.argument is None else f"{self.text}, or {self.argument}="


def check_benchmark(name: object, choices: Collection[str]) -> None:
    """Refuses the name of a benchmark that is not known.

    Args:
      name: what was given.
      choices: the names that are known.

    Raises:
      ValueError: it is none of them; the message has the nearest one.
    """
    if isinstance(name, str) and name in choices:
        return
    meant = did_you_mean(name, choices)
    raise ValueError(f"benchmark: expected one of {list(choices)}, got {name!r}{meant}")


def check_folder_exists(name: str, path: Path) -> None:
    """Refuses a folder that is missing, and a file in its place.

    Args:
      name: of the argument, for the message.
      path: the folder.

    Raises:
      FileNotFoundError: there is nothing at that path.
      NotADirectoryError: it is a file.
    """
    if path.is_file():
        raise NotADirectoryError(f"{name}: {path} is a file; name a folder")
    if not path.is_dir():
        raise FileNotFoundError(f"{name}: there is no folder {path}")


def check_can_be_folder(name: str, path: Path) -> None:
    """Refuses what cannot become a folder.

    Args:
      name: of the argument, for the message.
      path: of the folder, which need not exist.

    Raises:
      NotADirectoryError: it, or a folder above it, is a file.
    """
    for folder in (path, *path.parents):
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"{name}: {folder} is a file; name a folder")
