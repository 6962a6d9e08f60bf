"""pieces and carry: Gaussians move as the mesh does, in closed form, in value and in gradient."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.meshes import LINEAR, sphere, transform
from helpers.support import as_numpy, float64

from sf3d_jax import head

VERTICES, FACES = sphere()
COUNT = 150
COVER = head.cover(VERTICES, FACES, COUNT)
COLORS = np.random.default_rng(0).uniform(size=(COUNT, 3))
SIZE, FLATNESS = 0.25, 0.02


def carry(vertices, faces=FACES, cover=COVER):
    return head.carry(cover, faces, vertices, COLORS)


def define(vertices):
    """Corners, means and factors by the formulas of the docstring, in float64."""
    corners = COVER.corners @ np.float64(vertices)[FACES[COVER.triangles]]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    product = np.cross(first, second)
    area = np.linalg.norm(product, axis=-1, keepdims=True)
    normal = product / area * np.sqrt(area * 2 / np.sqrt(3))
    columns = first, (2 * second - first) / np.sqrt(3), FLATNESS * normal
    return corners, corners.mean(1), SIZE * np.stack(columns, -1)


def test_the_gaussians_are_those_of_the_formula():
    corners, means, factors = define(np.float32(VERTICES))
    got = carry(np.float32(VERTICES))
    np.testing.assert_allclose(got.means, means, atol=2e-8)
    np.testing.assert_allclose(got.factors, factors, atol=1e-9)
    np.testing.assert_array_equal(got.opacities, np.full(COUNT, 4, np.float32))
    np.testing.assert_array_equal(got.colors, np.float32(COLORS))
    found = head.pieces(COVER, FACES, np.float32(VERTICES))
    np.testing.assert_allclose(found, corners, atol=2e-8)


def test_the_contours_are_steiner_ellipses():
    """The ellipse that touches the middles of a piece's edges has half the semi-axes of that
    through its corners, and both are a sphere of the Gaussian."""
    corners, means, factors = define(VERTICES)
    middles = (corners + np.roll(corners, -1, axis=1)) / 2
    for points, distance in ((corners, 1 / np.sqrt(3)), (middles, 0.5 / np.sqrt(3))):
        offsets = np.linalg.solve(factors[:, None] / SIZE, (points - means[:, None])[..., None])
        np.testing.assert_allclose(np.linalg.norm(offsets[..., 0], axis=-1), distance, rtol=1e-9)


@thorough.parametrize(
    "dtype, digits", [(np.float32, 1e-5), (np.float64, 1e-12)], default=[(np.float32, 1e-5)]
)
def test_an_affine_map_of_the_mesh_is_that_of_the_gaussians(dtype, digits):
    with float64():
        before, after = (as_numpy(carry(x.astype(dtype))) for x in (VERTICES, transform(VERTICES)))
    assert after.means.dtype == after.factors.dtype == dtype
    np.testing.assert_allclose(after.means, transform(before.means), rtol=digits)
    bound = 0.02 * digits  # the longest column has 17 mm
    np.testing.assert_allclose(
        after.factors[..., :2], LINEAR @ np.float64(before.factors[..., :2]), atol=bound
    )
    # Across the surface, the third axis stays perpendicular to the others.
    np.testing.assert_allclose(after.factors, define(transform(VERTICES))[2], atol=bound)


@pytest.mark.thorough
def test_a_small_motion_keeps_its_digits():
    """Edges are as exact as the vertices: a piece of 1/256 of a triangle does not cancel."""
    faces = FACES[:1]
    cover = head.cover(VERTICES, faces, COUNT)
    vertices = np.float32(VERTICES + np.array([3, 4, 5]))
    got = np.float64(head.carry(cover, faces, vertices, COLORS).factors)
    corners = cover.corners @ np.float64(vertices)[faces[cover.triangles]]
    expected = SIZE * (corners[:, 1] - corners[:, 0])
    assert np.abs(got[..., 0] - expected).max() < 1e-6 * np.abs(expected).max()


@jax.jit
def measure(vertices, colors):
    """A number that depends on all finite numbers of the Gaussians, and its gradients."""

    def combine(vertices, colors):
        made = head.carry(COVER, FACES, vertices, colors)
        drawn = jnp.isfinite(made.means).all(-1)
        means, factors = (
            jnp.where(drawn.reshape(-1, *[1] * (x.ndim - 1)), x, 0)
            for x in (made.means, made.factors)
        )
        third = jnp.square(factors[..., 2]) * 1e9
        return jnp.sin(9 * means).sum() + jnp.sin(100 * factors).sum() + third.sum() + colors.sum()

    return jax.value_and_grad(combine, (0, 1))(vertices, colors)


def test_the_gradient_is_that_of_finite_differences():
    rng, step = np.random.default_rng(1), 1e-6
    with float64():
        _, (of_vertices, of_colors) = measure(VERTICES, COLORS)
        assert (of_colors == 1).all()
        for _ in range(3):
            along = rng.normal(size=VERTICES.shape)
            ahead, behind = (measure(VERTICES + x * along, COLORS)[0] for x in (step, -step))
            expected = float(np.vdot(of_vertices, along))
            np.testing.assert_allclose((ahead - behind) / (2 * step), expected, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.non_finite
def test_a_vertex_that_is_not_finite_takes_its_own_pieces_away(bad):
    vertices = VERTICES.copy()
    vertices[9, 1] = bad
    own = (FACES[COVER.triangles] == 9).any(-1)
    got, expected = carry(np.float32(vertices)), carry(np.float32(VERTICES))
    assert 0 < own.sum() < COUNT
    for x, y in ((got.means, expected.means), (got.factors, expected.factors)):
        np.testing.assert_array_equal(np.asarray(x)[~own], np.asarray(y)[~own])
        assert not np.isfinite(np.asarray(x)[own]).any()
    assert not np.isfinite(np.asarray(head.pieces(COVER, FACES, np.float32(vertices)))[own]).any()
    slope, whole = (
        np.asarray(measure(np.float32(x), np.float32(COLORS))[1][0]) for x in (vertices, VERTICES)
    )
    near = np.unique(FACES[(FACES == 9).any(-1)])
    assert np.isfinite(slope).all() and not slope[9].any()
    far = np.setdiff1d(np.arange(len(VERTICES)), near)
    np.testing.assert_array_equal(slope[far], whole[far])


@pytest.mark.parametrize("absent", [2**31 - 1, len(VERTICES), -1, -len(VERTICES), -(2**31)])
def test_a_vertex_that_does_not_exist_is_not_finite(absent):
    faces = FACES.copy()
    faces[5, 2] = absent
    own = COVER.triangles == 5
    got = head.carry(COVER, jnp.asarray(faces), np.float32(VERTICES), COLORS)
    assert (np.isfinite(got.factors).all((-1, -2)) == ~own).all()
    owners = np.where(own, np.int32(absent if absent < 0 else 2**30), COVER.triangles)
    got = carry(np.float32(VERTICES), cover=head.Cover(jnp.asarray(owners), COVER.corners))
    assert (np.isfinite(got.factors).all((-1, -2)) == ~own).all()


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32, np.int64])
def test_indices_of_any_integer_type_are_read(dtype):
    with float64():
        faces = jnp.asarray(FACES.astype(dtype))
        expected = as_numpy(carry(np.float32(VERTICES)))
        got = as_numpy(carry(np.float32(VERTICES), faces=faces))
        np.testing.assert_array_equal(got.means, expected.means)
        far = min(int(np.iinfo(dtype).max), 2**32)
        owners = COVER.triangles.astype(dtype)
        owners[COVER.triangles == 5] = far
        got = carry(np.float32(VERTICES), faces, head.Cover(jnp.asarray(owners), COVER.corners))
        absent = ~np.isfinite(np.asarray(got.means)).all(-1)
        np.testing.assert_array_equal(absent, COVER.triangles == 5)


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_triangle_without_area_is_flat_and_still_moves(share):
    """Two of its corners are one, or it lies on a line: no normal, and no gradient of it."""
    vertices = np.float32(VERTICES)
    vertices[9] = (1 - share) * vertices[17] + share * vertices[18]
    edges = np.diff(np.float64(vertices)[FACES[COVER.triangles]], axis=1)
    own = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=-1) < 1e-9
    got = as_numpy(carry(vertices))
    assert 0 < own.sum() and (own == ~got.factors[..., 2].any(-1)).all()
    corners = COVER.corners[own] @ np.float64(vertices)[FACES[COVER.triangles[own]]]
    np.testing.assert_allclose(got.means[own], corners.mean(1), atol=2e-8)
    np.testing.assert_allclose(
        got.factors[own][..., 0], SIZE * (corners[:, 1] - corners[:, 0]), atol=1e-8
    )
    assert np.isfinite(measure(vertices, np.float32(COLORS))[1][0]).all()


@pytest.mark.thorough
def test_a_batch_of_meshes_is_a_loop():
    meshes = np.float32([VERTICES, transform(VERTICES)])
    batch = jax.vmap(lambda x: carry(x))(meshes)
    for i, mesh in enumerate(meshes):
        one = carry(mesh)
        chex.assert_trees_all_close(jax.tree.map(lambda x, i=i: x[i], batch), one, rtol=1e-6)


def with_axes(**changes):
    return COVER._replace(**changes)


WRONG = {
    "no cover": ((tuple(COVER), FACES, VERTICES, COLORS), TypeError, "cover: expected a Cover"),
    "owners": (
        (with_axes(triangles=COVER.corners), FACES, VERTICES, COLORS),
        TypeError,
        "cover.triangles: expected an array of integers, got float64",
    ),
    "corners": (
        (with_axes(corners=COVER.corners[:-1]), FACES, VERTICES, COLORS),
        ValueError,
        r"cover.corners: expected shape \(150, 3, 3\)",
    ),
    "other mesh": (
        (COVER, FACES[:20], VERTICES, COLORS),
        ValueError,
        "cover.triangles: .* 20 faces",
    ),
    "few vertices": ((COVER, FACES, VERTICES[:9], COLORS), ValueError, "faces: .* 9 vertices"),
    "faces": ((COVER, VERTICES, VERTICES, COLORS), TypeError, "faces: expected an array of integ"),
    "batch": ((COVER, FACES, VERTICES[None], COLORS), ValueError, r"vertices: .*\(V, 3\).*vmap"),
    "integers": ((COVER, FACES, FACES, COLORS), TypeError, "vertices: expected a floating-point"),
    "colors": ((COVER, FACES, VERTICES, COLORS[:9]), ValueError, r"colors: .*\(150, C\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_named(name):
    arguments, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        head.carry(*arguments)
    if name != "colors":
        with pytest.raises(error, match=message):
            head.pieces(*arguments[:3])
