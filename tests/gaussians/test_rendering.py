"""Drawing of Gaussians: against the slow reference, finite differences, and its own laws."""

import contextlib
import dataclasses
import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from helpers import thorough
from helpers.support import as_numpy, cast, float64, pose, unchecked

import sf3d_jax as sf3d
from sf3d_jax import gaussians as gs
from sf3d_jax.gaussians import reference
from sf3d_jax.gaussians._lists import build_tile_lists
from sf3d_jax.gaussians._lists_on_cpu import _order_by_key
from sf3d_jax.gaussians._splats import make_splats

# More tiles than are drawn at a time, and neither side a multiple of theirs.
SIZE = (89, 97)
COUNT = 90
ROOM = 4096
CAMERA = sf3d.Camera.pinhole(
    *(115.0, 121.0, 47.2, 43.1), SIZE, pose([0.05, -0.08, 0.03], [0.02, 0.01, -0.03])
)
NEXT_CAMERA = sf3d.Camera.pinhole(
    *(117.0, 119.0, 48.1, 42.0), SIZE, pose([0.04, -0.06, 0.05], [0.03, 0.02, 0.01])
)
PREVIOUS_CAMERA = sf3d.Camera.pinhole(
    *(113.0, 122.0, 46.4, 44.2), SIZE, pose([0.06, -0.09, 0.02], [0.01, 0.0, -0.05])
)
BACKGROUND = np.array([0.3, -0.2, 0.7])
FEATURES = 2


def scenes(seed=0, count=COUNT):
    """Gaussians at two times: of all sizes and shapes, some beside and some behind the camera.

    Ten are wide and opaque, two are on both sides of the near plane. Colours are harmonics.
    """
    rng = np.random.default_rng(seed)
    means = rng.uniform([-0.5, -0.4, -0.2], [0.5, 0.4, 1.6], (count, 3))
    scales = np.exp(rng.normal(np.log(0.05), 0.6, (count, 3)))
    opacities = rng.uniform(0, 1, count)
    means[10:20, 2], opacities[10:20] = rng.uniform(0.8, 1.5, 10), 1
    scales[10:20] *= 2
    rotation, shift = CAMERA.world_to_camera[:, :3], CAMERA.world_to_camera[:, 3]
    means[20:22] = (np.array([[0.002, 0.001, 0.011], [-0.001, 0.002, 0.0095]]) - shift) @ rotation
    scales[20:22], opacities[20:22] = 4e-4, 0.3
    colors = rng.normal(scale=0.3, size=(count, 4, 3))
    with float64():
        first = gs.Gaussians.from_scales_rotations(
            means, scales, rng.normal(size=(count, 4)), opacities, colors
        )
        factors = np.array(first.factors)
    stretch = np.eye(3) + 0.1 * rng.normal(size=(count, 3, 3))
    first = gs.Gaussians(means, factors, opacities, colors)
    moved = means + 0.02 * means[:, 2:] * rng.normal(size=(count, 3))
    moved[20:22] = means[20:22]
    return first, gs.Gaussians(moved, stretch @ factors, opacities, colors)


def before(first, seed=0):
    """The Gaussians before the first time, and features of them."""
    rng = np.random.default_rng(seed + 100)
    count = len(first.means)
    means = first.means + 0.02 * first.means[:, 2:] * rng.normal(size=(count, 3))
    means[20:22] = first.means[20:22]
    factors = (np.eye(3) + 0.1 * rng.normal(size=(count, 3, 3))) @ first.factors
    previous = dataclasses.replace(first, means=means, factors=factors)
    return previous, rng.normal(size=(count, FEATURES))


def images(result):
    """All floating images of a result in one array, channels last."""
    maps = jax.tree.leaves(result)
    maps = [x for x in maps if x.ndim >= 2 and jnp.issubdtype(x.dtype, jnp.floating)]
    join = np.concatenate if isinstance(maps[0], np.ndarray) else jnp.concatenate
    return join([x if x.ndim == 3 else x[..., None] for x in maps], -1)


def still(draw, **options):
    return lambda first, after, camera, next_camera, background, *_: draw(
        first, camera, background=background, antialias=True, **options
    )


def moving(draw, **options):
    return lambda first, after, camera, next_camera, background, *_: draw(
        first, after, camera, next_camera, background=background, **options
    )


def moving_both_ways(draw, **options):
    return lambda first, after, camera, next_camera, background, *rest: draw(
        *(first, after, camera, next_camera),
        **dict(zip(("previous_gaussians", "previous_camera", "features"), rest, strict=True)),
        background=background,
        **options,
    )


# Ours, and the reference.
RENDERERS = {
    "render": (still(gs.render, max_intersections=ROOM), still(reference.render)),
    "mean": (moving(gs.render_motion, max_intersections=ROOM), moving(reference.render_motion)),
    "median": (
        moving(gs.render_motion, method="median", max_intersections=ROOM),
        moving(reference.render_motion, method="median"),
    ),
    "both": (
        moving_both_ways(gs.render_motion, max_intersections=ROOM),
        moving_both_ways(reference.render_motion),
    ),
    "both medians": (
        moving_both_ways(gs.render_motion, method="median", max_intersections=ROOM),
        moving_both_ways(reference.render_motion, method="median"),
    ),
}


def inputs(dtype, seed=0):
    """The first and the next scene, their cameras, the background, and what "both" adds."""
    first, after = scenes(seed)
    previous, features = before(first, seed)
    cameras = CAMERA, NEXT_CAMERA
    return cast((first, after, *cameras, BACKGROUND, previous, PREVIOUS_CAMERA, features), dtype)


@functools.partial(jax.jit, static_argnums=(0, 1))
def program(name, which, given, factors):
    """The derivative of a sum of all images times factors, and the result."""

    def loss(given):
        result = RENDERERS[name][which](*given)
        return (images(result) * factors).sum(), result

    return jax.grad(loss, has_aux=True)(given)


WIDTHS = {"render": 5, "mean": 11, "median": 11}
WIDTHS |= dict.fromkeys(("both", "both medians"), 11 + FEATURES + 6)


def weights(name, seed=7):
    return np.random.default_rng(seed).normal(size=(*SIZE, WIDTHS[name]))


def gradient(name, which, given, kept=None):
    """The derivative of a sum of all images times random numbers, those of `kept` pixels."""
    factors = weights(name) if kept is None else weights(name) * kept[..., None]
    return as_numpy(program(name, which, given, jnp.asarray(factors, given[0].means.dtype))[0])


def drawn(name, which, *given):
    return program(name, which, given, jnp.asarray(weights(name), given[0].means.dtype))[1]


# The default run asks `render` of its formula for one Gaussian and of finite differences.
each_renderer = thorough.parametrize("name", RENDERERS, default=["render"])


@each_renderer
def test_an_image_is_that_of_every_gaussian_against_every_pixel(name):
    with float64():
        for seed in range(3):
            given = inputs(np.float64, seed)
            result, expected = (as_numpy(drawn(name, which, *given)) for which in (0, 1))
            assert 0.3 < expected.alpha.mean() < 0.999
            chex.assert_trees_all_close(result, expected, rtol=1e-12, atol=1e-12)


@thorough.parametrize("name", ["mean", "median", "both"], default=["both"])
def test_annotations_agree_to_the_rounding_of_float64(name):
    with float64():
        given = inputs(np.float64)
        seen = drawn(name, 0, *given)
        lifted = sf3d.scene_flow(seen.flow, seen.inv_depth, seen.inv_depth_change, *given[2:4])
        shown = sf3d.image_motion(seen.scene_flow, seen.inv_depth, *given[2:4])
        seen, lifted, shown = as_numpy((seen, lifted, shown))
    assert seen.valid.mean() > 0.3
    np.testing.assert_array_equal(lifted.valid, seen.valid)
    np.testing.assert_allclose(lifted.vectors, seen.scene_flow, atol=1e-12)
    np.testing.assert_allclose(shown.flow, seen.flow, atol=1e-10)
    np.testing.assert_allclose(shown.inv_depth_change, seen.inv_depth_change, atol=1e-12)


def in_one_pass(method, given):
    """What both motions are, and what their pass draws else."""
    seen = RENDERERS[{"mean": "both", "median": "both medians"}[method]][0](*given)
    drawn = seen.colors, seen.alpha, seen.inv_depth, seen.edge, seen.features
    motion = seen.flow, seen.inv_depth_change, seen.scene_flow, seen.valid
    return drawn, motion, tuple(seen.backward)


def in_two_calls(method, given):
    """The same, the second call with the previous state as the next one and features as colours."""
    first, after, camera, next_camera, background, previous, previous_camera, features = given
    eye = -camera.world_to_camera[:, :3].T @ camera.world_to_camera[:, 3]
    colors = gs.spherical_harmonics(first.colors, first.means - eye[None])
    wide = dataclasses.replace(first, colors=jnp.concatenate([colors, features], -1))
    behind = jnp.concatenate([background, jnp.zeros(FEATURES, background.dtype)])
    draw = RENDERERS[method][0]
    there = draw(wide, after, camera, next_camera, behind)
    back = draw(first, previous, camera, previous_camera, background)
    # Where one motion alone is valid, its call alone gives the depth.
    depth, edge = jnp.where(there.valid, there.inv_depth, back.inv_depth), there.edge | back.edge
    drawn = there.colors[..., :3], there.alpha, depth, edge, there.colors[..., 3:]
    return drawn, *((x.flow, x.inv_depth_change, x.scene_flow, x.valid) for x in (there, back))


@pytest.mark.thorough
@pytest.mark.parametrize("method", ["mean", "median"])
def test_one_pass_is_two_calls(method):
    with float64():
        given = list(inputs(np.float64))
        # Some points are behind the previous camera.
        pose = given[6].world_to_camera.at[2, 3].add(-1.0)
        given[6] = dataclasses.replace(given[6], world_to_camera=pose)
        (slopes, result), (expected_slopes, expected) = (
            as_numpy(
                jax.jit(jax.grad(functools.partial(weighted, way, method), has_aux=True))(given)
            )
            for way in (in_one_pass, in_two_calls)
        )
    assert (expected[1][3] != expected[2][3]).any()
    chex.assert_trees_all_close(result, expected, atol=1e-12)
    pairs = zip(jax.tree.leaves(slopes), jax.tree.leaves(expected_slopes), strict=True)
    assert all(relative(x, y) < 1e-11 or (not np.any(y) and not np.any(x)) for x, y in pairs)


def weighted(way, method, given):
    """A sum of all floating images times random numbers, and the images."""
    result = way(method, given)
    rng = np.random.default_rng(2)
    floats = [x for x in jax.tree.leaves(result) if jnp.issubdtype(x.dtype, jnp.floating)]
    return sum((x * rng.normal(size=x.shape)).sum() for x in floats), result


def tangents(gradient, camera):
    """A pose's derivative by turning and moving the camera: all else leaves the rotations."""
    turns = np.array([[[0, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
                      [[0, -1, 0], [1, 0, 0], [0, 0, 0]]], float)  # fmt: skip
    pulled = np.einsum("ij,nik,kj->n", gradient[:, :3], turns, camera.world_to_camera[:, :3])
    return np.r_[pulled, gradient[:, 3]]


def named(gradients, given):
    """Each input's derivative by name; a camera is one, of which parts may nearly cancel."""
    first, after, camera, next_camera, background, previous, previous_camera, features = gradients
    yield "background", background
    yield "features", features
    for name, x in (("first", first), ("next", after), ("previous", previous)):
        for field in dataclasses.fields(x):
            yield f"{name} {field.name}", getattr(x, field.name)
    cameras = {"camera": camera, "next camera": next_camera, "previous camera": previous_camera}
    for (name, x), k in zip(cameras.items(), (2, 3, 6), strict=True):
        turned = tangents(x.world_to_camera, given[k])
        yield name, np.concatenate([x.focal, x.principal_point, turned])


def relative(x, y):
    return np.linalg.norm(x - y) / max(np.linalg.norm(y), 1e-30)


@thorough.parametrize("name", RENDERERS, default=["both"])
def test_the_derivative_is_that_of_the_reference(name):
    with float64():
        given = inputs(np.float64)
        result, expected = (gradient(name, which, given) for which in (0, 1))
    exact = *given[:2], CAMERA, NEXT_CAMERA, *given[4:6], PREVIOUS_CAMERA
    for (field, x), (_, y) in zip(named(result, exact), named(expected, exact), strict=True):
        if np.any(y):
            assert relative(x, y) < 1e-11, field
        else:
            assert not np.any(x), field


@thorough.parametrize("name", RENDERERS, default=["render"])
def test_the_derivative_is_that_of_finite_differences(name):
    rng = np.random.default_rng(1)
    with float64():
        given = inputs(np.float64)
        leaves, structure = jax.tree.flatten(given)
        for k, leaf in enumerate(leaves):
            # So short that even the steepest annotation changes less than a threshold does.
            direction = rng.normal(size=leaf.shape) * 1e-8
            ends = [
                images(as_numpy(drawn(name, 0, *jax.tree.unflatten(structure, moved))))
                for moved in (
                    [*leaves[:k], leaf + sign * direction, *leaves[k + 1 :]] for sign in (1, -1)
                )
            ]
            # A pixel at which a Gaussian falls below a threshold in between has no derivative.
            steady = (np.abs(ends[0] - ends[1]) < 1e-4 * np.maximum(np.abs(ends[0]), 1)).all(-1)
            assert steady.mean() > 0.99
            change = ((ends[0] - ends[1]) * weights(name) * steady[..., None]).sum() / 2
            slopes = jax.tree.leaves(gradient(name, 0, given, steady))
            np.testing.assert_allclose((slopes[k] * direction).sum(), change, rtol=3e-5, atol=1e-11)


def lighter(scene, by):
    return dataclasses.replace(scene, opacities=scene.opacities * (1 - by))


def near_a_threshold(name, given):
    """Pixels at which a rule flips within rounding: compared in float64, a bit up and down."""
    with float64():
        given = cast(given, np.float64)
        results = [
            as_numpy(drawn(name, 0, lighter(given[0], shift), *given[1:]))
            for shift in (0, 3e-6, -3e-6)
        ]
    spread = [np.abs(images(r) - images(results[0])).max(-1) for r in results[1:]]
    return np.maximum(*spread) > 1e-4


@thorough.parametrize("name", RENDERERS, default=["render"])
def test_float32_is_right_but_at_thresholds(name):
    single = inputs(np.float32)
    result = images(as_numpy(drawn(name, 0, *single)))
    with float64():
        double = cast(single, np.float64)
        expected = images(as_numpy(drawn(name, 0, *double)))
    band = near_a_threshold(name, single)
    assert band.mean() < 0.01
    error = (np.abs(result - expected) / np.maximum(np.abs(expected), 1))[~band]
    assert np.quantile(error, 0.9999) < 1e-5
    slopes = gradient(name, 0, single, ~band)
    with float64():
        exact = gradient(name, 0, double, ~band)
    for (field, x), (_, y) in zip(named(slopes, single), named(exact, single), strict=True):
        if np.any(y):
            assert relative(x, y) < 1e-5, field


def precision(dtype):
    return float64() if dtype == np.float64 else contextlib.nullcontext()


BAD = {
    "nan mean": lambda g: dataclasses.replace(g, means=g.means.at[7].set(np.nan)),
    "infinite factor": lambda g: dataclasses.replace(g, factors=g.factors.at[7, 1, 2].set(np.inf)),
    "huge factor": lambda g: dataclasses.replace(g, factors=g.factors.at[7].multiply(1e30)),
    "wide factor": lambda g: dataclasses.replace(g, factors=g.factors.at[7].multiply(1e9)),
    "nan opacity": lambda g: dataclasses.replace(g, opacities=g.opacities.at[7].set(np.nan)),
    "infinite colour": lambda g: dataclasses.replace(g, colors=g.colors.at[7].set(-np.inf)),
    "no scale": lambda g: dataclasses.replace(g, factors=g.factors.at[7].set(0)),
    "flat": lambda g: dataclasses.replace(g, factors=g.factors.at[7, :, 1].set(0)),
    "behind": lambda g: dataclasses.replace(g, means=g.means.at[7].set([0, 0, -1.0])),
    "at the eye": lambda g: dataclasses.replace(g, means=g.means.at[7].set(0)),
    # The square of the least factor is below the numbers of the type.
    "thin": lambda g: dataclasses.replace(
        g,
        factors=g.factors.at[7].set(
            jnp.diag(jnp.array([1e-9, 1e-9, 1e-24 if g.factors.dtype == jnp.float32 else 1e-170]))
        ),
    ),
    "clear": lambda g: dataclasses.replace(g, opacities=g.opacities.at[7].set(0.003)),
}


@pytest.mark.non_finite
@thorough.parametrize(
    "name, renderer",
    itertools.product(BAD, ["render", "both"]),
    default=[*((name, "both") for name in BAD), ("nan mean", "render"), ("wide factor", "render")],
)
@thorough.parametrize("dtype", [np.float32, np.float64], default=[np.float64])
def test_a_bad_gaussian_touches_nothing(name, renderer, dtype):
    with precision(dtype):
        check_bad(BAD[name], renderer, dtype)


def differentiate(name, *given):
    """The derivative and the result of one run."""
    return as_numpy(program(name, 0, given, jnp.asarray(weights(name), given[0].means.dtype)))


@functools.cache
def with_and_without(renderer, dtype):
    """Inputs of which the Gaussian 7 is well seen; the derivative and the result without it."""
    first, after, camera, *rest = inputs(dtype, 1)
    # A camera at the origin, so that the eye is a number without rounding.
    camera = dataclasses.replace(camera, world_to_camera=jnp.eye(3, 4, dtype=dtype))
    # What may not be seen at all is well seen otherwise.
    first = dataclasses.replace(
        first,
        means=first.means.at[7].set(jnp.array([0, 0, 0.3])),
        opacities=first.opacities.at[7].set(0.9),
    )
    others = after, camera, *rest
    slopes, result = differentiate(renderer, jax.tree.map(lambda x: x.at[7].set(0), first), *others)
    assert np.any(drawn(renderer, 0, first, *others).colors != result.colors)
    return (first, *others), (slopes, result)


def check_bad(spoil, renderer, dtype):
    (first, *others), (expected_slopes, expected) = with_and_without(renderer, dtype)
    slopes, result = differentiate(renderer, spoil(first), *others)
    chex.assert_trees_all_equal(result, expected)
    chex.assert_trees_all_equal(slopes, expected_slopes)
    assert not any(np.any(x[7]) for x in jax.tree.leaves(slopes[:2]))


# The place among the inputs, and how the Gaussian 7 there becomes bad.
ELSEWHERE = {
    "next factor": (1, lambda g: dataclasses.replace(g, factors=g.factors.at[7].set(np.nan))),
    "previous mean": (5, lambda g: dataclasses.replace(g, means=g.means.at[7, 1].set(np.inf))),
    "feature": (7, lambda features: features.at[7, 1].set(np.nan)),
}


@pytest.mark.non_finite
@pytest.mark.parametrize("name", ELSEWHERE)
@thorough.parametrize("dtype", [np.float32, np.float64], default=[np.float64])
def test_a_gaussian_that_is_bad_elsewhere_is_not_drawn(name, dtype):
    place, spoil = ELSEWHERE[name]
    with precision(dtype):
        good = list(inputs(dtype, 1))
        bad = [spoil(x) if k == place else x for k, x in enumerate(good)]
        without = [jax.tree.map(lambda x: x.at[7].set(0), good[0]), *good[1:]]
        result, expected = (drawn("both", 0, *given) for given in (bad, without))
        chex.assert_trees_all_equal(result, expected)
        assert np.any(drawn("both", 0, *good).features != result.features)
        slopes = gradient("both", 0, tuple(bad))
        chex.assert_tree_all_finite(slopes)
        for x in (slopes[0], slopes[1], slopes[5]):
            assert np.any(x.means) and not np.any(x.means[7])
        assert np.any(slopes[7]) and not np.any(slopes[7][7])


@pytest.mark.non_finite
@thorough.parametrize("dtype", [np.float32, np.float64], default=[np.float64])
def test_of_the_other_times_only_means_and_factors_are_read(dtype):
    with precision(dtype):
        given = list(inputs(dtype, 1))
        other = list(given)
        for k in (1, 5):
            unused = {"opacities": jnp.nan * given[k].opacities, "colors": 0 * given[k].colors}
            other[k] = dataclasses.replace(given[k], **unused)
        chex.assert_trees_all_equal(*(drawn("both", 0, *x) for x in (other, given)))


@pytest.mark.non_finite
def test_a_camera_that_is_not_finite_sees_nothing():
    first, after, camera, next_camera, background, *rest = inputs(np.float32)
    broken = unchecked(camera, focal=camera.focal.at[0].set(np.nan))
    given = first, after, broken, next_camera, background, *rest
    result = drawn("both", 0, *given)
    np.testing.assert_array_equal(result.colors, np.broadcast_to(background, (*SIZE, 3)))
    assert not np.any(images(as_numpy(result))[..., 3:])
    slopes = list(gradient("both", 0, given))
    assert np.any(slopes.pop(4))
    assert not any(np.any(x) for x in jax.tree.leaves(slopes))


@pytest.mark.non_finite
def test_what_does_not_fit_is_loud():
    with float64():
        first, *rest = inputs(np.float64)
        large = dataclasses.replace(first, factors=20 * first.factors)
        assert gs.intersections_needed(large, rest[1], antialias=True) > ROOM
        for name, untold in (("render", 3), ("both", 2)):
            result = as_numpy(drawn(name, 0, large, *rest))
            assert result.overflow > 0
            assert all(np.isnan(x).all() for x in result[:untold])
            assert not any(np.any(x) for x in jax.tree.leaves(gradient(name, 0, (large, *rest))))
    assert np.isnan(result.features).all()
    known = result._replace(colors=0, alpha=0, overflow=0, features=0)
    assert not any(np.any(x) for x in jax.tree.leaves(known))


@functools.partial(jax.jit, static_argnums=1)
def overflow_of(given, room):
    return build_tile_lists(make_splats(given[0], given[2]).outlines, SIZE, room).overflow


@thorough.parametrize("lacking", [0, 1, 9], default=[0, 1])
def test_room_is_enough_to_the_last_place(lacking):
    given = inputs(np.float32)
    count = int(gs.intersections_needed(given[0], given[2]))
    assert overflow_of(given, count - lacking) == lacking


def test_the_least_room_overflows():
    assert overflow_of(inputs(np.float32), 1) > 0


def test_more_intersections_than_integers_are_counted_as_the_largest():
    camera = sf3d.Camera.pinhole(100.0, 100.0, 2000.0, 2000.0, (4000, 4000))
    n = 10_000
    ones = np.ones((n, 1), np.float32)
    large = np.tile(50 * np.eye(3), (n, 1, 1)).astype(np.float32)
    cloud = gs.Gaussians(ones * np.float32([0, 0, 1]), large, ones[:, 0], ones)
    assert gs.intersections_needed(cloud, cast(camera, np.float32)) == 2**31 - 1


def test_room_is_found_where_a_derivative_is_asked_outside_of_jit():
    first, _, camera, *_ = inputs(np.float32)
    expected = gs.render(first, camera, max_intersections=np.int64(ROOM))
    result, pull = jax.vjp(lambda g: gs.render(g, camera).colors, first)
    chex.assert_trees_all_close(result, expected.colors, atol=1e-6)
    assert np.any(pull(jnp.ones_like(result))[0].means)


def test_room_is_found_outside_of_jit():
    with float64():
        first, _, camera, _, background, *_ = given = inputs(np.float64)
        expected = as_numpy(drawn("render", 0, *given))
        result = as_numpy(gs.render(first, camera, background=background, antialias=True))
    first, _, camera, *_ = inputs(np.float32)
    assert result.overflow == 0
    chex.assert_trees_all_close(result.colors, expected.colors, atol=1e-6)
    with pytest.raises(ValueError, match="max_intersections"):
        jax.jit(gs.render)(first, camera)
    with pytest.raises(ValueError, match="max_intersections"):
        jax.vmap(lambda x: gs.render(dataclasses.replace(first, means=x), camera))(
            first.means[None]
        )


def test_sizes_of_room_are_few_and_enough():
    from sf3d_jax.gaussians._options import round_up

    sizes = [round_up(n) for n in range(0, 100_000, 7)]
    assert all(n * 7 <= size <= max(1.25 * n * 7 + 1, 1024) for n, size in enumerate(sizes))
    assert len(set(sizes)) < 40


@pytest.mark.parametrize("seed", [0, 1])
def test_needed_are_the_tiles_that_have_a_pixel_to_draw(seed):
    first = scenes(seed)[0]
    rows, columns = -(-SIZE[0] // 8), -(-SIZE[1] // 8)
    least = 0
    with float64():
        scene, camera = cast((first, CAMERA), np.float64)
        for k in range(COUNT):
            one = jax.tree.map(lambda x, k=k: x[k : k + 1], scene)
            alpha = np.array(ONE_BY_ONE(one, camera))
            padded = np.pad(alpha, ((0, rows * 8 - SIZE[0]), (0, columns * 8 - SIZE[1])))
            least += (padded.reshape(rows, 8, columns, 8) > 0).any((1, 3)).sum()
        needed = int(gs.intersections_needed(scene, camera))
    # A chord can pass between the centres of a tile's pixels.
    assert least <= needed <= 1.05 * least


ONE_BY_ONE = jax.jit(lambda g, c: reference.render(g, c).alpha)


def test_entries_are_sorted_in_parts_as_at_once(monkeypatch):
    from sf3d_jax.gaussians import _lists_on_cpu

    rng = np.random.default_rng(0)
    tile = rng.integers(0, 38, 1000).astype(np.int32)
    expected = np.argsort(tile, kind="stable")
    # Of so few bits a part holds all, 128 or 8 entries; of the last, counts would be too many.
    for bits in (32, 13, 9):
        monkeypatch.setattr(_lists_on_cpu, "_BITS", bits)
        places = jax.jit(functools.partial(_order_by_key, largest=37))(tile)
        np.testing.assert_array_equal(places, expected)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["render", "both"])
def test_a_batch_is_a_loop(name):
    factors = weights(name)
    with float64():
        scenes = [inputs(np.float64, seed) for seed in (0, 1)]
        both = jax.jit(jax.vmap(lambda given: program(name, 0, given, factors)))
        slopes, result = as_numpy(both(jax.tree.map(lambda *x: jnp.stack(x), *scenes)))
        alone = [as_numpy(program(name, 0, given, factors)) for given in scenes]
    for k, (expected_slopes, expected) in enumerate(alone):
        one = jax.tree.map(lambda x, k=k: x[k], result)
        chex.assert_trees_all_close(one, expected, atol=1e-5, rtol=1e-5)
        one = jax.tree.map(lambda x, k=k: x[k], slopes)
        leaves = (jax.tree.leaves(x) for x in (one, expected_slopes))
        for x, y in zip(*leaves, strict=True):
            assert relative(x, y) < 1e-4 or not np.any(y)


@pytest.mark.thorough
def test_scenes_may_be_spread_over_devices():
    with float64():
        spread_a_scene()


def spread_a_scene():
    mesh = jax.make_mesh((1,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    spread = jax.sharding.PartitionSpec("x")
    given = inputs(np.float64)
    factors = jnp.asarray(weights("render"), jnp.float64)

    def one(batch):
        given = jax.tree.map(lambda x: x[0], batch)
        count = gs.intersections_needed(given[0], given[2], antialias=True)
        return jax.tree.map(lambda x: x[None], (*program("render", 0, given, factors), count))

    batch = jax.tree.map(lambda x: x[None], given)
    slopes, result, count = jax.jit(
        jax.shard_map(one, mesh=mesh, in_specs=(spread,), out_specs=spread)
    )(batch)
    chex.assert_trees_all_close(
        jax.tree.map(lambda x: x[0], result), drawn("render", 0, *given), atol=1e-5, rtol=1e-5
    )
    assert relative(slopes[0].means[0], gradient("render", 0, given)[0].means) < 1e-4
    assert count[0] == gs.intersections_needed(given[0], given[2], antialias=True)


def test_narrow_numbers_come_out_as_they_went_in():
    first, after, *rest = inputs(np.float32)
    exact = drawn("both", 0, first, after, *rest)
    first, after, previous = cast((first, after, rest[3]), jnp.bfloat16)
    result = RENDERERS["both"][0](first, after, *rest[:3], previous, *rest[4:])
    # Features have a type of their own.
    assert result.features.dtype == np.float32
    assert np.abs(result.features - exact.features).mean() < 0.02
    floats = [x for x in jax.tree.leaves(result._replace(features=None))]
    floats = [x for x in floats if jnp.issubdtype(x.dtype, jnp.floating)]
    assert len(floats) == 9 and all(x.dtype == jnp.bfloat16 for x in floats)
    assert np.abs(result.colors.astype(np.float32) - exact.colors).mean() < 0.02


def test_what_is_behind_an_opaque_wall_does_not_matter():
    n = 12
    means = np.zeros((n, 3), np.float32)
    means[:, 2] = np.linspace(1, 2, n)
    walls = np.tile(np.diag([9.0, 9.0, 0.01]).astype(np.float32), (n, 1, 1))
    colors = np.random.default_rng(0).uniform(size=(n, 3)).astype(np.float32)
    camera = cast(dataclasses.replace(CAMERA, world_to_camera=np.eye(3, 4)), np.float32)
    # Of .98 each, a third would let through 8e-6; of opacities above the cap, a second 1e-4.
    for opacity, layers in ((0.98, 2), (1.5, 1)):
        scene = gs.Gaussians(means, walls, np.full(n, opacity, np.float32), colors)
        result = gs.render(scene, camera, max_intersections=ROOM)
        passed = 1 - np.minimum(opacity, 0.99) ** np.ones(layers)
        np.testing.assert_allclose(1 - result.alpha[43, 47], passed.prod(), rtol=0.01)
        other = dataclasses.replace(scene, colors=np.r_[colors[:layers], 9 + colors[layers:]])
        chex.assert_trees_all_equal(gs.render(other, camera, max_intersections=ROOM), result)


def test_without_gaussians_nothing_is_valid_and_all_is_zero():
    camera = cast(CAMERA, jnp.float32)
    none = gs.Gaussians(*(np.zeros((0, *n), np.float32) for n in ((3,), (3, 3), (), (2,))))
    features = np.zeros((0, 4), np.float32)
    annotation = gs.render_motion(none, none, camera, previous_gaussians=none, features=features)
    assert annotation.flow.shape == (*camera.size, 2)
    assert annotation.features.shape == (*camera.size, 4)
    for image in jax.tree.leaves(annotation):
        assert not np.any(image)


def test_one_gaussian_is_its_formula():
    camera = sf3d.Camera.pinhole(100.0, 120.0, 10.0, 8.0, (17, 21))
    factor = np.diag([0.02, 0.03, 0.001])
    one = gs.Gaussians(
        np.array([[0.01, -0.02, 2.0]]), factor[None], np.array([0.6]), np.array([[0.2, 0.5, 1.0]])
    )
    v, u = np.mgrid[:17, :21].astype(float)
    x, y = u - 10 - 100 * 0.01 / 2, v - 8 + 120 * 0.02 / 2
    # The slope of the projection also sees the thickness, a little.
    slope = np.array([[50, 0, -0.25], [0, 60, 0.6]])
    inverse = np.linalg.inv(slope @ factor @ factor @ slope.T + 0.3 * np.eye(2))
    power = inverse[0, 0] * x * x + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y * y
    alpha = 0.6 * np.exp(-power / 2)
    alpha = np.where(alpha >= 1 / 255, alpha, 0)
    with float64():
        result = as_numpy(gs.render(*cast((one, camera), np.float64), background=jnp.ones(3)))
    np.testing.assert_allclose(result.alpha, alpha, atol=1e-14)
    np.testing.assert_allclose(
        result.colors, alpha[..., None] * [0.2, 0.5, 1.0] + 1 - alpha[..., None], atol=1e-14
    )
    np.testing.assert_array_equal(result.inv_depth > 0, alpha > 0)
    # A disc that faces the camera is a plane: nearly of one depth.
    np.testing.assert_allclose(1 / result.inv_depth[alpha > 0], 2, atol=1e-3)


def test_spherical_harmonics_are_orthonormal_and_those_of_scipy():
    nodes, measure = np.polynomial.legendre.leggauss(8)
    angles = np.arange(16) * np.pi / 8
    z, angle = np.meshgrid(nodes, angles, indexing="ij")
    ring = np.sqrt(1 - z * z)
    directions = np.stack([ring * np.cos(angle), ring * np.sin(angle), z], -1).reshape(-1, 3)
    measure = np.repeat(measure, 16) * np.pi / 8
    with float64():
        # Times .01 and lifted by the half, no colour is cut at 0.
        basis = jnp.eye(16)[:, :] * 0.01
        colors = jax.vmap(lambda d: gs.spherical_harmonics(basis[:, :], 3 * d))(directions)
        values = (as_numpy(colors) - 0.5) / 0.01
    np.testing.assert_allclose((values.T * measure) @ values, np.eye(16), atol=1e-12)
    column = 0
    for degree in range(4):
        for order in range(-degree, degree + 1):
            theta, phi = np.arccos(directions[:, 2]), np.arctan2(directions[:, 1], directions[:, 0])
            harmonic = scipy.special.sph_harm_y(degree, abs(order), theta, phi)
            real = harmonic.real if order >= 0 else harmonic.imag
            real = real * (np.sqrt(2) if order else 1)
            np.testing.assert_allclose(values[:, column], real, atol=1e-12)
            column += 1


def test_harmonics_without_a_direction_are_the_mean_colour():
    coefficients = jnp.ones((4, 3))
    colour = lambda d: gs.spherical_harmonics(coefficients, d)
    np.testing.assert_allclose(colour(jnp.zeros(3)), 0.5 + 0.5 / np.sqrt(np.pi), rtol=1e-6)
    assert not np.any(jax.jacobian(colour)(jnp.zeros(3)))
    dark = gs.spherical_harmonics(-9 * coefficients, jnp.array([0.0, 0.0, 1.0]))
    assert np.all(dark == 0)


def along(function, *arguments):
    """Derivatives in float64 along a direction: of JAX, and of finite differences."""
    rng = np.random.default_rng(0)
    with float64():
        arguments = [jnp.asarray(x, jnp.float64) for x in arguments]
        directions = [jnp.asarray(rng.normal(size=x.shape)) for x in arguments]

        @jax.jit
        def at(t):
            moved = [x + t * d for x, d in zip(arguments, directions, strict=True)]
            value, pull = jax.vjp(function, *moved)
            weights = jnp.cos(jnp.arange(value.size)).reshape(value.shape)
            slopes = pull(weights)
            total = sum((a * b).sum() for a, b in zip(slopes, directions, strict=True))
            return (value * weights).sum(), total

        return float(at(0.0)[1]), float(at(1e-5)[0] - at(-1e-5)[0]) / 2e-5


def test_the_derivatives_of_colours_and_factors_are_those_of_finite_differences():
    rng = np.random.default_rng(0)
    coefficients, directions = 0.05 * rng.normal(size=(5, 16, 3)), rng.normal(size=(5, 3))
    found, wanted = along(gs.spherical_harmonics, coefficients, directions)
    np.testing.assert_allclose(found, wanted, rtol=1e-7)
    build = lambda scales, rotations: (
        gs.Gaussians.from_scales_rotations(
            jnp.zeros((5, 3)), scales, rotations, jnp.ones(5), jnp.ones((5, 3))
        ).factors
    )
    found, wanted = along(build, rng.uniform(0.1, 1, (5, 3)), rng.normal(size=(5, 4)))
    np.testing.assert_allclose(found, wanted, rtol=1e-7)


def test_wrong_coefficients_and_rotations_are_named():
    with pytest.raises(ValueError, match="coefficients: expected shape"):
        gs.spherical_harmonics(np.ones((5, 3)), np.ones(3))
    means, scales, rest = np.ones((5, 3)), np.ones((5, 3)), (np.ones(5), np.ones((5, 3)))
    with pytest.raises(ValueError, match="rotations: expected"):
        gs.Gaussians.from_scales_rotations(means, scales, np.ones((5, 2)), *rest)


def test_rotations_may_be_quaternions_of_any_length_or_matrices():
    rng = np.random.default_rng(0)
    quaternions = rng.normal(size=(5, 4))
    from scipy.spatial.transform import Rotation

    matrices = Rotation.from_quat(quaternions[:, [1, 2, 3, 0]]).as_matrix()
    scales = rng.uniform(0.1, 1, (5, 3))
    rest = rng.normal(size=(5, 3)), scales
    tail = rng.uniform(size=5), rng.uniform(size=(5, 3))
    with float64():
        for given in (quaternions, 1e-200 * quaternions, 1e200 * quaternions, matrices):
            made = gs.Gaussians.from_scales_rotations(*rest, given, *tail)
            np.testing.assert_allclose(
                np.array(made.factors), matrices * scales[:, None, :], atol=1e-14
            )
        slopes = jax.jacobian(
            lambda q: gs.Gaussians.from_scales_rotations(*rest, q, *tail).factors
        )(jnp.zeros((5, 4)))
        assert not np.any(slopes)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda g: None, TypeError, "gaussians: expected Gaussians"),
        (lambda g: dataclasses.replace(g, means=g.means[:-1]), ValueError, "means"),
        (lambda g: dataclasses.replace(g, means=g.means[..., :2]), ValueError, r"gaussians\.means"),
        (lambda g: dataclasses.replace(g, factors=g.factors[..., 0]), ValueError, "factors"),
        (lambda g: dataclasses.replace(g, colors=g.colors[:, :3]), ValueError, "colors"),
        (lambda g: dataclasses.replace(g, colors=g.colors[:, None]), ValueError, "colors"),
        (lambda g: dataclasses.replace(g, colors=g.colors[..., :0]), ValueError, "colors"),
        (lambda g: dataclasses.replace(g, opacities=np.ones(COUNT, int)), TypeError, "opacities"),
        (lambda g: jax.tree.map(lambda x: x[None], g), ValueError, "vmap"),
    ],
)  # fmt: skip
def test_a_wrong_scene_is_named(change, error, text):
    first, camera = cast((scenes()[0], CAMERA), np.float32)
    with pytest.raises(error, match=text):
        gs.intersections_needed(change(first), camera)


def test_wrong_arguments_are_named():
    first, after, camera, *_ = inputs(np.float32)
    batch = jax.tree.map(lambda x: x[None], camera)
    lens = sf3d.Camera.from_matrix(np.eye(3), SIZE, distortion=np.zeros(4))
    fewer = jax.tree.map(lambda x: x[1:], after)
    beside = functools.partial(gs.render_motion, first, after, camera)
    for error, text, call in [
        (ValueError, "camera: expected one camera", lambda: gs.render(first, batch)),
        (ValueError, "camera: expected a pinhole", lambda: gs.render(first, lens)),
        (TypeError, "camera", lambda: gs.render(first, None)),
        (ValueError, "background", lambda: gs.render(first, camera, background=jnp.ones(4))),
        (ValueError, "max_inter", lambda: gs.render(first, camera, max_intersections=0)),
        (TypeError, "max_inter", lambda: gs.render(first, camera, max_intersections=2.0)),
        (ValueError, "next_gaussians", lambda: gs.render_motion(first, fewer, camera)),
        (ValueError, "next_camera", lambda: gs.render_motion(first, after, camera, batch)),
        (ValueError, "backend", lambda: gs.render(first, camera, backend="cuda")),
        (ValueError, "method", lambda: gs.render_motion(first, after, camera, method="mode")),
        (ValueError, "previous_gaussians: expected 90", lambda: beside(previous_gaussians=fewer)),
        (TypeError, "previous_gaussians", lambda: beside(previous_gaussians=(1, 2))),
        (ValueError, "previous_camera: expected one", lambda: beside(
            previous_gaussians=after, previous_camera=batch)),
        (ValueError, "previous_camera: expected previous_g", lambda: beside(
            previous_camera=camera)),
        (ValueError, r"features: expected shape \(90, K\)", lambda: beside(features=jnp.ones(90))),
        (ValueError, "features: expected shape", lambda: beside(features=jnp.ones((89, 2)))),
        (ValueError, "features: expected shape", lambda: beside(features=jnp.ones((90, 0)))),
        (TypeError, "features", lambda: beside(features=jnp.ones((90, 2), int))),
    ]:  # fmt: skip
        with pytest.raises(error, match=text):
            call()
