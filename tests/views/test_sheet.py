"""The sheet of a frame pair."""

import warnings

import cv2
import numpy as np
import pytest

from sf3d_jax import views
from sf3d_jax.views import legends, map_panels

TITLE, MARGIN, TALLEST = 36, 20, 512
IMAGE, FLOW, DEPTH, CHANGE, ACROSS, ALONG = range(6)


def maps(height, width):
    rng = np.random.default_rng(0)
    return {
        "flow": rng.normal(size=(height, width, 2)),
        "inv_depth": rng.uniform(0.1, 1, (height, width)),
        "inv_depth_change": rng.normal(size=(height, width)),
        "vectors": rng.normal(size=(height, width, 3)),
        "valid": rng.random((height, width)) > 0.2,
    }


def panel(picture, place, height, width=legends.PANEL_WIDTH):
    """The picture area of one panel."""
    row, column = divmod(place, 2)
    top = TITLE + row * (TITLE + height + legends.LEGEND_HEIGHT)
    left = MARGIN + column * (MARGIN + legends.PANEL_WIDTH)
    left += (legends.PANEL_WIDTH - width) // 2
    return picture[top : top + height, left : left + width]


def is_hatched(area):
    """Where there is a stripe of one of the two greys."""
    return (area == area[..., :1]).all(-1) & np.isin(area[..., 0], (74, 106))


@pytest.fixture
def texts(monkeypatch):
    """The texts of legends; each fits and overlaps with no other."""
    written = []
    plain = legends.write_text

    def write(canvas, text, left, baseline, size=0.6):
        before = canvas.copy()
        plain(canvas, text, left, baseline, size)
        changed = (canvas != before).any(-1)
        rows, columns = (np.flatnonzero(changed.any(axis)) for axis in (1, 0))
        if text and len(canvas) == legends.LEGEND_HEIGHT:
            assert columns.max() < legends.PANEL_WIDTH - 1, f"{text} does not fit"
            assert 0 < rows.min() and rows.max() < legends.LEGEND_HEIGHT - 1, f"{text} does not fit"
            bare = plain.__globals__["_blank_strip"]()
            plain(bare, text, left, baseline, size)
            np.testing.assert_array_equal(canvas[changed], bare[changed], f"{text} overlaps")
        written.append(text)

    monkeypatch.setattr(legends, "write_text", write)
    return written


@pytest.mark.parametrize(
    "size, fitted",
    [((16, 16), 512), ((375, 1242), 193), ((640, 20), 512), ((2, 3000), 1), ((1, 1), 512)],
)
def test_any_size_of_maps_makes_a_sheet_of_one_width(size, fitted):
    picture = views.picture_sheet(**maps(*size))
    assert picture.dtype == np.uint8
    rows = 3 * (TITLE + fitted + legends.LEGEND_HEIGHT) + MARGIN
    assert picture.shape == (rows, 2 * legends.PANEL_WIDTH + 3 * MARGIN, 3)


def test_panels_show_each_map_in_its_colors():
    flow, inv_depth = np.tile((3.0, 0), (1, 4, 1)), np.full((1, 4), 0.5)
    vectors = np.tile((0.3, 0, -0.2), (1, 4, 1))
    valid = np.array([[True, True, True, False]])
    image = np.tile(np.uint8([10, 200, 30]), (1, 4, 1))
    picture = views.picture_sheet(
        flow, inv_depth, vectors, valid, image=image, inv_depth_change=-inv_depth
    )

    middle = views.scalar_to_color([[0.5]])[0, 0]
    farthest, nearest = views.signed_to_color([[-1.0, 1.0]])[0]
    red = (255, 0, 0)
    expected = [(10, 200, 30), red, middle, farthest, red, nearest]
    for place, color in enumerate(expected):
        area = panel(picture, place, 160)
        np.testing.assert_allclose(area[150, 5], color, atol=1)
        assert is_hatched(area[:, -150:]).all() == (place != IMAGE)
        assert is_hatched(area[:, 5:150]).mean() < 0.01  # an arrow has greys, too


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_hatched_and_changes_no_other_pixel(bad):
    inputs = maps(2, 4)
    inputs["valid"] = np.array([[True] * 4, [True, False, True, True]])
    masked = views.picture_sheet(**inputs)
    assert is_hatched(panel(masked, FLOW, 320)[165:315, 165:315]).all()
    for name in "flow", "inv_depth", "vectors", "inv_depth_change":
        inputs[name][1, 1] = bad
    inputs["valid"][1, 1] = True
    np.testing.assert_array_equal(views.picture_sheet(**inputs)[600:], masked[600:])


@pytest.mark.parametrize("image", [False, True])
@pytest.mark.parametrize(
    "is_fixed, said",
    [(None, []), (True, ["camera taken as fixed"]), (False, ["camera motion removed"])],
)
def test_the_first_panel_says_whether_the_camera_moved(image, is_fixed, said, texts):
    inputs = maps(16, 16)
    if image:
        inputs["image"] = np.zeros((16, 16, 3), np.uint8)
    views.picture_sheet(**inputs, camera_is_fixed=is_fixed)
    assert [x for x in texts if "camera" in x and "bright" not in x] == [
        f"scene flow: {x}" for x in said
    ]


def test_the_mask_stands_where_no_image_is():
    inputs = maps(2, 4)
    inputs["valid"] = np.array([[True, False, True, True]] * 2)
    area = panel(views.picture_sheet(**inputs), IMAGE, 320)
    assert is_hatched(area[:, 165:315]).all()
    assert (area[:, :155] == 255).all() and (area[:, 325:] == 255).all()


@pytest.mark.parametrize("tail", ["no valid pixel", "constant", "still", "not finite"])
def test_fields_without_anything_to_scale_by_make_a_sheet(tail, texts):
    inputs = {name: np.ones_like(value) for name, value in maps(16, 16).items()}
    if tail == "no valid pixel":
        inputs["valid"][:] = False
    if tail == "still":
        for name in "flow", "vectors", "inv_depth_change":
            inputs[name][:] = 0
    if tail == "not finite":
        inputs["flow"][:], inputs["inv_depth"][:], inputs["vectors"][:] = np.nan, np.inf, -np.inf
    extras = {"true_flow": inputs["flow"], "true_vectors": inputs["vectors"]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = views.picture_sheet(**inputs, **extras, occlusion=inputs["valid"])
    nothing = is_hatched(panel(picture, FLOW, 512, 512)).all()
    assert nothing == (tail in ("no valid pixel", "not finite"))
    assert ("nothing moves" in texts) == (tail == "still")
    assert ("away" in texts) == (tail == "still")


def test_still_and_unknown_differ_in_every_panel_of_a_motion():
    inputs = maps(2, 4)
    inputs["valid"] = np.array([[True, True, False, False]] * 2)
    for name in "flow", "vectors", "inv_depth_change":
        inputs[name][:] = 0
    picture = views.picture_sheet(**inputs)
    for place, color in (FLOW, 255), (CHANGE, 122), (ACROSS, 128), (ALONG, 122):
        area = panel(picture, place, 320)
        assert is_hatched(area[:, 325:]).all()
        still = np.median(area[:, :315].reshape(-1, 3), axis=0)
        np.testing.assert_allclose(still, color, atol=4)


def test_a_few_outliers_do_not_set_the_scale(texts):
    inputs = maps(20, 20)
    inputs["flow"] = np.tile((3.0, 4.0), (20, 20, 1))
    inputs["vectors"] = np.tile((0.0, 0.0, -0.07), (20, 20, 1))
    inputs["flow"][0, :15] *= 1000
    inputs["vectors"][0, :3] *= 1000
    inputs["inv_depth"][:] = 0.5
    inputs["valid"][:] = True
    views.picture_sheet(**inputs)
    assert "5 px = full colour, longest arrow" in texts
    assert "away 70 mm" in texts and "towards 70 mm" in texts


def test_legends_say_median_and_p95(texts):
    inputs = maps(40, 40)
    inputs["inv_depth"][:] = 0.5
    views.picture_sheet(**inputs, true_flow=np.zeros((40, 40, 2)))
    known = inputs["valid"]
    lengths = np.linalg.norm(inputs["flow"], axis=-1)[known]
    median, p95 = np.percentile(lengths, [50, 95])
    assert f"moving pixels: median {median:.3g} px, p95 {p95:.3g} px" in texts
    assert f"mean {lengths.mean():.3g} px   median {median:.3g} px   hatched: unknown" in texts
    median, p95 = np.percentile(np.abs(inputs["vectors"][..., 2][known]), [50, 95])
    assert f"100 % moves   moving pixels: median {median:.3g} m, p95 {p95:.3g} m" in texts
    assert f"away {p95:.3g} m" in texts  # all are equally near


@pytest.mark.parametrize("number", [1.23e-12, 0.00456, 1.0, 0.123, 1234567.0, 3.4e37])
def test_text_of_any_number_fits_and_does_not_overlap(texts, number):
    inputs = {name: np.full_like(value, number) for name, value in maps(4, 6).items()}
    inputs["valid"][0, 0] = False
    inputs["flow"][0, 1] = inputs["vectors"][0, 1] = inputs["inv_depth_change"][0, 1] = 0
    truths = {"true_flow": 0 * inputs["flow"], "true_vectors": 0 * inputs["vectors"]}
    views.picture_sheet(**inputs, **truths, occlusion=np.zeros((4, 6)))
    assert len(texts) > 30


def test_inverse_depth_is_in_both_units_and_spans_all_but_a_hundredth(texts):
    inputs = maps(1, 101)
    inputs["valid"][:] = True
    inputs["inv_depth"] = np.arange(1.0, 102.0)[None]
    views.picture_sheet(**inputs)
    assert "2 /m (0.5 m)" in texts and "100 /m (0.01 m)" in texts
    assert any(text.startswith("median 51 /m (0.0196 m)") for text in texts)


def test_one_moving_pixel_among_still_ones_is_seen_and_rounding_is_not():
    inputs = maps(10, 10)
    inputs["valid"][:] = True
    inputs["flow"] *= 1e-6
    inputs["vectors"] *= 1e-8
    inputs["flow"][0, 0] = 20, 0
    inputs["vectors"][0, 0] = 0, 0, -0.3
    picture = views.picture_sheet(**inputs)
    flow, along = panel(picture, FLOW, 512, 512), panel(picture, ALONG, 512, 512)
    np.testing.assert_allclose(flow[5, 5], (255, 0, 0), atol=1)
    np.testing.assert_array_equal(along[5, 5], views.signed_to_color([[1.0]])[0, 0])
    assert np.ptp(along[60:].reshape(-1, 3), axis=0).max() <= 1
    assert np.median(flow[60:]) == 255


def test_far_pixels_count_little_in_the_scale_of_scene_flow(texts):
    inputs = maps(10, 10)
    inputs["valid"][:] = True
    inputs["inv_depth"][:] = 0.01
    inputs["inv_depth"][5:] = 1
    inputs["vectors"] = np.tile((1.0, 0, 0), (10, 10, 1))
    inputs["vectors"][:5] *= 100
    views.picture_sheet(**inputs)
    assert "1 m = full colour, longest arrow" in texts


def test_without_a_surface_depth_and_scene_flow_are_unknown():
    inputs = maps(2, 4)
    inputs["valid"][:] = True
    inputs["inv_depth"][:, 1:3] = 0, -1
    picture = views.picture_sheet(**inputs)
    for place in DEPTH, CHANGE, ACROSS, ALONG:
        area = is_hatched(panel(picture, place, 320))
        assert area[:, 165:475].all() and area[:, 485:].mean() < 0.01
    assert is_hatched(panel(picture, FLOW, 320)).mean() < 0.01


def test_the_second_frame_is_warped_back_by_the_flow():
    rng = np.random.default_rng(0)
    next_image = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (320, 160))
    flow = np.tile((24.0, -10.0), (160, 320, 1))
    flow[:, 300:] = np.nan
    valid = np.ones((160, 320), bool)
    picture = views.picture_sheet(flow, None, None, valid, next_image=next_image)
    second, warped = panel(picture, 1, 320), panel(picture, 3, 320)
    np.testing.assert_array_equal(second[::2, ::2], next_image)
    # At the resolution of the maps, then enlarged to squares.
    np.testing.assert_array_equal(warped[20::2, :550:2], next_image[:150, 24:299])
    assert is_hatched(warped[:20]).all() and is_hatched(warped[:, 2 * 297 :]).all()


def test_large_images_are_warped_at_the_resolution_of_the_panel():
    y, x = np.mgrid[:600, :1280].astype(float)
    texture = lambda x, y: 127 + 60 * np.sin(x / 40) + 60 * np.cos(y / 50)
    image, next_image = (
        np.repeat(texture(x - dx, y)[..., None], 3, -1).astype(np.uint8) for dx in (0, 30)
    )
    flow = np.tile((30.0, 0.0), (600, 1280, 1))
    picture = views.picture_sheet(
        flow, None, None, np.ones((600, 1280), bool), image=image, next_image=next_image
    )
    first, warped = panel(picture, 0, 300).astype(int), panel(picture, 3, 300).astype(int)
    inside = np.s_[5:-5, 5:600]
    assert np.abs(first[inside] - warped[inside]).mean() < 1


def test_occlusion_is_dark_where_hidden():
    inputs = maps(2, 4)
    inputs["valid"] = np.array([[True, True, True, False]] * 2)
    hidden = np.array([[True, False, False, False]] * 2)
    area = panel(views.picture_sheet(**inputs, occlusion=hidden), 6, 320)
    assert (area[:, :155] == 40).all() and (area[:, 165:475] == 230).all()
    assert is_hatched(area[:, 485:]).all()


def test_the_error_is_the_distance_to_the_truth(texts):
    inputs = maps(2, 4)
    inputs["valid"][:] = True
    truth = inputs["flow"] + np.array((3.0, 4.0))
    truth[:, 3] = np.nan
    picture = views.picture_sheet(**inputs, true_flow=truth)
    area = panel(picture, 6, 320)
    np.testing.assert_array_equal(area[10, 10], views.scalar_to_color([[0, 1.0]])[0, 1])
    assert is_hatched(area[:, 485:]).all() and "5 px (p95) or more" in texts


def test_titles_fit():
    inputs = maps(16, 16)
    truths = {"true_flow": inputs["flow"], "true_vectors": inputs["vectors"]}
    frame = np.zeros((16, 16, 3), np.uint8)
    picture = views.picture_sheet(
        **inputs, **truths, next_image=frame, occlusion=np.zeros((16, 16))
    )
    for place in range(11):
        row, column = divmod(place, 2)
        top = row * (TITLE + TALLEST + legends.LEGEND_HEIGHT)
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
        ("next_image", np.ones((3, 4, 3), np.uint8), r"next_image: .*got uint8 \[3, 4, 3\]"),
        ("inv_depth_change", np.ones((3, 4)), r"inv_depth_change: expected the size"),
        ("occlusion", np.ones((3, 4), bool), r"occlusion: expected the size"),
        ("true_flow", np.ones((2, 4, 3)), r"true_flow: expected the shape \[H, W, 2\]"),
        ("true_vectors", np.ones((2, 5, 3)), r"true_vectors: .*got \[2, 5\]"),
    ],
)
def test_a_wrong_argument_is_named(name, value, says):
    with pytest.raises(ValueError, match=says):
        views.picture_sheet(**maps(2, 4) | {name: value})


def test_without_depth_two_panels_are_drawn():
    inputs = maps(24, 32)
    whole = views.picture_sheet(**inputs)
    flat = views.picture_sheet(**{**inputs, "inv_depth": None, "vectors": None})
    rows = TITLE + 480 + legends.LEGEND_HEIGHT
    assert flat.shape[0] == rows + MARGIN
    np.testing.assert_array_equal(flat[:rows], whole[:rows])


def test_maps_are_averaged_before_they_are_coloured(monkeypatch):
    """A large picture needs little memory: no map is coloured at its own size."""
    sizes = []
    plain = map_panels.flow_to_color
    spy = lambda flow, **options: sizes.append(np.shape(flow)) or plain(flow, **options)
    monkeypatch.setattr(map_panels, "flow_to_color", spy)
    views.picture_sheet(**maps(1500, 2000))
    assert (480, 640, 2) in sizes and max(np.prod(s) for s in sizes) <= 2 * 480 * 640
