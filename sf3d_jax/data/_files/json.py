"""JSON files: checked reading, matrices from nested lists, and one-line outlines.

UTF-8 (with or without a byte order mark), UTF-16 and UTF-32 are read. Duplicate keys in an object
are refused, as the first value would be lost. NaN and Infinity are parsed, as many programs write
them, but refused in values that are used.
"""

import collections
import json
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, check_numbers, write_bytes

# Content of a JSON file: dictionaries, lists, strings, numbers, booleans and None.
Json: TypeAlias = Any

LARGEST_FILE = 2**29  # bytes
# Bytes that a parsed file may take, and an upper bound on those of an object, a list, a key with
# its value, and a value: a text of small objects takes dozens of times its length in memory.
_LARGEST_TREE = 2**31
_PART = 2**20
_COSTS = {b"{": 120, b"[": 96, b":": 160, b",": 64}

_DEEPEST_ARRAY = 4

# Limits of an outline: characters, levels, keys of an object, and keys with their values.
_LONGEST_OUTLINE = 1200
_DEEPEST_OUTLINE = 6
_MOST_KEYS = 40
_MOST_VALUES = 6


class _TwiceError(ValueError):
    """A key that occurs twice in an object."""


def read_json(path: PathLike) -> Json:
    """Reads a JSON file.

    Args:
      path: file to read.

    Returns:
      Dictionaries, lists, strings, numbers, booleans and None.

    Raises:
      FormatError: the file is not JSON, is too large, too deeply nested, or has a duplicate key.
    """
    return parse_json(path, _read_bounded(path))


def parse_json(path: PathLike, data: bytes) -> Json:
    """Parses the bytes of a JSON file; the path is used in error messages."""
    _check_tree(path, data)
    try:
        text = data.decode(json.detect_encoding(data))
        return json.loads(text, object_pairs_hook=_refuse_duplicates)
    except _TwiceError as error:
        raise FormatError(path, "every key once", f"{error} twice") from None
    except RecursionError:
        raise FormatError(path, "JSON", "lists or objects that are nested too deeply") from None
    except ValueError as error:  # wrong encoding or syntax, or a number with too many digits
        raise FormatError(path, "JSON", f"{error}") from None


def _read_bounded(path: PathLike) -> bytes:
    """Reads the bytes of a file, up to one more part than the largest file."""
    length = Path(path).stat().st_size
    if length > LARGEST_FILE:
        raise FormatError(path, f"at most {LARGEST_FILE:,} bytes of JSON", f"{length:,}")
    data = bytearray()
    with Path(path).open("rb") as file:  # a pipe has no length
        while len(data) <= LARGEST_FILE and (part := file.read(_PART)):
            data += part
    return bytes(data)


def _check_tree(path: PathLike, data: bytes) -> None:
    """Refuses bytes that are too many, or whose parsed tree would be too large.

    The size of the tree is estimated by counting punctuation marks before parsing.
    """
    # The bytes and the text, which takes one byte per character, or four if any is not ASCII.
    size = len(data) * (2 if data.isascii() else 9)
    size += sum(cost * data.count(mark) for mark, cost in _COSTS.items())
    if len(data) > LARGEST_FILE or size > _LARGEST_TREE:
        expected = f"JSON of at most {_LARGEST_TREE:,} bytes in memory"
        raise FormatError(path, expected, f"{size:,} bytes or more")


def write_json(path: PathLike, tree: Json) -> None:
    """Writes a JSON file, in which every float64 keeps all its bits.

    Args:
      path: file to write.
      tree: dictionaries, lists, strings, numbers, booleans and None.

    Raises:
      ValueError: a number is not finite.
    """
    text = json.dumps(tree, indent=1, allow_nan=False)
    write_bytes(path, f"{text}\n".encode())


def to_array(value: object) -> np.ndarray | None:
    """Converts a number, or nested lists of numbers, to an array.

    Args:
      value: value from a JSON file.

    Returns:
      A float64 array; None for ragged lists and anything else.
    """
    if not _is_numeric(value, _DEEPEST_ARRAY):
        return None
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        return None
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None


def matrix(path: PathLike, key: str, value: object, *shapes: tuple[int, ...]) -> np.ndarray:
    """Converts nested lists to an array of a known shape.

    Args:
      path: file path used in error messages.
      key: key used in error messages.
      value: value from the file.
      *shapes: allowed shapes; () is a number.

    Returns:
      A float64 array of finite numbers that are not absurdly large.

    Raises:
      FormatError: the value has another shape, or holds anything but such numbers.
    """
    array = to_array(value)
    if array is None or array.shape not in shapes:
        raise FormatError(
            path, f"{key} as {' or '.join(map(_format_shape, shapes))}", outline(value)
        )
    check_numbers(path, key, array)
    return array


def outline(value: object) -> str:
    """Outlines a value in one line: its keys, and the shapes of some values.

    Args:
      value: value from a JSON file.

    Returns:
      A text such as {K: numbers [3, 3], frames: 256 of {c2w: numbers [4, 4]}}.
    """
    return _outline(value, _DEEPEST_OUTLINE, _LONGEST_OUTLINE)


def _outline(value: object, depth: int, room: int) -> str:
    """Outlines a value in about `room` characters; keys may need more."""
    if isinstance(value, dict):
        return _outline_of_object(value, depth, room)
    if isinstance(value, list):
        array = to_array(value[:100])
        if array is not None and len(value) > 0:
            return _format_shape((len(value), *array.shape[1:]))
        inside = (
            f" of {_outline(value[0], depth - 1, room)}" if value and depth > 0 else " in a list"
        )
        return f"{len(value)}{inside}"
    if isinstance(value, str):
        return repr(shorten(value))
    return "a number" if to_array(value) is not None else f"{value}"


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
    """Shortens a text to its beginning."""
    return text if len(text) <= 24 else f"{text[:24]}..."


def _refuse_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Makes an object; refuses duplicate keys."""
    tree = dict(pairs)
    if len(tree) < len(pairs):
        keys = collections.Counter(key for key, _ in pairs)
        raise _TwiceError(repr(shorten(keys.most_common(1)[0][0])))
    return tree


def _is_numeric(value: object, depth: int) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(_is_numeric(x, depth - 1) for x in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _format_shape(shape: tuple[int, ...]) -> str:
    return f"numbers {list(shape)}" if shape else "a number"
