"""The conversion: against its definition, float64, exact scenes, and its own inverse."""

import dataclasses
import itertools
from pathlib import Path

import chex
import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import platforms, thorough
from helpers.support import (
    LENSES,
    MATRIX,
    NEAR,
    SIZE,
    as_numpy,
    camera,
    cast,
    definition,
    displacement,
    float64,
    grid,
    motion,
    opencv_rays,
    pose,
    require_float16,
    scene,
    unchecked,
)

import sf3d_jax as sf3d

OTHER_MATRIX = MATRIX * [[1.2, 1, 1], [1, 1.25, 1], [1, 1, 1]] + [
    [0, 0, 1.5],
    [0, 0, -0.7],
    [0, 0, 0],
]
FAR = pose([1, 0.2, -1], [50, 20, 130])
FAR_NEXT = pose([1.01, 0.21, -1.02], [50.2, 20.1, 130])

# Camera pairs in which float32 is easily lost.
PAIRS = {
    "one camera": (None, None, MATRIX),
    "moving": (None, NEAR, MATRIX),
    "moving and zooming": (None, NEAR, OTHER_MATRIX),
    "zooming": (None, pose([0, 0, 0], [0, 0, 0]), OTHER_MATRIX),
    "far from the origin": (FAR, FAR_NEXT, MATRIX),
    "all at once": (FAR, FAR_NEXT, OTHER_MATRIX),
}


def pair(name, lens="pinhole"):
    first, second, matrix = PAIRS[name]
    other = None if second is None else camera(lens, second, matrix)
    return camera(lens, first), other


each_lens = thorough.parametrize(
    "which, lens",
    itertools.product(["one camera", "moving and zooming"], LENSES),
    default=[
        ("one camera", "pinhole"),
        ("moving and zooming", "pinhole"),
        ("one camera", "opencv"),
    ],
)


@each_lens
def test_matches_the_definition(lens, which):
    first, second = pair(which, lens)
    with float64():
        inputs = cast(motion(), jnp.float64)
        vectors, valid = as_numpy(sf3d.scene_flow(*inputs, first, second))
    expected = definition(*inputs, first, second)
    known = np.array(valid) & np.isfinite(expected).all(-1)
    assert known.mean() > 0.9
    np.testing.assert_allclose(vectors[known], expected[known], rtol=0, atol=1e-12)


@each_lens
def test_there_and_back_in_float64(lens, which):
    first, second = pair(which, lens)
    with float64():
        flow, inv_depth, change = cast(motion(), jnp.float64)
        vectors, valid = as_numpy(sf3d.scene_flow(flow, inv_depth, change, first, second))
        back = as_numpy(sf3d.image_motion(vectors, inv_depth, first, second))
    assert valid.mean() > 0.9 and back.valid[valid].all()
    np.testing.assert_allclose(back.flow[valid], flow[valid], atol=1e-12 * SIZE[1])
    np.testing.assert_allclose(back.inv_depth_change[valid], change[valid], atol=1e-12)


@pytest.mark.optimized
@thorough.parametrize("seed", [0, 1], default=[0])
@pytest.mark.parametrize("which", [*PAIRS, "turning about a point"])
def test_float32_is_within_a_few_ulp_of_the_motion(which, seed):
    check_float32(*hard_motion(which, "pinhole", seed))


@pytest.mark.optimized
@pytest.mark.thorough
@pytest.mark.parametrize("which", PAIRS)
@pytest.mark.parametrize("lens", ["opencv", "fisheye"])
def test_float32_is_within_a_few_ulp_of_the_motion_behind_a_lens(lens, which):
    check_float32(*hard_motion(which, lens, 0))


@pytest.mark.optimized
@pytest.mark.thorough
@pytest.mark.parametrize("which", ["moving and zooming", "far from the origin"])
@pytest.mark.parametrize("lens", ["opencv", "fisheye"])
def test_gpus_are_within_a_few_ulp_of_the_motion_behind_a_lens(lens, which):
    motion = hard_motion(which, lens, 0)
    with platforms.gpu_forms():
        check_float32(*motion)


@thorough.parametrize(
    "lenses",
    [("pinhole",), ("pinhole", "pinhole"), ("opencv", "opencv"), ("fisheye", "fisheye")],
    default=[("pinhole", "pinhole"), ("opencv", "opencv")],
)
def test_on_a_gpu_the_conversion_has_no_loop(lenses):
    cameras = cast(tuple(camera(lens) for lens in lenses), jnp.float32)
    flow, depth, vectors = (jnp.ones((*SIZE, *n)) for n in ((2,), (), (3,)))
    squares = lambda *maps: (sf3d.scene_flow(*maps, *cameras).vectors ** 2).sum()
    for function, arguments in [
        (lambda *maps: sf3d.scene_flow(*maps, *cameras), (flow, depth, depth)),
        (lambda *maps: sf3d.image_motion(*maps, *cameras), (vectors, depth)),
        (jax.grad(squares, (0, 1, 2)), (flow, depth, depth)),
    ]:
        assert platforms.count_loops(platforms.lower_for_gpu(function, *arguments)) == 0


def hard_motion(which, lens, seed):
    """Motions of 1e-6 to 1 m at 0.3 to 100 m as float32 inputs, and float32 cameras."""
    rng = np.random.default_rng(seed)
    zoom = 4 if lens == "pinhole" else 1
    size = (zoom * SIZE[0], zoom * SIZE[1])
    logarithmic = lambda low, high: np.exp(rng.uniform(np.log(low), np.log(high), size))
    if which == "turning about a point":
        rotation = cv2.Rodrigues(np.array([0.01, 0.15, 0]))[0]
        centre = np.array([0, 0, 1.0])
        poses = None, np.c_[rotation, centre - rotation @ centre], MATRIX
        depth, length = 1 + 0.1 * rng.normal(size=size), logarithmic(1e-6, 1e-2)
    else:
        poses = PAIRS[which]
        depth = logarithmic(0.3, 100)
        length = np.minimum(logarithmic(1e-6, 1), 0.3 * depth)
    zoom = np.diag([zoom, zoom, 1])
    first = camera(lens, poses[0], zoom @ MATRIX, size)
    second = None if poses[1] is None else camera(lens, poses[1], zoom @ poses[2], size)
    first, second = cast((first, second), jnp.float32)
    inv_depth = np.float32(1 / depth)
    vectors = rng.normal(size=(*size, 3))
    vectors *= (length / np.linalg.norm(vectors, axis=-1))[..., None]
    with float64():
        seen = as_numpy(sf3d.image_motion(*cast((vectors, inv_depth, first, second), jnp.float64)))
    inside = np.float64(seen.valid) > 0
    assert inside.mean() > 0.7
    return (np.float32(seen.flow), inv_depth, np.float32(seen.inv_depth_change)), first, second


def check_float32(inputs, first, second):
    """The bounds of the README, relative to the motion and never to the depth."""
    vectors, valid = sf3d.scene_flow(*inputs, first, second)
    assert vectors.dtype == jnp.float32
    back = sf3d.image_motion(vectors, inputs[1], first, second)
    with float64():
        exact, exact_valid = as_numpy(sf3d.scene_flow(*cast((*inputs, first, second), jnp.float64)))
    seen = displacement(*inputs, first, second)
    use = np.array(valid & exact_valid & back.valid) & np.isfinite(seen)
    assert use.mean() > 0.6

    scale = np.maximum(seen, np.linalg.norm(exact, axis=-1))[use]
    error = np.linalg.norm(np.float64(vectors) - exact, axis=-1)[use] / scale
    assert np.median(error) <= 1.5e-7
    assert np.percentile(error, 99.9) <= 6e-7

    flow, inv_depth, change = inputs
    # A unit in the last place of a flow of half the width is half the bound already.
    width = first.size[1]
    ordinary = use & (np.abs(flow) <= width / 4).all(-1)
    assert np.percentile(np.abs(back.flow - flow)[ordinary], 99.9) <= 1e-7 * width
    change_error = np.abs(np.float64(back.inv_depth_change) - change)[use]
    assert np.percentile(change_error / (scale * np.float64(inv_depth[use]) ** 2), 99.9) <= 1e-6


@pytest.mark.optimized
@pytest.mark.parametrize("name, bound", [("objects", 6e-7), ("head", 3e-8)])
def test_a_rendered_scene_gives_its_true_scene_flow(name, bound):
    data, inputs, first, second = scene(name)
    vectors, valid = sf3d.scene_flow(*inputs, first, second)
    assert (valid == data["valid"]).all()
    # A number at a time: in `head` those of truth and inputs are rounded, to 3e-8 m together.
    error = np.abs(vectors - data["scene_flow"])[data["valid"]]
    assert np.percentile(error, 99.9) <= bound


@pytest.mark.optimized
@thorough.parametrize("name", ["objects", "head"], default=["head"])
def test_a_rendered_scene_in_float32_is_within_a_few_ulp_of_float64(name):
    _, inputs, first, second = scene(name)
    check = lambda second: check_scene(inputs, *cast((first, second), jnp.float32))
    check(second)
    check(None)


def check_scene(inputs, first, second):
    vectors, valid = sf3d.scene_flow(*inputs, first, second)
    with float64():
        exact, _ = as_numpy(sf3d.scene_flow(*cast((*inputs, first, second), jnp.float64)))
    use = np.array(valid)
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = displacement(*inputs, first, second)
    scale = np.maximum(seen, np.linalg.norm(exact, axis=-1))[use]
    error = np.linalg.norm(np.float64(vectors) - exact, axis=-1)[use] / scale
    assert np.median(error) <= 1.5e-7
    assert np.percentile(error, 99.9) <= 6e-7


@pytest.mark.optimized
@thorough.parametrize("name", ["objects", "head"], default=["head"])
def test_a_rendered_scene_goes_there_and_back(name):
    _, (flow, inv_depth, change), first, second = scene(name)
    vectors, valid = sf3d.scene_flow(flow, inv_depth, change, first, second)
    back = sf3d.image_motion(vectors, inv_depth, first, second)
    use = np.array(valid & back.valid)
    assert np.percentile(np.abs(back.flow - flow)[use], 99.9) <= 1e-7 * flow.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        size = displacement(flow, inv_depth, change, first, second)[use] * inv_depth[use] ** 2
    assert np.percentile(np.abs(back.inv_depth_change - change)[use] / size, 99.9) <= 1e-6


@pytest.mark.optimized
@thorough.parametrize("lens", ["pinhole", "opencv", "fisheye"], default=["pinhole"])
def test_a_still_world_has_no_scene_flow(lens):
    first, second = pair("moving and zooming", lens)
    inv_depth = motion()[1]
    seen = sf3d.rigid_motion(inv_depth, first, second)
    vectors, valid = sf3d.scene_flow(seen.flow, inv_depth, seen.inv_depth_change, first, second)
    use = np.array(valid & seen.valid)
    moved = displacement(seen.flow, inv_depth, seen.inv_depth_change, first, second)[use]
    assert use.mean() > 0.8
    # The float32 flow of 5 px is rounded to 2e-7 px: that much motion is in the input.
    rounding = 2.0**-23 * np.abs(seen.flow[use]).max() / MATRIX[0, 0] / inv_depth[use]
    assert (np.linalg.norm(vectors[use], axis=-1) <= 4 * (rounding + 2.0**-23 * moved)).all()


@pytest.mark.optimized
def test_rigid_motion_is_the_motion_of_zero_scene_flow():
    first, second = pair("moving and zooming")
    inv_depth = motion()[1]
    rigid = sf3d.rigid_motion(inv_depth, first, second)
    still = sf3d.image_motion(np.zeros((*SIZE, 3), np.float32), inv_depth, first, second)
    chex.assert_trees_all_close(rigid, still, rtol=1e-6, atol=1e-6)
    rays = opencv_rays(grid(), first) / inv_depth[..., None].astype(float)
    moved = rays @ NEAR[:, :3].T + NEAR[:, 3]
    expected = (moved[..., :2] / moved[..., 2:]) * np.diag(OTHER_MATRIX)[:2] + OTHER_MATRIX[:2, 2]
    np.testing.assert_allclose(rigid.flow, expected - grid(), atol=2e-5)


@pytest.mark.optimized
@pytest.mark.parametrize("distance", [0.0, 1.0, 1e3, 1e6])
def test_two_identical_cameras_are_one(distance):
    where = pose([1, 0.2, -1], np.array([0.3, -0.5, 0.8]) * distance)
    first = cast(camera("pinhole", where), jnp.float32)
    inputs = motion()
    alone = sf3d.scene_flow(*inputs, first)
    twice = sf3d.scene_flow(*inputs, first, first)
    error = np.linalg.norm(np.float64(twice.vectors) - alone.vectors, axis=-1)
    assert (error <= 3e-7 * np.linalg.norm(alone.vectors, axis=-1)).all()


WITHOUT_COEFFICIENTS = [("pinhole", "opencv"), ("opencv", "pinhole"), ("opencv", "opencv")]


@thorough.parametrize("models", WITHOUT_COEFFICIENTS, default=[("opencv", "opencv")])
def test_an_opencv_camera_without_coefficients_is_a_pinhole(models):
    plain = camera()
    lens = sf3d.Camera.from_matrix(MATRIX, SIZE, distortion=np.zeros(5))
    inputs = motion()
    expected = sf3d.scene_flow(*inputs, plain, plain).vectors
    first, second = ({"pinhole": plain, "opencv": lens}[model] for model in models)
    vectors, valid = sf3d.scene_flow(*inputs, first, second)
    assert valid.all()
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-6)


@jax.jit
def gradient_of_squares(inputs, camera):
    return jax.grad(lambda x: jnp.square(sf3d.scene_flow(*x, camera).vectors).sum())(inputs)


@thorough.parametrize("dtype", [jnp.float32, jnp.float64], default=[jnp.float64])
@pytest.mark.parametrize("off", [0, 1e-7, 1e-6, 1e-4])
def test_a_fisheye_pixel_may_move_onto_the_axis(off, dtype):
    first = sf3d.Camera.from_matrix(
        np.array([[19.2, 0, 16], [0, 19.84, 12], [0, 0, 1]]),
        SIZE,
        distortion=[-0.02, 0.003, -0.001, 2e-4],
        model="fisheye",
    )
    with float64():
        flow = cast([16 + off, 12] - grid(), dtype)
        inputs = flow, jnp.full(SIZE, 0.5, dtype), jnp.zeros(SIZE, dtype)
        camera = cast(first, dtype)
        vectors, valid = as_numpy(sf3d.scene_flow(*inputs, camera))
        gradient = as_numpy(gradient_of_squares(inputs, camera))
        exact = as_numpy(sf3d.scene_flow(*cast(inputs, jnp.float64), cast(camera, jnp.float64)))
        expected = definition(*as_numpy(cast(inputs, jnp.float64)), cast(camera, jnp.float64))
    assert valid.all() and all(np.isfinite(x).all() for x in gradient)
    np.testing.assert_allclose(exact.vectors, expected, atol=1e-11)
    error = np.linalg.norm(vectors - exact.vectors, axis=-1)
    assert (error <= 6e-7 * np.linalg.norm(expected, axis=-1) + 1e-15).all()


OTHER_LENSES = {
    "opencv": [0.21, -0.03, -0.001, 0.002, -0.01],
    "fisheye": [-0.05, 0.02, -0.004, 0.0015],
}


@pytest.mark.parametrize("lengths", [1e-5, 1e-2])
@pytest.mark.thorough
@pytest.mark.parametrize(
    "lenses",
    [("opencv", "opencv"), ("fisheye", "fisheye"), ("pinhole", "fisheye"), ("fisheye", "opencv")],
)
def test_another_lens_costs_no_digits(lenses, lengths):
    """A motion in 3D, seen by two cameras of which each has its own lens."""
    rng = np.random.default_rng(0)
    first, second = (camera(lens, where) for lens, where in zip(lenses, (None, NEAR), strict=True))
    if lenses[0] == lenses[1]:
        second = dataclasses.replace(second, distortion=np.array(OTHER_LENSES[lenses[1]]))
    still = dataclasses.replace(second, world_to_camera=np.eye(3, 4))
    first, still = cast((first, still), jnp.float32)
    inv_depth = np.float32(rng.uniform(0.3, 1, SIZE))
    with float64():
        vectors = lengths * rng.normal(size=(*SIZE, 3))
        seen = sf3d.image_motion(vectors, *cast((inv_depth, first, still), jnp.float64))
        flow, change, _ = as_numpy(seen)
    inputs = np.float32(flow), inv_depth, np.float32(change)
    got, valid = sf3d.scene_flow(*inputs, first, still)
    with float64():
        exact = as_numpy(sf3d.scene_flow(*cast((*inputs, first, still), jnp.float64)))
    use = np.array(valid) & exact.valid
    assert use.mean() > 0.7
    error = np.linalg.norm(np.float64(got) - exact.vectors, axis=-1)[use]
    relative = error / np.linalg.norm(exact.vectors, axis=-1)[use]
    assert np.median(relative) <= 1.5e-7 and np.percentile(relative, 99.9) <= 6e-7


@thorough.parametrize("lens", ["pinhole", "opencv"], default=["pinhole"])
def test_a_flow_without_end_leaves_the_gradient_of_the_camera_finite(lens):
    flow, inv_depth, change = motion()
    flow[3, 4] = 1e9
    flow[5, 6] = 1e7
    first, second = cast((camera(lens), camera("pinhole", NEAR)), jnp.float32)
    loss = lambda *c: jnp.square(sf3d.scene_flow(flow, inv_depth, change, *c).vectors).sum()
    chex.assert_tree_all_finite(jax.jit(jax.grad(loss, (0, 1)))(first, second))


def test_cameras_of_different_models_go_together():
    first, second = camera("opencv"), camera("fisheye", NEAR)
    with float64():
        inputs = cast(motion(), jnp.float64)
        vectors, valid = as_numpy(sf3d.scene_flow(*inputs, first, second))
        back = as_numpy(sf3d.image_motion(vectors, inputs[1], first, second))
    expected = definition(*inputs, first, second)
    np.testing.assert_allclose(vectors[valid], expected[valid], atol=1e-12)
    np.testing.assert_allclose(back.flow[valid], inputs[0][valid], atol=1e-10)


EDITS = {
    "crop": (lambda x: x[3:19, 5:29], lambda c: c.crop(3, 5, (16, 24)), 1, 1),
    "pad": (
        lambda x: np.pad(x, ((2, 4), (1, 3), *((0, 0),) * (x.ndim - 2)), constant_values=0.5),
        lambda c: c.pad(2, 1, (SIZE[0] + 6, SIZE[1] + 4)),
        1,
        1,
    ),
    "stride": (lambda x: x[1::3, 1::3], lambda c: c.stride(3, 1), 1 / 3, 1),
    "flip": (lambda x: x[:, ::-1], lambda c: c.flip(), np.array([-1, 1]), np.array([-1, 1, 1])),
}


@thorough.parametrize("lens", ["pinhole", "opencv"], default=["pinhole"])
@pytest.mark.parametrize("edit", EDITS)
def test_edit_then_convert_is_convert_then_edit(edit, lens):
    of_image, of_camera, flow_factor, vector_factor = EDITS[edit]
    first, second = pair("moving and zooming", lens)
    with float64():
        inputs = cast(motion(), jnp.float64)
        vectors, valid = as_numpy(sf3d.scene_flow(*inputs, first, second))
        flow, inv_depth, change = (of_image(np.array(x)) for x in inputs)
        edited = as_numpy(
            sf3d.scene_flow(
                flow * flow_factor, inv_depth, change, of_camera(first), of_camera(second)
            )
        )
    inside = of_image(np.array(valid).astype(float)) == 1
    expected = of_image(np.array(vectors)) * vector_factor
    assert inside.mean() > 0.4
    np.testing.assert_allclose(edited.vectors[inside], expected[inside], atol=1e-12)


def test_resizing_keeps_the_rays_of_areas():
    first = camera("opencv")
    half = first.resize((SIZE[0] // 2, SIZE[1] // 4))
    with float64():
        ones = jnp.ones(half.size)
        small = as_numpy(sf3d.unproject(sf3d.pixel_grid(half.size), ones, half)).points
        centres = (grid(half.size) + 0.5) * [4, 2] - 0.5
        large = as_numpy(sf3d.unproject(jnp.asarray(centres), ones, first)).points
    np.testing.assert_allclose(small, large, atol=1e-12)


@thorough.parametrize("dtype", [jnp.bfloat16, jnp.float16], default=[jnp.bfloat16])
@thorough.parametrize("which", ["one camera", "moving and zooming"], default=["one camera"])
def test_half_precision_is_rounded_once(dtype, which):
    first, second = cast(pair(which), jnp.float32)
    inputs = cast(motion(), dtype)
    got = sf3d.scene_flow(*inputs, first, second)
    back = sf3d.image_motion(got.vectors, inputs[1], first, second)
    exact = sf3d.scene_flow(*cast(inputs, jnp.float32), first, second)
    exact_back = sf3d.image_motion(*cast((got.vectors, inputs[1]), jnp.float32), first, second)
    pairs = [
        (got.vectors, exact.vectors),
        (back.flow, exact_back.flow),
        (back.inv_depth_change, exact_back.inv_depth_change),
    ]
    for x, expected in pairs:
        assert x.dtype == dtype
        one_ulp = np.abs(expected) * float(jnp.finfo(dtype).eps) + float(jnp.finfo(dtype).tiny)
        assert (np.abs(cast(x, jnp.float32) - expected) <= one_ulp).all()


def test_what_overflows_half_precision_is_invalid():
    require_float16()
    flow = np.full((*SIZE, 2), 20000, np.float16)
    inv_depth = np.full(SIZE, 1e-3, np.float16)
    vectors, valid = sf3d.scene_flow(flow, inv_depth, 0 * inv_depth, camera())
    assert not valid.any() and not vectors.any()


def test_covariance_is_that_of_samples():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4)) * np.array([0.3, 0.2, 0.01, 0.003])[:, None]
    covariance = root @ root.T
    size = (1, 1)
    first = camera(matrix=np.array([[500.0, 0, 20], [0, 510, -30], [0, 0, 1]]), size=size)
    second = dataclasses.replace(first, world_to_camera=NEAR)
    mean = np.array([12.0, -7.0, 0.6, 0.05])
    samples = rng.multivariate_normal(mean, covariance, size=1_000_000)[:, None, None]
    with float64():
        vectors = as_numpy(
            sf3d.scene_flow(samples[..., :2], samples[..., 2], samples[..., 3], first, second)
        ).vectors.reshape(-1, 3)
        got = as_numpy(
            sf3d.scene_flow_covariance(
                mean[None, None, :2],
                mean[None, None, 2],
                mean[None, None, 3],
                first,
                covariance,
                second,
            )
        )[0, 0]
    sampled = np.cov(vectors.T)
    deviations = np.sqrt(np.diag(sampled))
    np.testing.assert_allclose(
        got / np.outer(deviations, deviations),
        sampled / np.outer(deviations, deviations),
        atol=0.02,
    )


@thorough.parametrize("lens", ["pinhole", "opencv", "fisheye"], default=["pinhole"])
def test_covariance_is_that_of_the_jacobian(lens):
    size = (2, 3)
    rng = np.random.default_rng(0)
    first, second = camera(lens, size=size), camera(lens, NEAR, size=size)
    flow, inv_depth, change = motion(size)
    roots = rng.normal(size=(*size, 4, 4))
    covariance = roots @ roots.swapaxes(-1, -2)
    with float64():
        x = jnp.concatenate([flow, inv_depth[..., None], change[..., None]], -1).astype(float)
        lift = lambda x: sf3d.scene_flow(x[..., :2], x[..., 2], x[..., 3], first, second).vectors
        jacobian = np.array(jax.jit(jax.jacfwd(lift))(x))
        args = (x[..., :2], x[..., 2], x[..., 3], first)
        got = as_numpy(sf3d.scene_flow_covariance(*args, covariance, second))
    for i, j in np.ndindex(size):
        slope = jacobian[i, j, :, i, j]
        np.testing.assert_allclose(got[i, j], slope @ covariance[i, j] @ slope.T, rtol=1e-6)


def test_a_covariance_may_be_shared_or_diagonal():
    maps, first = motion(), camera()
    variances = np.abs(np.random.default_rng(0).normal(size=(*SIZE, 4))).astype(np.float32)
    diagonal = variances[..., None] * np.eye(4, dtype=np.float32)
    full = sf3d.scene_flow_covariance(*maps, first, diagonal)
    np.testing.assert_allclose(sf3d.scene_flow_covariance(*maps, first, variances), full, rtol=1e-6)
    one = sf3d.scene_flow_covariance(*maps, first, variances[3, 4])
    np.testing.assert_allclose(one[3, 4], full[3, 4], rtol=1e-6)
    one = sf3d.scene_flow_covariance(*maps, first, diagonal[3, 4])
    np.testing.assert_allclose(one[3, 4], full[3, 4], rtol=1e-6)
    with pytest.raises(ValueError, match="covariance: expected"):
        sf3d.scene_flow_covariance(*maps, first, variances[:5])


def test_variances_of_a_batch_of_small_images_are_no_covariances():
    size = (4, 4)
    maps = motion(size, batch=(4,))
    variances = np.abs(np.random.default_rng(0).normal(size=(4, *size, 4))).astype(np.float32)
    together = sf3d.scene_flow_covariance(*maps, camera(size=size), variances)
    for i in range(4):
        alone = sf3d.scene_flow_covariance(*(x[i] for x in maps), camera(size=size), variances[i])
        np.testing.assert_allclose(together[i], alone, rtol=1e-5, atol=1e-9)
    with pytest.raises(ValueError, match=r"broadcast: maps and cameras \(4,\), covariance \(3,\)"):
        sf3d.scene_flow_covariance(*maps, camera(size=size), variances[:3])


@pytest.mark.non_finite
def test_a_bad_camera_makes_its_own_pixels_invalid():
    focal = np.array([[28.0, 27], [np.nan, 27], [28, 0], [28, -27]])
    cameras = unchecked(camera(), focal=focal)
    inputs = cast(motion(batch=(4,)), jnp.float32)

    def loss(inputs, cameras):
        return jnp.square(sf3d.scene_flow(*inputs, cameras).vectors).sum()

    vectors, valid = sf3d.scene_flow(*inputs, cameras)
    assert valid[0].all() and not valid[1:].any() and not vectors[1:].any()
    gradients = jax.jit(jax.grad(loss, argnums=(0, 1)))
    gradient, of_camera = gradients(inputs, cast(cameras, jnp.float32))
    chex.assert_tree_all_finite((gradient, of_camera))


def test_a_bad_second_camera_leaves_its_neighbours_alone():
    good, bad = NEAR.copy(), NEAR.copy()
    bad[0, 0] = np.nan
    inv_depth = motion()[1]
    alone = sf3d.rigid_motion(inv_depth, camera(), camera(pose=np.stack([good, good])))
    beside = sf3d.rigid_motion(
        inv_depth, camera(), unchecked(camera(), world_to_camera=np.stack([good, bad]))
    )
    np.testing.assert_array_equal(beside.flow[0], alone.flow[0])
    assert beside.valid[0].all() and not beside.valid[1].any()


def test_a_pose_that_was_never_set_makes_all_pixels_invalid():
    unset = cast(unchecked(camera(), world_to_camera=np.zeros((3, 4))), jnp.float32)
    for cameras in ((camera(), unset), (unset, camera())):
        vectors, valid = sf3d.scene_flow(*motion(), *cameras)
        assert not valid.any() and not vectors.any()
        loss = lambda *cameras: sf3d.scene_flow(*motion(), *cameras).vectors.sum()
        chex.assert_tree_all_finite(jax.grad(loss, argnums=(0, 1))(*cast(cameras, jnp.float32)))


def test_a_point_that_passes_the_camera_is_invalid():
    vectors = np.zeros((*SIZE, 3), np.float32)
    vectors[..., 2] = -2
    seen = sf3d.image_motion(vectors, np.full(SIZE, 0.9, np.float32), camera())
    assert not seen.valid.any() and not seen.flow.any()


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda a: a[0].__setitem__("flow", a[0]["flow"][..., :1]), ValueError, "flow: expected"),
        (lambda a: a[0].__setitem__("inv_depth", a[0]["flow"]), ValueError, "inv_depth: expected"),
        (
            lambda a: a[0].__setitem__("flow", a[0]["flow"][:2, :2]),
            ValueError,
            rf"got \(2, 2, 2\) \(the camera's size is {SIZE[0]} x {SIZE[1]}\)",
        ),
        (
            lambda a: a[0].__setitem__("flow", a[0]["flow"].astype(np.uint8)),
            TypeError,
            "flow: expected a floating-point array, got uint8(?!;)",
        ),
        (lambda a: a[0].__setitem__("flow", a[0]["flow"].astype(int)), TypeError, "flow: expected"),
        (lambda a: a[0].__setitem__("camera", 3), TypeError, "camera: expected a Camera"),
        (lambda a: a[0].__setitem__("inv_depth", [1.0]), TypeError, "inv_depth: expected an array"),
        (
            lambda a: a[0].__setitem__("flow", "a.flo"),
            TypeError,
            r"flow: expected an array, got str 'a\.flo'; read the file first, .* data\.read_flow",
        ),
        (
            lambda a: a[0].__setitem__("camera", Path("cam.json")),
            TypeError,
            r"camera: expected a Camera, got PosixPath 'cam\.json'; .*read_json_cameras",
        ),
        (
            lambda a: a[0].__setitem__("camera", camera().crop(0, 0, (4, 3))),
            ValueError,
            "flow: expected shape",
        ),
        (
            lambda a: a[0].__setitem__("camera", camera().resize(SIZE[::-1])),
            ValueError,
            r"flow: .*\(height, width\); are the two swapped\?",
        ),
        (
            lambda a: a[0].update(flow=np.ones((2, *SIZE, 2)), inv_depth=np.ones((3, *SIZE))),
            ValueError,
            "batch axes do not",
        ),
        (
            lambda a: a[0].update(camera=unchecked(camera(), focal=np.ones(3))),
            ValueError,
            "camera.focal",
        ),
        (
            lambda a: a[0].update(camera=unchecked(camera(), distortion=np.ones(3))),
            ValueError,
            "coefficients",
        ),
    ],
)
def test_wrong_arguments_are_named(change, error, message):
    flow, inv_depth, c = motion()
    arguments = {"flow": flow, "inv_depth": inv_depth, "inv_depth_change": c, "camera": camera()}
    change([arguments])
    with pytest.raises(error, match=message):
        sf3d.scene_flow(**arguments)
