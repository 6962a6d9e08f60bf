"""PLY files: the header, and the rows of their elements.

A text header, with lines that end in \\n or \\r\\n, then the rows of each element in turn:

    ply
    format binary_little_endian 1.0          or binary_big_endian, or ascii
    comment by hand
    element vertex 8
    property float x                         a number per row
    element face 12
    property list uchar int vertex_indices   a count, then as many numbers
    end_header

In text, a row is a line. Sizes are checked against the length of the file before memory is
allocated, so a header that claims any number of rows costs nothing.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike

_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"},
}
_END = re.compile(rb"\nend_header[ \t]*\r?\n")
_LONGEST_HEADER = 2**20
_COUNT = re.compile(r"\d{1,18}", re.ASCII)


class Property(NamedTuple):
    """A number, or a list if `length` gives the type of its length.

    `wide` says whether the header calls it a double, as text is always parsed as double.
    """

    name: str
    dtype: np.dtype
    length: np.dtype | None = None
    wide: bool = False


class Element(NamedTuple):
    """An element: a number of rows with the same properties."""

    name: str
    rows: int
    properties: list[Property]

    def has_lists(self) -> bool:
        """Whether the rows differ in length."""
        return any(p.length is not None for p in self.properties)

    def count_bytes(self) -> int:
        """The bytes of a row without lists."""
        return sum(p.dtype.itemsize for p in self.properties)


class Header(NamedTuple):
    """What the header says.

    Attributes:
      form: "binary_little_endian", "binary_big_endian" or "ascii".
      elements: the elements in the order of the file.
      comments: texts of the lines `comment`.
      start: where the rows begin, in bytes.
    """

    form: str
    elements: list[Element]
    comments: list[str]
    start: int

    def find(self, name: str) -> Element | None:
        """Finds an element by its name; None if there is none or more than one."""
        found = [element for element in self.elements if element.name == name]
        return found[0] if len(found) == 1 else None

    def list_names(self) -> str:
        """The names of all elements, for error messages."""
        return ", ".join(element.name for element in self.elements)[:200] or "none"


class Lists(NamedTuple):
    """The values of a property that is a list, or of one that is a number per row.

    Attributes:
      lengths: int64 [N], the number of values in each row.
      values: the values of all rows, joined, in their dtype in the file.
    """

    lengths: np.ndarray
    values: np.ndarray


def parse_header(path: PathLike, data: bytes) -> Header:
    """Parses the header.

    Args:
      path: file path used in error messages.
      data: all bytes of the file.

    Raises:
      FormatError: the bytes do not begin with the header of a PLY 1.0 file.
    """
    if not re.match(rb"ply[ \t]*\r?\n", data):
        raise FormatError(path, "a PLY file, which begins with the line `ply`", repr(data[:40]))
    end = _END.search(data, 0, _LONGEST_HEADER)
    if end is None:
        raise FormatError(path, "a header that ends in the line `end_header`", "no such line")
    form = ""
    elements: list[Element] = []
    comments: list[str] = []
    for line in data[: end.start()].decode("latin-1").split("\n")[1:]:
        match line.split():
            case []:
                continue
            case ["comment" | "obj_info", *_]:
                comments.append(line.strip().partition(" ")[2])
            case ["format", name, "1.0"] if name in _ORDERS and not form and not elements:
                form = name
            case ["element", name, count] if form and _COUNT.fullmatch(count):
                elements.append(Element(name, int(count), []))
            case ["property", kind, name] if elements and kind in _TYPES:
                _add_property(path, elements[-1], _make_property(form, kind, name))
            case ["property", "list", of, kind, name] if (
                elements and {of, kind} <= _TYPES.keys() and "f" not in _TYPES[of]
            ):
                both = _get_dtype(form, kind), _get_dtype(form, of)
                _add_property(path, elements[-1], Property(name, *both))
            case _:
                raise FormatError(path, "a line of a PLY 1.0 header", repr(line[:80]))
    return Header(form, elements, comments, end.end())


def _make_property(form: str, kind: str, name: str) -> Property:
    return Property(name, _get_dtype(form, kind), wide=_TYPES[kind] == "f8")


def _get_dtype(form: str, kind: str) -> np.dtype:
    # Text is parsed as float64 whatever its type, as some programs write 1.0 for an integer.
    return np.dtype(_ORDERS[form] + _TYPES[kind]) if form != "ascii" else np.dtype(np.float64)


def _add_property(path: PathLike, element: Element, new: Property) -> None:
    if any(p.name == new.name for p in element.properties):
        raise FormatError(path, "every property once", f"{new.name[:80]} twice")
    element.properties.append(new)


def read_rows(
    path: PathLike, data: bytes, header: Header, element: Element, plural: str
) -> np.ndarray:
    """Reads the rows of an element without lists.

    Args:
      path: file path used in error messages.
      data: all bytes of the file.
      header: its header.
      element: element of the header.
      plural: what the rows are, such as "Gaussians", used in error messages.

    Returns:
      A structured array [N] with the names of the properties; a view of the bytes of a binary file.

    Raises:
      FormatError: the file has fewer rows, or more if the element is the last one.
    """
    if header.form == "ascii":
        return _parse_lines(path, _find_lines(path, data, header, element, plural), element)
    place = _find_start(path, data, header, element)
    length = place + element.rows * element.count_bytes()
    if len(data) < length or (element is header.elements[-1] and len(data) > length):
        expected = f"{length} bytes for {element.rows} {plural} of {element.count_bytes()} bytes"
        raise FormatError(path, expected, f"{len(data)}")
    dtype = np.dtype([(p.name, p.dtype) for p in element.properties])
    return np.frombuffer(data, dtype, element.rows, place)


def read_lists(
    path: PathLike, data: bytes, header: Header, element: Element, plural: str
) -> dict[str, Lists]:
    """Reads the rows of an element whose properties may be lists.

    Args:
      path: file path used in error messages.
      data: all bytes of the file.
      header: its header.
      element: element of the header.
      plural: what the rows are, such as "faces", used in error messages.

    Returns:
      The values of each property by its name.

    Raises:
      FormatError: the file has fewer rows, or more if the element is the last one.
    """
    if header.form == "ascii":
        return _parse_list_lines(path, _find_lines(path, data, header, element, plural), element)
    lists, end = _read_binary_lists(path, data, _find_start(path, data, header, element), element)
    if element is header.elements[-1] and end != len(data):
        raise FormatError(path, f"{end} bytes for {element.rows} {plural}", f"{len(data)}")
    return lists


def _find_start(path: PathLike, data: bytes, header: Header, wanted: Element) -> int:
    """Finds the first byte of an element of a binary file."""
    place = header.start
    for element in header.elements:
        if element is wanted:
            break
        if element.has_lists():
            place = _read_binary_lists(path, data, place, element)[1]
        else:
            place += element.rows * element.count_bytes()
    return place


def _read_binary_lists(
    path: PathLike, data: bytes, place: int, element: Element
) -> tuple[dict[str, Lists], int]:
    """Reads the rows of an element that begins at a place, and finds its end."""
    same = _read_equal_rows(data, place, element)
    if same is not None:
        return same
    names = [p.name for p in element.properties]
    parts: list[list[bytes]] = [[] for _ in names]
    lengths: list[list[int]] = [[] for _ in names]
    for _ in range(element.rows):
        for i, (p, begin, count) in enumerate(_walk_row(data, place, element)):
            place = begin + count * p.dtype.itemsize
            if count < 0 or place > len(data):
                expected = f"{element.rows} rows of {element.name[:80]}"
                raise FormatError(path, expected, "fewer, or a list of negative length")
            parts[i].append(data[begin:place])
            lengths[i].append(count)
    lists = {
        p.name: Lists(np.array(counts, np.int64), np.frombuffer(b"".join(part), p.dtype))
        for p, part, counts in zip(element.properties, parts, lengths, strict=True)
    }
    return lists, place


def _walk_row(data: bytes, place: int, element: Element) -> Iterator[tuple[Property, int, int]]:
    """Finds the properties of a row: each with its first byte and its number of values."""
    for p in element.properties:
        count = 1
        if p.length is not None:
            begin, place = place, place + p.length.itemsize
            count = _decode_integer(data[begin:place], p.length)
        yield p, place, count
        place += count * p.dtype.itemsize


def _decode_integer(data: bytes, dtype: np.dtype) -> int:
    big = dtype.str[0] == ">"
    return int.from_bytes(data, "big" if big else "little", signed=dtype.kind == "i")


def _read_equal_rows(
    data: bytes, place: int, element: Element
) -> tuple[dict[str, Lists], int] | None:
    """Reads rows whose lists are as long as those of the first row; None if there are others."""
    if not element.rows or not element.properties:
        return {
            p.name: Lists(np.zeros(0, np.int64), np.zeros(0)) for p in element.properties
        }, place
    first = [count for _, _, count in _walk_row(data, place, element)]
    size = sum(
        count * p.dtype.itemsize + (0 if p.length is None else p.length.itemsize)
        for p, count in zip(element.properties, first, strict=True)
    )
    if min(first) < 0 or place + element.rows * size > len(data):
        return None
    fields: list[tuple[str, np.dtype] | tuple[str, np.dtype, tuple[int]]] = []
    for i, (p, count) in enumerate(zip(element.properties, first, strict=True)):
        if p.length is not None:
            fields.append((f"length {i}", p.length))
        fields.append((f"values {i}", p.dtype, (count,)))
    table = np.frombuffer(data, np.dtype(fields), element.rows, place)
    lists = {}
    for i, (p, count) in enumerate(zip(element.properties, first, strict=True)):
        if p.length is not None and (table[f"length {i}"] != count).any():
            return None
        counts = np.full(element.rows, count, np.int64)
        lists[p.name] = Lists(counts, table[f"values {i}"].reshape(-1))
    return lists, place + table.nbytes


def _find_lines(
    path: PathLike, data: bytes, header: Header, element: Element, plural: str
) -> list[bytes]:
    """Finds the lines of an element, one per row."""
    lines = [line for line in data[header.start :].splitlines() if line and not line.isspace()]
    index = [other is element for other in header.elements].index(True)
    before = sum(other.rows for other in header.elements[:index])
    last = index == len(header.elements) - 1
    lines = lines[before:] if last else lines[before : before + element.rows]
    if len(lines) != element.rows:
        raise FormatError(path, f"{element.rows} lines of {plural}", f"{len(lines)}")
    return lines


def _parse_lines(path: PathLike, lines: list[bytes], element: Element) -> np.ndarray:
    """Parses the lines of an element without lists as a structured array [N]."""
    dtype = np.dtype([(p.name, np.float64) for p in element.properties])
    if not lines:
        return np.empty(0, dtype)
    try:
        return np.loadtxt(lines, dtype, comments=None, ndmin=1)
    except ValueError:
        bad = _find_bad_row(lines, element)
        raise FormatError(path, *bad) from None


def _find_bad_row(lines: list[bytes], element: Element) -> tuple[str, str]:
    """Describes what was expected and found in the first bad row; rows are counted from 1."""
    name, count = element.name[:80], len(element.properties)
    for row, line in enumerate(lines, 1):
        words = line.split()
        if len(words) != count:
            return f"{count} numbers in row {row} of {name}", f"{len(words)}"
        for word in words:
            try:
                float(word)
            except ValueError:
                return f"numbers in row {row} of {name}", repr(word[:40])
    return f"numbers in every row of {name}", "something else"


def _parse_list_lines(path: PathLike, lines: list[bytes], element: Element) -> dict[str, Lists]:
    values: list[list[float]] = [[] for _ in element.properties]
    lengths: list[list[int]] = [[] for _ in element.properties]
    for row, line in enumerate(lines, 1):
        words, at = line.split(), 0
        try:
            for i, p in enumerate(element.properties):
                count = 1
                if p.length is not None:
                    count, at = int(words[at]), at + 1
                if not 0 <= count <= len(words) - at:
                    raise ValueError
                values[i] += map(float, words[at : at + count])
                lengths[i].append(count)
                at += count
            if at != len(words):
                raise ValueError
        except (ValueError, IndexError):
            expected = f"the numbers of its properties in row {row} of {element.name[:80]}"
            raise FormatError(path, expected, repr(line[:60])) from None
    return {
        p.name: Lists(np.array(counts, np.int64), np.array(numbers, np.float64))
        for p, counts, numbers in zip(element.properties, lengths, values, strict=True)
    }
