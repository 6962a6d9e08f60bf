"""JSON files: read whole and checked, nested lists as matrices, and what a file holds in a line.

UTF-8 with or without a byte order mark, UTF-16 and UTF-32 are read. A key that stands twice in an
object is refused, as its first value would be lost. NaN and Infinity are read, as many programs
write them, but no number that is asked for may be one.
"""

import collections
import json
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, check_numbers, write_bytes

# What a JSON file holds: dictionaries, lists, strings, numbers, booleans and None.
Json: TypeAlias = Any

LARGEST_FILE = 2**29  # bytes
# What a file may take in memory, in bytes, and what an object, a list, a key with its value, and a
# value take at most. A short text of small objects makes dozens of times its length.
_LARGEST_TREE = 2**31
_PART = 2**20
_COSTS = {b"{": 120, b"[": 96, b":": 160, b",": 64}

_DEEPEST_ARRAY = 4

# Of an outline: characters, levels, keys of an object, and those whose values are shown.
_LONGEST_OUTLINE = 1200
_DEEPEST_OUTLINE = 6
_MOST_KEYS = 40
_MOST_VALUES = 6


class _TwiceError(ValueError):
    """A key that stands twice in an object."""


def read_json(path: PathLike) -> Json:
    """Reads a JSON file.

    Args:
      path: of the file.

    Returns:
      Dictionaries, lists, strings, numbers, booleans and None.

    Raises:
      FormatError: the file is not JSON, is too long, too deep or of too many values for the memory,
        or has a key twice.
    """
    data = _read_bounded(path)
    try:
        text = data.decode(json.detect_encoding(data))
        return json.loads(text, object_pairs_hook=_once)
    except _TwiceError as error:
        raise FormatError(path, "every key once", f"{error} twice") from None
    except RecursionError:
        raise FormatError(path, "JSON", "lists or objects too deep in each other") from None
    except ValueError as error:  # of the encoding, of the syntax, or of a number's length
        raise FormatError(path, "JSON", f"{error}") from None


def _read_bounded(path: PathLike) -> bytes:
    """The bytes of a file, of which the length and the tree that they make are bounded.

    What the tree takes is told by the marks that begin its parts, before any of them is made.
    """
    length = Path(path).stat().st_size
    if length > LARGEST_FILE:
        raise FormatError(path, f"at most {LARGEST_FILE:,} bytes of JSON", f"{length:,}")
    data = bytearray()
    with Path(path).open("rb") as file:  # a pipe has no length
        while len(data) <= LARGEST_FILE and (part := file.read(_PART)):
            data += part
    # The bytes, and the text with a byte or, if any character needs it, four a character.
    size = len(data) * (2 if data.isascii() else 9)
    size += sum(cost * data.count(mark) for mark, cost in _COSTS.items())
    if len(data) > LARGEST_FILE or size > _LARGEST_TREE:
        expected = f"JSON of at most {_LARGEST_TREE:,} bytes in memory"
        raise FormatError(path, expected, f"{size:,} bytes or more")
    return bytes(data)


def write_json(path: PathLike, tree: Json) -> None:
    """Writes a JSON file; every float64 is read back to the last bit.

    Args:
      path: of the file.
      tree: dictionaries, lists, strings, numbers, booleans and None.

    Raises:
      ValueError: a number is not finite.
    """
    text = json.dumps(tree, indent=1, allow_nan=False)
    write_bytes(path, f"{text}\n".encode())


def numbers(value: object) -> np.ndarray | None:
    """A number, or nested lists of numbers, as an array.

    Args:
      value: of a JSON file.

    Returns:
      float64, or None if it is anything else, or ragged.
    """
    if not _is_numeric(value, _DEEPEST_ARRAY):
        return None
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        return None
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None


def matrix(path: PathLike, key: str, value: object, *shapes: tuple[int, ...]) -> np.ndarray:
    """Nested lists as an array of a known shape.

    Args:
      path: of the file, for the error.
      key: of the value, for the error.
      value: of the file.
      *shapes: those that are allowed; () is a number.

    Returns:
      float64, finite, and not absurdly large.

    Raises:
      FormatError: it has another shape, or is not all such numbers.
    """
    array = numbers(value)
    if array is None or array.shape not in shapes:
        raise FormatError(path, f"{key} as {' or '.join(map(_shape, shapes))}", outline(value))
    check_numbers(path, key, array)
    return array


def outline(value: object) -> str:
    """What a value is, in a line: all keys but of the largest objects, and some shapes.

    Args:
      value: of a JSON file.

    Returns:
      Such as {K: numbers [3, 3], frames: 256 of {c2w: numbers [4, 4]}}.
    """
    return _outline(value, _DEEPEST_OUTLINE, _LONGEST_OUTLINE)


def _outline(value: object, depth: int, room: int) -> str:
    """An outline of a value in about so many characters, as far as keys leave them."""
    if isinstance(value, dict):
        return _outline_of_object(value, depth, room)
    if isinstance(value, list):
        array = numbers(value[:100])
        if array is not None and len(value) > 0:
            return _shape((len(value), *array.shape[1:]))
        inside = (
            f" of {_outline(value[0], depth - 1, room)}" if value and depth > 0 else " in a list"
        )
        return f"{len(value)}{inside}"
    if isinstance(value, str):
        return repr(shorten(value))
    return "a number" if numbers(value) is not None else f"{value}"


def _outline_of_object(tree: dict[str, Json], depth: int, room: int) -> str:
    keys = [shorten(key) for key in tree][:_MOST_KEYS]
    room -= sum(len(key) + 2 for key in keys)
    if depth == 0 or (tree and room < 0):
        return f"{{{len(tree)} keys}}"
    share = room // max(1, min(len(keys), _MOST_VALUES))
    for i, value in enumerate([*tree.values()][:_MOST_VALUES]):
        shown = _outline(value, depth - 1, share)
        keys[i] += f": {shown}" if len(shown) <= max(share, 24) else ""
    more = [f"{len(tree) - len(keys)} more"] if len(tree) > len(keys) else []
    return f"{{{', '.join(keys + more)}}}"


def shorten(text: str) -> str:
    """The text, or its beginning."""
    return text if len(text) <= 24 else f"{text[:24]}..."


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """An object, of which every key may stand once."""
    tree = dict(pairs)
    if len(tree) < len(pairs):
        keys = collections.Counter(key for key, _ in pairs)
        raise _TwiceError(repr(shorten(keys.most_common(1)[0][0])))
    return tree


def _is_numeric(value: object, depth: int) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(_is_numeric(x, depth - 1) for x in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shape(shape: tuple[int, ...]) -> str:
    return f"numbers {list(shape)}" if shape else "a number"
