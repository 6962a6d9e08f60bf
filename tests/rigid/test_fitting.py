"""`fit_rigid` against SciPy, OpenCV, float64 and finite differences; sets without a motion."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.support import float64
from scipy.spatial.transform import Rotation

import sf3d_jax as sf3d
from sf3d_jax.se3 import _turns

SETS, COUNT = 8, 12


def clouds(seed=0, sets=SETS, count=COUNT, noise=0.1):
    """Points, next points and weights of turns from 0 to exactly half a turn about any axis."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(sets, count, 3))
    axis = rng.normal(size=(sets, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    turn = Rotation.from_rotvec(np.linspace(0, np.pi, sets)[:, None] * axis).as_matrix()
    moved = points @ np.swapaxes(turn, 1, 2) + rng.normal(size=(sets, 1, 3))
    return points, moved + noise * rng.normal(size=moved.shape), rng.uniform(size=(sets, count))


def scipy_fit(points, next_points, weights):
    """R and t of SciPy, which fits directions: points minus their means."""
    mean = lambda x: weights @ x / weights.sum()
    before, after = mean(points), mean(next_points)
    turn, _ = Rotation.align_vectors(next_points - after, points - before, weights=weights)
    matrix = turn.as_matrix()
    return np.hstack([matrix, (after - matrix @ before)[:, None]])


@pytest.mark.parametrize(
    ("sets", "count"), [(SETS, COUNT), pytest.param(200, 7, marks=pytest.mark.thorough)]
)
def test_the_fit_is_that_of_scipy_at_all_angles(sets, count):
    points, moved, weights = clouds(sets=sets, count=count)
    points[1, :, 2] = moved[1, :, 2] = 0  # planar: a rotation and a reflection fit equally well
    with float64():
        fit = sf3d.fit_rigid(points, moved, weights=weights)
    expected = np.stack([scipy_fit(*x) for x in zip(points, moved, weights, strict=True)])
    assert fit.valid.all()
    np.testing.assert_allclose(fit.transform, expected, rtol=0, atol=1e-12)
    left = moved - points @ np.swapaxes(expected[..., :3], 1, 2) - expected[:, None, :, 3]
    np.testing.assert_allclose(fit.residual, left, rtol=0, atol=1e-12)


@pytest.mark.thorough
def test_a_similarity_is_that_of_opencv():
    points, moved, _ = clouds(sets=200)
    moved *= np.random.default_rng(1).uniform(0.2, 3, (200, 1, 1))
    with float64():
        fit = sf3d.fit_rigid(points, moved, scale=True)
    for before, after, transform in zip(points, moved, np.asarray(fit.transform), strict=True):
        expected, scale = cv2.estimateAffine3D(before, after, force_rotation=True)
        expected[:, :3] *= scale
        np.testing.assert_allclose(transform, expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(transform[:, :3], axis=0), scale, rtol=1e-12)


SHAPES = {
    "generic": np.ones(3),
    "planar": np.array([1, 1, 0]),
    "isotropic": np.ones(3),
    "planar isotropic": np.array([1, 1, 0]),
}


def special_clouds():
    """A cloud of each of SHAPES, moved without noise, so that singular values stay equal."""
    rng = np.random.default_rng(2)
    corners = np.concatenate([np.eye(3), -np.eye(3)] * 2)
    square = np.concatenate([np.eye(3)[:2], -np.eye(3)[:2]] * 3)
    points = [rng.normal(size=(COUNT, 3)), rng.normal(size=(COUNT, 3)) * SHAPES["planar"]]
    points = np.stack([*points, corners, square])
    turns = Rotation.from_rotvec(rng.normal(size=(4, 3))).as_matrix()
    return points, points @ np.swapaxes(turns, 1, 2) + rng.normal(size=(4, 1, 3))


def test_derivatives_are_those_of_finite_differences():
    """Both modes, at clouds with equal and with zero singular values, where an SVD's are wrong."""
    rng = np.random.default_rng(3)
    points, moved = special_clouds()
    weights = rng.uniform(0.5, 1, points.shape[:2])
    weights[2:] = 1
    inputs = points, moved, weights
    directions = tuple(rng.normal(size=x.shape) for x in inputs)
    transform_mix, residual_mix = rng.normal(size=(3, 4)), rng.normal(size=(COUNT, 3))

    def mix(points, moved, weights):
        fit = sf3d.fit_rigid(points, moved, weights=weights)
        parts = fit.transform * transform_mix[None], fit.residual * residual_mix[None]
        return sum(part.sum((-2, -1)) for part in parts)

    with float64():
        push = jax.jit(lambda x, v: jax.jvp(mix, x, v))
        value = lambda *x: push(x, directions)[0]
        along = lambda h: value(*(x + h * v for x, v in zip(inputs, directions, strict=True)))
        near, far = ((along(h) - along(-h)) / (2 * h) for h in (1e-3, 2e-3))
        nearest = (along(5e-4) - along(-5e-4)) / 1e-3
        once = (4 * near - far) / 3, (4 * nearest - near) / 3
        expected = (16 * once[1] - once[0]) / 15
        _, forward = push(inputs, directions)
        gradient = jax.jit(jax.grad(lambda *x: mix(*x).sum(), argnums=(0, 1, 2)))(*inputs)
    backward = sum(
        (np.asarray(g) * v).reshape(4, -1).sum(1) for g, v in zip(gradient, directions, strict=True)
    )
    np.testing.assert_allclose(forward, expected, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(backward, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.thorough
def test_second_derivatives_are_those_of_finite_differences():
    points, moved = special_clouds()
    step = np.random.default_rng(4).normal(size=moved.shape)
    slope = jax.jit(jax.grad(lambda x: (sf3d.fit_rigid(points, x).transform ** 2)[..., :2].sum()))
    with float64():
        _, got = jax.jvp(slope, (moved,), (step,))
        expected = (slope(moved + 1e-5 * step) - slope(moved - 1e-5 * step)) / 2e-5
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)


SMALL = 1e-5


def small_motions(shape):
    """Clouds of 0.1 m at 1 m that move by 10 micrometres; float32."""
    rng = np.random.default_rng(5)
    points = rng.uniform(-0.05, 0.05, (SETS, COUNT, 3)) * shape + [0.1, 0.2, 1]
    axis = rng.normal(size=(SETS, 1, 3)) * SMALL / 0.05
    motions = np.cross(axis, points - points.mean(1, keepdims=True))
    motions += SMALL * rng.normal(size=(SETS, 1, 3)) + 0.01 * SMALL * rng.normal(size=points.shape)
    return np.float32(points), np.float32(motions)


def exact_fit(points, motions):
    """D and t of the best rotation in float64: Gauss-Newton from D = 0 on the small motions."""
    points, motions = np.float64(points), np.float64(motions)
    middle, shift = points.mean(0), motions.mean(0)
    x, s = points - middle, motions - shift
    turn = np.zeros((3, 3))
    for _ in range(10):
        turned, left = x + x @ turn.T, s - x @ turn.T
        rows = [[np.zeros(3), *(np.cross(np.eye(3), p))] for p in turned]
        design = np.concatenate([np.stack(row[1:], 1) for row in rows])
        step = Rotation.from_rotvec(np.linalg.lstsq(design, left.ravel(), rcond=None)[0])
        change = step.as_matrix() - np.eye(3)
        turn = turn + change + change @ turn
    return turn, shift - turn @ middle


@pytest.mark.parametrize("flat", [1, 0])
def test_small_motions_keep_their_digits_in_float32(flat):
    points, motions = small_motions(np.array([1, 1, flat]))
    fit = sf3d.fit_rigid(points, motions=motions, weights=np.ones((SETS, COUNT), np.float32))
    assert fit.valid.all()
    turns, shifts = _turns.split(fit.transform)
    turns = np.moveaxis(np.float64(turns), -1, 0)
    shifts = np.moveaxis(np.float64(shifts), -1, 0)
    for turn, shift, x, s, left in zip(turns, shifts, points, motions, fit.residual, strict=True):
        expected, t = exact_fit(x, s)
        assert abs(turn - expected).max() < 1e-5 * abs(expected).max()
        moved, true = x @ turn.T + shift, x @ expected.T + t
        assert np.linalg.norm(moved - true, axis=1).max() < 1e-5 * abs(true).max()
        np.testing.assert_allclose(left, s - true, rtol=0, atol=1e-5 * SMALL * 10)


def spoiled(name):
    """A set without a rigid motion, as points, motions and weights in float32."""
    rng = np.random.default_rng(6)
    points, weights = rng.normal(size=(COUNT, 3)), np.ones(COUNT)
    turn = Rotation.from_rotvec([0.3, 2, 1]).as_matrix()
    if name == "collinear":
        points = np.linspace(0.1, 7, COUNT)[:, None] * points[0] + points[1]
    if name == "coincident":
        points[:] = points[0]
    if name in ("two points", "one point", "no weight"):
        weights[["no weight", "one point", "two points"].index(name) :] = 0
    if name == "negative and no number":
        weights[2:], weights[5:] = -1, np.nan
    if name == "points that are no numbers":
        points[2:] = np.nan
    moved = points @ turn.T + 0.3
    if name == "mirrored":
        moved[:, 0] *= -1
    if name == "moved to one point":
        moved[:] = 0.3
    return np.float32(points), np.float32(moved - points), np.float32(weights)


SPOILED = """collinear,coincident,two points,one point,no weight,negative and no number,points that
    are no numbers,mirrored,moved to one point""".replace("\n    ", " ").split(",")


@pytest.fixture(scope="module")
def fit_of_spoiled():
    """Fits of sets that have no motion, and their gradients, beside a good set."""
    good = np.float32(clouds(7, 2, COUNT)[0])
    sets = [*(spoiled(name) for name in SPOILED), (good[0], 0 * good[1] + 1, np.ones(COUNT))]
    inputs = tuple(np.float32(x) for x in map(np.stack, zip(*sets, strict=True)))

    def total(x, s, w):
        fit = sf3d.fit_rigid(x, motions=s, weights=w)
        return (fit.transform**2).sum() + (
            fit.transform[..., 0] + fit.residual[..., 0, :]
        ).sum(), fit

    (_, fit), gradients = jax.jit(jax.value_and_grad(total, (0, 1, 2), has_aux=True))(*inputs)
    return fit, gradients


@pytest.mark.parametrize("name", SPOILED)
def test_sets_without_a_motion_are_not_valid_and_pass_no_gradient(name, fit_of_spoiled):
    fit, gradients = fit_of_spoiled
    k = SPOILED.index(name)
    assert not fit.valid[k]
    np.testing.assert_array_equal(fit.transform[k], np.eye(3, 4))
    assert not np.any(fit.residual[k])
    for gradient in gradients:
        assert not np.any(gradient[k])
        assert np.isfinite(gradient).all()
    assert fit.valid[-1]
    assert np.any(gradients[1][-1])


def test_bad_points_and_weights_are_as_if_absent():
    points, moved, weights = (np.float32(x) for x in clouds(8))
    bad_points, bad_moved, bad_weights = points.copy(), moved - points, weights.copy()
    bad_points[:, 0], bad_moved[:, 1, 0], bad_points[:, 2] = np.nan, np.inf, 1e30
    bad_weights[:, 3], bad_weights[:, 4] = -1, np.nan
    fit = sf3d.fit_rigid(bad_points, motions=bad_moved, weights=bad_weights)
    for k in range(SETS):
        expected = scipy_fit(points[k, 5:], moved[k, 5:], weights[k, 5:])
        np.testing.assert_allclose(fit.transform[k], expected, rtol=0, atol=3e-6)
    assert fit.valid.all()
    assert not np.any(fit.residual[:, :5])
    assert np.all(np.any(fit.residual[:, 5:], -1))


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(20))
def test_lines_are_not_valid_wherever_they_are(seed):
    rng = np.random.default_rng(seed)
    spread, far = 10 ** rng.uniform([-3, -2], [1, 2], (SETS, 2)).T[..., None, None]
    along = rng.normal(size=(SETS, COUNT, 1)) * rng.normal(size=(SETS, 1, 3))
    points = spread * along + far * rng.normal(size=(SETS, 1, 3))
    moved = points @ Rotation.random(random_state=seed).as_matrix().T
    assert not sf3d.fit_rigid(np.float32(points), np.float32(moved)).valid.any()


@pytest.mark.thorough
def test_a_million_points_broadcast_axes_and_maps():
    rng = np.random.default_rng(9)
    points = np.float32(rng.normal(size=(1 << 20, 3)) + np.array([0, 0, 5]))
    motions = np.float32(
        SMALL * np.cross([1, 2, 3], points) + SMALL * rng.normal(size=points.shape)
    )
    fit = sf3d.fit_rigid(points, motions=motions, valid=np.ones((2, 1, 1 << 20), bool))
    assert fit.transform.shape == (2, 1, 3, 4)
    with float64():
        expected = sf3d.fit_rigid(np.float64(points), motions=np.float64(motions))
    moved = np.asarray(expected.residual) - motions
    np.testing.assert_allclose(
        fit.residual[1, 0] - motions, moved, rtol=0, atol=1e-5 * abs(moved).max()
    )


@pytest.mark.thorough
def test_a_map_over_sets_is_the_call_of_a_batch():
    points, moved, weights = (np.float32(x) for x in clouds(10))
    together = sf3d.fit_rigid(points, moved, weights=weights)
    mapped = jax.vmap(lambda *x: sf3d.fit_rigid(*x[:2], weights=x[2]))(points, moved, weights)
    for k in range(SETS):
        alone = sf3d.fit_rigid(points[k], moved[k], weights=weights[k])
        for one, all_, other in zip(alone, together, mapped, strict=True):
            np.testing.assert_allclose(one, all_[k], rtol=0, atol=1e-6)
            np.testing.assert_allclose(one, other[k], rtol=0, atol=1e-6)
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("sets",))
    along = jax.sharding.PartitionSpec("sets")
    spread = jax.shard_map(
        lambda x, y: jax.grad(lambda y: sf3d.fit_rigid(x, y).transform.sum())(y),
        mesh=mesh,
        in_specs=along,
        out_specs=along,
    )
    whole = jax.grad(lambda y: sf3d.fit_rigid(points, y).transform.sum())(moved)
    np.testing.assert_allclose(spread(points, moved), whole, rtol=0, atol=1e-6)


def test_what_does_not_fit_is_named():
    points = np.ones((4, 3), np.float32)
    with pytest.raises(TypeError, match="one of next_points and motions, got neither"):
        sf3d.fit_rigid(points)
    with pytest.raises(TypeError, match="one of next_points and motions, got both"):
        sf3d.fit_rigid(points, points, motions=points)
    with pytest.raises(ValueError, match=r"next_points: expected shape \(..., 4, 3\)"):
        sf3d.fit_rigid(points, points[:3])
    with pytest.raises(ValueError, match=r"points: expected shape \(..., n, 3\)"):
        sf3d.fit_rigid(points[0], points)
    with pytest.raises(ValueError, match=r"weights: expected shape \(..., 4\)"):
        sf3d.fit_rigid(points, points, weights=points[0])
    with pytest.raises(TypeError, match="valid: expected an array of bool"):
        sf3d.fit_rigid(points, points, valid=np.ones(4, np.float32))
    with pytest.raises(ValueError, match="batch axes do not broadcast"):
        sf3d.fit_rigid(jnp.ones((2, 4, 3)), motions=jnp.ones((3, 4, 3)))
