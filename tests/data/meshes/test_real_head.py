"""A real head, ICT-FaceKit's, written and read as each format."""

import time

import numpy as np
import pytest

from sf3d_jax import data


@pytest.fixture
def head(real):
    """The head with its expressions and three groups."""
    path = real("../models/ict_face.npz")
    if not path.is_file():
        pytest.skip("needs ../shared")
    with np.load(path) as arrays:
        moves = arrays["expressions_micrometres"] * np.float64(1e-6)
        names = arrays["expression_names"].tolist()
        mesh = [arrays[name] for name in ("vertices", "faces", "uv", "face_uv")]
    groups = np.arange(len(mesh[1])) // 20000
    targets = dict(zip(names, moves, strict=True))
    texture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return data.Mesh(*mesh, texture, targets, groups, ("skin", "eyes", "teeth and tongue"))


def check(found, mesh):
    """The corners of all faces, as a format may number vertices and coordinates anew."""
    np.testing.assert_array_equal(found.vertices[found.faces], mesh.vertices[mesh.faces])
    np.testing.assert_allclose(found.uv[found.face_uv], mesh.uv[mesh.face_uv], rtol=0, atol=3e-8)


def test_an_obj_holds_it_and_is_read_within_a_second(head, tmp_path):
    mesh = head._replace(targets={})
    data.write_mesh(tmp_path / "a.obj", mesh)
    begin = time.process_time()
    found = data.read_mesh(tmp_path / "a.obj")
    assert time.process_time() - begin < 1
    check(found, mesh)
    for name in ("vertices", "faces", "uv", "face_uv", "texture", "groups"):
        np.testing.assert_array_equal(getattr(found, name), getattr(mesh, name))
    assert found.group_names == mesh.group_names


def test_a_glb_holds_it_with_its_expressions(head, tmp_path):
    data.write_mesh(tmp_path / "a.glb", head)
    found = data.read_mesh(tmp_path / "a.glb")
    check(found, head)
    # It has 40 vertices that are equal to others, and move with them.
    assert len(found.vertices) == len(head.vertices) - 40
    assert found.group_names == head.group_names and [*found.targets] == [*head.targets]
    for name in ("texture", "groups"):
        np.testing.assert_array_equal(getattr(found, name), getattr(head, name))
    for name, moves in head.targets.items():
        wanted = np.float32(moves)[head.faces]
        np.testing.assert_array_equal(found.targets[name][found.faces], wanted)


def test_a_ply_and_a_sequence_hold_its_shape(head, tmp_path):
    mesh = head._replace(targets={}, texture=None, groups=None)
    data.write_mesh(tmp_path / "0000.ply", mesh)
    found = data.read_mesh(tmp_path / "0000.ply")
    check(found, mesh)
    np.testing.assert_array_equal(found.faces, mesh.faces)
    moved = np.float32(mesh.vertices + head.targets["jawOpen"])
    data.write_mesh(tmp_path / "0001.ply", mesh._replace(vertices=moved))
    sequence = data.read_mesh_sequence(tmp_path)
    np.testing.assert_array_equal(sequence.vertices, [mesh.vertices, moved])
    np.testing.assert_array_equal(sequence.faces, mesh.faces)
