"""attach: GaussianAvatars' frame by its own formula, and the affine map of a triangle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.meshes import LINEAR, SHIFT, sphere, transform
from helpers.support import as_numpy, float64

from sf3d_jax import data, head
from sf3d_jax.gaussians import Gaussians

VERTICES, FACES = sphere()
COUNT = 90
RNG = np.random.default_rng(0)
TRIANGLES = RNG.integers(0, len(FACES), COUNT).astype(np.int32)
LOCAL = Gaussians(
    RNG.normal(size=(COUNT, 3)),
    RNG.normal(size=(COUNT, 3, 3)),
    RNG.uniform(0.1, 1, COUNT),
    RNG.uniform(size=(COUNT, 4, 3)),
)
# Another shape, whose triangles stretch, shear and turn.
MOVED = VERTICES + 0.02 * RNG.normal(size=VERTICES.shape) + np.array([0.1, 0.2, 1])


def cast(tree, dtype):
    return jax.tree.map(lambda x: x.astype(dtype), tree)


def attach(vertices, rest=None, dtype=np.float32, triangles=TRIANGLES):
    bound = data.BoundGaussians(cast(LOCAL, dtype), triangles)
    rest = None if rest is None else rest.astype(dtype)
    return as_numpy(head.attach(bound, FACES, vertices.astype(dtype), rest=rest))


def find_frame(vertices):
    """GaussianAvatars' compute_face_orientation and face centres, in float64."""
    v0, v1, v2 = (vertices[FACES[TRIANGLES, k]] for k in range(3))
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)
    a0 = unit(v1 - v0)
    a1 = unit(np.cross(a0, v2 - v0))
    a2 = -unit(np.cross(a1, a0))
    size = (np.linalg.norm(v1 - v0, axis=-1) + np.abs((a2 * (v2 - v0)).sum(-1))) / 2
    return np.stack([a0, a1, a2], -1), size[:, None, None], (v0 + v1 + v2) / 3


def check(got, means, factors, digits):
    np.testing.assert_allclose(got.means, means, atol=digits)
    np.testing.assert_allclose(got.factors, factors, atol=digits)


@thorough.parametrize(
    "dtype, digits", [(np.float32, 1e-6), (np.float64, 1e-14)], default=[(np.float32, 1e-6)]
)
def test_the_frame_is_that_of_gaussian_avatars(dtype, digits):
    with float64():
        got = attach(MOVED, dtype=dtype)
    rotation, size, origin = find_frame(np.float64(MOVED.astype(dtype)))
    local = cast(cast(LOCAL, dtype), np.float64)
    means = ((size * rotation) @ local.means[..., None])[..., 0] + origin
    check(got, means, size * rotation @ local.factors, digits)
    assert got.means.dtype == dtype
    np.testing.assert_array_equal(got.opacities, local.opacities.astype(dtype))
    np.testing.assert_array_equal(got.colors, local.colors.astype(dtype))


@pytest.mark.thorough
def test_at_rest_both_are_the_same():
    plain, full = attach(MOVED), attach(MOVED, rest=MOVED)
    check(full, plain.means, plain.factors, 3e-7)


def test_with_a_rest_shape_gaussians_follow_an_affine_map():
    """In the plane of their triangles; across it, they stay perpendicular."""
    start = attach(VERTICES, dtype=np.float32)
    after = attach(transform(VERTICES), rest=VERTICES)
    edges = lambda x: np.diff(x[FACES[TRIANGLES]], axis=1)
    grow = []
    for x in (VERTICES, transform(VERTICES)):
        product = np.cross(*np.moveaxis(edges(x), 1, 0))
        grow.append(product / np.sqrt(np.linalg.norm(product, axis=-1, keepdims=True)))
    before, then = grow
    inverse = before / (before * before).sum(-1, keepdims=True)
    across = then - before @ LINEAR.T
    gradient = LINEAR + across[..., None] * inverse[:, None]
    origin = VERTICES[FACES[TRIANGLES]].mean(1)
    offsets = (gradient @ (start.means - origin)[..., None])[..., 0]
    check(after, offsets + origin @ LINEAR.T + SHIFT, gradient @ start.factors, 2e-6)


@pytest.mark.thorough
def test_gaussians_bound_at_rest_are_those_that_carry_makes():
    """Of whole triangles: what carry makes at rest, in the triangles' frames, is carried alike."""
    cover = head.cover(VERTICES, FACES, 1)
    colors = np.zeros((len(FACES), 1))
    triangles = np.arange(len(FACES), dtype=np.int32)
    with float64():
        make = lambda x: as_numpy(head.carry(cover, FACES, x, colors))
        start, expected = make(VERTICES), make(MOVED)
        frames = data.BoundGaussians(
            Gaussians(0 * start.means, 0 * start.factors + np.eye(3), start.opacities, colors),
            triangles,
        )
        axes = as_numpy(head.attach(frames, FACES, VERTICES)).factors
        local = Gaussians(
            0 * start.means, np.linalg.solve(axes, start.factors), start.opacities, colors
        )
        bound = data.BoundGaussians(local, triangles)
        got = as_numpy(head.attach(bound, FACES, MOVED, rest=VERTICES))
    check(got, expected.means, expected.factors, 1e-14)


def test_the_gradient_is_that_of_finite_differences():
    bound = data.BoundGaussians(LOCAL, TRIANGLES)

    @jax.jit
    def measure(vertices, rest, means):
        def combine(vertices, rest, means):
            local = Gaussians(means, LOCAL.factors, LOCAL.opacities, LOCAL.colors)
            made = head.attach(bound._replace(local=local), FACES, vertices, rest=rest)
            return jnp.sin(9 * made.means).sum() + jnp.sin(9 * made.factors).sum()

        return jax.value_and_grad(combine, (0, 1, 2))(vertices, rest, means)

    step = 1e-6
    with float64():
        inputs = MOVED, VERTICES, LOCAL.means
        along = [np.random.default_rng(k).normal(size=x.shape) for k, x in enumerate(inputs)]
        expected = sum(np.vdot(x, y) for x, y in zip(measure(*inputs)[1], along, strict=True))
        ahead, behind = (
            measure(*(x + s * y for x, y in zip(inputs, along, strict=True)))[0]
            for s in (step, -step)
        )
        np.testing.assert_allclose((ahead - behind) / (2 * step), expected, rtol=1e-6)


@pytest.mark.non_finite
def test_bad_triangles_take_their_own_gaussians_away():
    expected = attach(MOVED, rest=VERTICES)
    vertices, rest = MOVED.copy(), VERTICES.copy()
    vertices[9], rest[20] = np.nan, np.inf
    got = attach(vertices, rest=rest)
    own = np.isin(FACES[TRIANGLES], [9, 20]).any(-1)
    assert (np.isfinite(got.factors).all((-1, -2)) == ~own).all()
    check(jax.tree.map(lambda x: x[~own], got), expected.means[~own], expected.factors[~own], 0)


def test_a_triangle_that_does_not_exist_takes_its_gaussian_away():
    triangles = jnp.asarray(np.where(np.arange(COUNT) == 7, -1, TRIANGLES))
    got = attach(MOVED, rest=VERTICES, triangles=triangles)
    np.testing.assert_array_equal(np.isfinite(got.means).all(-1), np.arange(COUNT) != 7)


def test_a_triangle_without_area_gives_singular_factors():
    for name in ("vertices", "rest"):
        shapes = {"vertices": MOVED.copy(), "rest": VERTICES.copy()}
        shapes[name][9] = shapes[name][17]
        got = attach(**shapes)
        own = np.isin(FACES[TRIANGLES], [9, 17]).sum(-1) == 2
        ranks = np.linalg.matrix_rank(got.factors, rtol=1e-6)
        assert own.any() and (ranks[own] < 3).all() and (ranks[~own] == 3).all()
        assert np.isfinite(got.means).all()


def test_wrong_arguments_are_named():
    bound = data.BoundGaussians(LOCAL, TRIANGLES)
    with pytest.raises(TypeError, match="bound: expected BoundGaussians, got Gaussians"):
        head.attach(LOCAL, FACES, VERTICES)
    with pytest.raises(ValueError, match=r"bound\.triangles: expected shape \(90\), got \(9,\)"):
        head.attach(bound._replace(triangles=TRIANGLES[:9]), FACES, VERTICES)
    with pytest.raises(ValueError, match=r"bound\.triangles: expected indices of the 5 faces"):
        head.attach(bound, FACES[:5], VERTICES)
    with pytest.raises(ValueError, match=r"rest: expected shape \(34, 3\), got \(33, 3\)"):
        head.attach(bound, FACES, VERTICES, rest=VERTICES[1:])
    with pytest.raises(ValueError, match=r"vertices: expected shape"):
        head.attach(bound, FACES, VERTICES[:, :2])
