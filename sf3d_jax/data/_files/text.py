"""Numbers in text files, a row a line: cameras, poses, calibrations.

A number is decimal and of ASCII, as C and Python write it. What is not finite or beyond 1e30 is
none here: no camera has it, and single precision would overflow.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, write_bytes

_LARGEST = 1e30
_LONGEST = 400  # characters of a number

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,4})?", re.ASCII)
_INDEX = re.compile(r"\d{1,10}", re.ASCII)
_LARGEST_INDEX = 2**32 - 1


def read_rows(path: PathLike) -> list[list[str]]:
    """The words of every line that is not empty.

    Args:
      path: of the file; bytes that are no UTF-8 become words that are no numbers.

    Returns:
      One list of words a line.
    """
    text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    return [words for line in text.splitlines() if (words := line.split())]


def numbers(path: PathLike, words: Sequence[str], count: int, where: str) -> np.ndarray:
    """Words as numbers.

    Args:
      path: of the file, for the error.
      words: of the file.
      count: how many numbers there should be.
      where: they stand, for the error, such as "in row 3".

    Returns:
      float64 [count].

    Raises:
      FormatError: they are more or less, or one is no number.
    """
    values = [float(w) for w in words if len(w) <= _LONGEST and _NUMBER.fullmatch(w)]
    known = len(values) == len(words) == count
    if not known or not all(abs(value) <= _LARGEST for value in values):
        raise FormatError(path, f"{count} numbers {where}", repr(" ".join(words)[:60]))
    return np.array(values, np.float64)


def index(path: PathLike, word: str, where: str) -> int:
    """A word as the number of a frame or of a camera.

    Args:
      path: of the file, for the error.
      word: of the file.
      where: it stands, for the error.

    Returns:
      The number, from 0 to 2^32 - 1.

    Raises:
      FormatError: it is no such number.
    """
    if not _INDEX.fullmatch(word) or int(word) > _LARGEST_INDEX:
        raise FormatError(path, f"a whole number {where}", repr(word[:60]))
    return int(word)


def read_table(path: PathLike, *columns: int) -> np.ndarray:
    """A file of rows of numbers, all of one length.

    Args:
      path: of the file.
      *columns: the lengths that a row may have.

    Returns:
      float64 [N, C], at least one row.

    Raises:
      FormatError: there is no row, or one of another length, or one that holds no numbers.
    """
    rows = read_rows(path)
    count = len(rows[0]) if rows else 0
    if count not in columns:
        expected = f"rows of {' or '.join(map(str, columns))} numbers"
        raise FormatError(path, expected, f"{count} words in the first row" if rows else "none")
    return np.array([numbers(path, row, count, f"in row {i}") for i, row in enumerate(rows, 1)])


def write_rows(path: PathLike, rows: Iterable[Iterable[str | float]]) -> None:
    """Writes rows of words and of numbers, floats with all their digits.

    Args:
      path: of the file.
      rows: of strings, integers and floats; an empty row is an empty line.
    """
    lines = [" ".join(map(_word, row)) for row in rows]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def _word(value: str | float) -> str:
    if isinstance(value, (str, int)):
        return str(value)
    return repr(float(value))  # a float of NumPy writes its own name, too
