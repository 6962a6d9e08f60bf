"""Reads and writes a mesh in the format that its ending names."""

from pathlib import Path
from typing import Protocol

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.meshes import ply
from sf3d_jax.data.meshes.glb import reading as glb_reading
from sf3d_jax.data.meshes.glb import writing as glb_writing
from sf3d_jax.data.meshes.mesh import Mesh, check_mesh
from sf3d_jax.data.meshes.obj import reading as obj_reading
from sf3d_jax.data.meshes.obj import writing as obj_writing


class _Read(Protocol):
    def __call__(self, path: PathLike, *, textured: bool = True) -> Mesh: ...


class _Write(Protocol):
    def __call__(self, path: PathLike, mesh: Mesh) -> None: ...


READERS: dict[str, _Read] = {".obj": obj_reading.read, ".ply": ply.read, ".glb": glb_reading.read}
_WRITERS: dict[str, _Write] = {
    ".obj": obj_writing.write,
    ".ply": ply.write,
    ".glb": glb_writing.write,
}
_GLTF = ".gltf"


def read_mesh(path: PathLike) -> Mesh:
    """Reads a triangle mesh from an .obj, .ply or .glb.

    Polygons become fans of triangles about their first corners. Normals, colours of vertices, and
    how a surface shines are not read.

    - .obj: `o` and `g` name the groups of faces, and `usemtl` does if there are several materials.
      Images of `map_Kd` are read; a `mtllib` that is not beside the file is ignored.
    - .ply: texture coordinates are s and t, u and v, or texture_u and texture_v of vertices, or the
      list texcoord of faces, with the image that a comment TextureFile names.
    - .glb: the meshes of the scene are joined in its axes, with morph targets and the images of
      base colours. Vertices that are equal, in all targets, too, are joined, as the format repeats
      those with several texture coordinates or normals. Names of nodes and materials are those of
      groups. Targets without names are `target 0`, ..., after the name of the mesh if several have
      such. Vertices are those without targets: default weights of meshes and nodes are not applied.
      Animations are not read, and hidden nodes (KHR_node_visibility) are read, too. Skins and
      compression (Draco, meshopt) are refused.

    If there are several materials with images, these become one texture.

    Args:
      path: file to read.

    Returns:
      The mesh in the axes and the unit of the file: for .glb metres, y up, and z forward.

    Raises:
      FileNotFoundError: the file does not exist.
      FormatError: the ending is another one; the file is damaged, has no faces, or names a vertex
        or an image that does not exist; or it needs something that is not supported, which the
        message names.
    """
    ending = Path(path).suffix.lower()
    if ending not in READERS:
        advice = "; pack it and its files as one .glb" if ending == _GLTF else ""
        raise FormatError(path, f"a mesh, {' or '.join(READERS)}", f"the ending {ending!r}{advice}")
    return READERS[ending](path)


def write_mesh(path: PathLike, mesh: Mesh) -> None:
    """Writes a triangle mesh as .obj, .ply or .glb.

    - .obj holds all digits. A texture is written beside it, with the endings .mtl and .png. It has
      no targets.
    - .ply holds float32, without texture, targets or groups.
    - .glb holds float32 and everything else, with faces sorted by group.

    Args:
      path: file to write, ending in .obj, .ply or .glb.
      mesh: mesh to write.

    Raises:
      TypeError: it is not a Mesh, an array has the wrong dtype, or the name of a target or a group
        is not a text.
      ValueError: the ending is another one, the format cannot hold a part of the mesh, a shape does
        not fit, an index is out of range, a number is non-finite, or an .obj cannot name a group,
        or the texture, so that it is found again.
      FileNotFoundError: the folder of the file does not exist.
    """
    ending = Path(path).suffix.lower()
    if ending not in _WRITERS:
        raise ValueError(f"path: expected an ending of {', '.join(_WRITERS)}, got {path}")
    _WRITERS[ending](path, check_mesh("mesh", mesh))
