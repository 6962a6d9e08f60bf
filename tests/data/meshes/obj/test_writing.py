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
    for name in ("two\nlines", " lid", "a  b"):
        with pytest.raises(ValueError, match=r"mesh.group_names: expected words in a line, got"):
            data.write_mesh(tmp_path / "a.obj", MESH._replace(group_names=("", name)))
    assert not [*tmp_path.iterdir()]
