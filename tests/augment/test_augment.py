"""Augmentation: what moves together still obeys geometry, and looks change by their formulas."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.support import (
    MATRIX,
    NEAR,
    SIZE,
    as_numpy,
    camera,
    cast,
    displacement,
    float64,
    grid,
    motion,
    pose,
    scene,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import sf3d_jax as sf3d
from sf3d_jax import Sample, augment

WINDOW = (16, 20)
GEOMETRIC = {
    "random_crop": functools.partial(augment.random_crop, size=WINDOW),
    "random_flip": functools.partial(augment.random_flip, probability=1.0),
    "random_scale": functools.partial(augment.random_scale, size=WINDOW, log2_scale=(-0.4, 0.6)),
}
APPEARANCE = {"random_color": augment.random_color, "random_eraser": augment.random_eraser}
each_geometric = pytest.mark.parametrize("name", GEOMETRIC)


def key(seed=0):
    return jax.random.key(seed)


def images(size=SIZE, batch=(), seed=3):
    rng = np.random.default_rng(seed)
    return {
        name: np.float32(rng.uniform(size=(*batch, *size, 3))) for name in ("image", "next_image")
    }


def whole(lens="pinhole", batch=(), seed=0):
    """A sample with every field, of random motion in front of two surfaces and a hole."""
    flow, inv_depth, change = motion(SIZE, seed, batch)
    inv_depth[..., 8:15, 10:20] += 1
    inv_depth[..., 3, 4] = 0
    rng = np.random.default_rng(seed + 1)
    valid = rng.uniform(size=inv_depth.shape) > 0.1
    first = camera(lens)
    second = camera(lens, NEAR, MATRIX * [[1.1], [0.95], [1]])
    vectors = sf3d.scene_flow(flow, inv_depth, change, first, second).vectors
    return Sample(
        **images(SIZE, batch),
        flow=flow,
        inv_depth=inv_depth,
        inv_depth_change=change,
        next_inv_depth=inv_depth[..., ::-1, :],
        scene_flow=vectors,
        valid=valid,
        occlusion=rng.uniform(size=inv_depth.shape) > 0.7,
        camera=first,
        next_camera=second,
        scale=np.full(batch, 0.5, np.float32),
    )


def of_scene(name):
    data, (flow, inv_depth, change), first, second = scene(name)
    next_depth = data["depth1"]
    return Sample(
        image=np.float32(data["rgb0"]) / 255,
        next_image=np.float32(data["rgb1"]) / 255,
        flow=flow,
        inv_depth=inv_depth,
        inv_depth_change=change,
        next_inv_depth=np.where(next_depth > 0, 1 / np.where(next_depth > 0, next_depth, 1), 0),
        scene_flow=data["scene_flow"],
        valid=data["valid"],
        occlusion=data["occlusion_fw"],
        camera=first,
        next_camera=second,
    )


def largest_difference(sample):
    """Between the scene flow of a sample and that of its other maps, relative to the motion."""
    maps = sample.flow, sample.inv_depth, sample.inv_depth_change
    vectors, valid = sf3d.scene_flow(*maps, sample.camera, sample.next_camera)
    valid = np.array(valid & sample.valid)
    assert valid.sum() > 0.3 * valid.size
    fill = lambda x, otherwise: np.where(
        valid.reshape(valid.shape + (1,) * (np.ndim(x) - valid.ndim)), np.float64(x), otherwise
    )
    length = displacement(
        *(fill(x, o) for x, o in zip(maps, (0, 1, 0), strict=True)),
        sample.camera,
        sample.next_camera,
    )
    apart = np.linalg.norm(np.float64(vectors) - np.float64(sample.scene_flow), axis=-1)
    return (apart[valid] / length[valid]).max()


@thorough.parametrize(
    "name, lens",
    [*((name, "pinhole") for name in GEOMETRIC), ("random_scale", "opencv")],
    default=[("random_crop", "pinhole")],
)
def test_augment_then_convert_is_convert_then_augment(name, lens):
    sample = whole(lens)
    assert largest_difference(sample) < 1e-6
    for seed in range(4):
        assert largest_difference(GEOMETRIC[name](key(seed), sample)) < 1e-5


@pytest.mark.thorough
@each_geometric
@pytest.mark.parametrize("which", ["objects", "head"])
def test_the_law_holds_on_the_scenes(name, which):
    sample = of_scene(which)
    size = {} if name == "random_flip" else {"size": (192, 256)}
    for seed in range(3):
        # The truth of the file is not converted from its maps, and good to 5e-8 m.
        got = GEOMETRIC[name](key(seed), sample, **size)
        direct = dataclasses.replace(sample, scene_flow=sf3d.scene_flow(*maps_of(sample)).vectors)
        assert largest_difference(GEOMETRIC[name](key(seed), direct, **size)) < 1e-5
        vectors = sf3d.scene_flow(*maps_of(got)).vectors
        assert np.abs(np.array(vectors - got.scene_flow))[np.array(got.valid)].max() < 1e-6


def maps_of(sample):
    return (
        sample.flow,
        sample.inv_depth,
        sample.inv_depth_change,
        sample.camera,
        sample.next_camera,
    )


def plane(first, second, mirrored=False):
    """What two cameras see of a plane that moves rigidly, in float64 and in closed form."""
    mirror = np.diag([-1.0, 1, 1]) if mirrored else np.eye(3)
    normal = mirror @ [0.08, -0.12, 0.5]
    turn = pose([0.03, 0.02, -0.04], [0.02, -0.05, 0.1])
    turn = np.c_[mirror @ turn[:, :3] @ mirror, mirror @ turn[:, 3]]
    rays = np.concatenate(
        [
            (grid(first.size) - np.float64(first.principal_point)) / np.float64(first.focal),
            np.ones((*first.size, 1)),
        ],
        -1,
    )
    inv_depth = rays @ normal
    start = rays / inv_depth[..., None]
    end = start @ turn[:, :3].T + turn[:, 3]
    vectors = end - start
    next_pose = np.float64(second.world_to_camera)
    end = end @ next_pose[:, :3].T + next_pose[:, 3]
    pixels = end[..., :2] / end[..., 2:] * np.float64(second.focal)
    flow = pixels + np.float64(second.principal_point) - grid(first.size)
    return flow, inv_depth, 1 / end[..., 2] - inv_depth, vectors


@each_geometric
def test_a_moving_plane_is_what_the_new_cameras_see(name):
    first, second = camera(), camera(pose=NEAR, matrix=MATRIX * [[1.1], [0.95], [1]])
    with float64():
        flow, inv_depth, change, vectors = plane(first, second)
        sample = Sample(
            flow=flow,
            inv_depth=inv_depth,
            inv_depth_change=change,
            next_inv_depth=inv_depth,
            scene_flow=vectors,
            camera=first,
            next_camera=second,
        )
        for seed in range(3):
            got = jax.tree.map(np.array, GEOMETRIC[name](key(seed), sample))
            expected = plane(got.camera, got.next_camera, mirrored=name == "random_flip")
            # Half a pixel from the border there is no pixel to be linear with.
            inner = np.s_[1:-1, 1:-1]
            names = ("flow", "inv_depth", "inv_depth_change", "scene_flow")
            for field, x in zip(names, expected, strict=True):
                np.testing.assert_allclose(getattr(got, field)[inner], x[inner], atol=1e-6)
            np.testing.assert_allclose(got.next_inv_depth[inner], expected[1][inner], atol=1e-6)
            assert got.valid is None or got.valid.all()


@each_geometric
def test_images_move_with_the_flow(name):
    """The next image, warped, is the first one, before and after."""
    rng = np.random.default_rng(0)
    waves = lambda p: np.sin(p @ rng_waves + np.arange(3)) / 2 + 0.5
    rng_waves = rng.uniform(-0.15, 0.15, size=(2, 3))
    linear = np.array([[1.02, 0.03], [-0.02, 0.97]])
    flow = grid(SIZE) @ (linear.T - np.eye(2)) + [0.7, -0.4]
    back = lambda p: (p - [0.7, -0.4]) @ np.linalg.inv(linear.T)
    sample = Sample(
        image=np.float32(waves(grid(SIZE))),
        next_image=np.float32(waves(back(grid(SIZE)))),
        flow=np.float32(flow),
    )
    change = GEOMETRIC[name]
    for seed in range(3):
        got = change(key(seed), sample)
        warped, valid = sf3d.backward_warp(got.next_image, got.flow)
        apart = np.abs(np.array(warped - got.image)).max(-1)
        inner = np.zeros(apart.shape, bool)
        inner[3:-3, 3:-3] = True
        assert (np.array(valid) & inner).sum() > 80
        assert apart[np.array(valid) & inner].max() < 0.02


def test_a_crop_is_a_slice_and_reaches_every_place():
    sample = whole()
    places = set()
    for seed in range(60):
        got = augment.random_crop(key(seed), sample, (22, 30))
        left, top = np.round(sample.camera.principal_point - np.array(got.camera.principal_point))
        places.add((top, left))
        window = np.s_[int(top) : int(top) + 22, int(left) : int(left) + 30]
        for field in ("image", "next_image", "flow", "inv_depth", "scene_flow", "occlusion"):
            np.testing.assert_array_equal(getattr(got, field), getattr(sample, field)[window])
    assert places == {(i, j) for i in range(3) for j in range(3)}


def test_a_flip_happens_with_its_probability_and_twice_is_none():
    lens = camera("rational")
    sample = dataclasses.replace(whole(), camera=lens, next_camera=lens)
    twice = GEOMETRIC["random_flip"](key(), GEOMETRIC["random_flip"](key(), sample))
    for a, b in zip(jax.tree.leaves(twice), jax.tree.leaves(sample), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    flows = jax.vmap(lambda k: augment.random_flip(k, Sample(flow=sample.flow)).flow)(
        jax.random.split(key(), 400)
    )
    flipped = ~np.all(np.array(flows) == sample.flow, axis=(1, 2, 3))
    assert 150 < flipped.sum() < 250


@thorough.parametrize("size", [(10, 12), (60, 33)], default=[(10, 12)])
def test_scales_are_in_their_range_and_fill_the_window(size):
    sample = Sample(flow=np.zeros((*SIZE, 2), np.float32), camera=camera())
    change = functools.partial(augment.random_scale, size=size, log2_scale=(-1.0, 1.0))
    keys = jax.random.split(key(), 300)
    got = jax.jit(jax.vmap(lambda k: change(k, sample).camera))(keys)
    scale = np.array(got.focal) / sample.camera.focal
    least = np.array(size[::-1]) / SIZE[::-1]
    assert (scale > least - 1e-6).all() and (scale < np.maximum(least, 2**1.2) + 1e-5).all()
    # The window lies in the image: its corners look at it.
    centre = np.array(got.principal_point)
    first = (-0.5 - centre) / scale / sample.camera.focal
    last = (np.array(size[::-1]) - 0.5 - centre) / scale / sample.camera.focal
    border = (-0.5 - sample.camera.principal_point) / sample.camera.focal
    beyond = (np.array(SIZE[::-1]) - 0.5 - sample.camera.principal_point) / sample.camera.focal
    assert (first * sample.camera.focal > border * sample.camera.focal - 1e-3).all()
    assert (last * sample.camera.focal < beyond * sample.camera.focal + 1e-3).all()
    if size == (10, 12):
        assert (np.ptp(np.log2(scale), axis=0) > 1.5).all()
        assert np.abs(np.log2(scale[:, 0] / scale[:, 1])).max() > 0.2


def test_nothing_is_mixed_with_another_surface_or_an_invalid_pixel():
    sample = whole()
    inv_depth = np.full(SIZE, 0.2, np.float32)
    inv_depth[6:14, 10:20] = 0.7
    flow = np.where(inv_depth[..., None] > 0.5, [3.0, 1.0], [-1.0, 0.0]).astype(np.float32)
    still = np.zeros(SIZE, np.float32)
    broken = sample.valid == 0
    flow[broken] = np.nan
    sample = dataclasses.replace(
        sample,
        inv_depth=inv_depth,
        flow=flow,
        inv_depth_change=still,
        scene_flow=None,
        next_camera=None,
    )
    for seed in range(3):
        got = GEOMETRIC["random_scale"](key(seed), sample)
        valid, scale = np.array(got.valid), np.array(got.camera.focal) / sample.camera.focal
        assert 0.7 < valid.mean() < 1
        near = np.array(got.inv_depth) > 0.45
        np.testing.assert_allclose(got.inv_depth, np.where(near, 0.7, 0.2), rtol=1e-6)
        expected = np.where(near[..., None], [3.0, 1.0], [-1.0, 0.0]) * scale
        np.testing.assert_allclose(got.flow[valid], expected[valid], atol=1e-5)
        assert not np.array(got.flow)[~valid].any()


def test_flow_needs_no_depth_where_there_is_none():
    flow, inv_depth, _ = motion(SIZE)
    inv_depth[:10] = 0
    same = functools.partial(
        augment.random_scale, size=SIZE, log2_scale=(0.0, 0.0), log2_stretch=0.0
    )
    got = same(key(), Sample(flow=flow, inv_depth=inv_depth))
    assert np.array(got.valid).all()
    np.testing.assert_allclose(got.flow, flow, atol=1e-5)
    np.testing.assert_array_equal(got.inv_depth, inv_depth)


def test_sparse_flow_keeps_its_density():
    """A bilinear filter would keep next to nothing of it."""
    flow, _, _ = motion(SIZE)
    valid = np.random.default_rng(0).uniform(size=SIZE) < 0.2
    got = augment.random_scale(key(), Sample(flow=flow, valid=valid), WINDOW)
    assert 0.12 < np.array(got.valid).mean() < 0.28


@thorough.parametrize("name", [*GEOMETRIC, *APPEARANCE], default=["random_crop", "random_color"])
def test_mapped_over_keys_it_is_a_loop(name):
    change = {**GEOMETRIC, **APPEARANCE}[name]
    batch = whole(batch=(2,))
    axes = jax.tree.map(lambda x: None, batch)
    axes = dataclasses.replace(
        jax.tree.map(lambda x: 0, batch),
        camera=jax.tree.map(lambda x: None, batch.camera),
        next_camera=jax.tree.map(lambda x: None, batch.next_camera),
    )
    keys = jax.random.split(key(), 2)
    together = jax.jit(jax.vmap(change, in_axes=(0, axes)))(keys, batch)
    for i in range(2):
        of_one = jax.tree.map(
            lambda x, a, i=i: x if a is None else x[i], batch, axes, is_leaf=lambda x: x is None
        )
        alone = change(keys[i], as_numpy(of_one))
        for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            a = a[i] if np.ndim(a) > np.ndim(b) else a
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@thorough.parametrize("name", [*GEOMETRIC, *APPEARANCE], default=["random_crop", "random_color"])
def test_a_batch_with_one_key_gets_one_change(name):
    change = {**GEOMETRIC, **APPEARANCE}[name]
    batch = whole(batch=(2,))
    together = change(key(), batch)
    for i in range(2):
        fields = [f for f in dataclasses.fields(batch) if f.name != "name"]
        of = lambda s, f, i=i: getattr(s, f.name) if "camera" in f.name else getattr(s, f.name)[i]
        alone = change(key(), Sample(**{f.name: of(batch, f) for f in fields}))
        for f in fields:
            for a, b in zip(
                jax.tree.leaves(of(together, f)),
                jax.tree.leaves(getattr(alone, f.name)),
                strict=True,
            ):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.thorough
def test_half_precision_comes_back_as_it_went():
    sample = whole()
    halved = jax.tree.map(
        lambda x: jnp.asarray(x, jnp.bfloat16 if np.issubdtype(x.dtype, np.floating) else None),
        dataclasses.replace(sample, camera=None, next_camera=None),
    )
    halved = dataclasses.replace(halved, camera=sample.camera, next_camera=sample.next_camera)
    for change in GEOMETRIC.values():
        got = change(key(), halved)
        for field in ("image", "flow", "inv_depth", "inv_depth_change", "scene_flow"):
            assert getattr(got, field).dtype == jnp.bfloat16
        assert got.valid.dtype == bool and got.camera.focal.dtype == jnp.float32
    wide = dataclasses.replace(
        cast(dataclasses.replace(halved, valid=None, occlusion=None), jnp.float32),
        valid=sample.valid,
        occlusion=sample.occlusion,
    )
    exact = GEOMETRIC["random_scale"](key(), wide)
    rounded = GEOMETRIC["random_scale"](key(), halved)
    both = np.array(exact.valid & rounded.valid)
    apart = np.abs(np.float32(rounded.flow) - exact.flow)[both]
    assert both.mean() > 0.7 and np.median(apart) < 2e-2


def test_a_gradient_passes_and_stays_finite():
    sample = whole()
    broken = sample.flow.copy()
    broken[5, 6] = np.nan

    def loss(flow):
        got = GEOMETRIC["random_scale"](key(), dataclasses.replace(sample, flow=flow))
        return jnp.sum(got.flow**2) + jnp.sum(got.inv_depth_change**2)

    gradient = np.array(jax.jit(jax.grad(loss))(broken))
    assert np.isfinite(gradient).all() and not gradient[5, 6].any()
    assert (gradient != 0).mean() > 0.2


def test_what_is_moved_or_erased_takes_its_gradient_along():
    frame, flow = images()["image"], motion(SIZE)[0]
    weights = np.random.default_rng(1).normal(size=(*SIZE, 3)).astype(np.float32)
    erase = functools.partial(augment.random_eraser, sides=(5.0, 9.0), count=1, probability=1.0)

    @jax.jit
    def gradients(image):
        cropped = lambda x: augment.random_crop(key(), Sample(image=x), WINDOW).image
        flipped = lambda x: augment.random_flip(key(), Sample(image=x), probability=1.0).image
        erased = lambda x: erase(key(), Sample(next_image=x, flow=flow)).next_image
        places = jnp.indices(SIZE).transpose(1, 2, 0).astype(jnp.float32)
        of = lambda f, w: jax.grad(lambda x: (f(x) * w).sum())(image)
        crop = of(cropped, weights[: WINDOW[0], : WINDOW[1]])
        return cropped(places)[0, 0], crop, of(flipped, weights), of(erased, weights), erased(image)

    (top, left), crop, flip, erase_slope, erased = as_numpy(gradients(frame))
    expected = np.zeros_like(weights)
    window = np.s_[int(top) : int(top) + WINDOW[0], int(left) : int(left) + WINDOW[1]]
    expected[window] = weights[: WINDOW[0], : WINDOW[1]]
    np.testing.assert_array_equal(crop, expected)
    np.testing.assert_array_equal(flip, weights[:, ::-1])
    same = (erased == frame).all(-1)
    assert 0 < (~same).sum() < 100
    np.testing.assert_array_equal(erase_slope, np.where(same[..., None], weights, 0))


def by_steps(image, brightness, contrast, saturation, hue):
    """The formulas of random_color one after another, in float64."""
    image = np.float64(image) * (1 + brightness)
    image = image + contrast * (image - 0.5)
    luma = image @ [0.299, 0.587, 0.114]
    image = image + saturation * (image - luma[..., None])
    yiq = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
    angle = 2 * np.pi * hue
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    chroma = np.concatenate([(image @ yiq[0])[..., None], image @ yiq[1:].T @ turn.T], -1)
    return np.clip(chroma @ np.linalg.inv(yiq).T, 0, 1)


def test_colours_follow_the_formulas():
    """The four numbers are found again from what they do to grey and to colours."""
    sample = Sample(**images())
    options = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    same = augment.random_color(key(), sample, **options)
    np.testing.assert_allclose(same.image, sample.image, atol=1e-6)
    for option, most in {"brightness": 0.4, "contrast": 0.5, "saturation": 0.6, "hue": 0.2}.items():
        got = augment.random_color(key(5), sample, **{**options, option: most}, asymmetric=0.0)
        candidates = np.linspace(-most, most, 4001)
        errors = [
            np.abs(by_steps(sample.image[:2], **{**options, option: x}) - got.image[:2]).max()
            for x in candidates
        ]
        best = candidates[np.argmin(errors)]
        assert min(errors) < 1e-3 and abs(best) > 0.01
        for before, after in ((sample.image, got.image), (sample.next_image, got.next_image)):
            np.testing.assert_allclose(
                after, by_steps(before, **{**options, option: best}), atol=1e-3
            )


def test_all_colour_changes_together_are_the_steps_in_turn():
    from sf3d_jax.augment import appearance

    image = images()["image"]
    change = np.array([0.3, -0.2, 0.4, 0.1])
    with float64():
        recolored = jax.jit(functools.partial(appearance._recolor, "image"))
        got = np.array(recolored(jnp.asarray(image, jnp.float64), change))
    np.testing.assert_allclose(got, by_steps(image, *change), atol=1e-12)


def test_the_next_image_has_colours_of_its_own_at_times():
    frame = images()["image"]
    sample = Sample(image=frame, next_image=frame)
    got = jax.vmap(lambda k: augment.random_color(k, sample))(jax.random.split(key(), 400))
    apart = np.abs(np.array(got.image - got.next_image)).max((1, 2, 3)) > 0
    assert 50 < apart.sum() < 110
    assert np.array(got.image).min() >= 0 and np.array(got.image).max() <= 1


def test_the_eraser_hides_rectangles_and_what_moves_there():
    size = (60, 80)
    flow = np.zeros((*size, 2), np.float32) + np.float32([5, -3])
    sample = Sample(
        **images(size), flow=flow, occlusion=np.zeros(size, bool), valid=np.ones(size, bool)
    )
    erase = functools.partial(augment.random_eraser, sides=(10.0, 20.0), count=1, probability=1.0)
    for seed in range(5):
        got = erase(key(seed), sample)
        np.testing.assert_array_equal(got.image, sample.image)
        erased = (np.array(got.next_image) != sample.next_image).all(-1)
        rows, columns = np.where(erased.any(1))[0], np.where(erased.any(0))[0]
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert erased[box].all() and max(erased[box].shape) <= 20
        assert np.ptp(np.array(got.next_image)[box].reshape(-1, 3), axis=0).max() == 0
        hidden = np.array(got.occlusion)
        np.testing.assert_array_equal(hidden[3:, :-5], erased[:-3, 5:])
    none = augment.random_eraser(key(), sample, probability=0)
    np.testing.assert_array_equal(none.next_image, sample.next_image)
    assert not np.array(none.occlusion).any()


@given(seed=st.integers(0, 1000), which=st.sampled_from([*GEOMETRIC, *APPEARANCE]))
@settings(max_examples=20, deadline=None)
def test_any_key_leaves_all_finite_and_the_fields_as_they_were(seed, which):
    sample = whole()
    got = {**GEOMETRIC, **APPEARANCE}[which](key(seed), sample)
    assert jax.tree.structure(
        got, is_leaf=lambda x: isinstance(x, sf3d.Camera)
    ) == jax.tree.structure(sample, is_leaf=lambda x: isinstance(x, sf3d.Camera))
    for x in jax.tree.leaves(got):
        assert np.isfinite(x).all()


def test_a_pixel_that_is_not_finite_has_no_colour_afterwards():
    frame = images()["image"]
    frame[2, 3, 1] = np.nan
    for seed in range(5):
        got = np.array(augment.random_color(key(seed), Sample(image=frame)).image)
        assert np.isfinite(got).all() and not got[2, 3].any() and got.any(-1).sum() > 500


def test_a_point_that_leaves_the_image_is_not_hidden_by_a_rectangle():
    size = (20, 20)
    sample = Sample(
        next_image=np.zeros((*size, 3), np.float32),
        flow=np.full((*size, 2), 25, np.float32),
        occlusion=np.zeros(size, bool),
    )
    assert not augment.random_eraser(key(), sample, probability=1).occlusion.any()


@thorough.parametrize("name", [*GEOMETRIC, "random_color"], default=["random_crop", "random_color"])
def test_a_sample_may_lack_anything(name):
    change = {**GEOMETRIC, **APPEARANCE}[name]
    for fields in (("image",), ("flow",), ("inv_depth", "camera"), ("scene_flow",), ("valid",)):
        full = whole()
        sample = Sample(**{name: getattr(full, name) for name in fields})
        got = change(key(), sample)
        given_back = {f.name for f in dataclasses.fields(got) if getattr(got, f.name) is not None}
        extra = {"valid"} if name == "random_scale" else set()
        assert given_back == {*fields, *extra}


@pytest.mark.parametrize(
    "change",
    [
        augment.random_flip,
        lambda key, sample: augment.random_crop(key, sample, WINDOW),
        lambda key, sample: augment.random_scale(key, sample, WINDOW),
        augment.random_eraser,
        augment.random_color,
    ],
)
def test_wrong_keys_are_named(change):
    sample = Sample(image=whole().image, next_image=whole().image)
    with pytest.raises(TypeError, match=r"key: expected jax\.random\.key\(seed\), got int.*\(\)"):
        change(0, sample)
    with pytest.raises(TypeError, match=r"key: .*got Sample; the key comes first .*transform\(key"):
        change(sample, key())
    with pytest.raises(ValueError, match=r"key: expected one key, got \(2,\)"):
        change(jax.random.split(key(), 2), sample)


def test_both_kinds_of_keys_do_the_same():
    image = Sample(image=whole().image)
    old = augment.random_flip(jax.random.PRNGKey(3), image).image
    np.testing.assert_array_equal(old, augment.random_flip(jax.random.key(3), image).image)


def test_wrong_samples_are_named():
    sample = whole()
    with pytest.raises(TypeError, match="sample: expected a Sample or a Sequence, got dict"):
        augment.random_flip(key(), {"flow": sample.flow})
    with pytest.raises(ValueError, match=r"size: expected at most \(24, 32\), got \(25, 32\)"):
        augment.random_crop(key(), sample, [25, 32])
    with pytest.raises(ValueError, match=r"size: expected two integers .* got \(5.5, 4\)"):
        augment.random_scale(key(), sample, (5.5, 4))
    with pytest.raises(ValueError, match=r"log2_scale: expected \(least, greatest\), got 1.0"):
        augment.random_scale(key(), sample, WINDOW, log2_scale=1.0)
    with pytest.raises(ValueError, match=r"one size .* flow \(24, 32\), inv_depth \(23, 32\)"):
        augment.random_flip(key(), Sample(flow=sample.flow, inv_depth=sample.inv_depth[1:]))
    with pytest.raises(ValueError, match="expected an image or a map, got none"):
        augment.random_flip(key(), Sample())
    with pytest.raises(
        TypeError, match=r"sample.image: expected a floating-point array, got uint8"
    ):
        augment.random_flip(key(), Sample(image=np.zeros((4, 5, 3), np.uint8)))
    with pytest.raises(ValueError, match=r"sample.flow: expected shape \(..., 2\)"):
        augment.random_flip(key(), Sample(flow=sample.inv_depth))
    with pytest.raises(ValueError, match=r"sample.camera: needed to scale"):
        augment.random_scale(key(), dataclasses.replace(sample, camera=None), WINDOW)
    with pytest.raises(ValueError, match=r"sample.next_image: needed"):
        augment.random_eraser(key(), Sample(flow=sample.flow))
    with pytest.raises(ValueError, match=r"sample.image: expected shape \(..., 3\)"):
        augment.random_color(key(), Sample(image=sample.flow))
