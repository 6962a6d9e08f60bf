"""What captions say of a map, against NumPy's percentiles."""

import numpy as np
import pytest

from sf3d_jax.views import spread
from sf3d_jax.views.spread import find_lengths, find_spread, percent

RNG = np.random.default_rng(0)


def test_median_and_p95_are_of_what_moves():
    sizes, known = RNG.exponential(size=(30, 40)), RNG.random((30, 40)) > 0.3
    moves = known & (sizes > 0.5)
    found = find_spread(sizes, moves, known)
    np.testing.assert_allclose(found[1:3], np.percentile(sizes[moves], [50, 95]))
    assert found.share == moves.sum() / known.sum() and found.scale == found.p95


def test_in_the_scale_a_pixel_counts_by_its_squared_inverse_depth():
    sizes = RNG.random((10, 10))
    inv_depth = RNG.integers(1, 4, (10, 10))
    everywhere = np.ones((10, 10), bool)
    found = find_spread(sizes, everywhere, everywhere, inv_depth)
    repeated = np.repeat(sizes.ravel(), np.square(inv_depth).ravel())
    expected = np.percentile(repeated, 95, method="inverted_cdf")
    np.testing.assert_allclose(found.scale, expected)
    np.testing.assert_allclose(found[1:3], np.percentile(sizes, [50, 95]))


def test_a_large_map_is_measured_on_a_grid(monkeypatch):
    sizes = RNG.random((200, 300))
    everywhere = np.ones(sizes.shape, bool)
    monkeypatch.setattr(spread, "_MOST", 10_000)
    found = find_spread(sizes, everywhere, everywhere)
    np.testing.assert_allclose(found[1:3], [0.5, 0.95], atol=0.02)
    alone = np.zeros_like(everywhere)
    alone[1, 1] = True  # not on the grid
    assert find_spread(sizes, alone, everywhere).p95 == sizes[1, 1]


def test_where_nothing_moves_the_scale_is_one():
    still = np.zeros((2, 3), bool)
    assert find_spread(np.zeros((2, 3)), still, ~still) == (0, 0, 0, 1)


def test_lengths_do_not_overflow():
    vectors = np.float32([[(3, 4), (3e38, 3e38), (np.nan, 0)]])
    known = np.isfinite(vectors).all(-1)
    largest = np.finfo(np.float32).max
    np.testing.assert_array_equal(find_lengths(vectors, known), np.float32([[5, largest, 0]]))


@pytest.mark.parametrize(
    "share, text",
    [(0, "0 %"), (1, "100 %"), (0.382, "38.2 %"), (1 - 1 / 3072, "99.9 %"), (1e-9, "0.1 %")],
)
def test_a_share_is_whole_only_where_it_is(share, text):
    assert percent(share) == text
