"""Finds the pixels whose annotations belong to one point of one surface.

Annotations are blended over the Gaussians of a pixel, so they are exact where these belong to one
smooth surface. `edge` finds pixels whose depths differ by 1 %, but an eyelid is closer than that to
the eyeball, and so are lips to teeth. Two more tests find these pixels. They need features of the
Gaussians, which are blended like colours. Let w_i be the weights of the Gaussians of a pixel,
divided by their sum. The pixel sees

    one surface  if every bit b_i of the number of the group of surfaces, in the binary system, has
                 a mean sum_i w_i b_i below .03 or above .97,
    one place    if the means r_i of the pieces in the rest shape deviate by no more than pieces and
                 pixels allow, sum_i w_i |r_i|^2 - |sum_i w_i r_i|^2 <= .7 sum_i w_i m_i + 5 p^2,

where m_i is the greatest squared distance between the mean of a piece and its corners, and p is the
side of the pixel at the depth of the surface, in metres. Pieces that share a corner v deviate by at
most sum_i w_i |r_i - v|^2 <= sum_i w_i m_i, and nearly always by less than .7 of that. The renderer
blurs by a variance of .3 pixels^2 along each axis, which on a surface seen at the angle a from its
normal is .3 (1 + 1 / cos^2 a) p^2: 5 p^2 at 75 degrees. In the rest shape, mouth and lids have to
be open, or else the two lips are one place.
"""

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._checks import check_maps, check_mask, name_type
from sf3d_jax._numerics import Array, jit
from sf3d_jax.camera import Camera
from sf3d_jax.gaussians._options import check_scene_camera
from sf3d_jax.gaussians.motion import Annotation
from sf3d_jax.head._pieces import check_integers, check_pieces
from sf3d_jax.head.covering import Cover, read_triangles

# A pixel sees one surface if it takes less than this share of its light from others.
_FOREIGN = 0.03
# Squared deviation of the pieces about a corner, as a share of its bound: smaller shares lose many
# pixels of single surfaces, and larger ones keep more pixels that see two.
_DEVIATION = 0.7
# Squared deviation that the blur of the renderer gives a surface seen at 75 degrees, in squared
# sides of a pixel.
_BLUR = 5.0
# What is read of an annotation.
_READ = {
    **dict.fromkeys(("valid", "edge"), "mask"),
    **dict.fromkeys(("alpha", "inv_depth"), "map"),
    "features": "image",
}
# Features that are not bits: three of the place, and one of its square.
_PLACE = 4


def surface_features(cover: Cover, faces: Array, rest: Array, groups: Array) -> np.ndarray:
    """Describes the place and the surface of each piece by numbers that can be blended.

    Runs on the host, once for all frames. Pass the result as the `features` of `render_motion`, and
    the annotation to `sure_pixels`. If Gaussians are selected, select the features with them.

    Args:
      cover: N pieces, from `cover`.
      faces: (T, 3), integer, as passed to `cover`.
      rest: (V, 3), metres: the rest shape, the same for all frames, and about as large as the
        shapes that are drawn. Mouth and lids should be open.
      groups: (T), integer: a number for the surface of each triangle, such as skin, eyeballs or
        teeth. Surfaces that touch and slide on one another need different numbers.

    Returns:
      (N, K), float32: the bits of the group; r, the mean of the piece relative to the middle of the
      mesh; and |r|^2 - .7 m, by the formula above. The last four are 0 for a piece whose vertices
      are not finite.

    Raises:
      TypeError: an argument has another type.
      ValueError: a shape does not fit, or a face refers to no vertex.
    """
    check_pieces(cover, np.asarray(faces), rest)
    check_integers("groups", groups, (faces.shape[0],))
    owners = np.asarray(cover.triangles)
    triangles = read_triangles(np.asarray(faces), np.asarray(rest, np.float64))
    with np.errstate(invalid="ignore"):  # vertices that are not finite
        corners = np.asarray(cover.corners, np.float64) @ triangles[owners]
        means = corners.mean(1)
        reach = np.square(corners - means[:, None]).sum(-1).max(-1)
    is_finite = np.isfinite(reach)
    places, reach = np.where(is_finite[:, None], means, 0), np.where(is_finite, reach, 0)
    # Relative to the middle, because float32 keeps more digits of the squares of small numbers.
    middle = places[is_finite].mean(0) if is_finite.any() else 0
    places = np.where(is_finite[:, None], places - middle, 0)
    kinds, numbers = np.unique(np.asarray(groups), return_inverse=True)
    bits = numbers[owners, None] >> np.arange(max(len(kinds) - 1, 0).bit_length()) & 1
    last = np.square(places).sum(-1) - _DEVIATION * reach
    return np.column_stack([bits, places, last]).astype(np.float32)


def sure_pixels(annotation: Annotation, camera: Camera) -> jax.Array:
    """Finds the pixels whose annotations are those of one point of one surface.

    Args:
      annotation: (H, W), from `render_motion` with `surface_features` as its features.
      camera: first camera of that call, one pinhole.

    Returns:
      (H, W), bool: valid, in the backward motion too if there is one; not at an edge; one surface
      and one place by the tests above.

    Raises:
      TypeError: annotation is not an Annotation, or camera is not a Camera.
      ValueError: the annotation has no features or too few of them, or the camera is a batch or has
        a lens.
    """
    if not isinstance(annotation, Annotation):
        raise TypeError(f"annotation: expected an Annotation, got {name_type(annotation)}")
    if annotation.features is None:
        raise ValueError(
            "annotation: has no features; pass features=surface_features(...) to render_motion"
        )
    check_maps(
        **{f"annotation.{name}": (getattr(annotation, name), kind) for name, kind in _READ.items()}
    )
    if annotation.backward is not None:
        check_mask("annotation.backward.valid", annotation.backward.valid, annotation.valid.shape)
    if annotation.features.shape[-1] < _PLACE:
        raise ValueError(
            f"annotation.features: expected at least {_PLACE}, from surface_features, got shape "
            f"{annotation.features.shape}"
        )
    check_scene_camera("camera", camera)
    return _sure_pixels(annotation, camera.focal)


@jit
def _sure_pixels(annotation: Annotation, focal: Array) -> jax.Array:
    sure = annotation.valid & ~annotation.edge
    if annotation.backward is not None:
        sure = sure & annotation.backward.valid
    assert annotation.features is not None
    mean = annotation.features / jnp.where(sure, annotation.alpha, 1)[..., None]
    bits, place, square = jnp.split(mean, [mean.shape[-1] - _PLACE, mean.shape[-1] - 1], -1)
    one_surface = (jnp.minimum(jnp.abs(bits), jnp.abs(1 - bits)) < _FOREIGN).all(-1)
    side = 1 / (jnp.where(sure, annotation.inv_depth, 1) * jnp.asarray(focal, mean.dtype).min())
    one_place = square[..., 0] - (place * place).sum(-1) <= _BLUR * side * side
    return sure & one_surface & one_place
