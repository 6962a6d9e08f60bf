"""The numbers of frames in the names of files and in keys."""

import re
from typing import NamedTuple

# A path without folders and ending; its digits come last, and are no decimals.
_NAME = re.compile(
    r"(?:.*[/\\])?(?:[^/\\]*[^0-9/\\.]\.?)?(\d{1,15})(?:\.[A-Za-z]\w*)?", re.ASCII | re.DOTALL
)


class Frame(NamedTuple):
    """A frame of a sequence.

    Attributes:
      name: its digits, such as 0007.
      number: what they say.
      named: False for a position in a list that names no frames.
    """

    name: str
    number: int
    named: bool = True


def frame_of(text: str) -> Frame | None:
    """The frame that a key or the name of a file stands for.

    Args:
      text: such as 0007, frame_0007 or render/031/0007.jpg.

    Returns:
      The frame; None where the name does not end in digits.
    """
    # Names are short; others are not worth the search.
    found = _NAME.fullmatch(text) if len(text) < 1000 else None
    return Frame(found[1], int(found[1])) if found else None


def frame_of_number(number: int, *, named: bool = True) -> Frame:
    """The frame of a number or a position, with four digits as SRFlow3D's files have."""
    return Frame(f"{number:04d}", number, named)


def frame_of_value(value: object) -> Frame | None:
    """The frame of a value in a JSON file.

    Args:
      value: a name, or a whole number.

    Returns:
      The frame; None for anything else.
    """
    if isinstance(value, str):
        return frame_of(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not 0 <= value < 10**15 or value != int(value):
        return None
    return frame_of_number(int(value))
