"""The materials of a .glb: base colours and their images."""

from typing import NamedTuple

import numpy as np

from sf3d_jax.data.meshes.glb.container import Glb, decode_uri
from sf3d_jax.data.meshes.glb.items import Item
from sf3d_jax.data.meshes.textures import Paint, decode_texture, read_texture_beside

_TRANSFORM = "KHR_texture_transform"
_WHITE = (1.0, 1.0, 1.0, 1.0)
_CODES = np.arange(256) / 255


class Surface(NamedTuple):
    """What a primitive looks like.

    Attributes:
      number: place of its material in `Materials.paints`.
      name: name of the material.
      coordinates: attribute with the texture coordinates, such as "TEXCOORD_0".
      transform: matrix [2, 3], row by row, that maps these coordinates to those of the image.
    """

    number: int
    name: str
    coordinates: str
    transform: tuple[float, ...]


class Materials:
    """The materials that primitives use, read when they are first found.

    Attributes:
      paints: their colours and images.
    """

    def __init__(self, glb: Glb, textured: bool) -> None:
        """Keeps the file; `textured` says whether to decode images."""
        self._glb, self._textured = glb, textured
        self._images: dict[tuple[int, tuple[float, ...]], np.ndarray] = {}
        self._surfaces = {-1: Surface(0, "", "TEXCOORD_0", _read_transform(None))}
        self.paints = [Paint()]

    def find(self, primitive: Item) -> Surface:
        """Finds what a primitive looks like."""
        number = primitive.integer("material") if "material" in primitive else -1
        if number not in self._surfaces:
            material = self._glb.find("materials", number, primitive)
            pbr = material.item("pbrMetallicRoughness")
            factor = pbr.numbers("baseColorFactor", [*_WHITE])
            texture = pbr.item("baseColorTexture") if "baseColorTexture" in pbr else None
            image = None
            if texture is not None and self._textured:
                image = self._find_image(texture, tuple(factor[:3].tolist()))
            transform = None if texture is None else texture.item("extensions").item(_TRANSFORM)
            place = 0 if texture is None else texture.integer("texCoord", 0)
            if transform is not None:
                place = transform.integer("texCoord", place)
            self._surfaces[number] = Surface(
                len(self.paints),
                material.text("name"),
                f"TEXCOORD_{place}",
                _read_transform(transform),
            )
            red, green, blue = np.rint(255 * _encode(factor[:3])).astype(int).tolist()
            self.paints.append(Paint(image, (red, green, blue)))
        return self._surfaces[number]

    def _find_image(self, texture: Item, factor: tuple[float, ...]) -> np.ndarray:
        """Decodes the image of a texture, times a factor; the same array for the same image."""
        source = self._glb.find("textures", texture.integer("index"), texture)
        if "source" not in source:
            others = ", ".join(source.item("extensions").keys())[:100] or "none"
            raise source.refuse("source", "a PNG or JPEG", f"none, but the extensions {others}")
        key = source.integer("source"), factor
        if key not in self._images:
            image = _read_image(self._glb, self._glb.find("images", key[0], source))
            self._images[key] = _multiply(image, np.array(factor))
        return self._images[key]


def _read_image(glb: Glb, image: Item) -> np.ndarray:
    if "bufferView" in image:
        data, start, length = glb.view(image.integer("bufferView"), image)
        return decode_texture(glb.path, data[start : start + length])
    embedded = decode_uri(image)
    if embedded is None:
        return read_texture_beside(glb.path, image.text("uri"))
    return decode_texture(glb.path, embedded)


def _multiply(image: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Multiplies the light of an sRGB image by a factor."""
    if (factor == 1).all():
        return image
    tables = _encode(_decode(_CODES)[:, None] * factor)
    codes = np.rint(255 * tables).astype(np.uint8)
    return np.stack([codes[image[..., i], i] for i in range(3)], axis=-1)


def _decode(code: np.ndarray) -> np.ndarray:
    """Converts sRGB from 0 to 1 to light (IEC 61966-2-1)."""
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _encode(light: np.ndarray) -> np.ndarray:
    """Converts light to sRGB from 0 to 1; clips what is darker or brighter."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _read_transform(transform: Item | None) -> tuple[float, ...]:
    """Reads translation, rotation and scale of texture coordinates as a matrix [2, 3].

    The coordinates turn from u towards -v, as programs have it, against the sign in the listing of
    the extension (github.com/KhronosGroup/glTF/issues/1563).
    """
    if transform is None:
        return 1.0, 0.0, 0.0, 0.0, 1.0, 0.0
    left, top = transform.numbers("offset", [0.0, 0]).tolist()
    wide, high = transform.numbers("scale", [1.0, 1]).tolist()
    angle = float(transform.number("rotation", 0.0))
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    return cos * wide, sin * high, left, -sin * wide, cos * high, top
