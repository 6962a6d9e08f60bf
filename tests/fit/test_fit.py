"""Fits of motion against closed forms, and what holds for all of them."""

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import thorough
from helpers.fitted_pairs import (
    CAMERA,
    SHIFT,
    SIZE,
    affine_pair,
    grid,
    patch_pair,
    texture,
    wall_pair,
)
from helpers.support import float64, length

import sf3d_jax as sf3d
from sf3d_jax import fit, losses


@functools.cache
def shifted_fit():
    image, next_image, flow = affine_pair(np.zeros((2, 2)), SHIFT)
    return image, next_image, flow, fit.flow(image, next_image)


def test_a_translation_is_found_to_a_fiftieth_of_a_pixel():
    _, _, flow, fitted = shifted_fit()
    error = length(fitted.flow - flow)[4:-4, 4:-4]
    assert error.mean() < 0.02
    assert length(fitted.backward_flow + flow)[4:-4, 4:-4].mean() < 0.02
    assert not np.any(fitted.occlusion.hidden)
    assert np.array(fitted.valid)[2:, :-2].mean() > 0.99 and not np.any(fitted.valid[:, -1])


AFFINE = [[0.05, 0.0], [0.0, 0.05]], [[0.0, -0.06], [0.06, 0.0]], [[0.03, 0.04], [0, -0.02]]


@thorough.parametrize("matrix", AFFINE, default=AFFINE[:1])
def test_an_affine_motion_is_found(matrix):
    image, next_image, flow = affine_pair(np.array(matrix), [0.4, 0.3])
    error = length(fit.flow(image, next_image).flow - flow)[4:-4, 4:-4]
    assert error.mean() < 0.05


def test_a_small_object_that_moves_far_is_found_and_what_it_hides():
    image, next_image, flow, on, covered = patch_pair()
    fitted = fit.flow(image, next_image)
    assert np.median(length(fitted.flow - flow)[on]) < 0.1
    assert (length(fitted.flow - flow)[on] < 1).mean() > 0.75
    hidden = np.array(fitted.occlusion.hidden) > 0
    assert hidden[covered].mean() > 0.8 and hidden[~covered].mean() < 0.05
    assert not np.any(np.array(fitted.valid)[hidden])


@pytest.mark.thorough
def test_a_batch_is_a_loop():
    pairs = [affine_pair(np.zeros((2, 2)), SHIFT), patch_pair()]
    image, next_image = (np.stack([p[i] for p in pairs])[None] for i in (0, 1))
    both = fit.flow(image, next_image)
    assert both.flow.shape == (1, 2, *SIZE, 2) and both.valid.shape == (1, 2, *SIZE)
    for i, pair in enumerate(pairs):
        one = fit.flow(*pair[:2])
        np.testing.assert_allclose(both.flow[0, i], one.flow, atol=1e-3)


@pytest.mark.thorough
def test_one_image_serves_for_many():
    image, next_image, _, fitted = shifted_fit()
    several = fit.flow(image, np.stack([next_image, image]))
    np.testing.assert_allclose(several.flow[0], fitted.flow, atol=1e-3)
    assert length(several.flow[1]).max() < 1e-3


def test_units_of_brightness_do_not_matter():
    image, next_image, _, fitted = shifted_fit()
    other = fit.flow(40 * image - 7, 40 * next_image - 7)
    np.testing.assert_allclose(other.flow, fitted.flow, atol=2e-3)


@pytest.mark.thorough
def test_grey_thrice_is_grey():
    image, next_image, _, _ = shifted_fit()
    grey = [x[..., :1] for x in (image, next_image)]
    one = fit.flow(*grey)
    three = fit.flow(*(np.repeat(x, 3, -1) for x in grey))
    np.testing.assert_allclose(one.flow, three.flow, atol=2e-3)


def test_unknown_pixels_stay_where_they_are():
    image, next_image, flow, _ = shifted_fit()
    broken, next_broken = image.copy(), next_image.copy()
    broken[10:20, 10:22] = np.nan
    next_broken[30:34, 40] = np.inf
    fitted = fit.flow(broken, next_broken)
    assert np.isfinite(fitted.flow).all() and np.isfinite(fitted.backward_flow).all()
    assert length(fitted.flow - flow)[4:-4, 4:-4].mean() < 0.05
    assert not np.any(fitted.valid[10:20, 10:22]) and np.any(fitted.valid[20:])


@pytest.mark.parametrize("values", [np.nan, 0.5])
def test_without_any_texture_nothing_moves(values):
    image = np.full((*SIZE, 3), values, np.float32)
    fitted = fit.flow(image, image)
    assert not np.any(fitted.flow)
    assert not np.any(fitted.valid) and not np.any(fitted.confidence)


def test_along_a_single_direction_nothing_is_decided():
    u, v = grid()
    paint = lambda x: np.repeat(texture(x, 0 * x), 1, -1)
    for x in (u, u + 0.5 * v):
        fitted = fit.flow(*(np.float32(paint(x - shift)) for shift in (0, 0.7)))
        assert np.mean(fitted.valid) < 0.02 and np.median(fitted.confidence) < 0.2


def test_a_plain_region_is_filled_in_and_not_valid():
    image, next_image, _, _ = shifted_fit()
    plain = [x.copy() for x in (image, next_image)]
    for x in plain:
        x[:, 32:] = 0.5
    fitted = fit.flow(*plain)
    # The windows of slopes and of the confidence reach over the edge.
    assert not np.any(np.array(fitted.valid)[:, 44:]) and np.isfinite(fitted.flow).all()
    assert np.array(fitted.valid)[4:-4, 4:28].mean() > 0.95


def test_noise_of_its_own_in_each_image_decides_nothing():
    rng = np.random.default_rng(0)
    noise = np.float32(0.5 + 0.02 * rng.normal(size=(2, *SIZE, 3)))
    assert np.mean(fit.flow(*noise).valid) < 0.1


@thorough.parametrize("size", [(1, 9), (1, 1)], default=[(1, 1)])
def test_tiny_images_do_not_break(size):
    image = np.random.default_rng(0).random((*size, 1)).astype(np.float32)
    fitted = fit.flow(image, image)
    assert fitted.flow.shape == (*size, 2) and np.isfinite(fitted.flow).all()
    # Nothing tells what such an image does downwards.
    assert not np.any(fitted.valid)


@pytest.mark.thorough
def test_half_precision_comes_back_as_it_went():
    image, next_image, flow, _ = shifted_fit()
    half = [jnp.asarray(x, jnp.bfloat16) for x in (image, next_image)]
    fitted = fit.flow(*half)
    assert fitted.flow.dtype == fitted.occlusion.hidden.dtype == jnp.bfloat16
    assert length(np.float32(fitted.flow) - flow)[4:-4, 4:-4].mean() < 0.1


@pytest.mark.thorough
def test_double_precision_comes_back_as_it_went():
    image, next_image, *_ = shifted_fit()
    with float64():
        wide = fit.flow(*(jnp.asarray(x[:8, :8], jnp.float64) for x in (image, next_image)))
        assert wide.flow.dtype == jnp.float64 and np.isfinite(wide.flow).all()


def test_it_passes_no_gradient():
    image = jnp.asarray(texture(*grid((6, 7))), jnp.float32)
    camera = sf3d.Camera.pinhole(6.0, 6.0, 3.0, 2.5, (6, 7))
    inv_depth = jnp.ones((6, 7))
    lift = lambda x, d: fit.scene_flow(x, image, d, inv_depth, camera).scene_flow.vectors.sum()
    gradient = jax.jit(jax.grad(lambda x: fit.flow(x, image).flow.sum()))(image)
    assert not gradient.any()
    assert not jax.jit(jax.grad(lift))(image, inv_depth).any()


def photometric(flow, image, next_image):
    """A loss composed of three lines: brightness that stays, and a smooth flow."""
    warped, valid = sf3d.backward_warp(next_image, flow, border="clamp")
    missed = jnp.where(valid[..., None], warped - image, 0)
    rough = sum(jnp.abs(jnp.diff(flow, axis=axis)).mean() for axis in (-3, -2))
    return jnp.sqrt(missed**2 + 1e-4).mean() + 0.01 * rough


def test_refinement_lowers_the_loss_that_it_is_given():
    image, next_image, _, fitted = shifted_fit()
    loss = functools.partial(photometric, image=image, next_image=next_image)
    refined = fit.flow(image, next_image, refine=loss, steps=20)
    assert loss(refined.flow) < loss(fitted.flow)
    start = jnp.zeros_like(fitted.flow)
    values, losses = fit.refine(
        photometric, start, image, next_image, optimizer=optax.adam(0.1), steps=30
    )
    assert losses.shape == (31,)
    np.testing.assert_allclose(losses[0], photometric(start, image, next_image), rtol=1e-5)
    np.testing.assert_allclose(losses.min(), photometric(values, image, next_image), rtol=1e-4)
    assert losses.min() < 0.8 * losses[0]


@pytest.mark.non_finite
def test_a_step_that_breaks_the_loss_is_not_kept():
    values, losses = fit.refine(
        lambda x: jnp.log(x).sum(), jnp.ones(3), optimizer=optax.sgd(0.7), steps=3
    )
    # The logarithms of the next step would be NaN.
    assert np.isfinite(values).all() and not np.isfinite(losses).all()
    assert (np.array(values) > 0).all()


def test_a_texture_that_repeats_moves_by_the_least():
    u, v = grid()
    paint = lambda x, y: np.sign(np.sin(x * np.pi / 8 + 0.1) * np.sin(y * np.pi / 8 + 0.1))
    blurred = lambda x: np.float32(0.5 + 0.3 * cv2.GaussianBlur(x, (0, 0), 0.7))
    pair = [np.stack([x] * 3, -1) for x in map(blurred, (paint(u, v), paint(u - 2, v - 1)))]
    assert length(np.array(fit.flow(*pair).flow) - np.array([2, 1]))[6:-6, 6:-6].mean() < 0.1
    unique = texture(u, v) - 0.5, texture(u - 2, v - 1) - 0.5
    pair = [np.float32(a + b) for a, b in zip(pair, unique, strict=True)]
    assert length(np.array(fit.flow(*pair).flow) - np.array([2, 1]))[6:-6, 6:-6].mean() < 0.1


def test_a_refined_motion_passes_no_gradient_either():
    image, next_image, _, _ = shifted_fit()
    loss = lambda flow, image: photometric(flow, image, next_image)
    of_image = lambda x: fit.refine(loss, jnp.ones((*SIZE, 2)), x, steps=2).values.sum()
    assert not np.any(jax.jit(jax.grad(of_image))(image))


@pytest.mark.thorough
@pytest.mark.parametrize("smoothness", [0, 1e3, np.float32(2)])
def test_any_smoothness_that_is_a_number_leaves_the_motion_finite(smoothness):
    image = np.float32(texture(*grid((6, 7))))
    assert np.isfinite(fit.flow(image, image[::-1], smoothness=smoothness).flow).all()


@pytest.mark.thorough
def test_a_traced_smoothness_leaves_the_motion_finite_whatever_it_is():
    image = np.float32(texture(*grid((6, 7))))
    traced = jax.jit(lambda s: fit.flow(image, image[::-1], smoothness=s))
    for smoothness in (0.0, 1e3, 2.0):
        assert np.isfinite(traced(smoothness).flow).all()
    fitted = traced(jnp.nan)
    assert np.isfinite(fitted.flow).all() and not np.any(fitted.valid)


def test_scene_flow_is_refined_by_a_loss_of_both():
    (image, next_image, d0, d1), *_ = wall_pair()
    still = lambda pair: {"flow": (1.0, jnp.abs(pair[0]).mean()), "c": (1.0, pair[1].mean())}
    fitted = fit.scene_flow(
        image,
        next_image,
        d0,
        d1,
        CAMERA,
        refine=lambda pair: losses.compose(still(pair)),
        optimizer=optax.sgd(1.0),
        steps=3,
    )
    assert np.abs(fitted.flow).mean() < np.abs(wall_fit().flow).mean()
    assert np.isfinite(fitted.scene_flow.vectors).all()


def test_wrong_arguments_are_refused():
    image = np.zeros((4, 5, 3), np.float32)
    with pytest.raises(ValueError, match="next_image"):
        fit.flow(image, image[:3])
    with pytest.raises(ValueError, match="next_image"):
        fit.flow(image, image[..., :1])
    with pytest.raises(ValueError, match="image"):
        fit.flow(image[0], image[0])
    with pytest.raises(ValueError, match="image"):
        fit.flow(image[:0], image[:0])
    with pytest.raises(TypeError, match="image"):
        fit.flow(np.uint8(image), image)
    with pytest.raises(ValueError, match="reach"):
        fit.flow(image, image, reach=2.0)
    for steps in (-1, 2.5):
        with pytest.raises(ValueError, match="steps"):
            fit.flow(image, image, refine=jnp.sum, steps=steps)
    for smoothness in (-1, np.nan, None, np.ones(2)):
        with pytest.raises(ValueError, match="smoothness"):
            fit.flow(image, image, smoothness=smoothness)
    with pytest.raises(ValueError, match="reach"):
        fit.flow(image, image, reach=None)
    with pytest.raises(TypeError, match="optimizer: expected an optax optimizer"):
        fit.refine(jnp.sum, image, optimizer=optax.adam)
    with pytest.raises(ValueError, match="optimizer: used only with refine"):
        fit.flow(image, image, optimizer=optax.sgd(1.0))
    with pytest.raises(TypeError, match="loss: expected a function"):
        fit.refine(True, image)
    with pytest.raises(ValueError, match="loss: expected a floating scalar"):
        fit.refine(jnp.square, image)
    with pytest.raises(ValueError, match="do not broadcast"):
        fit.flow(np.stack([image] * 2), np.stack([image] * 3))


@functools.cache
def wall_fit():
    maps, *_ = wall_pair()
    return fit.scene_flow(*maps, CAMERA)


def test_the_scene_flow_of_a_rigid_motion_is_found():
    _, vectors, flow, change = wall_pair()
    fitted = wall_fit()
    inner = (slice(5, -5),) * 2
    assert length(fitted.flow - flow)[inner].mean() < 0.05
    assert np.abs(fitted.inv_depth_change - change)[inner].mean() < 2e-4
    assert length(fitted.scene_flow.vectors - vectors)[inner].mean() < 0.02 * length(vectors).max()
    assert np.all(fitted.scene_flow.valid)


def test_units_of_depth_do_not_matter():
    (image, next_image, d0, d1), *_ = wall_pair()
    fitted = fit.scene_flow(image, next_image, d0 / 1000, d1 / 1000, CAMERA)
    np.testing.assert_allclose(fitted.flow, wall_fit().flow, atol=5e-3)
    np.testing.assert_allclose(
        fitted.scene_flow.vectors / 1000, wall_fit().scene_flow.vectors, atol=1e-3
    )


def test_holes_of_depth_are_no_surface_and_touch_nothing():
    (image, next_image, d0, d1), vectors, *_ = wall_pair()
    d0, d1 = d0.copy(), d1.copy()
    d0[20:24, 20:26] = np.nan
    d0[30, 30] = -1
    d1[10:14, 40:44] = 0
    fitted = fit.scene_flow(image, next_image, d0, d1, CAMERA)
    hole = ~(d0 > 0)
    np.testing.assert_array_equal(fitted.scene_flow.valid, ~hole)
    assert not np.any(np.array(fitted.scene_flow.vectors)[hole]) and not np.any(
        fitted.valid[30, 30]
    )
    error = length(fitted.scene_flow.vectors - vectors)
    error[hole] = 0
    assert error[5:-5, 5:-5].mean() < 0.02 * length(vectors).max()


def test_scene_flow_checks_its_arguments():
    (image, next_image, d0, d1), *_ = wall_pair()
    with pytest.raises(ValueError, match="next_inv_depth"):
        fit.scene_flow(image, next_image, d0, d1[:-1], CAMERA)
    with pytest.raises(TypeError, match="camera"):
        fit.scene_flow(image, next_image, d0, d1, 60.0)
    small = sf3d.Camera.pinhole(60.0, 60.0, 31.5, 23.5, (8, 8))
    with pytest.raises(ValueError, match="camera"):
        fit.scene_flow(image, next_image, d0, d1, small)
