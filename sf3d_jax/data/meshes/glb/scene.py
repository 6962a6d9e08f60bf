"""The nodes of a .glb that show meshes, and where they are in the scene."""

from typing import NamedTuple

import numpy as np

from sf3d_jax.data.cameras import poses
from sf3d_jax.data.meshes.glb.container import Glb
from sf3d_jax.data.meshes.glb.items import Item

_INSTANCING = "EXT_mesh_gpu_instancing"
_IDENTITY = np.eye(4)


class Instance(NamedTuple):
    """A mesh in the scene.

    Attributes:
      node: node that shows it.
      mesh: the mesh.
      to_scene: float64 [4, 4], from the axes of the mesh to those of the scene.
    """

    node: Item
    mesh: Item
    to_scene: np.ndarray


def list_instances(glb: Glb) -> list[Instance]:
    """Lists the meshes of the default scene, or of the first one.

    Args:
      glb: file.

    Raises:
      FormatError: the nodes are not a tree, or one has a skin, which would move the mesh.
    """
    instances = []
    waiting = [(number, _IDENTITY, where) for number, where in reversed(_list_roots(glb))]
    visited: set[int] = set()
    while waiting:
        number, to_scene, where = waiting.pop()
        node = glb.find("nodes", number, where)
        if number in visited:
            raise node.refuse("", "a tree of nodes", "a node that is reached twice")
        visited.add(number)
        to_scene = to_scene @ _read_transform(node)
        if "mesh" in node:
            _check_node(node)
            mesh = glb.find("meshes", node.integer("mesh"), node)
            instances.append(Instance(node, mesh, to_scene))
        children = node.integers("children")
        waiting += [(child, to_scene, node) for child in reversed(children)]
    return instances


def _list_roots(glb: Glb) -> list[tuple[int, Item]]:
    """Lists the numbers of the nodes that begin the scene, each with the object that names it."""
    if "scenes" in glb.root:
        scene = glb.find("scenes", glb.root.integer("scene", 0), glb.root)
        return [(number, scene) for number in scene.integers("nodes")]
    nodes = glb.root.items("nodes")
    children = {child for node in nodes for child in node.integers("children")}
    return [(i, glb.root) for i in range(len(nodes)) if i not in children]


def _check_node(node: Item) -> None:
    if "skin" in node:
        advice = "a skin, which is not supported; apply it before the export"
        raise node.refuse("", "a mesh without a skin", advice)
    if _INSTANCING in node.item("extensions"):
        raise node.refuse("", "a mesh that is shown once", f"{_INSTANCING}, which is not supported")


def _read_transform(node: Item) -> np.ndarray:
    """Reads the matrix from the axes of a node to those of its parent."""
    if "matrix" in node:
        matrix = node.numbers("matrix", [0.0] * 16).reshape(4, 4).T  # stored column by column
        if not np.array_equal(matrix[3], _IDENTITY[3]):
            found = f"{matrix[3].tolist()}"
            raise node.refuse("matrix", "the last row 0, 0, 0, 1", found)
        return matrix
    x, y, z, w = node.numbers("rotation", [0.0, 0, 0, 1])
    if x == y == z == w == 0:
        raise node.refuse("rotation", "a quaternion", "zeros")
    matrix = np.eye(4)
    scale = node.numbers("scale", [1.0, 1, 1])
    matrix[:3, :3] = poses.from_quaternion([w, x, y, z]) * scale
    matrix[:3, 3] = node.numbers("translation", [0.0, 0, 0])
    return matrix
