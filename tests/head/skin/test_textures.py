"""Colours from an image: the way up, bilinear lookup against OpenCV, means of fine texels."""

import cv2
import numpy as np
import pytest

from sf3d_jax.head.skin.srgb import srgb_to_linear
from sf3d_jax.head.skin.textures import paint_from_texture

RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]


def make_image(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def make_points(uv):
    """Pieces without extent."""
    return np.repeat(np.asarray(uv, float)[:, None], 3, axis=1)


def test_v_goes_up_and_u_to_the_right():
    image = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8)
    colors = paint_from_texture(
        make_points([[0.25, 0.75], [0.75, 0.75], [0.25, 0.25], [0.75, 0.25]]), image
    )
    np.testing.assert_allclose(colors, np.array([RED, GREEN, BLUE, WHITE]) / 255, atol=1e-6)


def test_a_point_is_the_bilinear_lookup_of_the_decoded_image():
    image = make_image(13, 18)
    uv = np.random.default_rng(1).uniform(-1.5, 2.5, (500, 2))
    x, y = uv[:, 0] * 18 - 0.5, (1 - uv[:, 1]) * 13 - 0.5
    linear = np.tile(srgb_to_linear(image), (3, 3, 1))
    places = [(x % 18 + 18).astype(np.float32)[None], (y % 13 + 13).astype(np.float32)[None]]
    expected = cv2.remap(linear, *places, cv2.INTER_LINEAR)[0]
    # OpenCV rounds places to 1/32 of a texel.
    np.testing.assert_allclose(paint_from_texture(make_points(uv), image), expected, atol=2 / 32)
    assert abs(paint_from_texture(make_points(uv), image) - expected).mean() < 0.01


def test_a_piece_is_the_mean_of_the_texels_it_covers():
    image = make_image(256, 512)
    uv = np.array([[[0, 0], [1, 0], [0, 1]], [[1, 1], [0, 1], [1, 0]]], float)
    mean = srgb_to_linear(image).mean((0, 1))
    assert np.abs(paint_from_texture(uv, image).mean(0) - mean).max() < 0.03
    checks = np.indices((256, 512)).sum(0)[..., None].repeat(3, -1) % 2 * 255
    np.testing.assert_allclose(paint_from_texture(uv / 16, checks.astype(np.uint8)), 0.5, atol=1e-6)


def test_a_nan_is_black_and_changes_its_own_piece_only():
    image, uv = make_image(8, 8), np.random.default_rng(1).uniform(0, 1, (6, 3, 2))
    clean = paint_from_texture(uv, image)
    uv[2, 1, 0], uv[4, 0, 1] = np.nan, np.inf
    found = paint_from_texture(uv, image)
    np.testing.assert_array_equal(found[[0, 1, 3, 5]], clean[[0, 1, 3, 5]])
    assert not found[[2, 4]].any() and clean[[2, 4]].any()


@pytest.mark.parametrize(
    "uv, image, error, message",
    [
        ((4, 2), (2, 2, 3), ValueError, r"corners_uv: expected shape \(N, 3, 2\), got \(4, 2\)"),
        ((4, 3, 2), (2, 2), ValueError, r"image: expected shape \(h, w, 3\), got \(2, 2\)"),
        ((4, 3, 2), (0, 2, 3), ValueError, r"image: expected shape \(h, w, 3\), got \(0, 2, 3\)"),
    ],
)
def test_a_wrong_shape_is_named(uv, image, error, message):
    with pytest.raises(error, match=message):
        paint_from_texture(np.zeros(uv), np.zeros(image, np.uint8))


def test_an_image_of_floats_is_refused():
    with pytest.raises(TypeError, match="image: expected uint8 in sRGB, got float64"):
        paint_from_texture(np.zeros((1, 3, 2)), np.zeros((2, 2, 3)))
