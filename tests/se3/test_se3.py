"""Rigid transforms: group laws, jaxlie and SciPy in float64, digits of small motions, bad input."""

import functools

import cv2
import jax
import jax.numpy as jnp
import jaxlie
import numpy as np
import pytest
from helpers import thorough
from helpers.support import as_numpy, cast, float64
from scipy.spatial.transform import Rotation

import sf3d_jax as sf3d
from sf3d_jax import se3

COUNT = 16
# Each function with the kinds of its arguments.
FUNCTIONS = {
    "exp": (se3.exp, "x"),
    "log": (se3.log, "T"),
    "compose": (se3.compose, "TT"),
    "inverse": (se3.inverse, "T"),
    "apply": (se3.apply, "Tp"),
    "displacement": (se3.displacement, "Tp"),
    "between": (se3.between, "TT"),
    "interpolate": (se3.interpolate, "TTt"),
    "adjoint": (se3.adjoint, "T"),
    "look_at": (se3.look_at, "ppp"),
    "from_quaternion": (se3.from_quaternion, "qp"),
    "to_quaternion": (se3.to_quaternion, "T"),
    "from_rotation_vector": (se3.from_rotation_vector, "pp"),
    "to_rotation_vector": (se3.to_rotation_vector, "T"),
}
SHAPES = {"T": (3, 4), "x": (6,), "p": (3,), "q": (4,), "t": ()}
# At the identity, tiny, around the ends of the series, and short of half a turn.
ANGLES = [0, 1e-13, 1e-4, 0.3, 0.5, 0.999, 1.001, 1.4, 1.5, 1.6, 2.0, 2.2, 3.0, 3.1, 3.14, 3.1415]


def compile_with_gradient(function):
    """(*arrays) -> the result, and the gradient of its weighted sum, for COUNT elements."""

    def loss(arrays):
        result = function(*arrays)
        return (weigh(result) * result).sum(), result

    run = jax.jit(jax.value_and_grad(loss, has_aux=True))

    def call(*arrays):
        with float64():
            (_, result), gradient = as_numpy(run([np.float64(x) for x in arrays]))
        assert result.dtype == np.float64
        return result, gradient

    return call


def weigh(result):
    """Weights of the entries of each element, all different."""
    shape = result.shape[1:]
    return np.cos(1 + np.arange(np.prod(shape, dtype=int))).reshape(1, *shape)


RUNS = {name: compile_with_gradient(function) for name, (function, _) in FUNCTIONS.items()}
# Its gradient takes as long to compile as those of all others.
DEAR = "interpolate"


def run(name, *arrays):
    if name != DEAR:
        return RUNS[name](*arrays)[0]
    with float64():
        return np.asarray(FUNCTIONS[name][0](*arrays))


each_function = thorough.parametrize(
    "name", FUNCTIONS, default=[name for name in FUNCTIONS if name != DEAR]
)


def draw_twists(seed, angles):
    twists = np.random.default_rng(seed).normal(size=(COUNT, 6))
    twists[:, 3:] *= (np.resize(angles, COUNT) / np.linalg.norm(twists[:, 3:], axis=-1))[:, None]
    return twists


A, B, C = draw_twists(0, ANGLES), draw_twists(1, ANGLES[:2:-1]), draw_twists(2, [0.7, 2.0])
POINTS = np.random.default_rng(3).normal(size=(COUNT, 3))
TIMES = np.linspace(-0.5, 1.5, COUNT)


def jaxlies(a, b, time):
    first, second = jaxlie.SE3.exp(a), jaxlie.SE3.exp(b)
    at = jaxlie.SE3.exp(time * (second @ first.inverse()).log()) @ first
    wxyz = first.rotation().wxyz
    return first.as_matrix(), second.as_matrix(), at.as_matrix(), first.adjoint(), wxyz


@functools.cache
def expected():
    """What jaxlie gives for each function of first = exp(A) and second = exp(B)."""
    # jaxlie mixes types and ranks.
    with float64(), jax.numpy_dtype_promotion("standard"):
        matrices = as_numpy(jax.jit(jax.vmap(jaxlies))(A, B, TIMES))
    first, second, at, adjoint, wxyz = matrices
    turned = np.concatenate([first[:, :3, :3], POINTS[..., None]], axis=-1)
    moved = np.einsum("bij,bj->bi", first[:, :3, :3], POINTS) + first[:, :3, 3]
    return {
        "exp": first[:, :3],
        "log": A,
        "compose": (second @ first)[:, :3],
        "inverse": np.linalg.inv(first)[:, :3],
        "apply": moved,
        "displacement": moved - POINTS,
        "between": (second @ np.linalg.inv(first))[:, :3],
        "interpolate": at[:, :3],
        "adjoint": adjoint,
        "from_quaternion": turned,
        "to_quaternion": wxyz * np.sign(wxyz[:, :1]),
        "from_rotation_vector": turned,
        "to_rotation_vector": A[:, 3:],
    }


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "look_at"])
def test_matches_jaxlie(name):
    """jaxlie's logarithm next to half a turn has few digits; there it is what was put in."""
    first, second = run("exp", A), run("exp", B)
    by_name = {
        "exp": [A],
        "compose": [second, first],
        "apply": [first, POINTS],
        "displacement": [first, POINTS],
        "between": [first, second],
        "interpolate": [first, second, TIMES],
        "from_quaternion": [-3 * run("to_quaternion", first), POINTS],
        "from_rotation_vector": [A[:, 3:], POINTS],
    }
    got = run(name, *by_name.get(name, [first]))
    np.testing.assert_allclose(got, expected()[name], rtol=1e-12, atol=2e-12)


def test_quaternions_and_vectors_are_scipys():
    """SciPy writes the real part last."""
    rotations = Rotation.from_rotvec(A[:, 3:])
    transforms = run("exp", A)
    wanted = rotations.as_quat(canonical=True)[:, [3, 0, 1, 2]]
    np.testing.assert_allclose(run("to_quaternion", transforms), wanted, atol=1e-15)
    np.testing.assert_allclose(transforms[:, :, :3], rotations.as_matrix(), atol=1e-15)
    made = run("from_rotation_vector", A[:, 3:], POINTS)
    np.testing.assert_allclose(made[:, :, 3], POINTS)
    np.testing.assert_allclose(made[5, :, :3], cv2.Rodrigues(A[5, 3:])[0], atol=1e-15)


def test_laws_of_the_group_hold():
    first, second, third = (run("exp", x) for x in (A, B, C))
    chain = functools.partial(run, "compose")
    identity = np.broadcast_to(np.eye(3, 4), first.shape)
    power = np.einsum("bij,bj->bi", run("adjoint", first), C)
    laws = {
        "identity": (chain(first, identity), first),
        "inverse": (chain(first, run("inverse", first)), identity),
        "associative": (chain(chain(third, second), first), chain(third, chain(second, first))),
        "exp of log": (run("exp", run("log", third)), third),
        "log of exp": (run("log", third), C),
        "adjoint": (run("exp", power), chain(chain(first, third), run("inverse", first))),
        "between": (chain(run("between", first, second), first), second),
    }
    for name, (got, wanted) in laws.items():
        np.testing.assert_allclose(got, wanted, atol=5e-15, rtol=1e-13, err_msg=name)


def test_interpolation_has_its_ends_and_a_constant_velocity():
    first, third = run("exp", A), run("exp", C)
    at = lambda times: run("interpolate", first, third, times)
    np.testing.assert_allclose(at(np.zeros(COUNT)), first, atol=1e-15)
    np.testing.assert_allclose(at(np.ones(COUNT)), third, atol=5e-15)
    whole = run("log", run("between", first, third))
    step = run("log", run("between", at(TIMES), at(TIMES + 0.1)))
    np.testing.assert_allclose(step, 0.1 * whole, atol=1e-14)


def draw_half_turns():
    """Half a turn and nearly so on either side, about several axes."""
    axis = np.array([0.48, -0.6, 0.64])
    axes = np.array([axis, [0, 1, 0], [0, 0, -1], *([axis] * 5)])
    angles = np.pi * (1 + np.array([0, 0, 0, -1e-15, 1e-15, -1e-8, 1e-8, 1e-3]))
    return np.resize(np.concatenate([axes, angles[:, None] * axes], axis=-1), (COUNT, 6))


def test_half_a_turn_comes_back_one_way_or_the_other():
    transforms = run("exp", draw_half_turns())
    back, gradient = RUNS["log"](transforms)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(run("exp", back), transforms, atol=2e-15)
    assert (np.linalg.norm(back[:, 3:], axis=-1) < np.pi * (1 + 1e-15)).all()
    assert (run("to_quaternion", transforms)[:, 0] >= 0).all()
    # Of exact ones, the largest component is positive.
    exact = np.broadcast_to(np.diag([-1.0, 1, -1]) @ np.eye(3, 4), (COUNT, 3, 4))
    np.testing.assert_allclose(run("to_quaternion", exact)[0], [0, 0, 1, 0], atol=1e-16)
    np.testing.assert_allclose(run("log", exact)[0], [0, 0, 0, 0, np.pi, 0], atol=1e-15)


def make_arguments(kinds, batches=None, seed=7):
    """Arrays of the kinds of arguments; COUNT elements each, or batches of generic ones."""
    rng = np.random.default_rng(seed)
    made = []
    for i, kind in enumerate(kinds):
        batch = (COUNT,) if batches is None else batches[i]
        x = rng.normal(size=(*batch, *SHAPES[kind]))
        if kind == "T":
            turns = x[..., 3].reshape(-1, 3)
            if batches is None:
                turns = np.concatenate([A[:13, 3:], draw_half_turns()[:3, 3:]])[:: 1 - 2 * i]
            x[..., :3] = Rotation.from_rotvec(turns).as_matrix().reshape(x[..., :3].shape)
        made.append(x)
    return made


def move_along(kinds, arrays):
    """A function of a step that moves the arrays, transforms along the group; and its velocity."""
    rng = np.random.default_rng(8)
    velocity = [rng.normal(size=x.shape) for x in arrays]
    turns = [rng.normal(size=(len(x), 3)) for x in arrays]

    def move(step):
        moved = [x + step * v for x, v in zip(arrays, velocity, strict=True)]
        for kind, x, start, turn in zip(kinds, moved, arrays, turns, strict=True):
            if kind == "T":
                x[..., :3] = Rotation.from_rotvec(step * turn).as_matrix() @ start[..., :3]
        return moved

    for kind, v, start, turn in zip(kinds, velocity, arrays, turns, strict=True):
        if kind == "T":
            v[..., :3] = np.cross(turn[:, None, :], start[..., :3], axisb=-2, axisc=-2)
    return move, velocity


@each_function
def test_the_gradient_is_that_of_finite_differences(name):
    """At the identity, at half a turn and between; of each element by itself."""
    kinds = FUNCTIONS[name][1]
    arrays = make_arguments(kinds)
    move, velocity = move_along(kinds, arrays)
    result, gradient = RUNS[name](*arrays)
    total = lambda x: x.reshape(COUNT, -1).sum(-1)
    along = sum(total(g * v) for g, v in zip(gradient, velocity, strict=True))
    weighted = lambda step: total(weigh(result) * run(name, *move(step)))
    step = 1e-4
    before, here, after = weighted(-step), weighted(0), weighted(step)
    # Logarithms jump at half a turn, where one side has the derivative.
    errors = np.abs([(after - before) / 2, after - here, here - before] - step * along) / step
    size = 1 + np.abs(along)
    smooth = slice(3, 13) if name == "interpolate" else slice(0, 13)
    assert (errors[0] < 1e-6 * size)[smooth].all(), errors[0] / size
    assert ((errors[1:].min(0) < 1e-2 * size) | (errors[0] < 1e-6 * size)).all(), errors / size


@each_function
def test_a_bad_element_is_zero_and_touches_no_other(name):
    kinds = FUNCTIONS[name][1]
    clean = make_arguments(kinds)
    wanted, slopes = RUNS[name](*clean)
    poisoned, bad = [x.copy() for x in clean], np.zeros(COUNT, bool)
    values = [np.nan, np.inf, -np.inf, 1e200]
    for i, x in enumerate(poisoned):
        places = slice(i * len(values), (i + 1) * len(values))
        x.reshape(COUNT, -1)[places, -1] = values
        bad[places] = True
    if kinds[0] == "T":
        poisoned[0][14], poisoned[0][15, 0] = 0, -poisoned[0][15, 0]  # zeros and a mirror
        bad[14:] = True
    if kinds[0] == "q":
        poisoned[0][15], bad[15] = 0, True
    got, gradient = RUNS[name](*poisoned)
    assert not got[bad].any() and (got[~bad] == wanted[~bad]).all() and wanted.any()
    for x, slope in zip(gradient, slopes, strict=True):
        assert not x[bad].any() and (x[~bad] == slope[~bad]).all()


def test_small_motions_keep_their_digits_in_float32():
    """Rotations of 1e-8, and 10 micrometres at 1 m, against float64 on the same numbers."""
    rng = np.random.default_rng(6)
    twists = np.float32(1e-5 * rng.normal(size=(COUNT, 6)))
    twists[:8] *= 1e-3
    points = rng.normal(size=(COUNT, 3))
    points = np.float32(points / np.linalg.norm(points, axis=-1, keepdims=True))

    @jax.jit
    def follow(twists, points):
        transform = se3.exp(twists)
        return transform, se3.log(transform), se3.displacement(transform, points)

    transform, back, moved = as_numpy(follow(twists, points))
    u, w = np.float64(twists[:, :3]), np.float64(twists[:, 3:])
    by = np.cross(w, points)
    exact = by + np.cross(w, by) / 2 + u + np.cross(w, u) / 2
    # The diagonal of a rotation has lost its turn, in float64 too.
    same = run("displacement", transform, points)
    for got, wanted in ((back, twists), (moved, exact), (moved, same)):
        error = np.abs(got - np.float64(wanted)).max(-1) / np.abs(wanted).max(-1)
        assert got.dtype == np.float32 and error.max() < 1e-6, error


RESULTS = {"log": (6,), "apply": (3,), "displacement": (3,), "adjoint": (6, 6)}
RESULTS |= {"to_quaternion": (4,), "to_rotation_vector": (3,)}


@thorough.parametrize("name", FUNCTIONS, default=["apply"])
def test_batches_broadcast_and_types_stay(name):
    function, kinds = FUNCTIONS[name]
    batches = [(4, 1), (3,), ()][: len(kinds)]
    got = jax.eval_shape(function, *cast(make_arguments(kinds, batches), jnp.bfloat16))
    assert got.shape == (*np.broadcast_shapes(*batches), *RESULTS.get(name, (3, 4)))
    assert got.dtype == jnp.bfloat16


def test_points_of_a_batch_move_with_their_transforms():
    transforms, points = make_arguments("Tp", [(4, 1), (3,)])
    with float64():
        moved = np.asarray(se3.apply(transforms, points))
    for i, j in np.ndindex(4, 3):
        alone = transforms[i, 0, :, :3] @ points[j] + transforms[i, 0, :, 3]
        np.testing.assert_allclose(moved[i, j], alone, atol=1e-14)
    half = np.asarray(se3.apply(*cast((transforms, points), jnp.bfloat16)), np.float64)
    assert np.abs(half - moved).max() < 0.03 * np.abs(moved).max()


def test_wrong_arguments_are_named():
    transform = np.eye(3, 4, dtype=np.float32)
    with pytest.raises(ValueError, match=r"^twist: expected shape \(\.\.\., 6\), got \(3,\)"):
        se3.exp(np.zeros(3, np.float32))
    with pytest.raises(
        ValueError, match=r"^transform: expected shape \(\.\.\., 3, 4\), got \(4, 4\)"
    ):
        se3.log(np.eye(4, dtype=np.float32))
    with pytest.raises(TypeError, match=r"^points: expected a floating-point array, got int"):
        se3.apply(transform, np.zeros(3, int))
    with pytest.raises(TypeError, match=r"^quaternion: expected an array, got list"):
        se3.from_quaternion([1.0, 0.0, 0.0, 0.0])
    with pytest.raises(TypeError, match=r"^vector: expected an array, got list"):
        se3.from_rotation_vector([0.0, 0.0, 0.1])
    with pytest.raises(ValueError, match=r"batch axes do not broadcast: transform \(2,\), points"):
        se3.apply(np.stack([transform] * 2), np.zeros((3, 3), np.float32))


def test_a_camera_looks_at_its_target_with_up_upwards():
    rng = np.random.default_rng(9)
    eye, target = rng.normal(size=(2, 5, 3)).astype(np.float32)
    up = np.float32([0, -2, 0])
    pose = np.asarray(se3.look_at(eye, target, up))
    camera = sf3d.Camera.pinhole(100, 100, 32, 24, (48, 64), pose)  # checks the rotations
    np.testing.assert_allclose(camera.center, eye, atol=1e-6)
    seen = se3.apply(pose, target)
    distance = np.linalg.norm(target - eye, axis=-1)
    np.testing.assert_allclose(seen, distance[:, None] * [0, 0, 1], atol=1e-6)
    upwards = pose[:, :, :3] @ up
    assert np.abs(upwards[:, 0]).max() < 1e-6 and (upwards[:, 1] < 0).all()


def test_a_camera_without_a_direction_has_no_pose():
    eye = np.float32([[1, 2, 3], [1, 2, 3], [1, 2, 3], [0.1, 0.2, 0.3]])
    target = np.float32([[1, 2, 3], [4, 2, 3], [4, 5, 6.5], [2, 2, 2]])
    up = np.float32([[0, -1, 0], [0, 0, 0], [6, 6, 7], [0, -1, 0]])
    pose = np.asarray(se3.look_at(eye, target, up))
    assert not pose[:3].any() and pose[3].any()
    with pytest.raises(ValueError, match=r"world_to_camera: expected a rotation .* got zeros"):
        sf3d.Camera.pinhole(100, 100, 32, 24, (48, 64), pose)
