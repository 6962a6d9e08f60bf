"""Finds the pixels whose annotations belong to one point of one surface.

Annotations are blended over the Gaussians of a pixel, so they are exact where these belong to one
smooth surface. `edge` finds pixels whose depths differ by 1 %, but an eyelid is closer than that to
the eyeball, and so are lips to teeth. Two more tests find these pixels, from features that are
blended like colours. With weights w_i that sum to 1 over the Gaussians i of a pixel:

    one surface   every bit b_i of the number of the group of surfaces, written in the binary
                  system, has a mean sum_i w_i b_i within .03 of 0 or 1
    one place     the places r_i in the rest shape deviate by no more than pieces and pixels do,
                  sum_i w_i |r_i|^2 - |sum_i w_i r_i|^2 <= sum_i w_i a_i^2 + p^2

where a_i is the side of the equilateral triangle of the area of the piece, and p the side of the
pixel on the surface, in metres. The rest shape has to have its mouth and lids open, or else the two
lips are one place in it.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics import Array, jit
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.head._pieces import (
    check_cover,
    check_integers,
    check_mesh,
)
from sf3d_jax.head.carrying import pieces
from sf3d_jax.head.covering import Cover

# A pixel sees one surface if it takes less than this share of its light from others.
_FOREIGN = 0.03
# Side lengths of a pixel on the surface that the places of one surface may deviate by.
_FOOTPRINT = 1.0
# Features that are not bits: three of the place, and one of its square.
_PLACE = 4


def surface_features(cover: Cover, faces: Array, rest: Array, groups: Array) -> np.ndarray:
    """Describes the surface of each piece by numbers to be blended with its Gaussian.

    Runs on the host. Draw them as the `features` of `render_motion`, and pass the annotation to
    `sure_pixels`.

    Args:
      cover: N pieces, from `cover`.
      faces: (T, 3), integer, as passed to `cover`.
      rest: (V, 3), metres: the rest shape, the same for all frames, and about as large as the
        shapes that are drawn. Mouth and lids should be open.
      groups: (T), integer, not negative: the number of the surface of each triangle, such as skin,
        eyeballs or teeth. Surfaces that touch and slide on one another need different numbers.

    Returns:
      (N, K), float32: the bits of the group, then the mean r of the piece relative to the middle of
      the mesh, and |r|^2 - a^2, by the formula above.

    Raises:
      TypeError: an argument has another type.
      ValueError: a shape does not fit, or a group is negative.
    """
    check_cover(cover)
    check_mesh(faces, rest)
    check_integers("groups", groups, (faces.shape[0],))
    groups = np.asarray(groups)
    if groups.size and groups.min() < 0:
        raise ValueError(f"groups: expected numbers that are not negative, got {groups.min()}")
    corners = np.asarray(pieces(cover, faces, rest), np.float64)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    squared_side = np.linalg.norm(np.cross(first, second), axis=-1) * (2 / np.sqrt(3))
    places = corners.mean(1)
    is_finite = np.isfinite(places).all(-1)
    places = np.where(is_finite[:, None], places, 0)
    # Squares of small numbers keep more digits.
    if is_finite.any():
        places = places - (places[is_finite].min(0) + places[is_finite].max(0)) / 2
    own = groups[np.asarray(cover.triangles)]
    count = int(groups.max(initial=0)).bit_length()
    bits = (own[:, None] >> np.arange(count)) & 1
    last = (places * places).sum(-1) - np.where(is_finite, squared_side, 0)
    return np.column_stack([bits, places, last]).astype(np.float32)


def sure_pixels(annotation: Any, camera: Camera, *, features: Array | None = None) -> jax.Array:
    """Finds the pixels whose annotations are those of one point of one surface.

    Args:
      annotation: from `render_motion`, drawn with `surface_features`.
      camera: first camera of that call.
      features: (H, W, K), the blended features if they were drawn in another way.

    Returns:
      (H, W), bool: valid in all directions there are, not at an edge, one surface, and one place.

    Raises:
      TypeError: camera is not a Camera.
      ValueError: there are no features, or they are too few.
    """
    check_camera("camera", camera)
    blended = getattr(annotation, "features", None) if features is None else features
    if blended is None or blended.shape[-1] < _PLACE:
        raise ValueError("annotation: expected the features of surface_features, got none")
    return _sure_pixels(annotation, camera.focal, blended)


@jit
def _sure_pixels(annotation: Any, focal: Array, blended: Array) -> jax.Array:
    sure = annotation.valid & ~annotation.edge
    if (backward := getattr(annotation, "backward", None)) is not None:
        sure = sure & backward.valid
    mean = blended / jnp.where(sure, annotation.alpha, 1)[..., None]
    bits, place, square = jnp.split(mean, [mean.shape[-1] - _PLACE, mean.shape[-1] - 1], -1)
    one_surface = (jnp.minimum(jnp.abs(bits), jnp.abs(1 - bits)) < _FOREIGN).all(-1)
    pixel = _FOOTPRINT / (jnp.where(sure, annotation.inv_depth, 1) * focal.min(-1))
    one_place = square[..., 0] - (place * place).sum(-1) <= pixel * pixel
    return sure & one_surface & one_place
