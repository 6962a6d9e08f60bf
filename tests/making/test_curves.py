"""Curves are smooth functions of time, in range, and coupled as in faces."""

import numpy as np
import pytest

from sf3d_jax.making.curves import FREQUENCIES, Curves, Wave

ARKIT = """browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff
    cheekSquintLeft cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight
    eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight
    eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft jawOpen jawRight
    mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel
    mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker
    mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft
    mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight
    noseSneerLeft noseSneerRight tongueOut""".split()

TIMES = np.arange(0, 40, 0.05)


def draw(seed):
    return lambda key: np.random.default_rng([seed, *key.encode()])


def weights_of(curves, names):
    rows = [list(curves.expression(time).values()) for time in TIMES]
    return dict(zip(names, np.array(rows).T, strict=True))


@pytest.fixture(scope="module", params=range(3))
def weights(request):
    return weights_of(Curves(draw(request.param), ARKIT, 40), ARKIT)


def test_weights_stay_between_0_and_1_and_every_unit_moves(weights):
    for name, w in weights.items():
        assert (w >= 0).all() and (w <= 1).all(), name
        assert np.ptp(w) > 1e-4, name


def test_units_are_smooth(weights):
    for name, w in weights.items():
        # A blink closes the eye within a tenth of a second; all else is slower than 2 Hz.
        fastest = 12 if "Blink" in name else 4
        steep = np.abs(np.diff(w)) / np.diff(TIMES)
        assert steep.max() < fastest * 2, (name, steep.max())


def test_both_eyes_look_the_same_way(weights):
    left = weights["eyeLookOutLeft"] - weights["eyeLookInLeft"]
    right = weights["eyeLookInRight"] - weights["eyeLookOutRight"]
    np.testing.assert_allclose(left, right)
    up = [weights[f"eyeLookUp{s}"] - weights[f"eyeLookDown{s}"] for s in ("Left", "Right")]
    np.testing.assert_allclose(*up)


def test_sides_of_a_pair_move_nearly_alike(weights):
    left, right = weights["mouthSmileLeft"], weights["mouthSmileRight"]
    assert np.corrcoef(left, right)[0, 1] > 0.8 and not np.array_equal(left, right)


def test_units_that_exclude_one_another_do_not_meet(weights):
    open_, blink = weights["jawOpen"], weights["eyeBlinkLeft"]
    assert (weights["mouthClose"] <= open_).all()
    assert (weights["cheekPuff"][open_ > 0.4] < 0.01).all()
    assert (weights["tongueOut"][open_ < 0.05] < 0.1).all()
    assert (weights["eyeWideLeft"][blink > 0.9] < 0.1).all()


def test_eyes_blink_a_few_times_a_minute(weights):
    shut = weights["eyeBlinkLeft"] > 0.9
    blinks = np.count_nonzero(np.diff(shut.astype(int)) == 1)
    assert 8 <= blinks <= 40
    assert shut.mean() < 0.1


def test_a_curve_is_a_function_of_time_and_of_its_own_name():
    all_, two = Curves(draw(0), ARKIT, 40), Curves(draw(0), ["jawOpen", "mouthSmileLeft"], 9)
    two.expression(3.0)
    for time in (2.0, 0.0, 7.5):
        expected = all_.expression(time)
        assert two.expression(time) == {name: expected[name] for name in two.expression(time)}
        assert two.rotation(time) == all_.rotation(time)


def test_names_of_other_heads_move_too():
    names = ["mouthSmile_L", "jawOpen", "sculpted.001"]
    found = Curves(draw(1), names, 9).expression(1.3)
    expected = Curves(draw(1), ["mouthSmileLeft", "jawOpen"], 9).expression(1.3)
    assert list(found) == names
    assert found["mouthSmile_L"] == expected["mouthSmileLeft"]
    assert 0 <= found["sculpted.001"] <= 1


def test_the_head_turns_within_what_necks_can():
    curves = [Curves(draw(seed), [], 9) for seed in range(20)]
    turns = np.array([x.rotation(time) for x in curves for time in TIMES[::10]])
    assert (np.abs(turns).max(0) < [0.9, 0.5, 0.3]).all()
    assert (turns.std(0) > [0.08, 0.03, 0.02]).all()


def test_a_wave_has_its_four_frequencies():
    wave = Wave(0.5, np.array([1.0, 2.0, 0.0, 0.0]), np.array([0.2, 0.4, 0.6, 0.8]), np.zeros(4))
    expected = 0.5 + np.sin(2 * np.pi * 0.2 * 1.7) + 2 * np.sin(2 * np.pi * 0.4 * 1.7)
    assert wave.at(1.7) == pytest.approx(expected)
    assert FREQUENCIES[1] < 1
