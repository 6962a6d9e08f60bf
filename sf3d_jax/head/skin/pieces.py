"""The mean of a function over the pieces of a cover.

A single sample in the middle of a piece makes stripes of whatever is finer than the pieces. The
mean over a piece is taken at seven points by Radon's rule, which is exact for polynomials of degree
five (J. Radon, Zur mechanischen Kubatur, 1948).
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Values = TypeVar("Values", bound=npt.NDArray[np.floating])
Function = Callable[[npt.NDArray[np.float64], npt.NDArray[np.intp]], npt.NDArray[np.floating]]

_ROOT = 15**0.5
# (weight, largest or smallest barycentric coordinate) of the two rings of three points.
_RINGS = (
    ((155 - _ROOT) / 1200, (9 + 2 * _ROOT) / 21),
    ((155 + _ROOT) / 1200, (9 - 2 * _ROOT) / 21),
)
_SAMPLES = 7
# As many pieces at once as keep the samples few megabytes.
_CHUNK = 1 << 13


def average_over_pieces(
    corners: npt.ArrayLike, values: npt.ArrayLike, function: Function
) -> npt.NDArray[np.float32]:
    """Mean over each piece of a function of what the triangles' corners hold.

    Args:
      corners: (N, 3, 3); corners[i, k] are the barycentric coordinates of corner k of piece i in
        its triangle, as in `Cover.corners`.
      values: (N, 3, D), what the corners of the triangle of piece i hold, such as positions (D = 3)
        or texture coordinates (D = 2). It is linear on the triangle.
      function: maps (M, D) values and the (M,) numbers of the pieces they lie on to (M, K) colours.

    Returns:
      (N, K) float32, `sum_j w_j function(x_j)` over the seven points x_j of Radon's rule. Each
      piece depends on its own values alone, also where these are NaN.

    Raises:
      ValueError: `corners` or `values` has another shape.
    """
    at = place_corners(corners, values)
    count = len(at)
    means = []
    for start in range(0, max(count, 1), _CHUNK):
        own = np.arange(start, min(start + _CHUNK, count))
        samples = _sample(at[own])
        colors = function(samples.reshape(-1, at.shape[2]), np.repeat(own, _SAMPLES))
        means.append(_sum_samples(np.asarray(colors, np.float32), len(own)))
    return np.concatenate(means)


def place_corners(corners: npt.ArrayLike, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """What the corners of the pieces hold: (N, 3, D), `sum_l corners[i, k, l] values[i, l]`.

    Args:
      corners: (N, 3, 3), as in `average_over_pieces`.
      values: (N, 3, D), as in `average_over_pieces`.

    Raises:
      ValueError: `corners` or `values` has another shape.
    """
    b, v = np.asarray(corners, np.float64), np.asarray(values, np.float64)
    if b.ndim != 3 or b.shape[1:] != (3, 3):
        raise ValueError(f"corners: expected shape (N, 3, 3), got {b.shape}")
    if v.ndim != 3 or v.shape[:2] != (len(b), 3):
        raise ValueError(f"values: expected shape ({len(b)}, 3, D), got {v.shape}")
    return sum(b[:, :, i, None] * v[:, None, i, :] for i in range(3))  # type: ignore[return-value]


def measure_spacing(at: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Distance between the seven samples of a piece.

    Args:
      at: (N, 3, D) corners of the pieces, D = 2 or 3.

    Returns:
      (N,), the root of a seventh of the area, in the unit of `at`.
    """
    x = np.asarray(at, np.float64)
    a, b = x[:, 1] - x[:, 0], x[:, 2] - x[:, 0]
    aa, bb, ab = (np.square(a).sum(1), np.square(b).sum(1), (a * b).sum(1))
    area = 0.5 * np.sqrt(np.maximum(aa * bb - ab * ab, 0))
    return np.sqrt(area / _SAMPLES)


def _sample(at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N, 7, D): the middle, and two rings of three points."""
    total = at[:, 0] + at[:, 1] + at[:, 2]
    rows = [total / 3]
    for _, near in _RINGS:
        other = (1 - near) / 2
        rows += [other * total + (near - other) * at[:, k] for k in range(3)]
    return np.stack(rows, axis=1)


def _sum_samples(colors: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float32]:
    x = colors.reshape(count, _SAMPLES, colors.shape[1])
    total = x[:, 0] * np.float32(9 / 40)
    for ring, (weight, _) in enumerate(_RINGS):
        for k in range(3):
            total = total + x[:, 1 + 3 * ring + k] * np.float32(weight)
    return total
