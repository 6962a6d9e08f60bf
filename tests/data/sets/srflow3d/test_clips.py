"""Files of clips, against JSON written by hand."""

import json

import pytest

from sf3d_jax.data import FormatError
from sf3d_jax.data.sets.srflow3d.clips import Clip, clip_frames, read_clips, write_clips


def saved(tmp_path, tree):
    path = tmp_path / "clip.json"
    path.write_text(json.dumps(tree))
    return path


FIRST, SECOND = Clip(start=0, end=20), Clip(start=30, end=50)
STARTS = [{"start": 0, "end": 20}, {"start": 30, "end": 50}]
NAMES = Clip("smile", 0, 20), Clip("jaw", 30, 50)


@pytest.mark.parametrize(
    "tree, clips",
    [
        ([0, 20], (FIRST,)),
        ({"start": 0, "end": 20}, (FIRST,)),
        ({"Start-Frame": "frame_0000", "end_frame": "frame_0020.jpg"}, (FIRST,)),
        ([[0, 20], [30, 50]], (FIRST, SECOND)),
        (STARTS, (FIRST, SECOND)),
        ({"clips": [[0, 20], [30, 50]]}, (FIRST, SECOND)),
        ({"clip": STARTS, "fps": 25}, (FIRST, SECOND)),
        ({"clip": [0, 20.0]}, (FIRST,)),
        ({"smile": [0, 20], "jaw": [30, 50]}, NAMES),
        ({"smile": STARTS[0], "jaw": STARTS[1]}, NAMES),
        ({"clips": {"smile": STARTS[0], "jaw": [30, 50]}}, NAMES),
        ([{"name": "smile", **STARTS[0]}, {"name": "jaw", "first": 30, "last": 50}], NAMES),
        ({"031": [[0, 20], [30, 50]]}, (FIRST, SECOND)),
        ([0, 1, 2, 3], (Clip(frames=(0, 1, 2, 3)),)),
        (["0000", "0001"], (Clip(frames=(0, 1)),)),
        (["0000.jpg", "render/031/0002.jpg", "4"], (Clip(frames=(0, 2, 4)),)),
        (["0000.jpg"], (Clip(frames=(0,)),)),
        (["0000", "0020"], (FIRST,)),
        ([[0, 1, 2], [5, 6, 7]], (Clip(frames=(0, 1, 2)), Clip(frames=(5, 6, 7)))),
        ({"frames": ["0000", "0020"]}, (Clip(frames=(0, 20)),)),
        ({"frames": [0, 20]}, (FIRST,)),
        ({"start": 0, "end": 20, "step": 1}, (FIRST,)),
        ({"begin_frame": 0, "last_frame": 20}, (FIRST,)),
        ({"start": 3, "num_frames": 3}, (Clip(frames=(3, 4, 5)),)),
        ({"start": 3, "length": 1}, (Clip(frames=(3,)),)),
        ({"jaw": {"frames": [3, 4, 5]}}, (Clip("jaw", frames=(3, 4, 5)),)),
    ],
)
def test_every_form_is_told_by_its_content(tmp_path, tree, clips):
    assert read_clips(saved(tmp_path, tree)) == clips


@pytest.mark.parametrize(
    "tree",
    [
        {},
        [],
        [[]],
        {"clips": []},
        None,
        "0000",
        7,
        [5, 3],
        [3, 3],
        [0, -1],
        [0, 1.5],
        [True, False],
        [0, 20, [3, 4]],
        {"start": 20, "end": 0},
        {"start": 0},
        {"start": 0, "end": 20, "step": 2},
        {"start": 0, "length": 0},
        {"start": 0, "length": 10**12},
        {"start": 0, "end": None},
        {"clips": {"smile": [0, 20], "jaw": ["x", "y"]}},
        {"frames": 20},
        {"fps": 25},
        [float("nan"), 3],
    ],
)
def test_another_form_is_refused_by_name(tmp_path, tree):
    path = saved(tmp_path, tree)
    with pytest.raises(FormatError, match="expected clips") as error:
        read_clips(path)
    assert str(error.value).startswith(str(path))


def test_the_error_lists_the_keys(tmp_path):
    with pytest.raises(FormatError, match=r"found \{fps: a number, parts: \{jaw: 'open'\}\}"):
        read_clips(saved(tmp_path, {"fps": 25, "parts": {"jaw": "open"}}))


def test_the_end_is_a_part_of_the_clip():
    assert clip_frames(Clip(start=2, end=4), 10) == ((2, 3, 4),)
    assert clip_frames([Clip(start=0, end=1), Clip(start=8, end=9)], 10) == ((0, 1), (8, 9))


def test_all_ends_are_beyond_their_clips_if_one_is_the_number_of_frames():
    clips = [Clip(start=0, end=2), Clip(start=8, end=10)]
    assert clip_frames(clips, 10) == ((0, 1), (8, 9))
    assert clip_frames(clips, 11) == ((0, 1, 2), (8, 9, 10))


def test_listed_frames_are_those():
    assert clip_frames([Clip(frames=(1, 5)), Clip(start=0, end=6)], 6)[0] == (1, 5)


@pytest.mark.parametrize(
    "clip", [Clip(start=2, end=11), Clip(start=0, end=10**14), Clip(frames=(3, 10)), Clip()]
)
def test_a_clip_of_frames_that_are_not_there_is_refused(clip):
    with pytest.raises(ValueError, match="frames from 0 to 9, got Clip"):
        clip_frames(clip, 10)


def test_what_was_written_is_read(tmp_path):
    clips = (*NAMES, FIRST, Clip("single", 4, 4), Clip(frames=(0, 20)), Clip("l", frames=(1, 2, 9)))
    write_clips(tmp_path / "a.json", clips)
    assert read_clips(tmp_path / "a.json") == clips


@pytest.mark.parametrize(
    "clip", [Clip(), Clip(start=3), Clip(start=3, end=2), Clip(frames=()), Clip(frames=(2, 1))]
)
def test_what_would_not_be_read_is_not_written(tmp_path, clip):
    with pytest.raises(ValueError, match="clips: expected a start before an end"):
        write_clips(tmp_path / "a.json", [FIRST, clip])
    with pytest.raises(ValueError, match="at least one"):
        write_clips(tmp_path / "a.json", [])
    assert not list(tmp_path.iterdir())
