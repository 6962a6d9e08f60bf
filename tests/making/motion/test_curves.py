"""Motion is a smooth function of time, in range, and coupled as in faces."""

import numpy as np
import pytest

from sf3d_jax.head.person.rig import _LOOK_DOWN, _LOOK_SIDE, _LOOK_UP
from sf3d_jax.making.motion.curves import LOOK_ASIDE, LOOK_DOWN, LOOK_UP, Curves
from sf3d_jax.making.motion.kinds import MICRO
from sf3d_jax.making.motion.waves import FREQUENCIES, Wave

ARKIT = """browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff
    cheekSquintLeft cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight
    eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight
    eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft jawOpen jawRight
    mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel
    mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker
    mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft
    mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight
    noseSneerLeft noseSneerRight tongueOut""".split()

SECONDS, CLIP = 40, 2.52
TIMES = np.arange(0, SECONDS, 0.02)


def draw(seed):
    return lambda key: np.random.default_rng([seed, *key.encode()])


def make(seed, names=ARKIT, seconds=SECONDS):
    return Curves(draw(seed), names, seconds, CLIP)


def weights_of(curves, names, times=TIMES):
    rows = [list(curves.expression(time).values()) for time in times]
    return dict(zip(names, np.array(rows).T, strict=True))


@pytest.fixture(
    scope="module", params=[0, *(pytest.param(x, marks=pytest.mark.thorough) for x in (1, 2))]
)
def curves(request):
    return make(request.param)


@pytest.fixture(scope="module")
def weights(curves):
    return weights_of(curves, ARKIT)


def test_weights_stay_between_0_and_1_and_every_unit_moves(weights):
    for name, w in weights.items():
        assert (w >= 0).all() and (w <= 1).all(), name
        assert np.ptp(w) > 1e-4, name


def test_nothing_jumps(weights):
    for name, w in weights.items():
        # The steepest are saccades of 50 degrees in 130 ms; then blinks, which close in 36 ms.
        steepest = 1.875 / 0.036
        assert (np.abs(np.diff(w)) / np.diff(TIMES)).max() < 1.02 * steepest, name


def test_both_eyes_look_the_same_way(weights):
    left = weights["eyeLookOutLeft"] - weights["eyeLookInLeft"]
    right = weights["eyeLookInRight"] - weights["eyeLookOutRight"]
    np.testing.assert_allclose(left, right)
    up = [weights[f"eyeLookUp{s}"] - weights[f"eyeLookDown{s}"] for s in ("Left", "Right")]
    np.testing.assert_allclose(*up)


def test_sides_of_a_pair_move_nearly_alike(weights):
    left, right = weights["mouthSmileLeft"], weights["mouthSmileRight"]
    assert np.corrcoef(left, right)[0, 1] > 0.9 and not np.array_equal(left, right)


def test_units_that_exclude_one_another_do_not_meet(weights):
    open_, blink = weights["jawOpen"], weights["eyeBlinkLeft"]
    assert (weights["mouthClose"] <= open_).all()
    assert (weights["cheekPuff"][open_ > 0.4] < 0.01).all()
    assert (weights["tongueOut"][open_ < 0.05] < 0.1).all()
    assert (weights["eyeWideLeft"][blink > 0.9] < 0.1).all()


def test_eyes_keep_their_direction_while_the_head_turns(curves):
    # The turns of a weight of 1 are those of the person, or both would disagree about directions.
    assert (LOOK_ASIDE, LOOK_UP, LOOK_DOWN) == (_LOOK_SIDE, _LOOK_UP, _LOOK_DOWN)
    times = TIMES[::2]
    head = np.array([curves.rotation(time)[:2] for time in times])
    eyes = np.array([curves.look(time) for time in times])
    rests = np.abs(np.diff(head + eyes, axis=0)).max(1) < 1e-9
    turns = np.abs(np.diff(head, axis=0)).max(1) > 1e-3
    assert turns.mean() > 0.2
    # Saccades take less than a tenth of the time, also while the head turns.
    assert rests[turns].mean() > 0.85


def test_the_face_rests_in_clips_of_micro_expressions(curves, weights):
    kinds = np.array(curves.kinds)[(TIMES / CLIP).astype(int)]
    # Clear of the borders, where movements that began before have ended.
    micro, other = (kinds == MICRO), (kinds != MICRO)
    assert micro.any() and other.any()
    for name in ("mouthSmileLeft", "jawOpen", "browInnerUp", "mouthFrownLeft"):
        assert weights[name][micro].max() < 0.5, name
    large = np.max([weights[name][other].max() for name in ("mouthSmileLeft", "jawOpen")])
    assert large > 0.4


def test_a_motion_is_a_function_of_time_and_of_its_own_name():
    all_, two = make(0), make(0, ["jawOpen", "mouthSmileLeft"], 9)
    two.expression(3.0)
    for time in (2.0, 0.0, 7.5):
        expected = all_.expression(time)
        assert two.expression(time) == {name: expected[name] for name in two.expression(time)}
        assert two.rotation(time) == all_.rotation(time)


def test_names_of_other_heads_move_too():
    names = ["mouthSmile_L", "jawOpen", "sculpted.001"]
    found = make(1, names, 9).expression(1.3)
    expected = make(1, ["mouthSmileLeft", "jawOpen"], 9).expression(1.3)
    assert list(found) == names
    assert found["mouthSmile_L"] == expected["mouthSmileLeft"]
    assert 0 <= found["sculpted.001"] <= 1


def test_the_head_turns_within_what_necks_can():
    curves = [make(seed, [], 9) for seed in range(20)]
    turns = np.array([x.rotation(time) for x in curves for time in np.arange(0, 9, 0.5)])
    assert (np.abs(turns).max(0) < [0.9, 0.5, 0.3]).all()
    assert (turns.std(0) > [0.08, 0.03, 0.02]).all()


def test_a_wave_has_its_four_frequencies():
    wave = Wave(0.5, np.array([1.0, 2.0, 0.0, 0.0]), np.array([0.2, 0.4, 0.6, 0.8]), np.zeros(4))
    expected = 0.5 + np.sin(2 * np.pi * 0.2 * 1.7) + 2 * np.sin(2 * np.pi * 0.4 * 1.7)
    assert wave.at(1.7) == pytest.approx(expected)
    assert FREQUENCIES[1] < 1
