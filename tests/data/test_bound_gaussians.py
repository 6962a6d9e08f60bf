"""Gaussians on the triangles of a moving mesh against bytes packed by hand."""

import math
import struct

import numpy as np
import pytest

from sf3d_jax import data
from sf3d_jax.gaussians import Gaussians

NAMES = (
    "x y z nx ny nz f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3"
)
ROWS = [
    (1, 2, 3, 0, 0, 0, 0.5, 1.5, 2.5, 0, 0, math.log(2), math.log(3), 1, 0, 0, 1, 7),
    (-4, -5, -6, 0, 0, 0, 1, 2, 3, math.log(3), 1, 1, 1, 1, 0, 0, 0, 0),
]


def ply(rows=ROWS, names=f"{NAMES} binding_0", kind="float"):
    """The bytes of GaussianAvatars' save_ply."""
    kinds = {name: "float" for name in names.split()} | {"binding_0": kind}
    properties = "".join(f"property {kinds[name]} {name}\n" for name in names.split())
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(rows)}\n{properties}"
    code = {"float": "f", "int": "i", "double": "d"}[kind]
    body = b"".join(struct.pack(f"<{len(row) - 1}f{code}", *row) for row in rows)
    return f"{header}end_header\n".encode() + body


@pytest.fixture
def read(tmp_path):
    def read(content):
        (tmp_path / "a.ply").write_bytes(content)
        return data.read_bound_gaussians(tmp_path / "a.ply")

    return read


def refused(read, content):
    with pytest.raises(data.FormatError, match=r"a\.ply: expected ") as error:
        read(content)
    return str(error.value)


@pytest.mark.parametrize("kind", ["float", "int", "double"])
def test_each_number_goes_where_it_belongs(read, kind):
    rows = [(*row[:-1], int(row[-1])) for row in ROWS]
    local, triangles = read(ply(rows, kind=kind))
    assert triangles.tolist() == [7, 0] and triangles.dtype == np.int32
    assert local.means.tolist() == [[1, 2, 3], [-4, -5, -6]] and local.means.dtype == np.float32
    # The first is turned by 90 degrees about z.
    np.testing.assert_allclose(local.factors[0], [[0, -2, 0], [1, 0, 0], [0, 0, 3]], atol=1e-6)
    np.testing.assert_allclose(local.factors[1], math.e * np.eye(3), rtol=1e-6)
    np.testing.assert_allclose(local.opacities, [0.5, 0.75], rtol=1e-6)
    assert local.colors.tolist() == [[[0.5, 1.5, 2.5]], [[1, 2, 3]]]


@pytest.mark.parametrize("value", [-1, 0.5, math.nan, math.inf, 2.0**31])
def test_a_number_that_is_no_triangle_is_named(read, value):
    said = refused(read, ply([ROWS[0], (*ROWS[1][:-1], value)]))
    assert f"whole numbers of triangles from 0 in binding_0, found {value:g} in row 2" in said


def test_what_are_no_bound_gaussians_is_named(read):
    plain = [row[:-1] for row in ROWS]
    said = refused(read, ply(plain, NAMES))
    assert "with the property binding_0, found none; use read_gaussian_ply" in said
    both = f"{NAMES} filter_3D binding_0"
    said = refused(read, ply([(*row[:-1], 0.5, 1) for row in ROWS], both))
    assert "filter_3D, of unknown unit" in said
    moving = f"{NAMES} motion_0 binding_0"
    assert "motion_0: they change with time" in refused(
        read, ply([(*r[:-1], 0, 1) for r in ROWS], moving)
    )
    more = f"{NAMES} binding_1 binding_0"
    assert "binding_1" in refused(read, ply([(*row[:-1], 0, 1) for row in ROWS], more))
    assert "bytes for 2 Gaussians of 72 bytes" in refused(read, ply()[:-1])
    assert "no property f_dc_0" in refused(read, ply().replace(b"f_dc_0", b"f_dc_9"))


def test_the_reader_of_scenes_names_this_one(tmp_path):
    (tmp_path / "a.ply").write_bytes(ply())
    with pytest.raises(
        data.FormatError, match="axes of moving triangles; use read_bound_gaussians"
    ):
        data.read_gaussian_ply(tmp_path / "a.ply")


def make_bound():
    rng = np.random.default_rng(0)
    turns = np.linalg.qr(rng.normal(size=(20, 3, 3)))[0]
    turns *= np.linalg.det(turns)[:, None, None]
    factors = np.float32(turns * np.exp(rng.uniform(-8, 0, (20, 1, 3))))
    single = lambda *shape: np.float32(rng.normal(size=shape))
    opacities = np.float32(rng.uniform(0.01, 0.99, 20))
    local = Gaussians(single(20, 3), factors, opacities, single(20, 4, 3))
    return data.BoundGaussians(local, rng.integers(0, 2**24, 20))


def test_what_is_written_is_read(tmp_path):
    bound = make_bound()
    bound.triangles[0] = 2**24
    data.write_bound_gaussians(tmp_path / "a.ply", bound)
    found = data.read_bound_gaussians(tmp_path / "a.ply")
    np.testing.assert_array_equal(found.triangles, bound.triangles)
    np.testing.assert_array_equal(found.local.means, bound.local.means)
    np.testing.assert_array_equal(found.local.colors, bound.local.colors)
    np.testing.assert_allclose(found.local.opacities, bound.local.opacities, rtol=1e-6)
    length = np.linalg.norm(bound.local.factors, axis=1, keepdims=True)
    assert (np.abs(found.local.factors - bound.local.factors) / length).max() < 3e-6


def test_the_bytes_are_those_of_the_scene_with_one_more_number(tmp_path):
    bound = make_bound()
    data.write_bound_gaussians(tmp_path / "a.ply", bound)
    data.write_gaussian_ply(tmp_path / "b.ply", bound.local)
    header, _, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    scene, _, rows = (tmp_path / "b.ply").read_bytes().partition(b"end_header\n")
    assert header == scene + b"property float binding_0\n"
    numbers = np.frombuffer(body, "<f4").reshape(20, -1)
    np.testing.assert_array_equal(numbers[:, :-1], np.frombuffer(rows, "<f4").reshape(20, -1))
    np.testing.assert_array_equal(numbers[:, -1], bound.triangles)


@pytest.mark.parametrize(
    "change, error, said",
    [
        ({"triangles": np.zeros(20)}, TypeError, "bound.triangles: expected integers, got float64"),
        ({"triangles": np.zeros(19, int)}, ValueError, r"bound.triangles: expected \[20\], got"),
        (
            {"triangles": np.arange(-1, 19)},
            ValueError,
            "bound.triangles: expected numbers from 0 to",
        ),
        ({"triangles": np.full(20, 2**24 + 1)}, ValueError, "from 0 to 16,777,216, got 16777217"),
        ({"local": None}, TypeError, "bound.local: expected Gaussians"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path, change, error, said):
    with pytest.raises(error, match=said):
        data.write_bound_gaussians(tmp_path / "a.ply", make_bound()._replace(**change))
    with pytest.raises(TypeError, match="bound: expected BoundGaussians, got Gaussians"):
        data.write_bound_gaussians(tmp_path / "a.ply", make_bound().local)
    assert not [*tmp_path.iterdir()]
