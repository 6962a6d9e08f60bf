"""What is written as .obj, .mtl and .png."""

import cv2
import numpy as np
import pytest

from sf3d_jax import data

VERTICES = np.array([[0, 1 / 3, -1e-9], [1, 2, 3], [4, 5, 6.5], [1e8, 0, 0]])
UV = np.array([[0.1, 1 / 7], [1, 0], [0.5, 0.5]])
MESH = data.Mesh(
    VERTICES,
    np.array([[0, 1, 2], [3, 2, 1], [0, 2, 3]], np.int32),
    UV,
    np.array([[0, 1, 2], [1, 1, 0], [2, 0, 0]], np.int32),
    groups=np.array([1, 0, 0], np.int32),
    group_names=("", "upper lid", "of no face"),
)


def test_the_lines_of_a_small_mesh(tmp_path):
    data.write_mesh(tmp_path / "a.obj", MESH)
    assert (tmp_path / "a.obj").read_text().splitlines() == [
        "v 0.0 0.3333333333333333 -1e-09",
        "v 1.0 2.0 3.0",
        "v 4.0 5.0 6.5",
        "v 100000000.0 0.0 0.0",
        "vt 0.1 0.14285714285714285",
        "vt 1.0 0.0",
        "vt 0.5 0.5",
        "g upper lid",
        "f 1/1 2/2 3/3",
        "g",
        "f 4/2 3/2 2/1",
        "f 1/3 3/1 4/1",
    ]
    data.write_mesh(tmp_path / "b.obj", data.Mesh(VERTICES, MESH.faces))
    assert (tmp_path / "b.obj").read_text().splitlines()[4:] == ["f 1 2 3", "f 4 3 2", "f 1 3 4"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.obj", "b.obj"]


@pytest.mark.parametrize("textured", [False, True])
def test_all_bits_come_back(tmp_path, textured):
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (3, 5, 3), dtype=np.uint8)
    vertices = rng.normal(size=(9, 3)) * 10.0 ** rng.integers(-12, 8, (9, 1))
    mesh = MESH._replace(
        vertices=vertices, uv=rng.uniform(size=(7, 2)), texture=texture if textured else None
    )
    data.write_mesh(tmp_path / "a b.c.obj", mesh)
    found = data.read_mesh(tmp_path / "a b.c.obj")
    for name in ("vertices", "faces", "uv", "face_uv", "texture"):
        np.testing.assert_array_equal(getattr(found, name), getattr(mesh, name))
    assert [found.group_names[group] for group in found.groups] == ["upper lid", "", ""]
    if textured:
        assert (cv2.imread(str(tmp_path / "a b.c.png"))[..., ::-1] == texture).all()


def test_what_an_obj_cannot_hold_is_refused(tmp_path):
    moved = MESH._replace(targets={"smile": VERTICES})
    with pytest.raises(ValueError, match=r"mesh.targets: a .obj cannot hold them; write .glb"):
        data.write_mesh(tmp_path / "a.obj", moved)
    for name in ("two\nlines", " lid", "a  b", "lid\\"):
        with pytest.raises(
            ValueError, match=r"mesh.group_names: expected words in a line, without a backslash"
        ):
            data.write_mesh(tmp_path / "a.obj", MESH._replace(group_names=("", name)))
    assert not [*tmp_path.iterdir()]


TEXTURED = MESH._replace(texture=np.arange(18, dtype=np.uint8).reshape(2, 3, 3))


@pytest.mark.parametrize("name", [" a", "a\\b", "x.\\", "-x", "a\nb", "a\x85"])
def test_a_name_by_which_the_texture_would_not_be_found_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"path: expected a name in a line without backslashes"):
        data.write_mesh(tmp_path / f"{name}.obj", TEXTURED)
    assert not [*tmp_path.iterdir()]
    data.write_mesh(tmp_path / f"{name}.obj", MESH)
    found = data.read_mesh(tmp_path / f"{name}.obj")
    np.testing.assert_array_equal(found.vertices, VERTICES)


@pytest.mark.parametrize(
    "name", ["a b", "a  b ", "a #1", "#a", "a%20b", ".-", '"x', "größe", "a'b"]
)
def test_the_texture_is_found_by_other_names(tmp_path, name):
    data.write_mesh(tmp_path / f"{name}.obj", TEXTURED)
    found = data.read_mesh(tmp_path / f"{name}.obj")
    np.testing.assert_array_equal(found.texture, TEXTURED.texture)


@pytest.mark.parametrize("name", ["b\\c", "a #1", "-a", '"a"', "#"])
def test_group_names_come_back(tmp_path, name):
    names = (name, "other")
    mesh = MESH._replace(groups=np.array([0, 1, 1], np.int32), group_names=names)
    data.write_mesh(tmp_path / "a.obj", mesh)
    found = data.read_mesh(tmp_path / "a.obj")
    assert found.group_names == names and found.groups.tolist() == [0, 1, 1]
