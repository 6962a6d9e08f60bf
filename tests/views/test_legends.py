"""Legends say numbers in words that fit on their strip."""

import numpy as np
import pytest

from sf3d_jax.views import legends

ANY = [1.23e-12, 0.00456, 1.0, 0.123, 1234567.0, 3.4e38]


@pytest.fixture
def written(monkeypatch):
    """The texts that are written, with where each ends."""
    texts = []
    plain = legends.write_text

    def write(canvas, text, left, baseline, size=0.6):
        before = canvas.copy()
        plain(canvas, text, left, baseline, size)
        changed = np.flatnonzero((canvas != before).any((0, 2)))
        rows = np.flatnonzero((canvas != before).any((1, 2)))
        texts.append((text, changed.min(), changed.max()))
        assert changed.max() < legends.PANEL_WIDTH - 1, f"{text} does not fit"
        assert 0 < rows.min() and rows.max() < legends.LEGEND_HEIGHT - 1, f"{text} does not fit"

    monkeypatch.setattr(legends, "write_text", write)
    return texts


@pytest.mark.parametrize("number", ANY)
def test_text_of_any_number_fits_and_does_not_overlap(written, number):
    legends.flow_legend(number)
    legends.scene_flow_legend(number)
    start = len(written)
    legends.depth_legend((number, number))
    far, near = written[start:]
    assert far[2] + 10 < near[1]


def test_flow_is_in_pixels(written):
    legends.flow_legend(11.08)
    assert "rim: 11.1 px or more" in written[1][0]


def test_inverse_depth_is_in_both_units(written):
    legends.depth_legend((0.25, 2))
    assert written[0][0] == "0.25 /m (4 m)" and written[1][0] == "2 /m (0.5 m)"


def test_scene_flow_is_in_metres_or_when_small_in_millimetres(written):
    legends.scene_flow_legend(0.25)
    legends.scene_flow_legend(0.0054)
    texts = [text for text, *_ in written]
    assert any("0.25 m or" in text for text in texts) and any("5.4 mm or" in t for t in texts)


def test_the_disc_has_the_colors_of_motion_from_its_centre():
    strip = legends.flow_legend(1)
    left, right = strip[48, 2], strip[48, 74]
    np.testing.assert_allclose(strip[48, 38], 255, atol=5)
    assert right[0] > 240 and right[2] < 60 and left[0] < 60 and left[2] > 240


def test_the_swatches_have_the_colors_of_their_directions():
    strip = legends.scene_flow_legend(1)
    middles = [13 + place * legends.PANEL_WIDTH // 6 for place in range(6)]
    np.testing.assert_array_equal(
        strip[28, middles],
        [(255, 128, 128), (0, 128, 128), (128, 255, 128), (128, 0, 128), (128, 128, 255),
         (128, 128, 0)],
    )  # fmt: skip
