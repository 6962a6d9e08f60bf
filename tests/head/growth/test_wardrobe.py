"""Hair and clothes: they move with the head, lie over the skin, and depend on the seed alone."""

import functools

import numpy as np
import pytest
from helpers.persons import normals, person

from sf3d_jax.head.growth.part import KINDS
from sf3d_jax.head.growth.styles import BALD, draw_style
from sf3d_jax.head.growth.wardrobe import Wardrobe
from sf3d_jax.head.person.landmarks import NECK
from sf3d_jax.head.skin.traits import draw_traits

TURN = (0.2, -0.1, 0.08)


def style(seed):
    return draw_style(seed, draw_traits(seed))


HAIRY = next(s for s in range(99) if style(s).cut.kind != BALD)
BARE = next(s for s in range(99) if style(s).cut.kind == BALD)


@functools.cache
def worn(seed):
    return Wardrobe(person(seed))


def faces_of(wardrobe, kind):
    return wardrobe.faces[wardrobe.kinds == KINDS.index(kind)]


def test_a_seed_wears_the_same_and_others_wear_something_else():
    again = Wardrobe(person(HAIRY))
    np.testing.assert_array_equal(again.vertices, worn(HAIRY).vertices)
    np.testing.assert_array_equal(again.faces, worn(HAIRY).faces)
    drawn = [style(seed) for seed in range(40)]
    assert len({x.cut.kind for x in drawn}) >= 4 and len({x.garment for x in drawn}) == 5


def test_the_bald_have_no_hair_and_all_are_dressed():
    assert not len(faces_of(worn(BARE), "hair")) and not len(faces_of(worn(BARE), "wisps"))
    assert len(faces_of(worn(HAIRY), "hair")) > 1000
    for seed in (BARE, HAIRY):
        assert len(faces_of(worn(seed), "clothes")) > 1000


def test_hair_is_outside_of_the_head():
    hair = np.unique(faces_of(worn(HAIRY), "hair"))
    points = worn(HAIRY).vertices[hair] - [0, 0.02, -0.012]
    top = points[points[:, 1] > 0.05]
    skin = person(HAIRY).rest - [0, 0.02, -0.012]
    unit = skin / np.linalg.norm(skin, axis=1, keepdims=True)
    for point in top[::50]:
        near = np.argsort(-unit @ point)[:3]
        assert np.linalg.norm(point) > np.linalg.norm(skin[near], axis=1).min() - 0.005


@pytest.mark.parametrize("kind", ["hair", "clothes"])
def test_faces_look_away_from_the_head(kind):
    vertices, faces = worn(HAIRY).vertices, faces_of(worn(HAIRY), kind)
    outward = vertices[faces].mean(1) - [0, -0.1 if kind == "clothes" else 0.02, -0.02]
    normal = normals(vertices, faces)
    area = np.linalg.norm(normal, axis=1)
    assert area[(outward * normal).sum(1) > 0].sum() > 0.85 * area.sum()


def test_hair_turns_with_the_skull_and_the_shoulders_stay():
    skin = person(HAIRY).vertices({}, rotation=TURN)
    still = worn(HAIRY).move(person(HAIRY).rest, (0.0, 0.0, 0.0))
    np.testing.assert_array_equal(still, worn(HAIRY).vertices)
    moved = worn(HAIRY).move(skin, TURN)
    # The rotation of the skull, from what it does to three points on its top.
    top = np.argsort(-person(HAIRY).rest[:, 1])[[0, 40, 200]]
    neck = NECK / 100
    before, after = (x[top] - neck for x in (person(HAIRY).rest, skin))
    rotation = np.linalg.solve(before, after)
    high = np.unique(faces_of(worn(HAIRY), "hair"))
    high = high[still[high, 1] > 0.02]
    np.testing.assert_allclose(moved[high] - neck, (still[high] - neck) @ rotation, atol=2e-5)
    low = still[:, 1] < -0.17
    assert low.any()
    np.testing.assert_array_equal(moved[low], still[low])


def test_reflectance_is_from_0_to_1_and_depends_on_the_point_alone():
    some = np.arange(0, len(worn(HAIRY).faces), 7)
    corners, spacing = np.full((len(some), 3), 1 / 3), np.full(len(some), 0.001)
    colors = worn(HAIRY).paint(some, corners, spacing)
    assert colors.dtype == np.float32 and colors.min() >= 0 and colors.max() <= 1
    half = worn(HAIRY).paint(some[::2], corners[::2], spacing[::2])
    np.testing.assert_array_equal(half, colors[::2])


def test_what_is_hidden_is_skin_that_does_not_reach_the_face():
    hidden = worn(HAIRY).find_hidden(person(HAIRY))
    middles = person(HAIRY).template[person(HAIRY).faces[hidden]].mean(1)
    assert hidden.mean() > 0.05 and (person(HAIRY).parts[hidden] == 0).all()
    assert not ((middles[:, 2] > 0.06) & (np.abs(middles[:, 1]) < 0.05)).any()
