"""The sheet of a frame pair."""

import numpy as np
import pytest

from sf3d_jax import views
from sf3d_jax.views import legends

TITLE, MARGIN = 36, 20


def maps(height, width):
    rng = np.random.default_rng(0)
    return {
        "flow": rng.normal(size=(height, width, 2)),
        "inv_depth": rng.uniform(0.1, 1, (height, width)),
        "vectors": rng.normal(size=(height, width, 3)),
        "valid": rng.random((height, width)) > 0.2,
    }


def panel(picture, row, column, height):
    """The picture area of one panel."""
    top = TITLE + row * (TITLE + height + legends.LEGEND_HEIGHT)
    left = MARGIN + column * (MARGIN + legends.PANEL_WIDTH)
    return picture[top : top + height, left : left + legends.PANEL_WIDTH]


@pytest.mark.parametrize(
    "size, fitted",
    [((16, 16), 640), ((375, 1242), 193), ((640, 20), 640), ((2, 3000), 1), ((1, 1), 640)],
)
def test_any_size_of_maps_makes_a_sheet_of_one_width(size, fitted):
    picture = views.picture_sheet(**maps(*size))
    assert picture.dtype == np.uint8
    rows = 2 * (TITLE + fitted + legends.LEGEND_HEIGHT) + MARGIN
    assert picture.shape == (rows, 2 * legends.PANEL_WIDTH + 3 * MARGIN, 3)


def test_panels_are_the_image_the_flow_the_inverse_depth_and_the_scene_flow():
    flow, vectors = np.zeros((2, 1, 4, 2)), np.zeros((1, 4, 3))
    flow, inv_depth = np.tile((3.0, 0), (1, 4, 1)), np.full((1, 4), 0.5)
    vectors[..., 2] = 0.2
    valid = np.array([[True, True, True, False]])
    image = np.tile(np.uint8([10, 200, 30]), (1, 4, 1))
    picture = views.picture_sheet(flow, inv_depth, vectors, valid, image=image)

    middle = views.scalar_to_color([[0.5]])[0, 0]
    expected = [[(10, 200, 30), (255, 0, 0)], [middle, (128, 128, 255)]]
    for row, column in np.ndindex(2, 2):
        area = panel(picture, row, column, 160)
        np.testing.assert_allclose(area[80, 10], expected[row][column], atol=1)
        if (row, column) != (0, 0):
            assert not area[80, -10].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_black_and_changes_no_other_pixel(bad):
    inputs = maps(2, 4)
    inputs["valid"] = np.array([[True] * 4, [True, False, True, True]])
    masked = views.picture_sheet(**inputs)
    for name in "flow", "inv_depth", "vectors":
        inputs[name][1, 1] = bad
    inputs["valid"][1, 1] = True
    np.testing.assert_array_equal(views.picture_sheet(**inputs), masked)


def test_the_mask_stands_where_no_image_is():
    inputs = maps(2, 4)
    inputs["valid"] = np.array([[True, False, True, True]] * 2)
    area = panel(views.picture_sheet(**inputs), 0, 0, 320)
    np.testing.assert_array_equal(area[::160, ::160, 0], 255 * inputs["valid"])


@pytest.mark.parametrize("tail", ["no valid pixel", "constant", "still", "not finite"])
def test_fields_without_anything_to_scale_by_make_a_sheet(tail):
    inputs = {name: np.ones_like(value) for name, value in maps(16, 16).items()}
    if tail == "no valid pixel":
        inputs["valid"][:] = False
    if tail == "still":
        inputs["flow"][:], inputs["vectors"][:] = 0, 0
    if tail == "not finite":
        inputs["flow"][:], inputs["inv_depth"][:], inputs["vectors"][:] = np.nan, np.inf, -np.inf
    assert views.picture_sheet(**inputs).shape[2] == 3


def test_a_few_outliers_do_not_set_the_scale(monkeypatch):
    rims = []
    plain = legends.flow_legend
    monkeypatch.setattr(legends, "flow_legend", lambda rim: rims.append(rim) or plain(rim))
    inputs = maps(20, 20)
    inputs["flow"] = np.tile((3.0, 4.0), (20, 20, 1))
    inputs["flow"][0, :5] *= 1000
    inputs["valid"][:] = True
    picture = views.picture_sheet(**inputs)
    assert rims == [5.0]
    area = panel(picture, 0, 1, 640)
    np.testing.assert_allclose(area[5, 5], area[-5, -5], atol=1)


def test_inverse_depth_spans_all_but_a_hundredth_at_either_end(monkeypatch):
    seen = []
    plain = legends.depth_legend
    monkeypatch.setattr(legends, "depth_legend", lambda x: seen.append(x) or plain(x))
    inputs = maps(1, 101)
    inputs["valid"][:] = True
    inputs["inv_depth"] = np.arange(1.0, 102.0)[None]
    views.picture_sheet(**inputs)
    assert seen == [(2.0, 100.0)]


def test_one_moving_pixel_among_still_ones_is_seen_and_rounding_is_not():
    inputs = maps(10, 10)
    inputs["valid"][:] = True
    inputs["flow"] *= 1e-6
    inputs["vectors"] *= 1e-8
    inputs["flow"][0, 0] = 20, 0
    inputs["vectors"][0, 0] = 0, 0, 0.3
    picture = views.picture_sheet(**inputs)
    flow, vectors = panel(picture, 0, 1, 640), panel(picture, 1, 1, 640)
    np.testing.assert_allclose(flow[5, 5], (255, 0, 0), atol=1)
    np.testing.assert_array_equal(vectors[5, 5], (128, 128, 255))
    assert (flow[70:] == 255).all() and not vectors[70:].any()

    inputs["flow"][0, 0] = inputs["vectors"][0, 0] = 0
    picture = views.picture_sheet(**inputs)
    assert (panel(picture, 0, 1, 640) == 255).all() and not panel(picture, 1, 1, 640).any()


def test_far_pixels_count_little_in_the_scale_of_scene_flow(monkeypatch):
    longest = []
    plain = legends.scene_flow_legend
    monkeypatch.setattr(legends, "scene_flow_legend", lambda x: longest.append(x) or plain(x))
    inputs = maps(10, 10)
    inputs["valid"][:] = True
    inputs["inv_depth"][:] = 0.01
    inputs["inv_depth"][5:] = 1
    inputs["vectors"] = np.tile((1.0, 0, 0), (10, 10, 1))
    inputs["vectors"][:5] *= 100
    views.picture_sheet(**inputs)
    assert longest == [1.0]


def test_without_a_surface_depth_and_scene_flow_are_unknown():
    inputs = maps(2, 4)
    inputs["valid"][:] = True
    inputs["inv_depth"][:, 1:3] = 0, -1
    picture = views.picture_sheet(**inputs)
    for column, known in (0, [1, 0, 0, 1]), (1, [1, 0, 0, 1]):
        area = panel(picture, 1, column, 320)
        np.testing.assert_array_equal(area[::160, 80::160].any(-1), [known, known])
    assert panel(picture, 0, 1, 320).any(-1).all()


def test_titles_fit():
    picture = views.picture_sheet(**maps(16, 16))
    for row, column in np.ndindex(2, 2):
        top = row * (TITLE + 640 + legends.LEGEND_HEIGHT)
        left = MARGIN + column * (MARGIN + legends.PANEL_WIDTH)
        heading = picture[top : top + TITLE, left : left + legends.PANEL_WIDTH]
        assert heading.min() < 100
        assert (heading[[0, -1]] == 255).all() and (heading[:, -1] == 255).all()


@pytest.mark.parametrize(
    "name, value, says",
    [
        ("inv_depth", np.ones((3, 4)), r"inv_depth: expected the size of the flow, \[2, 4\]"),
        ("vectors", np.ones((2, 3, 3)), r"vectors: .*got \[2, 3\]"),
        ("valid", np.ones((2, 4)), "valid: expected bool"),
        ("image", np.ones((2, 4, 3)), r"image: expected uint8 \[2, 4, 3\], got float64"),
        ("image", np.ones((3, 4, 3), np.uint8), r"image: .*got uint8 \[3, 4, 3\]"),
    ],
)
def test_a_wrong_argument_is_named(name, value, says):
    with pytest.raises(ValueError, match=says):
        views.picture_sheet(**maps(2, 4) | {name: value})


def test_without_depth_two_panels_are_drawn():
    inputs = maps(24, 32)
    whole = views.picture_sheet(**inputs)
    flat = views.picture_sheet(**{**inputs, "inv_depth": None, "vectors": None})
    assert flat.shape[0] < 0.6 * whole.shape[0]
    np.testing.assert_array_equal(flat[:-40], whole[: flat.shape[0] - 40])
