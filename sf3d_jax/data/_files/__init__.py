"""Shared by all file formats: reading and writing whole files, and the error for a bad file.

Files are read and written as whole byte strings, so codecs never see a path: names in any alphabet
work, a failing writer leaves no partial file, and errors name the broken file.
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

# Largest number in a pose or a camera; products of larger ones would overflow in float32.
LARGEST = 1e9


# How error messages name the argument that supplies what a file lacks.
CALLER = {"size": "size=(height, width) from the caller"}


class FormatError(ValueError):
    """The content of a file is not what its name or the caller promises.

    Attributes:
      path: the file.
      expected: the expected content.
      found: the actual content.
      missing: argument of the reader that can supply what the file lacks, such as "size", or None.
    """

    def __init__(
        self, path: PathLike, expected: str, found: str, *, missing: str | None = None
    ) -> None:
        """Keeps the parts separately, so that the error can be pickled.

        Args:
          path: the file.
          expected: the expected content; contains `CALLER[missing]` if an argument is missing.
          found: the actual content.
          missing: key of `CALLER`, or None.
        """
        super().__init__(path, expected, found)
        self.path, self.expected, self.found, self.missing = path, expected, found, missing

    def ask_for(self, words: str) -> "FormatError":
        """Renames the missing argument in the message, for instance to a command-line flag.

        Args:
          words: replacement for the argument.

        Returns:
          The error with the new message; the same error if no argument is missing.
        """
        if self.missing is None:
            return self
        expected = self.expected.replace(CALLER[self.missing], words)
        return type(self)(self.path, expected, self.found, missing=self.missing)

    def __str__(self) -> str:
        """The message: the path, what was expected and what was found."""
        return f"{os.fspath(self.path)}: expected {self.expected}, found {self.found}"


class SizeError(FormatError):
    """The size of a map differs from that of its image or camera."""


class FrameError(FormatError):
    """A file of several frames lacks one."""


class DtypeError(FormatError):
    """The dtype or the bit depth of a file is wrong."""


def check_header_size(path: PathLike, width: int, height: int) -> None:
    """Refuses an impossible image size in a header, before memory is allocated for it."""
    if not (1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE):
        raise FormatError(
            path,
            f"a width and a height of 1 to {LARGEST_SIDE:,}",
            f"a header that says {width} x {height}",
        )


def write_bytes(path: PathLike, data: bytes) -> None:
    """Writes a whole file or, when that fails or is interrupted, leaves what was there before.

    Args:
      path: file to write. A replaced file keeps its permissions; if it is a symbolic link, the file
        it points to is replaced.
      data: content of the file.

    Raises:
      FileNotFoundError: the folder of the file does not exist.
    """
    with replace_file(path) as file:
        file.write(data)


@contextlib.contextmanager
def replace_file(path: PathLike) -> Iterator[BinaryIO]:
    """Opens a temporary file that replaces another one at the end of the block.

    Args:
      path: file to replace or create.

    Yields:
      The file to write to. It is removed if the block fails or is interrupted.

    Raises:
      FileNotFoundError: the folder of the file does not exist.
      OSError: the file cannot be written.
    """
    path = Path(path)
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {target.parent}")

    # Not made by tempfile, whose files are private to their owner.
    temporary = target.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        with open(temporary, "xb") as file:
            yield file
        with contextlib.suppress(OSError):  # no file to replace, or a disk without permissions
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):  # it may not exist
            temporary.unlink()
        if isinstance(error, OSError) and error.errno:  # name the file, not the temporary one
            reason = f"cannot be written: {error.strerror}"
            raise OSError(error.errno, reason, str(path)) from None
        raise


def check_numbers(path: PathLike, key: str, array: np.ndarray, largest: float = LARGEST) -> None:
    """Refuses numbers that are non-finite or absurdly large."""
    if not (np.abs(array) <= largest).all():  # False for NaN, too
        worst = array[~(np.abs(array) <= largest)].flat[0]
        raise FormatError(path, f"numbers up to {largest:g} in {key}", f"{worst:g}")
