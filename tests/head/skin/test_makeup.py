"""Make-up: who wears it, and where it is."""

import numpy as np

from sf3d_jax.head.person import landmarks
from sf3d_jax.head.person.profile import draw_profile
from sf3d_jax.head.skin.layers.cosmetics import apply_makeup
from sf3d_jax.head.skin.layers.places import Places
from sf3d_jax.head.skin.makeup import Makeup
from sf3d_jax.head.skin.traits import draw_traits

RED, BROWN = np.array([0.3, 0.05, 0.06], np.float32), np.array([0.15, 0.1, 0.1], np.float32)
NONE = Makeup(0.0, RED, 0.0, BROWN, 0.0, 0.0, 0.0)
LID = landmarks.EYE + 1.4 * np.array([0.05, 0.5, 0.86])
RIM = landmarks.EYE + 1.4 * np.array([0.05, 0.39, 0.92])
CHEEK = landmarks.CHEEKBONE - np.array([0.2, 0.0, -0.8])
POINTS = np.array([[0, 4, 8.3], LID, RIM, CHEEK, [0.4, -7.3, 8.6]])
LIPS = np.array([0, 0, 0, 0, 1], np.float32)


def change(makeup):
    skin = np.full((5, 3), 0.4, np.float32)
    at = Places(POINTS.astype(np.float32), np.full(5, 0.02, np.float32), 5)
    return np.abs(apply_makeup(skin, at, makeup, LIPS) - skin).max(1) > 0.01


def test_each_kind_of_makeup_is_in_its_place():
    assert not change(NONE).any()
    assert change(NONE._replace(lips=1.0)).tolist() == [False, False, False, False, True]
    assert change(NONE._replace(lids=1.0)).tolist() == [False, True, True, False, False]
    assert change(NONE._replace(liner=1.0)).tolist() == [False, False, True, False, False]
    assert change(NONE._replace(blush=0.5)).tolist() == [False, False, False, True, False]


def test_many_women_and_few_men_wear_it():
    people = [(draw_profile(seed), draw_traits(seed).makeup) for seed in range(300)]
    worn = {True: [], False: []}
    for profile, makeup in people:
        shares = [makeup.lips, makeup.lids, makeup.liner, makeup.blush, makeup.powder]
        assert 0 <= min(shares) and max(shares) <= 1
        worn[profile.masculinity < 0].append(max(shares) > 0.1)
    assert 0.4 < np.mean(worn[True]) < 0.9 and np.mean(worn[False]) < 0.25
