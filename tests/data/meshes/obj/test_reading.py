"""Wavefront .obj against lines written by hand."""

import cv2
import numpy as np
import pytest

from sf3d_jax import data

SQUARE = """v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
"""
COORDINATES = "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"


@pytest.fixture
def read(tmp_path):
    """Reads text as an .obj."""

    def read(text):
        (tmp_path / "a.obj").write_bytes(text if isinstance(text, bytes) else text.encode())
        return data.read_mesh(tmp_path / "a.obj")

    return read


def test_vertices_coordinates_and_faces_are_those_of_the_lines(read):
    mesh = read(SQUARE + "vt .25 -1e-1\nvt 1 0\nvt 1 1 0\nvn 0 0 1\nf 1/2/1 2/1/1 3/3/1\nf 1 3 4\n")
    assert mesh.vertices.dtype == mesh.uv.dtype == np.float64
    assert mesh.faces.dtype == mesh.face_uv.dtype == np.int32
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert mesh.uv[:3].tolist() == [[0.25, -0.1], [1, 0], [1, 1]]
    # The second face has no coordinates, which counts as (0, 0).
    assert mesh.face_uv[0].tolist() == [1, 0, 2] and not mesh.uv[mesh.face_uv[1]].any()
    assert mesh.texture is None and mesh.groups is None and mesh.targets == {}


def test_a_polygon_is_a_fan_about_its_first_corner(read):
    mesh = read(
        SQUARE + "v 2 2 0\n" + COORDINATES + "vt .5 .5\nf 5/1 1/2 2/3 3/4 4/5\nf 1//1 2//1 3//1\n"
    )
    assert mesh.faces.tolist() == [[4, 0, 1], [4, 1, 2], [4, 2, 3], [0, 1, 2]]
    assert mesh.face_uv[:3].tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]


def test_negative_numbers_count_from_the_last_line_before_the_face(read):
    mesh = read("v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 1 1\nf -3/-1 -2/-1 -1/-1\nv 5 5 5\nf -4 -2 -1\n")
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert mesh.face_uv[0].tolist() == [0, 0, 0]


def test_weights_and_colours_of_vertices_are_passed_over(read):
    text = "v 1 2 3 1.0\nv 4 5 6 .1 .2 .3\nv 7 8 9 .1 .2 .3 1\nvt .5\nf 1/1 2/1 3/1\n"
    mesh = read(text)
    assert mesh.vertices.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert mesh.uv.tolist() == [[0.5, 0]]


def test_coordinates_that_no_face_uses_may_be_no_numbers(read):
    mesh = read(SQUARE + "vt nan nan\nvt .5 1\nvt -nan(ind) -INF 0\nvt .25\nf 1/2 2/-1 3/2\n")
    assert mesh.uv[mesh.face_uv].tolist() == [[[0.5, 1], [0.25, 0], [0.5, 1]]]
    with pytest.raises(data.FormatError, match="1, 2, 3 numbers in line 1 of vt, found b'nan 0'"):
        read(SQUARE + "vt nan 0\nvt 1 1\nf 1/2 2/2 3/1\n")
    with pytest.raises(data.FormatError, match="1, 2, 3 numbers in line 1 of vt, found b'x 0'"):
        read(SQUARE + "vt x 0\nvt 1 1\nf 1/2 2/2 3/2\n")


def test_old_keywords_and_marks_are_read(read):
    text = SQUARE.replace("v 1 1 0", "v 1 1 0 .1 .2 .3 1 1") + "fo 1 2 3\nf 1 3 4"
    for end in ("\n\x1a", "\x1a", "\r\n\x1a\r\n"):
        mesh = read(text + end)
        assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
        assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]


def test_lines_go_on_after_a_backslash_and_end_at_a_remark(read):
    text = SQUARE.replace("v 1 0 0", "v 1 \\\n0 0 # right") + "# f 1 2 9\nf 1 2 \\\n 3# last\n\n"
    for ending in ("\n", "\r\n"):
        assert read(text.replace("\n", ending)).faces.tolist() == [[0, 1, 2]]
    assert read(b"\xef\xbb\xbf" + text.encode()).vertices[1].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    "line",
    [
        "# exported to D:\\export\\",
        "v 9 9 9 # left\\",
        "g C:\\heads\\",
        "usemtl skin\\",
        "mtllib C:\\heads\\",
        "usemap C:\\heads\\",
    ],
)
def test_a_backslash_at_the_end_of_a_name_or_a_remark_joins_no_lines(read, line):
    for ending in ("\n", "\r\n", "\r"):
        text = f"{SQUARE}{line}\nf 1 2 3\n{line}\nf 1 3 4\nv 5 5 5\n"
        mesh = read(text.replace("\n", ending))
        assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
        assert mesh.vertices[-1].tolist() == [5, 5, 5]
        assert len(mesh.vertices) == (7 if line.startswith("v") else 5)
        assert mesh.group_names == (("C:\\heads\\",) if line.startswith("g") else ())


def test_a_line_that_goes_on_has_the_number_of_its_first_part(read):
    with pytest.raises(data.FormatError, match="found 'face' in line 7"):
        read(SQUARE + "f 1 \\\n2 3\nface \\\n1 2 3\n")
    assert read(SQUARE + "f 1 2 3 \\").faces.tolist() == [[0, 1, 2]]


def test_objects_and_groups_name_the_faces(read):
    faces = "f 1 2 3\ng \tleft lid \nf 1 3 4\no Head\nf 2 3 4\ng\nf 1 2 4\ng left lid\nf 1 2 3\n"
    mesh = read(SQUARE + "usemtl one\n" + faces)
    names = [mesh.group_names[group] for group in mesh.groups]
    assert names == ["", "left lid", "Head/left lid", "Head", "Head/left lid"]
    assert mesh.groups.dtype == np.int32


def test_materials_name_the_faces_if_there_are_several(read):
    mesh = read(SQUARE + "o Head\nusemtl skin#2\nf 1 2 3\nusemtl eye\nf 1 3 4\n")
    assert mesh.group_names == ("Head/skin#2", "Head/eye") and mesh.groups.tolist() == [0, 1]


def test_lines_points_and_settings_are_passed_over(read):
    other = "s off\nl 1 2\np 1\nmg 1 2\nlod 3\nvn 0 0 1\nmtllib none.mtl\n"
    assert read(other + SQUARE + "f 1 2 3\n").faces.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    "lines, said",
    [
        ("", "a mesh of triangles, found no faces"),
        ("f 1 2\n", "three corners or more, found 2 in face 1"),
        ("f 1 2 5\n", "the 4 vertices of the file, found number 4, counted from 0"),
        ("f 0 1 2\n", "the 4 vertices of the file, found number -1"),
        ("f 1 2 -5\n", "a vertex before the face, found b'-5'"),
        ("f 1/1 2/1 3/1\n", "lines vt, as its faces have texture coordinates, found none"),
        ("vt 0 0\nf 1/1 2/1 3/2\n", "the 1 texture coordinates of the file, found number 1"),
        ("vt 0 0\nf 1/1 2/1 3/-2\n", "a texture coordinate before the face, found b'-2'"),
        ("f 1 2 x\n", "the number of a vertex in a face, found b'x'"),
        ("f 1 2 3.0\n", "the number of a vertex in a face, found b'3.0'"),
        ("f 1 2 1_0\n", "the number of a vertex in a face, found b'1_0'"),
        ("f 1 2 99999999999999999999\n", "the number of a vertex in a face"),
        ("v 1 2\nf 1 2 3\n", "3, 4, 6, 7, 8 numbers in line 5 of v, found b'1 2'"),
        ("v 1 2 nan\nf 1 2 3\n", "numbers in line 5 of v, found b'1 2 nan'"),
        ("v 1 2 1_0\nf 1 2 3\n", "numbers in line 5 of v, found b'1 2 1_0'"),
        ("v 1 2 1-\nf 1 2 3\n", "numbers in line 5 of v, found b'1 2 1-'"),
        ("v 1 2 1e300\nf 1 2 3\n", "numbers up to 1e+09 in the vertices, found 1e+300"),
        ("vt 1 2 3 4\nf 1 2 3\n", "1, 2, 3 numbers in line 1 of vt"),
        ("curv2 1 2\nf 1 2 3\n", "export the curves and surfaces as such, found curv2 in line 5"),
        ("face 1 2 3\n", "a line of an .obj file, found 'face' in line 5"),
    ],
)
def test_a_line_that_is_none_is_named(read, lines, said):
    with pytest.raises(data.FormatError) as error:
        read(SQUARE + lines)
    assert "a.obj: expected " in str(error.value) and said in str(error.value)


def picture(*colours):
    """A texture of one row, in RGB."""
    return np.array([colours], np.uint8)


def sample(mesh, uv):
    """The pixel of the texture that holds a coordinate."""
    height, width, _ = mesh.texture.shape
    column, row = uv[0] * width, (1 - uv[1]) * height
    return mesh.texture[int(np.floor(row)) % height, int(np.floor(column)) % width].tolist()


RED, GREEN, BLUE = [255, 0, 0], [0, 255, 0], [0, 0, 255]
TEXTURED = SQUARE + COORDINATES + "mtllib a.mtl\nusemtl one\nf 1/1 2/2 3/3\n"


def test_the_image_of_a_material_is_the_texture(read, tmp_path):
    cv2.imwrite(str(tmp_path / "a skin.png"), picture(RED, GREEN)[..., ::-1])
    lines = "newmtl other\nKd 0 0 1\nnewmtl one\nKd .1 .1 .1\nNs 3\nmap_Kd "
    for name in ("a skin.png", r"C:\Users\me\a skin.png", "/home/me/a skin.png"):
        (tmp_path / "a.mtl").write_text(f"{lines}{name}\n")
        mesh = read(TEXTURED)
        assert mesh.texture.tolist() == [[RED, GREEN]]
        assert mesh.uv[mesh.face_uv[0]].tolist() == [[0, 0], [1, 0], [1, 1]]
    assert read(TEXTURED.replace("a.mtl", "gone.mtl")).texture is None


@pytest.mark.parametrize(
    "library, use",
    [
        ("newmtl one\nmap_kd a.png\n", "one"),
        ("NEWMTL one\nKD 1 1 1 # white\nMAP_KD a.png\n", "one"),
        ('newmtl one\nmap_Kd "a.png"\n', "one"),
        ("newmtl one\nmap_Kd a.png # skin \n", "one"),
        ('newmtl one\nmap_Kd "a.png" # skin\n', "one"),
        ("newmtl one\nmap_Kd a.png\n", "one # skin"),
        ("newmtl one # skin\nmap_Kd a.png\n", "one"),
        ("newmtl one # skin\nmap_Kd a.png\nnewmtl one # lid\n", "one # skin"),
        ("newmtl  one  skin\nmap_Kd a.png\n", "one  \t skin"),
        ('newmtl "one skin"\nmap_Kd a.png\n', "one skin"),
        ("newmtl one # skin\nmap_Kd a.png\nnewmtl one # lid\n", "one"),
        ("newmtl #1\nmap_Kd a.png\nnewmtl #2\n", "#1"),
    ],
)
def test_the_image_is_found_however_it_is_written(read, tmp_path, library, use):
    cv2.imwrite(str(tmp_path / "a.png"), picture(RED, GREEN)[..., ::-1])
    (tmp_path / "a b.mtl").write_text(library)
    for name in ("a b.mtl", '"a b.mtl"', "a b.mtl # materials", r"C:\heads\a b.mtl"):
        mesh = read(TEXTURED.replace("a.mtl", name).replace("usemtl one", f"usemtl {use}"))
        assert mesh.texture.tolist() == [[RED, GREEN]]


def test_a_name_that_is_there_is_not_cut(read, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture(RED)[..., ::-1])
    cv2.imwrite(str(tmp_path / "a.png #2.png"), picture(BLUE)[..., ::-1])
    (tmp_path / "a.mtl").write_text("newmtl one\nmap_Kd a.png\nnewmtl one #2\nmap_Kd a.png #2.png")
    assert read(TEXTURED).texture.tolist() == [[RED]]
    assert read(TEXTURED.replace("usemtl one", "usemtl one #2")).texture.tolist() == [[BLUE]]


def test_several_materials_become_one_texture(read, tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), picture(RED, GREEN)[..., ::-1])
    cv2.imwrite(str(tmp_path / "2.png"), picture(BLUE, GREEN, RED)[..., ::-1])
    lines = "newmtl one\nmap_Kd 1.png\nnewmtl two\nmap_Kd 2.png\nnewmtl plain\nKd 1 0.5 0\n"
    (tmp_path / "a.mtl").write_text(lines)
    inside = "vt .1 .2\nvt .4 .5\nvt .9 .9\nvt 2.1 3.5\nvt 2.9 3.5\nvt 2.5 3.5\n"
    faces = "usemtl one\nf 1/1 2/2 3/3\nusemtl two\nf 1/4 2/5 3/6\n"
    faces += "usemtl plain\nf 1/1 2/1 3/1\nf 1 2 3\n"
    mesh = read(f"mtllib a.mtl\n{SQUARE}{inside}{faces}")
    colours = [[sample(mesh, uv) for uv in corners] for corners in mesh.uv[mesh.face_uv]]
    orange = [255, 128, 0]
    assert colours == [[RED, RED, GREEN], [BLUE, RED, GREEN], [orange] * 3, [orange] * 3]
    assert mesh.group_names == ("one", "two", "plain")


@pytest.mark.parametrize(
    "library, said",
    [
        ("newmtl one\nmap_Kd gone.png\n", "the texture 'gone.png' beside it, found no such file"),
        ("newmtl one\nmap_Kd -s 2 2 1 a.png\n", "map_Kd without options, which are not supported"),
        (f"newmtl one\nmap_Kd {300 * 'a'}.png\n", "aaa' beside it, found no such file"),
        ("newmtl one\nmap_Kd a\0b.png\n", "beside it, found no such file"),
        ("newmtl one\nmap_Kd bad.png\n", "bad.png: expected a complete image"),
        ("newmtl one\nKd 1 x 0\n", "3 numbers in Kd of 'one'"),
        ("newmtl one\nmap_Kd deep.png\n", "deep.png: expected a texture of 8 bits, found 16 bits"),
    ],
)
def test_a_material_that_cannot_be_read_is_named(read, tmp_path, library, said):
    (tmp_path / "a.mtl").write_text(library)
    (tmp_path / "bad.png").write_bytes(b"no image")
    cv2.imwrite(str(tmp_path / "deep.png"), np.zeros((2, 2), np.uint16))
    with pytest.raises(data.FormatError) as error:
        read(TEXTURED)
    assert said in str(error.value)
