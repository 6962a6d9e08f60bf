"""Losses of images in the form that GPUs run, against the definitions that the CPU's form meets."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import losses_reference as reference
from helpers import thorough
from helpers.losses_cases import IMAGE, OTHER, VALID
from helpers.platforms import gpu_forms
from helpers.support import as_numpy, float64

from sf3d_jax import losses
from sf3d_jax.losses import masked_mean


def census(radius):
    return (
        functools.partial(losses.census, radius=radius),
        lambda a, b, valid: reference.census(a, b, valid, radius=radius),
    )


def windows(loss, weights, function):
    """A loss of windows, and its definition; it counts where all pixels of the window do."""

    def wanted(a, b, valid):
        values, known = reference.windows(a, b, weights, function)
        missing = reference.windows(~valid[..., None], ~valid[..., None], weights, lambda m, *_: m)
        known = known & (missing[0] < 1e-9)
        return np.where(known, values, 0), known

    return loss, wanted


SEVENTH, FIFTH = [1 / 7] * 7, [1 / 5] * 5
LOSSES = {
    "census": census(3),
    "census radius 1": census(1),
    "ssim": windows(losses.ssim, [1 / 3] * 3, reference.dissimilarity),
    "ssim gaussian": windows(
        functools.partial(losses.ssim, window="gaussian"),
        reference.gaussian_window(),
        reference.dissimilarity,
    ),
    "ncc": windows(losses.ncc, SEVENTH, reference.decorrelation),
    "ncc radius 2": windows(
        functools.partial(losses.ncc, radius=2), FIFTH, reference.decorrelation
    ),
}
# A corner, so that windows of eleven pixels are left.
HIDDEN = np.zeros_like(VALID)
HIDDEN[:2, :3] = True
CASES = [(name, masked) for name in LOSSES for masked in (False, True)]
DEFAULT = [("census radius 1", True), ("ncc radius 2", True), ("ssim", True)]


@functools.cache
def program(name, dtype):
    """The GPU's form: a result, and the derivatives of its values times numbers."""

    def both(cotangent, valid, *pair):
        def loss(*pair):
            result = LOSSES[name][0](*pair, valid=valid)
            return (result.values * cotangent).sum(), result

        gradients, result = jax.grad(loss, (0, 1), has_aux=True)(*pair)
        return result, gradients

    compiled = jax.jit(both)

    def run(cotangent, valid, *pair):
        as_type = lambda x: jnp.asarray(x, dtype)
        with float64(), gpu_forms():
            return as_numpy(compiled(as_type(cotangent), valid, *map(as_type, pair)))

    return run


@thorough.parametrize("name, masked", CASES, default=DEFAULT)
def test_the_values_and_gradients_are_those_of_the_definition(name, masked):
    rng = np.random.default_rng(2)
    valid = ~HIDDEN if masked else np.ones_like(HIDDEN)
    pair = [np.float64(IMAGE), np.float64(OTHER)]
    wanted, known = LOSSES[name][1](*pair, valid)
    assert known.any()
    cotangent = rng.normal(size=wanted.shape)
    broken = [np.where(valid[..., None], x, np.nan) for x in pair]
    (values, found), gradients = program(name, "float64")(cotangent, valid, *broken)
    np.testing.assert_array_equal(found, known)
    np.testing.assert_allclose(values, wanted, rtol=1e-12, atol=1e-12)
    for i, gradient in enumerate(gradients):
        assert not gradient[~valid].any()
        direction = rng.normal(size=pair[i].shape)
        moved = lambda t, i=i, direction=direction: [
            x + t * direction if j == i else x for j, x in enumerate(pair)
        ]
        ends = (LOSSES[name][1](*moved(t), valid)[0] for t in (1e-6, -1e-6))
        numeric = (np.subtract(*ends) * cotangent).sum() / 2e-6
        # Differences have ten digits of the values, which are up to 2 in each pixel.
        scale = np.abs(gradient * direction).sum()
        np.testing.assert_allclose((gradient * direction).sum(), numeric, atol=1e-6 * scale)


@thorough.parametrize("name", LOSSES, default=[])
def test_float32_keeps_its_digits(name):
    valid = ~HIDDEN
    wanted, known = LOSSES[name][1](np.float64(IMAGE), np.float64(OTHER), valid)
    ones = np.ones_like(wanted)
    (values, found), gradients = program(name, "float32")(ones, valid, IMAGE, OTHER)
    _, exact = program(name, "float64")(ones, valid, IMAGE, OTHER)
    np.testing.assert_array_equal(found, known)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, wanted, rtol=2e-6, atol=2e-6 * np.abs(wanted).max())
    # The slopes of the census change over differences of 1, and grey values of 255 are rounded.
    rounding = 4 * 255 * np.finfo(np.float32).eps
    for a, b in zip(gradients, exact, strict=True):
        np.testing.assert_allclose(a, b, atol=rounding * np.abs(b).max())


@thorough.parametrize("name", LOSSES, default=[])
def test_equal_images_stay_put(name):
    (values, _), gradients = program(name, "float32")(np.ones(VALID.shape), ~HIDDEN, IMAGE, IMAGE)
    # A CPU may fuse a product into a subtraction; a GPU rounds it first.
    assert values.max() < 8 * np.finfo(np.float32).eps
    for gradient in gradients:
        assert np.abs(gradient).max() < 1e-5


def hessian_product(name, valid, *pair):
    """The derivative of the square of the gradient of the mean."""
    mean = lambda *pair: masked_mean(*LOSSES[name][0](*pair, valid=valid))
    size = lambda *pair: sum((x * x).sum() for x in jax.grad(mean, (0, 1))(*pair))
    return jax.grad(size, (0, 1))(*pair)


@pytest.mark.thorough
@pytest.mark.parametrize("name", LOSSES)
def test_second_derivatives_are_those_of_the_cpu(name):
    with float64():
        pair = [jnp.where(HIDDEN[..., None], jnp.nan, jnp.float64(x)) for x in (IMAGE, OTHER)]
        run = lambda *pair: hessian_product(name, ~HIDDEN, *pair)
        wanted = jax.jit(lambda *pair: run(*pair))(*pair)
        with gpu_forms():
            found = jax.jit(lambda *pair: run(*pair))(*pair)
    for a, b in zip(found, wanted, strict=True):
        assert np.isfinite(b).all() and np.abs(b).max() > 0
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10 * np.abs(b).max())


@pytest.mark.thorough
@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_is_a_loop(name):
    batch = [np.stack([x, x[::-1]]) for x in (IMAGE, OTHER)]
    mean = lambda *pair: LOSSES[name][0](*pair, valid=~HIDDEN).values.sum()
    gradient = lambda *pair: jax.grad(mean, (0, 1))(*pair)
    with gpu_forms():
        together = jax.jit(lambda *pair: gradient(*pair))(*batch)
        mapped = jax.jit(jax.vmap(gradient))(*batch)
        ones = [jax.jit(gradient)(*(x[i] for x in batch)) for i in (0, 1)]
    for k in (0, 1):
        wanted = np.stack([one[k] for one in ones])
        for found in (together, mapped):
            np.testing.assert_allclose(found[k], wanted, atol=2e-6 * np.abs(wanted).max())


@pytest.mark.thorough
def test_images_smaller_than_the_window_have_no_loss():
    with gpu_forms():
        for loss, _ in LOSSES.values():
            values, valid = jax.jit(lambda *x, loss=loss: loss(*x))(IMAGE[:2, :1], OTHER[:2, :1])
            assert values.shape == (2, 1) and not np.any(values[~valid])


@pytest.mark.parametrize("loss", [losses.census, losses.ssim, losses.ncc, losses.photometric])
def test_a_batch_without_images_has_a_derivative(loss):
    none = jax.ShapeDtypeStruct((0, 16, 17, 3), jnp.float32)
    with gpu_forms():
        gradients = jax.eval_shape(jax.grad(lambda *x: loss(*x).values.sum(), (0, 1)), none, none)
    assert [x.shape for x in gradients] == [none.shape] * 2
