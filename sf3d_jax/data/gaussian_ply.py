"""The .ply format of 3D Gaussian Splatting (Kerbl et al., SIGGRAPH 2023).

A text header, with lines that end in \\n or \\r\\n, then the values of each element in turn:

    ply
    format binary_little_endian 1.0          or binary_big_endian, or ascii
    element vertex 1000000
    property float x                         ... y z nx ny nz f_dc_0 f_dc_1 f_dc_2
    property float f_rest_0                  ... up to f_rest_8, 23 or 44 for degree 1, 2 or 3
    property float opacity                   ... scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3
    end_header

The opacity is a logit, the scales are natural logarithms of standard deviations in metres, and the
rotation is a quaternion w x y z of any length. Colours are coefficients of spherical harmonics in
the basis of `gaussians.spherical_harmonics`: f_dc holds degree 0, and f_rest the other degrees,
first all of red, then green, then blue. Properties may have any order and any type of the format.

Mip-Splatting and its successors add a low-pass filter, `filter_3D`: a standard deviation f in
metres. The scales s become sqrt(s^2 + f^2), and the opacity is multiplied by the ratio of the
volumes, the product of s / sqrt(s^2 + f^2), as in their get_scaling_with_3D_filter and
get_opacity_with_3D_filter. `gaussian_properties` lists the other properties that may be ignored.
"""

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, write_bytes
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.gaussian_properties import check_elements, check_names, check_rest
from sf3d_jax.gaussians.scene import Gaussians, check_gaussians

_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"},
}
_END = re.compile(rb"\nend_header[ \t]*\r?\n")
_LONGEST_HEADER = 2**20
_COUNT = re.compile(r"\d{1,18}", re.ASCII)

_MEAN = ("x", "y", "z")
_BASE = ("f_dc_0", "f_dc_1", "f_dc_2")
_OPACITY = ("opacity",)
_SCALE = ("scale_0", "scale_1", "scale_2")
_ROTATION = ("rot_0", "rot_1", "rot_2", "rot_3")
_NEEDED = (*_MEAN, *_BASE, *_OPACITY, *_SCALE, *_ROTATION)
_COLORS = {"red", "green", "blue"}
_FILTER = "filter_3D"
_RESTS = (0, 9, 24, 45)
# The constant spherical harmonic: a plain colour is 0.5 + _FIRST f_dc.
_FIRST = math.sqrt(1 / (4 * math.pi))
# Largest cosine between the columns of a rotation times scales, rounded to float32.
_UPRIGHT = 4 * float(np.finfo(np.float32).eps)
_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
_OPACITIES = float(np.finfo(np.float64).tiny), 1 - float(np.finfo(np.float64).epsneg)


class _Property(NamedTuple):
    """A value, or a list if `length` gives the type of its length.

    `wide` says whether the header calls it a double, as text is always parsed as double.
    """

    name: str
    dtype: np.dtype
    length: np.dtype | None = None
    wide: bool = False


class _Element(NamedTuple):
    """An element: a number of rows with the same properties."""

    name: str
    rows: int
    properties: list[_Property]

    def has_lists(self) -> bool:
        """Whether the rows differ in length."""
        return any(p.length is not None for p in self.properties)

    def has_wide_means(self) -> bool:
        """Whether the file stores means as doubles."""
        return any(p.wide for p in self.properties if p.name in _MEAN)

    def count_bytes(self) -> int:
        """The bytes of a row without lists."""
        return sum(p.dtype.itemsize for p in self.properties)


def read_gaussian_ply(path: PathLike) -> Gaussians:
    """Reads a .ply scene of 3D Gaussian Splatting (Kerbl et al., SIGGRAPH 2023).

    If the file has Mip-Splatting's `filter_3D` f, it is applied: scales s become sqrt(s^2 + f^2),
    and the opacity is multiplied by the product of s / sqrt(s^2 + f^2). A scene whose motion is
    stored in another file, such as deformation.pth, cannot be told from one at rest.

    Args:
      path: file to read.

    Returns:
      N Gaussians in NumPy float32, in the world and unit of the file. Means are float64 if the file
      has doubles; if they are far from the origin, use `gaussians.recenter` before JAX rounds them
      to float32. Colours are coefficients of spherical harmonics, (N, K, 3) with K = 1, 4, 9 or 16.
      Factors are rotation times scales, and 0 for a zero quaternion. NaN and infinite values in the
      file give non-finite values.

    Raises:
      FormatError: the file is not a complete PLY file or not a 3DGS scene (a plain point cloud,
        2DGS, a compressed scene of PlayCanvas); its Gaussians move (`trbf_center`, `motion_0`,
        `t`, ...) or are bound to moving triangles (`binding_0`); or it has an unknown property
        that is not 0 everywhere.
    """
    data = Path(path).read_bytes()
    form, elements, start = _read_header(path, data)
    names = [element.name for element in elements]
    if names.count("vertex") != 1:
        raise FormatError(path, "one element `vertex`", f"{', '.join(names)[:200] or 'none'}")
    vertex = elements[names.index("vertex")]
    coefficients = _check_vertex(path, vertex)
    check_elements(path, [(e.name, e.rows) for e in elements if e is not vertex])
    if form == "ascii":
        table = _read_ascii_table(path, data[start:], elements)
    else:
        table = _read_binary_table(path, data, start, elements)
    check_rest(path, table, (*_NEEDED, *_list_rest_names(coefficients), _FILTER))
    with np.errstate(over="ignore", invalid="ignore"):  # non-finite values are allowed
        return _make_gaussians(table, coefficients, vertex.has_wide_means())


def write_gaussian_ply(path: PathLike, gaussians: Gaussians) -> None:
    """Writes a .ply scene of 3D Gaussian Splatting, binary, little endian, in float32.

    The format stores a factor M as rotation times scales, which covers all M with perpendicular
    columns, such as those from `read_gaussian_ply`. Of any other M = U S V^T (its singular value
    decomposition), U S is written. Both keep the ellipsoid M M^T to float32 rounding; a factor that
    mirrors is replaced by one that does not.

    Args:
      path: file to write.
      gaussians: N Gaussians, of NumPy or JAX arrays. Colours (N, 3) are written as degree 0,
        (N, K, 3) as they are. Scales of 0 become the smallest normal float32. Opacities are clipped
        to 0 and 1 and stored as logits of -708 and 37, which are read as 0 and 1. Non-finite
        factors are written as NaN.

    Raises:
      TypeError: the argument is not Gaussians.
      ValueError: shapes do not fit, or the colours do not have 3 channels.
      FileNotFoundError: the folder of the file does not exist.
    """
    count, channels = check_gaussians("gaussians", gaussians)
    if channels != 3:
        raise ValueError(f"gaussians.colors: expected 3 channels, got {channels}")
    wide = lambda x: np.asarray(x).astype(np.float64)
    colors = wide(gaussians.colors)
    if colors.ndim == 2:
        colors = (colors[:, None] - 0.5) / _FIRST
    rest = _list_rest_names(colors.shape[1])
    least, most = _OPACITIES
    opacities = np.clip(wide(gaussians.opacities), least, most)
    scales, quaternions = _decompose(wide(gaussians.factors))
    columns = {
        _MEAN: wide(gaussians.means),
        ("nx", "ny", "nz"): np.zeros((count, 3)),
        _BASE: colors[:, 0],
        rest: colors[:, 1:].swapaxes(1, 2).reshape(count, len(rest)),
        _OPACITY: (np.log(opacities) - np.log1p(-opacities))[:, None],
        _SCALE: np.log(np.maximum(scales, _SMALLEST_SCALE)),
        _ROTATION: quaternions,
    }
    names = [name for group in columns for name in group]
    table, begin = np.empty((count, len(names)), "<f4"), 0
    with np.errstate(over="ignore"):  # values beyond float32 become infinite
        for group, values in columns.items():
            table[:, begin : begin + len(group)] = values
            begin += len(group)
    properties = "".join(f"property float {name}\n" for name in names)
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n{properties}end_header\n"
    )
    write_bytes(path, header.encode() + table.tobytes())


def _list_rest_names(count: int) -> tuple[str, ...]:
    """Lists the names of all coefficients but the first, in the order of the file."""
    return tuple(f"f_rest_{i}" for i in range(3 * (count - 1)))


def _read_header(path: PathLike, data: bytes) -> tuple[str, list[_Element], int]:
    """Parses the header: the encoding, the elements, and where the values begin."""
    if not re.match(rb"ply[ \t]*\r?\n", data):
        raise FormatError(path, "a PLY file, which begins with the line `ply`", repr(data[:40]))
    end = _END.search(data, 0, _LONGEST_HEADER)
    if end is None:
        raise FormatError(path, "a header that ends in the line `end_header`", "no such line")
    form = ""
    elements: list[_Element] = []
    for line in data[: end.start()].decode("latin-1").split("\n")[1:]:
        match line.split():
            case [] | ["comment" | "obj_info", *_]:
                continue
            case ["format", name, "1.0"] if name in _ORDERS and not form and not elements:
                form = name
            case ["element", name, count] if form and _COUNT.fullmatch(count):
                elements.append(_Element(name, int(count), []))
            case ["property", kind, name] if elements and kind in _TYPES:
                _add_property(path, elements[-1], _make_property(form, kind, name))
            case ["property", "list", of, kind, name] if (
                elements and {of, kind} <= _TYPES.keys() and "f" not in _TYPES[of]
            ):
                both = _get_dtype(form, kind), _get_dtype(form, of)
                _add_property(path, elements[-1], _Property(name, *both))
            case _:
                raise FormatError(path, "a line of a PLY 1.0 header", repr(line[:80]))
    return form, elements, end.end()


def _make_property(form: str, kind: str, name: str) -> _Property:
    return _Property(name, _get_dtype(form, kind), wide=_TYPES[kind] == "f8")


def _get_dtype(form: str, kind: str) -> np.dtype:
    # Text is parsed as float64 whatever its type, as some programs write 1.0 for an integer.
    return np.dtype(_ORDERS[form] + _TYPES[kind]) if form != "ascii" else np.dtype(np.float64)


def _add_property(path: PathLike, element: _Element, new: _Property) -> None:
    if any(p.name == new.name for p in element.properties):
        raise FormatError(path, "every property once", f"{new.name[:80]} twice")
    element.properties.append(new)


def _check_vertex(path: PathLike, vertex: _Element) -> int:
    """Counts the coefficients of a colour; raises if the vertices are not Gaussians."""
    names = {p.name for p in vertex.properties}
    missing = ", ".join(name for name in _NEEDED if name not in names)
    if missing:
        other = "a plain point cloud with red, green and blue, " if names >= _COLORS else ""
        if missing == "scale_2":
            other = "flat Gaussians of 2DGS, which are not supported, "
        if "packed_position" in names:
            other = "a compressed scene of PlayCanvas, which is not supported, "
        raise FormatError(path, "a scene of 3D Gaussians", f"{other}no property {missing}")
    if vertex.has_lists():
        raise FormatError(path, "one value for each property of vertex", "a list")
    check_names(path, [p.name for p in vertex.properties])
    rest = {name for name in names if re.fullmatch(r"f_rest_\d+", name, re.ASCII)}
    count = 1 + len(rest) // 3
    if len(rest) not in _RESTS or rest != {*_list_rest_names(count)}:
        expected = "f_rest_0 to f_rest_8, 23 or 44 without gaps, or no f_rest at all"
        raise FormatError(path, expected, f"{len(rest)} properties f_rest_*")
    return count


def _read_binary_table(
    path: PathLike, data: bytes, place: int, elements: list[_Element]
) -> np.ndarray:
    """Reads the rows of `vertex` as a structured array [N], a view of the bytes."""
    for element in elements:
        if element.name == "vertex":
            vertex = element
            break
        place = _find_end_of_lists(path, data, place, element)
        if not element.has_lists():
            place += element.rows * element.count_bytes()
    length = place + vertex.rows * vertex.count_bytes()
    if len(data) < length or (vertex is elements[-1] and len(data) > length):
        expected = f"{length} bytes for {vertex.rows} Gaussians of {vertex.count_bytes()} bytes"
        raise FormatError(path, expected, f"{len(data)}")
    dtype = np.dtype([(p.name, p.dtype) for p in vertex.properties])
    return np.frombuffer(data, dtype, vertex.rows, place)


def _find_end_of_lists(path: PathLike, data: bytes, place: int, element: _Element) -> int:
    """Finds the end of an element with lists row by row."""
    for _ in range(element.rows if element.has_lists() else 0):
        for p in element.properties:
            size = p.dtype.itemsize
            if p.length is not None:
                begin, place = place, place + p.length.itemsize
                size *= _decode_integer(data[begin:place], p.length)
            place += size
            if size < 0 or place > len(data):
                expected = f"{element.rows} rows of {element.name[:80]}"
                raise FormatError(path, expected, "fewer, or a list of negative length")
    return place


def _decode_integer(data: bytes, dtype: np.dtype) -> int:
    big = dtype.str[0] == ">"
    return int.from_bytes(data, "big" if big else "little", signed=dtype.kind == "i")


def _read_ascii_table(path: PathLike, text: bytes, elements: list[_Element]) -> np.ndarray:
    """Reads the rows of `vertex`, one per line, as a structured array [N]."""
    lines = [line for line in text.splitlines() if line and not line.isspace()]
    index = [element.name for element in elements].index("vertex")
    vertex, before = elements[index], sum(element.rows for element in elements[:index])
    last = index == len(elements) - 1
    lines = lines[before:] if last else lines[before : before + vertex.rows]
    if len(lines) != vertex.rows:
        raise FormatError(path, f"{vertex.rows} lines of Gaussians", f"{len(lines)}")
    dtype = np.dtype([(p.name, np.float64) for p in vertex.properties])
    if not lines:
        return np.empty(0, dtype)
    try:
        return np.loadtxt(lines, dtype, comments=None, ndmin=1)
    except ValueError:
        raise FormatError(path, *_find_bad_row(lines, len(vertex.properties))) from None


def _find_bad_row(lines: list[bytes], count: int) -> tuple[str, str]:
    """Describes what was expected and found in the first bad row; rows are counted from 1."""
    for row, line in enumerate(lines, 1):
        words = line.split()
        if len(words) != count:
            return f"{count} numbers in row {row} of vertex", f"{len(words)}"
        for word in words:
            try:
                float(word)
            except ValueError:
                return f"numbers in row {row} of vertex", repr(word[:40])
    return "numbers in every row of vertex", "something else"


def _take_columns(table: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Takes columns as [N, len(names)]; a view, ten times as fast, if they are adjacent."""
    fields = table.dtype.fields
    assert fields is not None
    kind, start = fields[names[0]][:2]
    steps = [(kind, start + i * kind.itemsize) for i in range(len(names))]
    if [fields[name][:2] for name in names] != steps:
        return np.stack([table[name].astype(np.float64) for name in names], axis=-1)
    whole = np.dtype(
        {
            "names": ["all"],
            "formats": [(kind, (len(names),))],
            "offsets": [start],
            "itemsize": table.dtype.itemsize,
        }
    )
    return table.view(whole)["all"]


def _make_gaussians(table: np.ndarray, count: int, wide: bool) -> Gaussians:
    colors = np.empty((len(table), count, 3), np.float32)
    colors[:, 0] = _take_columns(table, _BASE)
    if count > 1:
        rest = _take_columns(table, _list_rest_names(count))
        colors[:, 1:] = rest.reshape(len(table), 3, count - 1).swapaxes(1, 2)
    logits = _take_columns(table, _OPACITY)[:, 0].astype(np.float64)
    small = np.exp(-np.abs(logits))
    opacities = np.where(logits < 0, small, 1) / (1 + small)
    logarithms = _take_columns(table, _SCALE).astype(np.float64)
    scales = np.exp(logarithms)
    if _FILTER in (table.dtype.names or ()):
        width = table[_FILTER].astype(np.float64)[:, None]
        scales = np.hypot(scales, width)
        # f / s is 0 for f = 0, however small s may be.
        growth = np.hypot(1, np.where(width == 0, 0, width * np.exp(-logarithms)))
        opacities = opacities / growth.prod(axis=1)
    return Gaussians(
        _take_columns(table, _MEAN).astype(np.float64 if wide else np.float32),
        _make_factors(scales, _take_columns(table, _ROTATION)),
        opacities.astype(np.float32),
        colors,
    )


def _make_factors(scales: np.ndarray, quaternions: np.ndarray) -> np.ndarray:
    """Computes rotation times scales, [N, 3, 3], in float64; 0 for a zero quaternion."""
    none = np.logical_not(quaternions.any(axis=1))
    rotations = poses.from_quaternion(np.where(none[:, None], [1.0, 0, 0, 0], quaternions))
    factors = rotations * scales[:, None, :]
    factors[none] = 0
    return factors.astype(np.float32)


def _decompose(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decomposes factors [N, 3, 3] into scales [N, 3] and quaternions [N, 4]; keeps NaN."""
    finite = np.isfinite(factors).all((1, 2))
    largest = np.abs(factors).max((1, 2), initial=0)
    size = np.where(finite & (largest > 0), largest, 1)
    factors = np.where(finite[:, None, None], factors, 0) / size[:, None, None]
    scales = np.sqrt((factors * factors).sum(1))
    upright = (scales > 0).all(1)
    rotations = factors / np.where(scales > 0, scales, 1)[:, None]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        upright &= np.abs((rotations[:, :, i] * rotations[:, :, j]).sum(1)) < _UPRIGHT
    rotations[~upright], scales[~upright], _ = np.linalg.svd(factors[~upright])
    rotations[np.linalg.det(rotations) < 0, :, 0] *= -1
    scales = np.where(finite[:, None], scales * size[:, None], np.nan)
    return scales, np.where(finite[:, None], poses.to_quaternion(rotations), np.nan)
