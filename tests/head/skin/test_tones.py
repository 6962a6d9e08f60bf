"""Colours of skin in CIELAB, against what was measured on people's faces."""

import numpy as np
import pytest

from sf3d_jax.head.person.profile import draw_profile
from sf3d_jax.head.skin.layers.complexion import paint_skin
from sf3d_jax.head.skin.layers.places import Places
from sf3d_jax.head.skin.tones import ANGLES, PALER, find_melanin
from sf3d_jax.head.skin.traits import draw_traits

# IEC 61966-2-1: linear sRGB to XYZ, whose white is D65.
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
# The middles of forehead and cheek, and how far the patches reach.
FOREHEAD, CHEEK, REACH = (0.0, 4.2, 8.4), (3.6, -3.4, 7.2), 0.9


def find_lab(linear):
    """CIELAB, by the formulas of ISO/CIE 11664-4."""
    t = np.asarray(linear, float) @ TO_XYZ.T / TO_XYZ.sum(1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1
    )


def find_angle(lab):
    return np.degrees(np.arctan2(lab[..., 0] - 50, lab[..., 2]))


def measure(seed, middle):
    """Mean colour of a patch of bare skin, as an instrument sees it."""
    points = np.random.default_rng(0).uniform(-REACH, REACH, (400, 3)) + middle
    traits = draw_traits(seed)
    at = Places(points.astype(np.float32), np.full(400, 0.1, np.float32), traits.pattern)
    color = paint_skin(at, traits.skin, np.zeros(400, np.float32), traits.lips)
    return find_lab(color.astype(float).mean(0))


@pytest.fixture(scope="module")
def faces():
    return np.array([[measure(seed, x) for x in (FOREHEAD, CHEEK)] for seed in range(200)])


def test_the_conversion_knows_white_and_grey():
    np.testing.assert_allclose(
        find_lab([[1, 1, 1], [0.18418651851] * 3]), [[100, 0, 0], [50, 0, 0]], atol=1e-3
    )


def test_faces_lie_in_the_measured_range(faces):
    # Extremes over groups in Xiao et al. 2017, Han et al. 2006 and Del Bino and Bernerd 2013, and
    # the darkest group of the 120 faces in "Proposed shade guide for human facial skin", abstract
    # 120461 of the IADR, Miami, 2009: L* 26.7, a* 14.6, b* 14.7.
    low, high = (25, 5, 7), (76, 20, 22)
    assert (faces >= low).all() and (faces <= high).all()
    lightness, red, yellow = np.moveaxis(faces[:, 1], -1, 0)
    assert lightness.min() < 34 and lightness.max() > 68
    assert 10 < red.mean() < 14.5 and 14 < yellow.mean() < 18.5
    # The skin in between is the yellowest.
    middle = (lightness > 45) & (lightness < 60)
    assert yellow[middle].mean() > yellow[lightness < 36].mean() + 1.5
    assert yellow[middle].mean() > yellow[lightness > 68].mean() + 1


def test_the_forehead_is_darker_and_the_cheek_redder(faces):
    forehead, cheek = faces[:, 0].mean(0), faces[:, 1].mean(0)
    # Han et al. 2006: 3.7 below the mean of the body in L*, 2.3 over it in a*.
    assert 1 < cheek[0] - forehead[0] < 5 and 0.5 < cheek[1] - forehead[1] < 4


def test_angles_spread_over_all_classes_as_the_tones_say(faces):
    angles = find_angle(faces[:, 1])
    tones = np.array([draw_profile(seed).tone for seed in range(200)])
    expected = np.interp(tones, PALER, ANGLES)
    off = angles - expected
    assert abs(off.mean()) < 4 and off.std() < 6
    classes = np.digitize(angles, [-30, 10, 28, 41, 55])
    assert (np.bincount(classes, minlength=6) >= 6).all()
    assert np.corrcoef(tones, angles)[0, 1] < -0.9


def test_melanin_rises_with_the_tone():
    assert (np.diff([find_melanin(x) for x in np.linspace(0, 1, 51)]) > 0).all()
