"""The texture of the head: its regions, its bits, its filter, and points that are not numbers."""

import os
import subprocess
import sys

import numpy as np
import pytest

from sf3d_jax.head.person import landmarks
from sf3d_jax.head.skin.layers.complexion import paint_skin
from sf3d_jax.head.skin.layers.hair import paint_hair
from sf3d_jax.head.skin.layers.mouth import paint_teeth
from sf3d_jax.head.skin.layers.places import Places
from sf3d_jax.head.skin.painting import paint
from sf3d_jax.head.skin.traits import draw_traits

PALE = next(s for s in range(99) if draw_traits(s).skin.melanin < 0.2 and draw_traits(s).hair.cover)


def paint_one(point, part=landmarks.SKIN, seed=PALE, spacing=0.0):
    return paint([point], [part], seed, spacing)[0].astype(float)


def random_head(count=5000, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform([-8, -14, -9], [8, 11, 11], (count, 3)), rng.integers(0, 7, count)


def luminance(color):
    return np.asarray(color, float) @ [0.2126, 0.7152, 0.0722]


def test_a_person_stays_the_same_between_versions():
    points = [[0.5, 4.0, 8.5], [3.0, 2.0, 7.8], [1.0, 9.0, -2.0], [3.4, 0.1, 7.9], [0, -7, 7]]
    found = paint(points, [0, 0, 0, 4, 2], 3, 0.05)
    expected = [
        [0.6342523, 0.4520944, 0.3232143],
        [0.1286871, 0.0829945, 0.0565359],
        [0.1574497, 0.1079399, 0.072818],
        [0.2023951, 0.2436749, 0.1204597],
        [0.633195, 0.56682, 0.4601865],
    ]
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_the_number_of_points_at_once_does_not_matter():
    points, parts = random_head(20_000)
    spacing = np.linspace(0, 0.3, len(points))
    whole = paint(points, parts, 1, spacing)
    assert whole.dtype == np.float32
    some = np.random.default_rng(0).permutation(len(points))[:500]
    np.testing.assert_array_equal(paint(points[some], parts[some], 1, spacing[some]), whole[some])


@pytest.mark.parametrize("seed", range(6))
def test_reflectance_is_from_0_to_1(seed):
    colors = paint(*random_head(), seed, 0.0)
    assert colors.min() >= 0 and colors.max() <= 1 and np.isfinite(colors).all()


def test_every_part_has_its_colours():
    forehead = paint_one([0.0, 4.0, 8.6])
    lip = paint_one([0.3, landmarks.MOUTH_HEIGHT - 0.4, 8.6])
    assert lip[1] / lip[0] < 0.8 * forehead[1] / forehead[0]
    hair = paint_one([0.0, 10.0, -2.0])
    assert luminance(hair) < 0.7 * luminance(forehead)
    assert paint_one([3.0, 2.1, 7.8], spacing=0.3).mean() < 0.8 * forehead.mean()
    tooth = paint_one([0.5, landmarks.MOUTH_HEIGHT + 0.2, 7.0], landmarks.UPPER_TEETH)
    gum = paint_one([0.5, landmarks.MOUTH_HEIGHT + 1.2, 7.0], landmarks.UPPER_TEETH)
    assert tooth.min() > 0.3 and gum[0] > 2 * gum[1]
    for part in (landmarks.MOUTH, landmarks.TONGUE):
        front, back = (paint_one([0.6, -7.5, z], part) for z in (7.5, 2.0))
        assert front[0] > 1.5 * front[1] and luminance(back) < 0.4 * luminance(front)


@pytest.mark.parametrize("part, side", [(landmarks.LEFT_EYE, 1), (landmarks.RIGHT_EYE, -1)])
def test_an_eye_has_a_pupil_an_iris_and_a_white(part, side):
    middle = landmarks.EYE * [side, 1, 1]
    at = lambda x, y, z: middle + np.array([x, y, z])
    traits = draw_traits(PALE).eyes
    assert paint_one(at(0, 0, 1.2), part).max() < 0.02
    iris, white = paint_one(at(-0.38, -0.1, 1.1), part), paint_one(at(0.1, -0.8, 0.9), part)
    assert np.abs(iris / luminance(iris) - traits.iris / luminance(traits.iris)).max() < 0.6
    assert white.min() > 0.4
    assert paint_one(at(0.2, 0.22, 1.1), part).min() > 0.7  # the glint


def place(points, spacing=0.0):
    points = np.asarray(points, np.float32)
    return Places(points, np.full(len(points), spacing, np.float32), 17)


def test_the_upper_lid_has_a_dark_rim_of_lashes_and_the_lower_a_thin_one():
    half = landmarks.FISSURE[1]
    at = lambda y: landmarks.EYE + 1.4 * np.array([0.05, y, np.sqrt(1 - y * y)])
    upper, lower, lid = (luminance(paint_one(at(y))) for y in (half + 0.03, -half - 0.01, 0.6))
    assert upper < 0.4 * lid and upper < lower < 0.95 * lid


def test_freckles_are_darker_and_lie_on_nose_and_cheeks():
    rng = np.random.default_rng(0)
    spread = lambda middle: place(middle + rng.uniform(-1, 1, (4000, 3)))
    plain = draw_traits(PALE).skin._replace(freckles=0.0, moles=0.0)
    darker = []
    for middle in ([2.2, -2.4, 8.0], [0.0, -13.0, 2.0]):
        at, lips = spread(middle), np.zeros(4000, np.float32)
        smooth, spotted = (
            paint_skin(at, plain._replace(freckles=share), lips, 0.5) for share in (0.0, 0.4)
        )
        assert (spotted <= smooth).all()
        darker.append((spotted[:, 0] < 0.9 * smooth[:, 0]).mean())
    assert darker[0] > 0.02 > 10 * darker[1]


def test_a_beard_grows_on_chin_and_upper_lip_but_not_on_the_red_of_the_lips():
    points = [[0.0, -9.5, 8.0], [1.0, -5.9, 8.7], [0.0, 4.0, 8.5]]
    hair = draw_traits(PALE).hair._replace(cover=0.0, beard=1.0)
    skin = np.full((3, 3), 0.5, np.float32)
    bearded, red = (paint_hair(skin, place(points), hair, np.full(3, x)) for x in (0, 1))
    assert (bearded[:2] < 0.49).all() and (bearded[2] == 0.5).all()
    np.testing.assert_array_equal(red, skin)


def test_the_lips_go_on_into_the_mouth():
    # Where the lips meet, a little above and below their line, at the middle and near a corner.
    for x, z in ((0.0, 8.3), (1.5, 7.88), (-2.1, 7.45)):
        outside, inside = (
            paint_one([x, landmarks.MOUTH_HEIGHT - 0.15, z], part, spacing=0.1)
            for part in (landmarks.SKIN, landmarks.MOUTH)
        )
        np.testing.assert_allclose(inside, outside, rtol=0.15)


def test_a_tooth_is_darker_at_its_neck_and_a_yellow_one_yellower():
    at = place([[0.5, landmarks.MOUTH_HEIGHT + y, 7.5] for y in (0.1, 0.5)])
    white, yellow = (paint_teeth(at, amount, 1) for amount in (0.0, 1.0))
    assert white[1].mean() < 0.95 * white[0].mean()
    assert (yellow[:, 2] / yellow[:, 0] < 0.85 * white[:, 2] / white[:, 0]).all()


def test_the_two_sides_have_one_face_but_other_noise():
    points = np.random.default_rng(0).uniform([0.5, -9, 6], [5, 6, 8], (3000, 3))
    left, right = (paint(points * [side, 1, 1], np.zeros(3000, int), PALE) for side in (1, -1))
    assert 0 < np.abs(left - right).mean() < 0.05
    assert np.corrcoef(luminance(left), luminance(right))[0, 1] > 0.7


def test_no_spacing_is_the_limit_of_small_ones():
    points, parts = random_head()
    whole = paint(points, parts, 2, 0.0)
    np.testing.assert_allclose(paint(points, parts, 2, 1e-7), whole, atol=1e-5)
    assert np.abs(paint(points, parts, 2, 0.1) - whole).max() > 0.05


@pytest.mark.parametrize("seed", [PALE, 2, 6])
@pytest.mark.parametrize("spacing", [0.1, 0.3])
def test_the_texture_has_no_detail_that_the_samples_cannot_show(seed, spacing):
    step, count = 0.01, 2048
    # Across forehead and hair, where noise is strongest, on a sphere-like curve.
    turn = np.arange(count) * step / 9
    points = 9 * np.stack([0.3 * np.sin(turn), np.cos(turn), np.sin(turn)], -1)

    def find_share(filtering):
        line = luminance(paint(points, np.zeros(count, int), seed, filtering))
        power = np.square(np.abs(np.fft.rfft((line - line.mean()) * np.hanning(count))))
        beyond = np.fft.rfftfreq(count, step) > 1 / (2 * spacing)
        return power[beyond].sum() / power.sum()

    # Half a percent of the variance is what shares cut at 0 and 1 make of a filtered wave.
    assert find_share(spacing) < 0.008
    assert find_share(0.0) > 3 * find_share(spacing)


def test_the_mean_survives_the_filter():
    rng = np.random.default_rng(0)
    for low, high in [
        ([-4, 3.5, 7], [4, 5, 9]),
        ([-4, 8.5, -6], [4, 10.5, 2]),
        ([1, 1.2, 7], [5, 3, 8]),
    ]:
        points = rng.uniform(low, high, (20_000, 3))
        fine, coarse = (paint(points, np.zeros(len(points), int), PALE, s) for s in (0, 0.15))
        np.testing.assert_allclose(coarse.mean(0), fine.mean(0), rtol=0.04)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_a_bad_point_is_black_and_changes_no_other(bad):
    points, parts = random_head(500)
    clean = paint(points, parts, 1, 0.05)
    points[7, 1] = bad
    found = paint(points, parts, 1, 0.05)
    assert not found[7].any() and clean[7].any()
    np.testing.assert_array_equal(np.delete(found, 7, 0), np.delete(clean, 7, 0))


def test_a_nan_in_the_spacing_is_black():
    points, parts = random_head(50)
    spacing = np.full(50, 0.05)
    spacing[3] = np.nan
    found = paint(points, parts, 1, spacing)
    assert not found[3].any()
    clean = paint(points, parts, 1, 0.05)
    np.testing.assert_array_equal(np.delete(found, 3, 0), np.delete(clean, 3, 0))


@pytest.mark.parametrize("part", range(7))
def test_a_point_far_from_every_region_is_painted(part):
    points = np.array([[1e5, 0, 0], [0, -1e5, 0], [0, 0, 1e5], [0, 0, 0], [-3e3, 2e3, -1e3]])
    colors = paint(points, np.full(5, part), 4, 0.1)
    assert np.isfinite(colors).all() and (colors.max(1) > 0).all()


def test_no_points_are_no_colours():
    assert paint(np.zeros((0, 3)), np.zeros(0, int), 1).shape == (0, 3)


@pytest.mark.parametrize(
    "points, parts, spacing, message",
    [
        ((4, 2), [0] * 4, 0.1, r"points: expected shape \(N, 3\), got \(4, 2\)"),
        ((4, 3), [0] * 3, 0.1, r"parts: expected shape \(4,\), got \(3,\)"),
        ((4, 3), [0, 1, 2, 7], 0.1, r"parts: expected 0 \(skin\), .*6 \(tongue\), got 7"),
        ((4, 3), [0, 1, 2, -1], 0.1, r"parts: expected .*, got -1"),
        ((4, 3), [0] * 4, [0.1] * 3, r"spacing: expected a number or \(4,\), got \(3,\)"),
        ((4, 3), [0] * 4, -0.1, r"spacing: expected distances from 0 on, got -0.1"),
    ],
)
def test_a_wrong_argument_is_named(points, parts, spacing, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        paint(np.zeros(points), parts, 1, spacing)


@pytest.mark.thorough
def test_the_bits_do_not_depend_on_the_instructions_of_the_processor():
    program = (
        "import numpy as np; from sf3d_jax.head.skin.painting import paint\n"
        "rng = np.random.default_rng(0); points = rng.uniform(-12, 12, (50_000, 3))\n"
        "print(hash(paint(points, rng.integers(0, 7, 50_000), 4, 0.05).tobytes()))"
    )

    def run(**variables):
        environment = {**os.environ, "PYTHONHASHSEED": "0", **variables}
        command = [sys.executable, "-W", "ignore", "-c", program]
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout

    assert run() == run(NPY_DISABLE_CPU_FEATURES="AVX2 FMA3 AVX512F AVX512_SKX")
