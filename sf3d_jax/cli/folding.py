"""Folds the text of --help to the terminal, as tyro only folds the text in its boxes."""

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
    """Folds what a block writes to standard output, at the end of the block."""
    collected = _Collected(sys.stdout)
    try:
        with contextlib.redirect_stdout(collected):
            yield
    finally:
        sys.stdout.write(fold(collected.getvalue(), shutil.get_terminal_size().columns))


def fold(text: str, columns: int) -> str:
    """Folds lines at spaces and after commas.

    Args:
      text: lines; colour codes do not count towards the width.
      columns: width of the terminal.

    Returns:
      The text. Lines that fit are kept, and so are paragraphs. Continuation lines of the usage are
      indented. A word that is too long gets its own line.
    """
    return "".join(_fold_line(line, columns) for line in text.splitlines(keepends=True))


def _fold_line(line: str, columns: int) -> str:
    if _measure_width(line) <= columns:
        return line
    indent = " " * len(_USAGE + " ") if _COLOUR.sub("", line).startswith(_USAGE) else ""
    lines = [""]
    for word in re.split(r"(?<=[ ,])", line):
        if lines[-1].strip() and _measure_width(lines[-1] + word) > columns:
            lines.append(indent)
        lines[-1] += word
    return "\n".join(x.rstrip(" ") for x in lines)


def _measure_width(text: str) -> int:
    """Measures the columns of a text without trailing spaces."""
    return len(_COLOUR.sub("", text).rstrip())


class _Collected(io.StringIO):
    """Collects text in place of a stream, and looks to tyro like that stream."""

    def __init__(self, stream: TextIO) -> None:
        """Keeps the stream to imitate."""
        super().__init__()
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()
