"""Writes a mesh as a .glb."""

import json
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import PathLike, write_bytes
from sf3d_jax.data._files.pictures import encode_png
from sf3d_jax.data.meshes.glb.container import BINARY, CHUNK, HEADER, JSON, MAGIC, VERSION
from sf3d_jax.data.meshes.mesh import Mesh

_FLOAT, _UNSIGNED = 5126, 5125
_ARRAY_BUFFER, _INDEX_BUFFER = 34962, 34963
_ALIGNMENT = 4
_LARGEST_FILE = 2**32 - 1
_SPARSE_ROW = 16  # bytes: three floats and their place

# What a list of glTF's JSON holds.
_Entry = dict[str, object]


class _Writer:
    """Collects bytes, and the views and accessors that describe them."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[_Entry] = []
        self.accessors: list[_Entry] = []

    def add_view(self, data: bytes, target: int | None = None) -> int:
        """Adds bytes; returns the number of the view."""
        self.data += bytes(-len(self.data) % _ALIGNMENT)
        view: _Entry = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        self.views.append(view | ({} if target is None else {"target": target}))
        self.data += data
        return len(self.views) - 1

    def add_array(self, values: np.ndarray, kind: str) -> int:
        """Adds floats [N, C]; returns the number of the accessor."""
        rows = values.astype("<f4")
        entry = self._describe(rows, kind)
        return self._add(entry | {"bufferView": self.add_view(rows.tobytes(), _ARRAY_BUFFER)})

    def add_indices(self, values: np.ndarray) -> int:
        """Adds indices; returns the number of the accessor."""
        view = self.add_view(values.astype("<u4").tobytes(), _INDEX_BUFFER)
        entry: _Entry = {"bufferView": view, "componentType": _UNSIGNED, "count": values.size}
        return self._add(entry | {"type": "SCALAR"})

    def add_displacements(self, values: np.ndarray) -> int:
        """Adds floats [N, 3] that may be mostly zeros; returns the number of the accessor."""
        rows = values.astype("<f4")
        places = np.flatnonzero(rows.any(axis=1))
        if _SPARSE_ROW * len(places) > rows.nbytes:
            return self.add_array(rows, "VEC3")
        entry = self._describe(rows, "VEC3")
        if len(places):  # an accessor without bytes is 0
            indices = self.add_view(places.astype("<u4").tobytes())
            replaced = self.add_view(rows[places].tobytes())
            entry["sparse"] = {
                "count": len(places),
                "indices": {"bufferView": indices, "componentType": _UNSIGNED},
                "values": {"bufferView": replaced},
            }
        return self._add(entry)

    def _describe(self, rows: np.ndarray, kind: str) -> _Entry:
        least, most = rows.min(axis=0).tolist(), rows.max(axis=0).tolist()
        entry: _Entry = {"componentType": _FLOAT, "count": len(rows), "type": kind}
        return entry | {"min": least, "max": most}

    def _add(self, accessor: _Entry) -> int:
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write(path: PathLike, mesh: Mesh) -> None:
    """Writes a checked mesh."""
    writer = _Writer()
    source, corners, uv = _split_vertices(mesh)
    attributes: dict[str, int] = {"POSITION": writer.add_array(mesh.vertices[source], "VEC3")}
    if uv is not None:
        attributes["TEXCOORD_0"] = writer.add_array(uv * [1, -1] + [0, 1], "VEC2")
    targets = [{"POSITION": writer.add_displacements(t[source])} for t in mesh.targets.values()]
    primitives: list[_Entry] = []
    materials: list[_Entry] = []
    for name, rows in _list_groups(mesh):
        primitive: _Entry = {"attributes": attributes, "material": len(materials)}
        primitive["indices"] = writer.add_indices(corners[rows])
        primitives.append(primitive | ({"targets": targets} if targets else {}))
        materials.append(_make_material(name, mesh.texture is not None))
    entry: _Entry = {"primitives": primitives}
    if targets:
        entry |= {"weights": [0] * len(targets), "extras": {"targetNames": [*mesh.targets]}}
    tree: _Entry = {
        "asset": {"version": f"{VERSION}.0", "generator": "sf3d_jax"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [entry],
        "materials": materials,
    }
    if mesh.texture is not None:
        view = writer.add_view(encode_png(path, mesh.texture))
        tree["images"] = [{"bufferView": view, "mimeType": "image/png"}]
        tree["textures"] = [{"source": 0}]
    tree |= {"accessors": writer.accessors, "bufferViews": writer.views}
    tree["buffers"] = [{"byteLength": len(writer.data)}]
    _write_chunks(path, tree, bytes(writer.data))


def _split_vertices(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Repeats vertices with several texture coordinates, as the format has one number for both.

    Returns:
      The vertex that each one of the file repeats [N], of which the first are all vertices in their
      order; the corners of the triangles [T, 3] in these numbers; and their coordinates [N, 2].
    """
    count = len(mesh.vertices)
    if mesh.uv is None or mesh.face_uv is None:
        return np.arange(count), mesh.faces, None
    if len(mesh.uv) == count and np.array_equal(mesh.faces, mesh.face_uv):
        return np.arange(count), mesh.faces, mesh.uv
    pairs = mesh.faces.astype(np.int64) * len(mesh.uv) + mesh.face_uv
    found, place = np.unique(pairs, return_inverse=True)
    vertices, coordinates = np.divmod(found, len(mesh.uv))
    is_repeated = np.diff(vertices, prepend=-1) == 0
    numbers = np.where(is_repeated, count + np.cumsum(is_repeated) - 1, vertices)
    source = np.concatenate([np.arange(count), vertices[is_repeated]])
    uv = np.zeros((len(source), 2))
    uv[numbers] = mesh.uv[coordinates]
    return source, numbers[place].reshape(-1, 3), uv


def _list_groups(mesh: Mesh) -> list[tuple[str, np.ndarray]]:
    """Lists the groups with triangles: the name and the triangles of each."""
    if mesh.groups is None:
        return [("", np.arange(len(mesh.faces)))]
    order = np.argsort(mesh.groups, kind="stable")
    begins = np.flatnonzero(np.diff(mesh.groups[order], prepend=-1))
    rows = np.split(order, begins[1:])
    # In the order in which the groups begin.
    rows.sort(key=lambda group: int(group[0]))
    return [(mesh.group_names[mesh.groups[group[0]]], group) for group in rows]


def _make_material(name: str, has_texture: bool) -> _Entry:
    surface: _Entry = {"metallicFactor": 0, "roughnessFactor": 1}
    if has_texture:
        surface["baseColorTexture"] = {"index": 0}
    return ({"name": name} if name else {}) | {"pbrMetallicRoughness": surface}


def _write_chunks(path: PathLike, tree: _Entry, data: bytes) -> None:
    text = json.dumps(tree, allow_nan=False, ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    data += bytes(-len(data) % _ALIGNMENT)
    length = HEADER.size + 2 * CHUNK.size + len(text) + len(data)
    if length > _LARGEST_FILE:
        expected = f"at most {_LARGEST_FILE:,} bytes in a .glb"
        raise ValueError(f"mesh: expected {expected}, got {length:,}")
    parts = [HEADER.pack(MAGIC, VERSION, length), CHUNK.pack(len(text), JSON), text]
    write_bytes(Path(path), b"".join([*parts, CHUNK.pack(len(data), BINARY), data]))
