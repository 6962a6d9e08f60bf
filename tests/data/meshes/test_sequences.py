"""Moving meshes in folders and archives."""

import zipfile

import numpy as np
import pytest

from sf3d_jax import data

FACES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
FRAMES = np.float64(np.float32(np.random.default_rng(0).normal(size=(12, 4, 3))))


def write(folder, names, ending="ply", faces=FACES):
    folder.mkdir(exist_ok=True)
    for name, vertices in zip(names, FRAMES, strict=False):
        data.write_mesh(folder / f"{name}.{ending}", data.Mesh(vertices, faces))


@pytest.mark.parametrize("ending", ["obj", "ply", "glb"])
def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path, ending):
    write(tmp_path / "a", [f"frame_{2 * i}" for i in range(12)], ending)
    (tmp_path / "a" / "notes.txt").write_text("taken on Monday")
    (tmp_path / "a" / f".hidden.{ending}").write_text("none")
    vertices, faces = data.read_mesh_sequence(tmp_path / "a")
    np.testing.assert_array_equal(vertices, FRAMES)
    np.testing.assert_array_equal(faces, FACES)
    assert vertices.dtype == np.float64 and faces.dtype == np.int32


def test_names_without_numbers_are_sorted(tmp_path):
    write(tmp_path / "a", ["b", "a"])
    np.testing.assert_array_equal(data.read_mesh_sequence(tmp_path / "a").vertices, FRAMES[[1, 0]])
    write(tmp_path / "b", ["rest"])
    np.testing.assert_array_equal(data.read_mesh_sequence(tmp_path / "b").vertices, FRAMES[:1])


@pytest.mark.parametrize(
    "names",
    [
        [f"smile{i}_mesh" for i in range(1, 13)],
        [f"{i}.lo" for i in range(1, 13)],
        [f"take2_v1.5_frame{10 * i}" for i in range(12)],
        [f"head.{i}" for i in range(12)],
        [f"sentence01.{i:06}" for i in range(12)],
        [f"time_{i / 30:.3f}" for i in range(12)],
        [f"{9 + i / 2:.2f} s" for i in range(12)],
        [f"{10**20 + i}" for i in range(12)],
    ],
)
def test_the_number_that_varies_is_the_order(tmp_path, names):
    write(tmp_path / "a", names)
    np.testing.assert_array_equal(data.read_mesh_sequence(tmp_path / "a").vertices, FRAMES)


@pytest.mark.parametrize(
    "names, odd",
    [
        ([f"frame_{i}" for i in range(1, 11)] + ["template"], "template"),
        (["a1", "a2", "a3", "b4", "b5"], "b4"),
        (["take2", "frame3", "frame4"], "take2"),
        (["head", "head.001", "head.002"], "head"),
        (["take1_1", "take1_2", "take2_3"], "take2_3"),
        (["0.04", "0.1", "1.2"], "1.2"),
    ],
)
def test_a_name_that_is_not_of_the_sequence_is_named(tmp_path, names, odd):
    write(tmp_path / "a", names)
    said = refused(tmp_path / "a")
    assert f"{odd}.ply: expected a name that differs from " in said and " in one number" in said


def test_textures_are_not_read(tmp_path):
    (tmp_path / "1.obj").write_text(
        "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1\n"
    )
    (tmp_path / "a.mtl").write_text("newmtl a\nmap_Kd gone.png\n")
    assert data.read_mesh_sequence(tmp_path).vertices.shape == (1, 3, 3)


def test_vertices_that_a_glb_repeats_are_joined_if_they_stay_together(tmp_path):
    """The square has another texture coordinate for each corner of a triangle."""
    square = data.Mesh(FRAMES[0], FACES, np.eye(6, 2), np.arange(6).reshape(2, 3))
    data.write_mesh(tmp_path / "1.glb", square)
    data.write_mesh(tmp_path / "2.glb", square._replace(vertices=FRAMES[1]))
    sequence = data.read_mesh_sequence(tmp_path)
    np.testing.assert_array_equal(sequence.vertices, FRAMES[:2])
    np.testing.assert_array_equal(sequence.faces, FACES)
    # In this frame, the third and fourth vertex are at one place.
    data.write_mesh(tmp_path / "3.glb", square._replace(vertices=FRAMES[2][[0, 1, 2, 2]]))
    assert data.read_mesh_sequence(tmp_path).vertices.shape == (3, 4, 3)


def test_an_archive_is_read(tmp_path):
    for faces in (FACES, FACES.astype(np.uint64)):
        np.savez(tmp_path / "a.npz", vertices=np.float32(FRAMES), faces=faces)
        sequence = data.read_mesh_sequence(tmp_path / "a.npz")
        np.testing.assert_array_equal(sequence.vertices, FRAMES)
        np.testing.assert_array_equal(sequence.faces, FACES)
        assert sequence.vertices.dtype == np.float64 and sequence.faces.dtype == np.int32


def refused(path):
    with pytest.raises(data.FormatError) as error:
        data.read_mesh_sequence(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_meshes_that_differ_are_named(tmp_path):
    write(tmp_path / "a", ["1", "2", "3"])
    write(tmp_path / "a", ["2"], faces=FACES[::-1])
    said = refused(tmp_path / "a")
    assert "2.ply: expected the 4 vertices and the faces of 1.ply, found 4 vertices" in said
    more = data.Mesh(FRAMES[0].repeat(2, axis=0), FACES)
    data.write_mesh(tmp_path / "a" / "2.ply", more)
    assert "found 8 vertices and 2 faces that differ" in refused(tmp_path / "a")
    (tmp_path / "a" / "2.ply").write_bytes(b"ply\n")
    assert "2.ply: expected a header" in refused(tmp_path / "a")


@pytest.mark.parametrize(
    "names, said",
    [
        ([], "meshes of one kind: .obj, .ply, .glb, found none"),
        (["1", "2", "4"], "frames of the same distance, each once, found frames 2 and 4"),
        (["1", "3", "4"], "found frames 1 and 3 one after the other"),
        (["1", "01", "2"], "found frames 1 and 1 one after the other"),
        (["1.50", "01.50"], "found frames 1.5 and 1.5 one after the other"),
    ],
)
def test_missing_frames_are_named(tmp_path, names, said):
    write(tmp_path / "a", names)
    assert said in refused(tmp_path / "a")


def test_meshes_of_several_kinds_are_named(tmp_path):
    write(tmp_path / "a", ["1"])
    write(tmp_path / "a", ["2"], "obj")
    assert "meshes of one kind: .obj, .ply, .glb, found .obj, .ply" in refused(tmp_path / "a")


@pytest.mark.parametrize(
    "arrays, said",
    [
        ({"vertices": FRAMES}, "the arrays vertices and faces alone, found vertices"),
        ({"vertices": FRAMES, "faces": FACES, "fps": 25.0}, "found vertices, faces, fps"),
        ({"vertices": FRAMES[0], "faces": FACES}, "numbers of 3 axes in vertices, found the shape"),
        ({"vertices": FRAMES[..., :2], "faces": FACES}, "the shape [12, 4, 3] of vertices"),
        ({"vertices": FRAMES[:0], "faces": FACES}, "numbers of 3 axes in vertices"),
        ({"vertices": FRAMES * np.nan, "faces": FACES}, "numbers up to 1e+09 in vertices"),
        ({"vertices": FRAMES, "faces": FACES[:, :2]}, "the shape [2, 3] of faces"),
        ({"vertices": FRAMES, "faces": FACES + 1}, "whole numbers from 0 to 3 in faces, found 4"),
        ({"vertices": FRAMES, "faces": FACES - 1}, "whole numbers from 0 to 3 in faces, found -1"),
        (
            {"vertices": FRAMES, "faces": FACES + 0.5},
            "whole numbers from 0 to 3 in faces, found 0.5",
        ),
        ({"vertices": FRAMES.astype(object), "faces": FACES}, "real numbers in vertices"),
    ],
)
def test_what_is_no_sequence_is_named(tmp_path, arrays, said):
    np.savez(tmp_path / "a.npz", **arrays)
    assert said in refused(tmp_path / "a.npz")


def test_a_missing_or_broken_archive_is_named(tmp_path):
    with pytest.raises(FileNotFoundError):
        data.read_mesh_sequence(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04")
    assert "a damaged archive" in refused(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("vertices.npy", b"none")
        archive.writestr("faces.npy", b"none")
    assert "a .npy file, which begins with" in refused(tmp_path / "a.npz")
