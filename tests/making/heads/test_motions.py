"""Recorded motions: what is read, and what is refused by name."""

import numpy as np
import pytest

from sf3d_jax import data
from sf3d_jax.head import EXPRESSIONS, Person
from sf3d_jax.making import Options, plan
from sf3d_jax.making.heads import open_head
from sf3d_jax.making.heads.motions import read_poses


def save(tmp_path, **arrays):
    path = tmp_path / "motion.npz"
    np.savez(path, **arrays)
    return str(path)


def test_weights_and_turns_are_read_by_name(tmp_path):
    path = save(tmp_path, jawOpen=[0, 0.25, 0.5], rotation=[[0, 0, 0], [0.1, 0.2, 0.3], [0, 0, 0]])
    pose = read_poses(path, 3, ["jawOpen", "smile"])(1)
    assert pose == ({"jawOpen": 0.25}, (0.1, 0.2, 0.3))
    assert read_poses(save(tmp_path, smile=[0.5, 1]), 2, ["smile"])(1).rotation == (0, 0, 0)


WRONG = [
    (dict(smirk=[0, 0.1]), "arrays named rotation, jawOpen, .*'smirk'"),
    (dict(jawOpen=[0.1]), "2 frames or more in 'jawOpen'"),
    (dict(jawOpen=[[0.1], [0.2]]), r"the shape \[any\] of 'jawOpen'"),
    (dict(jawOpen=[0.1, np.nan]), "jawOpen"),
    (dict(rotation=np.zeros((2, 4))), r"the shape \[any, 3\] of 'rotation'"),
    (dict(jawOpen=np.array(["a", "b"])), "jawOpen"),
    (
        dict(rotation=[[0, 0, 0], [0, -40, 10]]),
        r"radians.* in 'rotation', found -40 to 10;.*degrees",
    ),
    ({}, "arrays named rotation"),
]


@pytest.mark.parametrize("arrays, says", WRONG, ids=[says[:24] for _, says in WRONG])
def test_what_does_not_fit_is_refused_by_name(tmp_path, arrays, says):
    path = save(tmp_path, **arrays)
    with pytest.raises(data.FormatError, match=says) as caught:
        read_poses(path, 2, ["jawOpen", "smile"])
    assert "motion.npz" in str(caught.value)


@pytest.mark.parametrize(
    "name, meant", [("jawopen", "jawOpen"), ("Rotation", "rotation"), ("smiles", "smile")]
)
def test_a_name_that_is_nearly_right_is_answered_by_the_right_one(tmp_path, name, meant):
    with pytest.raises(data.FormatError, match=rf"found '{name}'; did you mean '{meant}'\?"):
        read_poses(save(tmp_path, **{name: [0, 0.1]}), 2, ["jawOpen", "smile"])
    with pytest.raises(data.FormatError, match=r"found 'walk'$"):
        read_poses(save(tmp_path, walk=[0, 0.1]), 2, ["jawOpen", "smile"])


def test_a_full_turn_is_not_taken_for_degrees_nor_is_a_weight(tmp_path):
    around = np.array([[-2 * np.pi, 0, 0], [0, 2 * np.pi, 3]], np.float32)
    path = save(tmp_path, rotation=around, jaw_pose=[0, 30])
    pose = read_poses(path, 2, ["jaw_pose"])(1)
    assert pose == ({"jaw_pose": 30}, tuple(around[1]))


def test_a_broken_or_missing_file_is_named(tmp_path):
    path = tmp_path / "motion.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(data.FormatError, match=r"motion\.npz"):
        read_poses(str(path), 2, ["jawOpen"])
    with pytest.raises(FileNotFoundError, match=r"other\.npz"):
        read_poses(str(tmp_path / "other.npz"), 2, ["jawOpen"])


def test_a_recorded_motion_moves_the_person(tmp_path):
    path = save(tmp_path, jawOpen=[0, 0.5, 1], rotation=np.full((3, 3), 0.1))
    options = Options(subjects=2, test=1, frames=3, gaussians=1, motion=path)
    subject = plan(options).subjects[1]
    head = open_head(subject, options)
    person = Person(int(subject.draw_from("identity").integers(2**32)))
    expected = person.vertices({"jawOpen": 0.5}, rotation=(0.1, 0.1, 0.1))
    # The person is first, and what it wears comes after it.
    count = len(person.template)
    assert np.array_equal(head.find_vertices(1)[:count], expected)
    assert np.array_equal(head.neutral[:count], person.rest)
    assert len(head.find_vertices(1)) == len(head.neutral) > count
    assert len(head.cover.triangles) == len(head.faces)


def test_weights_that_no_face_can_have_are_refused(tmp_path):
    options = Options(frames=2, gaussians=1, motion=save(tmp_path, jawOpen=[0.5, 1.5]))
    with pytest.raises(data.FormatError, match="weights from 0 to 1 in 'jawOpen'"):
        open_head(plan(options).subjects[0], options)


def test_drawn_motions_are_those_of_the_52_names():
    options = Options(subjects=2, test=1, frames=3, gaussians=1)
    head = open_head(plan(options).subjects[1], options)
    assert len(EXPRESSIONS) == 52
    moved = np.linalg.norm(head.find_vertices(2) - head.find_vertices(0), axis=1)
    assert 1e-4 < moved.max() < 0.03
