"""Hair and clothes: they move with the head, lie over the skin, and depend on the seed alone."""

import functools
import os
import subprocess
import sys

import numpy as np
import pytest
from helpers.persons import normals, person

from sf3d_jax.head.growth.part import KINDS
from sf3d_jax.head.growth.spikes import make_spikes
from sf3d_jax.head.growth.styles import BALD, FULL, draw_style
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


# Collars have a lining, which looks at the neck.
@pytest.mark.parametrize("kind, share", [("hair", 0.85), ("clothes", 0.75)])
def test_faces_look_away_from_the_head(kind, share):
    vertices, faces = worn(HAIRY).vertices, faces_of(worn(HAIRY), kind)
    outward = vertices[faces].mean(1) - [0, -0.1 if kind == "clothes" else 0.02, -0.02]
    normal = normals(vertices, faces)
    area = np.linalg.norm(normal, axis=1)
    assert area[(outward * normal).sum(1) > 0].sum() > share * area.sum()


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


def test_skin_under_clothes_is_hidden_and_the_face_is_not():
    hidden = worn(HAIRY).find_hidden(person(HAIRY))
    middles = person(HAIRY).template[person(HAIRY).faces[hidden]].mean(1)
    assert hidden.mean() > 0.01 and (person(HAIRY).parts[hidden] == 0).all()
    assert not ((middles[:, 2] > 0.06) & (np.abs(middles[:, 1]) < 0.05)).any()


def test_lashes_move_with_the_lids_and_brows_with_the_skin():
    one, wardrobe = person(HAIRY), worn(HAIRY)
    moved = {}
    for name, kind in (("eyeBlink", "lashes"), ("browOuterUp", "brows"), ("browDown", "brows")):
        skin = one.vertices({f"{name}Left": 1.0})
        own = np.unique(faces_of(wardrobe, kind))
        away = (wardrobe.move(skin, (0.0, 0.0, 0.0)) - wardrobe.vertices)[own]
        left = wardrobe.vertices[own, 0] > 0.005
        assert np.abs(away[~left]).max() < 2e-4
        moved[name] = away[left, 1]
    assert moved["eyeBlink"].min() < -0.006
    assert moved["browOuterUp"].max() > 0.003 and moved["browDown"].min() < -0.002


def test_glasses_stand_before_the_eyes_and_over_the_nose():
    seed = next(s for s in range(99) if style(s).glasses is not None)
    one, wardrobe = person(seed), worn(seed)
    rims = wardrobe.vertices[np.unique(faces_of(wardrobe, "glasses"))]
    front = rims[rims[:, 2] > 0.07]
    skin = one.rest[np.unique(one.faces[one.parts == 0])]
    for x, y, z in front[::17]:
        near = (np.hypot(skin[:, 0] - x, skin[:, 1] - y) < 0.003) & (skin[:, 2] > 0.03)
        assert not near.any() or z > skin[near, 2].max() - 0.004
    assert front[:, 0].max() > 0.045 and front[:, 0].min() < -0.045


def test_a_beard_stands_off_the_jaw_and_opens_with_it():
    seed = next(s for s in range(200) if style(s).beard == FULL)
    one, wardrobe = person(seed), worn(seed)
    own = np.unique(faces_of(wardrobe, "beard"))
    still = wardrobe.vertices[own]
    assert len(own) > 500 and (still[:, 1] < 0.01).all() and (still[:, 1] < -0.09).any()
    opened = wardrobe.move(one.vertices({"jawOpen": 1.0}), (0.0, 0.0, 0.0))[own]
    chin = (still[:, 1] < -0.09) & (still[:, 2] > 0.07)
    assert (opened - still)[chin, 1].max() < -0.01
    skin = one.rest[np.unique(one.faces[one.parts == 0])]
    reach = [np.linalg.norm(skin - x, axis=1).min() for x in still[::40]]
    assert 0.002 < max(reach) < 0.025


def test_spikes_are_open_cones_oriented_outwards():
    rng = np.random.default_rng(0)
    ahead = rng.normal(size=(5, 3))
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    roots, length, width = rng.normal(size=(5, 3)), np.full(5, 2.0), np.full(5, 0.1)
    for rings in (1, 2):
        vertices, faces, place = make_spikes(roots, ahead, np.zeros((5, 3)), length, width, rings)
        assert len(faces) == 5 * (6 * rings - 3) and len(vertices) == len(place) == 5 * (
            3 * rings + 1
        )
        np.testing.assert_allclose(vertices[place == 1], roots + 2 * ahead)
        owner = np.repeat(np.arange(5), 6 * rings - 3)
        middle = vertices[faces].mean(1) - roots[owner]
        out = middle - (middle * ahead[owner]).sum(1, keepdims=True) * ahead[owner]
        assert ((out * normals(vertices, faces)).sum(1) > 0).all()


PROGRAM = """
import hashlib
from sf3d_jax.head import Person
from sf3d_jax.head.growth.wardrobe import Wardrobe
digest = hashlib.sha256()
for seed in (0, 2, 7):
    person = Person(seed)
    worn = Wardrobe(person)
    skin = person.vertices({"jawOpen": 0.5}, rotation=(0.3, 0.2, 0.1))
    for array in (worn.vertices, worn.faces, worn.move(skin, (0.3, 0.2, 0.1))):
        digest.update(array.tobytes())
print(digest.hexdigest())
"""
# The second process does without the instructions that round otherwise.
OLD_PROCESSOR = {
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX",
    "OPENBLAS_CORETYPE": "Nehalem",
}


@pytest.mark.thorough
def test_another_processor_makes_the_same_bits():
    bits = []
    for environment in ({}, OLD_PROCESSOR):
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        bits.append(run.stdout)
    assert bits[0] == bits[1]
