"""Cameras as the maths of a pixel sees them: number by number, broadcast over the pixels."""

import dataclasses
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import is_in_range, is_positive_finite, mask
from sf3d_jax.camera import _lens
from sf3d_jax.camera._fields import edit

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera


def per_pixel(x: jax.Array, axes: int) -> jax.Array:
    """A (*b) array with so many axes of size 1 behind, one for each axis of the pixels."""
    return x.reshape(x.shape + (1,) * axes)


def rows(matrix: jax.Array, axes: int) -> list[list[jax.Array]]:
    """The entries of a (*b, m, n) matrix, row by row, each for so many pixel axes."""
    m, n = matrix.shape[-2:]
    return [[per_pixel(matrix[..., i, j], axes) for j in range(n)] for i in range(m)]


def usable(camera: "Camera") -> tuple["Camera", jax.Array]:
    """The camera with any bad array replaced by a harmless one, and whether there was none.

    Args:
      camera: of any batch shape.

    Returns:
      A camera of finite arrays, positive focal lengths and an invertible rotation, and (*b), bool.
    """
    good = jnp.asarray(True)
    arrays = {}
    harmless = {
        "focal": jnp.ones(2),
        "principal_point": jnp.zeros(2),
        "world_to_camera": jnp.eye(3, 4),
        "distortion": jnp.zeros(()),
    }
    for name, other in harmless.items():
        x = getattr(camera, name)
        if x is None:
            continue
        axes = 2 if name == "world_to_camera" else 1
        fits = is_positive_finite(x) if name == "focal" else is_in_range(x)
        fits = fits.all(axis=tuple(range(-axes, 0)))
        if name == "world_to_camera":
            # A rotation has 1; zeros, as of a pose that was never set, have no inverse.
            fits = fits & (_determinant(x[..., :3]) > 0.5)
        arrays[name] = mask(per_pixel(fits, axes), (x,), (other,))[0]
        good = good & fits
    return edit(camera, **arrays), good


def _determinant(matrix: jax.Array) -> jax.Array:
    a, b, c = (matrix[..., i, :] for i in range(3))
    return (a * jnp.cross(b, c)).sum(-1)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Optics:
    """The intrinsics of a camera, each with an axis of size 1 for every axis of the pixels."""

    fx: jax.Array
    fy: jax.Array
    cx: jax.Array
    cy: jax.Array
    coefficients: tuple[jax.Array, ...]
    model: str = dataclasses.field(metadata={"static": True})

    @classmethod
    def of(cls, camera: "Camera", axes: int) -> "Optics":
        """The optics of a camera, for so many pixel axes."""
        split = lambda x: tuple(per_pixel(x[..., i], axes) for i in range(x.shape[-1]))
        coefficients = () if camera.distortion is None else split(camera.distortion)
        (fx, fy), (cx, cy) = split(camera.focal), split(camera.principal_point)
        return cls(fx, fy, cx, cy, coefficients, camera.model)

    def ray(self, u: jax.Array, v: jax.Array) -> _lens.Ray:
        """The ray (x, y, 1) of the pixel (u, v)."""
        finite = is_in_range(u) & is_in_range(v)
        u, v = mask(finite, (u, v))
        x, y, valid = _lens.undistort(
            self.model, (u - self.cx) / self.fx, (v - self.cy) / self.fy, self.coefficients
        )
        return _lens.Ray(x, y, valid & finite)

    def pixel(self, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The pixel (u, v) of the ray (x, y, 1)."""
        x, y = _lens.distort(self.model, x, y, self.coefficients)
        return self.fx * x + self.cx, self.fy * y + self.cy

    def inside(self, x: jax.Array, y: jax.Array) -> jax.Array:
        """Whether the lens is one-to-one at the ray (x, y, 1)."""
        if self.model == "pinhole":
            return is_in_range(x) & is_in_range(y)
        limit = _lens.domain_limit(self.model, self.coefficients)
        return _lens.inside(self.model, x, y, self.coefficients, limit)
