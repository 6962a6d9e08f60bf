"""A scene of 3D Gaussians, each an ellipsoid of colour that fades from its mean.

A Gaussian with mean mu and factor M is the image of the standard one, X = mu + M xi, so its
covariance is M M^T. The factor contains more than the covariance: together with the factor at a
second time, it tells where each point X of the Gaussian has moved.
"""

import dataclasses

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, list_choices, name_type
from sf3d_jax._numerics import Array, Leaf, jit, mask, result_type, widen
from sf3d_jax.gaussians.harmonics import DEGREES


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Gaussians:
    """The Gaussians of one scene at one time; a frozen pytree. Use vmap for scenes of one size.

    A Gaussian is the distribution of X = mu + M xi, xi standard normal, with covariance M M^T.

    Attributes:
      means: (N, 3), mu, metres, in world axes.
      factors: (N, 3, 3), M, metres: any invertible matrix, such as a rotation times scales.
      opacities: (N), in (0, 1]; above 1, a Gaussian stays opaque further from its mean.
      colors: (N, C), any number of channels; or (N, K, C), coefficients of spherical harmonics of
        degree 0 to 3 (K = 1, 4, 9, 16), evaluated by `spherical_harmonics`.
    """

    means: Leaf
    factors: Leaf
    opacities: Leaf
    colors: Leaf

    @classmethod
    def from_scales_rotations(
        cls, means: Array, scales: Array, rotations: Array, opacities: Array, colors: Array
    ) -> "Gaussians":
        """Gaussians from scales along their axes and rotations, as in 3DGS: M = R diag(s).

        Args:
          means: (N, 3), metres, in world axes.
          scales: (N, 3), s, standard deviations along the axes, metres.
          rotations: (N, 4), quaternions (w, x, y, z) of any non-zero length, or (N, 3, 3)
            matrices R, from the Gaussian's axes to the world's.
          opacities: (N), in (0, 1].
          colors: (N, C), or (N, K, C) for spherical harmonics.

        Returns:
          The Gaussians. A quaternion of zeros or NaN gives a factor of zeros: that Gaussian is not
          drawn.
        """
        check_array("scales", scales, (3,))
        check_array("rotations", rotations)
        if rotations.shape[-2:] != (3, 3) and rotations.shape[-1:] != (4,):
            raise ValueError(
                f"rotations: expected shape (..., 4) or (..., 3, 3), got {rotations.shape}"
            )
        factors = _scale_columns(jnp.asarray(scales), jnp.asarray(rotations))
        return cls(means, factors, opacities, colors)


def check_gaussians(name: str, gaussians: object) -> tuple[int, int]:
    """Checks an argument of type Gaussians.

    Args:
      name: argument name used in error messages.
      gaussians: object to check.

    Returns:
      The number of Gaussians, and of colour channels.

    Raises:
      TypeError: it is not Gaussians, or one of its arrays is not floating-point.
      ValueError: a shape does not fit.
    """
    if not isinstance(gaussians, Gaussians):
        raise TypeError(f"{name}: expected Gaussians, got {name_type(gaussians)}")
    shapes = {"means": (3,), "factors": (3, 3), "opacities": (), "colors": ()}
    for field, trailing in shapes.items():
        check_array(f"{name}.{field}", getattr(gaussians, field), trailing)
    count = gaussians.opacities.shape[0] if gaussians.opacities.ndim == 1 else None
    for field, trailing in shapes.items():
        shape = getattr(gaussians, field).shape
        rest = shape[1:] if field == "colors" else trailing
        if count is None or shape != (count, *rest):
            listed = ", ".join(f"{f} {getattr(gaussians, f).shape}" for f in shapes)
            raise ValueError(
                f"{name}: expected means (N, 3), factors (N, 3, 3), opacities (N) and colors "
                f"(N, C) of one scene, got {listed}; use jax.vmap for a batch"
            )
    colors = gaussians.colors.shape
    harmonics = len(colors) == 3 and colors[1] in DEGREES
    if not (len(colors) == 2 or harmonics) or not colors[-1]:
        raise ValueError(
            f"{name}.colors: expected shape (N, C), or (N, K, C) with K = {list_choices(DEGREES)}, "
            f"got {colors}"
        )
    return int(colors[0]), int(colors[-1])


@jit
def _scale_columns(scales: jax.Array, rotations: jax.Array) -> jax.Array:
    dtype = result_type(scales, rotations)
    scales, rotations = widen(scales, rotations)
    if rotations.shape[-1] == 4 and rotations.shape[-2:] != (3, 3):
        rotations = _make_rotations(rotations)
    return (rotations * scales[..., None, :]).astype(dtype)


def _make_rotations(quaternions: jax.Array) -> jax.Array:
    """Rotation matrices of quaternions (w, x, y, z); zeros where zero or not finite."""
    # Scale by the largest part first, or the square of a small quaternion would underflow.
    largest = jnp.abs(quaternions).max(-1)
    given = (largest > 0) & jnp.isfinite(largest)
    (q,) = mask(given, (quaternions,))
    q = q / jnp.where(given, largest, 1)[..., None]
    w, x, y, z = (q[..., i] for i in range(4))
    two = jnp.where(given, 2 / jnp.where(given, (q * q).sum(-1), 1), 0)
    one = given.astype(q.dtype)
    entries = (
        (one - two * (y * y + z * z), two * (x * y - w * z), two * (x * z + w * y)),
        (two * (x * y + w * z), one - two * (x * x + z * z), two * (y * z - w * x)),
        (two * (x * z - w * y), two * (y * z + w * x), one - two * (x * x + y * y)),
    )
    return jnp.stack([jnp.stack(row, -1) for row in entries], -2)
