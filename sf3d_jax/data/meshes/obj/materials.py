"""Wavefront .mtl: the materials of an .obj, of which the colour and its image are read.

    newmtl name            begins a material
    Kd 0.8 0.6 0.5         its colour, which counts only without an image
    map_Kd skin.png        its image

All other lines describe how a surface shines.
"""

from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.text import parse_numbers
from sf3d_jax.data.meshes.textures import Paint, read_texture_beside


def read_materials(path: PathLike, libraries: list[str]) -> dict[str, Paint]:
    """Reads the materials of an .obj.

    Args:
      path: path of the .obj.
      libraries: what follows `mtllib` in its lines: a file beside it, or several.

    Returns:
      The materials by name. A library that is not there has none.

    Raises:
      FormatError: a library that is there names an image that is not, or sets options of an image.
    """
    paints: dict[str, Paint] = {}
    for library in dict.fromkeys(libraries):
        for name in [library] if _find(path, library) else library.split():
            if found := _find(path, name):
                paints |= _read_library(found)
    return paints


def _find(path: PathLike, name: str) -> Path | None:
    found = Path(path).parent / name.replace("\\", "/")
    is_name = 0 < len(name) < 1000 and "\0" not in name
    return found if is_name and found.is_file() else None


def _read_library(path: Path) -> dict[str, Paint]:
    paints: dict[str, Paint] = {}
    images: dict[str, np.ndarray] = {}
    name = None
    for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        keyword, *words = line.split() or ["#"]
        if keyword == "newmtl":
            name = " ".join(words)
            paints[name] = Paint()
        elif keyword == "Kd" and name is not None and words[:1] not in (["spectral"], ["xyz"]):
            words *= 3 if len(words) == 1 else 1
            color = parse_numbers(path, words, 3, f"in Kd of {name[:80]!r}")
            red, green, blue = np.rint(255 * np.clip(color, 0, 1)).astype(int).tolist()
            paints[name] = paints[name]._replace(color=(red, green, blue))
        elif keyword == "map_Kd" and name is not None:
            image = line.strip().partition("map_Kd")[2].strip()
            if image.startswith("-"):
                expected = "map_Kd without options, which are not supported"
                raise FormatError(path, expected, repr(image[:80]))
            if image not in images:
                images[image] = read_texture_beside(path, image)
            paints[name] = paints[name]._replace(image=images[image])
    return paints
