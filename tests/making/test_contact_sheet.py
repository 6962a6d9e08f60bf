"""Contact sheets: which faces they show where, and what they refuse."""

import dataclasses

import numpy as np
import pytest
from helpers.moving_wall import Wall

from sf3d_jax.head import EXPRESSIONS
from sf3d_jax.making import Options, contact_sheet, draw_contact_sheet, plan
from sf3d_jax.making.contact_sheet import SHOWN, arrange, list_expressions


def test_pictures_of_a_person_are_side_by_side():
    """Tiles of one number each: 4 people with 3 pictures of 6 x 4 pixels."""
    people = [[np.full((4, 6, 3), 10 * i + j, np.uint8) for j in range(3)] for i in range(4)]
    sheet = arrange(people)
    # A strip is 18 x 4 pixels: one after another is nearest to a square.
    assert sheet.shape == (16, 18, 3)
    assert [[int(x) for x in row] for row in sheet[::4, ::6, 0]] == [
        [0, 1, 2],
        [10, 11, 12],
        [20, 21, 22],
        [30, 31, 32],
    ]
    wide = arrange([row[:1] for row in [*people, people[0]]])
    assert wide.shape == (12, 12, 3) and (wide[8:, 6:] == 255).all() and (wide[8:, :6] == 0).all()


def test_expressions_are_units_of_the_head_and_differ():
    motion = list_expressions()
    assert set(motion) - {"rotation"} <= set(EXPRESSIONS)
    assert motion["rotation"].shape == (len(SHOWN), 3)
    weights = np.array([x for name, x in motion.items() if name != "rotation"])
    assert weights.shape[1] == len(SHOWN) and (weights >= 0).all() and (weights <= 1).all()
    assert (weights[:, 0] == 0).all()
    assert len({tuple(column) for column in weights.T}) == len(SHOWN)
    smile = dict(zip(SHOWN, motion["mouthSmileLeft"], strict=True))
    assert smile["happy"] == max(smile.values()) > 0.5 and smile["sad"] == 0


def test_the_people_are_the_first_of_the_data_set(monkeypatch):
    """Walls are drawn in place of heads."""
    opened = []

    def open_wall(subject, options):
        opened.append((subject, options))
        return Wall(subject, options)

    monkeypatch.setattr(contact_sheet, "open_subject", open_wall)
    options, said = Options(size=(32, 48), seed=3), []
    sheet = draw_contact_sheet(options, people=2, side=16, progress=lambda *x: said.append(x))
    assert said == [(1, 2, "000"), (2, 2, "001")]
    for (subject, shown), own in zip(opened, plan(options).subjects, strict=False):
        assert dataclasses.replace(shown, motion=None) == dataclasses.replace(
            options, subjects=2, test=0, frames=len(SHOWN), size=(16, 24)
        )
        drawn = [x.draw_from("identity").integers(2**32) for x in (subject, own)]
        assert drawn[0] == drawn[1]
    pictures = [[Wall(*x).draw(k).image for k in range(len(SHOWN))] for x in opened]
    np.testing.assert_array_equal(sheet, arrange(pictures))


@pytest.mark.thorough
def test_faces_show_their_expressions():
    sheet = draw_contact_sheet(Options(gaussians=1000, seed=3), people=1, side=16)
    assert sheet.shape == (16, 16 * len(SHOWN), 3) and sheet.dtype == np.uint8
    faces = np.split(sheet.astype(int), len(SHOWN), axis=1)
    assert all(face.std() > 10 for face in faces)
    assert all(np.abs(face - faces[0]).max() > 10 for face in faces[1:])


@pytest.mark.parametrize(
    "change, how, says",
    [
        ({"head": "face.obj"}, {}, "head: expected 'procedural' for a contact sheet"),
        ({"motion": "nods.npz"}, {}, "motion: expected none for a contact sheet"),
        ({}, {"people": 0}, "people: expected an integer of at least 1, got 0"),
        ({}, {"side": 4.5}, "side: expected an integer of at least 16, got 4.5"),
    ],
)
def test_what_makes_no_sheet_is_named(change, how, says):
    with pytest.raises(ValueError, match=says):
        draw_contact_sheet(Options(**change), **how)
