"""What every file format here needs: whole files in and out, and one error for a bad file.

Files are read and written as a whole, as bytes, so that a codec never sees a path: names in any
alphabet work, a writer that fails leaves no half-written file, and a broken file is an error that
names it.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

PathLike = str | os.PathLike[str]

LARGEST_SIDE = 100_000

# No reader takes a pose or a camera with larger numbers; in float32 their products would overflow.
LARGEST = 1e9


# How the message of an error names the argument of a reader that the file needs.
CALLER = {"size": "size=(height, width) from the caller"}


class FormatError(ValueError):
    """A file does not hold what its name, or the caller, says it holds.

    Attributes:
      path: the file.
      expected: what should have been there.
      found: what is there instead.
      missing: the argument of the reader that would stand in for what the file lacks, such as
        "size"; None if no argument would.
    """

    def __init__(
        self, path: PathLike, expected: str, found: str, *, missing: str | None = None
    ) -> None:
        """Keeps the parts apart, so that the error also survives pickling.

        Args:
          path: the file.
          expected: what should have been there; it contains `CALLER[missing]` if an argument is
            missing.
          found: what is there instead.
          missing: a key of `CALLER`, or None.
        """
        super().__init__(path, expected, found)
        self.path, self.expected, self.found, self.missing = path, expected, found, missing

    def ask_for(self, words: str) -> "FormatError":
        """Names the missing argument in another way, as a command names its flag.

        Args:
          words: what the message says instead of the argument.

        Returns:
          The error with the other message; the same error if no argument is missing.
        """
        if self.missing is None:
            return self
        expected = self.expected.replace(CALLER[self.missing], words)
        return type(self)(self.path, expected, self.found, missing=self.missing)

    def __str__(self) -> str:
        """The message: the path, what was expected and what was found."""
        return f"{os.fspath(self.path)}: expected {self.expected}, found {self.found}"


class SizeError(FormatError):
    """A map has another size than what belongs to it."""


class DtypeError(FormatError):
    """A file holds numbers of another kind, or of other bits."""


def check_header_size(path: PathLike, width: int, height: int) -> None:
    """Refuses the image size of a header, before anything is allocated for it."""
    if not (1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE):
        raise FormatError(
            path,
            f"a width and a height of 1 to {LARGEST_SIDE:,}",
            f"a header that says {width} x {height}",
        )


def write_bytes(path: PathLike, data: bytes) -> None:
    """Writes a whole file or, when that fails or is interrupted, leaves what was there before.

    Args:
      path: of the file. A file that is replaced keeps its permissions, and a symbolic link its
        place: the file that it points to is written.
      data: all of the bytes.

    Raises:
      FileNotFoundError: there is no folder for the file.
    """
    with replace_file(path) as file:
        file.write(data)


@contextlib.contextmanager
def replace_file(path: PathLike) -> Iterator[BinaryIO]:
    """Opens a new file that takes the place of another one at the end, as `write_bytes` does.

    Args:
      path: of the file.

    Yields:
      The file, to be written. It is removed if the block fails or is interrupted.

    Raises:
      FileNotFoundError: there is no folder for the file.
      OSError: the file cannot be written.
    """
    path = Path(path)
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {target.parent}")

    # Opened like any other new file, and not by tempfile, which makes it private to its owner.
    temporary = target.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        with open(temporary, "xb") as file:
            yield file
        with contextlib.suppress(OSError):  # there is no file yet, or a disk without permissions
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):  # what could not be made cannot be removed
            temporary.unlink()
        if isinstance(error, OSError) and error.errno:  # it names the temporary file, if any
            reason = f"cannot be written: {error.strerror}"
            raise OSError(error.errno, reason, str(path)) from None
        raise


def check_numbers(path: PathLike, key: str, array: np.ndarray) -> None:
    """Refuses numbers that are not finite or absurdly large."""
    if not (np.abs(array) <= LARGEST).all():  # False for NaN, too
        worst = array[~(np.abs(array) <= LARGEST)].flat[0]
        raise FormatError(path, f"numbers up to {LARGEST:g} in {key}", f"{worst:g}")
