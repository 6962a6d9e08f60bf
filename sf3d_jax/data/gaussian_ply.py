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
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, write_bytes
from sf3d_jax.data._files.ply import Element, parse_header, read_rows
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.gaussian_properties import check_elements, check_names, check_rest
from sf3d_jax.gaussians.scene import Gaussians, check_gaussians

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
        `t`, ...) or are bound to moving triangles (`binding_0`, see `read_bound_gaussians`); or it
        has an unknown property that is not 0 everywhere.
    """
    return read_scene(path)[0]


def read_scene(path: PathLike, also: Iterable[str] = ()) -> tuple[Gaussians, np.ndarray]:
    """Reads a scene, and the table of all its properties.

    Args:
      path: file to read.
      also: names of further properties that the caller understands.

    Returns:
      The Gaussians as `read_gaussian_ply` does, and a structured array [N].

    Raises:
      FormatError: as in `read_gaussian_ply`; properties in `also` are allowed.
    """
    data = Path(path).read_bytes()
    header = parse_header(path, data)
    vertex = header.find("vertex")
    if vertex is None:
        raise FormatError(path, "one element `vertex`", header.list_names())
    coefficients = _check_vertex(path, vertex, also)
    check_elements(path, [(e.name, e.rows) for e in header.elements if e is not vertex])
    table = read_rows(path, data, header, vertex, "Gaussians")
    check_rest(path, table, (*_NEEDED, *_list_rest_names(coefficients), _FILTER, *also))
    wide = any(p.wide for p in vertex.properties if p.name in _MEAN)
    with np.errstate(over="ignore", invalid="ignore"):  # non-finite values are allowed
        return _make_gaussians(table, coefficients, wide), table


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
    write_scene(path, "gaussians", gaussians, {})


def write_scene(
    path: PathLike, name: str, gaussians: Gaussians, also: Mapping[str, np.ndarray]
) -> None:
    """Writes a scene with further properties.

    Args:
      path: file to write.
      name: argument name used in error messages.
      gaussians: N Gaussians, written as `write_gaussian_ply` does.
      also: values [N] of further properties by their names, written as float32.

    Raises:
      TypeError: the argument is not Gaussians.
      ValueError: shapes do not fit, or the colours do not have 3 channels.
    """
    count, channels = check_gaussians(name, gaussians)
    if channels != 3:
        raise ValueError(f"{name}.colors: expected 3 channels, got {channels}")
    wide = lambda x: np.asarray(x).astype(np.float64)
    colors = wide(gaussians.colors)
    if colors.ndim == 2:
        colors = (colors[:, None] - 0.5) / _FIRST
    rest = _list_rest_names(colors.shape[1])
    least, most = _OPACITIES
    opacities = np.clip(wide(gaussians.opacities), least, most)
    scales, quaternions = _decompose(wide(gaussians.factors))
    columns: dict[tuple[str, ...], np.ndarray] = {
        _MEAN: wide(gaussians.means),
        ("nx", "ny", "nz"): np.zeros((count, 3)),
        _BASE: colors[:, 0],
        rest: colors[:, 1:].swapaxes(1, 2).reshape(count, len(rest)),
        _OPACITY: (np.log(opacities) - np.log1p(-opacities))[:, None],
        _SCALE: np.log(np.maximum(scales, _SMALLEST_SCALE)),
        _ROTATION: quaternions,
        **{(key,): values[:, None] for key, values in also.items()},
    }
    names = [key for group in columns for key in group]
    table, begin = np.empty((count, len(names)), "<f4"), 0
    with np.errstate(over="ignore"):  # values beyond float32 become infinite
        for group, values in columns.items():
            table[:, begin : begin + len(group)] = values
            begin += len(group)
    properties = "".join(f"property float {key}\n" for key in names)
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n{properties}end_header\n"
    )
    write_bytes(path, header.encode() + table.tobytes())


def _list_rest_names(count: int) -> tuple[str, ...]:
    """Lists the names of all coefficients but the first, in the order of the file."""
    return tuple(f"f_rest_{i}" for i in range(3 * (count - 1)))


def _check_vertex(path: PathLike, vertex: Element, also: Iterable[str]) -> int:
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
    check_names(path, [p.name for p in vertex.properties if p.name not in also])
    rest = {name for name in names if re.fullmatch(r"f_rest_\d+", name, re.ASCII)}
    count = 1 + len(rest) // 3
    if len(rest) not in _RESTS or rest != {*_list_rest_names(count)}:
        expected = "f_rest_0 to f_rest_8, 23 or 44 without gaps, or no f_rest at all"
        raise FormatError(path, expected, f"{len(rest)} properties f_rest_*")
    return count


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
