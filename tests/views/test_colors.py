"""Colours, against the published tables and OpenCV's."""

import functools
import warnings

import cv2
import numpy as np
import pytest

from sf3d_jax import views
from sf3d_jax.views import colors
from sf3d_jax.views.colors import lateral_to_color

RIGHT, LEFT, DOWN, UP = (1, 0), (-1, 0), (0, 1), (0, -1)


def published_color(u, v):
    """Baker et al. 2011, one pixel at a time: the 55 colours, then the two nearest mixed."""
    wheel = []
    arcs = [(15, 0, 1), (6, 0, 1), (4, 1, 2), (11, 1, 2), (13, 2, 0), (6, 2, 0)]
    for turn, (steps, full, other) in enumerate(arcs):
        for i in range(steps):
            color = [0, 0, 0]
            rises = turn % 2 == 0
            color[full] = 255 if rises else 255 - 255 * i // steps
            color[other] = 255 * i // steps if rises else 255
            wheel.append(color)
    angle = np.arctan2(-v, -u) / np.pi
    place = (angle + 1) / 2 * 54
    low = int(place)
    low_color, high_color = np.array(wheel[low]), np.array(wheel[(low + 1) % 55])
    hue = ((1 - place + low) * low_color + (place - low) * high_color) / 255
    radius = np.hypot(u, v)
    return np.floor(255 * (1 - radius * (1 - hue) if radius <= 1 else 0.75 * hue))


def test_flow_has_the_published_colors():
    flow = np.random.default_rng(0).uniform(-1, 1, (20, 20, 2))
    ours = views.flow_to_color(flow, max_flow=1)
    published = np.array([[published_color(u, v) for u, v in row] for row in flow])
    assert np.abs(ours - published).max() <= 2  # theirs rounds down, twice


@pytest.mark.parametrize(
    "direction, color",
    [(RIGHT, (255, 0, 0)), (DOWN, (255, 230, 0)), (LEFT, (0, 209, 255)), (UP, (88, 0, 255))],
)
def test_directions_have_the_colors_of_the_docstring(direction, color):
    np.testing.assert_allclose(views.flow_to_color([[direction]])[0, 0], color, atol=2)


def test_no_motion_is_white_and_half_the_motion_half_the_color():
    picture = views.flow_to_color(np.array([[(0, 0), (2, 0), (4, 0)]]))
    np.testing.assert_array_equal(picture, [[(255,) * 3, (255, 128, 128), (255, 0, 0)]])


def test_still_flow_is_white():
    assert (views.flow_to_color(np.zeros((2, 3, 2))) == 255).all()


def test_longer_flow_is_darkened_by_a_quarter():
    picture = views.flow_to_color(np.array([[(3, 0), (1e30, 0)]]), max_flow=2)
    np.testing.assert_array_equal(picture, [[(191, 0, 0)] * 2])


def test_scalars_run_through_viridis():
    ramp = np.linspace(3, 5, 256)[None]
    opencv = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_VIRIDIS)
    error = np.abs(views.scalar_to_color(ramp).astype(int) - opencv[..., ::-1])
    assert error.mean() < 1.5 and error.max() < 20  # ten of their 256 colours, and straight lines


def test_scalars_stay_at_the_limits():
    picture = views.scalar_to_color([[-9, 0, 1, 9]], limits=(0, 1))
    np.testing.assert_array_equal(picture[0, 0], picture[0, 1])
    np.testing.assert_array_equal(picture[0, 2], picture[0, 3])
    assert (picture[0, 1] != picture[0, 2]).any()


def test_one_value_gets_the_middle_color():
    middle = views.scalar_to_color([[0.5]], limits=(0, 1))
    np.testing.assert_array_equal(views.scalar_to_color([[7, 7]]), np.repeat(middle, 2, 1))


def test_signed_numbers_run_through_cividis_about_zero():
    ramp = np.linspace(-3, 3, 256)[None]
    opencv = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_CIVIDIS)
    error = np.abs(views.signed_to_color(ramp).astype(int) - opencv[..., ::-1])
    assert error.mean() < 1 and error.max() < 12  # sixteen of their 256 colours, straight lines
    zero, full, beyond = views.signed_to_color([[0.0, 2.0, 9.0]], limit=2)[0]
    assert np.ptp(zero) < 8 and abs(int(zero.mean()) - 122) < 4  # a neutral grey
    np.testing.assert_array_equal(full, beyond)


def test_signed_colors_grow_lighter_with_the_value():
    ramp = views.signed_to_color(np.linspace(-1, 1, 101)[None])
    grey = cv2.cvtColor(ramp, cv2.COLOR_RGB2GRAY)[0].astype(int)
    assert (np.diff(grey) >= -1).all() and grey[-1] - grey[50] > 60 and grey[50] - grey[0] > 60


@pytest.mark.parametrize(
    "vector, color",
    [
        ((1, 0, 0), (255, 128, 128)),
        ((-1, 0, 0), (0, 128, 128)),
        ((0, 1, 0), (128, 255, 128)),
        ((0, 0, 1), (128, 128, 255)),
        ((0, 0, -0.5), (128, 128, 64)),
        ((0, 0, 3), (128, 128, 255)),
        ((0.5, 0, 0), (191, 128, 128)),
        ((0, 0, 0), (128, 128, 128)),
    ],
)
def test_scene_flow_is_its_axes_about_mid_grey(vector, color):
    picture = views.scene_flow_to_color([[vector]], max_length=1)
    np.testing.assert_array_equal(picture[0, 0], color)


def test_the_longest_vector_is_full_when_no_length_is_given():
    picture = views.scene_flow_to_color([[(0.001, 0, 0), (0.002, 0, 0)]])
    np.testing.assert_array_equal(picture, [[(191, 128, 128), (255, 128, 128)]])


def test_motion_across_the_view_has_the_hues_of_flow_about_mid_grey():
    vectors = np.random.default_rng(0).uniform(-1, 1, (20, 20, 2))
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    full = views.flow_to_color(vectors / length, max_flow=1 + 1e-6).astype(float)
    expected = 127.5 + np.minimum(length / 0.8, 1) * (full - 127.5)
    ours = lateral_to_color(vectors, max_length=0.8)
    np.testing.assert_allclose(ours, expected, atol=1.5)
    np.testing.assert_array_equal(lateral_to_color([[(0, 0)]], max_length=1), [[(128,) * 3]])


def test_bands_of_rows_make_the_picture_of_the_whole(monkeypatch):
    values = np.random.default_rng(0).normal(size=(13, 7, 3))
    known = values[..., 0] > -1
    whole = views.scene_flow_to_color(values, valid=known)
    monkeypatch.setattr(colors, "_BAND", 15)
    np.testing.assert_array_equal(views.scene_flow_to_color(values, valid=known), whole)


CODINGS = [
    (views.flow_to_color, (2,)),
    (functools.partial(lateral_to_color, max_length=1), (2,)),
    (views.scalar_to_color, ()),
    (views.signed_to_color, ()),
    (views.scene_flow_to_color, (3,)),
]


@pytest.mark.parametrize("coding, tail", CODINGS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_a_bad_pixel_is_black_and_changes_no_other(coding, tail, bad):
    values = np.random.default_rng(0).uniform(1, 2, (3, 4, *tail))
    masked = coding(values, valid=np.arange(12).reshape(3, 4) != 5)
    values.reshape(12, -1)[5, -1] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = coding(values)
    np.testing.assert_array_equal(picture, masked)
    assert not picture[1, 1].any() and picture.reshape(12, 3).any(-1).sum() == 11
    assert picture.dtype == np.uint8 and picture.shape == (3, 4, 3)


@pytest.mark.parametrize("coding, tail", CODINGS)
def test_huge_and_tiny_numbers_make_a_picture(coding, tail):
    for size in (3e38, 1e-38):
        coding(size * np.random.default_rng(0).uniform(-1, 1, (3, 4, *tail)))


@pytest.mark.parametrize("coding, tail", CODINGS)
def test_without_a_valid_pixel_all_is_black(coding, tail):
    assert not coding(np.ones((2, 3, *tail)), valid=np.zeros((2, 3), bool)).any()


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: views.flow_to_color(np.zeros((2, 3))), r"flow: expected the shape \[H, W, 2\]"),
        (lambda: views.scene_flow_to_color(np.zeros((2, 3, 2))), r"vectors: .* \[H, W, 3\]"),
        (lambda: views.flow_to_color([[RIGHT]], max_flow=0), "max_flow: expected a positive"),
        (lambda: views.scene_flow_to_color([[(1, 2, 3)]], max_length=np.nan), "max_length: "),
        (lambda: views.signed_to_color([[1.0]], limit=-1), "limit: expected a positive"),
        (lambda: views.scalar_to_color([[1.0]], limits=(2, 1)), r"limits: .* got \(2, 1\)"),
        (lambda: views.scalar_to_color([[1.0]], limits=(0, np.inf)), "limits: expected two"),
        (lambda: views.scalar_to_color([[1.0]], valid=np.ones((1, 1))), "valid: expected bool"),
    ],
)
def test_a_wrong_argument_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()
