"""Meshes in .ply against bytes packed by hand."""

import struct

import cv2
import numpy as np
import pytest

from sf3d_jax import data

CORNERS = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 0.5), (0.0, 1.0, 0.0)]
ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": None}


def ply(form, *elements, remarks=""):
    """A file of elements: name, properties by their types, rows of numbers and lists."""
    header, body = f"ply\nformat {form} 1.0\n{remarks}", b""
    for name, kinds, rows in elements:
        header += f"element {name} {len(rows)}\n"
        header += "".join(f"property {kind} {key}\n" for key, kind in kinds.items())
        for row in rows:
            body += pack(form, list(kinds.values()), row)
    return f"{header}end_header\n".encode() + body


CODES = {"float": "f", "double": "d", "uchar": "B", "char": "b", "int": "i", "uint": "I"}
CODES |= {"ushort": "H", "short": "h"}


def pack(form, kinds, row):
    words, data, order = [], b"", ORDERS[form]
    for kind, value in zip(kinds, row, strict=True):
        is_list = kind.startswith("list")
        numbers = value if is_list else [value]
        words += [str(len(numbers))] * is_list + [*map(repr, numbers)]
        codes = [CODES[word] for word in kind.split() if word != "list"]
        if is_list:
            data += struct.pack(order + codes[0], len(numbers)) if order else b""
        data += struct.pack(order + codes[-1] * len(numbers), *numbers) if order else b""
    return " ".join(words).encode() + b"\n" if form == "ascii" else data


def vertices(**more):
    rows = [(*corner, *extra) for corner, *extra in zip(CORNERS, *more.values(), strict=True)]
    return "vertex", {**dict.fromkeys("xyz", "float"), **dict.fromkeys(more, "float")}, rows


def faces(*rows, kind="list uchar int", name="vertex_indices", **more):
    kinds = {name: kind} | {key: values[0] for key, values in more.items()}
    extra = [values[1] for values in more.values()]
    return "face", kinds, [(row, *others) for row, *others in zip(rows, *extra, strict=True)]


@pytest.fixture
def read(tmp_path):
    def read(content):
        (tmp_path / "a.ply").write_bytes(content)
        return data.read_mesh(tmp_path / "a.ply")

    return read


@pytest.mark.parametrize("form", ORDERS)
@pytest.mark.parametrize("kind", ["list uchar int", "list int uint", "list uchar ushort"])
def test_polygons_become_fans(read, form, kind):
    mesh = read(ply(form, vertices(), faces([0, 1, 2, 3], [3, 1, 0], kind=kind)))
    assert mesh.vertices.tolist() == [list(corner) for corner in CORNERS]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [3, 1, 0]]
    assert mesh.vertices.dtype == np.float64 and mesh.faces.dtype == np.int32
    assert mesh.uv is None and mesh.face_uv is None and mesh.targets == {}


@pytest.mark.parametrize("form", ORDERS)
def test_elements_may_have_any_order_and_other_properties(read, form):
    kinds = {"quality": "double", "z": "double", "y": "float", "x": "short", "flags": "uchar"}
    rows = [(0.5, z, y, int(x), 7) for x, y, z in CORNERS]
    other = "edge", {"a": "int", "b": "list uchar short"}, [(1, [2, 3]), (4, [])]
    triangles = faces([0, 1, 2], [1, 2, 3], name="vertex_index", flags=("int", [5, 6]))
    for elements in (
        [("vertex", kinds, rows), other, triangles],
        [triangles, ("vertex", kinds, rows)],
    ):
        mesh = read(ply(form, *elements))
        assert mesh.vertices.tolist() == [list(corner) for corner in CORNERS]
        assert mesh.faces.tolist() == [[0, 1, 2], [1, 2, 3]]


@pytest.mark.parametrize("names", ["s t", "u v", "texture_u texture_v"])
def test_vertices_may_have_texture_coordinates(read, names):
    u, v = names.split()
    mesh = read(ply("ascii", vertices(**{u: [0, 0.5, 1, 0], v: [0, 0, 1, 0.25]}), faces([1, 2, 3])))
    assert mesh.uv.tolist() == [[0, 0], [0.5, 0], [1, 1], [0, 0.25]]
    assert mesh.face_uv.tolist() == [[1, 2, 3]] and mesh.texture is None


@pytest.mark.parametrize("form", ORDERS)
def test_corners_may_have_texture_coordinates_and_files_textures(read, form, tmp_path):
    """As MeshLab writes them."""
    colours = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)
    cv2.imwrite(str(tmp_path / "skin one.png"), colours[..., ::-1])
    wedges = [0.0, 0, 0.5, 0, 0.5, 1, 0, 0.25], []
    more = {"texcoord": ("list uchar float", wedges)}
    content = ply(form, vertices(), faces([0, 1, 2, 3], [0, 1, 3], **more), remarks=TEXTURE)
    mesh = read(content)
    wanted = np.array(wedges[0]).reshape(4, 2)
    np.testing.assert_array_equal(mesh.uv[mesh.face_uv[:2]], wanted[[[0, 1, 2], [0, 2, 3]]])
    assert not mesh.uv[mesh.face_uv[2]].any() and (mesh.texture == colours).all()


TEXTURE = "comment made by hand\ncomment TextureFile skin one.png\n"


def test_several_textures_are_told_by_their_numbers(read, tmp_path):
    for name, colour in (("1.png", 100), ("2.png", 200)):
        cv2.imwrite(str(tmp_path / name), np.full((2, 2, 3), colour, np.uint8))
    more = {
        "texcoord": ("list uchar float", [[0.1, 0.1, 0.6, 0.2, 0.5, 0.9]] * 2),
        "texnumber": ("int", [1, 0]),
    }
    remarks = "comment TextureFile 1.png\ncomment TextureFile 2.png\n"
    mesh = read(ply("ascii", vertices(), faces([0, 1, 2], [0, 2, 3], **more), remarks=remarks))
    height, width, _ = mesh.texture.shape
    columns, rows = (mesh.uv[mesh.face_uv] * [width, -height] + [0, height]).astype(int).T
    assert mesh.texture[rows, columns, 0].T.tolist() == [[200] * 3, [100] * 3]
    more["texnumber"] = "int", [2, 0]
    with pytest.raises(data.FormatError, match="numbers from -1 to 1 in texnumber, found 0 to 2"):
        read(ply("ascii", vertices(), faces([0, 1, 2], [0, 2, 3], **more), remarks=remarks))


@pytest.mark.parametrize("names", [["1.png"], ["1.png", "2.png"]])
def test_a_face_of_number_minus_1_has_no_image(read, tmp_path, names):
    """It is white, as MeshLab shows it."""
    for name in names:
        cv2.imwrite(str(tmp_path / name), np.full((2, 2, 3), 100, np.uint8))
    more = {
        "texcoord": ("list uchar float", [[0.1, 0.1, 0.6, 0.2, 0.5, 0.9]] * 2),
        "texnumber": ("int", [-1, 0]),
    }
    remarks = "".join(f"comment textureFile {name}\n" for name in names)
    mesh = read(ply("ascii", vertices(), faces([0, 1, 2], [0, 2, 3], **more), remarks=remarks))
    height, width, _ = mesh.texture.shape
    columns, rows = (mesh.uv[mesh.face_uv] * [width, -height] + [0, height]).astype(int).T
    assert mesh.texture[rows, columns, 0].T.tolist() == [[255] * 3, [100] * 3]


def test_the_number_of_the_only_image_does_not_matter(read, tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.full((2, 2, 3), 100, np.uint8))
    more = {
        "texcoord": ("list uchar float", [[0.1, 0.1, 0.6, 0.2, 0.5, 0.9]] * 2),
        "texnumber": ("int", [3, 3]),
    }
    content = ply(
        "ascii",
        vertices(),
        faces([0, 1, 2], [0, 2, 3], **more),
        remarks="comment TextureFile 1.png\n",
    )
    assert (read(content).texture == 100).all()


@pytest.mark.parametrize("form", ORDERS)
def test_strips_of_old_scans_are_cut(read, form):
    strips = (
        "tristrips",
        {"vertex_indices": "list int int"},
        [[[0, 1, 2, 3, -1, 3, 1, 0]], [[1, 2, 3]]],
    )
    mesh = read(ply(form, vertices(), strips))
    assert mesh.faces.tolist() == [[0, 1, 2], [1, 3, 2], [3, 1, 0], [1, 2, 3]]


@pytest.mark.parametrize(
    "content, said",
    [
        (b"solid\n", "the line `ply`"),
        (ply("ascii", vertices()), "one element `face`, as a mesh has, found vertex"),
        (ply("ascii", faces([0, 1, 2])), "one element `vertex`, as a mesh has, found face"),
        (ply("ascii", vertices(), faces()), "a mesh of triangles, found no faces"),
        (ply("ascii", vertices(), faces([0, 1])), "three corners or more, found 2 in face 1"),
        (ply("ascii", vertices(), faces([0, 1, 4])), "the 4 vertices of the file, found number 4"),
        (ply("ascii", vertices(), faces([0, 1, -1])), "found number -1"),
        (ply("ascii", vertices(), faces([0, 1, 1.5])), "whole numbers of vertices in the faces"),
        (
            ply("ascii", vertices(), faces([0, 1, 2], name="corners")),
            "vertex_indices or vertex_index",
        ),
        (
            ply("ascii", vertices(), faces([0, 1, 2])).replace(b"float z", b"float w"),
            "no property z",
        ),
        (ply("ascii", vertices(), faces([0, 1, 2])).replace(b"3 0", b"4 0"), "row 1 of face"),
        (ply("ascii", vertices(), faces([0, 1, 2])).replace(b" 0.5", b" nan"), "in the vertices"),
        (ply("binary_little_endian", vertices(), faces([0, 1, 2]))[:-1], "1 rows of face"),
        (ply("binary_little_endian", vertices(), faces([0, 1, 2])) + b"\n", "bytes for 1 faces"),
        (
            ply("ascii", vertices(), faces([0, 1, 2], texcoord=("list uchar float", [[0, 1]]))),
            "u and v of each corner in texcoord",
        ),
        (
            ply("ascii", vertices(s=[0] * 4, t=[0] * 4), faces([0, 1, 2]), remarks=TEXTURE),
            "the texture 'skin one.png' beside it, found no such file",
        ),
    ],
)
def test_what_is_no_mesh_is_named(read, content, said):
    with pytest.raises(data.FormatError) as error:
        read(content)
    assert "a.ply: expected " in str(error.value) and said in str(error.value)


def test_the_bytes_of_a_small_mesh(tmp_path):
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    data.write_mesh(tmp_path / "a.ply", data.Mesh(np.array(CORNERS), triangles))
    plain = ply("binary_little_endian", vertices(), faces(*triangles.tolist()))
    assert (tmp_path / "a.ply").read_bytes() == plain
    uv = np.array([[0, 0], [0.5, 0], [1, 1], [0, 0.25]])
    data.write_mesh(tmp_path / "a.ply", data.Mesh(np.array(CORNERS), triangles, uv, triangles))
    by_vertex = ply(
        "binary_little_endian", vertices(s=uv[:, 0], t=uv[:, 1]), faces(*triangles.tolist())
    )
    assert (tmp_path / "a.ply").read_bytes() == by_vertex
    corners = triangles[:, ::-1]
    data.write_mesh(tmp_path / "a.ply", data.Mesh(np.array(CORNERS), triangles, uv, corners))
    more = {"texcoord": ("list uchar float", uv[corners].reshape(2, 6).tolist())}
    by_corner = ply("binary_little_endian", vertices(), faces(*triangles.tolist(), **more))
    assert (tmp_path / "a.ply").read_bytes() == by_corner


@pytest.mark.parametrize("shared", [False, True])
def test_float32_comes_back(tmp_path, shared):
    rng = np.random.default_rng(0)
    single = lambda *shape: np.float64(np.float32(rng.normal(size=shape)))
    triangles = rng.integers(0, 9, (20, 3))
    face_uv = triangles if shared else rng.integers(0, 9, (20, 3))
    mesh = data.Mesh(single(9, 3), triangles, single(9, 2), face_uv)
    data.write_mesh(tmp_path / "a.ply", mesh)
    found = data.read_mesh(tmp_path / "a.ply")
    np.testing.assert_array_equal(found.vertices, mesh.vertices)
    np.testing.assert_array_equal(found.faces, mesh.faces)
    np.testing.assert_array_equal(found.uv[found.face_uv], mesh.uv[mesh.face_uv])


@pytest.mark.parametrize(
    "part, said",
    [
        (
            {"targets": {"smile": np.zeros((4, 3))}},
            "mesh.targets: a .ply cannot hold them; write .glb",
        ),
        ({"groups": [0], "group_names": ("a",)}, "mesh.groups: a .ply cannot hold them"),
        ({"texture": np.zeros((2, 2, 3), np.uint8)}, "mesh.texture: a .ply cannot hold them"),
    ],
)
def test_what_a_ply_cannot_hold_is_refused(tmp_path, part, said):
    mesh = data.Mesh(
        np.array(CORNERS), np.array([[0, 1, 2]]), np.zeros((1, 2)), np.zeros((1, 3), int)
    )
    with pytest.raises(ValueError, match=said):
        data.write_mesh(tmp_path / "a.ply", mesh._replace(**part))
    assert not [*tmp_path.iterdir()]
