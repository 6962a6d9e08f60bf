"""Light of a room on a convex body, by spherical harmonics of degree 2.

R. Ramamoorthi and P. Hanrahan, An efficient representation for irradiance environment maps,
SIGGRAPH 2001: nine coefficients give the light on a surface of any direction to about 1 %, since a
matte surface averages the light of half a sphere.
"""

from typing import Any

import numpy as np

# Roots of the normalization of the real harmonics Y_lm, and the share of degree l that a matte
# surface keeps, over pi: 1, 2/3, 1/4.
_FLAT = 0.5 / np.pi**0.5
_LINE = (3 / (4 * np.pi)) ** 0.5
_PRODUCT = 0.5 * (15 / np.pi) ** 0.5
_KEPT = np.repeat([1.0, 2 / 3, 1 / 4], [1, 3, 5])


def find_basis(x: Any, y: Any, z: Any) -> list[Any]:
    """The nine real harmonics up to degree 2 of unit vectors.

    Args:
      x: array of NumPy or JAX, the first coordinate.
      y: the second coordinate, of the same shape.
      z: the third coordinate.

    Returns:
      Y_00; Y_1-1, Y_10, Y_11; Y_2-2, Y_2-1, Y_20, Y_21, Y_22, each of that shape.
    """
    return [
        _FLAT + 0 * x,
        *(_LINE * y, _LINE * z, _LINE * x),
        *(_PRODUCT * x * y, _PRODUCT * y * z, _PRODUCT * (3 * z * z - 1) / 12**0.5),
        *(_PRODUCT * x * z, _PRODUCT * (x * x - y * y) / 2),
    ]


def project_light(directions: np.ndarray, radiance: np.ndarray) -> np.ndarray:
    """Coefficients of the light that a white matte surface sends out in a room.

    Args:
      directions: [D, 3], unit vectors that are spread evenly over the sphere.
      radiance: [D, 3], linear RGB that comes from there.

    Returns:
      [9, 3]: `sum_k Y_k(n) c_k` is `1 / pi int max(0, n . w) L(w) dw`, up to the degree 2.
    """
    basis = np.stack(find_basis(*directions.T), 1)
    weights = 4 * np.pi / len(directions)
    return _KEPT[:, None] * weights * (basis[..., None] * radiance[:, None]).sum(0)
