"""The motion of the camera with depth, against closed-form scenes, rendered ones and OpenCV."""

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.assets import rendered
from helpers.platforms import gpu_forms
from helpers.rigid_scenes import (
    RigidScene,
    add_noise,
    f1_score,
    noise_covariance,
    rigid_scene,
    shift_error,
    turn_error,
)

import sf3d_jax as sf3d

SMALL = (24, 32)
# In degrees, and relative to the length of the translation.
SOLVED = 1e-3
EXACT = 1e-5


def cast(tree, dtype=np.float32):
    is_floating = lambda x: np.issubdtype(np.asarray(x).dtype, np.floating)
    return jax.tree.map(lambda x: np.asarray(x, dtype) if is_floating(x) else x, tree)


def find(scene, *, with_change=True, **options):
    scene = cast(scene)
    if with_change:
        options["inv_depth_change"] = scene.change
    cameras = scene.camera, scene.next_camera
    return sf3d.ego_motion(scene.flow, scene.inv_depth, *cameras, valid=scene.valid, **options)


def errors(found, scene):
    return turn_error(found.transform, scene.transform), shift_error(
        found.transform, scene.transform
    )


def score(found, scene):
    return f1_score(np.asarray(found.static) > 0.5, scene.static, scene.valid)


@functools.cache
def small_scene():
    return rigid_scene(3, SMALL)


@functools.cache
def found_small():
    return find(small_scene())


@functools.cache
def objects():
    arrays = rendered("objects")
    size = arrays["depth0"].shape
    pose = arrays["world_to_camera1"] @ np.linalg.inv(arrays["world_to_camera0"])
    cameras = [
        sf3d.Camera.from_matrix(arrays[name], size, world_to_camera=np.eye(3, 4))
        for name in ("K0", "K1")
    ]
    valid = arrays["valid"]
    still = np.linalg.norm(arrays["scene_flow"], axis=-1) < 1e-5
    return RigidScene(
        np.float64(arrays["flow_fw"]),
        1 / np.where(valid, np.float64(arrays["depth0"]), 1),
        np.float64(arrays["inv_depth_change_fw"]),
        valid & still,
        valid,
        pose[:3],
        np.where(still, 0, 1),
        pose[None, :3],
        *cameras,
    )


def resized(scene):
    """Every second column, as of a camera with pixels twice as wide."""
    half = lambda camera: sf3d.Camera.pinhole(
        camera.focal[0] / 2,
        camera.focal[1],
        camera.principal_point[0] / 2,
        camera.principal_point[1],
        (camera.size[0], camera.size[1] // 2),
        np.eye(3, 4),
    )
    maps = {
        name: getattr(scene, name)[:, ::2]
        for name in ("inv_depth", "change", "static", "valid", "labels")
    }
    return scene._replace(
        flow=scene.flow[:, ::2] * [0.5, 1],
        camera=half(scene.camera),
        next_camera=half(scene.next_camera),
        **maps,
    )


def test_a_scene_with_moving_bodies_is_solved():
    scene, found = small_scene(), found_small()
    assert bool(found.valid)
    turn, shift = errors(found, scene)
    assert turn < EXACT and shift < EXACT
    assert score(found, scene) > 0.999


def test_the_residual_is_the_scene_flow_that_is_left():
    scene, found = small_scene(), found_small()
    moved = np.einsum(
        "...ij,...j->...i",
        np.linalg.inv(_square(scene.transform)) @ _square(scene.transforms)[scene.labels],
        _points(scene),
    )
    truth = np.where(scene.valid[..., None], (moved - _points(scene))[..., :3], 0)
    residual = np.asarray(found.residual)
    depth = 1 / scene.inv_depth
    assert (np.abs(residual - truth).max(-1) < 1e-5 * depth).all()
    assert np.abs(residual[scene.static]).max() < 5e-6 * depth.max()


def _square(transform):
    last = np.broadcast_to([0.0, 0, 0, 1], (*transform.shape[:-2], 1, 4))
    return np.concatenate([transform, last], axis=-2)


def _points(scene):
    points, _ = sf3d.unproject(
        np.asarray(sf3d.pixel_grid(scene.camera.size)), scene.inv_depth, scene.camera
    )
    return np.concatenate([np.float64(points), np.ones((*points.shape[:-1], 1))], -1)


def test_a_bad_pixel_is_as_if_absent():
    scene = cast(small_scene())
    bad = [np.nan, np.inf, 0.0, -1.0]
    inv_depth, valid = scene.inv_depth.copy(), scene.valid.copy()
    inv_depth[0, :4] = bad
    valid[0, :4] = False
    poisoned, absent = find(scene._replace(inv_depth=inv_depth)), find(scene._replace(valid=valid))
    for a, b in zip(poisoned, absent, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.asarray(poisoned.static)[0, :4].any()


def test_too_little_is_not_valid():
    scene = cast(small_scene())
    few = np.zeros(SMALL, bool)
    few[3, 4:6] = True
    found = find(scene._replace(valid=few))
    assert not bool(found.valid)
    np.testing.assert_array_equal(found.transform, np.eye(3, 4))
    assert not np.asarray(found.static).any() and not np.asarray(found.residual).any()


def test_wrong_arguments_are_named():
    scene = cast(small_scene())
    maps = scene.flow, scene.inv_depth, scene.camera
    with pytest.raises(TypeError, match="flow: expected an array, got NoneType"):
        sf3d.ego_motion(None, scene.inv_depth, scene.camera)
    with pytest.raises(ValueError, match="inv_depth: expected"):
        sf3d.ego_motion(scene.flow, scene.inv_depth[:-1], scene.camera)
    with pytest.raises(ValueError, match="inv_depth_change: expected"):
        sf3d.ego_motion(*maps, inv_depth_change=scene.change[:, :-1])
    with pytest.raises(ValueError, match="covariance: expected"):
        sf3d.ego_motion(*maps, covariance=np.ones(3, np.float32))
    with pytest.raises(TypeError, match="valid: expected an array of bool"):
        sf3d.ego_motion(*maps, valid=scene.change)
    with pytest.raises(ValueError, match="valid: expected"):
        sf3d.rigid_change(*maps, valid=scene.valid[:-1])


def test_the_change_of_a_body_is_that_of_its_motion():
    scene = cast(small_scene()._replace(next_camera=None))
    camera = scene.camera
    pose = cast(small_scene()).transform
    second = sf3d.Camera(camera.focal, camera.principal_point, pose, size=camera.size)
    flow, truth, seen = sf3d.rigid_motion(scene.inv_depth, camera, second)
    change, valid = sf3d.rigid_change(np.asarray(flow), scene.inv_depth, camera, valid=scene.valid)
    np.testing.assert_array_equal(valid, scene.valid & np.asarray(seen))
    error = np.abs(np.asarray(change) - np.asarray(truth))[np.asarray(valid)]
    assert error.max() < 1e-5 * scene.inv_depth.max()


@pytest.mark.thorough
def test_the_form_for_gpus_finds_the_same():
    with gpu_forms():
        found = find(small_scene())
    turn, shift = errors(found, small_scene())
    assert turn < EXACT and shift < EXACT
    assert score(found, small_scene()) > 0.999


@pytest.mark.thorough
@pytest.mark.parametrize("with_change", [True, False])
def test_a_batch_is_a_loop(with_change):
    scenes = [cast(rigid_scene(seed, SMALL, bodies=2)) for seed in range(3)]
    stacked = jax.tree.map(lambda *x: np.stack(x), *scenes)
    together = find(stacked, with_change=with_change)
    for k, scene in enumerate(scenes):
        alone = find(scene, with_change=with_change)
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(np.asarray(a)[k], b, rtol=1e-4, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("case", ["flow", "change", "covariance", "both"])
def test_the_derivative_is_that_of_finite_differences(case):
    with jax.enable_x64(True):
        # The slope of a quartile jumps where two residuals change places; none of these do.
        scene = add_noise(rigid_scene(3, SMALL), 2)
        covariance = noise_covariance(scene) if case in ("covariance", "both") else None
        change = scene.change if case in ("change", "both") else None

        def function(flow, inv_depth):
            return sf3d.ego_motion(
                flow,
                inv_depth,
                scene.camera,
                scene.next_camera,
                inv_depth_change=change,
                covariance=covariance,
                valid=scene.valid,
            )[:3]

        rng = np.random.default_rng(0)
        at = scene.flow, scene.inv_depth
        along = rng.normal(size=at[0].shape), 0.02 * rng.normal(size=at[1].shape)
        _, tangent = jax.jvp(function, at, along)
        step = 1e-6
        ahead, behind = (
            function(*(x + sign * step * y for x, y in zip(at, along, strict=True)))
            for sign in (1, -1)
        )
        for a, b, slope in zip(ahead, behind, tangent, strict=True):
            numeric = (np.asarray(a) - np.asarray(b)) / (2 * step)
            np.testing.assert_allclose(slope, numeric, atol=1e-5 * np.abs(numeric).max())
        weights = jax.tree.map(lambda x: rng.normal(size=x.shape), tangent)
        total = lambda *x: sum(jnp.vdot(w, y) for w, y in zip(weights, function(*x), strict=True))
        gradient = jax.grad(total, (0, 1))(*at)
        backward = sum(np.vdot(g, y) for g, y in zip(gradient, along, strict=True))
        forward = sum(np.vdot(w, y) for w, y in zip(weights, tangent, strict=True))
        np.testing.assert_allclose(backward, forward, rtol=1e-8)


@pytest.mark.thorough
@pytest.mark.parametrize("make", [objects, lambda: resized(objects())], ids=["objects", "wide"])
@pytest.mark.parametrize("with_change", [True, False])
def test_rendered_scenes_are_solved_to_rounding(make, with_change):
    scene = make()
    found = find(scene, with_change=with_change)
    turn, shift = errors(found, scene)
    assert turn < EXACT and shift < EXACT
    assert score(found, scene) > 0.999


@pytest.mark.thorough
@pytest.mark.parametrize("noise", [1e-3, 0.02, 0.5])
def test_the_mask_of_a_rendered_scene_holds_under_noise(noise):
    """Fast bodies, amid which no residual tells of the noise, do not make it look smaller."""
    truth = objects()
    found = find(add_noise(truth, 0, pixels=noise, depth=0.0))
    assert score(found, truth) > 0.99


@pytest.mark.thorough
@pytest.mark.parametrize(("with_change", "least"), [(True, 99), (False, 98)])
def test_random_scenes_are_solved(with_change, least):
    solved = 0
    for seed in range(100):
        scene = rigid_scene(seed, moving=np.random.default_rng(seed).uniform(0.1, 0.45))
        solved += max(errors(find(scene, with_change=with_change), scene)) < SOLVED
    assert solved >= least


@pytest.mark.thorough
def test_noise_moves_it_less_than_it_moves_opencv():
    scene = objects()
    ours, theirs, best, scores = [], [], [], []
    for seed in range(20):
        noisy = add_noise(scene, seed)
        found = find(noisy, with_change=False)
        ours.append(errors(found, scene))
        scores.append(score(found, scene))
        theirs.append(errors_of(solve_by_opencv(noisy), scene))
        best.append(errors_of(solve_on_static(noisy), scene))
    ours, theirs, best = (np.median(x, axis=0) for x in (ours, theirs, best))
    assert (ours <= 0.6 * theirs).all(), f"{ours} against {theirs}"
    assert (ours <= 1.3 * best).all(), f"{ours} against {best}"
    assert np.median(scores) >= 0.97


def errors_of(transform, scene):
    return turn_error(transform, scene.transform), shift_error(transform, scene.transform)


def list_points(scene, chosen):
    pixels = np.float64(sf3d.pixel_grid(chosen.shape))
    matrices = [np.eye(3), np.eye(3)]
    for matrix, camera in zip(matrices, (scene.camera, scene.next_camera), strict=True):
        matrix[[0, 1], [0, 1]], matrix[:2, 2] = camera.focal, camera.principal_point
    rays = np.dstack([pixels, np.ones(chosen.shape)]) @ np.linalg.inv(matrices[0]).T
    points = rays / scene.inv_depth[..., None]
    return points[chosen], (pixels + scene.flow)[chosen], matrices[1]


def solve_by_opencv(scene):
    points, pixels, matrix = list_points(scene, scene.valid)
    cv2.setRNGSeed(0)
    _, turn, shift, inliers = cv2.solvePnPRansac(
        points, pixels, matrix, None, reprojectionError=2.0, iterationsCount=200
    )
    inside = inliers[:, 0]
    start = turn, shift
    turn, shift = cv2.solvePnPRefineLM(points[inside], pixels[inside], matrix, None, *start)
    return np.hstack([cv2.Rodrigues(turn)[0], shift])


def solve_on_static(scene):
    """Least squares of the flow on the pixels that are truly static, from the truth."""
    points, pixels, matrix = list_points(scene, scene.static)
    start = cv2.Rodrigues(scene.transform[:, :3])[0], scene.transform[:, 3:].copy()
    turn, shift = cv2.solvePnPRefineLM(points, pixels, matrix, None, *start)
    return np.hstack([cv2.Rodrigues(turn)[0], shift])


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_narrow_maps_give_narrow_results(dtype):
    scene = cast(small_scene())
    maps = (jnp.asarray(x, dtype) for x in (scene.flow, scene.inv_depth))
    found = sf3d.ego_motion(*maps, scene.camera, scene.next_camera, valid=scene.valid)
    assert all(x.dtype == dtype for x in found[:3])
    assert turn_error(np.float64(found.transform), scene.transform) < 1


@pytest.mark.thorough
@pytest.mark.parametrize("model", ["opencv", "fisheye"])
def test_lenses_that_bend_are_solved(model):
    scene = small_scene()
    coefficients = np.array(
        [-0.1, 0.02, 0.001, -0.002] if model == "opencv" else [0.02, 0.01, 0, 0]
    )
    pose = np.hstack([np.eye(3), 0.3 * scene.transform[:, 3:]])
    first, second = (
        sf3d.Camera(c.focal, c.principal_point, p, k * coefficients, size=c.size, model=model)
        for c, p, k in (
            (scene.camera, np.eye(3, 4), 1.0),
            (scene.next_camera, pose, 0.8),
        )
    )
    first, second, inv_depth = cast((first, second, scene.inv_depth))
    flow, _, valid = sf3d.rigid_motion(inv_depth, first, second)
    moving = np.zeros(SMALL, bool)
    moving[4:10, 5:15] = True
    flow = np.asarray(flow) + np.float32(3) * moving[..., None]
    found = sf3d.ego_motion(flow, inv_depth, first, second, valid=valid)
    truth = RigidScene(*[None] * 5, pose, *[None] * 4)
    turn, shift = errors(found, truth)
    assert turn < 1e-4 and shift < 1e-5
    seen = np.asarray(valid)
    assert f1_score(np.asarray(found.static) > 0.5, seen & ~moving, seen) > 0.999


@pytest.mark.thorough
@pytest.mark.parametrize("with_change", [True, False])
def test_it_works_in_a_shard_map_and_bad_pixels_pass_no_gradient(with_change):
    scene = cast(small_scene())
    scene.flow[0, 1], scene.inv_depth[2, 3], scene.change[4, 5] = np.nan, -1, np.inf
    maps = [x[None] for x in (scene.flow, scene.inv_depth, scene.change, scene.valid)]

    def function(flow, inv_depth, change, valid):
        options = {"inv_depth_change": change if with_change else None, "valid": valid}
        return sf3d.ego_motion(flow, inv_depth, scene.camera, scene.next_camera, **options)

    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("batch",))
    spec = jax.sharding.PartitionSpec("batch")
    sharded = jax.jit(jax.shard_map(function, mesh=mesh, in_specs=spec, out_specs=spec))
    for a, b in zip(sharded(*maps), function(*maps), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    loss = lambda flow: jnp.square(sharded(flow, *maps[1:]).transform).sum()
    gradient = np.asarray(jax.jit(jax.grad(loss))(maps[0]))[0]
    assert np.isfinite(gradient).all() and gradient.any()
    assert not gradient[0, 1].any() and not gradient[2, 3].any()
