"""The .ply of 3D Gaussian Splatting against bytes packed by hand."""

import math
import struct

import cv2
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.damage import Format, check_damaged, refused_with

from sf3d_jax import data
from sf3d_jax.data.gaussian_ply import read_gaussian_ply, write_gaussian_ply
from sf3d_jax.gaussians.scene import Gaussians

FIRST = 0.28209479177387814  # 1 / (2 sqrt(pi))
REST = {0: 0, 1: 9, 2: 24, 3: 45}
# Two Gaussians, by the names of the file: hand-numbered, so that every place is known.
VALUES = {
    **dict(zip("xyz", [(1.0, -4.0), (2.0, -5.0), (3.0, -6.0)], strict=True)),
    **{f"n{x}": (9.0, 9.0) for x in "xyz"},
    **{f"f_dc_{i}": (0.5 + i, -0.5 - i) for i in range(3)},
    **{f"f_rest_{i}": (float(i), 100.0 + i) for i in range(45)},
    "opacity": (0.0, math.log(3)),
    **dict(zip(["scale_0", "scale_1", "scale_2"], [(0.0, 1.0)] * 3, strict=True)),
    "scale_1": (math.log(2), 1.0),
    "scale_2": (math.log(3), 1.0),
    # A quarter turn about z, of length 5; and none.
    **{"rot_0": (5 / math.sqrt(2), 1.0), "rot_1": (0.0, 0.0), "rot_2": (0.0, 0.0)},
    "rot_3": (5 / math.sqrt(2), 0.0),
}
CODES = {"char": "b", "uchar": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I"}
CODES |= {"int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I"}
CODES |= {"float": "f", "double": "d", "float32": "f", "float64": "d"}


def names(degree=3):
    return [n for n in VALUES if not n.startswith("f_rest") or int(n[7:]) < REST[degree]]


def properties(kinds):
    return "".join(f"property {kind} {name}\n" for name, kind in kinds.items())


def packed(kinds, values=VALUES, order="<"):
    """The rows of two vertices."""
    row = lambda i: b"".join(
        struct.pack(order + CODES[kind], values[name][i]) for name, kind in kinds.items()
    )
    return row(0) + row(1)


def floats(degree=3):
    return dict.fromkeys(names(degree), "float")


def ply(kinds, body, form="binary_little_endian", *, before="", after="", count=2):
    lines = f"ply\nformat {form} 1.0\n{before}element vertex {count}\n{properties(kinds)}{after}"
    return f"{lines}end_header\n".encode() + body


@pytest.fixture
def read(tmp_path):
    """Reads bytes as a file."""

    def read(content):
        path = tmp_path / "scene.ply"
        path.write_bytes(content)
        return read_gaussian_ply(path)

    return read


@pytest.fixture
def refused(read):
    """The message about a file of such bytes."""

    def refused(content):
        with pytest.raises(data.FormatError, match=r"scene\.ply: expected ") as error:
            read(content)
        assert len(str(error.value)) < 1000
        return str(error.value)

    return refused


def check_values(gaussians, degree=3, rtol=1e-6, means=np.float32):
    """What the numbers of VALUES mean, calculated by hand."""
    for field in (gaussians.means, gaussians.factors, gaussians.opacities, gaussians.colors):
        dtype = means if field is gaussians.means else np.float32
        assert isinstance(field, np.ndarray) and field.dtype == dtype
    close = lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=3 * rtol)
    close(gaussians.means, [[1, 2, 3], [-4, -5, -6]])
    # The x axis, of length 1, points along y; the y axis, of length 2, against x.
    close(gaussians.factors[0], [[0, -2, 0], [1, 0, 0], [0, 0, 3]])
    close(gaussians.factors[1], math.e * np.eye(3))
    close(gaussians.opacities, [0.5, 0.75])
    number = REST[degree] // 3
    for i, (dc, rest) in enumerate([([0.5, 1.5, 2.5], 0), ([-0.5, -1.5, -2.5], 100)]):
        wanted = [[rest + channel * number + k for channel in range(3)] for k in range(number)]
        np.testing.assert_array_equal(gaussians.colors[i], [dc, *wanted])


@pytest.mark.parametrize("degree", REST)
def test_each_number_goes_where_it_belongs(read, degree):
    check_values(read(ply(floats(degree), packed(floats(degree)))), degree)


def test_the_coefficients_of_red_come_before_those_of_green(read):
    colors = read(ply(floats(), packed(floats()))).colors[0]
    assert colors[1].tolist() == [0, 15, 30] and colors[15].tolist() == [14, 29, 44]


def test_big_endian_is_read(read):
    body = packed(floats(), order=">")
    check_values(read(ply(floats(), body, "binary_big_endian")))


def text(kinds, values=VALUES):
    rows = [" ".join(repr(values[name][i]) for name in kinds) for i in range(2)]
    return ("\n".join(rows) + "\n").encode()


def test_text_is_read(read):
    check_values(read(ply(floats(), text(floats()), "ascii")))
    check_values(read(ply(floats(), text(floats()).rstrip() + b"\r\n\n", "ascii")))
    kinds = {**floats(0), "red": "uchar"}
    values = VALUES | {"red": (7, 255)}
    check_values(read(ply(kinds, text(kinds, values), "ascii")), 0)


def test_lines_may_end_as_in_dos_and_hold_remarks(read):
    content = ply(floats(), packed(floats()), before="comment by hand\nobj_info a b\n")
    header, end, body = content.partition(b"end_header\n")
    check_values(read(header.replace(b"\n", b"\r\n") + end.replace(b"\n", b"\r\n") + body))


def test_harmless_properties_of_any_type_and_order_are_passed_over(read):
    kinds, values = {}, dict(VALUES)
    for i, (name, kind) in enumerate(zip(names()[::-1], 4 * list(CODES), strict=False)):
        kinds |= {name: "float", f"semantic_{i}": kind}
        values[f"semantic_{i}"] = (i, i + 1)
    kinds |= {name: "float" for name in names()}
    check_values(read(ply(kinds, packed(kinds, values))))
    check_values(read(ply(kinds, packed(kinds, values, ">"), "binary_big_endian")))


def test_numbers_of_other_types_count(read):
    kinds = floats(1) | {"x": "double", "opacity": "float64", "rot_1": "char", "y": "short"}
    kinds |= {"z": "int32", "f_rest_3": "uint8"}
    values = VALUES | {name: [int(v) for v in VALUES[name]] for name in ("rot_1", "y", "z")}
    values["f_rest_3"] = [int(v) for v in VALUES["f_rest_3"]]
    check_values(read(ply(kinds, packed(kinds, values))), 1, means=np.float64)


@pytest.mark.parametrize("form", ["binary_little_endian", "binary_big_endian", "ascii"])
def test_means_keep_the_bits_of_doubles(read, form):
    kinds = floats(0) | dict.fromkeys("xyz", "double")
    values = VALUES | {"x": (4e6 + 1 / 3, 1.0), "y": (-1e300, 2.0)}
    order = ">" if "big" in form else "<"
    body = text(kinds, values) if form == "ascii" else packed(kinds, values, order)
    means = read(ply(kinds, body, form)).means
    assert means.dtype == np.float64 and means.dtype.isnative
    np.testing.assert_array_equal(means, [[4e6 + 1 / 3, -1e300, 3], [1, 2, -6]])
    assert read(ply(floats(0), text(floats(0)), "ascii")).means.dtype == np.float32


def test_a_file_without_normals_is_read(read):
    kinds = {name: kind for name, kind in floats().items() if name not in ("nx", "ny", "nz")}
    check_values(read(ply(kinds, packed(kinds))))


PLAIN = "element camera 2\nproperty float a\nproperty uchar b\n"
LISTS = "element face 2\nproperty list uchar int v\nproperty short w\nproperty list ushort char t\n"


@pytest.mark.parametrize("order, form", [("<", "little"), (">", "big")])
def test_other_elements_are_passed_over(read, order, form):
    plain = struct.pack(order + "fB", 1, 2) * 2
    faces = struct.pack(order + "B3ihH2b", 3, 5, 6, 7, 8, 2, 1, 1)
    faces += struct.pack(order + "BhH", 0, 8, 0)
    vertices = packed(floats(), order=order)
    content = ply(
        floats(),
        plain + faces + vertices + faces,
        f"binary_{form}_endian",
        before=PLAIN + LISTS,
        after=LISTS.replace("face", "edge"),
    )
    check_values(read(content))


def test_other_elements_of_text_are_lines(read):
    body = b"1 2\n3 4\n3 5 6 7 8 2 1 1\n0 8 0\n" + text(floats()) + b"9 9\n9 9\n"
    after = PLAIN.replace("camera", "edge")
    check_values(read(ply(floats(), body, "ascii", before=PLAIN + LISTS, after=after)))


def test_a_cloud_of_points_is_no_scene(refused):
    kinds = {**dict.fromkeys("xyz", "float"), **dict.fromkeys(("red", "green", "blue"), "uchar")}
    values = VALUES | dict.fromkeys(("red", "green", "blue"), (1, 2))
    said = refused(ply(kinds, packed(kinds, values)))
    assert "3D Gaussians" in said and "plain point cloud" in said
    assert "no property f_dc_0, f_dc_1, f_dc_2, opacity, scale_0" in said


def test_what_is_missing_is_named(refused):
    kinds = {name: kind for name, kind in floats().items() if name not in ("scale_2", "rot_3")}
    assert refused(ply(kinds, packed(kinds))).endswith("found no property scale_2, rot_3")
    kinds = {name: kind for name, kind in floats().items() if name != "f_rest_44"}
    assert "44 properties f_rest_*" in refused(ply(kinds, packed(kinds)))
    kinds = {name.replace("rest_44", "rest_45"): "float" for name in floats()}
    values = VALUES | {"f_rest_45": (0, 0)}
    assert "without gaps" in refused(ply(kinds, packed(kinds, values)))


def test_scenes_of_other_formats_are_told_by_name(refused):
    kinds = {name: kind for name, kind in floats().items() if name != "scale_2"}
    assert "of 2DGS, which are not supported, no" in refused(ply(kinds, packed(kinds)))
    packs = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
    kinds, before = dict.fromkeys(packs, "uint"), "element chunk 1\nproperty float min_x\n"
    body = struct.pack("<f", 0) + packed(kinds, dict.fromkeys(packs, (0, 1)))
    assert "compressed scene of PlayCanvas, which is not supported" in refused(
        ply(kinds, body, before=before)
    )


def test_gaussians_on_triangles_are_not_taken_for_a_scene(refused):
    kinds = {**floats(), "binding_0": "int"}
    said = refused(ply(kinds, packed(kinds, VALUES | {"binding_0": (3, 4)})))
    assert "binding_0" in said and "world axes" in said


FORMS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": None}


def with_properties(extra, form="binary_little_endian", kind="float"):
    """The two Gaussians with further properties, each of the same two values."""
    kinds = {**floats(0), **dict.fromkeys(extra, kind)}
    values = VALUES | extra
    order = FORMS[form]
    body = text(kinds, values) if order is None else packed(kinds, values, order)
    return ply(kinds, body, form)


HARMLESS = ["red", "green", "blue", "alpha", "confidence", "label", "object_id", "instance_id"]
HARMLESS += ["obj_dc_0", "obj_dc_15", "semantic_0", "semantic_127", "ins_feat_r", "ins_feat_b2"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["nx", *HARMLESS])
def test_what_exporters_write_beside_gaussians_is_passed_over(read, name, form):
    check_values(read(with_properties({name: (9, 4)}, form)), 0)


REST_ORDER = ["opacity", *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
BASE_ORDER = [f"f_dc_{i}" for i in range(3)]
# The properties in the order in which programs write them, and a line of their own.
EXPORTERS = {
    "3DGS, SuGaR": ([*"xyz", "nx", "ny", "nz", *BASE_ORDER, *REST_ORDER], ""),
    "gsplat": ([*"xyz", *BASE_ORDER, *REST_ORDER], ""),
    "nerfstudio": (
        [*"xyz", "nx", "ny", "nz", *BASE_ORDER, *REST_ORDER],
        "comment Generated by Nerfstudio\ncomment Vertical Axis: z\n",
    ),
    "Gaussian Grouping": (
        [*"xyz", *BASE_ORDER, *REST_ORDER, *(f"obj_dc_{i}" for i in range(16))],
        "",
    ),
    "Feature 3DGS": ([*"xyz", *BASE_ORDER, *REST_ORDER, *(f"semantic_{i}" for i in range(8))], ""),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("program", EXPORTERS)
def test_what_programs_export_is_read(read, program, form):
    order, remarks = EXPORTERS[program]
    values = {name: (3.0, 4.0) for name in order} | VALUES
    kinds = dict.fromkeys(order, "float")
    byte_order = FORMS[form]
    body = text(kinds, values) if byte_order is None else packed(kinds, values, byte_order)
    check_values(read(ply(kinds, body, form, before=remarks)), 0)


# Of SpacetimeGaussians, 4DGS, 4D-Rotor, GaussianFlow and others.
MOVING = """trbf_center trbf_scale motion_0 motion_8 omega_3 t mu_t t_scale scale_t scale_t_0
    scaling_t rot_r_0 rot_l_3 f_t_0 delta_x_t0 delta_rot_0_t12 time timestamp velocity_0 vel_x vx
    xyz_deform_0 deformation_1 flow_0 start_time""".split()


@pytest.mark.parametrize("name", MOVING)
def test_gaussians_that_change_with_time_are_refused_by_name(refused, name):
    for values in ((0, 0), (0.5, 0.1)):
        said = refused(with_properties({name: values}))
        assert f"found {name}: they change with time" in said and "at rest" in said


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "name", ["scale_3", "f_dc_3", "nx2", "roughness", "mip_filter", "filter_3d", "other", "RED"]
)
def test_a_property_that_is_not_known_is_refused_unless_it_is_zero(read, refused, name, form):
    check_values(read(with_properties({name: (0, 0)}, form)), 0)
    said = refused(with_properties({name: (0, 0.25)}, form))
    assert f"found {name}, whose effect on them is unknown" in said
    assert name in refused(with_properties({name: (0, math.nan)}, form))


def test_an_element_that_is_not_known_is_refused_unless_it_is_empty(read, refused):
    after = "element delta_vertex_0 {}\nproperty float x\n"
    body = packed(floats(0))
    check_values(read(ply(floats(0), body, after=after.format(0))), 0)
    assert "an element delta_vertex_0" in refused(
        ply(floats(0), body + bytes(4), after=after.format(1))
    )


def test_the_camera_of_a_scene_of_one_image_is_passed_over(read):
    sizes = {"extrinsic": 16, "intrinsic": 9, "image_size": 2, "frame": 2, "disparity": 2}
    sizes |= {"color_space": 1, "version": 3}
    after = "".join(f"element {name} {n}\nproperty float {name}\n" for name, n in sizes.items())
    body = packed(floats(0)) + struct.pack("<35f", *range(1, 36))
    check_values(read(ply(floats(0), body, after=after)), 0)


@pytest.mark.parametrize("form", FORMS)
def test_the_filter_of_mip_splatting_widens_and_fades(read, form):
    """Against the definition in 3x3 matrices: Sigma + f^2 I, and the ratio of the volumes."""
    filters = (0.5, 2.0)
    found, plain = read(with_properties({"filter_3D": filters}, form)), read(changed())
    np.testing.assert_array_equal(found.means, plain.means)
    np.testing.assert_array_equal(found.colors, plain.colors)
    wide = covariance(plain) + np.square(filters)[:, None, None] * np.eye(3)
    np.testing.assert_allclose(covariance(found), wide, rtol=1e-6, atol=1e-6)
    ratio = np.sqrt(np.linalg.det(covariance(plain)) / np.linalg.det(wide))
    np.testing.assert_allclose(found.opacities, plain.opacities * ratio, rtol=1e-6)
    assert (ratio < 0.9).all()


def test_a_filter_keeps_its_place_where_scales_are_extreme(read):
    thin = dict.fromkeys(("scale_0", "scale_1", "scale_2"), (-1000.0, 0.0))
    kinds = {**floats(0), "filter_3D": "float"}
    scene = lambda f: read(ply(kinds, packed(kinds, VALUES | thin | {"filter_3D": f})))
    none, some = scene((0, 0)), scene((0.25, math.nan))
    np.testing.assert_array_equal(none.opacities, read(changed()).opacities)
    assert not none.factors[0].any()
    turned = 0.25 * np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(some.factors[0], turned, atol=1e-7)
    assert some.opacities[0] == 0 and np.isnan(some.opacities[1])
    assert np.isnan(some.factors[1]).any()


def test_a_scene_with_its_filter_is_written_as_it_looks(read, tmp_path):
    scene = read(with_properties({"filter_3D": (0.5, 2.0)}))
    write_gaussian_ply(tmp_path / "a.ply", scene)
    check_same(read_gaussian_ply(tmp_path / "a.ply"), scene)


BODY = packed(floats())


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "the line `ply`"),
        (b"plywood\n", "the line `ply`"),
        (b"ply\nformat ascii 1.0\n", "end_header"),
        (b"ply\nend_header\n", "one element `vertex`"),
        (ply(floats(), BODY, "binary_little_endian 2.0 "), "line of a PLY 1.0 header"),
        (ply(floats(), BODY, "binary"), "'format binary 1.0'"),
        (ply(floats(), BODY, before="format ascii 1.0\n"), "'format ascii 1.0'"),
        (ply(floats(), BODY, before="property float x\n"), "'property float x'"),
        (ply(floats(), BODY, before="element vertex 2\n"), "one element `vertex`"),
        (ply(floats(), BODY, after="property float x\n"), "x twice"),
        (ply(floats(), BODY, after="property half x\n"), "'property half x'"),
        (ply(floats(), BODY, after="property list float int a\n"), "list float int a"),
        (ply(floats(), BODY, after="property list uchar int a\n"), "a list"),
        (ply(floats(), BODY, count=-2), "'element vertex -2'"),
        (ply(floats(), BODY, count="9" * 50), "'element vertex 999"),
        (ply(floats(), BODY, count=3), "bytes for 3 Gaussians of 248 bytes"),
        (ply(floats(), BODY[:-1]), "bytes for 2 Gaussians of 248 bytes"),
        (ply(floats(), BODY + b"\n"), "bytes for 2 Gaussians of 248 bytes"),
        (ply(floats(), b"\x09" + bytes(37), before=LISTS), "2 rows of face"),
        (ply(floats(), text(floats()), "ascii", count=3), "3 lines of Gaussians, found 2"),
        (ply(floats(), text(floats()), "ascii", count=1), "1 lines of Gaussians, found 2"),
        (
            ply(floats(), text(floats())[:-9] + b"\n", "ascii"),
            "62 numbers in row 2 of vertex, found 60",
        ),
        (
            ply(floats(), text(floats()).replace(b" 144.0", b" 4x"), "ascii"),
            "numbers in row 2 of vertex, found b'4x'",
        ),
        (
            ply(floats(), b"\xff" + text(floats()), "ascii"),
            "numbers in row 1 of vertex, found b'\\xff1.0'",
        ),
    ],
)
def test_a_file_that_is_none_is_refused(refused, content, said):
    assert said in refused(content)


@pytest.mark.parametrize("form", ["binary_little_endian", "binary_big_endian", "ascii"])
@pytest.mark.parametrize("before", ["", "element camera 1000000000000\nproperty float a\n", LISTS])
def test_a_header_that_claims_a_billion_gaussians_costs_no_memory(tmp_path, form, before):
    path = tmp_path / "scene.ply"
    before = before.replace("face 2", "face 1000000000000")
    path.write_bytes(ply(floats(), bytes(4000), form, before=before, count=10**12))
    assert refused_with(path, read_gaussian_ply) < 1e6


def test_a_list_of_negative_length_is_refused(refused):
    before = "element face 1\nproperty list int int v\n"
    assert "negative" in refused(ply(floats(), struct.pack("<i", -1) + BODY, before=before))


def well_formed(gaussians):
    count = len(gaussians.means)
    assert gaussians.means.shape == (count, 3) and gaussians.factors.shape == (count, 3, 3)
    assert gaussians.opacities.shape == (count,) and gaussians.colors.shape[::2] == (count, 3)
    known = gaussians.opacities[~np.isnan(gaussians.opacities)]
    assert ((known >= 0) & (known <= 1)).all()


@pytest.mark.parametrize("form", ["binary_little_endian", "ascii"])
@pytest.mark.parametrize("before", ["", LISTS])
def test_a_damaged_file_is_read_or_named(tmp_path, form, before):
    faces = struct.pack("<B3ihH2bBhH", 3, 5, 6, 7, 8, 2, 1, 1, 0, 8, 0)
    body = packed(floats(1)) if form != "ascii" else text(floats(1))
    if before:
        body = (faces if form != "ascii" else b"3 5 6 7 8 2 1 1\n0 8 0\n") + body
    content = ply(floats(1), body, form, before=before)
    make = lambda path: path.write_bytes(content)
    damage = lambda rng, _, byte: byte ^ rng.integers(1, 256)
    format = Format(f"{form}.ply", make, read_gaussian_ply)
    check_damaged(tmp_path / f"{form}.ply", format, well_formed, damage)
    # The header alone: digits, letters and lines for others.
    rng, header = np.random.default_rng(1), content.index(b"end_header")
    for _ in range(500):
        damaged = bytearray(content)
        damaged[rng.integers(0, header)] = rng.choice([*b"0123456789 \n\rexyz"])
        (tmp_path / "scene.ply").write_bytes(damaged)
        try:
            well_formed(read_gaussian_ply(tmp_path / "scene.ply"))
        except data.FormatError as error:
            assert "scene.ply" in str(error)


def test_an_empty_scene_is_a_scene(read, tmp_path):
    for form in ("binary_little_endian", "ascii"):
        gaussians = read(ply(floats(), b"", form, count=0))
        well_formed(gaussians)
        assert gaussians.colors.shape == (0, 16, 3)
    write_gaussian_ply(tmp_path / "empty.ply", gaussians)
    assert read_gaussian_ply(tmp_path / "empty.ply").colors.shape == (0, 16, 3)


def changed(**values):
    kinds = floats(0)
    return ply(kinds, packed(kinds, VALUES | values))


def test_large_logits_and_small_quaternions_are_no_trouble(read):
    gaussians = read(changed(opacity=(100, -100), rot_0=(3e-38, 1e30), rot_3=(3e-38, 1e30)))
    np.testing.assert_allclose(gaussians.opacities, [1, math.exp(-100)], rtol=5e-2)
    assert 0 < gaussians.opacities[1]
    np.testing.assert_allclose(gaussians.factors[0], [[0, -2, 0], [1, 0, 0], [0, 0, 3]], atol=1e-6)
    turned = math.e * np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(gaussians.factors[1], turned, atol=1e-6)


def test_what_is_not_finite_stays_in_its_gaussian(read):
    nan, inf = math.nan, math.inf
    first = VALUES["rot_0"][0]
    clean = read(changed())
    for values in [
        {"opacity": nan},
        {"scale_0": nan},
        {"rot_2": nan},
        {"x": inf},
        {"scale_2": inf},
    ]:
        values = {name: (VALUES[name][0], value) for name, value in values.items()}
        gaussians = read(changed(**values))
        for name in ("means", "factors", "opacities", "colors"):
            np.testing.assert_array_equal(getattr(gaussians, name)[0], getattr(clean, name)[0])
    assert np.isnan(read(changed(opacity=(0, nan))).opacities[1])
    assert np.isnan(read(changed(rot_2=(0, nan))).factors[1]).all()
    assert np.isinf(read(changed(scale_0=(0, 1000))).factors[1, 0, 0])
    none = read(changed(rot_0=(first, 0)))
    assert not none.factors[1].any()


def draw(count=50, coefficients=16, seed=0):
    """A scene whose factors are rotations times scales from 1 to 1e-5, in float32."""
    rng = np.random.default_rng(seed)
    factors = np.stack(
        [
            cv2.Rodrigues(rng.normal(size=3))[0] * np.exp(rng.uniform(-12, 0, 3))
            for _ in range(count)
        ]
    )
    return Gaussians(
        np.float32(rng.normal(size=(count, 3)) * 10),
        np.float32(factors),
        np.float32(rng.uniform(0, 1, count)),
        np.float32(rng.normal(size=(count, coefficients, 3))),
    )


def covariance(gaussians):
    factors = np.float64(gaussians.factors)
    return factors @ factors.swapaxes(1, 2)


def check_same(found, wanted, tolerance=3e-6):
    np.testing.assert_array_equal(found.means, wanted.means)
    np.testing.assert_allclose(found.opacities, wanted.opacities, rtol=1e-6, atol=1e-7)
    size = np.linalg.norm(covariance(wanted), axis=(1, 2))[:, None, None]
    worst = np.abs(covariance(found) - covariance(wanted)) / np.where(size > 0, size, 1)
    assert worst.max() < tolerance


@pytest.mark.parametrize("coefficients", [1, 4, 9, 16])
def test_what_is_written_is_read_and_written_again(tmp_path, coefficients):
    path, scene = tmp_path / "scene.ply", draw(coefficients=coefficients)
    write_gaussian_ply(path, scene)
    once = read_gaussian_ply(path)
    write_gaussian_ply(path, once)
    twice = read_gaussian_ply(path)
    for found in (once, twice):
        check_same(found, scene)
        np.testing.assert_array_equal(found.colors, scene.colors)
        # Rotations times scales keep their columns: each relative to its own length.
        length = np.linalg.norm(scene.factors, axis=1, keepdims=True)
        assert (np.abs(np.abs(found.factors) - np.abs(scene.factors)) / length).max() < 3e-6


def test_factors_that_turn_keep_the_numbers_of_their_points(tmp_path):
    scene = draw()
    flip = np.float32([1, -1, 1])
    for factors in (scene.factors, scene.factors * flip):
        write_gaussian_ply(tmp_path / "a.ply", Gaussians(scene.means, factors, *scene_rest(scene)))
        found = read_gaussian_ply(tmp_path / "a.ply").factors
        assert (np.linalg.det(np.float64(found)) > 0).all()
        sign = np.sign((found * factors).sum(1))
        assert (np.abs(sign).sum(1) == 3).all()
        if factors is scene.factors:
            assert (sign == 1).all()


def scene_rest(scene):
    return scene.opacities, scene.colors


def test_any_factor_keeps_its_covariance(tmp_path):
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(60, 3, 3)) * np.exp(rng.uniform(-8, 3, (60, 1, 1)))
    factors[:10, :, 2] = factors[:10, :, 0]  # flat
    factors[10:20, :, 1:] = 0  # a needle
    factors[20:22] = 0
    factors[22] = np.diag([1e-18, 1, 1e18])
    scene = draw(60)
    scene = Gaussians(scene.means, np.float32(factors), *scene_rest(scene))
    write_gaussian_ply(tmp_path / "a.ply", scene)
    found = read_gaussian_ply(tmp_path / "a.ply")
    assert np.isfinite(found.factors).all()
    check_same(found, scene, 1e-5)  # the logarithm of 1e18 has 4e-6 between its neighbours


def test_the_bytes_of_a_simple_scene(tmp_path):
    turn = np.array([[0, -2, 0], [1, 0, 0], [0, 0, 3.0]])[None]
    scene = Gaussians(np.array([[1.0, 2, 3]]), turn, np.array([0.75]), np.array([[1.0, 0.5, 0]]))
    write_gaussian_ply(tmp_path / "a.ply", scene)
    header, _, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    assert header.decode() == (
        "ply\nformat binary_little_endian 1.0\nelement vertex 1\n" + properties(floats(0))
    )
    numbers = [1, 2, 3, 0, 0, 0, 0.5 / FIRST, 0, -0.5 / FIRST, math.log(3)]
    numbers += [0, math.log(2), math.log(3), math.sqrt(0.5), 0, 0, math.sqrt(0.5)]
    np.testing.assert_allclose(struct.unpack("<17f", body), numbers, rtol=1e-6, atol=1e-7)


def test_the_ends_of_opacity_come_back(tmp_path):
    scene = draw(6)
    opacities = np.float32([0, 1, 2, -1, 1e-30, np.nan])
    write_gaussian_ply(
        tmp_path / "a.ply", Gaussians(scene.means, scene.factors, opacities, scene.colors)
    )
    found = read_gaussian_ply(tmp_path / "a.ply").opacities
    np.testing.assert_allclose(found, [0, 1, 1, 0, 1e-30, np.nan], rtol=1e-5)
    body = (tmp_path / "a.ply").read_bytes()[-6 * 248 :]
    assert np.isfinite(np.frombuffer(body, "<f4").reshape(6, 62)[:5]).all()


def test_a_scale_of_zero_becomes_the_least_number(tmp_path):
    scene = Gaussians(
        *(x[:1] for x in (np.zeros((1, 3)), np.zeros((1, 3, 3)), np.ones(1))), np.ones((1, 3))
    )
    write_gaussian_ply(tmp_path / "a.ply", scene)
    scales = struct.unpack("<17f", (tmp_path / "a.ply").read_bytes()[-68:])[10:13]
    np.testing.assert_allclose(scales, math.log(1.1754943508222875e-38), rtol=1e-6)


def test_a_factor_that_is_not_finite_is_nan_alone(tmp_path):
    scene = draw(3)
    scene.factors[1, 0, 0], scene.factors[2, 1, 1] = np.nan, np.inf
    write_gaussian_ply(tmp_path / "a.ply", scene)
    found = read_gaussian_ply(tmp_path / "a.ply")
    assert np.isnan(found.factors[1:]).all()
    np.testing.assert_allclose(found.factors[0], scene.factors[0], rtol=1e-4, atol=1e-6)


def test_arrays_of_jax_and_of_half_precision_are_written(tmp_path):
    scene = draw(4)
    write_gaussian_ply(tmp_path / "a.ply", scene)
    fields = (scene.means, scene.factors, scene.opacities, scene.colors)
    write_gaussian_ply(tmp_path / "b.ply", Gaussians(*map(jnp.asarray, fields)))
    assert (tmp_path / "a.ply").read_bytes() == (tmp_path / "b.ply").read_bytes()
    half = Gaussians(*(jnp.asarray(x, jnp.bfloat16) for x in fields))
    write_gaussian_ply(tmp_path / "b.ply", half)
    means = read_gaussian_ply(tmp_path / "b.ply").means
    np.testing.assert_array_equal(means, np.float32(half.means))


def test_what_the_format_cannot_hold_is_refused(tmp_path):
    scene, path = draw(4), tmp_path / "a.ply"
    grey = Gaussians(scene.means, scene.factors, scene.opacities, scene.colors[:, 0, :1])
    with pytest.raises(ValueError, match=r"gaussians.colors: expected 3 channels, got 1"):
        write_gaussian_ply(path, grey)
    with pytest.raises(ValueError, match="of one scene"):
        write_gaussian_ply(path, Gaussians(scene.means[:2], *(scene.factors, *scene_rest(scene))))
    with pytest.raises(TypeError, match="expected Gaussians"):
        write_gaussian_ply(path, scene.means)
    assert not path.exists()
    with pytest.raises(FileNotFoundError, match="no folder"):
        write_gaussian_ply(tmp_path / "none" / "a.ply", scene)


def test_the_names_are_offered():
    assert data.read_gaussian_ply is read_gaussian_ply
    assert data.write_gaussian_ply is write_gaussian_ply
