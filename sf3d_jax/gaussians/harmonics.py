"""View-dependent colours: real spherical harmonics.

    color = max(0, 1/2 + sum_k Y_k(n) c_k),   n from the camera to the Gaussian, in world axes,

with the basis Y_k, signs and order of 3D Gaussian Splatting (Kerbl et al., SIGGRAPH 2023).
"""

import math

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, list_choices
from sf3d_jax._numerics import is_in_range, jit, mask, widen

# {number of coefficients: degree}.
DEGREES = {1: 0, 4: 1, 9: 2, 16: 3}


@jit
def spherical_harmonics(coefficients: jax.Array, directions: jax.Array) -> jax.Array:
    """Colours of spherical harmonics seen along n: max(0, 1/2 + sum_k Y_k(n) c_k).

    The basis Y_k is that of 3D Gaussian Splatting (Kerbl et al., SIGGRAPH 2023).

    Args:
      coefficients: (*b, K, C), c_k, K = 1, 4, 9 or 16 for degree 0 to 3.
      directions: (*b, 3), n, from the eye to the coloured point, of any non-zero length.

    Returns:
      (*b, C), at least 0, in the dtype of the coefficients. Where a direction is 0 or not finite,
      the colour is that of degree 0 and passes no gradient to the direction.
    """
    check_array("coefficients", coefficients)
    check_array("directions", directions, (3,))
    if coefficients.ndim < 2 or coefficients.shape[-2] not in DEGREES:
        raise ValueError(
            f"coefficients: expected shape (..., K, C) with K = {list_choices(DEGREES)}, "
            f"got {coefficients.shape}"
        )
    dtype = coefficients.dtype
    coefficients, directions = widen(coefficients, directions)
    count = coefficients.shape[-2]
    basis = _evaluate_basis(*_normalize(directions))[:count]
    total = sum(y[..., None] * coefficients[..., k, :] for k, y in enumerate(basis))
    return jnp.maximum(0.5 + total, 0).astype(dtype)


def _normalize(directions: jax.Array) -> tuple[jax.Array, ...]:
    """Directions of length 1; 0 where a direction is 0 or not finite."""
    x, y, z = (directions[..., i] for i in range(3))
    squared = x * x + y * y + z * z
    given = is_in_range(squared) & (squared > jnp.finfo(squared.dtype).tiny)
    x, y, z, squared = mask(given, (x, y, z, squared), (0, 0, 0, 1))
    scale = jax.lax.rsqrt(squared)
    return x * scale, y * scale, z * scale


def _evaluate_basis(x: jax.Array, y: jax.Array, z: jax.Array) -> list[jax.Array]:
    """The 16 functions up to degree 3 on the unit sphere."""
    root = lambda a, b=1.0: math.sqrt(a / (b * math.pi))
    first, second = root(3, 4), root(15, 4)
    side, edge, middle, top = root(35, 32), root(105, 4), root(21, 32), root(7, 16)
    return [
        jnp.full_like(x, root(1, 4)),
        -first * y,
        first * z,
        -first * x,
        second * x * y,
        -second * y * z,
        root(5, 16) * (2 * z * z - x * x - y * y),
        -second * x * z,
        second / 2 * (x * x - y * y),
        -side * y * (3 * x * x - y * y),
        edge * x * y * z,
        -middle * y * (4 * z * z - x * x - y * y),
        top * z * (2 * z * z - 3 * x * x - 3 * y * y),
        -middle * x * (4 * z * z - x * x - y * y),
        edge / 2 * z * (x * x - y * y),
        -side * x * (x * x - 3 * y * y),
    ]
