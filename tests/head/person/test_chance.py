"""Random numbers of a person are the words of NumPy's seed sequence, over 2^64."""

from fractions import Fraction

import numpy as np

from sf3d_jax.head.person.chance import draw_shares


def test_shares_are_the_leading_53_bits_of_the_words():
    words = np.random.SeedSequence(5, spawn_key=(7, 2)).generate_state(9, np.uint64)
    expected = [Fraction(int(word) >> 11, 2**53) for word in words]
    assert [Fraction(x) for x in draw_shares(5, (7, 2), 9).tolist()] == expected


def test_more_numbers_do_not_change_the_first_and_streams_differ():
    np.testing.assert_array_equal(draw_shares(5, (7,), 9)[:4], draw_shares(5, (7,), 4))
    assert not np.isin(draw_shares(5, (7,), 9), draw_shares(5, (8,), 9)).any()
