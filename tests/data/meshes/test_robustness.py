"""Whatever a file of a mesh holds, reading gives a whole mesh or an error that names the file."""

import json
import struct

import numpy as np
import pytest
from helpers.damage import Format, check_damaged, refused_with
from helpers.glb_files import Scene, pack

from sf3d_jax import data

RNG = np.random.default_rng(0)
SMALL = data.Mesh(
    RNG.normal(size=(6, 3)),
    RNG.integers(0, 6, (8, 3)),
    RNG.uniform(size=(5, 2)),
    RNG.integers(0, 5, (8, 3)),
)
FULL = SMALL._replace(
    texture=RNG.integers(0, 256, (4, 4, 3), dtype=np.uint8),
    targets={"smile": RNG.normal(size=(6, 3)), "jawOpen": np.eye(6, 3)},
    groups=np.repeat([0, 1], 4),
    group_names=("skin", "lid"),
)
TEXT = b"""ply
format ascii 1.0
element vertex 3
property float x
property float y
property float z
element face 2
property list uchar int vertex_indices
property list uchar float texcoord
end_header
0 0 0
1 0 0
0 1 0
3 0 1 2 6 0 0 1 0 0 1
3 2 1 0 0
"""


def make(mesh):
    return lambda path: data.write_mesh(path, mesh)


def make_mixed(path):
    """A binary .ply whose faces have different lengths, so it is read row by row."""
    content = TEXT.replace(b"ascii", b"binary_little_endian").partition(b"0 0 0\n")[0]
    content += struct.pack("<9f", *range(9)) + struct.pack("<B3iB6f", 3, 0, 1, 2, 6, *range(6))
    path.write_bytes(content + struct.pack("<B3iB", 3, 2, 1, 0, 0))


def make_model(path):
    vertices, joints = 4, 2
    np.savez(
        path,
        v_template=np.zeros((vertices, 3)),
        shapedirs=np.ones((vertices, 3, 2)),
        J_regressor=np.ones((joints, vertices)),
        weights=np.full((vertices, joints), 0.5),
        parents=np.array([-1, 0]),
        f=np.array([[0, 1, 2]]),
    )


def make_sequence(path):
    np.savez(path, vertices=RNG.normal(size=(2, 5, 3)), faces=np.array([[0, 1, 4]]))


def check_mesh(mesh):
    count = len(mesh.vertices)
    assert mesh.vertices.shape == (count, 3) and np.isfinite(mesh.vertices).all()
    assert mesh.faces.shape == (len(mesh.faces), 3) and len(mesh.faces)
    assert 0 <= mesh.faces.min() and mesh.faces.max() < count
    if mesh.uv is not None:
        assert np.isfinite(mesh.uv).all() and mesh.face_uv.shape == mesh.faces.shape
        assert 0 <= mesh.face_uv.min() and mesh.face_uv.max() < len(mesh.uv)
    assert all(
        moves.shape == (count, 3) and np.isfinite(moves).all() for moves in mesh.targets.values()
    )
    if mesh.groups is not None:
        assert mesh.groups.shape == (len(mesh.faces),)
        assert 0 <= mesh.groups.min() and mesh.groups.max() < len(mesh.group_names)


def check_sequence(sequence):
    assert sequence.vertices.ndim == 3 and np.isfinite(sequence.vertices).all()
    assert 0 <= sequence.faces.min() and sequence.faces.max() < sequence.vertices.shape[1]


def check_model(model):
    count, joints = model.weights.shape
    assert model.template.shape == (count, 3) and model.shapes.shape[:2] == (count, 3)
    assert model.regressor.shape == (joints, count) and model.parents.shape == (joints,)
    assert 0 <= model.faces.min() and model.faces.max() < count


FORMATS = [
    (Format("mesh.obj", make(SMALL), data.read_mesh), check_mesh),
    (Format("wedges.ply", make(SMALL), data.read_mesh), check_mesh),
    (Format("text.ply", lambda path: path.write_bytes(TEXT), data.read_mesh), check_mesh),
    (Format("mixed.ply", make_mixed, data.read_mesh), check_mesh),
    (Format("mesh.glb", make(FULL), data.read_mesh), check_mesh),
    (Format("model.npz", make_model, data.read_face_model), check_model),
    (Format("sequence.npz", make_sequence, data.read_mesh_sequence), check_sequence),
]


@pytest.mark.parametrize("format, verify", FORMATS, ids=[format.name for format, _ in FORMATS])
def test_a_damaged_file_is_read_or_named(tmp_path, format, verify):
    damage = lambda rng, _, byte: byte ^ rng.integers(1, 256)
    check_damaged(tmp_path / format.name, format, verify, damage)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["mesh.obj", "text.ply", "mesh.glb"])
def test_other_digits_and_letters_are_read_or_named(tmp_path, name):
    """Bytes that keep the words of a text apart, so that numbers change."""
    format, verify = next(pair for pair in FORMATS if pair[0].name == name)
    text = b'0123456789 -.e/\n[]{},:"fv'
    damage = lambda rng, _, byte: rng.choice([*text]) if byte in text else byte
    check_damaged(tmp_path / name, format, verify, damage)


MANY = 10**9
HEADER = b"ply\nformat FORM 1.0\nelement vertex MANY\nproperty float x\nproperty float y\n"
HEADER += (
    b"property float z\nelement face MANY\nproperty list uchar int vertex_indices\nend_header\n"
)
VERTICES = HEADER.replace(b"MANY", b"3", 1), struct.pack("<9f", *range(9))


def claim(**changed):
    """A .glb in which an accessor claims any number of rows."""
    scene = Scene()
    position = scene.array("f", [(0.0, 0.0, 0.0)] * 3)
    indices = scene.array("B", [(0,), (1,), (2,)])
    scene.primitive(position, indices=indices, targets=[{"POSITION": position}] * 2)
    for number, change in changed.items():
        scene.tree["accessors"][int(number[1:])] |= change
    return scene


def repeat_targets():
    """A .glb with so many targets of no bytes that they would fill any memory."""
    scene = Scene()
    zero = scene.accessor("f", [(0.0,) * 3], count=60000)
    position = scene.array("f", [(0.0, 0.0, 0.0)] * 60000)
    scene.primitive(position, targets=[{"POSITION": zero}] * 5000)
    return scene.pack()


CLAIMS = {
    "vertices.ply": HEADER.replace(b"FORM", b"binary_big_endian") + bytes(4000),
    "faces.ply": b"".join(VERTICES).replace(b"FORM", b"binary_little_endian") + bytes(4000),
    "text.ply": HEADER.replace(b"FORM", b"ascii") + b"0 0 0\n" * 500,
    "lists.ply": b"".join(VERTICES)
    .replace(b"FORM", b"binary_little_endian")
    .replace(b"list uchar", b"list uint")
    + b"\xff\xff\xff\x7f" * 1000,
    "rows.glb": claim(a0={"count": MANY}).pack(),
    "none.glb": claim(a0={"count": MANY, "bufferView": None}).pack(),
    "indices.glb": claim(a1={"count": MANY}).pack(),
    "sparse.glb": claim(a0={"sparse": {"count": MANY, "indices": {}, "values": {}}}).pack(),
    "buffer.glb": claim().pack(buffers=[{"byteLength": MANY}]),
    "chunk.glb": struct.pack("<4sIII4s", b"glTF", 2, 20, MANY, b"JSON"),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_file_that_claims_a_billion_rows_costs_no_memory(tmp_path, name):
    (tmp_path / name).write_bytes(CLAIMS[name].replace(b"MANY", str(MANY).encode()))
    assert refused_with(tmp_path / name, data.read_mesh) < 1e6


def test_targets_without_bytes_cost_no_memory(tmp_path):
    (tmp_path / "a.glb").write_bytes(repeat_targets())
    assert refused_with(tmp_path / "a.glb", data.read_mesh) < 2e7


@pytest.mark.parametrize(
    "read, name", [(data.read_mesh_sequence, "vertices"), (data.read_face_model, "f")]
)
def test_an_array_that_claims_a_billion_rows_costs_no_memory(tmp_path, read, name):
    (make_sequence if name == "vertices" else make_model)(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as archive:
        arrays = dict(archive)
    shape = f"({MANY}, 5, 3)" if name == "vertices" else f"({MANY}, 3)"
    np.savez(tmp_path / "a.npz", **arrays)
    content = (tmp_path / "a.npz").read_bytes()
    old = str(arrays[name].shape).encode()
    assert old in content
    # The header of an array is padded with spaces.
    longer = len(shape) - len(old)
    place = content.index(old, content.index(f"{name}.npy".encode()))
    rest = content[place + len(old) :].replace(b" " * longer, b"", 1)
    (tmp_path / "a.npz").write_bytes(content[:place] + shape.encode() + rest)
    assert refused_with(tmp_path / "a.npz", read) < 1e6


def test_json_nested_too_deeply_is_named(tmp_path):
    (tmp_path / "a.glb").write_bytes(pack(b'{"nodes": ' + b"[" * 100000, b""))
    with pytest.raises(data.FormatError, match="nested too deeply"):
        data.read_mesh(tmp_path / "a.glb")
    chain = [{"children": [i + 1]} for i in range(3000)] + [{"mesh": 0}]
    text = json.dumps(claim().tree | {"nodes": chain, "buffers": [{"byteLength": 39}]})
    (tmp_path / "a.glb").write_bytes(pack(text.encode(), claim().data))
    assert len(data.read_mesh(tmp_path / "a.glb").faces) == 1
