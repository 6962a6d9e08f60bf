"""Movements have the durations and frequencies that the publications give."""

import numpy as np
import pytest

from sf3d_jax.head.person.expression import EXPRESSIONS
from sf3d_jax.making.motion.actions import ACTIONS, ALL, EMOTIONS, draw_units
from sf3d_jax.making.motion.blinks import draw_blinks
from sf3d_jax.making.motion.events import draw_expressions, draw_micro_expressions
from sf3d_jax.making.motion.kinds import KINDS, Schedule, draw_kinds
from sf3d_jax.making.motion.nods import draw_nods
from sf3d_jax.making.motion.pulses import LEAD, STEEPEST, Pulse, ease
from sf3d_jax.making.motion.speech import CONSONANTS, VOWELS, draw_speech
from sf3d_jax.making.motion.steps import LARGEST, draw_gaze, draw_postures

SECONDS = 600.0


@pytest.fixture
def generator():
    return np.random.default_rng(3)


def always(start, end):
    return True


def test_a_pulse_rises_rests_and_falls():
    pulse = Pulse(1.0, 0.2, 0.5, 0.4, 0.8)
    assert pulse.end == pytest.approx(2.1)
    assert [pulse.at(t) for t in (0.0, 1.0, 2.2)] == [0, 0, 0]
    assert pulse.at(1.4) == pulse.at(1.65) == 0.8
    assert pulse.at(1.1) == pytest.approx(0.4) == pulse.at(1.9)
    u = np.linspace(0, 1, 1001)
    speed = np.gradient([ease(x) for x in u], u)
    assert speed.max() == pytest.approx(STEEPEST, rel=1e-4) and np.abs(speed[[0, -1]]).max() < 1e-4


def test_units_are_those_of_the_head():
    units = [
        x
        for weights in [*ACTIONS.values(), *VOWELS.values(), *CONSONANTS.values()]
        for x in weights
    ]
    sided = {x.replace("Side", "Left") for x in units} | {x.replace("Side", "Right") for x in units}
    assert sided <= set(EXPRESSIONS)
    assert {action for x in ALL.values() for action in x.shares} <= set(ACTIONS)


def test_action_units_are_shown_as_often_as_published(generator):
    # Cheeks of the happy (unit 6, 51 %) and upper lids of the surprised (unit 5, 66 %).
    for name, unit, share in (
        ("happy", "cheekSquintSide", 0.51),
        ("surprised", "eyeWideSide", 0.66),
    ):
        shown = [unit in draw_units(generator, {name: EMOTIONS[name]}) for _ in range(1000)]
        assert abs(np.mean(shown) - share) < 4 * (share * (1 - share) / 1000) ** 0.5


def test_expressions_last_half_a_second_to_four(generator):
    events = draw_expressions(generator, SECONDS)
    pulses = [side for event in events for side in event.sides]
    lengths = np.array([x.onset + x.apex + x.offset for x in pulses])
    assert 0.5 <= lengths.min() < 0.6 and 3.5 < lengths.max() <= 4.0
    late = np.array([a.start - b.start for a, b in (x.sides for x in events)])
    assert 0 < np.abs(late).max() < 0.1
    assert len(events) > SECONDS / 4


def test_micro_expressions_are_short_and_weak(generator):
    pulses = [x.sides[0] for x in draw_micro_expressions(generator, SECONDS)]
    lengths = np.array([x.onset + x.apex + x.offset for x in pulses])
    assert 0.04 <= lengths.min() < 0.05 and 0.45 < lengths.max() <= 0.5
    assert max(x.onset for x in pulses) <= 0.26
    assert max(x.height for x in pulses) < 0.4


def test_blinks_are_as_long_and_as_frequent_as_in_people(generator):
    blinks = draw_blinks(generator, SECONDS)
    lengths = np.array([x.end - x.start for x in blinks])
    assert 0.1 <= lengths.min() and lengths.max() <= 0.4
    assert all(x.onset < x.offset for x in blinks)
    rate = 60 * len(blinks) / (SECONDS + LEAD)
    assert 17 < rate < 26
    starts = np.array([x.start for x in blinks])
    assert np.diff(starts).min() >= 0.5


def test_saccades_have_the_main_sequence(generator):
    gaze = draw_gaze(generator, SECONDS)
    degrees = np.degrees(np.linalg.norm(np.diff(gaze.places, axis=0), axis=1))
    np.testing.assert_allclose(gaze.lengths[1:], 0.021 + 0.0022 * degrees)
    assert np.linalg.norm(gaze.places, axis=1).max() <= LARGEST * (1 + 1e-12)
    assert np.degrees(LARGEST) > 20 and 3 < np.median(degrees) < 15


def test_what_moves_on_does_so_without_a_jump(generator):
    for steps in (draw_gaze(generator, 30.0), draw_postures(generator, 30.0, always)):
        times = np.arange(0, 30, 1e-3)
        places = np.array([steps.at(t) for t in times])
        shortest = min(steps.lengths)
        most = STEEPEST * np.abs(np.diff(steps.places, axis=0)).max() / shortest * 1e-3
        assert np.abs(np.diff(places, axis=0)).max() <= most
        assert (np.diff(steps.starts) >= np.array(steps.lengths[:-1]) - 1e-9).all()


def test_syllables_come_four_to_seven_times_a_second(generator):
    events = draw_speech(generator, SECONDS)
    vowels = np.array([x.sides[0].start for x in events if "jawOpen" in x.weights])
    gaps = np.diff(vowels)
    within = gaps[gaps < 0.26]
    assert 4 < 1 / within.mean() < 7 and len(within) > 0.7 * len(gaps)
    assert any("mouthPressSide" in x.weights for x in events)


def test_nods_begin_and_end_at_rest(generator):
    for nod in draw_nods(generator, SECONDS):
        inside = np.array([nod.at(t) for t in nod.start + np.linspace(0, nod.length, 200)])
        assert np.abs(inside[[0, -1]]).max() < 1e-9 and np.abs(inside).max() > 0.2 * nod.swing
        assert np.abs(np.diff(inside)).max() < 0.2 * nod.swing


def test_kinds_belong_to_their_clips():
    kinds = draw_kinds(np.random.default_rng(0), 400)
    assert kinds[:5] == draw_kinds(np.random.default_rng(0), 5)
    assert all(0.15 < kinds.count(kind) / 400 < 0.5 for kind in KINDS)
    schedule, large = Schedule(["micro", "everyday", "speech"], 2.0), ("everyday", "speech")
    is_allowed = schedule.allow(*large)
    assert is_allowed(2.0, 9.0) and not is_allowed(1.9, 3.0) and not is_allowed(-5.0, -4.0)
    shares = [schedule.find_share(large, time) for time in (-1, 1.99, 2, 2.2, 2.4, 4, 9)]
    np.testing.assert_allclose(shares, [0, 0, 0, 0.5, 1, 1, 1])


@pytest.mark.parametrize("draw", [draw_expressions, draw_micro_expressions, draw_speech, draw_nods])
def test_a_longer_sequence_begins_as_a_shorter_one(draw):
    long, short = (draw(np.random.default_rng(1), s) for s in (60.0, 20.0))
    assert short == long[: len(short)] and short
