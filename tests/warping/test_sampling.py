"""Sampling: against SciPy, OpenCV and PyTorch's formulas in NumPy, and by its laws."""

import itertools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from helpers import thorough
from helpers.support import as_numpy, cast, float64, grid
from hypothesis import given, settings
from hypothesis import strategies as st

import sf3d_jax as sf3d

SIZE = (7, 9)
METHODS = ["nearest", "bilinear", "bicubic"]
BORDERS = {"zeros": "constant", "clamp": "nearest", "reflect": "mirror"}
KERNELS = {
    "nearest": lambda t: (np.abs(t) <= 0.5) * 1.0,
    "bilinear": lambda t: np.maximum(0, 1 - np.abs(t)),
    "bicubic": lambda t: np.where(
        np.abs(t) < 1,
        1.25 * np.abs(t) ** 3 - 2.25 * t**2 + 1,
        np.where(np.abs(t) < 2, -0.75 * (np.abs(t) ** 3 - 5 * t**2 + 8 * np.abs(t) - 4), 0),
    ),
}


def image(size=SIZE, batch=(), seed=0):
    return np.random.default_rng(seed).normal(size=(*batch, *size, 3))


def anywhere(size=SIZE, seed=1):
    """Pixels inside and far outside, some of them on centres; none between two centres."""
    pixels = np.random.default_rng(seed).uniform(-14, 20, size=(12, 15, 2))
    pixels[:3] = np.round(pixels[:3])
    return pixels


def by_definition(image, pixels, method, border):
    """The sum over all pixels of the continued image, far beyond its border."""
    margin = 24
    modes = {"zeros": "constant", "clamp": "edge", "reflect": "reflect"}
    wide = image
    for axis in (0, 1):
        # The mirror image of one pixel about its own centre is itself.
        mode = "edge" if image.shape[axis] == 1 and border == "reflect" else modes[border]
        pad = [(margin, margin) if a == axis else (0, 0) for a in range(3)]
        wide = np.pad(wide, pad, mode=mode)
    kernel = KERNELS[method]
    rows = kernel(pixels[..., 1, None] + margin - np.arange(wide.shape[0]))
    columns = kernel(pixels[..., 0, None] + margin - np.arange(wide.shape[1]))
    return np.einsum("hwr,hwc,rck->hwk", rows, columns, wide)


@thorough.parametrize(
    "method, border, size",
    itertools.product(METHODS, BORDERS, [SIZE, (2, 3), (1, 4)]),
    default=[
        *(("bilinear", border, SIZE) for border in BORDERS),
        ("bicubic", "clamp", SIZE),
        ("nearest", "zeros", SIZE),
    ],
)
def test_matches_the_definition(method, border, size):
    x, pixels = image(size), anywhere()
    with float64():
        got = as_numpy(sf3d.sample(x, pixels, method=method, border=border))
    expected = by_definition(x, pixels, method, border)
    np.testing.assert_allclose(got.values, expected, atol=1e-12)
    inside = (pixels >= 0) & (pixels <= [size[1] - 1, size[0] - 1])
    np.testing.assert_array_equal(got.valid, inside.all(-1))


def test_bicubic_weights_have_all_digits():
    row = np.eye(8, dtype=np.float32)[None]  # the channels are the weights of the row's pixels
    u = np.linspace(3, 4, 513, dtype=np.float32)  # exact, with the margin added, too
    pixels = np.stack([u, np.zeros_like(u)], -1)[None]
    got = as_numpy(sf3d.sample(row, pixels, method="bicubic", border="clamp").values)[0]
    s = u.astype(np.float64) - 3
    a = -0.75
    outer = lambda t: a * (t**3 - 5 * t**2 + 8 * t - 4)
    inner = lambda t: (a + 2) * t**3 - (a + 3) * t**2 + 1
    expected = np.stack([outer(s + 1), inner(s), inner(1 - s), outer(2 - s)], -1)
    np.testing.assert_allclose(got[:, 2:6], expected, atol=2.4e-7)


@pytest.mark.parametrize("border", BORDERS)
def test_bilinear_is_that_of_scipy(border):
    x = image()
    pixels = anywhere() if border != "zeros" else np.clip(anywhere(), 0, [8, 6])
    with float64():
        got = as_numpy(sf3d.sample(x, pixels, border=border)).values
    coordinates = pixels[..., 1], pixels[..., 0]
    for c in range(3):
        expected = scipy.ndimage.map_coordinates(
            x[..., c], coordinates, order=1, mode=BORDERS[border]
        )
        np.testing.assert_allclose(got[..., c], expected, atol=1e-12)


@pytest.mark.parametrize("border", ["zeros", "clamp"])
def test_bilinear_is_that_of_opencv(border):
    x, pixels = np.float32(image()), anywhere()
    # OpenCV knows positions to 1/32 px.
    pixels = np.float32(np.round(pixels * 32) / 32)
    flag = {"zeros": cv2.BORDER_CONSTANT, "clamp": cv2.BORDER_REPLICATE}[border]
    expected = cv2.remap(x, pixels, None, cv2.INTER_LINEAR, borderMode=flag)
    got = sf3d.sample(x, pixels, border=border).values
    np.testing.assert_allclose(got, expected, atol=1e-5)


@thorough.parametrize(
    "method, border",
    itertools.product(["bilinear", "bicubic"], BORDERS),
    default=[("bilinear", "zeros")],
)
def test_gradients_are_those_of_finite_differences(method, border, each_platform):
    rng = np.random.default_rng(2)
    x, pixels = image(), rng.uniform(-2.9, 9.9, size=(5, 6, 2))
    weights = rng.normal(size=(5, 6, 3))
    loss = lambda x, p: (sf3d.sample(x, p, method=method, border=border).values * weights).sum()
    directions = rng.normal(size=x.shape), rng.normal(size=pixels.shape)
    with float64():
        x, pixels, *directions = (jnp.asarray(a) for a in (x, pixels, *directions))
        run = jax.jit(
            lambda *at: (*jax.jvp(loss, at, tuple(directions)), jax.grad(loss, (0, 1))(*at))
        )
        _, forward, gradient = run(x, pixels)
        reverse = sum((g * d).sum() for g, d in zip(gradient, directions, strict=True))
        step = 1e-7
        ends = [run(x + t * directions[0], pixels + t * directions[1])[0] for t in (step, -step)]
        expected = (ends[0] - ends[1]) / (2 * step)
        assert float(forward) == pytest.approx(float(expected), rel=1e-6)
        assert float(reverse) == pytest.approx(float(forward), rel=1e-12)


def test_on_a_centre_the_derivative_is_the_slope_to_the_next_pixel(each_platform):
    x = jnp.float32(image())
    zero = jnp.zeros((*SIZE, 2))
    of_all = jax.jit(jax.jacrev(lambda flow: sf3d.backward_warp(x, flow).values.sum((0, 1))))
    of = lambda channel: np.array(of_all(zero))[channel]
    slopes = np.diff(x, axis=1), np.diff(x, axis=0)
    for c in range(3):
        np.testing.assert_allclose(of(c)[:, :-1, 0], slopes[0][..., c], atol=1e-6)
        np.testing.assert_allclose(of(c)[:, -1, 0], slopes[0][:, -1, c], atol=1e-6)
        np.testing.assert_allclose(of(c)[:-1, :, 1], slopes[1][..., c], atol=1e-6)
        np.testing.assert_allclose(of(c)[-1, :, 1], slopes[1][-1, :, c], atol=1e-6)


@thorough.parametrize(
    "dtype, method",
    itertools.product([jnp.float32, jnp.bfloat16], METHODS),
    default=[(jnp.float32, "bilinear"), (jnp.bfloat16, "bicubic")],
)
def test_zero_flow_is_the_image_to_the_bit(method, dtype):
    x = cast(image(batch=(2,)), dtype).at[0, 2, 3, 1].set(-0.0)
    values, valid = sf3d.backward_warp(x, jnp.zeros((*SIZE, 2), dtype), method=method)
    assert values.dtype == dtype and valid.all()
    np.testing.assert_array_equal(np.float32(values), np.float32(x))
    np.testing.assert_array_equal(np.signbit(np.float32(values)), np.signbit(np.float32(x)))


@thorough.parametrize("method", METHODS, default=["bilinear"])
@given(shift=st.tuples(st.integers(-3, 3), st.integers(-3, 3)))
@settings(max_examples=10, deadline=None)
def test_a_shift_by_whole_pixels_is_a_shift(method, shift):
    x = np.float32(image())
    flow = np.broadcast_to(np.float32(shift), (*SIZE, 2))
    values, valid = sf3d.backward_warp(x, flow, method=method)
    rows, columns = (np.arange(n) + s for n, s in zip(SIZE, shift[::-1], strict=True))
    inside = np.ix_((rows >= 0) & (rows < SIZE[0]), (columns >= 0) & (columns < SIZE[1]))
    moved = np.zeros_like(x)
    moved[inside] = np.roll(x, (-shift[1], -shift[0]), (0, 1))[inside]
    np.testing.assert_array_equal(values, moved)
    expected = np.zeros(SIZE, bool)
    expected[inside] = True
    np.testing.assert_array_equal(valid, expected)


@pytest.mark.non_finite
@thorough.parametrize("method", METHODS, default=["bilinear"])
def test_a_pixel_without_weight_has_no_say(method, each_platform):
    x = jnp.float32(image()).at[3, 4].set(jnp.nan)
    clean = jnp.float32(image())
    run = lambda x, flow: sf3d.backward_warp(x, flow, method=method)
    values, valid = as_numpy(run(x, jnp.zeros((*SIZE, 2))))
    others = np.ones(SIZE, bool)
    others[3, 4] = False
    np.testing.assert_array_equal(values[others], clean[others])
    np.testing.assert_array_equal(valid, others)
    assert not values[3, 4].any()
    gradient = jax.grad(lambda *a: run(*a).values.sum(), (0, 1))(x, jnp.zeros((*SIZE, 2)))
    assert all(np.isfinite(g).all() for g in gradient) and not gradient[0][3, 4].any()


@thorough.parametrize("method", METHODS, default=["bilinear"])
def test_a_batch_is_a_loop_and_jit_changes_nothing(method):
    x, flow = (
        np.float32(image(batch=(2, 1))),
        np.float32(np.random.default_rng(3).normal(size=(3, *SIZE, 2))),
    )
    together = as_numpy(sf3d.backward_warp(x, flow, method=method))
    assert together.values.shape == (2, 3, *SIZE, 3)
    of_one = lambda f: sf3d.backward_warp(x[1, 0], f, method=method).values
    mapped = jax.jit(jax.vmap(of_one))(flow)
    for i, j in np.ndindex(2, 3):
        alone = sf3d.backward_warp(x[i, 0], flow[j], method=method)
        np.testing.assert_allclose(together.values[i, j], alone.values, atol=1e-6)
        np.testing.assert_array_equal(together.valid[i, j], alone.valid)
    np.testing.assert_allclose(mapped, together.values[1], atol=1e-6)
    with jax.disable_jit():
        plain = sf3d.backward_warp(x[0, 0], flow[0], method=method).values
    np.testing.assert_allclose(together.values[0, 0], plain, atol=1e-6)


def test_second_derivatives_exist(each_platform):
    x, flow = jnp.float32(image()), jnp.float32(np.random.default_rng(3).normal(size=(*SIZE, 2)))
    loss = lambda flow: jnp.square(sf3d.backward_warp(x, flow).values).sum()
    along = jax.jit(lambda x: jax.jvp(jax.grad(loss), (x,), (flow,)))
    _, product = as_numpy(along(flow))
    step = 1e-3 * flow
    ends = as_numpy([along(flow + step)[0], along(flow - step)[0]])
    expected = (ends[0] - ends[1]) / 2e-3
    smooth = np.abs((grid(SIZE) + flow) % 1 - 0.5).max(-1) < 0.45
    np.testing.assert_allclose(product[smooth], expected[smooth], rtol=0.02, atol=0.05)


def test_wrong_arguments_are_named():
    x, flow = image(), np.zeros((*SIZE, 2))
    with pytest.raises(
        ValueError, match="method: expected 'nearest', 'bilinear' or 'bicubic', got"
    ):
        sf3d.backward_warp(x, flow, method="cubic")
    with pytest.raises(ValueError, match="border: expected 'zeros', 'clamp' or 'reflect', got"):
        sf3d.sample(x, flow, border="wrap")
    with pytest.raises(ValueError, match="image: expected shape"):
        sf3d.sample(x[0], flow)
    with pytest.raises(TypeError, match="image: expected a floating-point array, got uint8"):
        sf3d.sample(x.astype(np.uint8), flow)
    with pytest.raises(ValueError, match=r"flow: expected shape \(..., 2\)"):
        sf3d.backward_warp(x, x)
    with pytest.raises(ValueError, match="do not broadcast: image"):
        sf3d.backward_warp(image(batch=(2,)), np.zeros((3, *SIZE, 2)))
