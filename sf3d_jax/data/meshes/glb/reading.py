"""Reads the meshes of a .glb as one."""

from typing import NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.meshes.glb.accessors import read_array, read_indices
from sf3d_jax.data.meshes.glb.container import Glb, read_glb
from sf3d_jax.data.meshes.glb.items import Item
from sf3d_jax.data.meshes.glb.materials import Materials, Surface
from sf3d_jax.data.meshes.glb.scene import Instance, list_instances
from sf3d_jax.data.meshes.glb.targets import name_targets
from sf3d_jax.data.meshes.mesh import Mesh, check_read, cut_strips, join_equal_vertices
from sf3d_jax.data.meshes.textures import join_textures

_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_POINTS_AND_LINES = {0, 1, 2, 3}
_POSITION = "POSITION"
# Vertices times targets; a few bytes of JSON may ask for any amount of zeros.
_MOST_ROWS = 2**28


class _Arrays(NamedTuple):
    """The accessors of the vertices of a primitive: by number, or None."""

    position: int
    uv: int | None
    transform: tuple[float, ...]
    targets: tuple[tuple[str, int | None], ...]


class _Block(NamedTuple):
    """Vertices that primitives of one node share."""

    begin: int
    vertices: np.ndarray
    uv: np.ndarray | None
    targets: dict[str, np.ndarray]


class _Part(NamedTuple):
    """A primitive in the scene; its faces are in the numbers of all vertices before and in it."""

    faces: np.ndarray
    has_uv: bool
    material: int
    name: str


def read(path: PathLike, *, textured: bool = True) -> Mesh:
    """Reads a .glb file.

    Args:
      path: file to read.
      textured: decode images, and join the vertices that the file repeats; otherwise, vertices are
        those of the file.
    """
    glb = read_glb(path)
    materials = Materials(glb, textured)
    blocks: list[_Block] = []
    parts: list[_Part] = []
    instances = list_instances(glb)
    names_of = name_targets([instance.mesh for instance in instances])
    for instance in instances:
        _read_instance(glb, instance, names_of[instance.mesh.where], materials, blocks, parts)
    if not parts:
        raise FormatError(path, "triangles in the scene", "none")
    counts = [len(part.faces) for part in parts]
    faces = np.concatenate([part.faces for part in parts])
    vertices = np.concatenate([block.vertices for block in blocks])
    coordinates = [np.zeros((len(b.vertices), 2)) if b.uv is None else b.uv for b in blocks]
    face_uv = np.where(np.repeat([part.has_uv for part in parts], counts)[:, None], faces, -1)
    used = np.repeat([part.material for part in parts], counts)
    joined = join_textures(path, np.concatenate(coordinates), face_uv, used, materials.paints)
    mesh = Mesh(vertices, faces, *joined, _join_targets(blocks, len(vertices)))
    names = list(dict.fromkeys(part.name for part in parts))
    if any(names):
        groups = np.repeat([names.index(part.name) for part in parts], counts)
        mesh = mesh._replace(groups=groups, group_names=tuple(names))
    mesh = check_read(path, mesh)
    return join_equal_vertices(mesh) if textured else mesh


def _read_instance(
    glb: Glb,
    instance: Instance,
    targets: list[list[str]],
    materials: Materials,
    blocks: list[_Block],
    parts: list[_Part],
) -> None:
    """Reads the primitives of a mesh in the scene; `targets` are the names in each of them."""
    name = instance.node.text("name") or instance.mesh.text("name")
    is_mirrored = np.linalg.det(instance.to_scene[:3, :3]) < 0
    shared: dict[_Arrays, _Block] = {}
    for primitive, names in zip(instance.mesh.items("primitives"), targets, strict=True):
        mode = primitive.integer("mode", _TRIANGLES)
        if mode in _POINTS_AND_LINES:
            continue
        surface = materials.find(primitive)
        arrays = _list_arrays(primitive, surface, names)
        if arrays not in shared:
            begin = blocks[-1].begin + len(blocks[-1].vertices) if blocks else 0
            shared[arrays] = _read_block(glb, primitive, arrays, begin, instance.to_scene)
            blocks.append(shared[arrays])
        block = shared[arrays]
        faces = _read_faces(glb, primitive, mode, len(block.vertices)) + block.begin
        faces = faces[:, ::-1] if is_mirrored else faces
        label = "/".join(filter(None, [name, surface.name]))
        parts.append(_Part(faces, block.uv is not None, surface.number, label))


def _list_arrays(primitive: Item, surface: Surface, targets: list[str]) -> _Arrays:
    attributes = primitive.item("attributes")
    number = lambda item, key: item.integer(key) if key in item else None
    moves = [number(item, _POSITION) for item in primitive.items("targets")]
    return _Arrays(
        attributes.integer(_POSITION),
        number(attributes, surface.coordinates),
        surface.transform,
        tuple(zip(targets, moves, strict=True)),
    )


def _read_block(
    glb: Glb, primitive: Item, arrays: _Arrays, begin: int, to_scene: np.ndarray
) -> _Block:
    vertices = read_array(glb, arrays.position, "VEC3", primitive)
    count = len(vertices)
    linear, offset = to_scene[:3, :3].T, to_scene[:3, 3]
    if (begin + count) * (1 + len(arrays.targets)) > _MOST_ROWS:
        found = f"{count:,} vertices and {len(arrays.targets):,} targets"
        raise primitive.refuse("", f"at most {_MOST_ROWS:,} rows of numbers", found)
    targets = {}
    for name, number in arrays.targets:
        targets[name] = np.zeros((count, 3))  # a target may change normals alone
        if number is not None:
            targets[name] = read_array(glb, number, "VEC3", primitive, count=count) @ linear
    uv = None
    if arrays.uv is not None:
        matrix = np.reshape(arrays.transform, (2, 3))
        uv = read_array(glb, arrays.uv, "VEC2", primitive, count=count)
        uv = (uv @ matrix[:, :2].T + matrix[:, 2]) * [1, -1] + [0, 1]  # from the bottom left
    return _Block(begin, vertices @ linear + offset, uv, targets)


def _read_faces(glb: Glb, primitive: Item, mode: int, count: int) -> np.ndarray:
    """Reads the triangles [T, 3] of a primitive with a number of vertices."""
    corners = np.arange(count)
    if "indices" in primitive:
        corners = read_indices(glb, primitive.integer("indices"), primitive)
    if len(corners) and corners.max() >= count:
        raise primitive.refuse("indices", f"those of {count} vertices", f"{corners.max()}")
    if mode == _STRIP:
        return cut_strips(corners)
    if mode == _FAN:
        last = np.stack([corners[1:-1], corners[2:]], axis=-1)
        return np.insert(last, 0, corners[:1].repeat(len(last)), axis=1)
    if mode != _TRIANGLES:
        raise primitive.refuse("mode", "triangles, a strip or a fan", f"{mode}")
    if len(corners) % 3:
        raise primitive.refuse("indices", "three for each triangle", f"{len(corners)}")
    return corners.reshape(-1, 3)


def _join_targets(blocks: list[_Block], count: int) -> dict[str, np.ndarray]:
    """Joins the targets of all blocks; those without one of a name do not move."""
    targets: dict[str, np.ndarray] = {}
    for block in blocks:
        for name, moves in block.targets.items():
            whole = targets.setdefault(name, np.zeros((count, 3)))
            whole[block.begin : block.begin + len(moves)] = moves
    return targets
