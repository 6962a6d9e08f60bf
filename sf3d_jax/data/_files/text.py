"""Numbers in text files, one row per line: cameras, poses, calibrations.

Numbers are decimal and ASCII, as written by C and Python. Non-finite numbers and those beyond 1e30
are refused: cameras do not have them, and float32 would overflow.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, write_bytes

_LARGEST = 1e30
_LONGEST = 400  # characters per number

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,4})?", re.ASCII)
_INDEX = re.compile(r"\d{1,10}", re.ASCII)
_LARGEST_INDEX = 2**32 - 1


def read_rows(path: PathLike) -> list[list[str]]:
    """Reads the words of every non-empty line.

    Args:
      path: file to read; bytes that are not UTF-8 become words that are not numbers.

    Returns:
      One list of words per line.
    """
    text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    return [words for line in text.splitlines() if (words := line.split())]


def parse_numbers(path: PathLike, words: Sequence[str], count: int, where: str) -> np.ndarray:
    """Parses words as numbers.

    Args:
      path: file path used in error messages.
      words: words from the file.
      count: expected number of words.
      where: place of the words, such as "in row 3", used in error messages.

    Returns:
      float64 [count].

    Raises:
      FormatError: there are more or fewer words, or one is not a number.
    """
    values = [float(w) for w in words if len(w) <= _LONGEST and _NUMBER.fullmatch(w)]
    known = len(values) == len(words) == count
    if not known or not all(abs(value) <= _LARGEST for value in values):
        raise FormatError(path, f"{count} numbers {where}", repr(" ".join(words)[:60]))
    return np.array(values, np.float64)


def index(path: PathLike, word: str, where: str) -> int:
    """Parses a word as the number of a frame or a camera.

    Args:
      path: file path used in error messages.
      word: word from the file.
      where: place of the word, used in error messages.

    Returns:
      An integer from 0 to 2^32 - 1.

    Raises:
      FormatError: the word is not such an integer.
    """
    if not _INDEX.fullmatch(word) or int(word) > _LARGEST_INDEX:
        raise FormatError(path, f"a whole number {where}", repr(word[:60]))
    return int(word)


def read_table(path: PathLike, *columns: int) -> np.ndarray:
    """Reads a file of rows of numbers, all of one length.

    Args:
      path: file to read.
      *columns: allowed lengths of the rows.

    Returns:
      float64 [N, C], with at least one row.

    Raises:
      FormatError: the file is empty, or a row has another length or holds anything but numbers.
    """
    rows = read_rows(path)
    count = len(rows[0]) if rows else 0
    if count not in columns:
        expected = f"rows of {' or '.join(map(str, columns))} numbers"
        raise FormatError(path, expected, f"{count} words in the first row" if rows else "none")
    return np.array(
        [parse_numbers(path, row, count, f"in row {i}") for i, row in enumerate(rows, 1)]
    )


def write_rows(path: PathLike, rows: Iterable[Iterable[str | float]]) -> None:
    """Writes rows of words and numbers; floats keep all their digits.

    Args:
      path: file to write.
      rows: rows of strings, integers and floats; an empty row is an empty line.
    """
    lines = [" ".join(map(_format_word, row)) for row in rows]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def _format_word(value: str | float) -> str:
    if isinstance(value, (str, int)):
        return str(value)
    return repr(float(value))  # the repr of a NumPy float contains its type
