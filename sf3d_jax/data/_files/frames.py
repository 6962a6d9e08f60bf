"""Frame numbers in file names and keys."""

import re
from typing import NamedTuple

# The digits at the end of a path without its ending; not those after a decimal point.
_NAME = re.compile(
    r"(?:.*[/\\])?(?:[^/\\]*[^0-9/\\.]\.?)?(\d{1,15})(?:\.[A-Za-z]\w*)?", re.ASCII | re.DOTALL
)


class Frame(NamedTuple):
    """A frame of a sequence.

    Attributes:
      name: its digits, such as 0007.
      number: their value.
      named: False if the number is only a position in a list without names.
    """

    name: str
    number: int
    named: bool = True


def frame_of(text: str) -> Frame | None:
    """Parses the frame number in a key or a file name.

    Args:
      text: key or path such as 0007, frame_0007 or render/031/0007.jpg.

    Returns:
      The frame; None if the name does not end in digits.
    """
    # Skip the slow search in long texts, which are not names.
    found = _NAME.fullmatch(text) if len(text) < 1000 else None
    return Frame(found[1], int(found[1])) if found else None


def frame_of_number(number: int, *, named: bool = True) -> Frame:
    """Makes the frame of a number or position, with four digits as in SRFlow3D's files."""
    return Frame(f"{number:04d}", number, named)


def frame_of_value(value: object) -> Frame | None:
    """Parses the frame number in a value of a JSON file.

    Args:
      value: name or integer.

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
