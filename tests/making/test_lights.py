"""Shading by its formula, colours by their names."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.plain_light import light_plainly

from sf3d_jax.making.colors import draw_waves, encode_image, parse_color
from sf3d_jax.making.lights import Lights, dim, draw_lights, find_room, shade
from sf3d_jax.making.shading.harmonics import project_light
from sf3d_jax.making.shading.visibility import spread_directions


def make_surface(count, rng):
    """Normals, reflectance and shares of light of pieces."""
    normals = rng.normal(size=(count, 3)).astype(np.float32)
    return normals, *(rng.random((count, k), np.float32) for k in (3, 1, 3))


def test_the_light_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    lights = draw_lights(rng)
    normals, reflectance, ambient, lit = make_surface(50, rng)
    normals[0] = 0
    expected = light_plainly(lights, normals, reflectance, ambient[:, 0], lit)
    found = shade(lights, normals, reflectance, ambient[:, 0], lit)
    np.testing.assert_allclose(found[1:], expected[1:], atol=2e-6)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_face_is_neither_dark_nor_burnt_out(seed):
    lights = draw_lights(np.random.default_rng(seed))
    np.testing.assert_allclose(np.linalg.norm(lights.directions, axis=1), 1, rtol=1e-6)
    single = lambda *shape: np.ones(shape, np.float32)
    light = np.asarray(
        shade(lights, single(1, 3) * [[0, 0, 1]], single(1, 3), single(1), single(1, 3))
    )
    assert (light > 0.6).all() and (light < 1.4).all()


def test_light_from_one_side_lights_that_side():
    light = Lights(
        np.zeros((9, 3), np.float32),
        np.array([[1, 0, 0]], np.float32),
        np.ones((1, 3), np.float32),
        np.zeros(1, np.float32),
    )
    ones = np.ones((2, 3), np.float32)
    normals = np.array([[2.0, 0, 0], [-2, 0, 0]], np.float32)
    left, right = np.asarray(shade(light, normals, ones, ones[:, 0], ones[:, :1]))
    assert left == pytest.approx(1) and (right == 0).all()


def test_the_light_of_a_room_is_the_integral_over_it():
    directions = spread_directions(20_000)
    radiance = 1 + directions[:, 1:2] * [0.5, 0.2, -0.3] + directions[:, :1] * directions[:, 2:]
    room = project_light(directions, radiance).astype(np.float32)
    normals = spread_directions(17)
    cosine = np.maximum(normals @ directions.T, 0)
    expected = 4 * cosine @ radiance / len(directions)
    lights = Lights(room, *[None] * 3)
    np.testing.assert_allclose(find_room(lights, jnp.float32(normals)), expected, atol=2e-3)


def test_the_first_light_alone_changes_its_brightness():
    lights = draw_lights(np.random.default_rng(3))
    dimmed = dim(lights, 0.8)
    np.testing.assert_allclose(dimmed.colors[0], 0.8 * lights.colors[0], rtol=1e-6)
    assert np.array_equal(dimmed.colors[1:], lights.colors[1:])
    np.testing.assert_allclose(dimmed.room, 0.9 * lights.room, rtol=1e-6)


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
