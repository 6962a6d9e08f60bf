"""Wavefront .obj: lines of text, each of which begins with a keyword.

    v x y z                          a vertex; a fourth number (a weight) and colours are ignored
    vt u v                           a texture coordinate, from the bottom left of the texture; may
                                     be nan if no face uses it
    f 1/1 2/2/5 -1//6                a polygon: vertex / texture coordinate / normal of each corner,
                                     from 1, or from -1 for the last one before this line; once fo
    o name, g name                   object and group of the faces that follow
    usemtl name, mtllib file         their material, and the file beside this one that describes it

A backslash at the end of a line of numbers continues it; # begins a comment. Names and comments end
with their line, as a backslash there is that of a folder of Windows.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.meshes.mesh import Mesh, check_read, cut_into_fans
from sf3d_jax.data.meshes.obj.materials import read_materials
from sf3d_jax.data.meshes.textures import join_textures

_VERTEX_LENGTHS = {3, 4, 6, 7, 8}
_COORDINATE_LENGTHS = {1, 2, 3}
# Normals, lines, points, smoothing, and settings of a renderer.
_IGNORED = set("vn l p s mg lod bevel c_interp d_interp shadow_obj trace_obj usemap maplib".split())
_NAMING = set(b"o g usemtl mtllib usemap maplib shadow_obj trace_obj".split())
_CURVED = set("vp cstype deg bmat step curv curv2 surf parm trim hole scrv sp end con".split())
_UTF8, _END = b"\xef\xbb\xbf", b"\x1a"  # marks of the encoding, and of the end in old systems
_NUMBER = re.compile(rb"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,4})?")
_NOT_FINITE = re.compile(rb"[-+]?(nan(\(\w*\))?|inf(inity)?)", re.IGNORECASE)
_INDEX = re.compile(rb"-?\d{1,18}")
_INDEX_DIGITS = b"0123456789-"
_DIGITS = b"0123456789+-.eE"


class _Lines:
    """What the lines hold, joined by keyword; corners of all faces are in one list."""

    def __init__(self) -> None:
        self.vertices: list[list[bytes]] = []
        self.coordinates: list[list[bytes]] = []
        self.corners: list[bytes] = []
        self.corner_uv: list[bytes] = []
        self.lengths: list[int] = []
        # Numbers of vertices and coordinates before each face, and its object, group and material.
        self.before: list[tuple[int, int]] = []
        self.names: list[tuple[str, str, str]] = []
        self.libraries: list[str] = []


def read(path: PathLike, *, textured: bool = True) -> Mesh:
    """Reads an .obj file; `textured` says whether to read the image of its material."""
    lines = _split_lines(path, Path(path).read_bytes())
    vertices = _parse_rows(path, "v", lines.vertices, 3, _VERTEX_LENGTHS)
    lengths = np.array(lines.lengths, np.int64)
    before = np.repeat(np.array(lines.before, np.int64).reshape(-1, 2), lengths, axis=0)
    corners = _parse_indices(path, lines.corners, before[:, 0], "vertex")
    corner_uv = _parse_indices(path, lines.corner_uv, before[:, 1], "texture coordinate")
    places, polygons = cut_into_fans(path, lengths)
    uv = None
    if lines.coordinates:
        rows = _clear_unused(lines.coordinates, corner_uv)
        uv = _parse_rows(path, "vt", rows, 2, _COORDINATE_LENGTHS)
    elif (corner_uv >= 0).any():
        raise FormatError(path, "lines vt, as its faces have texture coordinates", "none")
    names, materials = _number([name[2] for name in lines.names])
    paints = read_materials(path, lines.libraries if textured else [], names)
    joined = join_textures(path, uv, corner_uv[places], materials[polygons], paints)
    group_names, groups = _number(_name_groups(lines.names))
    mesh = Mesh(vertices, corners[places], *joined)
    if any(group_names):
        mesh = mesh._replace(groups=groups[polygons], group_names=tuple(group_names))
    return check_read(path, mesh)


def _split_lines(path: PathLike, data: bytes) -> _Lines:
    found = _Lines()
    state = {"o": "", "g": "", "usemtl": ""}
    names = ("", "", "")
    for number, line in _join_lines(data.removeprefix(_UTF8).rstrip().removesuffix(_END)):
        words = (line if b"#" not in line else line.partition(b"#")[0]).split()
        if not words:
            continue
        match words[0]:
            case b"v":
                found.vertices.append(words[1:])
            case b"vt":
                found.coordinates.append(words[1:])
            case b"f" | b"fo":
                for word in words[1:]:
                    vertex, _, rest = word.partition(b"/")
                    found.corners.append(vertex)
                    found.corner_uv.append(rest.partition(b"/")[0])
                found.lengths.append(len(words) - 1)
                found.before.append((len(found.vertices), len(found.coordinates)))
                found.names.append(names)
            case b"o" | b"g" | b"usemtl":
                state[words[0].decode()] = _decode_name(line)
                names = state["o"], state["g"], state["usemtl"]
            case b"mtllib":
                found.libraries.append(_decode_name(line))
            case keyword:
                _check_ignored(path, keyword.decode("latin-1"), number)
    return found


def _join_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Lists the lines with their numbers from 1; one that goes on has that of its first part."""
    begun: list[bytes] = []
    for number, line in enumerate(data.splitlines(), 1):
        if line.endswith(b"\\") and b"#" not in line:
            keyword = (begun or [line])[0].split()[:1]
            if not _NAMING & {*keyword}:
                begun.append(line[:-1])
                continue
        yield number - len(begun), b" ".join([*begun, line])
        begun = []
    if begun:
        yield number - len(begun) + 1, b" ".join(begun)


def _decode_name(line: bytes) -> str:
    """The rest of a line after its keyword; a # may be part of a name."""
    _, *rest = line.strip().decode("utf-8", "replace").split(maxsplit=1)
    return rest[0] if rest else ""


def _check_ignored(path: PathLike, keyword: str, number: int) -> None:
    if keyword in _CURVED:
        expected = "polygons; export the curves and surfaces as such"
        raise FormatError(path, expected, f"{keyword} in line {number}")
    if keyword not in _IGNORED:
        raise FormatError(path, "a line of an .obj file", f"{keyword[:40]!r} in line {number}")


def _parse_rows(
    path: PathLike, keyword: str, rows: list[list[bytes]], count: int, lengths: set[int]
) -> np.ndarray:
    """Parses the first numbers of each row as [N, count]; missing ones are 0."""
    rest = [b"0"] * count
    if set(map(len, rows)) <= lengths:
        words = [word for row in rows for word in (*row, *rest)[:count]]
        if not b"".join(words).translate(None, _DIGITS):
            try:
                return np.array([*map(float, words)]).reshape(-1, count)
            except ValueError:
                pass
    for number, row in enumerate(rows, 1):
        if len(row) not in lengths or not all(map(_NUMBER.fullmatch, row[:count])):
            wanted = ", ".join(map(str, sorted(lengths)))
            expected = f"{wanted} numbers in line {number} of {keyword}"
            raise FormatError(path, expected, repr(b" ".join(row)[:60]))
    return np.array([[float(x) for x in row[:count]] for row in rows]).reshape(-1, count)


def _clear_unused(rows: list[list[bytes]], used: np.ndarray) -> list[list[bytes]]:
    """Makes non-finite numbers 0 in rows that no corner uses, as in exports of parts."""
    is_used = np.isin(np.arange(len(rows)), used)
    cleared = rows.copy()
    for i in np.flatnonzero(~is_used).tolist():
        cleared[i] = [b"0" if _NOT_FINITE.fullmatch(word) else word for word in rows[i]]
    return cleared


def _parse_indices(path: PathLike, words: list[bytes], before: np.ndarray, what: str) -> np.ndarray:
    """Parses indices from 1, or from -1 backwards; -1 in the result means none."""
    try:
        if b"".join(words).translate(None, _INDEX_DIGITS):
            raise ValueError
        indices = np.array([int(word or b"0") for word in words], np.int64)
    except (ValueError, OverflowError):
        bad = next(word for word in words if word and not _INDEX.fullmatch(word))
        raise FormatError(path, f"the number of a {what} in a face", repr(bad[:40])) from None
    relative = indices < 0
    indices = np.where(relative, before + indices, indices - 1)
    if (relative & (indices < 0)).any():
        bad = words[int(np.argmax(relative & (indices < 0)))]
        raise FormatError(path, f"a {what} before the face", repr(bad[:40]))
    return indices


def _name_groups(names: list[tuple[str, str, str]]) -> list[str]:
    """Names the group of each face: object, group and, if there are several, material."""
    has_several = len({name[2] for name in names}) > 1
    joined = {name: "/".join(filter(None, name if has_several else name[:2])) for name in {*names}}
    return [joined[name] for name in names]


def _number(names: list[str]) -> tuple[list[str], np.ndarray]:
    """The names without repetitions, in their order, and the number of each."""
    order = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return [*order], np.array([order[name] for name in names], np.int64)
