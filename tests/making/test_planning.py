"""The plan depends on the seed alone, and more subjects change no earlier one."""

import dataclasses
import itertools

import numpy as np
import pytest

from sf3d_jax.data import clip_frames
from sf3d_jax.making import Options, plan
from sf3d_jax.making.planning import STREAMS


def test_more_subjects_keep_the_earlier_ones():
    few, many = (plan(Options(subjects=n, test=2)).subjects for n in (3, 1200))
    assert many[:3] == few
    assert [s.split for s in many] == ["test"] * 2 + ["train"] * 1198
    assert [s.name for s in many[:2]] == ["000", "001"] and many[1100].name == "1100"
    assert [s.draw_from("camera").random() for s in many[:3]] == [
        s.draw_from("camera").random() for s in few
    ]


def test_each_seed_subject_stream_and_key_has_its_own_numbers():
    found = {
        subject.draw_from(stream, key).random()
        for seed in (0, 1, 2**40)
        for subject in plan(Options(subjects=3, test=0, seed=seed)).subjects
        for stream in STREAMS
        for key in (None, "a", "b")
    }
    assert len(found) == 3 * 3 * len(STREAMS) * 3


def test_the_numbers_are_those_of_numpys_seed_sequence():
    subject = plan(Options(seed=7)).subjects[4]
    sequence = np.random.SeedSequence([7, 4], spawn_key=(STREAMS.index("light"), 0))
    expected = np.random.default_rng(sequence).random(3)
    assert np.array_equal(subject.draw_from("light").random(3), expected)


@pytest.mark.parametrize("frames", [2, 3, 63, 64, 65, 127, 128, 1000])
def test_the_clips_of_test_subjects_hold_every_pair_of_neighbours(frames):
    test, train = plan(Options(subjects=2, test=1, frames=frames)).subjects
    assert train.clips == ()
    # By the reader's rule ends would be exclusive if one of them were the number of frames.
    clips = [set(clip) for clip in clip_frames(test.clips, frames)]
    pairs = itertools.pairwise(range(frames))
    assert all(any({*pair} <= clip for clip in clips) for pair in pairs)
    assert set().union(*clips) == set(range(frames))
    assert max(map(len, clips)) <= 64 and len({clip.name for clip in test.clips}) == len(clips)


def test_a_plan_is_a_value():
    subject = plan(Options()).subjects[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        subject.split = "train"
    assert plan(Options()) == plan(Options())


def test_a_wrong_argument_is_named():
    with pytest.raises(TypeError, match="options: expected Options, got dict"):
        plan({})
    with pytest.raises(ValueError, match=r"stream: expected .*'camera'.* got 'hair'"):
        plan(Options()).subjects[0].draw_from("hair")
