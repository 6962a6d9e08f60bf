"""Problems with files, and checks of folders and names."""

import dataclasses
import os
from collections.abc import Callable, Collection
from pathlib import Path

from sf3d_jax.data.sets._missing import MissingArgument
from sf3d_jax.data.sets._names import did_you_mean

# Called before each file or image with the number of finished ones, their total, and its name.
Progress = Callable[[int, int, str], None]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A missing or bad file; its `str` is an error message.

    Attributes:
      text: the path, and what is wrong.
      argument: argument of the function that can replace the file, or None.
    """

    text: str
    argument: str | None = None

    @classmethod
    def of(cls, error: Exception) -> "Problem":
        """Converts an error to a problem.

        Args:
          error: error raised when a file was read or written.

        Returns:
          The problem; for an error of the operating system, its file and reason without the number.
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
        """The error message, with the argument that would help."""
        return self.text if self.argument is None else f"{self.text}, or {self.argument}="


def check_benchmark(name: object, choices: Collection[str]) -> None:
    """Refuses an unknown benchmark.

    Args:
      name: name of the benchmark.
      choices: known names.

    Raises:
      ValueError: the name is unknown; the message suggests the nearest one.
    """
    if isinstance(name, str) and name in choices:
        return
    from sf3d_jax._checks import list_choices  # imports JAX, which takes a while

    meant = did_you_mean(name, choices)
    raise ValueError(f"benchmark: expected {list_choices(choices)}, got {name!r}{meant}")


def check_folder_exists(name: str, path: Path) -> None:
    """Refuses a missing folder, and a file in its place.

    Args:
      name: argument name used in error messages.
      path: folder.

    Raises:
      FileNotFoundError: the folder does not exist.
      NotADirectoryError: the path is a file.
    """
    if path.is_file():
        raise NotADirectoryError(f"{name}: {path} is a file; name a folder")
    if not path.is_dir():
        raise FileNotFoundError(f"{name}: there is no folder {path}")


def check_can_be_folder(name: str, path: Path) -> None:
    """Refuses a path that cannot become a folder.

    Args:
      name: argument name used in error messages.
      path: folder, which need not exist.

    Raises:
      NotADirectoryError: the path or one of its parents is a file.
    """
    for folder in (path, *path.parents):
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"{name}: {folder} is a file; name a folder")
