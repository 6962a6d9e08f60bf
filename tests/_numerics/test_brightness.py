"""Images of 0 to 255 are refused by what supposes 0 to 1, and images by axes that are none."""

import inspect
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sf3d_jax as sf3d
from sf3d_jax import augment, losses
from sf3d_jax._numerics import brightness

SIZE = (8, 9)
IMAGE = np.random.default_rng(0).random((*SIZE, 3), np.float32)
OTHER = np.random.default_rng(1).random((*SIZE, 3), np.float32)
FLOW = np.zeros((*SIZE, 2), np.float32)
KEY = jax.random.key(0)

# {argument: a call with that image}: of all functions that have a constant of brightness.
SUPPOSE = {
    "ssim image": lambda x: losses.ssim(x, OTHER),
    "ssim other": lambda x: losses.ssim(OTHER, other=x),
    "photometric image": lambda x: losses.photometric(x, OTHER),
    "photometric other": lambda x: losses.photometric(image=OTHER, other=x),
    "first_order_smoothness image": lambda x: losses.first_order_smoothness(FLOW, x),
    "second_order_smoothness image": lambda x: losses.second_order_smoothness(FLOW, image=x),
    "random_color sample.image": lambda x: augment.random_color(KEY, sf3d.Sample(image=x)),
    "random_color sample.next_image": lambda x: augment.random_color(
        KEY, sample=sf3d.Sample(image=OTHER, next_image=x)
    ),
    "random_eraser sample.next_image": lambda x: augment.random_eraser(
        KEY, sf3d.Sample(next_image=x), sides=(2.0, 4.0)
    ),
    "multi_scale image": lambda x: losses.multi_scale(losses.ssim, x, OTHER, levels=1),
}
each_image = pytest.mark.parametrize("case", SUPPOSE)


@each_image
@pytest.mark.parametrize(
    "convert", [np.float32, np.float64, jnp.asarray, lambda x: jnp.asarray(x, jnp.bfloat16)]
)
def test_an_image_of_0_to_255_is_refused(case, convert):
    name = case.split()[1]
    with pytest.raises(ValueError, match=f"^{name}: expected brightness from 0 to 1.*by 255"):
        SUPPOSE[case](convert(255 * IMAGE))
    with pytest.raises(ValueError, match="got a largest value of 200; divide images of 0 to 255"):
        SUPPOSE[case](convert(np.where(IMAGE > 0.9, 1e20, 200 * (IMAGE > 0.5))))


@each_image
def test_bytes_are_told_what_to_do(case):
    name = case.split()[1]
    with pytest.raises(TypeError, match=f"^{name}: .*got uint8; divide .* np.float32.* / 255"):
        SUPPOSE[case](np.uint8(255 * IMAGE))


@pytest.mark.parametrize("case", ["ssim image", "random_color sample.image"])
def test_images_less_their_mean_over_their_deviation_pass(case):
    normalised = (IMAGE - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    SUPPOSE[case](normalised)
    SUPPOSE[case](np.full_like(IMAGE, 8))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_what_is_no_number_tells_nothing(bad):
    image = IMAGE.copy()
    image[2, 3] = bad
    assert not losses.ssim(image, OTHER).valid[2, 3]
    image = 255 * image
    with pytest.raises(ValueError, match="image: expected brightness"):
        losses.ssim(image, OTHER)


def test_nothing_is_looked_at_inside_of_a_program_or_under_a_guard():
    image, other = jnp.asarray(255 * IMAGE), jnp.asarray(OTHER)
    with jax.transfer_guard("disallow"):
        values = losses.ssim(image, other).values
    np.testing.assert_array_equal(jax.jit(losses.ssim)(image, other).values, values)
    mapped = jax.vmap(losses.ssim)(image[None], other[None]).values
    np.testing.assert_allclose(mapped[0], values, rtol=1e-5)
    with pytest.raises(ValueError, match="other: expected brightness"):
        jax.jit(lambda x: losses.ssim(x, 255 * OTHER))(image)


@pytest.mark.non_finite
def test_a_program_on_a_device_finds_the_same_numbers():
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        for scale, expected in ((1, False), (255, True)):
            image = jnp.asarray(scale * IMAGE, dtype).at[0, 0, 0].set(jnp.nan)
            assert bool(brightness._has_bright_pixel(image)) == expected
            assert brightness._is_bright(image) == expected


def test_a_function_that_looks_is_still_that_function():
    checked = losses.ssim
    assert pickle.loads(pickle.dumps(checked)) is checked
    assert checked.__name__ == "ssim" and "Structural" in checked.__doc__
    assert list(inspect.signature(checked).parameters) == ["image", "other", "window", "valid"]
    assert checked.lower(IMAGE, OTHER).out_info.values.shape == SIZE
    assert checked.eval_shape(IMAGE, OTHER).values.shape == SIZE
    before = checked._cache_size()
    checked(IMAGE, OTHER)
    checked(IMAGE, OTHER)
    assert checked._cache_size() <= before + 1


GREY = np.zeros((8, 32, 40), np.float32)


@pytest.mark.parametrize(
    "call",
    [
        *(getattr(losses, name) for name in ("brightness", "census", "ssim", "ncc", "photometric")),
        lambda x, _: losses.first_order_smoothness(x[..., None][:, :, 0], x),
        lambda x, _: losses.second_order_smoothness(x[..., None][:, :, 0], x),
    ],
)
def test_a_grey_image_without_channels_is_not_read_as_one_of_many(call):
    with pytest.raises(ValueError, match=r"image: .* at most 4 channels, got .*image\[..., None\]"):
        jax.eval_shape(call, GREY, GREY)


@pytest.mark.parametrize("name", ["total_variation", "gradient_difference", "end_point_error"])
def test_a_map_without_components_is_not_read_as_one_of_many(name):
    maps = (GREY,) if name == "total_variation" else (GREY, GREY)
    with pytest.raises(ValueError, match=r"x: .* C at most 16, got .*x\[..., None\]"):
        jax.eval_shape(getattr(losses, name), *maps)
    twists = [np.zeros((*SIZE, 6), np.float32)] * len(maps)
    assert jax.eval_shape(getattr(losses, name), *twists).values.shape == SIZE


def test_a_grey_image_is_not_warped_as_one_of_many_channels():
    flow = np.zeros((*GREY.shape, 2), np.float32)
    for grey, motion in ((GREY, flow), (GREY[0], flow[0])):
        with pytest.raises(ValueError, match=r"image: expected shape .*image\[\.\.\., None\]"):
            jax.eval_shape(sf3d.backward_warp, grey, motion)
    with pytest.raises(ValueError, match=r"image: .*got \(32, 40\).*image\[\.\.\., None\]"):
        jax.eval_shape(lambda x: sf3d.resize_image(x, (16, 20)), GREY[0])
    features = np.zeros((32, 40, 64), np.float32)
    assert jax.eval_shape(sf3d.backward_warp, features, flow[0]).values.shape == features.shape


def test_features_are_a_batch_of_images():
    rng = np.random.default_rng(2)
    a, b = (jnp.asarray(rng.random((*SIZE, 32)), jnp.float32) for _ in range(2))
    as_batch = lambda x: jnp.moveaxis(x, -1, 0)[..., None]
    values = losses.brightness(as_batch(a), as_batch(b)).values.mean(0)
    np.testing.assert_allclose(values, np.abs(a - b).mean(-1), rtol=1e-5)
