"""`ego_motion` without depth: rotation and direction of translation, from flow alone."""

import dataclasses

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.assets import rendered
from helpers.rigid_scenes import add_noise, f1_score, rigid_scene, rotation, turn_error

import sf3d_jax as sf3d

SIZE = (48, 64)


def direction_error(transform, truth):
    """The angle between two translations, in degrees."""
    found, true = np.float64(transform)[:, 3], truth[:, 3]
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(found, true)), found @ true))


def estimate(scene, **options):
    cast = lambda tree: jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), tree)
    cameras = cast((scene.camera, scene.next_camera))
    options = {"valid": jnp.asarray(scene.valid), **options}
    return sf3d.ego_motion(cast(scene.flow), None, *cameras, **options)


def static_scene(transform, inv_depth):
    """A scene without moving bodies, of a known motion and depth."""
    scene = rigid_scene(0, SIZE, bodies=0)
    camera = scene.camera
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    ray = np.stack([*(np.stack([u, v], -1) - camera.principal_point).T], 0).T / camera.focal
    points = np.concatenate([ray, np.ones((*SIZE, 1))], -1) / inv_depth[..., None]
    moved = points @ transform[:, :3].T + transform[:, 3]
    pixels = moved[..., :2] / moved[..., 2:] * camera.focal + camera.principal_point
    flow = pixels - np.stack([u, v], -1)
    valid = np.ones(SIZE, bool)
    return scene._replace(flow=flow, valid=valid, next_camera=camera, transform=transform)


def test_the_motion_is_exact_without_noise():
    scene = rigid_scene(1, SIZE)
    found = estimate(scene)
    assert found.valid
    assert found.residual is None
    assert turn_error(found.transform, scene.transform) < 1e-5
    assert direction_error(found.transform, scene.transform) < 1e-4
    np.testing.assert_allclose(np.linalg.norm(found.transform[:, 3]), 1, rtol=1e-6)
    assert f1_score(np.array(found.static) > 0.5, scene.static, scene.valid) > 0.999


def test_noise_costs_little():
    """Without the derivative of the denominator, steps end degrees away."""
    errors = []
    for seed in range(8):
        scene = add_noise(rigid_scene(seed, SIZE), 100 + seed)
        found = estimate(scene).transform
        errors.append((turn_error(found, scene.transform), direction_error(found, scene.transform)))
    turn, direction = np.median(errors, axis=0)
    assert turn < 0.25, errors
    assert direction < 1, errors


def test_what_holds_no_translation_is_not_valid():
    turn = np.hstack([rotation(np.array([0.1, -0.05, 0.2])), np.zeros((3, 1))])
    still = np.eye(3, 4)
    noise = 0.5 * np.random.default_rng(0).normal(size=(*SIZE, 2))
    for transform in (turn, still):
        scene = static_scene(transform, np.full(SIZE, 0.25))
        for flow in (scene.flow, scene.flow + noise):
            found = estimate(scene._replace(flow=flow))
            assert not found.valid
            np.testing.assert_array_equal(found.transform, np.eye(3, 4))
            np.testing.assert_array_equal(found.static, 0)


def test_few_pixels_are_not_valid():
    scene = rigid_scene(1, SIZE, bodies=0)
    for count, expected in ((0, False), (7, False), (40, True)):
        valid = np.zeros(SIZE, bool)
        valid.flat[np.random.default_rng(0).permutation(valid.size)[:count]] = True
        found = estimate(scene, valid=jnp.asarray(valid & scene.valid))
        assert found.valid == expected
        if expected:
            assert turn_error(found.transform, scene.transform) < 1e-4


def test_bad_pixels_are_as_if_absent():
    scene = add_noise(rigid_scene(2, SIZE), 0)
    flow, valid = scene.flow.copy(), scene.valid.copy()
    flow[5, 7], flow[20, 30, 0], flow[40, 3] = np.nan, np.inf, 1e30
    valid[5, 7] = valid[20, 30] = valid[40, 3] = False
    found, expected = estimate(scene._replace(flow=flow)), estimate(scene._replace(valid=valid))
    for x, y in zip(found, expected, strict=True):
        if x is not None:
            np.testing.assert_array_equal(x, y)
    assert found.valid
    assert found.static[5, 7] == 0


def test_a_common_factor_of_the_covariance_does_not_matter():
    """Small variances, as of subpixel flow in a camera with a long focal length."""
    scene = add_noise(rigid_scene(1, SIZE), 1)
    covariance = np.float32([0.3, 0.2, 0, 0])
    ours, smaller = (estimate(scene, covariance=k * covariance) for k in (1, np.float32(1e-6)))
    assert ours.valid and smaller.valid
    np.testing.assert_allclose(smaller.transform, ours.transform, atol=1e-4)
    np.testing.assert_allclose(smaller.static, ours.static, atol=1e-2)


def test_a_change_of_depth_without_depth_is_refused():
    scene = rigid_scene(1, SIZE)
    with pytest.raises(ValueError, match="inv_depth_change"):
        estimate(scene, inv_depth_change=jnp.zeros(SIZE))


@pytest.mark.thorough
def test_the_derivative_is_that_of_finite_differences():
    with jax.enable_x64(True):
        scene = add_noise(rigid_scene(3, (24, 32), turn=20.0), 1, pixels=0.1)
        flow, camera, following = jax.tree.map(
            jnp.asarray, (scene.flow, scene.camera, scene.next_camera)
        )
        valid = jnp.asarray(scene.valid)
        random = np.random.default_rng(0)
        weights, shares = random.normal(size=(3, 4)), 0.1 * random.normal(size=(24, 32))

        def loss(flow, focal):
            first = dataclasses.replace(camera, focal=focal)
            found = sf3d.ego_motion(flow, None, first, following, valid=valid)
            return (weights * found.transform).sum() + (shares * found.static).sum()

        changes = random.normal(size=flow.shape), np.array([1.0, 2.0])
        gradients = jax.grad(loss, (0, 1))(flow, camera.focal)
        size = 1e-6
        for k, expected in enumerate(gradients):
            moved = lambda sign, k=k: loss(
                *(
                    x + (sign * size * changes[k] if i == k else 0)
                    for i, x in enumerate((flow, camera.focal))
                )
            )
            slope = (moved(1) - moved(-1)) / (2 * size)
            np.testing.assert_allclose((expected * changes[k]).sum(), slope, rtol=1e-5)


@pytest.mark.thorough
def test_a_batch_is_a_loop():
    scenes = [add_noise(rigid_scene(seed, SIZE), seed) for seed in (1, 2)]
    cast = lambda *xs: jnp.stack([jnp.asarray(x, jnp.float32) for x in xs])
    flow, camera, following, valid = jax.tree.map(
        cast, *((s.flow, s.camera, s.next_camera, s.valid) for s in scenes)
    )
    together = sf3d.ego_motion(flow, None, camera, following, valid=valid > 0)
    for i, scene in enumerate(scenes):
        alone = estimate(scene)
        np.testing.assert_allclose(together.transform[i], alone.transform, atol=2e-5)
        np.testing.assert_allclose(together.static[i], alone.static, atol=2e-3)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("model", "coefficients"),
    [("opencv", [-0.2, 0.05, 0.001, -0.002, 0.01]), ("fisheye", [0.02, -0.01, 0.003, 0.0])],
)
def test_lenses_that_bend(model, coefficients):
    transform = np.hstack([rotation(np.array([0.05, 0.2, -0.1])), [[0.5], [0.1], [0.2]]])
    bend = lambda camera, factor: dataclasses.replace(
        camera, distortion=factor * jnp.asarray(coefficients), model=model
    )
    first = bend(sf3d.Camera.pinhole(60.0, 64.0, 31.5, 23.5, SIZE), 1)
    second = bend(sf3d.Camera.pinhole(66.0, 62.0, 30.0, 24.0, SIZE, np.float32(transform)), 0.9)
    inv_depth = 0.2 + 0.1 * np.sin(np.mgrid[: SIZE[0], : SIZE[1]].sum(0) / 10.0)
    moved = sf3d.rigid_motion(jnp.asarray(inv_depth, jnp.float32), first, second)
    found = sf3d.ego_motion(moved.flow, None, first, second, valid=moved.valid)
    assert turn_error(found.transform, transform) < 1e-5
    assert direction_error(found.transform, transform) < 1e-4


@pytest.mark.thorough
def test_noise_against_opencv():
    """Medians over 20 seeds of .5 px, against MAGSAC at .5 px."""
    scene = rendered("objects")
    truth = (scene["world_to_camera1"] @ np.linalg.inv(scene["world_to_camera0"]))[:3]
    matrix, valid = scene["K0"], scene["valid"]
    camera = sf3d.Camera.from_matrix(jnp.asarray(matrix, jnp.float32), valid.shape)
    before = np.stack(np.meshgrid(np.arange(320.0), np.arange(240.0)), -1)
    errors = []
    for seed in range(20):
        noise = 0.5 * np.random.default_rng(seed).normal(size=before.shape)
        flow = np.float32(scene["flow_fw"] + noise)
        ours = sf3d.ego_motion(flow, None, camera, valid=jnp.asarray(valid)).transform
        pairs = before[valid], (before + flow)[valid]
        essential, inliers = cv2.findEssentialMat(
            *pairs, matrix, method=cv2.USAC_MAGSAC, prob=0.999, threshold=0.5
        )
        _, turn, direction, _ = cv2.recoverPose(essential[:3], *pairs, matrix, mask=inliers)
        errors.append(
            [
                [turn_error(found, truth), direction_error(found, truth)]
                for found in (ours, np.hstack([turn, direction]))
            ]
        )
    ours, theirs = np.median(errors, axis=0)
    assert (ours <= 0.5 * theirs).all(), (ours, theirs)


@pytest.mark.thorough
def test_large_turns_at_random():
    """Turns to 45 degrees, 30 % moving, .5 px: within 1 degree and 5 degrees of direction."""
    solved = []
    for seed in range(100):
        scene = add_noise(rigid_scene(seed, SIZE), 100 + seed)
        found = estimate(scene).transform
        solved.append(
            turn_error(found, scene.transform) < 1 and direction_error(found, scene.transform) < 5
        )
    assert np.sum(solved) >= 90, np.flatnonzero(np.logical_not(solved))
