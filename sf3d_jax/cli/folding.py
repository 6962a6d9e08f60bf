"""The text of --help, folded to the terminal; tyro folds only what stands in its boxes."""

import contextlib
import io
import re
import shutil
import sys
from collections.abc import Iterator
from typing import TextIO

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_USAGE = "usage:"


@contextlib.contextmanager
def fold_output() -> Iterator[None]:
    """Folds what a block writes to the standard output, at the end of the block."""
    collected = _Collected(sys.stdout)
    try:
        with contextlib.redirect_stdout(collected):
            yield
    finally:
        sys.stdout.write(fold(collected.getvalue(), shutil.get_terminal_size().columns))


def fold(text: str, columns: int) -> str:
    """Folds lines at spaces, and behind commas.

    Args:
      text: lines; codes of colours take no place.
      columns: of the terminal.

    Returns:
      The text; lines that fit, empty ones and so paragraphs stay. What follows the first line of
      the usage is indented. A word that is too long has a line of its own.
    """
    return "".join(_fold_line(line, columns) for line in text.splitlines(keepends=True))


def _fold_line(line: str, columns: int) -> str:
    if _width(line) <= columns:
        return line
    indent = " " * len(_USAGE + " ") if _COLOUR.sub("", line).startswith(_USAGE) else ""
    lines = [""]
    for word in re.split(r"(?<=[ ,])", line):
        if lines[-1].strip() and _width(lines[-1] + word) > columns:
            lines.append(indent)
        lines[-1] += word
    return "\n".join(x.rstrip(" ") for x in lines)


def _width(text: str) -> int:
    """How many columns a text takes, without what is blank at its end."""
    return len(_COLOUR.sub("", text).rstrip())


class _Collected(io.StringIO):
    """Text in place of a stream whose colours and boxes it is to have."""

    def __init__(self, stream: TextIO) -> None:
        """Keeps the stream to be asked."""
        super().__init__()
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()
