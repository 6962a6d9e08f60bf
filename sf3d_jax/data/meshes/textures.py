"""Textures of meshes: images beside a file, and one texture from those of several materials.

A mesh has one texture. If a file has several materials of which any has an image, their images are
stacked from the top, each with a border of one pixel that repeats its edge, so that linear
interpolation does not mix them; a material without an image becomes a pixel of its colour.
"""

import os
import urllib.parse
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, headers
from sf3d_jax.data._files.pictures import decode_picture
from sf3d_jax.data.opencv import import_cv2

_BORDER = 1  # pixel
_ROUNDING = 1e-4  # of a texture: how far exports with few digits leave it


class Paint(NamedTuple):
    """The colour of a material.

    Attributes:
      image: uint8 sRGB [h, w, 3], or None.
      color: uint8 sRGB (3), used without an image.
    """

    image: np.ndarray | None = None
    color: tuple[int, int, int] = (255, 255, 255)


class Textured(NamedTuple):
    """Texture coordinates and texture, as in Mesh."""

    uv: np.ndarray | None
    face_uv: np.ndarray | None
    texture: np.ndarray | None


def decode_texture(path: PathLike, data: bytes) -> np.ndarray:
    """Decodes a PNG, a JPEG or another image of 8 bits as RGB [h, w, 3], without its alpha."""
    cv2 = import_cv2()
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    picture = decode_picture(path, data, flags)
    if picture.dtype != np.uint8:
        raise FormatError(path, "a texture of 8 bits", f"{8 * picture.itemsize} bits")
    return picture


def read_texture_beside(path: PathLike, name: str) -> np.ndarray:
    """Reads a texture that a file names.

    Args:
      path: file that names it.
      name: path relative to the folder of the file, with slashes or backslashes, perhaps with
        percent signs for other characters; an absolute path of another machine stands for its last
        part.

    Returns:
      uint8 RGB [h, w, 3].

    Raises:
      FormatError: there is no such file, or it is not an image of 8 bits.
    """
    if found := find_beside(path, name):
        return decode_texture(found, found.read_bytes())
    advice = "no such file; put it there, or remove its name from the file"
    raise FormatError(path, f"the texture {name[:200]!r} beside it", advice)


def find_beside(path: PathLike, name: str) -> Path | None:
    """Finds the file that another one names, as `read_texture_beside` does; None if none is."""
    plain = name.replace("\\", "/")
    for text in (name, plain, urllib.parse.unquote(plain), plain.rpartition("/")[2]):
        candidate = Path(path).parent / text
        if text and os.path.isfile(candidate):  # False for what cannot be a name, too
            return candidate
    return None


def join_textures(
    path: PathLike,
    uv: np.ndarray | None,
    face_uv: np.ndarray,
    materials: np.ndarray,
    paints: list[Paint],
) -> Textured:
    """Makes one texture of those of several materials.

    Args:
      path: file path used in error messages.
      uv: [U, 2], or None.
      face_uv: [T, 3], or -1 where a corner has no coordinates, which counts as (0, 0).
      materials: [T], material of each triangle.
      paints: colours of the materials.

    Returns:
      The coordinates as they are, or None if no triangle has any, if there is at most one image and
      all is painted with it; otherwise coordinates in the texture of all materials.

    Raises:
      FormatError: several textures are too large together, or coordinates leave a texture that
        would have to repeat.
    """
    if uv is None or (face_uv < 0).all():
        return Textured(None, None, None)
    if (face_uv < 0).any():
        face_uv = np.where(face_uv < 0, len(uv), face_uv)
        uv = np.concatenate([uv, np.zeros((1, 2))])
    used = [paints[material] for material in np.unique(materials)]
    if all(paint.image is None for paint in used):
        return Textured(uv, face_uv, None)
    if all(paint.image is used[0].image for paint in used):
        return Textured(uv, face_uv, used[0].image)
    return _stack(path, uv, face_uv, materials, paints)


def _stack(
    path: PathLike,
    uv: np.ndarray,
    face_uv: np.ndarray,
    materials: np.ndarray,
    paints: list[Paint],
) -> Textured:
    used = np.unique(materials)
    pixels = [np.array([[p.color]], np.uint8) if p.image is None else p.image for p in paints]
    heights = [pixels[material].shape[0] + 2 * _BORDER for material in used]
    height, width = sum(heights), max(pixels[m].shape[1] for m in used) + 2 * _BORDER
    if problem := headers.find_size_problem(width, height):
        raise FormatError(path, f"textures of {problem[0]} together", problem[1])
    texture = np.zeros((height, width, 3), np.uint8)
    coordinates, places, top, count = [], np.empty_like(face_uv), 0, 0
    for material in used:
        block = np.pad(pixels[material], ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)), "edge")
        texture[top : top + block.shape[0], : block.shape[1]] = block
        rows = materials == material
        found, place = np.unique(face_uv[rows], return_inverse=True)
        has_image = paints[material].image is not None
        inside = _find_inside(path, uv[found]) if has_image else np.full((len(found), 2), 0.5)
        size = np.array(block.shape[1::-1]) - 2 * _BORDER
        column, row = (inside * [1, -1] + [0, 1]).T * size[:, None] + _BORDER
        coordinates.append(np.stack([column / width, 1 - (row + top) / height], axis=-1))
        places[rows] = place.reshape(-1, 3) + count
        top, count = top + block.shape[0], count + len(found)
    return Textured(np.concatenate(coordinates), places, texture)


def _find_inside(path: PathLike, uv: np.ndarray) -> np.ndarray:
    """Moves coordinates by whole repetitions of their texture into 0..1."""
    least, most = uv.min(axis=0), uv.max(axis=0)
    is_inside = (least >= -_ROUNDING) & (most <= 1 + _ROUNDING)
    inside = uv - np.where(is_inside, 0, np.floor(least + _ROUNDING))
    if inside.max() > 1 + _ROUNDING:
        expected = "texture coordinates within one repetition, as there are several textures"
        raise FormatError(path, expected, f"{least.tolist()} to {most.tolist()} for one of them")
    return np.clip(inside, 0, 1)
