"""Colours of the pieces of a cover from an image."""

import numpy as np
import numpy.typing as npt

from sf3d_jax.head.skin.pieces import average_over_pieces, measure_spacing
from sf3d_jax.head.skin.srgb import srgb_to_linear

Floats = npt.NDArray[np.float32]

_WHOLE = np.broadcast_to(np.eye(3), (1, 3, 3))


def paint_from_texture(corners_uv: npt.ArrayLike, image: npt.ArrayLike) -> Floats:
    """Mean reflectance of an image over each piece of a cover.

    Args:
      corners_uv: (N, 3, 2), texture coordinates (u, v) of the corners of the pieces,
        `place_corners(cover.corners, mesh.uv[mesh.face_uv[cover.triangles]])`. u goes to the right
        and **v goes up**, as in `data.Mesh` and .obj: (0, 0) is the lower left corner of the image,
        (1, 1) the upper right. (In glTF v goes down: it is 1 minus this v.) The image repeats.
      image: (h, w, 3) uint8, sRGB, first row on top, as `Mesh.texture`.

    Returns:
      (N, 3) float32, linear reflectance: the mean of seven bilinear samples of the decoded image,
      which is halved while its texels are finer than the samples. A piece with a NaN or infinite
      coordinate gets 0, and changes no other.

    Raises:
      ValueError: `corners_uv` or `image` has another shape.
      TypeError: `image` is not uint8.
    """
    uv, image = np.asarray(corners_uv, np.float64), np.asarray(image)
    if uv.ndim != 3 or uv.shape[1:] != (3, 2):
        raise ValueError(f"corners_uv: expected shape (N, 3, 2), got {uv.shape}")
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"image: expected shape (h, w, 3), got {image.shape}")
    if image.dtype != np.uint8:
        raise TypeError(f"image: expected uint8 in sRGB, got {image.dtype}")
    height, width = image.shape[:2]
    finite = np.all(np.isfinite(uv).reshape(len(uv), -1), axis=1)
    uv = np.where(finite[:, None, None], uv, 0)
    levels = _halve(srgb_to_linear(image).astype(np.float32))
    texels = np.maximum(measure_spacing(uv * [width, height]), 1)
    # 2^level is the largest power of two up to the distance between samples.
    level = np.minimum(np.frexp(texels)[1] - 1, len(levels) - 1)

    def look_up(points: npt.NDArray[np.float64], piece: npt.NDArray[np.intp]) -> Floats:
        colors = np.zeros((len(points), 3), np.float32)
        for i in np.unique(level[piece]):
            chosen = level[piece] == i
            colors[chosen] = _interpolate(levels[i], points[chosen])
        return colors

    colors = average_over_pieces(np.broadcast_to(_WHOLE, (len(uv), 3, 3)), uv, look_up)
    return np.where(finite[:, None], colors, 0)


def _halve(image: Floats) -> list[Floats]:
    """The image and its means over 2 x 2, 4 x 4, ... texels, until a side is odd."""
    levels = [image]
    while image.shape[0] % 2 == 0 and image.shape[1] % 2 == 0:
        rows = (image[0::2] + image[1::2]) * np.float32(0.5)
        image = (rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.5)
        levels.append(image)
    return levels


def _interpolate(image: Floats, uv: npt.NDArray[np.float64]) -> Floats:
    """Bilinear lookup; the middle of the lower left texel is at (0.5 / w, 0.5 / h)."""
    height, width = image.shape[:2]
    uv = uv - np.floor(uv)
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    fx, fy = ((a - b).astype(np.float32)[:, None] for a, b in ((x, left), (y, top)))
    columns, rows = ([i.astype(np.intp) + k for k in (0, 1)] for i in (left, top))
    columns, rows = [c % width for c in columns], [r % height for r in rows]
    above, below = (image[r, columns[0]] * (1 - fx) + image[r, columns[1]] * fx for r in rows)
    return above * (1 - fy) + below * fy
