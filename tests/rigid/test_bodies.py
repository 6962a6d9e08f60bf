"""`rigid_bodies` on scenes with exact truth: labels, motions, noise, what bends, bad pixels."""

import functools

import cv2
import jax
import numpy as np
import pytest
from helpers.assets import rendered
from helpers.rigid_scenes import add_noise, rigid_scene, shift_error, turn_error
from scipy.ndimage import gaussian_filter

import sf3d_jax as sf3d

SIZE = (48, 64)
MOST = 5


def one_camera(scene):
    """The motion that the first camera would see, at rest; the scene has another second camera."""
    height, width = scene.valid.shape
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)
    camera, after = scene.camera, scene.next_camera
    ray = (pixels + scene.flow - after.principal_point) / after.focal
    flow = ray * camera.focal + camera.principal_point - pixels
    flow = np.where(scene.valid[..., None], np.asarray(flow), 0)
    return scene._replace(flow=flow)


def single(tree):
    return jax.tree.map(lambda x: np.asarray(x, np.float32), tree)


def inputs(scene):
    """The arguments in float32; pixels behind the second camera have no depth."""
    inv_depth = np.where(scene.valid, scene.inv_depth, 0)
    return single((scene.flow, inv_depth, scene.change, scene.camera))


@functools.cache
def scene_of(seed, bodies, size=SIZE, moving=0.45):
    return one_camera(rigid_scene(seed, size, bodies=bodies, moving=moving))


def overlaps(labels, truth, valid):
    """For each true label the best intersection over union, and the label that has it."""
    found = []
    for k in np.unique(truth[valid]):
        own = (truth == k) & valid
        scores = [
            ((labels == j) & own).sum() / (((labels == j) & valid) | own).sum()
            for j in range(labels.max() + 1)
        ]
        found.append((max(scores), int(np.argmax(scores))))
    return found


SEEDS = [(1, 3)]
BAD = [(5, 7, np.nan), (20, 30, np.inf), (21, 30, 0), (40, 50, -1)]


@pytest.fixture(scope="module")
def small():
    """A scene, and the same with bad pixels, in one call."""
    good = [inputs(scene_of(*seed)) for seed in SEEDS]
    stacked = jax.tree.map(lambda *x: np.stack([*x, *x]), *good)
    flow, inv_depth, change, camera = stacked
    for row, column, value in BAD:
        inv_depth[len(SEEDS) :, row, column] = value
    flow[len(SEEDS) :, 10, 10, 0], change[len(SEEDS) :, 11, 10] = np.nan, np.inf
    return sf3d.rigid_bodies(flow, inv_depth, change, camera, most=MOST)


@pytest.mark.parametrize("k", range(len(SEEDS)))
def test_bodies_and_their_motions_are_found(k, small):
    labels, transforms, residual = (np.asarray(x[k]) for x in small)
    scene = scene_of(*SEEDS[k])
    count = labels.max() + 1
    assert count == len(scene.transforms)
    sizes = [(labels == j).sum() for j in range(count)]
    assert sizes == sorted(sizes, reverse=True)
    for truth, (overlap, j) in zip(
        scene.transforms, overlaps(labels, scene.labels, scene.valid), strict=True
    ):
        assert overlap > 0.97
        assert turn_error(transforms[j], truth) < 1e-3
        assert shift_error(transforms[j], truth) < 1e-4
    np.testing.assert_array_equal(
        transforms[count:], np.broadcast_to(np.eye(3, 4), (MOST - count, 3, 4))
    )
    assert not np.any(residual[labels < 0])
    depth = 1 / np.where(scene.valid, scene.inv_depth, np.inf)
    assert np.all(np.linalg.norm(residual, axis=-1) <= 1e-3 * np.where(scene.valid, depth + 1, 1))


def test_bad_pixels_have_no_label_and_leave_the_others(small):
    touched = {(10, 10), (11, 10), *((row, column) for row, column, _ in BAD)}
    for k in range(len(SEEDS)):
        good, bad = np.asarray(small.labels[k]), np.asarray(small.labels[len(SEEDS) + k])
        assert all(bad[at] == -1 for at in touched)
        # Borders of bodies are decided by windows, and a bad pixel does not vote.
        assert (good != bad).sum() <= len(touched) + 5
        np.testing.assert_allclose(
            small.transforms[k], small.transforms[len(SEEDS) + k], rtol=0, atol=1e-4
        )
    assert all(np.isfinite(x).all() for x in small)


def test_what_does_not_fit_is_named():
    flow, inv_depth, change, camera = inputs(scene_of(*SEEDS[0]))
    with pytest.raises(ValueError, match=r"inv_depth: expected shape \(..., 48, 64\)"):
        sf3d.rigid_bodies(flow, inv_depth[:-1], change, camera)
    with pytest.raises(ValueError, match="most: expected a positive integer, got 0"):
        sf3d.rigid_bodies(flow, inv_depth, change, camera, most=0)
    with pytest.raises(TypeError, match="inv_depth_change: expected a floating-point array"):
        sf3d.rigid_bodies(flow, inv_depth, inv_depth > 0, camera)


def objects():
    """The rendered scene and its labels: what moves is a sphere and a cube, apart in the image."""
    scene = rendered("objects")
    valid = scene["valid"]
    moving = np.linalg.norm(scene["scene_flow"], axis=-1) > 1e-5
    _, truth, areas, _ = cv2.connectedComponentsWithStats(np.uint8(moving & valid))
    # Where they touch the ground they hardly move, and single pixels come off.
    truth = np.where(areas[truth, cv2.CC_STAT_AREA] > 500, truth, -1)
    inv_depth = np.where(valid, 1 / np.where(valid, scene["depth0"], 1), 0)
    camera = sf3d.Camera.from_matrix(scene["K0"], (240, 320))
    maps = scene["flow_fw"], inv_depth, scene["inv_depth_change_fw"]
    return maps, camera, truth, valid


def with_noise(maps, valid, seed):
    """Noise of .5 px, and of 2 % in either depth."""
    rng = np.random.default_rng(seed)
    flow, inv_depth, change = maps
    first, second = 1 + 0.02 * rng.normal(size=(2, *valid.shape))
    seen = inv_depth / first
    change = np.where(valid, (inv_depth + change) / second - seen, 0)
    return flow + 0.5 * rng.normal(size=flow.shape), seen, change


@pytest.mark.thorough
def test_objects_are_a_static_scene_a_sphere_and_a_cube():
    maps, camera, truth, valid = objects()
    labels = np.asarray(sf3d.rigid_bodies(*single((*maps, camera))).labels)
    assert labels.max() == 2
    assert all(overlap > 0.999 for overlap, _ in overlaps(labels, truth, valid & (truth >= 0)))
    assert (labels[valid] >= 0).mean() > 0.999
    assert np.all(labels[~valid] == -1)
    for seed in range(8):
        noisy = single((*with_noise(maps, valid, seed), camera))
        labels = np.asarray(sf3d.rigid_bodies(*noisy).labels)
        assert labels.max() == 2
        assert all(overlap > 0.95 for overlap, _ in overlaps(labels, truth, valid & (truth >= 0)))


def with_alike_noise(maps, valid, seed, pixels):
    """Noise of the same size that is alike over some pixels, as that of a network's output."""
    rng = np.random.default_rng(seed)
    noise = gaussian_filter(rng.normal(size=(4, *valid.shape)), (0, pixels, pixels))
    noise /= noise.std()
    flow, inv_depth, change = maps
    first, second = 1 + 0.02 * noise[2:]
    seen = inv_depth / first
    change = np.where(valid, (inv_depth + change) / second - seen, 0)
    return flow + 0.5 * np.moveaxis(noise[:2], 0, -1), seen, change


@pytest.mark.thorough
def test_noise_that_is_alike_in_neighbours_is_no_body():
    maps, camera, truth, valid = objects()
    for pixels in (2, 4):
        counts, least = [], []
        for seed in range(5):
            noisy = single((*with_alike_noise(maps, valid, seed, pixels), camera))
            labels = np.asarray(sf3d.rigid_bodies(*noisy).labels)
            counts.append(labels.max() + 1)
            found = overlaps(labels, truth, valid & (truth >= 0))
            least.append(min(overlap for overlap, _ in found))
        assert np.median(counts) == 3, (pixels, counts)
        assert np.median(least) > 0.75, (pixels, least)


@pytest.mark.parametrize("size", [(64, 1), (40, 2)])
def test_an_image_of_one_or_two_columns_is_one_body(size):
    camera = sf3d.Camera.pinhole(40.0, 40.0, 0.0, 20.0, size)
    inv_depth = np.float32(0.3 + 0.01 * np.arange(size[0])[:, None] + np.zeros(size))
    pose = np.float32(np.c_[np.eye(3), [0.1, 0.0, 0.2]])
    moved = sf3d.rigid_motion(inv_depth, camera, camera.moved(pose))
    found = sf3d.rigid_bodies(moved.flow, inv_depth, moved.inv_depth_change, camera, most=1)
    assert np.all(found.labels == 0)
    assert np.abs(found.residual).max() < 1e-5


@pytest.mark.thorough
def test_it_runs_where_jit_is_disabled():
    flow, inv_depth, change, camera = inputs(scene_of(*SEEDS[0]))
    size = (12, 16)
    maps = [jax.device_put(x[: size[0], : size[1]]) for x in (flow, inv_depth, change)]
    window = jax.device_put(camera.crop(0, 0, size))
    expected = sf3d.rigid_bodies(*maps, window, most=1)
    with jax.disable_jit():
        found = sf3d.rigid_bodies(*maps, window, most=1)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.transforms, expected.transforms, atol=1e-4)


@pytest.mark.thorough
def test_random_scenes_of_two_to_five_bodies():
    """Bodies of more than 1 % of the pixels, which noise does not bring below the least share."""
    least = {False: [], True: []}
    for seed in range(100, 116):
        scene = scene_of(seed, 1 + seed % 4, (96, 128))
        large = np.bincount(scene.labels.ravel()) > 0.01 * scene.labels.size
        for has_noise, scores in least.items():
            given = add_noise(scene, seed) if has_noise else scene
            labels = np.asarray(sf3d.rigid_bodies(*inputs(given)).labels)
            known = scene.valid & large[scene.labels]
            scores.append(min(overlap for overlap, _ in overlaps(labels, scene.labels, known)))
            assert labels.max() + 1 == large.sum()
    assert np.min(least[False]) > 0.99
    assert np.min(least[True]) > 0.9
    assert np.median(least[True]) > 0.98


@pytest.mark.thorough
def test_what_bends_has_no_label():
    scene = scene_of(3, 2, (96, 128))
    v, u = np.mgrid[:96, :128]
    bends = np.hypot(u - 64, v - 48) < 24
    wave = np.stack([6 * np.sin(u / 3) + 4 * np.cos(v / 2), 5 * np.sin(u / 2 + v / 4)], -1)
    bent = scene._replace(flow=scene.flow + np.where(bends[..., None], wave, 0))
    labels = np.asarray(sf3d.rigid_bodies(*inputs(bent)).labels)
    assert (labels[bends] == -1).mean() > 0.95
    still = scene.valid & ~bends
    assert all(overlap > 0.98 for overlap, _ in overlaps(labels, scene.labels, still))


@pytest.mark.thorough
def test_a_batch_is_a_loop_and_a_map():
    scenes = [inputs(scene_of(*seed)) for seed in [(0, 2), (1, 3)]]
    stacked = jax.tree.map(lambda *x: np.stack(x), *scenes)
    together = sf3d.rigid_bodies(*stacked, most=4)
    mapped = jax.vmap(functools.partial(sf3d.rigid_bodies, most=4))(*stacked)
    for k, scene in enumerate(scenes):
        alone = sf3d.rigid_bodies(*scene, most=4)
        for one, all_ in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one, all_[k])
        assert (np.asarray(alone.labels) != np.asarray(mapped.labels[k])).mean() < 0.002
        np.testing.assert_allclose(alone.transforms, mapped.transforms[k], rtol=0, atol=1e-4)
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("images",))
    along = jax.sharding.PartitionSpec("images")
    segment = functools.partial(sf3d.rigid_bodies, most=4)
    sharded = jax.shard_map(segment, mesh=mesh, in_specs=along, out_specs=along)(*stacked)
    np.testing.assert_array_equal(sharded.labels, together.labels)


@pytest.mark.thorough
def test_nothing_moves_nothing_is_seen_and_nothing_passes_a_gradient():
    flow, inv_depth, change, camera = inputs(scene_of(*SEEDS[0]))
    still = sf3d.rigid_bodies(0 * flow, inv_depth, 0 * change, camera, most=MOST)
    assert np.all((still.labels == 0) == (inv_depth > 0))
    np.testing.assert_allclose(
        still.transforms, np.broadcast_to(np.eye(3, 4), (MOST, 3, 4)), atol=1e-6
    )
    empty = sf3d.rigid_bodies(flow, 0 * inv_depth, change, camera, most=MOST)
    assert np.all(empty.labels == -1)
    np.testing.assert_array_equal(empty.transforms, np.broadcast_to(np.eye(3, 4), (MOST, 3, 4)))
    total = lambda *x: sum(a.sum() for a in sf3d.rigid_bodies(*x, camera, most=MOST)[1:])
    for gradient in jax.grad(total, (0, 1, 2))(flow, inv_depth, change):
        assert not np.any(gradient)
