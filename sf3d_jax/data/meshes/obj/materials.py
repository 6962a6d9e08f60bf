"""Wavefront .mtl: the materials of an .obj, of which the colour and its image are read.

    newmtl name            begins a material
    Kd 0.8 0.6 0.5         its colour, which counts only without an image
    map_Kd skin.png        its image

All other lines describe how a surface shines. Keywords may be in any case. A name may stand in
quotes, and end before a comment, which begins with # after a space.
"""

from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.text import parse_numbers
from sf3d_jax.data.meshes.textures import Paint, find_beside, read_texture_beside


def read_materials(path: PathLike, libraries: list[str], names: list[str]) -> list[Paint]:
    """Finds the materials of an .obj.

    Args:
      path: path of the .obj.
      libraries: what follows `mtllib` in its lines: a file beside it, or several.
      names: what follows `usemtl` in its lines.

    Returns:
      The material of each name; white if it is not in a library that is there.

    Raises:
      FormatError: a library that is there names an image that is not, or sets options of an image.
    """
    paints: dict[str, Paint] = {}
    for library in dict.fromkeys(libraries):
        whole = _find_whole(path, library)
        for name in [library] if whole else library.split():
            if found := whole or find_beside(path, name):
                paints |= _read_library(found)
    bare = {_cut_comment(name): paint for name, paint in reversed(paints.items())}
    words = [" ".join(name.split()) for name in names]
    return [paints.get(name) or bare.get(_cut_comment(name), Paint()) for name in words]


def _find_whole(path: PathLike, text: str) -> Path | None:
    """Finds the file that a text with spaces names."""
    return find_beside(path, text) or find_beside(path, _cut_comment(text))


def _cut_comment(name: str) -> str:
    """A name without the comment after it, and without quotes."""
    name = name.partition(" #")[0].strip()
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] == '"' else name


def _read_library(path: Path) -> dict[str, Paint]:
    paints: dict[str, Paint] = {}
    images: dict[str, np.ndarray] = {}
    name = None
    for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        keyword, rest = [*line.strip().split(maxsplit=1), "", ""][:2]
        match keyword.lower():
            case "newmtl":
                name = " ".join(rest.split())
                paints[name] = Paint()
            case "kd" if name is not None:
                if color := _read_color(path, name, rest):
                    paints[name] = paints[name]._replace(color=color)
            case "map_kd" if name is not None:
                image = rest if find_beside(path, rest) else _cut_comment(rest)
                if image not in images:
                    images[image] = _read_image(path, image)
                paints[name] = paints[name]._replace(image=images[image])
    return paints


def _read_color(path: Path, name: str, text: str) -> tuple[int, int, int] | None:
    """Reads the colour of a material; None if it is a spectrum or not in RGB."""
    words = text.partition("#")[0].split()
    if words[:1] in (["spectral"], ["xyz"]):
        return None
    words *= 3 if len(words) == 1 else 1
    color = parse_numbers(path, words, 3, f"in Kd of {name[:80]!r}")
    red, green, blue = np.rint(255 * np.clip(color, 0, 1)).astype(int).tolist()
    return red, green, blue


def _read_image(path: Path, image: str) -> np.ndarray:
    if image.startswith("-"):
        expected = "map_Kd without options, which are not supported"
        raise FormatError(path, expected, repr(image[:80]))
    return read_texture_beside(path, image)
