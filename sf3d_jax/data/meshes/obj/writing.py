"""Writes an .obj, with its texture as .mtl and .png beside it."""

from pathlib import Path

import numpy as np

from sf3d_jax.data._files import PathLike, write_bytes
from sf3d_jax.data._files.pictures import write_png
from sf3d_jax.data.meshes.mesh import Mesh, refuse_parts

_MATERIAL = "texture"


def write(path: PathLike, mesh: Mesh) -> None:
    """Writes a checked mesh; the digits of a number are those that tell it from all others."""
    refuse_parts("mesh", ".obj", mesh, {"targets": ".glb"})
    path = Path(path)
    for name in mesh.group_names:
        if name != " ".join(name.split()) or name.endswith("\\"):
            expected = "words in a line, without a backslash at the end"
            raise ValueError(f"mesh.group_names: expected {expected}, got {name!r}")
    if mesh.texture is not None:
        _check_name(path)
    lines = [f"mtllib {path.stem}.mtl"] if mesh.texture is not None else []
    lines += ["v {!r} {!r} {!r}".format(*row) for row in mesh.vertices.tolist()]
    if mesh.uv is not None:
        lines += ["vt {!r} {!r}".format(*row) for row in mesh.uv.tolist()]
    lines += [f"usemtl {_MATERIAL}"] if mesh.texture is not None else []
    lines += _list_faces(mesh)
    if mesh.texture is not None:
        image = path.with_suffix(".png")
        write_png(image, mesh.texture)
        library = f"newmtl {_MATERIAL}\nKd 1 1 1\nmap_Kd {image.name}\n"
        write_bytes(path.with_suffix(".mtl"), library.encode())
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def _check_name(path: Path) -> None:
    """Refuses a file whose texture would not be found, as lines of text have to name it."""
    stem = path.stem
    is_line = stem.splitlines() == [stem] == [stem.lstrip()]
    if not is_line or "\\" in stem or stem.startswith("-"):
        expected = 'a name in a line without backslashes that begins with none of space, - and "'
        raise ValueError(f"path: expected {expected}, as its texture is named, too, got {path}")


def _list_faces(mesh: Mesh) -> list[str]:
    """The lines of faces, and of their groups where these change."""
    numbers = mesh.faces + 1
    form = "f {} {} {}"
    if mesh.face_uv is not None:
        numbers = np.stack([numbers, mesh.face_uv + 1], axis=-1).reshape(-1, 6)
        form = "f {}/{} {}/{} {}/{}"
    names = {}
    if mesh.groups is not None:
        changes = np.flatnonzero(np.diff(mesh.groups, prepend=-1)).tolist()
        names = {row: [f"g {mesh.group_names[mesh.groups[row]]}".rstrip()] for row in changes}
    rows = enumerate(numbers.tolist())
    return [line for i, row in rows for line in (*names.get(i, ()), form.format(*row))]
