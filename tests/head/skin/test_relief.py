"""Folds: where they are, what age and expressions make of them, and the normals they tilt."""

import numpy as np
import pytest

from sf3d_jax.head.person import landmarks
from sf3d_jax.head.skin.layers.folds import FOLDS, find_depth
from sf3d_jax.head.skin.layers.places import Places
from sf3d_jax.head.skin.layers.relief import find_height
from sf3d_jax.head.skin.relief import Relief
from sf3d_jax.head.skin.traits import draw_traits

OLD = next(s for s in range(99) if draw_traits(s).skin.wrinkles > 0.9)
# The forehead, the outer corner of the left eye, the left cheek beside the nose, and the chin.
SPOTS = np.array([[0.5, 4.2, 8.3], [5.0, 0.0, 6.0], [2.6, -5.6, 7.6], [0.3, -9.9, 8.0]])
NAMES = ["forehead", "crow", "cheek", "chin"]


def place(points, spacing=0.02):
    points = np.asarray(points, np.float32)
    return Places(points, np.full(len(points), spacing, np.float32), 17)


def scatter(middle, count=400, seed=0):
    """Small upright pieces about a place: (N, 3, 3)."""
    rng = np.random.default_rng(seed)
    middles = middle + rng.uniform(-0.5, 0.5, (count, 3)) * [1, 1, 0.2]
    return middles[:, None] + 0.06 * np.array([[1, 0, 0.1], [-0.5, 0.8, 0], [-0.5, -0.8, 0]])


def open_relief(middle, seed=OLD):
    corners = scatter(middle)
    return Relief(corners, np.zeros(len(corners), int), seed)


@pytest.mark.parametrize("kind", list(FOLDS))
def test_every_fold_is_somewhere_on_the_face_and_nowhere_else(kind):
    points = np.random.default_rng(0).uniform([-7, -16, -9], [7, 10, 11], (400_000, 3))
    depth = find_depth(place(points, 0.05), kind)
    assert depth.min() == 0 and 0.3 < depth.max() < 1.7
    assert (depth > 0).mean() < 0.1


def test_a_fold_that_samples_cannot_show_is_wider_and_shallower():
    points = np.random.default_rng(0).uniform([1, -8, 6], [4, -3, 8], (100_000, 3))
    fine, coarse = (find_depth(place(points, s), "cheek") for s in (0.01, 0.5))
    assert coarse.max() < 0.6 * fine.max()
    assert abs(coarse.mean() / fine.mean() - 1) < 0.35


def test_age_makes_folds_deeper():
    points = np.random.default_rng(0).uniform([0, -8, 6], [5, 5, 9], (20_000, 3))
    skin = draw_traits(OLD).skin
    young, old = (
        find_height(place(points), skin._replace(wrinkles=x, pores=0.0)) for x in (0.0, 1.0)
    )
    assert old.mean() < young.mean() - 1e-3 and old.min() < young.min() - 0.02


def test_no_expression_leaves_all_light():
    light, slope = open_relief(SPOTS[0]).find({})
    assert (light == 1).all() and light.dtype == slope.dtype == np.float32
    assert slope.any()


@pytest.mark.parametrize(
    "unit, darker",
    [
        ("browInnerUp", ["forehead"]),
        ("cheekSquintLeft", ["crow"]),
        ("mouthSmileLeft", ["crow", "cheek"]),
        ("mouthSmileRight", []),
        ("mouthShrugLower", ["chin"]),
        ("eyeLookUpLeft", []),
    ],
)
def test_an_expression_folds_its_own_places_on_its_own_side(unit, darker):
    for name, spot in zip(NAMES, SPOTS, strict=True):
        relief = open_relief(spot)
        light, slope = relief.find({unit: 1.0})
        half, _ = relief.find({unit: 0.5})
        folded = (light < 0.97).any()
        assert folded == (name in darker), name
        assert (light <= half).all() and light.min() >= 0.45
        assert folded == (np.abs(slope - relief.find({})[1]).max() > 0.02)


def test_the_slope_is_that_of_the_height():
    corners = scatter(SPOTS[0], 50)
    found = Relief(corners, np.zeros(50, int), OLD).find({})[1]
    traits = draw_traits(OLD)
    for x, slope in zip(corners, found, strict=True):
        area = np.linalg.norm(np.cross(x[1] - x[0], x[2] - x[0])) / 2
        at = Places(x.astype(np.float32), np.full(3, area**0.5, np.float32), traits.pattern)
        heights = find_height(at, traits.skin).astype(float)
        # The shortest vector g with g . (x_i - x_0) = h_i - h_0 lies in the piece.
        gradient = np.linalg.lstsq(x[1:] - x[0], heights[1:] - heights[0], rcond=None)[0]
        np.testing.assert_allclose(slope, -gradient, atol=1e-4)


def test_slopes_turn_with_the_head():
    relief, turned = open_relief(SPOTS[2]), (0.4, -0.3, 0.2)
    before, after = (relief.find({"noseSneerLeft": 1.0}, x)[1] for x in ((0.0, 0.0, 0.0), turned))
    yaw, pitch, roll = turned
    c, s = np.cos, np.sin
    about_y = np.array([[c(yaw), 0, s(yaw)], [0, 1, 0], [-s(yaw), 0, c(yaw)]])
    about_x = np.array([[1, 0, 0], [0, c(pitch), s(pitch)], [0, -s(pitch), c(pitch)]])
    about_z = np.array([[c(roll), -s(roll), 0], [s(roll), c(roll), 0], [0, 0, 1]])
    np.testing.assert_allclose(after, before @ (about_y @ about_x @ about_z).T, atol=1e-5)


def test_what_is_not_skin_stays_smooth_and_slivers_have_no_slope():
    corners = scatter(SPOTS[0], 20)
    corners[3, 2] = corners[3, 1]
    parts = np.zeros(20, int)
    parts[7] = landmarks.LEFT_EYE
    light, slope = Relief(corners, parts, OLD).find({"browInnerUp": 1.0})
    assert not slope[[3, 7]].any() and (light[7] == 1).all() and np.isfinite(slope).all()
