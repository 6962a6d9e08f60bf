"""The noise: the same bits everywhere, its mean and spread, and nothing finer than the samples."""

import numpy as np
import pytest

from sf3d_jax.head.skin.noise import blend, draw_noise, draw_spots, fade, hash_cells

WORD = 2**32 - 1


def random_points(count, seed=0, size=50.0):
    return np.random.default_rng(seed).uniform(-size, size, (count, 3)).astype(np.float32)


def hash_of(x, y, z, key):
    """The formula in Python's unbounded integers."""
    h = (x * 0x9E3779B1 + y * 0x85EBCA77 + z * 0xC2B2AE3D + key) & WORD
    h = ((h ^ (h >> 16)) * 0x7FEB352D) & WORD
    h = ((h ^ (h >> 15)) * 0x846CA68B) & WORD
    return h ^ (h >> 16)


@pytest.mark.parametrize(
    "cell, key, bits",
    [
        # By hand: 1 -> 0x7FEB352D -> 0x7FEBCAFB -> 0x6889F849 -> 0x688990C0; 0 stays 0.
        ((0, 0, 0), 0, 0x00000000),
        ((0, 0, 0), 1, 0x688990C0),
        ((1, 2, 3), 7, 0x16730D6E),
        ((-1, 5, -9), 123456789, 0x93558ABE),
    ],
)
def test_the_hash_is_the_formula_modulo_two_to_the_32(cell, key, bits):
    words = [np.array([i], np.int64).astype(np.uint32) for i in cell]
    assert hash_cells(*words, key)[0] == hash_of(*cell, key) == bits


def test_bits_of_neighbouring_cells_and_keys_are_independent():
    i, j, k = (x.ravel().astype(np.uint32) for x in np.mgrid[0:32, 0:32, 0:32])
    bits = [hash_cells(i, j, k, key) for key in (0, 1)]
    ones = [(b[:, None] >> np.arange(32) & 1).astype(float) for b in bits]
    sigma = 0.5 / len(i) ** 0.5
    assert np.abs(ones[0].mean(0) - 0.5).max() < 5 * sigma
    for other in (ones[1], np.roll(ones[0], 1, 0), np.roll(ones[0], 1, 1)):
        assert np.abs(((ones[0] - 0.5) * (other - 0.5)).mean(0)).max() < 0.25 * 10 * sigma


def test_noise_has_the_same_bits_everywhere():
    points = np.array([[0.1, 0.2, 0.3], [-7.25, 3.5, 100.0], [12.0, -0.7, 6.6]])
    found = draw_noise(points, 0.7, 5, octaves=3)
    assert found.dtype == np.float32
    bits = ["-0x1.5420a6p-5", "0x1.0be832p+0", "-0x1.4be608p-2"]
    assert found.tolist() == [float.fromhex(x) for x in bits]


@pytest.mark.parametrize("octaves", [1, 4])
def test_noise_has_mean_0_and_root_mean_square_1(octaves):
    noise = draw_noise(random_points(200_000), 0.8, 3, octaves=octaves).astype(float)
    assert abs(noise.mean()) < 0.01
    assert abs(np.sqrt(np.square(noise).mean()) - 1) < 0.01


def test_noise_is_the_same_in_every_direction():
    points = random_points(20_000)
    for step in 0.2 * np.eye(3, dtype=np.float32):
        change = draw_noise(points + step, 1.0, 3, octaves=2) - draw_noise(
            points, 1.0, 3, octaves=2
        )
        assert abs(np.square(change).mean() - 0.38) < 0.03


def test_noise_is_smooth_across_cells():
    def bend_most(step):
        t = np.arange(0, 3, step)
        line = draw_noise(t[:, None] * np.array([[0.8, 0.6, 0.0]]), 0.5, 9).astype(float)
        return np.abs(np.diff(line, 2)).max()

    # A jump of the slope would be bent half as much by half a step, a jump of the value all of it.
    assert 3.5 < bend_most(0.01) / bend_most(0.005) < 4.5


@pytest.mark.parametrize("spacing", [0.05, 0.2, 0.7])
def test_filtered_noise_has_no_energy_above_the_band_of_the_samples(spacing):
    step, count = 0.01, 1 << 15
    way = np.arange(count)[:, None] * step * np.array([[0.48, 0.64, 0.6]])

    def find_share(filtering):
        line = draw_noise(way, 2.0, 4, filtering, octaves=7, gain=0.9).astype(float)
        power = np.square(np.abs(np.fft.rfft(line * np.hanning(count))))
        beyond = np.fft.rfftfreq(count, step) > 1 / (2 * spacing)
        return power[beyond].sum() / power.sum()

    assert find_share(spacing) < 2e-3
    assert find_share(0.0) > 0.03


def test_the_filter_of_no_spacing_is_none():
    points = random_points(1000)
    whole = draw_noise(points, 1.0, 3, octaves=5)
    np.testing.assert_array_equal(draw_noise(points, 1.0, 3, 1e-9, octaves=5), whole)
    assert not draw_noise(points, 1.0, 3, 0.6, octaves=5).any()


def test_each_point_is_filtered_by_its_own_spacing():
    points = random_points(400)
    spacing = np.repeat(np.float32([0.0, 0.1, 0.3, 0.6]), 100)
    alone = [draw_noise(points, 1.0, 3, s, octaves=4)[i::400] for i, s in enumerate(spacing)]
    np.testing.assert_array_equal(
        draw_noise(points, 1.0, 3, spacing, octaves=4), np.concatenate(alone)
    )


def test_a_wave_fades_between_four_and_two_samples():
    np.testing.assert_array_equal(fade(1.0, [0, 0.25, 0.5, 3.0]), [1, 1, 0, 0])
    assert np.isclose(fade(1.0, 1 / 3), 0.5)
    np.testing.assert_allclose(blend([-1, 0, 0.5, 0.25, 1, 7]), [0, 0, 0.5, 0.103515625, 1, 1])


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_spots_are_as_many_and_as_large_as_asked_for(share):
    spots = draw_spots(random_points(300_000), 1.0, 5, 0, share=share, radius=0.4)
    # The integral of 1 - q^2 over a ball of radius r, and r is uniform from 0.2 to 0.4.
    expected = share * 2 / 5 * 4 / 3 * np.pi * np.mean(np.linspace(0.2, 0.4, 1001) ** 3)
    assert abs(spots.mean() - expected) < 0.05 * expected + 1e-9
    assert spots.max() > 0.99 or not share


def test_spots_that_samples_cannot_show_get_wider_and_weaker_and_fade():
    points = random_points(300_000)
    spots = [draw_spots(points, 1.0, 5, s, share=0.5, radius=0.2) for s in (0, 0.1, 0.22, 0.5)]
    assert spots[1].mean() > spots[0].mean() * 0.95
    assert spots[2].max() < 0.9 and spots[0].max() > 0.98
    assert not spots[3].any()
