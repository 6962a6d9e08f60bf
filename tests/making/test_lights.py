"""Shading by its formula, colours by their names."""

import numpy as np
import pytest

from sf3d_jax.making.colors import draw_waves, encode_image, parse_color
from sf3d_jax.making.lights import SOFTNESS, Lights, draw_lights, shade


def test_the_light_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    lights = draw_lights(rng)
    normals = rng.normal(size=(50, 3)).astype(np.float32)
    normals[0] = 0
    unit = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    expected = np.tile(lights.ambient.astype(np.float64), (50, 1))
    for direction, color in zip(lights.directions, lights.colors, strict=True):
        facing = np.maximum((unit @ direction + SOFTNESS) / (1 + SOFTNESS), 0)
        expected += facing[:, None] * color
    np.testing.assert_allclose(shade(lights, normals), expected, rtol=1e-5)
    # A normal of length 0 takes each light as from the horizon.
    assert np.isfinite(shade(lights, normals)).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_face_is_neither_dark_nor_burnt_out(seed):
    lights = draw_lights(np.random.default_rng(seed))
    np.testing.assert_allclose(np.linalg.norm(lights.directions, axis=1), 1, rtol=1e-6)
    forward = np.array([[0, 0, 1]], np.float32)
    assert (np.asarray(shade(lights, forward)) > 0.5).all()
    assert (np.asarray(shade(lights, forward)) < 1.6).all()


def test_light_from_one_side_lights_that_side():
    light = Lights(np.zeros(3, np.float32), np.array([[1, 0, 0]], np.float32), np.ones((1, 3)))
    left, right = np.asarray(shade(light, np.array([[2.0, 0, 0], [-2, 0, 0]], np.float32)))[:, 0]
    assert left == pytest.approx(1) and right == 0


def test_colors_have_names_and_numbers():
    assert parse_color("white").tolist() == [1, 1, 1]
    assert parse_color("grey").tolist() == parse_color("gray").tolist() == [0.5, 0.5, 0.5]
    np.testing.assert_allclose(parse_color("#ff8000"), [1, 128 / 255, 0])
    np.testing.assert_allclose(parse_color("#3aF"), parse_color("#33aaff"))
    np.testing.assert_allclose(parse_color("0.1, 0.25 1"), [0.1, 0.25, 1])


def test_an_image_has_srgb_codes():
    linear = np.array([[[0, 0.002, 0.21404114], [1, 1.7, -0.3]]], np.float32)
    assert encode_image(linear).tolist() == [[[0, 7, 128], [255, 255, 0]]]


def test_waves_have_their_mean_and_deviation():
    points = np.random.default_rng(1).uniform(-50, 50, (20_000, 3))
    waves = draw_waves(np.random.default_rng(2), points, (0.5, 2.0))
    assert abs(waves.mean()) < 0.02 and waves.std() == pytest.approx(0.5**0.5 / 24**0.5, rel=0.1)
