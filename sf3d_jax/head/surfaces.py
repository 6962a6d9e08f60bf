"""Finds the pixels whose annotations belong to one point of one surface.

Annotations are blended over the Gaussians of a pixel, so they are exact where these belong to one
smooth surface. `edge` finds pixels whose depths differ by 1 %, but an eyelid is closer than that to
the eyeball, and so are lips to teeth. Three more tests find these pixels. They need features of the
Gaussians, which are blended like colours. Let w_i be the weights of the Gaussians of a pixel,
divided by their sum. The pixel sees

    one surface    if every bit b_i of the number of the group of surfaces, in the binary system,
                   has a mean sum_i w_i b_i below .03 or above .97,
    one place      if the means r_i of the pieces in the rest shape deviate by no more than pieces
                   and pixels allow,
                   sum_i w_i |r_i|^2 - |sum_i w_i r_i|^2 <= .7 sum_i w_i m_i + 5 p^2,

where m_i is the greatest squared distance between the mean of a piece and its corners, and p is the
side of the pixel at the depth of the surface, in metres. Pieces that share a corner v deviate by at
most sum_i w_i |r_i - v|^2 <= sum_i w_i m_i, and nearly always by less than .7 of that. The renderer
blurs by a variance of .3 pixels^2 along each axis, which on a surface seen at the angle a from its
normal is .3 (1 + 1 / cos^2 a) p^2: 5 p^2 at 75 degrees. In the rest shape, mouth and lids have to
be open, or else the two lips are one place.

The last test is for the end of a surface before another one. Opaque Gaussians reach about .4 pixels
beyond it, so a pixel out there may show the near surface alone. Then the next pixel shows a mixture
with much of the surface behind, whereas next to the last pixel within the end it shows little. With
the depths z of a pixel, z' of the next one and z'' of the one after that, the pixel is

    beyond an end  if z < z', z < z'' and z' - z >= .4 (z'' - z) in one of the four directions along
                   rows and columns, and the next pixel does not see one surface, or not one place
                   even if 20 p^2 takes the place of 5 p^2.

This test leaves out about 1 % of a face.
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
# Squared deviation of a pixel that clearly sees two places, over the limit of one that sees one.
# Half of that finds hardly more pixels beyond ends, and loses .3 % more of a face.
_CLEAR = 4.0
# Rise of the depth to the next pixel, over that to the one after it, from which on the first lies
# beyond an end. At .5, errors of half a pixel are left on faces; less only loses more pixels.
_RISE = 0.4
# What is read of an annotation.
_READ = {
    **dict.fromkeys(("valid", "edge"), "mask"),
    **dict.fromkeys(("alpha", "inv_depth"), "map"),
    "features": "image",
}
# Features that are not bits: three of the place, its square, and a one.
_PLACE = 5


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
      mesh; |r|^2 - .7 m, by the formula above; and 1, whose blend is the sum of the weights. The
      place and its square are 0 for a piece whose vertices are not finite.

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
    return np.column_stack([bits, places, last, np.ones(len(last))]).astype(np.float32)


def sure_pixels(annotation: Annotation, camera: Camera) -> jax.Array:
    """Finds the pixels whose annotations are those of one point of one surface.

    Args:
      annotation: (H, W), from `render_motion` with `surface_features` as its features. If its
        colours have 16 bits, so have its depths, and ends of surfaces are found where the depth
        changes by more than their rounding: .4 % in bfloat16.
      camera: first camera of that call, one pinhole.

    Returns:
      (H, W), bool: valid, in the backward motion too if there is one; not at an edge; one surface
      and its own place by the tests above.

    Raises:
      TypeError: annotation is not an Annotation, or camera is not a Camera.
      ValueError: the annotation has no features or too few of them, or the camera is a batch, has
        a lens or another image size.
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
    if annotation.valid.shape != camera.size:
        raise ValueError(
            f"camera: expected the image size of the annotation, {annotation.valid.shape}, got "
            f"{camera.size}; pass the first camera of render_motion"
        )
    return _sure_pixels(annotation, camera.focal)


@jit
def _sure_pixels(annotation: Annotation, focal: Array) -> jax.Array:
    valid, blend = annotation.valid, annotation.features
    assert blend is not None
    # Divided by the blend of ones, because alpha has the precision of the colours.
    mean = blend[..., :-1] / jnp.where(valid, blend[..., -1], 1)[..., None]
    bits, place, square = jnp.split(mean, [mean.shape[-1] - 4, mean.shape[-1] - 1], -1)
    one_surface = (jnp.minimum(jnp.abs(bits), jnp.abs(1 - bits)) < _FOREIGN).all(-1)
    depth = 1 / jnp.where(valid, annotation.inv_depth, 1).astype(mean.dtype)
    side = depth / jnp.asarray(focal, mean.dtype).min()
    spread = square[..., 0] - (place * place).sum(-1)
    blur = _BLUR * side * side
    mixed = valid & ~(one_surface & (spread <= _CLEAR * blur))
    # Far away and finite, so that differences are numbers.
    far = jnp.finfo(depth.dtype).max / 4
    beyond = _is_beyond(mixed, jnp.where(valid, depth, far))
    sure = valid & ~annotation.edge & one_surface & (spread <= blur) & ~beyond
    return sure if annotation.backward is None else sure & annotation.backward.valid


def _is_beyond(mixed: jax.Array, depth: jax.Array) -> jax.Array:
    """Pixels beyond the end of the surface that they show, by the next two in some direction."""
    rows, columns = depth.shape
    mixed = jnp.pad(mixed, 2)
    wide = jnp.pad(depth, 2, constant_values=jnp.finfo(depth.dtype).max / 4)
    beyond = jnp.zeros(depth.shape, bool)
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        there = [np.s_[2 + k * down :, 2 + k * right :] for k in (1, 2)]
        is_mixed = mixed[there[0]][:rows, :columns]
        after, last = (wide[x][:rows, :columns] for x in there)
        is_near = (depth < after) & (depth < last)
        # An invalid pixel is far away, and never this near.
        beyond |= is_mixed & is_near & (after - depth >= _RISE * (last - depth))
    return beyond
