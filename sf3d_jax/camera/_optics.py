"""A camera's numbers as separate arrays that broadcast over the pixels, and pixel <-> ray."""

import dataclasses
import functools
import itertools
from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics import channels, is_in_range, is_positive_finite, mask
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax._numerics.vectors import cross, dot
from sf3d_jax.camera import _lens
from sf3d_jax.camera._domain import domain_limit
from sf3d_jax.camera._fields import edit
from sf3d_jax.se3._elements import is_rotation

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera


def per_pixel(x: jax.Array, axes: int) -> jax.Array:
    """Appends `axes` axes of size 1, one for each axis of the pixels, to an array (*b)."""
    return x.reshape(x.shape + (1,) * axes)


def split_rows(matrix: jax.Array, axes: int) -> list[list[jax.Array]]:
    """Splits a matrix (*b, m, n) into rows of entries, each with `axes` pixel axes of size 1."""
    m, n = matrix.shape[-2:]
    return [[per_pixel(matrix[..., i, j], axes) for j in range(n)] for i in range(m)]


def replace_bad_arrays(camera: "Camera") -> tuple["Camera", jax.Array]:
    """Replaces bad arrays of a camera by harmless ones.

    Args:
      camera: camera of any batch shape.

    Returns:
      A camera with finite arrays, positive focal lengths and an invertible rotation; and (*b),
      bool, False where an array was replaced.
    """
    good = jnp.asarray(True)
    arrays = {}
    harmless = {
        "focal": np.ones(2),
        "principal_point": np.zeros(2),
        "world_to_camera": np.eye(3, 4),
        "distortion": np.zeros(()),
    }
    for name, other in harmless.items():
        x = getattr(camera, name)
        if x is None:
            continue
        on_cpu, elsewhere = partial(_fits_by_reduction, name), partial(_fits_by_entries, name)
        fits = choose_by_platform(on_cpu, elsewhere, jax.lax.stop_gradient(x))
        if name == "world_to_camera":
            arrays[name] = mask(fits[..., None, None], x, other)
        else:
            # Entry by entry: GPUs then need no kernel of their own for it.
            others = tuple(np.broadcast_to(other, x.shape[-1]))
            arrays[name] = jnp.stack(mask(fits, channels(x), others), -1)
        good = good & fits
    return edit(camera, **arrays), good


def _fits_by_reduction(name: str, x: jax.Array) -> jax.Array:
    """Whether an array of a camera is good, in the form for CPUs.

    The loops over pixels read the result of a reduction. Without one, XLA would compute all checks
    again for each pixel.
    """
    fits = is_positive_finite(x) if name == "focal" else is_in_range(x)
    if name != "world_to_camera":
        return fits.all(-1)
    a, b, c = (x[..., i, :3] for i in range(3))
    return fits.all((-2, -1)) & is_rotation((a * jnp.cross(b, c)).sum(-1))


def _fits_by_entries(name: str, x: jax.Array) -> jax.Array:
    """Whether an array of a camera is good, in the form for GPUs.

    Each reduction would be a kernel of its own.
    """
    is_good = is_positive_finite if name == "focal" else is_in_range
    rows = (
        [channels(x)] if name != "world_to_camera" else [channels(x[..., i, :]) for i in range(3)]
    )
    fits = functools.reduce(jnp.logical_and, map(is_good, itertools.chain(*rows)))
    if name != "world_to_camera":
        return fits
    a, b, c = (row[:3] for row in rows)
    return fits & is_rotation(dot(a, cross(b, c)))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Optics:
    """The intrinsics of a camera, each with axes of size 1 for the axes of the pixels."""

    fx: jax.Array
    fy: jax.Array
    cx: jax.Array
    cy: jax.Array
    coefficients: tuple[jax.Array, ...]
    model: str = dataclasses.field(metadata={"static": True})

    @classmethod
    def of(cls, camera: "Camera", axes: int) -> "Optics":
        """Makes the optics of a camera with the given number of pixel axes."""
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

    def is_one_to_one(self, x: jax.Array, y: jax.Array) -> jax.Array:
        """Whether the lens is one-to-one at the ray (x, y, 1)."""
        if self.model == "pinhole":
            return is_in_range(x) & is_in_range(y)
        limit = domain_limit(self.model, self.coefficients)
        return _lens.is_one_to_one(self.model, x, y, self.coefficients, limit)
