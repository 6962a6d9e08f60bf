"""The noise, the exposure and the shoulder of a sensor."""

import numpy as np
import pytest

from sf3d_jax.head.skin.srgb import srgb_to_linear
from sf3d_jax.making import Options, plan
from sf3d_jax.making.colors import encode_image
from sf3d_jax.making.sensor import KINDS, Sensor, bend, draw_sensor, take_image

SUBJECT = plan(Options(subjects=4)).subjects[3]


def test_an_ideal_sensor_stores_the_light():
    light = np.random.default_rng(0).random((9, 8, 3), np.float32)
    assert draw_sensor(SUBJECT, "ideal") is None
    assert np.array_equal(take_image(light, None, SUBJECT, 1), encode_image(light))


@pytest.mark.parametrize("kind", KINDS)
def test_noise_has_the_variance_of_shot_and_read_noise(kind):
    white, read = KINDS[kind]
    sensor = Sensor(np.ones(3), white, read)
    for light in (0.1, 0.4):
        image = take_image(np.full((200, 200, 3), light, np.float32), sensor, SUBJECT, 2)
        found = srgb_to_linear(image).astype(float)
        expected = light / white + (read / white) ** 2
        slope = np.diff(srgb_to_linear(np.float64([image.mean() - 0.5, image.mean() + 0.5]) / 255))
        rounding = slope[0] ** 2 / 12
        assert found.mean() == pytest.approx(light, rel=3e-3)
        assert found.var() == pytest.approx(expected + rounding, rel=0.03)


def test_every_frame_and_subject_has_its_own_noise_and_the_same_again():
    light = np.full((16, 16, 3), 0.3, np.float32)
    sensor = draw_sensor(SUBJECT, "camera")
    first, again, second = (take_image(light, sensor, SUBJECT, k) for k in (1, 1, 2))
    assert np.array_equal(first, again) and (first != second).mean() > 0.3
    other = plan(Options(subjects=4)).subjects[2]
    assert (take_image(light, sensor, other, 1) != first).mean() > 0.3
    assert not np.array_equal(draw_sensor(other, "camera").gain, sensor.gain)


def test_highlights_bend_smoothly_and_the_rest_stays():
    x = np.linspace(0, 3, 3001, dtype=np.float32)
    y = bend(x)
    np.testing.assert_allclose(y[x <= 0.8], x[x <= 0.8])
    slope = np.diff(y) / np.diff(x)
    assert (slope > 0).all() and (np.diff(slope) < 1e-3).all() and slope[810] > 0.9
    assert bend(np.float32(1.4)) == pytest.approx(1, abs=1e-6)
