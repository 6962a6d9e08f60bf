"""Gaussians bound to the triangles of a moving mesh (GaussianAvatars, Qian et al., CVPR 2024).

The file is the .ply of 3D Gaussian Splatting with one more property, `binding_0`: the number of a
triangle, from 0, stored as a float. Means, scales and rotations are in the frame of that triangle,
in units of its size, and do not change while the mesh moves. `head.attach` brings the Gaussians
into the world. The mesh is not in the file.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.arrays import make_array
from sf3d_jax.data.gaussian_ply import read_scene, write_scene
from sf3d_jax.gaussians.scene import Gaussians, check_gaussians

_BINDING = "binding_0"
_FILTER = "filter_3D"
_LARGEST = 2**31 - 1
_LARGEST_WRITTEN = 2**24  # largest float32 below which all integers are float32


class BoundGaussians(NamedTuple):
    """Gaussians in the frames of the triangles of a mesh.

    Attributes:
      local: N Gaussians; means and factors are in the axes of their triangle and in units of its
        size.
      triangles: int32 (N), the triangle of each Gaussian.
    """

    local: Gaussians
    triangles: np.ndarray


def read_bound_gaussians(path: PathLike) -> BoundGaussians:
    """Reads a .ply of GaussianAvatars: 3D Gaussians with the property `binding_0`.

    Args:
      path: file to read.

    Returns:
      N Gaussians in NumPy float32, as `read_gaussian_ply` returns them, but in the frames of their
      triangles, and the numbers of these triangles. Use `head.attach` with the vertices and faces
      of the mesh, which is in other files.

    Raises:
      FormatError: the file is not a complete .ply of 3D Gaussians, has no `binding_0`, or a value
        of it is not a whole number from 0 to 2^31 - 1; or it has a property that
        `read_gaussian_ply` refuses, or `filter_3D`, whose unit would be unknown.
    """
    local, table = read_scene(path, (_BINDING,))
    names = table.dtype.names or ()
    if _BINDING not in names:
        expected = f"Gaussians bound to triangles, with the property {_BINDING}"
        raise FormatError(path, expected, "none; use read_gaussian_ply")
    if _FILTER in names:
        raise FormatError(path, "bound Gaussians without filter_3D", "filter_3D, of unknown unit")
    triangles = table[_BINDING].astype(np.float64)
    # A comparison is False for NaN.
    good = (triangles >= 0) & (triangles <= _LARGEST) & (triangles == np.floor(triangles))
    if not good.all():
        worst = np.flatnonzero(~good)[0]
        expected = f"whole numbers of triangles from 0 in {_BINDING}"
        raise FormatError(path, expected, f"{triangles[worst]:g} in row {worst + 1}")
    return BoundGaussians(local, triangles.astype(np.int32))


def write_bound_gaussians(path: PathLike, bound: BoundGaussians) -> None:
    """Writes a .ply of GaussianAvatars, binary, little endian, in float32.

    Args:
      path: file to write.
      bound: N Gaussians in the frames of their triangles, which are written as `write_gaussian_ply`
        does, and the numbers of these triangles, of any integer dtype.

    Raises:
      TypeError: the argument is not BoundGaussians, or the numbers are not integers.
      ValueError: shapes do not fit, the colours do not have 3 channels, or a number is negative or
        above 2^24, which float32 does not hold exactly.
      FileNotFoundError: the folder of the file does not exist.
    """
    if not isinstance(bound, BoundGaussians):
        raise TypeError(f"bound: expected BoundGaussians, got {type(bound).__name__}")
    count, _ = check_gaussians("bound.local", bound.local)
    triangles = _check_triangles(bound.triangles, count)
    write_scene(path, "bound.local", bound.local, {_BINDING: triangles})


def _check_triangles(value: npt.ArrayLike, count: int) -> np.ndarray:
    triangles = make_array("bound.triangles", value)
    if triangles.dtype.kind not in "iu":
        raise TypeError(f"bound.triangles: expected integers, got {triangles.dtype}")
    if triangles.shape != (count,):
        raise ValueError(f"bound.triangles: expected [{count}], got {list(triangles.shape)}")
    if count and not 0 <= triangles.min() <= triangles.max() <= _LARGEST_WRITTEN:
        expected = f"numbers from 0 to {_LARGEST_WRITTEN:,}"
        found = f"{triangles.min()} to {triangles.max()}"
        raise ValueError(f"bound.triangles: expected {expected}, got {found}")
    return triangles
