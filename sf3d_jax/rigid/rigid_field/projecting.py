"""What a rigid field shows in the image: its flow and its inverse-depth change."""

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import (
    align_ranks,
    is_in_range,
    is_positive_finite,
    jit,
    mask,
    result_type,
    widen,
)
from sf3d_jax._numerics.vectors import add, multiply, scale
from sf3d_jax.camera import Camera
from sf3d_jax.camera._maps import check_maps_of
from sf3d_jax.conversion._two_views import two_views
from sf3d_jax.conversion.scene_flow import ImageMotion, project_scaled
from sf3d_jax.se3 import _turns

# The last axes of a field: rows of [R | t].
_TRANSFORM = (3, 4)


@jit
def motion(field: jax.Array, inv_depth: jax.Array, camera: Camera) -> ImageMotion:
    """The image motion of points that move by a field of transforms: X1 = R X0 + t, projected.

    With D = R - I, the ray r = (x, y, 1) and X0 = r / d, a point moves by m / d, m = D r + d t.
    Then c = -d m_z / (1 + m_z), and the ray changes by (m - r m_z) / (1 + m_z). D is found from the
    small entries of R, so motions far below the rounding of R keep their digits.

    Args:
      field: (*b, H, W, 3, 4), [R | t] per pixel, in metres and in the axes of the camera, R a
        rotation; or one transform for all pixels, (3, 4) or (*b, 1, 1, 3, 4).
      inv_depth: (*b, H, W), d = 1/z0, per metre.
      camera: first camera; its batch axes broadcast against *b, its pose is not used.

    Returns:
      Flow in pixels and inverse-depth change per metre, in the dtype of the arrays. A pixel is
      valid if its transform is finite, both depths are between 3e-10 and 3e9 m (float32) and the
      lens is one-to-one at both ends, even if the point leaves the image. Invalid pixels are zero
      and pass no gradient.
    """
    batch = _check_field(field, inv_depth, camera)
    dtype = result_type(field.dtype, inv_depth.dtype)
    field, d0, camera = widen(field, inv_depth, camera)
    views = two_views(camera, None, len(batch))
    rank = len(batch) + len(camera.size)
    (field,) = align_ranks(field, rank=rank + 2)
    (d0,) = align_ranks(d0, rank=rank)
    finite = is_in_range(field).all((-2, -1))
    still = jnp.eye(3, 4, dtype=field.dtype)
    turn, shift = _turns.split(jnp.where(finite[..., None, None], field, still))
    usable = is_positive_finite(d0) & finite & views.valid
    d0, turn, shift = mask(
        usable, (d0, turn, shift), (1, *jax.tree.map(lambda _: 0, (turn, shift)))
    )
    ray = views.x, views.y, jnp.ones((), d0.dtype)
    scaled = add(multiply(turn, ray), scale(d0, shift))
    return project_scaled(scaled, d0, usable, views, dtype)


def _check_field(field: jax.Array, inv_depth: jax.Array, camera: Camera) -> tuple[int, ...]:
    """Checks the arguments of `motion`; returns the batch axes of its result."""
    _, batch = check_maps_of(camera, None, inv_depth=(inv_depth, 0))
    check_array("field", field, _TRANSFORM)
    pixels = field.shape[-4:-2]
    if pixels not in ((), (1, 1), camera.size):
        height, width = camera.size
        raise ValueError(
            f"field: expected shape (..., {height}, {width}, 3, 4), or one transform as "
            f"(..., 1, 1, 3, 4) or (3, 4), got {field.shape}"
        )
    return check_batch(field=field.shape[:-4], **{"inv_depth and camera": batch})
