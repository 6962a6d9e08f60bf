"""What is written as .glb, against a reader of a few lines."""

import json
import struct

import cv2
import numpy as np
import pytest

from sf3d_jax import data

RNG = np.random.default_rng(0)


def single(*shape):
    """Numbers that float32 holds."""
    return np.float64(np.float32(RNG.uniform(-1, 1, shape)))


def make_mesh(shared):
    faces = RNG.integers(0, 9, (20, 3))
    uv = np.round(RNG.uniform(0, 1, (9 if shared else 5, 2)) * 1024) / 1024
    targets = {"smile": single(10, 3), "jawOpen": np.zeros((10, 3)), "älter": np.zeros((10, 3))}
    targets["jawOpen"][3] = 1, 2, 3
    return data.Mesh(
        single(10, 3),
        faces,
        np.concatenate([uv, uv[:1]]) if shared else uv,
        faces if shared else RNG.integers(0, 5, (20, 3)),
        RNG.integers(0, 256, (3, 5, 3), dtype=np.uint8),
        targets,
        np.repeat([2, 0], [8, 12]),
        ("skin", "of no face", "lid"),
    )


def split(path):
    """The JSON and the bytes of a file."""
    content = path.read_bytes()
    magic, version, length, size, kind = struct.unpack_from("<4sIII4s", content)
    assert (magic, version, length, kind) == (b"glTF", 2, len(content), b"JSON")
    rest, kind = struct.unpack_from("<I4s", content, 20 + size)
    assert kind == b"BIN\0" and 28 + size + rest == length and size % 4 == rest % 4 == 0
    return json.loads(content[20 : 20 + size]), content[28 + size :]


def array(tree, data, number):
    """A dense accessor."""
    accessor = tree["accessors"][number]
    view = tree["bufferViews"][accessor["bufferView"]]
    assert view["byteOffset"] % 4 == 0
    code, width = (
        {5126: "<f4", 5125: "<u4"}[accessor["componentType"]],
        {"SCALAR": 1, "VEC2": 2, "VEC3": 3},
    )
    rows = np.frombuffer(data, code, view["byteLength"] // 4, view["byteOffset"])
    rows = rows.reshape(-1, width[accessor["type"]])
    assert len(rows) == accessor["count"]
    if "min" in accessor:
        assert accessor["min"] == rows.min(0).tolist() and accessor["max"] == rows.max(0).tolist()
    return rows


def test_another_reader_finds_the_mesh(tmp_path):
    mesh = make_mesh(shared=False)
    data.write_mesh(tmp_path / "a.glb", mesh)
    tree, numbers = split(tmp_path / "a.glb")
    (entry,) = tree["meshes"]
    lid, skin = entry["primitives"]
    assert [tree["materials"][p["material"]]["name"] for p in (lid, skin)] == ["lid", "skin"]
    for primitive, rows in ((lid, slice(0, 8)), (skin, slice(8, 20))):
        corners = array(tree, numbers, primitive["indices"]).reshape(-1, 3)
        position = array(tree, numbers, primitive["attributes"]["POSITION"])[corners]
        assert "sparse" not in tree["accessors"][primitive["targets"][0]["POSITION"]]
        np.testing.assert_array_equal(position, mesh.vertices[mesh.faces[rows]])
        uv = array(tree, numbers, primitive["attributes"]["TEXCOORD_0"])[corners]
        np.testing.assert_array_equal(uv * [1, -1] + [0, 1], mesh.uv[mesh.face_uv[rows]])
    assert entry["extras"]["targetNames"] == ["smile", "jawOpen", "älter"]
    assert entry["weights"] == [0, 0, 0]
    jaw = tree["accessors"][lid["targets"][1]["POSITION"]]
    assert "bufferView" not in jaw and jaw["max"] == [1, 2, 3] and jaw["min"] == [0, 0, 0]
    assert (
        jaw["sparse"]["count"] >= 1
        and "sparse" not in tree["accessors"][lid["targets"][2]["POSITION"]]
    )
    view = tree["bufferViews"][tree["images"][0]["bufferView"]]
    png = numbers[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert (image[..., ::-1] == mesh.texture).all()


@pytest.mark.parametrize("shared", [False, True])
def test_what_float32_holds_comes_back(tmp_path, shared):
    mesh = make_mesh(shared)
    data.write_mesh(tmp_path / "a.glb", mesh)
    found = data.read_mesh(tmp_path / "a.glb")
    for name in ("vertices", "faces", "texture"):
        np.testing.assert_array_equal(getattr(found, name), getattr(mesh, name))
    np.testing.assert_array_equal(found.uv[found.face_uv], mesh.uv[mesh.face_uv])
    assert [*found.targets] == [*mesh.targets]
    for name, moves in mesh.targets.items():
        np.testing.assert_array_equal(found.targets[name], moves)
    names = lambda mesh: [mesh.group_names[group] for group in mesh.groups]
    assert names(found) == names(mesh)


def test_a_plain_mesh_comes_back_plain(tmp_path):
    mesh = data.Mesh(single(5, 3), RNG.integers(0, 5, (7, 3)))
    data.write_mesh(tmp_path / "a.glb", mesh)
    found = data.read_mesh(tmp_path / "a.glb")
    np.testing.assert_array_equal(found.vertices, mesh.vertices)
    np.testing.assert_array_equal(found.faces, mesh.faces)
    assert found[2:] == (None, None, None, {}, None, ())


def test_faces_are_sorted_by_group(tmp_path):
    faces = np.arange(12).reshape(4, 3)
    mesh = data.Mesh(single(12, 3), faces, groups=[1, 0, 1, 0], group_names=("a", "b"))
    data.write_mesh(tmp_path / "a.glb", mesh)
    found = data.read_mesh(tmp_path / "a.glb")
    assert found.faces[:, 0].tolist() == [0, 6, 3, 9] and found.group_names == ("b", "a")


def test_a_file_beyond_the_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sf3d_jax.data.meshes.glb.writing._LARGEST_FILE", 500)
    with pytest.raises(ValueError, match=r"mesh: expected at most 500 bytes in a .glb, got"):
        data.write_mesh(tmp_path / "a.glb", make_mesh(shared=True))
    assert not [*tmp_path.iterdir()]
