"""Binary glTF against bytes packed by hand."""

import base64
import json
import math
import struct

import cv2
import numpy as np
import pytest
from helpers.glb_files import Scene, pack

from sf3d_jax import data

CORNERS = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 0.5), (0.0, 1.0, 0.25)]
COORDINATES = [(0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 0.25)]
FACES = [0, 1, 2, 0, 2, 3]


def square(code="I", **more):
    """Two triangles with coordinates."""
    scene = Scene()
    position, uv = scene.array("f", CORNERS), scene.array("f", COORDINATES)
    indices = scene.array(code, [(i,) for i in FACES])
    scene.primitive(position, uv=uv, indices=indices, **more)
    return scene


@pytest.fixture
def read(tmp_path):
    """Reads a scene with some keys changed, or bytes."""

    def read(scene, /, **changed):
        content = scene if isinstance(scene, bytes) else scene.pack(**changed)
        (tmp_path / "a.glb").write_bytes(content)
        return data.read_mesh(tmp_path / "a.glb")

    return read


@pytest.fixture
def refused(read):
    def refused(scene, /, **changed):
        with pytest.raises(data.FormatError, match=r"a\.glb: expected ") as error:
            read(scene, **changed)
        assert len(str(error.value)) < 1000
        return str(error.value)

    return refused


@pytest.mark.parametrize("code", "BHI")
def test_each_number_goes_where_it_belongs(read, code):
    mesh = read(square(code))
    assert mesh.vertices.tolist() == [list(corner) for corner in CORNERS]
    assert mesh.faces.tolist() == mesh.face_uv.tolist() == [[0, 1, 2], [0, 2, 3]]
    # From the bottom left, where glTF counts from the top left.
    assert mesh.uv.tolist() == [[0, 0], [1, 0], [1, 1], [0, 0.75]]
    assert mesh.vertices.dtype == mesh.uv.dtype == np.float64
    assert mesh.faces.dtype == mesh.face_uv.dtype == np.int32
    assert mesh.texture is None and mesh.groups is None and mesh.targets == {}


def test_without_indices_vertices_are_corners_and_without_coordinates_there_are_none(read):
    scene = Scene()
    scene.primitive(scene.array("f", CORNERS[:3]))
    mesh = read(scene)
    assert mesh.faces.tolist() == [[0, 1, 2]] and mesh.uv is None and mesh.face_uv is None


def test_rows_may_lie_apart(read):
    scene = Scene()
    position = scene.array("f", CORNERS, stride=20)
    scene.tree["accessors"][position]["byteOffset"] = 0
    uv = scene.array("f", [(9.0, 9.0), *COORDINATES], stride=12)
    scene.tree["accessors"][uv] |= {"byteOffset": 12, "count": 4}
    scene.primitive(position, uv=uv, indices=scene.array("B", [(i,) for i in FACES]))
    mesh = read(scene)
    assert mesh.vertices.tolist() == [list(corner) for corner in CORNERS]
    assert mesh.uv.tolist() == [[0, 0], [1, 0], [1, 1], [0, 0.75]]


@pytest.mark.parametrize(
    "code, numbers, wanted",
    [
        ("B", (255, 51), (1, 0.2)),
        ("H", (65535, 13107), (1, 0.2)),
        ("b", (127, -128), (1, -1)),
        ("h", (32767, -32768), (1, -1)),
    ],
)
def test_normalised_integers_are_divided(read, code, numbers, wanted):
    scene = Scene()
    uv = scene.array(code, [numbers] * 3, stride=4, normalized=True)
    scene.primitive(scene.array("f", CORNERS[:3]), uv=uv)
    np.testing.assert_allclose(read(scene).uv[0], [wanted[0], 1 - wanted[1]], atol=1e-15)


def test_plain_integers_are_positions(read):
    scene = Scene()
    scene.primitive(scene.array("h", [(0, 0, 0), (300, 0, -300), (0, 1, 0)], stride=8))
    required = ["KHR_mesh_quantization", "KHR_materials_unlit"]
    assert read(scene, extensionsRequired=required).vertices[1].tolist() == [300, 0, -300]


def test_nodes_move_turn_and_scale_their_meshes(read):
    """Two places of one mesh, the second mirrored: against matrices multiplied in NumPy."""
    half = math.sqrt(0.5)
    turn = {"rotation": [0, 0, 2 * half, 2 * half], "translation": [1, 2, 3], "scale": [1, 2, 3]}
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[:3, 3] = 5, 6, 7
    nodes = [
        {"children": [1, 2], "name": "root", "translation": [0.5, 0, 0]},
        {"mesh": 0, **turn},
        {"mesh": 0, "matrix": mirror.T.flatten().tolist()},
    ]
    mesh = read(square(), nodes=nodes)
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    corners = np.array(CORNERS)
    first = (quarter @ np.diag([1, 2, 3]) @ corners.T).T + np.array([1.5, 2, 3])
    second = corners * [-1, 1, 1] + np.array([5.5, 6, 7])
    np.testing.assert_allclose(mesh.vertices, np.concatenate([first, second]), atol=1e-15)
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [6, 5, 4], [7, 6, 4]]
    assert mesh.face_uv.tolist() == mesh.faces.tolist()
    # What faced along z still does, as the mirror turns the winding, too.
    p = mesh.vertices[mesh.faces]
    assert (np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])[:, 2] > 0).all()


def test_targets_are_displacements_by_name(read):
    scene = Scene()
    moves = [(0.0, 0.0, 1.0), (0.0, 2.0, 0.0), (0.5, 0.0, 0.0)]
    dense = scene.array("f", moves)
    sparse = scene.accessor("f", CORNERS[:3])
    places, values = scene.view(struct.pack("<2H", 0, 2)), scene.view(struct.pack("<6f", *range(6)))
    scene.tree["accessors"][sparse]["sparse"] = {
        "count": 2,
        "indices": {"bufferView": places, "componentType": 5123},
        "values": {"bufferView": values},
    }
    zero = scene.accessor("f", CORNERS[:3])
    targets = [{"POSITION": number} for number in (dense, sparse, zero)] + [{"NORMAL": dense}]
    scene.primitive(scene.array("f", CORNERS[:3]), targets=targets)
    names = ["smile", "jawOpen", "still", "none"]
    scene.tree["meshes"][0] |= {"extras": {"targetNames": names}, "weights": [1, 0, 0, 0]}
    nodes = [{"mesh": 0, "scale": [2, 1, 1], "translation": [7, 8, 9]}]
    mesh = read(scene, nodes=nodes)
    assert [*mesh.targets] == ["smile", "jawOpen", "still", "none"]
    assert mesh.targets["smile"].tolist() == [[0, 0, 1], [0, 2, 0], [1, 0, 0]]
    assert mesh.targets["jawOpen"].tolist() == [[0, 1, 2], [0, 0, 0], [6, 4, 5]]
    assert not mesh.targets["still"].any() and not mesh.targets["none"].any()
    assert mesh.vertices.tolist() == [[7, 8, 9], [9, 8, 9], [9, 9, 9.5]]


def test_sparse_rows_replace_others(read):
    scene = Scene()
    position = scene.array("f", CORNERS)
    places, values = scene.view(bytes([3])), scene.view(struct.pack("<3f", 7, 8, 9))
    scene.tree["accessors"][position]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": places, "componentType": 5121},
        "values": {"bufferView": values},
    }
    scene.primitive(position, indices=scene.array("H", [(i,) for i in FACES]))
    assert read(scene).vertices.tolist() == [*map(list, CORNERS[:3]), [7, 8, 9]]


def test_targets_of_several_meshes_are_joined_by_name(read):
    scene = Scene()
    scene.tree["meshes"].append({"primitives": [], "name": "teeth"})
    scene.tree["meshes"][0]["name"] = "skin"
    for mesh, names, size in ((0, ["a", "b"], 1.0), (1, ["b", "c"], 2.0)):
        moves = scene.array("f", [(size, 0.0, 0.0)] * 3), scene.array("f", [(0.0, size, 0.0)] * 3)
        targets = [{"POSITION": move} for move in moves]
        scene.primitive(scene.array("f", CORNERS[:3]), mesh=mesh, targets=targets)
        scene.tree["meshes"][mesh]["extras"] = {"targetNames": names}
    mesh = read(scene, nodes=[{"mesh": 0}, {"mesh": 1}], scenes=[{"nodes": [0, 1]}])
    assert {name: moves[[0, 3], :2].tolist() for name, moves in mesh.targets.items()} == {
        "a": [[1, 0], [0, 0]],
        "b": [[0, 1], [2, 0]],
        "c": [[0, 0], [0, 2]],
    }
    assert mesh.group_names == ("skin", "teeth") and mesh.groups.tolist() == [0, 1]


def test_targets_without_names_are_numbered(read):
    scene = Scene()
    targets = [{"POSITION": scene.array("f", CORNERS[:3])}] * 2
    scene.primitive(scene.array("f", CORNERS[:3]), targets=targets)
    assert [*read(scene).targets] == ["target 0", "target 1"]


def test_primitives_without_targets_do_not_move(read):
    """As a head and its teeth in one mesh."""
    scene = Scene()
    rows = [(1.0, 2.0, 3.0)] * 3
    teeth = scene.array("f", CORNERS[1:])
    scene.primitive(teeth)
    scene.primitive(scene.array("f", CORNERS[:3]), targets=[{"POSITION": scene.array("f", rows)}])
    scene.primitive(teeth)
    for extras, name in (({"targetNames": ["smile"]}, "smile"), ({}, "target 0")):
        scene.tree["meshes"][0]["extras"] = extras
        mesh = read(scene)
        assert [*mesh.targets] == [name] and len(mesh.faces) == 3
        moves = mesh.targets[name][mesh.faces]
        assert moves[1].tolist() == [[1, 2, 3]] * 3 and not moves[[0, 2]].any()


@pytest.mark.parametrize(
    "titles, names",
    [
        (["skin", "teeth", "lid"], ["skin/target 0", "teeth/target 0"]),
        (["skin", "skin", "lid"], ["meshes[0]/target 0", "meshes[1]/target 0"]),
        (["", "teeth", "lid"], ["meshes[0]/target 0", "teeth/target 0"]),
    ],
)
def test_targets_without_names_of_several_meshes_are_not_joined(read, titles, names):
    """A mesh that is shown twice has its targets twice, and named ones stay as they are."""
    scene = Scene()
    scene.tree["meshes"] = [{"primitives": [], "name": title} for title in titles]
    for mesh in range(3):
        moves = [{"POSITION": scene.array("f", [(mesh + 1.0, 0.0, 0.0)] * 3)}]
        scene.primitive(scene.array("f", CORNERS[:3]), mesh=mesh, targets=moves)
    scene.tree["meshes"][2]["extras"] = {"targetNames": ["blink"]}
    nodes = [{"mesh": i, "translation": [7 * k, 0, 0]} for k, i in enumerate((0, 1, 2, 0))]
    mesh = read(scene, nodes=nodes, scenes=[{"nodes": [0, 1, 2, 3]}])
    assert {name: moves[mesh.faces[:, 0], 0].tolist() for name, moves in mesh.targets.items()} == {
        names[0]: [1, 0, 0, 1],
        names[1]: [0, 2, 0, 0],
        "blink": [0, 0, 3, 0],
    }


def test_primitives_may_have_targets_of_their_own_names(read):
    scene = Scene()
    for names in (["a", "b"], ["b"]):
        moves = [scene.array("f", [(i + 1.0, 0.0, 0.0)] * 3) for i in range(len(names))]
        targets = [{"POSITION": number} for number in moves]
        position = scene.array("f", [(*corner[:2], float(len(names))) for corner in CORNERS[:3]])
        scene.primitive(position, targets=targets, extras={"targetNames": names})
    mesh = read(scene)
    assert {name: moves[mesh.faces[:, 0], 0].tolist() for name, moves in mesh.targets.items()} == {
        "a": [1, 0],
        "b": [2, 1],
    }


def test_default_weights_are_not_applied_and_hidden_nodes_are_read(read):
    scene = Scene()
    targets = [{"POSITION": scene.array("f", [(5.0, 5.0, 5.0)] * 3)}]
    scene.primitive(scene.array("f", CORNERS[:3]), targets=targets)
    scene.tree["meshes"][0]["weights"] = [1]
    hidden = {"KHR_node_visibility": {"visible": False}}
    mesh = read(scene, nodes=[{"mesh": 0, "weights": [1], "extensions": hidden}])
    assert mesh.vertices.tolist() == [*map(list, CORNERS[:3])]


def test_targets_may_be_named_in_the_primitive(read):
    scene = Scene()
    targets = [{"POSITION": scene.array("f", CORNERS[:3])}]
    scene.primitive(scene.array("f", CORNERS[:3]), targets=targets, extras={"targetNames": ["a"]})
    scene.tree["meshes"][0]["extras"] = "made by hand"
    assert [*read(scene).targets] == ["a"]


def test_primitives_that_share_vertices_share_them(read):
    scene = square(material=0)
    indices = scene.array("I", [(i,) for i in (0, 1, 3)])
    scene.primitive(0, uv=1, indices=indices, material=1)
    scene.primitive(0, uv=1, indices=indices, mode=1)  # lines
    names = [{"name": "skin"}, {"name": "lid"}]
    mesh = read(scene, materials=names, nodes=[{"mesh": 0, "name": "head"}])
    assert len(mesh.vertices) == 4 and mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 3]]
    assert mesh.group_names == ("head/skin", "head/lid") and mesh.groups.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "mode, faces",
    [
        (5, [[0, 1, 2], [1, 3, 2], [3, 4, 5], [4, 0, 5]]),
        (6, [[0, 1, 2], [0, 2, 3], [0, 3, 3], [0, 3, 4], [0, 4, 5], [0, 5, 0]]),
    ],
)
def test_strips_and_fans_are_cut(read, mode, faces):
    """The third triangle of this strip would be 2, 3, 3: it has no area, and is left out."""
    scene = Scene()
    position = scene.array("f", [*CORNERS, (2.0, 2.0, 2.0), (3.0, 3.0, 3.0)])
    corners = [(i,) for i in (0, 1, 2, 3, 3, 4, 5, 0)]
    scene.primitive(position, indices=scene.array("B", corners), mode=mode)
    assert read(scene).faces.tolist() == faces
    short = Scene()
    position = short.array("f", CORNERS)
    short.primitive(position, indices=short.array("B", [(0,)]), mode=mode)
    short.primitive(position, indices=short.array("B", [(0,), (1,), (2,)]))
    assert read(short).faces.tolist() == [[0, 1, 2]]


def test_only_the_default_scene_is_read(read):
    scene = square()
    nodes = [{"mesh": 0, "translation": [10 * i, 0, 0]} for i in range(3)]
    scenes = [{"nodes": [0]}, {"nodes": [2, 1]}]
    assert read(scene, nodes=nodes, scenes=scenes, scene=1).vertices[[0, 4], 0].tolist() == [20, 10]
    tree = scene.tree
    del tree["scene"], tree["scenes"]
    nodes[0]["children"] = [2]
    assert read(scene, nodes=nodes).vertices[::4, 0].tolist() == [0, 20, 10]


COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [128, 128, 128]]], np.uint8)


def encode(image):
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def textured(**more):
    """The square with an image in the file, and a material that uses it."""
    scene = square(material=0)
    view = scene.view(encode(COLOURS))
    scene.tree |= {
        "images": [{"bufferView": view, "mimeType": "image/png"}],
        "textures": [{"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, **more}}],
    }
    return scene


def test_the_image_of_the_base_colour_is_the_texture(read, tmp_path):
    mesh = read(textured())
    assert mesh.texture.dtype == np.uint8 and (mesh.texture == COLOURS).all()
    assert mesh.uv.tolist() == [[0, 0], [1, 0], [1, 1], [0, 0.75]]
    text = base64.b64encode(encode(COLOURS)).decode()
    assert (
        read(textured(), images=[{"uri": f"data:image/png;base64,{text}"}]).texture == COLOURS
    ).all()
    (tmp_path / "a b.png").write_bytes(encode(COLOURS))
    assert (read(textured(), images=[{"uri": "a%20b.png"}]).texture == COLOURS).all()


def test_a_colour_multiplies_the_light_of_its_image(read):
    """In the light of IEC 61966-2-1: half of the light of 128 is 92.2, a quarter 65.7, and of 255
    half is 187.5."""
    mesh = read(textured(baseColorFactor=[0.5, 1, 0.25, 0.3]))
    assert mesh.texture[0].tolist() == [[188, 0, 0], [0, 255, 0]]
    assert mesh.texture[1, 1].tolist() == [92, 128, 66]


def test_another_set_of_coordinates_may_be_moved(read):
    """By offset, then rotation, then scale, of which the last is applied first."""
    moved = {"offset": [0.5, 0.25], "rotation": math.pi / 2, "scale": [2, 3], "texCoord": 2}
    info = {"index": 0, "texCoord": 1, "extensions": {"KHR_texture_transform": moved}}
    scene = textured(baseColorTexture=info)
    attributes = scene.tree["meshes"][0]["primitives"][0]["attributes"]
    attributes["TEXCOORD_2"] = attributes.pop("TEXCOORD_0")
    # A quarter turn takes u to -v, as v points down: (u, v) to (0.5 + 3 v, 0.25 - 2 u).
    wanted = [[0.5 + 3 * v, 1 - (0.25 - 2 * u)] for u, v in COORDINATES]
    np.testing.assert_allclose(read(scene).uv, wanted, atol=1e-12)


def test_several_materials_become_one_texture(read):
    scene = textured()
    scene.primitive(0, uv=1, indices=2, material=1)
    scene.primitive(0, uv=1, indices=2)
    scene.primitive(0, indices=2, material=2)
    grey = {"baseColorFactor": [0.25, 0.5, 1, 1]}
    materials = [*scene.tree["materials"], {"pbrMetallicRoughness": grey}, {}]
    mesh = read(scene, materials=materials)
    height, width, _ = mesh.texture.shape
    middle = mesh.uv[mesh.face_uv].mean(axis=1) * [width, -height] + [0, height]
    columns, rows = np.floor(middle).astype(int).T
    colours = mesh.texture[rows, columns]
    # The middles of the triangles, (2/3, 1/3) and (1/3, 7/12) from the bottom left.
    assert colours[:2].tolist() == [[128, 128, 128], [255, 0, 0]]
    assert colours[2:4].tolist() == [[137, 188, 255]] * 2 and (colours[4:] == 255).all()


def test_one_image_of_several_materials_stays_as_it_is(read):
    scene = textured()
    scene.primitive(0, uv=1, indices=2, material=1)
    mesh = read(scene, materials=scene.tree["materials"] * 2)
    assert (mesh.texture == COLOURS).all() and len(mesh.uv) == 4


@pytest.mark.parametrize(
    "key, value, said",
    [
        ("extensionsRequired", ["KHR_draco_mesh_compression"], "Draco compression"),
        ("extensionsRequired", ["EXT_meshopt_compression"], "meshopt compression"),
        ("extensionsRequired", ["ACME_other"], "an extension that is not supported: ACME_other"),
        ("extensionsRequired", "ACME_other", "a list in extensionsRequired"),
        ("nodes", [{"mesh": 0, "skin": 0}], "a mesh without a skin in nodes[0], found a skin"),
        ("nodes", [{"mesh": 1}], "the number of one of 1 meshes in nodes[0], found 1"),
        ("nodes", [{"mesh": 0, "extensions": {"EXT_mesh_gpu_instancing": {}}}], "instancing"),
        ("nodes", [{"children": [0]}], "a tree of nodes in nodes[0]"),
        ("nodes", [{"mesh": 0, "rotation": [0, 0, 0, 0]}], "a quaternion in nodes[0].rotation"),
        ("nodes", [{"mesh": 0, "matrix": [1] * 16}], "the last row 0, 0, 0, 1"),
        ("nodes", [{"mesh": 0, "scale": [1, 2]}], "nodes[0].scale as numbers [3]"),
        ("nodes", [{"mesh": 0, "scale": [1, 2, math.nan]}], "nodes[0].scale"),
        ("nodes", [{"mesh": 1.5}], "a whole number, not negative, in nodes[0].mesh"),
        ("nodes", [{"mesh": True}], "a whole number, not negative, in nodes[0].mesh"),
        ("nodes", [3], "an object in nodes[0]"),
        ("nodes", [{}], "triangles in the scene, found none"),
        ("scene", 4, "the number of one of 1 scenes"),
        ("meshes", [{"primitives": [{}]}], "a whole number, not negative, in meshes[0].primitives"),
        ("bufferViews", [], "the number of one of 0 bufferViews"),
        ("buffers", [], "one of 0 buffers in bufferViews[0].buffer"),
        ("buffers", [{"byteLength": 1e6}], "at most 104 in buffers[0].byteLength, found 1000000"),
        ("buffers", [{"byteLength": 3, "uri": "a.bin"}], "the bytes in the .glb itself"),
        ("buffers", [{"byteLength": 3, "uri": "data:;base64,A*"}], "bytes in base64"),
    ],
)
def test_what_is_not_supported_or_not_there_is_named(refused, key, value, said):
    assert said in refused(square(), **{key: value})


@pytest.mark.parametrize(
    "number, change, said",
    [
        (0, {"type": "VEC2"}, "VEC3 in accessors[0].type"),
        (0, {"componentType": 5124}, "one of [5120, 5121, 5122, 5123, 5125, 5126]"),
        (0, {"count": 10**9}, "bytes for 1000000000 rows of 12 bytes, 12 apart"),
        (0, {"byteOffset": 8}, "56 bytes for 4 rows of 12 bytes"),
        (0, {"bufferView": 9}, "the number of one of 3 bufferViews in accessors[0], found 9"),
        (1, {"count": 3}, "4 in accessors[1].count, found 3"),
        (1, {"normalized": 1}, "true or false in accessors[1].normalized"),
        (2, {"componentType": 5126}, "unsigned integers in accessors[2].componentType"),
        (2, {"count": 5}, "three for each triangle"),
        (0, {"count": 3}, "those of 3 vertices in meshes[0].primitives[0].indices, found 3"),
    ],
)
def test_an_accessor_that_does_not_fit_is_named(refused, number, change, said):
    scene = square()
    scene.tree["accessors"][number] |= change
    if number == 0 and change == {"count": 3}:
        scene.tree["accessors"][1] |= change
    assert said in refused(scene)


def test_compressed_bytes_are_named_where_the_extension_is_not_required(refused):
    scene = square()
    scene.tree["bufferViews"][0]["extensions"] = {"EXT_meshopt_compression": {}}
    assert "meshopt compression (EXT_meshopt_compression)" in refused(scene)
    scene = square()
    del scene.tree["accessors"][0]["bufferView"]
    assert "a bufferView with the numbers in accessors[0], found none; the mesh may" in refused(
        scene
    )
    scene = square()
    scene.tree["meshes"][0]["primitives"][0]["mode"] = 7
    assert "triangles, a strip or a fan" in refused(scene)


def test_targets_that_do_not_fit_are_named(refused):
    scene = Scene()
    moves = scene.array("f", CORNERS[:3])
    scene.primitive(scene.array("f", CORNERS[:3]), targets=[{"POSITION": moves}])
    scene.tree["meshes"][0]["extras"] = {"targetNames": ["a", "b"]}
    assert "1 different names in meshes[0].extras.targetNames, found a, b" in refused(scene)
    scene.tree["meshes"][0]["extras"] = {"targetNames": [1]}
    assert "a list of texts in meshes[0].extras.targetNames" in refused(scene)
    del scene.tree["meshes"][0]["extras"]
    scene.primitive(0, targets=[{"POSITION": moves}] * 2)
    said = refused(scene)
    assert "equally many targets in all primitives, or their names, in meshes[0], found [1" in said


def test_a_sparse_accessor_that_does_not_fit_is_named(refused):
    scene = Scene()
    position = scene.array("f", CORNERS)
    places, values = scene.view(bytes([9])), scene.view(struct.pack("<3f", 7, 8, 9))
    sparse = {
        "count": 1,
        "indices": {"bufferView": places, "componentType": 5121},
        "values": {"bufferView": values},
    }
    scene.tree["accessors"][position]["sparse"] = sparse
    scene.primitive(position)
    assert "rows of 4 in accessors[0].sparse.indices, found 9" in refused(scene)
    sparse["count"] = 10**9
    assert "at most 4 in accessors[0].sparse.count" in refused(scene)
    sparse["count"] = 2
    assert "2 bytes for 2 rows of 1 bytes, 1 apart in accessors[0].sparse.indices" in refused(scene)


@pytest.mark.parametrize(
    "key, value, said",
    [
        ("images", [{"uri": "gone.png"}], "the texture 'gone.png' beside it, found no such file"),
        ("images", [{"bufferView": 0}], "a complete image"),
        ("images", [], "the number of one of 0 images"),
        ("textures", [{"extensions": {"KHR_texture_basisu": {}}}], "extensions KHR_texture_basisu"),
        ("materials", [], "the number of one of 0 materials"),
    ],
)
def test_a_texture_that_cannot_be_read_is_named(refused, key, value, said):
    assert said in refused(textured(), **{key: value})


def test_textures_that_repeat_cannot_be_joined(refused):
    scene = textured()
    wide = scene.array("f", [(0.0, 0.0), (2.5, 0.0), (0.0, 1.0), (1.0, 1.0)])
    scene.primitive(0, uv=wide, indices=2, material=0)
    scene.primitive(0, uv=1, indices=2)
    assert "texture coordinates within one repetition" in refused(scene)


def whole():
    return square().pack()


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "a .glb, which begins with b'glTF'"),
        (b"glTF" + bytes(4), "a .glb, which begins with"),
        (whole()[:4] + struct.pack("<I", 1) + whole()[8:], "glTF of version 2, found version 1"),
        (whole()[:-1], f"a .glb of {len(whole()):,} bytes, found {len(whole()) - 1:,}"),
        (whole() + b"\0", f"a .glb of {len(whole()):,} bytes"),
        (struct.pack("<4sII", b"glTF", 2, 12), "a chunk of JSON first, found none"),
        (struct.pack("<4sIII4s", b"glTF", 2, 20, 0, b"BIN\0"), "a chunk of JSON first"),
        (
            struct.pack("<4sIII4s", b"glTF", 2, 20, 8, b"JSON"),
            "complete chunks, found 0 of 8 bytes",
        ),
        (pack(b"{]", b""), "a.glb: expected JSON"),
        (pack(b"[]", b""), "an object in the JSON"),
        (pack(b'{"asset": 1, "asset": 2}', b""), "every key once"),
        (pack(json.dumps({"asset": {"version": "2.0"}}).encode(), b""), "triangles in the scene"),
    ],
)
def test_a_file_that_is_none_is_named(refused, content, said):
    assert said in refused(content)
