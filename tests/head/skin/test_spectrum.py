"""The skin's detail has the power of photographs at all scales from 2 to 32 pixels."""

import numpy as np
import pytest
from helpers.spectra import find_slope

from sf3d_jax.head.skin.painting import paint
from sf3d_jax.head.skin.srgb import linear_to_srgb

# Centimetres of a pixel and of the samples of a piece: 512 px at 1 m, 100,000 pieces.
PIXEL, SPACING, COUNT = 0.055, 0.043, 64
FOREHEAD, CHEEK = (0.0, 4.0, 8.3), (3.6, -3.4, 7.2)


def draw_patch(seed, middle):
    """The bare texture of a plane patch, as mean grey codes of pixels."""
    at = (np.arange(COUNT) - COUNT / 2) * PIXEL
    points = np.stack(np.broadcast_arrays(at[None], at[:, None], 0), -1) + middle
    colors = paint(points.reshape(-1, 3), np.zeros(COUNT**2, int), seed, SPACING)
    return linear_to_srgb(colors.astype(float) @ [0.2126, 0.7152, 0.0722]).reshape(COUNT, COUNT)


@pytest.mark.parametrize("middle", [FOREHEAD, CHEEK])
def test_the_power_of_the_texture_falls_with_the_square_of_the_frequency(middle):
    slopes = [find_slope(draw_patch(seed, middle)) for seed in range(8)]
    # Between -1.3 and -2.2 on patches of a face in a photograph, measured alike; the shading of a
    # drawn face and its pieces take about half more from the texture's.
    assert -2.4 < np.median(slopes) < -1.0
    assert -2.8 < min(slopes) and max(slopes) < -0.6


@pytest.mark.parametrize("slope", [-1.0, -2.0, -3.0])
def test_the_slope_of_noise_is_found(slope):
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(512)[None])
    # The power over a line is that over the plane times the frequency.
    wave = np.fft.fft2(rng.normal(size=(512, 512)))
    wave *= np.maximum(frequency, 1e-3) ** ((slope - 1) / 2)
    found = [find_slope(np.fft.ifft2(wave).real[k : k + 64, k : k + 64]) for k in range(0, 448, 64)]
    assert abs(np.mean(found) - slope) < 0.3


def test_a_trend_is_not_detail():
    patch = draw_patch(1, FOREHEAD)
    y, x = np.mgrid[-1 : 1 : COUNT * 1j, -1 : 1 : COUNT * 1j]
    assert abs(find_slope(patch + 0.3 * x + 0.2 * y**3) - find_slope(patch)) < 1e-6
