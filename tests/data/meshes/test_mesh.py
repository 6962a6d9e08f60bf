"""The checks of a mesh that is passed by the caller, and how polygons are cut."""

import jax.numpy as jnp
import numpy as np
import pytest

from sf3d_jax import data
from sf3d_jax.data.meshes.mesh import cut_into_fans, cut_strips, join_equal_vertices

VERTICES = np.eye(3)
FACES = np.array([[0, 1, 2]])
MESH = data.Mesh(VERTICES, FACES, np.zeros((2, 2)), np.array([[0, 1, 1]]))


def test_fans_are_those_of_a_loop():
    lengths = np.random.default_rng(0).integers(3, 9, 50)
    begins, wanted = 0, []
    for polygon, length in enumerate(lengths):
        wanted += [(begins, begins + i, begins + i + 1, polygon) for i in range(1, length - 1)]
        begins += length
    places, polygons = cut_into_fans("a", lengths)
    np.testing.assert_array_equal(np.column_stack([places, polygons]), wanted)


def test_strips_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    corners = np.where(rng.uniform(size=300) < 0.1, -1, rng.integers(0, 6, 300))
    wanted = []
    for strip in "".join(f"{corner} " for corner in corners).split("-1"):
        numbers = [*map(int, strip.split())]
        for i in range(len(numbers) - 2):
            a, b, c = numbers[i : i + 3]
            if len({a, b, c}) == 3:
                wanted.append([a, b, c] if i % 2 == 0 else [a, c, b])
    np.testing.assert_array_equal(cut_strips(corners), wanted)
    assert cut_strips(np.array([0, 1])).shape == (0, 3)


def test_equal_vertices_are_joined_if_they_move_equally():
    vertices = np.array([[1.0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [0, -0.0, 0]])
    moves = np.zeros((6, 3))
    moves[4] = 1
    faces = np.array([[0, 1, 3], [2, 5, 3], [4, 1, 3]], np.int32)
    mesh = join_equal_vertices(data.Mesh(vertices, faces, targets={"a": moves}))
    assert mesh.vertices.tolist() == vertices[[0, 1, 3, 4]].tolist()
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 1, 2], [3, 1, 2]] and mesh.faces.dtype == np.int32
    assert mesh.targets["a"].tolist() == moves[[0, 1, 3, 4]].tolist()


@pytest.mark.parametrize(
    "part, error, said",
    [
        ({"vertices": np.zeros((3, 2))}, ValueError, r"mesh.vertices: expected the shape \[N, 3\]"),
        ({"vertices": VERTICES * np.nan}, ValueError, "mesh.vertices: expected finite numbers"),
        ({"vertices": VERTICES * 2e9}, ValueError, r"up to 1e\+09, got 2e\+09"),
        ({"vertices": VERTICES + 1j}, TypeError, "mesh.vertices: expected real numbers"),
        ({"faces": FACES * 1.0}, TypeError, "mesh.faces: expected integers, got float64"),
        ({"faces": FACES + 1}, ValueError, "mesh.faces: expected numbers from 0 to 2, got 1 to 3"),
        ({"faces": FACES - 1}, ValueError, "got -1 to 1"),
        ({"faces": FACES[:, :2]}, ValueError, r"mesh.faces: expected the shape \[N, 3\], got"),
        ({"faces": FACES[:0]}, ValueError, "mesh.faces: expected at least one triangle"),
        ({"uv": None}, ValueError, "mesh: expected uv and face_uv together"),
        ({"face_uv": FACES}, ValueError, "mesh.face_uv: expected numbers from 0 to 1"),
        ({"uv": np.zeros((2, 3))}, ValueError, r"mesh.uv: expected the shape \[N, 2\]"),
        (
            {"face_uv": np.zeros((2, 3), int)},
            ValueError,
            r"mesh.face_uv: expected the shape \[1, 3\]",
        ),
        ({"texture": np.zeros((2, 2, 3))}, TypeError, "mesh.texture: expected uint8"),
        (
            {"texture": np.zeros((2, 2), np.uint8)},
            ValueError,
            r"mesh.texture: expected \[h, w, 3\]",
        ),
        (
            {"texture": np.zeros((2, 2, 3), np.uint8), "uv": None, "face_uv": None},
            ValueError,
            "mesh: expected uv and face_uv for the texture",
        ),
        (
            {"targets": {"a": np.zeros((2, 3))}},
            ValueError,
            r"mesh.targets\['a'\]: expected the shape",
        ),
        ({"targets": {1: VERTICES}}, TypeError, "mesh.targets: expected texts as names, got 1"),
        ({"group_names": ("a", None)}, TypeError, "mesh.group_names: expected texts as names, got"),
        ({"groups": [0]}, ValueError, "mesh.groups: expected numbers from 0 to -1"),
        ({"groups": [0, 0], "group_names": ("a",)}, ValueError, "mesh.groups: expected the shape"),
        ({"vertices": [[1, 2], [3]]}, ValueError, "mesh.vertices: expected an array, got list"),
    ],
)
@pytest.mark.parametrize("ending", ["obj", "ply", "glb"])
def test_a_wrong_mesh_is_named(tmp_path, ending, part, error, said):
    with pytest.raises(error, match=said):
        data.write_mesh(tmp_path / f"a.{ending}", MESH._replace(**part))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("ending", ["obj", "ply", "glb"])
def test_lists_and_arrays_of_jax_are_written(tmp_path, ending):
    lists = data.Mesh(VERTICES.tolist(), FACES.tolist())
    arrays = data.Mesh(
        jnp.asarray(VERTICES.astype(jnp.bfloat16)), jnp.asarray(FACES.astype(np.uint8))
    )
    for mesh in (lists, arrays):
        data.write_mesh(tmp_path / f"a.{ending}", mesh)
        found = data.read_mesh(tmp_path / f"a.{ending}")
        np.testing.assert_array_equal(found.vertices, VERTICES)
        np.testing.assert_array_equal(found.faces, FACES)


def test_another_ending_and_another_argument_are_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"path: expected an ending of .obj, .ply, .glb, got .*a.stl"
    ):
        data.write_mesh(tmp_path / "a.stl", MESH)
    with pytest.raises(TypeError, match="mesh: expected a Mesh, got ndarray"):
        data.write_mesh(tmp_path / "a.obj", VERTICES)
    with pytest.raises(
        data.FormatError, match=r"a.stl: expected a mesh, .obj or .ply or .glb, found"
    ):
        data.read_mesh(tmp_path / "a.stl")
    with pytest.raises(data.FormatError, match=r"pack it and its files as one .glb"):
        data.read_mesh(tmp_path / "a.gltf")
    with pytest.raises(FileNotFoundError):
        data.read_mesh(tmp_path / "a.OBJ")
    with pytest.raises(FileNotFoundError, match="no folder"):
        data.write_mesh(tmp_path / "none" / "a.glb", MESH)


def test_a_mesh_that_was_read_may_get_targets_of_its_own(tmp_path):
    data.write_mesh(tmp_path / "a.obj", MESH)
    data.read_mesh(tmp_path / "a.obj").targets["smile"] = VERTICES
    assert data.read_mesh(tmp_path / "a.obj").targets == {} == MESH.targets
